"""What a person sees and answers: the only module that prints or prompts.

Data goes to standard output, everything else to standard error, questions to the terminal where
there is one. Every line is made safe for terminals here, whoever wrote what is in it.

An *activity* takes a moment: a spinner while it lasts, `✔ text` when it is done; where standard
error is no terminal only the latter, so that logs hold each finished step once.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from parsec.cli.parts import Painted, Verbatim, fitting, green, json_text, line, red, safe, yellow

if TYPE_CHECKING:
    from parsec.cli.spinner import Spinner

T = TypeVar("T")

FORMATS = ("plain", "json")
COLORS = ("auto", "always", "never")
PROGRESS = ("quiet", "plain", "spinner")

_ERASE = "\x1b[2K\r"
_CHECK_MARK = "✔"


class Look:
    """How things are shown; the options that every command takes."""

    def __init__(
        self,
        format: str = "plain",  # noqa: A002
        color: str = "auto",
        progress: str = "spinner",
    ) -> None:
        self.format = format
        self.color = color
        self.progress = progress


class Console:
    """The streams of one command."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self._spinner: Spinner | None = None

    # --- Output ---

    @property
    def is_json(self) -> bool:
        """Whether data is shown as JSON."""
        return self.look.format == "json"

    def data(self, *parts: str | Painted) -> None:
        """A line of results."""
        self._line(sys.stdout, parts)

    def document(self, value: Any, *, sort_keys: bool = False) -> None:
        """The whole result as JSON."""
        self.data(Verbatim(json_text(value, indent=2, sort_keys=sort_keys)))

    def csv_line(self, text: str) -> None:
        """A line of results as CSV, which ends its lines like RFC 4180."""
        self.data(text, Verbatim("\r"))

    def event(self, value: Any) -> None:
        """One object of a conversation as JSON, alone on its line."""
        self.data(Verbatim(json_text(value)))

    def message(self, *parts: str | Painted) -> None:
        """A line for the person: a header, an explanation."""
        self._line(sys.stderr, parts)

    def warning(self, text: str) -> None:
        """Something to think about, that stops nothing."""
        self.message(yellow("Warning:"), f" {text}")

    def error(self, message: str, hint: str | None = None) -> None:
        """Why the command ends, and what to do now."""
        self.abandon()
        self.message(red("Error:"), f" {message}")
        if hint:
            self.message(yellow("hint:"), f" {hint}")

    def usage_error(self, message: str, usage: str, command: str) -> None:
        """What is wrong with the command line itself."""
        self.abandon()
        for text in message.splitlines():
            self.message(red("error:"), f" {text}")
        self.own_text(f"\n{usage}\n\nFor more information, try '{command} --help'.\n", error=True)

    def own_text(self, text: str, *, error: bool = False) -> None:
        """Many lines of our own making: help, a traceback."""
        self.abandon()
        self._write(sys.stderr if error else sys.stdout, text)

    def picture(self, draw: Callable[[bool], Sequence[str]]) -> None:
        """Lines of our own, drawn where a person sees them, if anywhere.

        `draw` is told whether there are colours.
        """
        stream = next((each for each in (sys.stdout, sys.stderr) if _draws(each)), None)
        if stream is not None:
            self._line(stream, [Verbatim("\n".join(draw(self._paints(stream))))])

    # --- Activities ---

    def begin(self, text: str, *, long: bool = False) -> None:
        """Something takes a moment from now on, or so long that it is told in any case."""
        self.abandon()
        if self.look.progress == "spinner" and _draws(sys.stderr):
            from parsec.cli.spinner import Spinner

            # A line that wraps could not be drawn over.
            short = fitting(safe(text), _columns(sys.stderr) - 3)
            self._spinner = Spinner(lambda drawn: self._write(sys.stderr, drawn), short)
            self._spinner.start()
        elif long and self.look.progress != "quiet":
            self.message(text)

    def step(self, text: str) -> None:
        """Something is going on in which the person takes part."""
        self.dismiss()
        if self.look.progress != "quiet":
            self.message(f"... {text}")

    def done(self, text: str) -> None:
        """What took a moment is done."""
        self.dismiss()
        if self.look.progress != "quiet":
            self.message(green(_CHECK_MARK), f" {text}")

    def dismiss(self) -> None:
        """What took a moment is done, and other lines tell so."""
        self._stop(_ERASE)

    def abandon(self) -> None:
        """What took a moment did not come to its end; its line stays."""
        self._stop("\n")

    def _stop(self, then: str) -> "Spinner | None":
        spinner, self._spinner = self._spinner, None
        if spinner is not None:
            spinner.stop()
            self._write(sys.stderr, then)
        return spinner

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Let something else have the line of the spinner meanwhile."""
        spinner = self._stop(_ERASE)
        yield
        if spinner is not None:
            self._spinner = spinner
            spinner.start()

    # --- Questions ---

    def choose(self, prompt: str, items: Sequence[str], *, option: str) -> int:
        """The place of the item that the person chooses. Raises NoAnswer or Cancelled."""
        shown = [safe(item) for item in items]
        with self._aside(), _questions() as stream:
            if _has_screen(stream):
                from parsec.cli.choice import pick

                place = pick(prompt, shown, stream)
            else:
                place = self._choose_by_number(stream, prompt, shown, option)
            self._write(stream, f"{prompt}: {shown[place]}\n")
        return place

    def confirm(self, prompt: str, *, option: str) -> bool:
        """Whether the person says yes. Raises NoAnswer or Cancelled."""
        with self._aside(), _questions() as stream:
            if not _has_screen(stream):
                return self._ask(stream, f"{prompt} [y/n] ", _yes_or_no, prompt, option)
            with _keys() as read_key:
                self._write(stream, f"{prompt} [y/n] ")
                while (key := read_key().lower()) not in ("y", "n"):
                    pass
            answer = key == "y"
            self._write(stream, f"{_ERASE}{prompt} {'yes' if answer else 'no'}\n")
            return answer

    def ask(self, prompt: str, read: Callable[[str], T], *, option: str, shown: bool = True) -> T:
        """What `read` makes of a line; after a ValueError, whose text is shown, of another one.

        Raises NoAnswer or Cancelled.
        """
        question = prompt.partition("\n")[0]
        with self._aside(), _questions() as stream:
            return self._ask(stream, f"{prompt}: ", read, question, option, shown=shown)

    def password(self, prompt: str, *, option: str) -> str:
        """A password, typed unseen at the terminal. Raises NoAnswer or Cancelled."""
        import getpass

        with self._aside():
            if not _has_terminal():
                raise _no_answer(prompt.rstrip(":"), option)
            try:
                return getpass.getpass(prompt)
            except (EOFError, KeyboardInterrupt) as interruption:
                self._write(sys.stderr, "\n")
                if isinstance(interruption, EOFError):
                    raise _cancelled() from None
                raise

    def new_password(self, prompt: str, *, option: str) -> str:
        """A password that is typed twice. Raises NoAnswer or Cancelled."""
        while True:
            password = self.password(prompt, option=option)
            if self.password("Confirm password:", option=option) == password:
                return password
            self.message("Password mismatch")

    def read_line(self) -> str | None:
        """The next line of standard input, without its end; None when there is none.

        Raises FlowError when it is not UTF-8.
        """
        raw = b"" if sys.stdin is None else sys.stdin.buffer.readline()
        if not raw:
            return None
        try:
            return raw.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            from parsec.client.failure import FlowError

            raise FlowError("What came from standard input is not UTF-8") from None

    def _choose_by_number(
        self, stream: TextIO, prompt: str, shown: Sequence[str], option: str
    ) -> int:
        self._write(stream, f"{prompt}:\n")
        for number, item in enumerate(shown, 1):
            self._write(stream, f"{number:>3}  {item}\n")
        return self._ask(stream, "Number: ", lambda text: _place(text, shown), prompt, option)

    def _ask(
        self,
        stream: TextIO,
        prompt: str,
        read: Callable[[str], T],
        question: str,
        option: str,
        *,
        shown: bool = True,
    ) -> T:
        typed = _is_terminal(sys.stdin)
        while True:
            self._write(stream, prompt)
            answer = self.read_line()
            if answer is None:
                self._write(stream, "\n")
                raise _cancelled() if typed else _no_answer(question, option)
            if not typed:
                # What comes through a pipe is seen nowhere else, and logs should show it.
                self._write(stream, f"{safe(answer) if shown else ''}\n")
            try:
                return read(answer)
            except ValueError as error:
                self._line(stream, [str(error)])

    # --- Streams ---

    def _line(self, stream: TextIO, parts: Sequence[str | Painted]) -> None:
        text = line(parts, paints=self._paints(stream))
        with self._aside():
            self._write(stream, text)

    def _paints(self, stream: TextIO) -> bool:
        if self.look.color != "auto":
            return self.look.color == "always"
        return _draws(stream) and not os.environ.get("NO_COLOR")

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        # The other stream first: on a terminal both are the same place.
        (sys.stdout if stream is not sys.stdout else sys.stderr).flush()
        stream.write(text)
        stream.flush()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _draws(stream: TextIO) -> bool:
    # Windows knows no such variable.
    return stream.isatty() and (os.name == "nt" or os.environ.get("TERM", "dumb") != "dumb")


def _has_screen(stream: TextIO) -> bool:
    """Whether a list can be drawn and keys be read one by one."""
    return _is_terminal(sys.stdin) and _draws(stream)


@contextmanager
def _questions() -> Iterator[TextIO]:
    """Where questions are shown: where whoever types the answers sees them."""
    if _is_terminal(sys.stdin) and not sys.stderr.isatty() and _has_terminal():
        with open("/dev/tty", "w", encoding="utf-8") as terminal:  # noqa: PTH123  # no path
            yield terminal
    else:
        yield sys.stderr


def _has_terminal() -> bool:
    if os.name == "nt":
        return _is_terminal(sys.stdin)
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _columns(stream: TextIO) -> int:
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 10)
    except (OSError, ValueError):
        return 80


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


@contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """Read single keys of the terminal, which shows none of them meanwhile."""
    if os.name == "nt":
        import click

        yield click.getchar
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    # Without throwing away what was typed ahead.
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield lambda: _key(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _key(terminal: int) -> str:
    key = os.read(terminal, 1)
    if key in (b"", b"\x04"):
        raise _cancelled()
    return key.decode("ascii", "replace")


def _no_answer(question: str, option: str) -> Exception:
    from parsec.cli.errors import NoAnswer

    return NoAnswer(f'There is no answer to "{question}"', hint=f"give {option}")


def _cancelled() -> Exception:
    from parsec.client.failure import Cancelled

    return Cancelled("Cancelled")
