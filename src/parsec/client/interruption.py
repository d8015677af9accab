"""Lets Ctrl-C and the like break off a step of a flow, but not the flow itself.

Python raises what a signal handler raises wherever it happens to be. In the midst of a flow that
may be just where nothing catches it, and what the flow began would not be cancelled. So a signal
that arrives there waits for the next step. A second one does not wait: a flow that computes for
ever must be ended somehow.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

A = TypeVar("A")
T = TypeVar("T")

_SIGNALS = [
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
]


class Interruptions:
    """Holds back signals for as long as it is entered, but for the time of a step.

    Those of which somebody in Python takes care: others end the process as they always do. Only
    the main thread gets signals; in another one this changes nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._in_step = False
        self._waiting: int | None = None

    def step(self, carry_out: Callable[[A], T], step: A) -> T:
        """Carry out a step. Raises what the handler of a signal raises that came before it."""
        self._in_step = True
        try:
            self._deliver()
            return carry_out(step)
        finally:
            self._in_step = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._deliver()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._in_step or self._waiting is not None:
            self._waiting = None
            self._handlers[number](number, frame)
        else:
            self._waiting = number

    def _deliver(self) -> None:
        number, self._waiting = self._waiting, None
        if number is not None:
            self._handlers[number](number, None)
