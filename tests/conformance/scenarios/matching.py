"""Whether an answer is the expected one."""

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

from tests.conformance.scenarios.values import Values, dollar_key
from tests.conformance.scenarios.wire import Moment

_DEFAULT_TOLERANCE_S = 5


def check(expected: Any, found: Any, values: Values, place: str = "answer") -> None:
    """Raises AssertionError, which tells the place, unless `found` is as written in a scenario."""
    if isinstance(expected, dict):
        _check_object(expected, found, values, place)
    elif isinstance(expected, list):
        assert isinstance(found, list), f"{place}: expected a list, found {found!r}"
        assert len(found) == len(expected), (
            f"{place}: expected {len(expected)} items, found {len(found)}: {found!r}"
        )
        for number, (item, found_item) in enumerate(zip(expected, found, strict=True)):
            check(item, found_item, values, f"{place}[{number}]")
    else:
        _check_same(expected, found, place)


def _check_object(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    kind = dollar_key(expected)
    if kind in _MATCHERS:
        _MATCHERS[kind](expected, found, values, place)
        return
    if kind is not None:
        _check_same(values.of(expected), found, place)
        return
    assert isinstance(found, dict), f"{place}: expected an object, found {found!r}"
    for key, item in expected.items():
        assert key in found, f"{place}: expected the key {key}, found {found!r}"
        if key == "detail" and isinstance(item, str):
            _check_text_for_people(item, found[key], f"{place}.{key}")
        else:
            check(item, found[key], values, f"{place}.{key}")


def _check_same(expected: Any, found: Any, place: str) -> None:
    same = type(found) is type(expected) and found == expected
    assert same, f"{place}: expected {expected!r}, found {found!r}"


def _check_text_for_people(expected: str, found: Any, place: str) -> None:
    # Nobody parses these; a server may say more after the official words.
    same = isinstance(found, str) and found.startswith(expected)
    assert same, f"{place}: expected {expected!r}, found {found!r}"


def _is(expected: dict[str, Any], found: Any, _: Values, place: str) -> None:
    kind = expected["$is"]
    assert _KINDS[kind](found), f"{place}: expected a {kind}, found {found!r}"
    if "len" in expected:
        assert len(found) == expected["len"], f"{place}: of length {len(found)}: {found!r}"


def _unordered(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    wanted = expected["$unordered"]
    assert isinstance(found, list), f"{place}: expected a list, found {found!r}"
    assert len(found) == len(wanted), f"{place}: {len(found)} items: {found!r}"
    _contains({"$contains": wanted}, found, values, place)


def _contains(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    assert isinstance(found, list), f"{place}: expected a list, found {found!r}"
    left = list(found)
    for item in expected["$contains"]:
        match = next((other for other in left if _matches(item, other, values)), None)
        assert match is not None, f"{place}: expected to find {item!r} among {left!r}"
        left.remove(match)


def _matches(expected: Any, found: Any, values: Values) -> bool:
    try:
        check(expected, found, values)
    except AssertionError:
        return False
    return True


def _near(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    wanted, moment = values.of(expected["$near"]), _moment(found)
    assert moment is not None, f"{place}: expected a date, found {found!r}"
    tolerance = expected.get("tolerance_s", _DEFAULT_TOLERANCE_S) * 1_000_000
    assert abs(moment - wanted) <= tolerance, (
        f"{place}: {(moment - wanted) / 1e6} seconds from the expected date"
    )


def _startswith(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    start = values.of(expected["$startswith"])
    starts = isinstance(found, type(start)) and found.startswith(start)
    assert starts, f"{place}: expected to start with {start!r}, found {found!r}"


def _map(expected: dict[str, Any], found: Any, values: Values, place: str) -> None:
    wanted = {values.of(key): item for key, item in expected["$map"]}
    assert isinstance(found, dict), f"{place}: expected a map, found {found!r}"
    assert found.keys() == wanted.keys(), f"{place}: expected {wanted!r}, found {found!r}"
    for key, item in wanted.items():
        check(item, found[key], values, f"{place}.{key}")


_MATCHERS: dict[str | None, Callable[[dict[str, Any], Any, Values, str], None]] = {
    "$is": _is,
    "$unordered": _unordered,
    "$contains": _contains,
    "$near": _near,
    "$startswith": _startswith,
    "$map": _map,
}

_KINDS: dict[str, Callable[[Any], bool]] = {
    "datetime": lambda found: _moment(found) is not None,
    "bytes": lambda found: type(found) is bytes,
    "str": lambda found: type(found) is str,
    "uuid": lambda found: type(found) is uuid.UUID,
    "int": lambda found: type(found) is int,
    "bool": lambda found: type(found) is bool,
    "list": lambda found: type(found) is list,
    "dict": lambda found: type(found) is dict,
    "any": lambda _: True,
}


def _moment(found: Any) -> Moment | None:
    if type(found) is Moment:
        return found
    if type(found) is not str or "T" not in found:
        return None
    try:  # JSON has dates as texts
        seconds = dt.datetime.fromisoformat(found).timestamp()
    except ValueError:
        return None
    return Moment(round(seconds * 1_000_000))
