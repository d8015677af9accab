"""Every command, option, variable and exit code is documented."""

import re
from pathlib import Path

import click
import pytest

from parsec.cli import errors
from parsec.cli.command import GENERAL_VARIABLES, Group, Option
from parsec.cli.main import root
from parsec.cli.passwords import VARIABLE
from parsec.server.command.failure import Failure
from parsec.server.command.main import EXTRA_ARGUMENTS, parsec

DOCS = Path(__file__).parent.parent / "docs"
CLI = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")

# --- The command line ---

_HEADING = re.compile(r"^#{1,3} ", re.MULTILINE)
_OPENING = ("Passwords", "One-time codes", "Smartcards and single sign-on", "Protecting a device")


def _commands(group: Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, Group):
            found |= _commands(command, (*path, name))
        elif name != "help":
            found[" ".join((*path, name))] = command
    return found


COMMANDS = _commands(root)


def _section(title: str) -> str:
    """The text under a heading; headings of nothing share the text of the next one."""
    at = re.search(rf"^#+ `?{re.escape(title)}\b[^\n]*\n", CLI, re.MULTILINE)
    assert at, f"docs/cli.md lacks a section for {title}"
    rest = CLI[at.end() :].lstrip("\n")
    while rest.startswith("#"):
        rest = rest.partition("\n")[2].lstrip("\n")
    return _HEADING.split(rest, maxsplit=1)[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_documented(name: str) -> None:
    command = COMMANDS[name]
    shared = [_section(title) for title in ("General options", *_OPENING)]
    if name != "invite claim":
        shared.append(_section("Devices"))
    told = "".join([_section(name), *shared])

    missing = [
        spelling
        for parameter in command.get_params(click.Context(command))
        if isinstance(parameter, click.Option)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if not re.search(rf"(?<![\w-]){re.escape(spelling)}(?![\w-])", told)
    ]

    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_is_in_its_heading(name: str) -> None:
    arguments = [p for p in COMMANDS[name].params if isinstance(p, click.Argument)]

    heading = " ".join([name, *(argument.make_metavar(_ctx(name)) for argument in arguments)])

    assert f"\n### `{heading}`\n" in CLI


def _ctx(name: str) -> click.Context:
    return click.Context(COMMANDS[name])


def test_every_documented_command_exists() -> None:
    headings = re.findall(r"^### `([a-z][a-z -]*[a-z])[^`]*`$", CLI, re.MULTILINE)

    assert {" ".join(heading.split()) for heading in headings} == set(COMMANDS)


def test_every_variable_of_an_option_is_documented() -> None:
    options = [
        parameter
        for command in COMMANDS.values()
        for parameter in command.get_params(click.Context(command))
        if isinstance(parameter, Option)
    ]
    variables = {option.shown_env for option in options if option.shown_env}

    assert {*GENERAL_VARIABLES.values(), VARIABLE} <= variables
    assert [name for name in variables if f"`{name}`" not in CLI] == []


def test_every_exit_code_is_documented() -> None:
    documented = {
        int(code) for code in re.findall(r"^\| ([0-9]+) \|", _section("Exit codes"), re.MULTILINE)
    }
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}

    assert documented == codes | {0}


def test_every_event_of_a_conversation_is_documented() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", _section("JSON"), re.MULTILINE))
    sources = Path(errors.__file__).parent.glob("*.py")

    written = {
        kind
        for source in sources
        for kind in re.findall(r'(?:_event\(\s*|"event": )"(\w+)"', source.read_text("utf-8"))
    }

    assert told - {"event"} == written


# --- The server ---

OPERATE = "".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("operate*.md")))

SERVER_OPTIONS = {
    f"{name} {option.opts[0]}": option
    for name, command in parsec.commands.items()
    for option in command.params
    if isinstance(option, click.Option)
}


def _row(option: click.Option) -> str:
    """The line of the table for an option, which begins with its spellings."""
    spellings = ", ".join(f"`{spelling}`" for spelling in option.opts)
    row = re.search(rf"^\| {re.escape(spellings)}(?: ↻)? \|.*$", OPERATE, re.MULTILINE)
    assert row, f"docs/operate*.md lack a row for {spellings}"
    return row[0]


@pytest.mark.parametrize("name", SERVER_OPTIONS)
def test_every_option_of_the_server_is_documented_with_its_variable(name: str) -> None:
    option = SERVER_OPTIONS[name]

    row = _row(option)

    assert option.envvar is None or f"| `{option.envvar}` |" in row
    assert option.multiple is ("↻" in row)


def test_every_command_of_the_server_is_documented() -> None:
    section = OPERATE.partition("\n## Commands\n")[2].partition("\n## ")[0]

    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(parsec.commands)


def test_every_documented_variable_of_the_server_is_one() -> None:
    variables = {option.envvar for option in SERVER_OPTIONS.values()} | {EXTRA_ARGUMENTS}

    assert set(re.findall(r"`(PARSEC_[A-Z0-9_]+)`", OPERATE)) == variables - {None}


def test_every_exit_code_of_the_server_is_documented() -> None:
    documented = re.findall(r"^\| ([0-9]+) \|", OPERATE, re.MULTILINE)

    codes = {Failure.exit_code, click.UsageError.exit_code, 0}
    assert {int(code) for code in documented} == codes


# --- What pages tell people to type ---

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
TYPED = [
    pytest.param(line, id=f"{page.stem}: {line}")
    for page in PAGES
    for line in re.findall(
        r"^ {4,}(?:\$ )?((?:parsec-cli|python -m parsec) [a-z].*(?:\\\n.*)*)",
        page.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
]


@pytest.mark.parametrize("line", TYPED)
def test_what_people_are_told_to_type_exists(line: str) -> None:
    typed = re.sub(r"\s#.*", "", line).replace("\\\n", " ").split("|")[0]
    of_server = typed.startswith("python")
    words = typed.split()[3 if of_server else 1 :]
    command: click.Command = parsec if of_server else root

    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found

    known = {
        spelling
        for parameter in command.get_params(click.Context(command))
        for spelling in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word.partition("=")[0] for word in words if re.match("-+[a-z]", word)} <= known


def test_pages_tell_what_to_type() -> None:
    assert len(TYPED) > 30


# --- Links ---


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^()\s]+)\)", page.read_text(encoding="utf-8"))

    for link in links:
        name, _, anchor = link.partition("#")
        if ":" in name:
            continue  # elsewhere in the world
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


# --- Security ---

SHOWN = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "SECURITY.md").read_text("utf-8"))


@pytest.mark.parametrize(("file", "name"), SHOWN)
def test_what_security_promises_is_shown_by_a_test_that_exists(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")

    assert re.search(rf"^(async )?def {name or 'test_'}", source, re.MULTILINE)


def test_security_names_tests() -> None:
    assert len(SHOWN) > 20
