"""Lets Ctrl-C and the like break off a step of a flow, but not the flow itself.

Python raises what a signal handler raises wherever it happens to be. In the midst of a flow that
may be just where nothing catches it, and what the flow began would not be cancelled. So a signal
that arrives there waits for the next step. A second one does not wait: a flow that computes for
ever must be ended somehow.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
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

    Those for which there is a handler in Python: others do what they always do. Only the main
    thread handles signals; in another one this changes nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._is_open = True
        """Whether signals are handed on; also where our handlers come before or outlive us."""
        self._waiting: int | None = None

    def step(self, carry_out: Callable[[A], T], step: A) -> T:
        """Carry out a step. If a signal is waiting, its handler is called first.

        Raises what the step raises, or the handler of a signal that breaks it off.
        """
        # What a handler raises in a finalizer is dropped by Python, and still waits after the step.
        self._is_open = True
        try:
            self._deliver()
            result = carry_out(step)
        except Exception:
            self._deliver()
            raise
        except BaseException:
            self._waiting = None  # it has arrived
            raise
        else:
            self._deliver()
            return result
        finally:
            self._is_open = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        self._is_open = False
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = True
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._deliver()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._is_open and self._waiting is None:
            self._waiting = number
            return
        waiting, self._waiting = self._waiting, number if self._is_open else None
        self._handlers[number](number, frame)
        self._waiting = waiting

    def _deliver(self) -> None:
        number, self._waiting = self._waiting, None
        if number is not None:
            self._handlers[number](number, None)
