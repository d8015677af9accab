"""The numbers of messages at their bounds."""

from typing import Any

import pytest

from parsec.protocol.command import I64, U8, U32, U64, NonZero
from parsec.protocol.ping import Ping, PingOk
from parsec.wire.msgpack import MalformedError, dump, reader


@pytest.mark.parametrize(
    ("kind", "lowest", "highest"),
    [
        (U8, 1, 255),
        (U32, 0, (1 << 32) - 1),
        (U64, 0, (1 << 64) - 1),
        (I64, -(1 << 63), (1 << 63) - 1),
        (NonZero, 1, (1 << 64) - 1),
    ],
)
def test_numbers_end_where_the_specification_says(kind: Any, lowest: int, highest: int) -> None:
    for number in (lowest, highest):
        assert reader(kind).load(dump(number)) == number
    for number in (lowest - 1, highest + 1):
        if -(1 << 63) <= number < 1 << 64:
            with pytest.raises(MalformedError):
                reader(kind).load(dump(number))


@pytest.mark.parametrize("kind", [U8, U32, U64, I64, NonZero])
@pytest.mark.parametrize("value", [True, 1.0, "1", b"\x01", None, [1]])
def test_nothing_else_is_a_number(kind: Any, value: object) -> None:
    with pytest.raises(MalformedError):
        reader(kind).load(dump(value))


def test_a_message_shows_nothing_of_its_content() -> None:
    assert "secret" not in f"{Ping(ping='secret')!r}"
    assert "secret" not in f"{PingOk(pong='secret')!r}"
