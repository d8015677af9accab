"""Where one-time codes come from."""

import pytest

from parsec.cli.codes import Codes
from parsec.cli.console import Console, Look
from parsec.cli.errors import NoAnswer
from parsec.cli.keys import Keys
from parsec.client.failure import AuthenticationFailed
from tests.support.shell import streams


@pytest.fixture
def console() -> Console:
    return Console(Look())


def test_a_given_code_comes_first(console: Console) -> None:
    codes = Codes(console, code=" 123456 ", from_stdin=True, command="printf 000000")

    assert codes.next() == "123456"


def test_each_code_is_a_line_of_standard_input_and_shown_nowhere(console: Console) -> None:
    codes = Codes(console, from_stdin=True)

    with streams(b"123 456\n654321\n") as captured:
        found = codes.next(), codes.next()

    assert found == ("123456", "654321")
    assert captured.err == "Enter TOTP code: \nEnter TOTP code: \n"


def test_a_command_writes_the_code(console: Console) -> None:
    assert Codes(console, command="printf '123456\\nnot this'").next() == "123456"


def test_nobody_there_to_answer_is_told_the_options(console: Console) -> None:
    with streams(), pytest.raises(NoAnswer) as caught:
        Codes(console).next()

    assert caught.value.hint == "give --totp-code, --totp-stdin or --totp-command"


@pytest.mark.parametrize("source", [{"code": "123456"}, {"command": "printf 123456"}])
def test_a_code_that_would_be_the_same_again_is_not_tried_again(
    console: Console, source: dict[str, str]
) -> None:
    codes = Codes(console, **source)  # type: ignore[arg-type]
    codes.next()
    codes.reject()

    with pytest.raises(AuthenticationFailed, match="one-time code is wrong"):
        codes.next()


def test_after_a_wrong_code_the_end_of_input_is_a_failed_authentication(console: Console) -> None:
    codes = Codes(console, from_stdin=True)
    codes.reject()

    with streams(), pytest.raises(AuthenticationFailed):
        codes.next()


def test_a_line_that_is_a_password_is_never_taken_for_a_code(console: Console) -> None:
    codes = Codes(console, stdin_has_passwords=True)

    with streams(b"123456\n"), pytest.raises(NoAnswer, match="Enter TOTP code"):
        codes.next()


@pytest.mark.parametrize("typed", ["pa55w0rd", "12345", "1234567", "", "١٢٣٤٥٦"])
def test_what_is_no_code_is_asked_for_again(console: Console, typed: str) -> None:
    with streams(f"{typed}\n123456\n".encode()) as captured:
        assert Codes(console).next() == "123456"

    assert captured.err == "Enter TOTP code: \nA code has 6 digits\nEnter TOTP code: \n"


@pytest.mark.parametrize("source", [{"code": "pa55w0rd"}, {"command": "printf pa55w0rd"}])
def test_what_is_no_code_is_not_sent(console: Console, source: dict[str, str]) -> None:
    with pytest.raises(AuthenticationFailed, match="given as one-time code is none"):
        Codes(console, **source).next()  # type: ignore[arg-type]


def test_a_given_code_is_not_in_the_representation(console: Console) -> None:
    assert "123456" not in repr(Codes(console, code="123456"))
    assert "123456" not in repr(Keys(totp_code="123456"))
