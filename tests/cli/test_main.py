"""How commands end: exit codes, expected errors and bugs."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from parsec.cli import main
from parsec.cli.errors import DeviceNotChosen, DeviceNotFound, NoAnswer, exit_code
from parsec.client import files
from parsec.client.failure import (
    AuthenticationFailed,
    Cancelled,
    Conflict,
    FlowError,
    HttpRefusal,
    InvalidAnswer,
    NotFound,
    Offline,
    Refused,
)
from tests.support.shell import Shell


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FlowError("x"), 1),
        (InvalidAnswer("x"), 1),
        (NoAnswer("x"), 2),
        (DeviceNotChosen("x", []), 2),
        (NotFound("x"), 3),
        (DeviceNotFound("x", []), 3),
        (HttpRefusal(404, "x"), 3),
        (AuthenticationFailed("x"), 4),
        (Offline("x"), 5),
        (Refused("x"), 6),
        (HttpRefusal(460, "x"), 6),
        (Conflict("x"), 7),
        (HttpRefusal(410, "x"), 7),
        (Cancelled("x"), 8),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error: FlowError, code: int) -> None:
    assert exit_code(error) == code


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(files, "list_devices", fail)


def test_an_expected_error_is_a_line_and_a_hint(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_with(monkeypatch, Refused("No", hint="ask again"))

    ended = shell.run("device", "list")

    assert (ended.code, ended.out, ended.err) == (6, "", "Error: No\nhint: ask again\n")


def test_what_a_peer_wrote_into_an_error_is_made_safe(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_with(monkeypatch, Refused("bad\x1b]0;title\x07\nError: more"))

    assert shell.run("device", "list").err == "Error: bad\ufffd]0;title\ufffd Error: more\n"


def test_a_bug_is_one_line_that_tells_no_secret(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_with(monkeypatch, ValueError("the password is s3cr3t"))

    ended = shell.run("device", "list")

    assert ended.code == 1
    assert "Error: Unexpected ValueError in tests.cli.test_main, line " in ended.err
    assert "PARSEC_DEBUG=1" in ended.err
    assert "s3cr3t" not in ended.err
    assert "Traceback" not in ended.err


def test_a_variable_shows_the_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(monkeypatch, ValueError("x"))

    assert "Traceback" in shell.run("device", "list", PARSEC_DEBUG="1").err


def test_an_interruption_ends_with_130(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_with(monkeypatch, KeyboardInterrupt())

    ended = shell.run("device", "list")

    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_the_help_of_the_root_names_every_exit_code() -> None:
    epilog = main.root.epilog or ""

    assert {int(word) for word in epilog.split() if word.isdigit()} == {*range(9), 130}


_HEAVY = {"asyncio", "cryptography", "httpx2", "prompt_toolkit", "sqlite3", "ssl"}


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], {*_HEAVY, "msgspec", "nacl", "parsec.data"}),
        (["device", "list"], {*_HEAVY, "typing_extensions"}),
    ],
)
def test_quick_commands_load_nothing_that_they_do_not_need(
    tmp_path: Path, arguments: list[str], unwanted: set[str]
) -> None:
    code = (
        "import sys; from parsec.cli.main import run; "
        f"code = run({arguments!r}, {{}}); print(code, *sys.modules, file=sys.stderr)"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"PARSEC_CONFIG_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    exit_code, *modules = ended.stderr.splitlines()[-1].split()
    assert exit_code == "0"
    assert unwanted.isdisjoint(modules)


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("--no-such-option", 2)])
def test_the_installed_program_starts_and_ends_as_this_one(argument: str, code: int) -> None:
    (entry,) = entry_points(group="console_scripts", name="parsec-cli")
    start = f"from {entry.module} import {entry.attr}; {entry.attr}()"

    ended = subprocess.run(
        [sys.executable, "-c", start, argument], capture_output=True, text=True, check=False
    )

    assert ended.returncode == code
    assert "parsec-cli" in ended.stdout + ended.stderr
