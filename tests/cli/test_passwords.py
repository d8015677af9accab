"""Where passwords come from."""

from pathlib import Path

import pytest

from parsec.cli.console import Console, Look
from parsec.cli.errors import NoAnswer
from parsec.cli.passwords import Passwords
from parsec.client.failure import FlowError
from tests.support.shell import streams


@pytest.fixture
def console() -> Console:
    return Console(Look())


def test_each_password_is_a_line_of_standard_input(console: Console) -> None:
    passwords = Passwords(console, from_stdin=True, environ={})

    with streams(b" first \nsecond\r\n"):
        found = passwords.existing(), passwords.new("New device password:")

    assert found == (" first ", "second")


def test_an_empty_line_is_an_empty_password(console: Console) -> None:
    with streams(b"\n"):
        assert Passwords(console, from_stdin=True, environ={}).existing() == ""


def test_the_end_of_standard_input_is_no_password(console: Console) -> None:
    with streams(), pytest.raises(NoAnswer, match="no password on standard input"):
        Passwords(console, from_stdin=True, environ={}).existing()


def test_a_file_gives_its_first_line(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes("pâss\nnot this\n".encode())

    assert Passwords(console, file=file, environ={}).existing() == "pâss"


def test_a_command_gives_its_first_line(console: Console) -> None:
    passwords = Passwords(console, command="printf 'a b\\nc'", environ={})

    assert passwords.new("New device password:") == "a b"


@pytest.mark.parametrize("command", ["false", "/nowhere/at/all", "'", ""])
def test_a_command_that_fails_is_an_error(console: Console, command: str) -> None:
    with pytest.raises(FlowError, match="password command"):
        Passwords(console, command=command, environ={}).existing()


def test_a_variable_names_the_file(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    passwords = Passwords(console, environ={"PARSEC_DEVICE_PASSWORD_FILE": str(file)})

    assert passwords.existing() == "secret"


def test_an_option_counts_before_the_variable(console: Console) -> None:
    passwords = Passwords(
        console, command="echo option", environ={"PARSEC_DEVICE_PASSWORD_FILE": "/nowhere"}
    )

    assert passwords.existing() == "option"


def test_a_missing_file_is_an_error(console: Console, tmp_path: Path) -> None:
    with pytest.raises(FlowError, match="Cannot read the password file"):
        Passwords(console, file=tmp_path / "none", environ={}).existing()


def test_without_terminal_the_error_names_the_options(console: Console) -> None:
    with streams(b"not a password\n"), pytest.raises(NoAnswer) as caught:
        Passwords(console, environ={}).existing()

    assert caught.value.hint is not None
    assert "--password-stdin" in caught.value.hint


# --- A password that replaces another one ---


def test_the_new_password_has_a_file_of_its_own(console: Console, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("old\n", encoding="utf-8")
    new.write_text("new\n", encoding="utf-8")
    passwords = Passwords(console, file=old, new_file=new, environ={})

    assert (passwords.existing(), passwords.new("New:")) == ("old", "new")


def test_what_opened_a_device_is_not_what_protects_it_from_then_on(
    console: Console, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("old\n", encoding="utf-8")
    passwords = Passwords(console, file=old, environ={})
    passwords.existing()

    with streams(), pytest.raises(NoAnswer) as caught:
        passwords.new("New:")

    assert not passwords.gives_new
    assert caught.value.hint == "give --new-password-file or --password-stdin"


def test_where_no_password_opened_the_device_the_source_is_of_the_new_one(
    console: Console, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("new\n", encoding="utf-8")
    passwords = Passwords(console, file=file, environ={})

    assert passwords.gives_new
    assert passwords.new("New:") == "new"
