"""What a person sees and answers: the only module that prints or prompts.

Data goes to standard output, everything else to standard error, passwords come from the terminal
itself. Every line is made safe for terminals here, whoever wrote what is in it.

An *activity* takes a moment: a spinner while it lasts, `✔ text` when it is done; where standard
error is no terminal only the latter, so that logs hold each finished step once.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, TypeVar

T = TypeVar("T")

FORMATS = ("plain", "json")
COLORS = ("auto", "always", "never")
PROGRESS = ("quiet", "plain", "spinner")

_YELLOW, _GREEN, _RED = "\x1b[33m", "\x1b[92m", "\x1b[91m"
_DEFAULT = "\x1b[39m"
_ERASE = "\x1b[2K\r"
_CHECK_MARK = "✔"
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_FRAME_SECONDS = 0.08
_LONGEST_LINE = 8_000


class Painted(NamedTuple):
    """A part of a line in a colour."""

    text: str
    code: str


class Verbatim(str):
    """A part of a line that holds control characters of our own, such as a TAB between columns."""

    __slots__ = ()


TAB = Verbatim("\t")


def yellow(text: str) -> Painted:
    """For what is to be picked out: identifiers, codes, links."""
    return Painted(text, _YELLOW)


def green(text: str) -> Painted:
    """For what is well."""
    return Painted(text, _GREEN)


def red(text: str) -> Painted:
    """For what is not."""
    return Painted(text, _RED)


@dataclass
class Look:
    """How things are shown; the options that every command takes."""

    format: str = "plain"
    color: str = "auto"
    progress: str = "spinner"


class Console:
    """The streams of one command."""

    def __init__(self, look: Look | None = None) -> None:
        self.look = look or Look()
        self._activity: _Activity | None = None

    # --- Output ---

    @property
    def is_json(self) -> bool:
        """Whether data is shown as JSON."""
        return self.look.format == "json"

    def data(self, *parts: str | Painted) -> None:
        """A line of results, in the plain format."""
        self._line(sys.stdout, parts)

    def document(self, value: Any) -> None:
        """The whole result, in the JSON format."""
        self._line(sys.stdout, [Verbatim(_json_text(value, indent=2))])

    def event(self, **fields: Any) -> None:
        """One object of a conversation, alone on its line; nothing in the plain format."""
        if self.is_json:
            self._line(sys.stdout, [Verbatim(_json_text(fields))])

    def text(self, text: str) -> None:
        """A result of our own making, or of a server's that is not for a terminal, as it is."""
        with self._aside():
            _write(sys.stdout, text)

    def message(self, *parts: str | Painted) -> None:
        """A line for the person: a header, an explanation."""
        self._line(sys.stderr, parts)

    def warning(self, text: str) -> None:
        """Something to think about, that stops nothing."""
        self.message(Painted("Warning:", _YELLOW), f" {text}")

    def error(self, message: str, hint: str | None = None) -> None:
        """Why the command ends, and what to do now."""
        self.abandon()
        self.message(Painted("Error:", _RED), f" {message}")
        if hint:
            self.message(Painted("hint:", _YELLOW), f" {hint}")

    def usage_error(self, message: str, usage: str, command: str) -> None:
        """What is wrong with the command line itself."""
        self.abandon()
        self.message(Painted("error:", _RED), f" {message}")
        self.message()
        self.message(usage)
        self.message()
        self.message(f"For more information, try '{command} --help'.")

    def diagnosis(self, text: str) -> None:
        """Many lines for whoever looks for a bug."""
        self.abandon()
        _write(sys.stderr, text)

    # --- Activities ---

    def begin(self, text: str) -> None:
        """Something takes a moment from now on."""
        self.abandon()
        if self.look.progress == "spinner" and self._draws(sys.stderr):
            self._activity = _Activity(sys.stderr, text)
            self._activity.spin()

    def step(self, text: str) -> None:
        """Something is going on in which the person takes part."""
        self._end_activity()
        if self.look.progress != "quiet":
            self.message(f"... {text}")

    def done(self, text: str) -> None:
        """What took a moment is done."""
        self._end_activity()
        if self.look.progress != "quiet":
            self.message(Painted(_CHECK_MARK, _GREEN), f" {text}")

    def dismiss(self) -> None:
        """What took a moment is done, and other lines tell so."""
        self._end_activity()

    def abandon(self) -> None:
        """What took a moment did not come to its end; its line stays."""
        if self._activity is not None:
            self._activity.stop()
            self._activity = None
            _write(sys.stderr, "\n")

    def _end_activity(self) -> None:
        if self._activity is not None:
            self._activity.stop()
            self._activity = None
            _write(sys.stderr, _ERASE)

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Let something else have the line of the spinner meanwhile."""
        activity = self._activity
        if activity is None:
            yield
            return
        activity.stop()
        _write(sys.stderr, _ERASE)
        yield
        if self._activity is activity:
            activity.spin()

    # --- Questions ---

    def choose(self, prompt: str, items: Sequence[str], *, option: str) -> int:
        """The place of the item that the person chooses. Raises NoAnswer or Cancelled."""
        shown = [_safe(item) for item in items]
        with self._aside():
            if self._has_screen:
                from parsec.cli.choice import pick

                place = pick(prompt, shown, sys.stderr)
                _write(sys.stderr, f"{prompt}: {shown[place]}\n")
                return place
            _write(sys.stderr, f"{prompt}:\n")
            for number, item in enumerate(shown, 1):
                _write(sys.stderr, f"{number:>3}  {item}\n")
            place = self._ask("Number", lambda text: _place(text, shown), prompt, option)
            _write(sys.stderr, f"{prompt}: {shown[place]}\n")
            return place

    def confirm(self, prompt: str, *, option: str) -> bool:
        """Whether the person says yes. Raises NoAnswer."""
        with self._aside():
            if not self._has_screen:
                return self._ask(f"{prompt} [y/n]", _yes_or_no, prompt, option, separator=" ")
            import click

            _write(sys.stderr, f"{prompt} [y/n] ")
            try:
                while (key := click.getchar().lower()) not in ("y", "n"):
                    pass
            except EOFError:
                raise _cancelled() from None
            answer = key == "y"
            _write(sys.stderr, f"{_ERASE}{prompt} {'yes' if answer else 'no'}\n")
            return answer

    def ask(self, prompt: str, read: Callable[[str], T], *, option: str) -> T:
        """What `read` makes of a line; for a ValueError, its text is shown and the line asked again.

        Raises NoAnswer or Cancelled.
        """
        with self._aside():
            return self._ask(prompt, read, prompt.partition("\n")[0], option)

    def echo_answer(self, prompt: str, answer: str) -> None:
        """Show a question that was answered in another way than by asking."""
        self.message(f"{prompt}: {answer}")

    def password(self, prompt: str) -> str:
        """A password, typed unseen at the terminal. Raises NoAnswer."""
        import getpass

        with self._aside():
            if not _has_terminal():
                from parsec.cli.errors import NoAnswer

                raise NoAnswer(
                    "There is no terminal to ask for the password",
                    hint="give --password-stdin, --password-file or --password-command",
                )
            try:
                return getpass.getpass(prompt)
            except EOFError:
                _write(sys.stderr, "\n")
                raise _cancelled() from None
            except KeyboardInterrupt:
                _write(sys.stderr, "\n")
                raise

    def new_password(self, prompt: str) -> str:
        """A password that is typed twice. Raises NoAnswer."""
        while True:
            password = self.password(prompt)
            if self.password("Confirm password:") == password:
                return password
            self.message("Password mismatch")

    def read_line(self) -> str | None:
        """The next line of standard input, without its end; None when there is none."""
        stdin = sys.stdin
        if stdin is None:
            return None
        raw = stdin.buffer.readline()
        if not raw:
            return None
        try:
            return _without_end(raw.decode())
        except UnicodeDecodeError:
            from parsec.client.step import FlowError

            raise FlowError("What came from standard input is not UTF-8") from None

    def _ask(
        self,
        prompt: str,
        read: Callable[[str], T],
        question: str,
        option: str,
        *,
        separator: str = ": ",
    ) -> T:
        interactive = sys.stdin is not None and sys.stdin.isatty()
        while True:
            _write(sys.stderr, f"{prompt}{separator}")
            line = self.read_line()
            if line is None:
                _write(sys.stderr, "\n")
                raise _cancelled() if interactive else _no_answer(question, option)
            if not interactive:
                # Nobody sees what came through a pipe, and logs should show it.
                _write(sys.stderr, f"{_safe(line)}\n")
            try:
                return read(line)
            except ValueError as error:
                self._line(sys.stderr, [str(error)])

    # --- Streams ---

    @property
    def _has_screen(self) -> bool:
        """Whether a list can be drawn and keys be read one by one."""
        return sys.stdin is not None and sys.stdin.isatty() and self._draws(sys.stderr)

    @staticmethod
    def _draws(stream: IO[str]) -> bool:
        return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def _paints(self, stream: IO[str]) -> bool:
        if self.look.color != "auto":
            return self.look.color == "always"
        return self._draws(stream) and not os.environ.get("NO_COLOR")

    def _line(self, stream: IO[str], parts: Sequence[str | Painted]) -> None:
        paints = self._paints(stream)
        with self._aside():
            _write(stream, "".join(_shown(part, paints=paints) for part in parts) + "\n")


class _Activity:
    """A spinner and the thread that turns it."""

    def __init__(self, stream: IO[str], text: str) -> None:
        self._stream = stream
        # A line that wraps could not be drawn over.
        self._text = _safe(text)[: _columns(stream) - 3]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def spin(self) -> None:
        """Draw, and go on drawing."""
        self._stop.clear()
        self._draw(0)
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Draw no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _turn(self) -> None:
        turn = 1
        while not self._stop.wait(_FRAME_SECONDS):
            self._draw(turn)
            turn += 1

    def _draw(self, turn: int) -> None:
        try:
            _write(self._stream, f"\r{_FRAMES[turn % len(_FRAMES)]} {self._text}")
        except OSError:
            self._stop.set()


def _shown(part: str | Painted, *, paints: bool) -> str:
    if isinstance(part, Verbatim):
        return str(part)
    if isinstance(part, Painted):
        text = _safe(part.text)
        return f"{part.code}{text}{_DEFAULT}" if paints else text
    return "\n".join(map(_safe, part.split("\n"))) if isinstance(part, Lines) else _safe(part)


class Lines(str):
    """A part whose line ends are our own."""

    __slots__ = ()


def _safe(text: str) -> str:
    """The text with nothing in it that a terminal would obey; spaces around it stay."""
    if text.isascii() and text.isprintable():
        return text
    from parsec.data.peer_text import terminal_safe

    inner = text.strip(" ")
    if not inner:
        return text
    before, _, after = text.partition(inner)
    return f"{before}{terminal_safe(inner, limit=_LONGEST_LINE)}{after}"


def _json_text(value: Any, *, indent: int | None = None) -> str:
    import json

    # Outside ASCII, JSON has characters only within strings, where they may be escaped.
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\u{ord(character):04x}"
        for character in json.dumps(value, indent=indent, ensure_ascii=False)
    )


def _write(stream: IO[str], text: str) -> None:
    # The other stream first: on a terminal both are the same place.
    other = sys.stdout if stream is sys.stderr else sys.stderr
    other.flush()
    stream.write(text)
    stream.flush()


def _place(text: str, items: Sequence[str]) -> int:
    answer = text.strip()
    if answer in items:
        return items.index(answer)
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(items):
        return int(answer) - 1
    raise ValueError(f"Not a number from 1 to {len(items)}")


def _yes_or_no(text: str) -> bool:
    answers = {"y": True, "yes": True, "n": False, "no": False}
    try:
        return answers[text.strip().lower()]
    except KeyError:
        raise ValueError("Answer y or n") from None


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")


def _columns(stream: IO[str]) -> int:
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 10)
    except (OSError, ValueError):
        return 80


def _has_terminal() -> bool:
    if os.name == "nt":
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _no_answer(question: str, option: str) -> Exception:
    from parsec.cli.errors import NoAnswer

    return NoAnswer(f'There is no answer to "{question}"', hint=f"give {option}")


def _cancelled() -> Exception:
    from parsec.client.step import Cancelled

    return Cancelled("Cancelled")
