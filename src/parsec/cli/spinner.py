"""The sign that something is going on, turned by a thread of its own."""

import threading
from collections.abc import Callable

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SECONDS = 0.08


class Spinner:
    """A line that is drawn over and over, until it is stopped; it may turn again after that."""

    def __init__(self, write: Callable[[str], None], text: str) -> None:
        """`text` has to fit on a line of the terminal, with two columns to spare."""
        self._write = write
        self._text = text
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Draw, and go on drawing."""
        self._stopped.clear()
        self._draw(0)
        self._thread = threading.Thread(target=self._turn, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Draw no more; the line stays."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _turn(self) -> None:
        turn = 1
        while not self._stopped.wait(_SECONDS):
            try:
                self._draw(turn)
            except OSError:
                return  # the terminal is gone: whoever writes next learns it
            turn += 1

    def _draw(self, turn: int) -> None:
        self._write(f"\r{_FRAMES[turn % len(_FRAMES)]} {self._text}")
