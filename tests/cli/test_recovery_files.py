"""Recovery files on the command line, on a real server."""

import json
import stat
from pathlib import Path

import pytest

from parsec.client.files import read_device_file
from parsec.data.device_file import RecoveryDeviceFile
from scripts.stage import Stage
from tests.support.shell import Shell

PASSWORD = "s3cr3t"


@pytest.fixture
def alice(server: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> Shell:
    """A machine with the device of an organization's founder."""
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    shell = Shell(tmp_path / "alice")
    shell.home.mkdir()
    created = shell.run(
        "organization", "create", name, "-a", server.addr, "-t", server.administration_token,
        "--format", "json",
    )  # fmt: skip
    bootstrapped = shell.run(
        "organization", "bootstrap", "--addr", json.loads(created.out)["bootstrap_url"],
        "--device-label", "laptop", "--label", "Alice", "--email", "alice@example.com",
        "--password-stdin", stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return shell


@pytest.fixture
def machine(tmp_path: Path) -> Shell:
    """Another machine, on which nothing is yet."""
    shell = Shell(tmp_path / "machine")
    shell.home.mkdir()
    return shell


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "recovery.psrk"


def _export(alice: Shell, output: Path, *options: str) -> str:
    ended = alice.run(
        "device", "export-recovery-device", str(output), "--password-stdin", "--format", "json",
        *options, stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    passphrase: str = json.loads(ended.out)["passphrase"]
    return passphrase


def test_the_passphrase_is_data_and_the_file_is_private(alice: Shell, output: Path) -> None:
    ended = alice.run(
        "device", "export-recovery-device", str(output), "--password-stdin", stdin=f"{PASSWORD}\n"
    )

    begin, _, passphrase = ended.out.strip().rpartition(" ")
    assert begin == "Save the recovery passphrase in a safe place:"
    assert [len(group) for group in passphrase.split("-")] == [4] * 13
    assert f"Recovery device saved at {output}" in ended.err
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert isinstance(read_device_file(output), RecoveryDeviceFile)
    assert [found.name for found in output.parent.iterdir() if "psrk" in found.name] == [
        output.name
    ]


def test_a_new_device_comes_of_file_and_passphrase(
    alice: Shell, machine: Shell, output: Path
) -> None:
    passphrase = _export(alice, output)

    ended = machine.run(
        "device", "import-recovery-device", "-i", str(output), "-l", "recovered",
        "--password-stdin", stdin=f"{passphrase}\nanother password\n",
    )  # fmt: skip
    users = machine.run("user", "list", "--password-stdin", stdin="another password\n")

    assert ended.code == users.code == 0
    assert ended.err.splitlines()[-1] == "New device created:"
    assert ended.out.endswith("Alice <alice@example.com> @ recovered\n")


def test_the_passphrase_may_stand_in_a_file(alice: Shell, machine: Shell, output: Path) -> None:
    file, password = output.with_name("passphrase"), output.with_name("password")
    file.write_text(_export(alice, output).lower().replace("-", " "), encoding="utf-8")
    password.write_text("another password", encoding="utf-8")

    ended = machine.run(
        "device", "import-recovery-device", "--input", str(output), "--label", "recovered",
        "--passphrase-file", str(file), "--password-file", str(password),
    )  # fmt: skip

    assert ended.code == 0


def test_a_file_that_exists_is_replaced_only_on_demand(alice: Shell, output: Path) -> None:
    output.write_text("precious")

    refused = alice.run("device", "export-recovery-device", str(output))
    kept = output.read_text()
    _export(alice, output, "--force")

    assert refused.code == 7
    assert "exists already\nhint: name another file, or give --force" in refused.err
    assert kept == "precious"
    assert isinstance(read_device_file(output), RecoveryDeviceFile)


def test_no_device_is_made_for_a_file_that_cannot_be_written(alice: Shell, tmp_path: Path) -> None:
    ended = alice.run("device", "export-recovery-device", str(tmp_path / "nowhere" / "file"))

    assert ended.code == 3
    assert "Error: There is no folder" in ended.err


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        ("AAAA-" * 12 + "AAAA", "Decryption failed: the passphrase does not open"),
        ("nonsense", "Invalid passphrase"),
    ],
)
def test_a_wrong_passphrase_is_an_authentication_failure(
    alice: Shell, machine: Shell, output: Path, passphrase: str, message: str
) -> None:
    _export(alice, output)

    ended = machine.run(
        "device", "import-recovery-device", "-i", str(output), "-l", "x", "--password-stdin",
        stdin=f"{passphrase}\n",
    )  # fmt: skip

    assert ended.code == 4
    assert f"Error: {message}" in ended.err
    assert "nonsense" not in ended.err


def test_a_device_file_is_no_recovery_file(alice: Shell, machine: Shell) -> None:
    [device] = json.loads(alice.run("device", "list", "--format", "json").out)

    ended = machine.run("device", "import-recovery-device", "-i", device["path"], "-l", "x")

    assert ended.code == 1
    assert "is no recovery file, but a device protected by password" in ended.err


def test_a_missing_file_is_not_found(machine: Shell) -> None:
    ended = machine.run("device", "import-recovery-device", "-i", "none.psrk", "-l", "x")

    assert ended.code == 3


def test_the_passphrase_is_not_taken_from_where_the_new_password_is(
    alice: Shell, machine: Shell, output: Path
) -> None:
    _export(alice, output)
    password = output.with_name("password")
    password.write_text("another password", encoding="utf-8")

    ended = machine.run(
        "device", "import-recovery-device", "-i", str(output), "-l", "x",
        "--password-file", str(password),
    )  # fmt: skip

    assert ended.code == 2
    assert "hint: give --passphrase-file or --password-stdin" in ended.err
