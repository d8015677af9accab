"""How commands are declared: click's classes with help, general options and several values.

Every command takes the general options (`--format`, …) wherever they stand, `-h` for short and
`--help` for long help, and each group has a command `help`. Groups load their commands when they
are used, so that `parsec-cli --help` does not wait for what it does not need.
"""

import inspect
import os
from collections.abc import Mapping, Sequence
from gettext import gettext as _
from typing import Any

import click

from parsec.cli.console import COLORS, FORMATS, PROGRESS, Console
from parsec.cli.loading import loaded

PROGRAM = "parsec-cli"
GENERAL_VARIABLES = {
    "format": "PARSEC_FORMAT",
    "color": "PARSEC_COLOR",
    "progress": "PARSEC_PROGRESS",
}


class Option(click.Option):
    """An option whose help ends in `[env: NAME=value]` and `[default: …]`."""

    def __init__(
        self,
        *args: Any,
        secret: bool = False,
        shown_default: str | None = None,
        shown_env: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.secret = secret
        self.shown_default = shown_default
        self.shown_env = shown_env or (self.envvar if isinstance(self.envvar, str) else None)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The option's two columns in the list of options."""
        record = super().get_help_record(ctx)
        if record is None:
            return None
        notes = []
        if self.shown_env:
            value = "" if self.secret else os.environ.get(self.shown_env, "")
            notes.append(f"[env: {self.shown_env}{'' if self.secret else f'={value}'}]")
        if self.shown_default:
            notes.append(f"[default: {self.shown_default}]")
        return record[0], "  ".join([record[1], *notes]).strip()


class Command(click.Command):
    """A command with the general options."""

    def __init__(self, *args: Any, several: Sequence[str] = (), **kwargs: Any) -> None:
        """`several`: the spellings of options that take several values after one occurrence."""
        super().__init__(*args, **_tidied(kwargs))
        self.several = several

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _spread(args, self.several))

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_general_options(self.params)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_options(self, ctx, formatter)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_help_text(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not _is_short(ctx):
            super().format_epilog(ctx, formatter)


class Group(click.Group):
    """A group of commands, some of them in modules that are loaded when they are used."""

    command_class = Command

    def __init__(
        self, *args: Any, modules: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        """`modules`: by name, what holds a group or a command, and its one line of help."""
        super().__init__(*args, **_tidied(kwargs))
        self.modules = modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's
        return [*self.modules, *self.commands, "help"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.modules:
            module = loaded(self.modules[cmd_name][0])
            found = module.command if hasattr(module, "command") else module.group
            assert isinstance(found, Command | Group)
            return found
        if cmd_name == "help":
            return _help_command(self)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(self._unknown(ctx, args[0]), ctx)
        return super().resolve_command(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_general_options(self.params)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        _format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            if name in self.modules:
                rows.append((name, self.modules[name][1]))
            elif command := self.get_command(ctx, name):
                rows.append((name, command.get_short_help_str(limit=200)))
        with formatter.section(_("Commands")):
            formatter.write_dl(rows)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _format_help_text(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not _is_short(ctx):
            super().format_epilog(ctx, formatter)

    def _unknown(self, ctx: click.Context, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, self.list_commands(ctx))
        advice = f" Did you mean {' or '.join(close)}?" if close else ""
        return f"There is no command '{name}'.{advice}"


def console_of(ctx: click.Context) -> Console:
    """The console of a running command."""
    console = ctx.find_root().obj
    assert isinstance(console, Console)
    return console


def _help_command(group: Group) -> Command:
    def show(words: tuple[str, ...]) -> None:
        ctx = click.get_current_context()
        parent = ctx.parent
        assert parent is not None
        command: click.Command = group
        shown = parent
        for word in words:
            found = command.get_command(shown, word) if isinstance(command, Group) else None
            if found is None:
                raise click.UsageError(f"There is no command '{word}'.", shown)
            shown = click.Context(found, parent=shown, info_name=word)
            command = found
        console_of(ctx).own_text(f"{command.get_help(shown)}\n")

    return Command(
        "help",
        params=[click.Argument(["words"], nargs=-1, metavar="[COMMAND]...")],
        callback=show,
        help="Show the help of a command.",
    )


# --- What all commands share ---


def _general_options(own: Sequence[click.Parameter]) -> list[click.Parameter]:
    """The general options, less those of which the command has its own."""
    taken = {opt for parameter in own for opt in parameter.opts}
    return [option for option in _GENERAL if taken.isdisjoint(option.opts)]


def _set_look(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None and option.name is not None:
        setattr(console_of(ctx).look, option.name, value)


def _show_help(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        ctx.meta[_SHORT] = "-h" in option.opts
        console_of(ctx).own_text(f"{ctx.get_help()}\n")
        ctx.exit()


_SHORT = "parsec.cli.short_help"


def _is_short(ctx: click.Context) -> bool:
    return bool(ctx.meta.get(_SHORT))


def _look_option(name: str, choices: Sequence[str], text: str, default: str) -> Option:
    return Option(
        [f"--{name}"],
        type=click.Choice(choices),
        expose_value=False,
        is_eager=True,
        callback=_set_look,
        help=text,
        shown_env=GENERAL_VARIABLES[name],
        shown_default=default,
    )


_GENERAL: list[click.Option] = [
    _look_option("format", FORMATS, "How data is written to standard output.", "plain"),
    _look_option("color", COLORS, "Whether colours are used.", "auto"),
    _look_option(
        "progress",
        PROGRESS,
        "How it is shown what goes on.",
        "spinner on a terminal, else plain",
    ),
    *(
        Option(
            [spelling],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_show_help,
            help=text,
        )
        for spelling, text in (
            ("-h", "Show the most important about this command."),
            ("--help", "Show all about this command."),
        )
    ),
]


def _tidied(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a command, its texts without the indentation of the source."""
    texts = {name: settings[name] for name in ("help", "epilog") if settings.get(name)}
    tidied = {name: inspect.cleandoc(text) for name, text in texts.items()}
    return {**settings, **tidied, "add_help_option": False}


def _format_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    own: list[tuple[str, str]] = []
    general: list[tuple[str, str]] = []
    for parameter in command.get_params(ctx):
        # Arguments are explained in the text above.
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is not None:
            (general if parameter in _GENERAL else own).append(record)
    if own:
        with formatter.section(_("Options")):
            formatter.write_dl(own)
    with formatter.section(_("General options")):
        formatter.write_dl(general)


def _format_help_text(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    text = command.help or ""
    if _is_short(ctx):
        text = text.partition("\n\n")[0]
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


def _spread(words: Sequence[str], several: Sequence[str]) -> list[str]:
    """Repeat an option before each further value: `-r a b` becomes `-r a -r b`."""
    spread: list[str] = []
    current: str | None = None
    awaits_value = False
    for place, word in enumerate(words):
        if word == "--":
            return [*spread, *words[place:]]
        if word.startswith("-") and len(word) > 1:
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            current = name if name in several else None
            awaits_value = current == word
            spread.append(word)
        elif current is None or awaits_value:
            awaits_value = False
            spread.append(word)
        else:
            spread += [current, word]
    return spread
