"""How connections are lent."""

import asyncio

import pytest

from parsec.server.store import pool
from parsec.server.store.pool import Pool


class Fake:
    """Remembers how it ended."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.end: str | None = None

    def is_closed(self) -> bool:
        return self.end is not None

    def terminate(self) -> None:
        self.end = "terminated"

    async def close(self) -> None:
        self.end = "closed"


class Maker:
    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.fails = False

    async def __call__(self) -> Fake:
        if self.fails:
            raise ConnectionRefusedError
        self.made.append(Fake(len(self.made)))
        return self.made[-1]


async def test_a_connection_is_used_again() -> None:
    lent = Pool(Maker(), limit=2)
    first = await lent.acquire()
    lent.release(first)

    assert await lent.acquire() is first


async def test_nobody_shares_a_connection() -> None:
    lent = Pool(Maker(), limit=2)

    assert await lent.acquire() is not await lent.acquire()


async def test_who_comes_when_all_are_lent_waits() -> None:
    lent = Pool(Maker(), limit=1)
    first = await lent.acquire()
    waiting = asyncio.create_task(lent.acquire())
    await asyncio.sleep(0)
    before = waiting.done()

    lent.release(first)

    assert (before, await waiting) == (False, first)


async def test_who_came_first_is_served_first() -> None:
    lent = Pool(Maker(), limit=1)
    first = await lent.acquire()
    served: list[str] = []

    async def use(name: str) -> None:
        connection = await lent.acquire()
        served.append(name)
        lent.release(connection)

    users = [asyncio.create_task(use(name)) for name in "abc"]
    await asyncio.sleep(0)
    lent.release(first)
    # Comes when a place was given away that nobody has taken yet.
    await use("last")
    await asyncio.gather(*users)

    assert served == ["a", "b", "c", "last"]


@pytest.mark.parametrize("is_given_before", [False, True])
async def test_who_gives_up_waiting_keeps_nothing(is_given_before: bool) -> None:
    lent = Pool(Maker(), limit=1)
    first = await lent.acquire()
    impatient, patient = (asyncio.create_task(lent.acquire()) for _ in range(2))
    await asyncio.sleep(0)

    if is_given_before:
        lent.release(first)
        impatient.cancel()
    else:
        impatient.cancel()
        lent.release(first)

    assert await patient is first
    assert impatient.cancelled()


async def test_who_waits_for_what_was_closed_gets_a_new_one() -> None:
    lent = Pool(Maker(), limit=1)
    first = await lent.acquire()
    waiting = asyncio.create_task(lent.acquire())
    await asyncio.sleep(0)

    first.terminate()
    lent.release(first)

    assert (await waiting).number == 1


async def test_what_is_closed_is_not_lent_again() -> None:
    lent = Pool(Maker(), limit=2)
    first, second = await lent.acquire(), await lent.acquire()
    first.terminate()
    lent.release(first)
    lent.release(second)
    second.terminate()

    assert (await lent.acquire()).number == 2


async def test_what_nobody_used_for_long_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(pool, "monotonic", lambda: now)
    lent = Pool(Maker(), limit=2)
    first = await lent.acquire()
    lent.release(first)

    now = 3600.0
    again = await lent.acquire()

    assert (first.end, again.number) == ("terminated", 1)


async def test_a_connection_that_fails_takes_no_place() -> None:
    make = Maker()
    lent = Pool(make, limit=1)
    make.fails = True

    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await lent.acquire()

    make.fails = False
    assert (await lent.acquire()).number == 0


async def test_an_adopted_connection_is_lent_first() -> None:
    lent, mine = Pool(Maker(), limit=1), Fake(9)

    lent.adopt(mine)

    assert await lent.acquire() is mine


async def test_the_end_waits_for_what_is_lent() -> None:
    make = Maker()
    lent = Pool(make, limit=2)
    first, second = await lent.acquire(), await lent.acquire()
    lent.release(first)
    closing = asyncio.create_task(lent.close())
    await asyncio.sleep(0)
    before = closing.done()

    lent.release(second)
    await closing

    assert (before, first.end, second.end) == (False, "closed", "closed")


async def test_the_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_LAST_SECONDS", 0)
    lent = Pool(Maker(), limit=2)
    first, second = await lent.acquire(), await lent.acquire()
    lent.release(first)

    await lent.close()
    lent.release(second)

    assert (first.end, second.end) == ("terminated", "terminated")
