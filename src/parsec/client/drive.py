"""Runs a flow: carries out each step that it yields, and hands it what came of the step."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from parsec.client.step import Ask, Flow, Step, Wait

T = TypeVar("T")


def drive(flow: Flow[T], carry_out: Callable[[Step], object]) -> T:
    """The result of a flow whose steps `carry_out` carries out, one after the other.

    An error of a step is thrown into the flow. So is the KeyboardInterrupt that breaks off a
    step: the flow may then still tell, keep, and call (to cancel what it began), but neither ask
    nor wait any more, and a second one ends at once. Raises what the flow does not catch.
    """
    try:
        return _run(flow, carry_out)
    finally:
        _close(flow)


def _run(flow: Flow[T], carry_out: Callable[[Step], object]) -> T:
    advance: Callable[[], Step] = partial(next, flow)
    interrupted = False
    while True:
        try:
            step = advance()
        except StopIteration as end:
            result: T = end.value
            return result
        if interrupted and isinstance(step, Ask | Wait):
            # Whoever pressed Ctrl-C is not kept waiting, nor asked anything.
            raise KeyboardInterrupt
        try:
            answer = carry_out(step)
        except StopIteration:
            raise  # thrown into a generator, it would mean its end
        except Exception as error:
            # A bug included: the flow may have to cancel what it began.
            advance = partial(flow.throw, error)
        except KeyboardInterrupt as interrupt:
            if interrupted:
                raise
            interrupted = True
            advance = partial(flow.throw, interrupt)
        else:
            advance = partial(flow.send, answer)


def _close(flow: Flow[T]) -> None:
    # A flow that would still cancel something yields once more; nobody carries that out, and
    # Python's complaint about it must not hide why the flow ended.
    with suppress(RuntimeError):
        flow.close()
