"""A list to choose from, drawn on the terminal: arrows move, typing filters, Enter chooses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from prompt_toolkit.application import Application
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from prompt_toolkit.output import Output, create_output

from parsec.client.failure import Cancelled


@dataclass
class Selection:
    """What is typed, and which of the items that match it is the current one."""

    items: Sequence[str]
    typed: str = ""
    row: int = 0

    @property
    def matches(self) -> list[int]:
        """The places of the items that hold what is typed, letter after letter."""
        return [place for place, item in enumerate(self.items) if _holds(item, self.typed)]

    @property
    def chosen(self) -> int | None:
        """The place of the current item."""
        matches = self.matches
        return matches[self.row] if matches else None

    def move(self, rows: int) -> None:
        """To another item, from the last on to the first."""
        matches = self.matches
        self.row = (self.row + rows) % len(matches) if matches else 0

    def type(self, text: str) -> None:
        """Filter by more."""
        self.typed += text
        self.row = 0

    def erase(self) -> None:
        """Filter by less."""
        self.typed = self.typed[:-1]
        self.row = 0

    def lines(self, height: int) -> Iterator[str]:
        """The items that match, as many as fit, the current one among them."""
        matches = self.matches
        first = min(max(0, self.row - height + 1), max(0, len(matches) - height))
        for row, place in enumerate(matches[first : first + height], first):
            yield f"{'>' if row == self.row else ' '} {self.items[place]}"


def pick(prompt: str, items: Sequence[str], stream: TextIO) -> int:
    """The place of the item that the person chooses. Raises Cancelled or KeyboardInterrupt."""
    selection = Selection(items)
    output = _output(stream)

    def draw() -> StyleAndTextTuples:
        lines = selection.lines(max(1, output.get_size().rows - 1))
        return [
            ("", f"{prompt}: {selection.typed}"),
            ("[SetCursorPosition]", ""),
            ("", "".join(f"\n{line}" for line in lines)),
        ]

    application: Application[int] = Application(
        layout=Layout(Window(FormattedTextControl(draw, focusable=True), wrap_lines=False)),
        key_bindings=_keys(selection),
        output=output,
        erase_when_done=True,
    )
    return application.run()


def _keys(selection: Selection) -> KeyBindings:
    keys = KeyBindings()

    @keys.add("up")
    @keys.add("c-p")
    @keys.add("s-tab")
    def _(_: KeyPressEvent) -> None:
        selection.move(-1)

    @keys.add("down")
    @keys.add("c-n")
    @keys.add("tab")
    def _(_: KeyPressEvent) -> None:
        selection.move(1)

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        if selection.chosen is not None:
            event.app.exit(result=selection.chosen)

    @keys.add("backspace")
    def _(_: KeyPressEvent) -> None:
        selection.erase()

    @keys.add(Keys.Any)
    def _(event: KeyPressEvent) -> None:
        if event.data.isprintable():
            selection.type(event.data)

    @keys.add("c-c")
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=KeyboardInterrupt)

    @keys.add("c-d")
    def _(event: KeyPressEvent) -> None:
        event.app.exit(exception=Cancelled("Cancelled"))

    return keys


def _output(stream: TextIO) -> Output:
    output = create_output(stream)
    # Terminals that do not tell where the cursor is would be asked, waited for and complained of.
    if hasattr(output, "enable_cpr"):
        output.enable_cpr = False
    return output


def _holds(item: str, typed: str) -> bool:
    letters = iter(item.lower())
    return all(letter in letters for letter in typed.lower())
