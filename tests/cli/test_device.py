"""The devices on this machine: listed, chosen, forgotten, moved to another server."""

import json

import pytest

from parsec.client.files import in_use, list_devices
from parsec.client.protection import AccountVaultFields, KeyringFields
from parsec.data.ids import AccountVaultItemOpaqueKeyID, DeviceID
from tests.support.device_files import PASSWORD, places, put_device
from tests.support.shell import Shell

SERVER = "parsec3://parsec.invalid"


@pytest.fixture
def three(shell: Shell) -> Shell:
    """A machine with three devices, two of which begin with the same three digits."""
    put_device(shell.home, "8701", name="Arnold", label="label")
    put_device(shell.home, "bc1", name="Alice")
    put_device(shell.home, "8702", name="Bob")
    return shell


# --- Listing ---


def test_a_device_is_the_line_of_the_seed(shell: Shell) -> None:
    put_device(shell.home, "870", name="Arnold", label="label")

    listed = shell.run("device", "list")

    assert (listed.code, listed.out) == (
        0,
        "870 - Org: Arnold <arnold@example.com> @ label\n",
    )
    assert listed.err == f"Found 1 device(s) in {places(shell.home).config}:\n"


def test_as_many_digits_are_shown_as_tell_the_devices_apart(three: Shell) -> None:
    assert three.run("device", "list").out.splitlines() == [
        "8701 - Org: Arnold <arnold@example.com> @ label",
        "8702 - Org: Bob <bob@example.com> @ laptop",
        "bc10 - Org: Alice <alice@example.com> @ laptop",
    ]


def test_the_long_list_tells_server_and_protection(shell: Shell) -> None:
    put_device(shell.home, "870", name="Arnold", label="label")

    assert shell.run("device", "list", "--long").out == (
        f"870 - Org: Arnold <arnold@example.com> @ label ({SERVER}, password)\n"
    )


def test_the_long_list_tells_who_asks_for_a_code(shell: Shell) -> None:
    put_device(shell.home, "870", name="Arnold", label="label", totp=True)

    [listed] = json.loads(shell.run("device", "list", "--format", "json").out)

    assert shell.run("device", "list", "--long").out.endswith(f" ({SERVER}, password+totp)\n")
    assert (listed["device_type"], listed["totp"]) == ("password", True)


def test_the_list_as_json_has_the_official_names(shell: Shell) -> None:
    device = put_device(shell.home, "870", name="Arnold", label="label")

    [found] = json.loads(shell.run("device", "list", "--format", "json").out)

    assert found == {
        "device_id": device.device_id.hex(),
        "organization_id": "Org",
        "human_handle": "Arnold <arnold@example.com>",
        "device_label": "label",
        "device_type": "password",
        "totp": False,
        "server_url": SERVER,
        "path": str(places(shell.home).devices / f"{device.device_id.hex()}.keys"),
    }


def test_a_machine_without_devices_says_so_on_standard_error(shell: Shell) -> None:
    listed = shell.run("device", "list")

    assert (listed.code, listed.out) == (0, "")
    assert listed.err == f"No devices found in {places(shell.home).config}\n"


def test_files_that_are_no_devices_are_passed_over(three: Shell) -> None:
    folder = places(three.home).devices
    (folder / "0.keys").write_bytes(b"garbage")
    (folder / "1.keys").write_bytes(b"")

    assert three.run("device", "list").out.count("\n") == 3


def test_the_folder_may_be_given(shell: Shell) -> None:
    put_device(shell.home, "870")
    config = str(places(shell.home).config)

    by_option = shell.run("device", "list", "-c", config, PARSEC_BASE_CONFIG_DIR="/nowhere")
    by_variable = shell.run(
        "device", "list", PARSEC_CONFIG_DIR=config, PARSEC_BASE_CONFIG_DIR="/nowhere"
    )

    assert by_option.out.startswith("870 - ")
    assert by_option == by_variable


# --- Choosing ---

ARNOLD = f"8701 - Org: Arnold <arnold@example.com> @ label ({SERVER})"
BOB = f"8702 - Org: Bob <bob@example.com> @ laptop ({SERVER})"
ALICE = f"bc10 - Org: Alice <alice@example.com> @ laptop ({SERVER})"


def test_without_a_choice_among_several_all_are_listed(three: Shell) -> None:
    ended = three.run("user", "list")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "Error: Missing option '--device'",
        "",
        "Available devices:",
        ARNOLD,
        BOB,
        ALICE,
    ]


@pytest.mark.parametrize("prefix", ["zzz", "BC1", "bc10-"])
def test_a_choice_that_fits_none_lists_all(three: Shell, prefix: str) -> None:
    ended = three.run("user", "list", "--device", prefix)

    assert ended.code == 3
    assert ended.err.splitlines() == [
        f"Error: Device `{prefix}` not found, available devices:",
        ARNOLD,
        BOB,
        ALICE,
    ]


def test_a_choice_that_fits_several_lists_those(three: Shell) -> None:
    ended = three.run("user", "list", "-d", "8")

    assert ended.code == 2
    assert ended.err.splitlines() == ["Error: Multiple devices found for `8`:", ARNOLD, BOB]


def test_a_machine_without_devices_says_where_they_come_from(shell: Shell) -> None:
    ended = shell.run("user", "list")

    assert ended.code == 3
    assert "Error: No devices found in" in ended.err
    assert "hint: a device comes from" in ended.err


def test_a_protection_that_only_others_know_is_named(shell: Shell) -> None:
    fields = AccountVaultFields(AccountVaultItemOpaqueKeyID(bytes(16)))
    put_device(shell.home, "1", fields=fields)

    ended = shell.run("user", "list")

    assert ended.code == 1
    assert "Error: Unsupported device file authentication `account vault`" in ended.err


def test_a_machine_without_a_keyring_is_told_what_is_missing(shell: Shell) -> None:
    put_device(shell.home, "1", fields=KeyringFields(service="parsec", user="x"))

    ended = shell.run("user", "list")

    assert ended.code == 1
    assert "Error: There is no keyring here: " in ended.err
    assert "hint: " in ended.err


def test_a_device_with_a_code_needs_its_server(shell: Shell) -> None:
    put_device(shell.home, "1", totp=True)

    ended = shell.run("user", "list", "--totp-code", "123456", "--password-stdin", stdin="x\n")

    assert ended.code == 5
    assert ended.err.startswith("Error: This device needs the server for its one-time code. ")


def test_a_wrong_password_is_an_authentication_failure(shell: Shell) -> None:
    put_device(shell.home, "870")

    ended = shell.run("user", "list", "--password-stdin", stdin="wrong\n")

    assert ended.code == 4
    assert ended.err.startswith("Error: Decryption failed: ")


def test_a_device_in_use_is_waited_for(shell: Shell) -> None:
    device = put_device(shell.home, "870")
    told: list[str] = []

    with in_use(places(shell.home), device.device_id, waiting=lambda: None, accessed=lambda: None):
        # The same process waits for itself no less than another one would: look, do not wait.
        from parsec.client import file_lock

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file_lock, "lock", lambda _: told.append("waited"))
            ended = shell.run("device", "forget-local", "--force")

    assert told == ["waited"]
    assert ended.err.splitlines()[:2] == [
        "Device already used by another process, waiting...",
        "✔ Device accessed",
    ]


# --- Forgetting ---


def test_a_forgotten_device_is_gone_with_what_it_stored(shell: Shell) -> None:
    device = put_device(shell.home, "ea9", name="Bob")
    stored = places(shell.home).data_of(device.device_id)
    stored.mkdir(parents=True)

    ended = shell.run("device", "forget-local", stdin="y\n")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err.splitlines() == [
        "You are about to forget the following local device:",
        "ea9 - Org: Bob <bob@example.com> @ laptop",
        "Are you sure? [y/n] y",
        "The local device has been forgotten",
    ]
    assert list_devices(places(shell.home)) == []
    assert not stored.exists()


def test_a_device_that_is_not_forgotten_stays(shell: Shell) -> None:
    put_device(shell.home, "ea9")

    ended = shell.run("device", "forget-local", stdin="n\n")

    assert ended.code == 0
    assert ended.err.endswith("Operation cancelled\n")
    assert len(list_devices(places(shell.home))) == 1


@pytest.mark.parametrize("option", ["--force", "--yes"])
def test_an_option_confirms(shell: Shell, option: str) -> None:
    put_device(shell.home, "ea9")

    ended = shell.run("device", "forget-local", option)

    assert ended.code == 0
    assert list_devices(places(shell.home)) == []


def test_nothing_is_forgotten_where_nobody_confirms(shell: Shell) -> None:
    put_device(shell.home, "ea9")

    ended = shell.run("device", "forget-local")

    assert ended.code == 2
    assert "hint: give --force" in ended.err
    assert len(list_devices(places(shell.home))) == 1


# --- Another server ---


def test_a_device_moves_to_another_server(shell: Shell) -> None:
    put_device(shell.home, "ea9", name="Bob")

    ended = shell.run(
        "device", "overwrite-server-url", "--server-url", "http://127.0.0.1:6770",
        "--password-stdin", stdin=f"{PASSWORD}\ny\n",
    )  # fmt: skip

    assert ended.code == 0
    assert ended.err.splitlines() == [
        "You are about to update the following device:",
        "ea9 - Org: Bob <bob@example.com> @ laptop",
        f"Current server URL: {SERVER}",
        "New server URL: parsec3://127.0.0.1:6770?no_ssl=true",
        "Are you sure?  [y/n] y",
        "Device updated successfully",
    ]
    [found] = list_devices(places(shell.home))
    assert found.file.server_url.url == "parsec3://127.0.0.1:6770?no_ssl=true"
    assert found.file.device_id == DeviceID.parse("ea9".ljust(32, "0"))


def test_the_moved_device_opens_with_the_same_password(shell: Shell) -> None:
    put_device(shell.home, "ea9")
    arguments = (
        "device", "overwrite-server-url", "--force", "--password-stdin", "--server-url",
    )  # fmt: skip

    first = shell.run(*arguments, "https://one.example.com", stdin=f"{PASSWORD}\n")
    second = shell.run(*arguments, "https://two.example.com", stdin=f"{PASSWORD}\n")

    assert (first.code, second.code) == (0, 0)
    assert "Current server URL: parsec3://one.example.com" in second.err


def test_a_device_that_is_not_moved_stays_as_it_is(shell: Shell) -> None:
    put_device(shell.home, "ea9")

    ended = shell.run(
        "device", "overwrite-server-url", "-s", "https://x.example.com", "--password-stdin",
        stdin=f"{PASSWORD}\nno\n",
    )  # fmt: skip

    assert ended.err.endswith("Operation cancelled\n")
    assert list_devices(places(shell.home))[0].file.server_url.url == SERVER


# --- Certificates on this machine ---


def test_certificates_are_forgotten_without_a_password(shell: Shell) -> None:
    device = put_device(shell.home, "ea9", name="Bob")
    stored = places(shell.home).data_of(device.device_id) / "parsec-py-certificates.sqlite"
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"damaged")

    ended = shell.run("certificate", "forget-all-certificates", stdin="y\n")

    assert ended.code == 0
    assert ended.err.splitlines() == [
        "You are about to clear the local certificates database for device:",
        "ea9 - Org: Bob <bob@example.com> @ laptop",
        "Are you sure? [y/n] y",
        "The local certificates database has been cleared",
    ]
    assert not stored.exists()
