"""Help, versions, general options and wrong usage, at every level."""

import json

import click
import pytest

from parsec import __version__
from parsec.cli.command import Group, _spread
from parsec.cli.main import root
from tests.support.shell import Shell

Path = tuple[str, ...]


def _commands(group: Group = root, path: Path = ()) -> list[tuple[Path, click.Command]]:
    ctx = click.Context(group)
    found: list[tuple[Path, click.Command]] = [(path, group)]
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        if isinstance(command, Group):
            found += _commands(command, (*path, name))
        else:
            found.append(((*path, name), command))
    return found


COMMANDS = _commands()
IDS = [" ".join(path) or "parsec-cli" for path, _ in COMMANDS]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_command_has_help_in_two_lengths(
    shell: Shell, path: Path, command: click.Command
) -> None:
    short, long = shell.run(*path, "-h"), shell.run(*path, "--help")

    assert (short.code, short.err, long.code, long.err) == (0, "", 0, "")
    assert command.help
    assert command.help.partition("\n")[0].split()[0] in short.out
    assert len(short.out) <= len(long.out)


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=IDS)
def test_every_option_has_help(path: Path, command: click.Command) -> None:
    options = [
        parameter
        for parameter in command.get_params(click.Context(command))
        if isinstance(parameter, click.Option)
    ]

    assert all(option.help for option in options)


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS if path[-1:] != ("help",)])
def test_the_command_help_shows_the_same(shell: Shell, path: Path) -> None:
    asked = shell.run("help", *path)

    assert asked == shell.run(*path, "--help")


def test_each_group_has_the_command_help(shell: Shell) -> None:
    assert shell.run("invite", "help", "greet").out == shell.run("invite", "greet", "--help").out


def test_the_list_of_groups_tells_their_first_line() -> None:
    ctx = click.Context(root)

    for name, (_, text) in root.modules.items():
        group = root.get_command(ctx, name)
        assert group is not None
        assert (group.help or "").partition("\n")[0] == text


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_told_at_the_root(shell: Shell, option: str) -> None:
    assert shell.run(option).out == f"parsec-cli {__version__}\n"


@pytest.mark.parametrize("path", [(), ("invite",), ("shared-recovery",)])
def test_a_group_alone_shows_its_help_and_is_wrong_usage(shell: Shell, path: Path) -> None:
    alone = shell.run(*path)

    assert (alone.code, alone.out) == (2, "")
    assert alone.err == shell.run(*path, "--help").out


def test_wrong_usage_is_told_in_the_official_form(shell: Shell) -> None:
    wrong = shell.run("device", "list", "--frobnicate")

    assert (wrong.code, wrong.out) == (2, "")
    first, *rest = wrong.err.split("\n")
    assert first.startswith("error: No such option")
    assert rest == [
        "",
        "Usage: parsec-cli device list [OPTIONS]",
        "",
        "For more information, try 'parsec-cli device list --help'.",
        "",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("devise",), "There is no command 'devise'. Did you mean device"),
        (("device", "lst"), "There is no command 'lst'. Did you mean list"),
        (("help", "invite", "dance"), "There is no command 'dance'"),
        (("device", "list", "--conf", "x"), "No such option"),
        (("--format", "xml", "device", "list"), "'xml' is not one of"),
        (("user", "revoke"), "Missing argument 'EMAIL'"),
        (("organization", "stats", "-a", "parsec3://h", "-t", "x"), "Missing option '-o'"),
        (("server", "stats", "-t", "x"), "(or the variable PARSEC_SERVER_ADDR)."),
    ],
)
def test_what_is_wrong_is_named(shell: Shell, words: Path, told: str) -> None:
    wrong = shell.run(*words)

    assert wrong.code == 2
    assert told in wrong.err


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "json", "device", "list"),
        ("device", "--format", "json", "list"),
        ("device", "list", "--format", "json"),
        ("device", "list", "--format=json"),
        ("--format", "plain", "device", "list", "--format", "json"),
    ],
)
def test_general_options_stand_anywhere_and_the_last_one_counts(shell: Shell, words: Path) -> None:
    assert json.loads(shell.run(*words).out) == []


def test_a_variable_gives_a_general_option(shell: Shell) -> None:
    assert shell.run("device", "list", PARSEC_FORMAT="json").out == "[]\n"


def test_an_option_counts_before_its_variable(shell: Shell) -> None:
    listed = shell.run("--format", "plain", "device", "list", PARSEC_FORMAT="json")

    assert listed.out == ""


def test_a_wrong_variable_is_wrong_usage(shell: Shell) -> None:
    wrong = shell.run("device", "list", PARSEC_COLOR="maybe")

    assert wrong.code == 2
    assert "PARSEC_COLOR is 'maybe'" in wrong.err


def test_help_shows_variables_but_no_secret(shell: Shell) -> None:
    shown = shell.run(
        "organization", "create", "--help",
        PARSEC_SERVER_ADDR="parsec3://h", PARSEC_ADMINISTRATION_TOKEN="s3cr3t",
    ).out  # fmt: skip

    words = " ".join(shown.split())
    assert "[env: PARSEC_SERVER_ADDR=parsec3://h]" in words
    assert "[env: PARSEC_ADMINISTRATION_TOKEN]" in words
    assert "s3cr3t" not in shown


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        ("-r a b c", "-r a -r b -r c"),
        ("--recipients a b --threshold 2", "--recipients a --recipients b --threshold 2"),
        ("-ra b", "-ra -r b"),
        ("--recipients=a b", "--recipients=a --recipients b"),
        ("-r a -w 1 2 -r b", "-r a -w 1 -w 2 -r b"),
        ("-t 2 x -r a", "-t 2 x -r a"),
        ("-r a -- b c", "-r a -- b c"),
        ("-r - a", "-r - -r a"),
    ],
)
def test_an_option_may_take_several_values_at_once(words: str, spread: str) -> None:
    assert _spread(words.split(), ("-r", "--recipients", "-w")) == spread.split()
