"""The judge of the scenarios notices what differs, and only that (server-core.md 22)."""

import uuid
from typing import Any

import pytest

from tests.conformance.scenarios.cast import Cast
from tests.conformance.scenarios.matching import check
from tests.conformance.scenarios.values import Values
from tests.conformance.scenarios.wire import Moment

NOON = 1_767_355_200_000_000


@pytest.fixture
def values() -> Values:
    cast = Cast({"users": {"alice": {}}, "devices": {"alice1": "alice"}})
    return Values(cast, {"t": b"token", "noon": Moment(NOON)})


SAME: list[tuple[Any, Any]] = [
    ({"a": 1}, {"a": 1, "b": 2}),
    ([1, {"a": 2}], [1, {"a": 2, "b": 3}]),
    ({"$var": "t"}, b"token"),
    ({"$human": "alice"}, ["alice@example.com", "Alice"]),
    ({"$dt": "noon", "plus_us": -1}, Moment(NOON - 1)),
    ({"$is": "bytes", "len": 5}, b"token"),
    ({"$is": "datetime"}, Moment(0)),
    ({"$is": "datetime"}, "2026-01-02T12:00:00Z"),
    ({"$is": "uuid"}, uuid.UUID(int=1)),
    ({"$is": "any"}, None),
    ({"$unordered": [1, 2]}, [2, 1]),
    ({"$contains": [{"a": 1}]}, [{"a": 0}, {"a": 1, "b": 2}]),
    ({"$near": {"$var": "noon"}}, Moment(NOON + 5_000_000)),
    ({"$startswith": "par"}, "parsec"),
    ({"$map": [[{"$var": "noon"}, {"$is": "int"}]]}, {Moment(NOON): 3}),
    ({"detail": "Gone"}, {"detail": "Gone (expired)"}),
]

DIFFERENT: list[tuple[Any, Any]] = [
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {}),
    ({"a": None}, {}),
    ({}, []),
    ([1], [1, 2]),
    ([1, 2], [2, 1]),
    (1, True),
    (300.0, 300),
    (NOON, Moment(NOON)),
    ("token", b"token"),
    ({"$var": "t"}, b"other"),
    ({"$is": "bytes", "len": 4}, b"token"),
    ({"$is": "datetime"}, "tomorrow"),
    ({"$is": "datetime"}, 0),
    ({"$is": "int"}, True),
    ({"$unordered": [1, 2]}, [1, 1]),
    ({"$unordered": [1]}, [1, 2]),
    ({"$contains": [3]}, [1, 2]),
    ({"$near": {"$var": "noon"}}, Moment(NOON + 5_000_001)),
    ({"$near": {"$var": "noon"}, "tolerance_s": 1}, Moment(NOON - 1_000_001)),
    ({"$startswith": "par"}, "sec"),
    ({"$map": [[{"$var": "noon"}, 3]]}, {Moment(NOON): 3, Moment(0): 1}),
    ({"detail": "Gone"}, {"detail": "Not found"}),
    ({"$unheard_of": 1}, 1),
]


@pytest.mark.parametrize(("expected", "found"), SAME)
def test_an_answer_that_says_what_is_expected_passes(
    values: Values, expected: Any, found: Any
) -> None:
    check(expected, found, values)


@pytest.mark.parametrize(("expected", "found"), DIFFERENT)
def test_an_answer_that_says_anything_else_fails(values: Values, expected: Any, found: Any) -> None:
    with pytest.raises(AssertionError):
        check(expected, found, values)
