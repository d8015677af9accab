"""The command line at a real terminal: lists, keys, passwords, spinners, interruptions."""

import re
import sys
from pathlib import Path

import pexpect
import pytest

from scripts.stage import CLI, PATIENCE, Terminal
from tests.support.device_files import PASSWORD, places, put_device
from tests.support.shell import Shell

_BEGINNING = """
from parsec.cli.console import Console, Look
console = Console(Look())
"""


@pytest.fixture
def machine(shell: Shell) -> Shell:
    shell.variables["TERM"] = "xterm"
    return shell


def _terminal(machine: Shell, *command: str, **variables: str) -> Terminal:
    return Terminal(command, environment={**machine.environment, **variables})


def _questions(machine: Shell, code: str, **variables: str) -> Terminal:
    """A program that asks, at a terminal."""
    return _terminal(machine, sys.executable, "-c", _BEGINNING + code, **variables)


CHOOSE = """
people = ["Alice <alice@example.com> - 1 share(s)", "Arnold <arnold@example.com> - 1 share(s)"]
console.data("chosen ", str(console.choose("Choose a person to contact now", people, option="-")))
"""


# --- Lists ---


def test_a_list_is_drawn_as_in_the_seed_and_leaves_one_line(machine: Shell) -> None:
    terminal = _questions(machine, CHOOSE)

    terminal.see(
        "Choose a person to contact now:\n"
        "> Alice <alice@example.com> - 1 share(s)\n"
        "  Arnold <arnold@example.com> - 1 share(s)"
    )
    terminal._child.send("\x1b[B\r")

    assert terminal.finish().split("\n")[:2] == [
        "Choose a person to contact now: Arnold <arnold@example.com> - 1 share(s)",
        "chosen 1",
    ]


def test_typing_filters_the_list(machine: Shell) -> None:
    terminal = _questions(machine, CHOOSE)

    terminal.see("Choose a person to contact now:")
    terminal._child.send("arnd")
    terminal.expect(r"arnd\n> Arnold [^\n]*$")
    terminal._child.send("\r")

    assert "chosen 1" in terminal.finish()


def test_a_list_longer_than_the_terminal_scrolls(machine: Shell) -> None:
    terminal = _questions(
        machine, 'console.data(str(console.choose("Which", list(map(str, range(99))), option="-")))'
    )

    terminal.see("> 0\n")
    terminal._child.send("\x1b[A")
    terminal.see("> 98")
    terminal._child.send("\r")

    assert terminal.finish().split("\n")[:2] == ["Which: 98", "98"]


def test_control_c_in_a_list_interrupts_the_command(machine: Shell) -> None:
    terminal = _questions(
        machine,
        "import sys\n"
        "try:\n"
        "    console.choose('Which', ['a', 'b'], option='-')\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n",
    )

    terminal.see("> a")
    terminal.press_control_c()

    terminal.finish(130)


def test_names_in_a_list_cannot_draw(machine: Shell) -> None:
    terminal = _questions(machine, r'console.choose("Which", ["a\x1b[2J", "b\n> c"], option="-")')

    terminal.see("> a\ufffd[2J\n  b > c")
    terminal._child.send("\r")

    assert terminal.finish().startswith("Which: a\ufffd[2J\n")


def test_a_dumb_terminal_has_numbers(machine: Shell) -> None:
    terminal = _questions(machine, CHOOSE, TERM="dumb")

    terminal.see("  2  Arnold <arnold@example.com> - 1 share(s)\nNumber:")
    terminal.type("2")

    assert "chosen 1" in terminal.finish()


def test_questions_reach_the_terminal_when_standard_error_goes_elsewhere(
    machine: Shell, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    code = _BEGINNING + CHOOSE
    terminal = _terminal(
        machine, "/bin/sh", "-c", '"$0" -c "$1" 2>"$2"', sys.executable, code, str(log)
    )

    terminal.see("> Alice")
    terminal._child.send("\r")

    assert "chosen 0" in terminal.finish()
    assert log.read_text() == ""


# --- Keys and lines ---


def test_a_confirmation_takes_a_single_key(machine: Shell) -> None:
    put_device(machine.home, "ea9", name="Bob")
    terminal = _terminal(machine, *CLI, "device", "forget-local")

    terminal.see("Are you sure? [y/n]")
    terminal._child.send("\rxY")

    shown = terminal.finish()
    assert "Are you sure? yes\n" in shown
    assert "The local device has been forgotten" in shown
    assert not list(places(machine.home).devices.iterdir())


def test_control_c_at_a_confirmation_changes_nothing(machine: Shell) -> None:
    put_device(machine.home, "ea9", name="Bob")
    terminal = _terminal(machine, *CLI, "device", "forget-local")

    terminal.see("Are you sure? [y/n]")
    terminal.press_control_c()

    terminal.finish(130)
    assert len(list(places(machine.home).devices.iterdir())) == 1


def test_the_end_of_typing_cancels(machine: Shell) -> None:
    terminal = _questions(machine, "console.ask('Enter name', str, option='-')")

    terminal.see("Enter name:")
    terminal._child.sendeof()

    assert "Cancelled" in terminal.finish(1)


# --- Passwords ---


def test_a_password_is_not_shown_and_a_wrong_one_ends_the_command(machine: Shell) -> None:
    put_device(machine.home, "ea9", name="Bob")
    terminal = _terminal(machine, *CLI, "user", "list")

    terminal.see("Enter password for the device:")
    terminal.type("not the password")

    shown = terminal.finish(4)
    assert shown.startswith("Enter password for the device:\nError: Decryption failed")
    assert "not the password" not in shown


def test_a_password_is_asked_for_even_when_all_streams_go_elsewhere(machine: Shell) -> None:
    put_device(machine.home, "ea9", name="Bob")
    script = '"$@" </dev/null >/dev/null 2>&1; echo "ended with $?"'
    terminal = _terminal(
        machine, "/bin/sh", "-c", script, "sh", *CLI,
        "device", "overwrite-server-url", "-s", "https://example.org", "--force",
    )  # fmt: skip

    terminal.see("Enter password for the device:")
    terminal.type(PASSWORD)

    terminal.see("ended with 0")


def test_new_passwords_that_differ_are_asked_for_again(machine: Shell) -> None:
    terminal = _questions(
        machine, "console.data(repr(console.new_password('New device password:', option='-')))"
    )

    for password, confirmation in (("one", "two"), ("three", "three")):
        terminal.see("New device password:")
        terminal.type(password)
        terminal.see("Confirm password:")
        terminal.type(confirmation)

    assert terminal.finish().strip().split("\n") == [
        "New device password:",
        "Confirm password:",
        "Password mismatch",
        "New device password:",
        "Confirm password:",
        "'three'",
    ]


# --- Activities ---


def _raw(machine: Shell, code: str, **variables: str) -> str:
    """Everything that a program sends to its terminal."""
    child = pexpect.spawn(
        sys.executable,
        ["-c", _BEGINNING + code],
        env={**machine.environment, **variables},
        encoding="utf-8",
        timeout=PATIENCE,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0, child.before
    assert child.before is not None
    return child.before


ACTIVITY = """
console.begin("Waiting for claimer")
console._spinner._draw(3)
console.done("Waiting for claimer")
"""


def test_a_spinner_turns_and_ends_in_a_check_mark(machine: Shell) -> None:
    shown = _raw(machine, ACTIVITY)

    assert shown.startswith("\r⠋ Waiting for claimer")
    assert "\r⠸ Waiting for claimer" in shown
    assert shown.endswith("\x1b[2K\r\x1b[92m✔\x1b[39m Waiting for claimer\r\n")


def test_other_lines_come_between_and_the_spinner_goes_on(machine: Shell) -> None:
    shown = _raw(
        machine,
        'console.begin("Recovering")\nconsole.message("hello")\nconsole.done("Recovering")',
    )

    turning = r"(\r[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Recovering)+"
    erased = re.escape("\x1b[2K\r")
    assert re.fullmatch(
        rf"{turning}{erased}hello\r\n{turning}{erased}\x1b\[92m✔\x1b\[39m Recovering\r\n", shown
    )


def test_an_error_leaves_the_line_of_the_spinner(machine: Shell) -> None:
    shown = _raw(machine, 'console.begin("Recovering")\nconsole.error("No")', NO_COLOR="1")

    assert re.fullmatch(r"(\r[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Recovering)+\r\nError: No\r\n", shown)


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_colours_can_be_kept_away(machine: Shell, variables: dict[str, str]) -> None:
    shown = _raw(machine, 'console.done("Recovering")', **variables)

    assert shown == "✔ Recovering\r\n"


@pytest.mark.parametrize(("text", "fitting"), [("x" * 500, "x" * 77), ("名" * 500, "名" * 38)])
def test_the_line_of_a_spinner_never_wraps(machine: Shell, text: str, fitting: str) -> None:
    shown = _raw(machine, f"console.begin('{text}')\nconsole.dismiss()")

    assert shown.startswith(f"\r⠋ {fitting}")
    assert shown.count(text[0]) % len(fitting) == 0
