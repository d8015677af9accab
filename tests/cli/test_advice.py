"""What servers recommend for the devices of a machine, on a real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stage import Stage, stage
from tests.support.device_files import put_device
from tests.support.shell import Outcome, Shell

PASSWORD = "s3cr3t"
BOOTSTRAP = (
    "organization", "bootstrap", "--device-label", "laptop", "--label", "Alice",
    "--email", "alice@example.com", "--password-stdin",
)  # fmt: skip


@pytest.fixture(scope="module")
def advising() -> Iterator[Stage]:
    """A server that recommends passwords with one-time codes, or smartcards."""
    with stage() as built:
        built.start_server(
            *("--db", "MOCKED", "--advisory-device-file-protection", "PASSWORD+TOTP"),
            *("--advisory-device-file-protection", "PKI"),
        )
        yield built


def _found(server: Stage, shell: Shell, name: str, *options: str, stdin: str = "") -> Outcome:
    created = shell.run(
        "organization", "create", name, "-a", server.addr, "-t", server.administration_token,
        "--format", "json",
    )  # fmt: skip
    url = json.loads(created.out)["bootstrap_url"]
    return shell.run(*BOOTSTRAP, "--addr", url, *options, stdin=f"{PASSWORD}\n{stdin}")


@pytest.fixture
def alice(advising: Stage, shell: Shell, request: pytest.FixtureRequest) -> Shell:
    """A machine with a device that opens with a password alone."""
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    ended = _found(advising, shell, name, "--auth", "password", "--ignore-advisory")
    assert ended.code == 0, ended.err
    return shell


def test_a_login_warns_and_names_the_command_that_mends_it(alice: Shell) -> None:
    ended = alice.run("user", "list", "--password-stdin", stdin=f"{PASSWORD}\n")

    assert ended.code == 0
    assert ended.err.splitlines()[0] == (
        "Warning: The server recommends a one-time code for this device: "
        "run `parsec-cli totp setup`"
    )


def test_of_several_devices_the_command_names_the_right_one(alice: Shell) -> None:
    [device] = json.loads(alice.run("device", "list", "--format", "json").out)
    put_device(alice.home, "0")

    ended = alice.run(
        "user", "list", "-d", device["device_id"], "--password-stdin", stdin=f"{PASSWORD}\n"
    )

    assert f"run `parsec-cli totp setup --device {device['device_id']}`" in ended.err


def test_all_devices_are_compared_without_a_password(alice: Shell) -> None:
    [device] = json.loads(alice.run("device", "list", "--format", "json").out)
    put_device(alice.home, "0", name="Zoe")

    ended = alice.run("device", "check-advice")
    lines = ended.out.splitlines()

    assert ended.code == 0
    assert lines[0].startswith("000 - Org: Zoe <zoe@example.com> @ laptop (password): not known (")
    assert lines[1].endswith(
        "Alice <alice@example.com> @ laptop (password): "
        "the server recommends a one-time code in addition"
    )
    assert f"hint: parsec-cli totp setup --device {device['device_id']}" in ended.err


def test_the_comparison_as_json(alice: Shell) -> None:
    put_device(alice.home, "0", name="Zoe")

    unknown, known = json.loads(alice.run("device", "check-advice", "--format", "json").out)

    assert (unknown["decision"], unknown["recommended"]) == (None, None)
    assert "parsec.invalid" in unknown["error"]
    assert (known["decision"], known["error"]) == ("set_up_totp", None)
    assert known["recommended"] == ["PASSWORD+TOTP", "PKI"]
    assert (known["device_type"], known["totp"]) == ("password", False)


def test_what_is_not_recommended_is_refused_before_anything_is_made(
    advising: Stage, shell: Shell
) -> None:
    ended = _found(advising, shell, "RefusedOrg", "--auth", "keyring")

    assert ended.code == 6
    assert (
        "Error: The server does not recommend the keyring of this computer, "
        "but a password and a one-time code, a smartcard\n"
        "hint: choose one of these with --auth, or give --ignore-advisory\n"
    ) in ended.err
    assert json.loads(shell.run("device", "list", "--format", "json").out) == []


def test_a_device_is_saved_although_nobody_confirms_the_codes(
    advising: Stage, shell: Shell
) -> None:
    ended = _found(advising, shell, "UnconfirmedOrg")

    assert ended.code == 2
    assert "The new device is saved nevertheless:\n" in ended.err
    assert "It opens without a one-time code until `totp setup` is run\n" in ended.err
    listed = shell.run("user", "list", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert listed.code == 0


def test_going_back_needs_to_be_said(alice: Shell) -> None:
    """A device that follows the advice is not made to leave it by accident."""
    ended = alice.run(
        "device", "change-authentication", "--auth", "openbao", "--password-stdin",
        stdin=f"{PASSWORD}\n",
    )  # fmt: skip

    assert ended.code == 6


def test_without_its_server_a_device_is_not_warned_about(tmp_path: Path, shell: Shell) -> None:
    put_device(shell.home, "0")

    ended = shell.run("user", "list", "--password-stdin", stdin="pässword\n")

    assert ended.code == 5
    assert "Warning" not in ended.err
