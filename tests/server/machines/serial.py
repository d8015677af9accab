"""Whether what a server told is what a model tells, of requests one by one or all at once.

A model answers to a request and changes. To requests that were sent at once it may answer in any
order: what it may have become is a list of models, and a server whose answers suit none is wrong.
"""

import pickle
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)

Told: TypeAlias = tuple[str, dict[str, Any]]
"""The status of a reply, or of HTTP, and the fields."""


def told(status: str, **fields: Any) -> Told:
    return status, fields


@dataclass(frozen=True)
class Asked(Generic[M_contra]):
    """A request. Two that are described by the same words are the same."""

    words: tuple[object, ...]
    expect: Callable[[M_contra, Told], Told]
    """Changes the model; is given what was told, where only the server knows a new name."""
    send: Callable[[], Awaitable[Told]]


def followed(models: Sequence[M], asked: Sequence[Asked[M]], answers: Sequence[Told]) -> list[M]:
    """What the models become by some order of the requests that leads to these answers."""
    states = [(tuple(range(len(asked))), model) for model in models]
    for _ in asked:
        following: list[tuple[tuple[int, ...], M]] = []
        for left, model in states:
            for one in _different(left, asked, answers):
                changed = _copy(model)
                if asked[one].expect(changed, answers[one]) == answers[one]:
                    state = tuple(other for other in left if other != one), changed
                    if state not in following:
                        following.append(state)
        states = following
    return [model for _, model in states]


def _copy(model: M) -> M:
    # Several times as fast as `copy.deepcopy`.
    copied: M = pickle.loads(pickle.dumps(model, pickle.HIGHEST_PROTOCOL))
    return copied


def _different(
    left: Sequence[int], asked: Sequence[Asked[M]], answers: Sequence[Told]
) -> list[int]:
    """One of each kind: which of several that nobody can tell apart came first does not matter."""
    kinds: dict[str, int] = {}
    for one in left:
        kinds.setdefault(repr((asked[one].words, answers[one])), one)
    return list(kinds.values())


def expected(models: Sequence[M], asked: Sequence[Asked[M]], answers: Sequence[Told]) -> str:
    """Why nothing is left, for who reads a failure."""
    lines = ["no order of these requests gives these answers:"]
    for one, answer in zip(asked, answers, strict=True):
        lines.append(f"  {one.words}: {answer}")
        lines += [f"    alone: {one.expect(_copy(model), answer)}" for model in models]
    return "\n".join([*lines, *(f"  in {model}" for model in models)])
