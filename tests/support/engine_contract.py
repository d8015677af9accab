"""What every engine promises; a file per engine says how it is made."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.events import PingedEvent
from parsec.server.records import AnyEvent, EventID, Notification, UserUnfrozen
from parsec.server.store.engine import Engine, Row, StorageError, Transaction
from parsec.server.store.event_memory import MEMORY, events_behind, last_event_id

_ADD = """
INSERT INTO organization (
    organization_id, created_on, user_profile_outsider_allowed, realm_minimum_archiving_period
) VALUES (:organization_id, :created_on, 1, 0)"""
_ADD_FULL = """
INSERT INTO organization (
    organization_id, bootstrap_token_digest, created_on, bootstrapped_on,
    user_profile_outsider_allowed, realm_minimum_archiving_period
) VALUES ('a', :token, :low, :none, 1, 0)"""
_NAMED = "SELECT organization_id, created_on FROM organization WHERE organization_id = :name"
_SINCE = """
SELECT organization_id FROM organization
WHERE created_on >= :since AND organization_id > :behind"""
_ALL = "SELECT organization_id FROM organization ORDER BY organization_id"


class Unwanted(Exception):
    """Ends a transaction."""


def ping(text: str, **fields: Any) -> Notification:
    """An event with an identifier of its own for each text."""
    values: dict[str, Any] = {
        "organization_id": OrganizationID("Org"),
        "event_id": EventID(hashlib.blake2b(text.encode(), digest_size=16).digest()),
        "content": PingedEvent(ping=text),
        "recipients": None,
    }
    return Notification(**values | fields)


def numbered_ping(number: int, **fields: Any) -> Notification:
    """One whose identifier is a number."""
    return ping(f"{number}", event_id=EventID(number.to_bytes(16, "big")), **fields)


async def add(transaction: Transaction, name: str) -> None:
    await transaction.rows(_ADD, organization_id=name, created_on=Instant(0))


async def names(engine: Engine) -> list[str]:
    async with engine.transaction(write=False) as transaction:
        return [name for (name,) in await transaction.rows(_ALL)]


async def rows(engine: Engine, sql: str) -> Sequence[Row]:
    async with engine.transaction(write=False) as transaction:
        return [tuple(row) for row in await transaction.rows(sql)]


async def publish(engine: Engine, *events: AnyEvent) -> None:
    async with engine.transaction(write=True) as transaction:
        for event in events:
            transaction.publish(event)


async def behind(engine: Engine, event: Notification) -> Sequence[Notification] | None:
    """What is remembered behind an event."""
    async with engine.transaction(write=False) as transaction:
        return await events_behind(
            transaction,
            event.organization_id,
            event.event_id,
            concerning=lambda one: one.content != PingedEvent(ping="for others"),
            most=MEMORY,
        )


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

        await engine.publish(ping("a", is_fleeting=True))
        async with engine.transaction(write=True) as transaction:
            transaction.publish(ping("b"))

        assert heard == [ping("a", is_fleeting=True), ping("b")]

    async def test_an_event_that_is_to_be_remembered_needs_a_transaction(
        self, engine: Engine
    ) -> None:
        with pytest.raises(AssertionError, match="remembered"):
            await engine.publish(ping("a"))

    async def test_who_no_longer_listens_is_not_told(self, engine: Engine) -> None:
        heard: list[object] = []
        leave = engine.subscribe(heard.append)

        leave()
        async with engine.transaction(write=True) as transaction:
            transaction.publish(ping("a"))

        assert heard == []

    async def test_what_came_behind_an_event_is_remembered_in_its_order(
        self, engine: Engine
    ) -> None:
        await publish(engine, ping("a"))
        await publish(engine, ping("b", recipients=frozenset({UserID(bytes(16))})), ping("c"))
        await publish(engine, ping("d"))

        assert await behind(engine, ping("a")) == [
            ping("b", recipients=frozenset({UserID(bytes(16))})),
            ping("c"),
            ping("d"),
        ]
        assert await behind(engine, ping("d")) == []

    async def test_behind_an_event_only_those_are_read_that_concern_somebody(
        self, engine: Engine
    ) -> None:
        await publish(engine, ping("a"), ping("for others"), ping("b"))

        assert await behind(engine, ping("a")) == [ping("b")]

    async def test_more_events_than_wanted_are_none(self, engine: Engine) -> None:
        await publish(engine, ping("a"), ping("for others"), ping("b"), ping("c"))

        async with engine.transaction(write=False) as transaction:
            found = [
                await events_behind(
                    transaction,
                    ping("a").organization_id,
                    ping("a").event_id,
                    concerning=lambda one: one != ping("for others"),
                    most=most,
                )
                for most in (1, 2)
            ]
        assert found == [None, [ping("b"), ping("c")]]

    async def test_an_event_of_another_version_makes_what_came_unknown(
        self, engine: Engine
    ) -> None:
        await publish(engine, ping("a"), ping("b"), ping("c"))
        sql = "UPDATE remembered_event SET content = :content WHERE event_id = :event_id"

        async with engine.transaction(write=True) as transaction:
            await transaction.rows(sql, content=b"?", event_id=ping("b").event_id)

        assert await behind(engine, ping("a")) is None
        assert await behind(engine, ping("b")) == [ping("c")]

    async def test_behind_an_event_that_never_was_nobody_knows_what_came(
        self, engine: Engine
    ) -> None:
        await publish(engine, ping("a"))

        assert await behind(engine, ping("never")) is None

    async def test_events_are_remembered_in_the_order_in_which_they_were_told(
        self, engine: Engine
    ) -> None:
        heard: list[object] = []
        engine.subscribe(heard.append)

        await publish(engine, ping("first"))
        await asyncio.gather(
            *(publish(engine, ping(f"{number}"), ping(f"{number}!")) for number in range(20))
        )

        assert [ping("first"), *(await behind(engine, ping("first")) or ())] == heard

    async def test_of_a_refusal_nothing_is_remembered(self, engine: Engine) -> None:
        await publish(engine, ping("a"))

        async def refuse() -> None:
            async with engine.transaction(write=True) as transaction:
                transaction.publish(ping("b"))
                raise Unwanted

        with pytest.raises(Unwanted):
            await refuse()

        assert await behind(engine, ping("a")) == []

    async def test_what_is_fleeting_or_for_processes_only_is_not_remembered(
        self, engine: Engine
    ) -> None:
        inner = UserUnfrozen(
            organization_id=OrganizationID("Org"),
            event_id=EventID(b"unfrozen" * 2),
            user_id=UserID(bytes(16)),
        )

        await publish(engine, ping("a"))
        await publish(engine, ping("b", is_fleeting=True), inner)
        await engine.publish(ping("c", is_fleeting=True))

        assert await behind(engine, ping("a")) == []
        assert await rows(engine, "SELECT count(*) FROM remembered_event") == [(1,)]

    async def test_each_organization_remembers_its_own_events(self, engine: Engine) -> None:
        others = {"organization_id": OrganizationID("Busy")}
        await publish(engine, numbered_ping(1), numbered_ping(2))

        await publish(engine, *(numbered_ping(number, **others) for number in range(MEMORY + 1)))

        assert await behind(engine, numbered_ping(1)) == [numbered_ping(2)]

    async def test_the_last_event_that_was_remembered_is_known(self, engine: Engine) -> None:
        await publish(engine, ping("a"))
        await publish(engine, ping("b"))
        await publish(engine, ping("c", is_fleeting=True))
        await publish(engine, ping("d", organization_id=OrganizationID("Other")))

        async with engine.transaction(write=False) as transaction:
            last = await last_event_id(transaction, OrganizationID("Org"))
            none = await last_event_id(transaction, OrganizationID("Nowhere"))
        assert (last, none) == (ping("b").event_id, None)

    async def test_so_many_events_are_remembered_and_not_one_more(self, engine: Engine) -> None:
        await publish(engine, *(numbered_ping(number) for number in range(1, MEMORY + 2)))

        remembered = await behind(engine, numbered_ping(2))
        assert remembered == [numbered_ping(number) for number in range(3, MEMORY + 2)]
        assert await behind(engine, numbered_ping(1)) is None

    async def test_too_old_events_are_taken_away_now_and_then(self, engine: Engine) -> None:
        sql = "SELECT count(*) FROM remembered_event WHERE organization_id = 'Org'"
        # The last of these has an identifier that says that it is time.
        await publish(engine, *(numbered_ping(number) for number in range(1, 1153)))
        await publish(engine, *(numbered_ping(number) for number in range(1153, 1200)))

        before = await rows(engine, sql)
        await publish(engine, numbered_ping(1216))

        assert before == [(MEMORY + 47,)]
        assert await rows(engine, sql) == [(MEMORY,)]

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
        sql = f"{_ADD_FULL} RETURNING bootstrap_token_digest, created_on, bootstrapped_on"
        async with engine.transaction(write=True) as transaction:
            rows = await transaction.rows(sql, token=bytes(range(256)), low=-(1 << 63), none=None)

        assert rows == [(bytes(range(256)), -(1 << 63), None)]

    async def test_a_single_statement_reads(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")

        async with engine.transaction(write=False, single=True) as transaction:
            rows = await transaction.rows(_ALL)

        assert rows == [("a",)]

    async def test_a_single_statement_writes(self, engine: Engine) -> None:
        async with engine.transaction(write=True, single=True) as transaction:
            await add(transaction, "a")

        assert await names(engine) == ["a"]

    async def test_look_ups_at_the_same_time_find_each_their_own(self, engine: Engine) -> None:
        known = ["a", "b", "", "é", "NULL", "{x,'y'}", '"', "\\", "nul\0", "\ufdd0", "\ufdd00"]
        async with engine.transaction(write=True) as transaction:
            for number, name in enumerate(known):
                await transaction.rows(_ADD, organization_id=name, created_on=number)

        asked = [*known, "nobody", "mark", *known * 10]
        found = await asyncio.gather(*(engine.rows(_NAMED, name=name) for name in asked))

        expected = {name: [(name, number)] for number, name in enumerate(known)}
        assert [[tuple(row) for row in rows] for rows in found] == [
            expected.get(name, []) for name in asked
        ]

    async def test_a_look_up_may_find_several(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            for number, name in enumerate("abcde"):
                await transaction.rows(_ADD, organization_id=name, created_on=number)

        found = await asyncio.gather(
            engine.rows(_SINCE, since=1 << 40, behind=""),
            engine.rows(_SINCE, since=2, behind=""),
            engine.rows(_SINCE, behind="b", since=-1),
            engine.rows(_NAMED, name="a"),
        )

        assert [{row[0] for row in rows} for rows in found] == [
            set(),
            {"c", "d", "e"},
            {"c", "d", "e"},
            {"a"},
        ]

    async def test_a_look_up_sees_what_was_committed_before(self, engine: Engine) -> None:
        async def written_and_found(name: str) -> bool:
            before = await engine.rows(_NAMED, name=name)
            async with engine.transaction(write=True) as transaction:
                await add(transaction, name)
            return [len(before), len(await engine.rows(_NAMED, name=name))] == [0, 1]

        tasks = (written_and_found(f"{number}") for number in range(20))
        assert all(await asyncio.gather(*tasks))

    async def test_whoever_hangs_up_takes_no_look_up_of_others_along(self, engine: Engine) -> None:
        async with engine.transaction(write=True) as transaction:
            await add(transaction, "a")
        tasks = [asyncio.create_task(engine.rows(_NAMED, name="a")) for _ in range(4)]
        # Long enough to ask; SQLite has answered by then.
        await asyncio.sleep(0)

        tasks[0].cancel()
        tasks[2].cancel()

        for task in (tasks[1], tasks[3]):
            assert [tuple(row) for row in await task] == [("a", 0)]

    async def test_a_look_up_that_is_wrong_is_told(self, engine: Engine) -> None:
        wrong = "SELECT nothing FROM nowhere WHERE x = :name"

        found = await asyncio.gather(
            *(engine.rows(wrong, name=name) for name in "ab"),
            engine.rows(_NAMED, name="a"),
            return_exceptions=True,
        )

        assert [type(one) for one in found[:2]] == [StorageError] * 2
        assert found[2] == []

    @pytest.mark.parametrize("write", [False, True])
    async def test_a_second_statement_where_one_was_promised_is_a_bug(
        self, engine: Engine, write: bool
    ) -> None:
        async with engine.transaction(write=write, single=True) as transaction:
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
