"""What every engine promises; a file per engine says how it is made."""

import asyncio

import pytest

from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.events import PingedEvent
from parsec.server.records import EventID, Notification
from parsec.server.store.engine import Engine, Transaction

_ADD = """
INSERT INTO organization (
    organization_id, created_on, user_profile_outsider_allowed, realm_minimum_archiving_period
) VALUES (:organization_id, :created_on, 1, 0)"""
_ADD_FULL = """
INSERT INTO organization (
    organization_id, bootstrap_token, created_on, bootstrapped_on, user_profile_outsider_allowed,
    realm_minimum_archiving_period
) VALUES ('a', :token, :low, :none, 1, 0)"""
_ALL = "SELECT organization_id FROM organization ORDER BY organization_id"


class Unwanted(Exception):
    """Ends a transaction."""


def ping(text: str) -> Notification:
    return Notification(
        organization_id=OrganizationID("Org"),
        event_id=EventID(bytes(16)),
        content=PingedEvent(ping=text),
        recipients=None,
    )


async def add(transaction: Transaction, name: str) -> None:
    await transaction.rows(_ADD, organization_id=name, created_on=Instant(0))


async def names(engine: Engine) -> list[str]:
    async with engine.transaction(write=False) as transaction:
        return [name for (name,) in await transaction.rows(_ALL)]


class EngineContract:
    """Runs for each engine, which comes migrated and empty, and delivers events at once."""

    async def test_what_was_written_is_read(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")
            await add(transaction, "b")

        assert await names(engine) == ["a", "b"]

    async def test_a_transaction_sees_what_it_wrote(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

            assert await transaction.rows(_ALL) == [("a",)]

    async def test_a_statement_tells_what_it_returns(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            sql = f"{_ADD} RETURNING created_on"
            rows = await transaction.rows(sql, organization_id="a", created_on=5)

        assert rows == [(5,)]

    async def test_an_exception_undoes_everything(self, engine: Engine) -> None:
        async def write() -> None:
            async with engine.transaction(write=True) as transaction:
                await add(transaction, "a")
                raise Unwanted

        with pytest.raises(Unwanted):
            await write()

        assert await names(engine) == []

    async def test_nobody_sees_what_is_not_committed(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")
            seen = await names(engine)

        assert seen == []

    async def test_a_reader_sees_one_state(self, engine: Engine) -> None:
        async with engine.transaction(write=False) as reader:
            before = await reader.rows(_ALL)
            async with engine.transaction(write=True) as transaction:
                await add(transaction, "a")
            after = await reader.rows(_ALL)

        assert before == after == []

    async def test_writers_that_wait_for_each_other_all_succeed(self, engine: Engine) -> None:
        async def write(name: str) -> None:
            async with engine.transaction(write=True) as transaction:
                await add(transaction, name)
                await asyncio.sleep(0)

        await asyncio.gather(*(write(f"{number:02}") for number in range(20)))

        assert await names(engine) == [f"{number:02}" for number in range(20)]

    async def test_a_refusal_undoes_nothing_but_itself(self, engine: Engine) -> None:
        async def write(name: str) -> None:
            async with engine.transaction(write=True) as transaction:
                await add(transaction, name)
                if name == "b":
                    raise Unwanted

        results = await asyncio.gather(*(write(name) for name in "abc"), return_exceptions=True)

        assert [type(result) for result in results] == [type(None), Unwanted, type(None)]
        assert await names(engine) == ["a", "c"]

    async def test_of_two_writers_of_one_thing_the_second_knows_of_the_first(
        self, engine: Engine
    ) -> None:
        async def write_if_new() -> bool:
            async with engine.transaction(write=True) as transaction:
                await transaction.lock("a")
                if await transaction.rows(_ALL):
                    return False
                await asyncio.sleep(0)
                await add(transaction, "a")
                return True

        assert sorted(await asyncio.gather(write_if_new(), write_if_new())) == [False, True]

    async def test_events_come_in_the_order_of_their_transactions(self, engine: Engine) -> None:
        heard: list[object] = []
        engine.subscribe(heard.append)

        for text in "ab":
            async with engine.transaction(write=True) as transaction:
                transaction.publish(ping(text))
                transaction.publish(ping(text * 2))

        assert heard == [ping("a"), ping("aa"), ping("b"), ping("bb")]

    async def test_events_come_after_the_commit(self, engine: Engine) -> None:
        heard: list[object] = []
        engine.subscribe(heard.append)

        async with engine.transaction(write=True) as transaction:
            transaction.publish(ping("a"))
            before = list(heard)

        assert before == []

    async def test_events_of_a_refusal_never_come(self, engine: Engine) -> None:
        heard: list[object] = []
        engine.subscribe(heard.append)

        async def refuse() -> None:
            async with engine.transaction(write=True) as transaction:
                transaction.publish(ping("a"))
                raise Unwanted

        with pytest.raises(Unwanted):
            await refuse()

        assert heard == []

    async def test_an_event_that_rests_on_nothing_needs_no_transaction(
        self, engine: Engine
    ) -> None:
        heard: list[object] = []
        engine.subscribe(heard.append)

        await engine.publish(ping("a"))
        async with engine.transaction(write=True) as transaction:
            transaction.publish(ping("b"))

        assert heard == [ping("a"), ping("b")]

    async def test_who_no_longer_listens_is_not_told(self, engine: Engine) -> None:
        heard: list[object] = []
        leave = engine.subscribe(heard.append)

        leave()
        async with engine.transaction(write=True) as transaction:
            transaction.publish(ping("a"))

        assert heard == []

    async def test_migrating_twice_changes_nothing(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

        await engine.migrate()

        assert await names(engine) == ["a"]
        assert all(migration.applied for migration in await engine.migrations())

    async def test_a_text_may_hold_nul(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a\0b")
            await add(transaction, "\ufdd0\0\ufdd00")

        assert await names(engine) == ["a\0b", "\ufdd0\0\ufdd00"]

    async def test_texts_are_ordered_by_their_code_points(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            for name in ("é", "b", "A", "a", "B", "_"):
                await add(transaction, name)

        assert await names(engine) == ["A", "B", "_", "a", "b", "é"]

    async def test_bytes_are_bytes_and_numbers_have_sixty_four_bits(self, engine: Engine) -> None:
        sql = f"{_ADD_FULL} RETURNING bootstrap_token, created_on, bootstrapped_on"
        async with engine.transaction(write=True) as transaction:
            rows = await transaction.rows(sql, token=bytes(range(256)), low=-(1 << 63), none=None)

        assert rows == [(bytes(range(256)), -(1 << 63), None)]

    async def test_a_single_statement_reads(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

        async with engine.transaction(write=False, single=True) as transaction:
            rows = await transaction.rows(_ALL)

        assert rows == [("a",)]

    async def test_a_second_statement_where_one_was_promised_is_a_bug(self, engine: Engine) -> None:
        async with engine.transaction(write=False, single=True) as transaction:
            await transaction.rows(_ALL)
            with pytest.raises(AssertionError, match="single"):
                await transaction.rows(_ALL)

    async def test_a_transaction_that_does_nothing_is_none(self, engine: Engine) -> None:
        async with engine.transaction(write=True):
            pass
        async with engine.transaction(write=False):
            pass

        assert await names(engine) == []

    async def test_after_a_statement_that_failed_the_engine_works(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

        async def write() -> None:
            async with engine.transaction(write=True) as transaction:
                await add(transaction, "b")
                await add(transaction, "a")

        with pytest.raises(Exception, match=r"(?i)unique"):
            await write()

        assert await names(engine) == ["a"]

    async def test_writers_that_are_cancelled_leave_nothing_behind(self, engine: Engine) -> None:
        begun = asyncio.Event()

        async def write() -> None:
            async with engine.transaction(write=True) as transaction:
                await transaction.lock("a")
                await add(transaction, "a")
                begun.set()
                await asyncio.Event().wait()

        writer = asyncio.create_task(write())
        await begun.wait()
        writer.cancel()
        await asyncio.wait([writer])

        async with engine.transaction(write=True) as transaction:
            await transaction.lock("a")
            await add(transaction, "b")
        assert await names(engine) == ["b"]
