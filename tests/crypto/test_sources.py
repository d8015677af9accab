"""Where random bytes and libsodium come from."""

import pytest

from parsec.crypto import sodium
from parsec.crypto.entropy import system_entropy


@pytest.mark.parametrize("count", [0, 1, 32])
def test_the_system_gives_as_many_bytes_as_asked_for(count: int) -> None:
    assert len(system_entropy(count)) == count


def test_the_system_repeats_nothing() -> None:
    assert len({system_entropy(16) for _ in range(1000)}) == 1000


def test_nothing_else_is_taken_for_a_part_of_libsodium() -> None:
    assert not hasattr(sodium, "anything_else")
