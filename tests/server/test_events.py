"""Who listens to what (server-core.md 15)."""

import asyncio
import base64
from typing import Any

import pytest

from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.command import dump_reply
from parsec.protocol.events import GreetingAttemptReadyEvent, PingedEvent
from parsec.server.events import (
    MAX_BEHIND,
    MISSED_EVENTS_FRAME,
    Exchange,
    Stopping,
    Subscription,
    event_frame,
)
from parsec.server.records import (
    EventID,
    Notification,
    OrganizationExpired,
    OrganizationTosUpdated,
    UserRevokedOrFrozen,
    UserUnfrozen,
    UserUpdated,
)

ORGANIZATION = OrganizationID("Org")
ALICE, BOB = UserID(b"a" * 16), UserID(b"b" * 16)
ALICE_DEVICE, BOB_DEVICE = DeviceID(b"A" * 16), DeviceID(b"B" * 16)


def ping(number: int, **fields: Any) -> Notification:
    values: dict[str, Any] = {
        "organization_id": ORGANIZATION,
        "event_id": EventID(number.to_bytes(16, "big")),
        "content": PingedEvent(ping=str(number)),
        "recipients": None,
    }
    return Notification(**values | fields)


def ready(number: int, token: bytes = b"invitation token") -> Notification:
    """Somebody still waits to be greeted."""
    content = GreetingAttemptReadyEvent(
        token=AccessToken(token), greeting_attempt=GreetingAttemptID(number.to_bytes(16, "big"))
    )
    return ping(number, content=content, is_fleeting=True)


def told(subscription: Subscription) -> list[bytes]:
    """The contents of the frames that wait."""
    fields = [frame.split(b"\n")[0].removeprefix(b"data:") for frame in frames(subscription)]
    return [base64.b64decode(field) for field in fields]


def contents(*notifications: Notification) -> list[bytes]:
    return [dump_reply(notification.content) for notification in notifications]


def listen(
    exchange: Exchange,
    user_id: UserID = ALICE,
    device_id: DeviceID = ALICE_DEVICE,
) -> Subscription:
    return exchange.subscribe(ORGANIZATION, user_id, device_id)


def frames(subscription: Subscription) -> list[bytes]:
    return subscription.take()


def test_everybody_in_the_organization_is_told() -> None:
    exchange = Exchange()
    alice, bob = listen(exchange), listen(exchange, BOB, BOB_DEVICE)

    exchange.deliver(ping(1))

    assert frames(alice) == frames(bob) == [event_frame(ping(1))]


def test_nobody_in_another_organization_is_told() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    exchange.deliver(ping(1, organization_id=OrganizationID("Other")))

    assert frames(alice) == []


def test_only_the_recipients_are_told() -> None:
    exchange = Exchange()
    alice, bob = listen(exchange), listen(exchange, BOB, BOB_DEVICE)

    exchange.deliver(ping(1, recipients=frozenset({BOB})))

    assert (frames(alice), len(frames(bob))) == ([], 1)


def test_the_device_that_did_it_is_not_told() -> None:
    exchange = Exchange()
    one, other = listen(exchange), listen(exchange, ALICE, DeviceID(b"X" * 16))

    exchange.deliver(ping(1, except_device=ALICE_DEVICE))

    assert (frames(one), len(frames(other))) == ([], 1)


def test_what_was_missed_comes_before_what_came_since() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    exchange.deliver(ping(3))

    alice.begin([ping(1), ping(2)], last=ping(2).event_id)
    exchange.deliver(ping(4))

    assert frames(alice) == [event_frame(ping(number)) for number in (1, 2, 3, 4)]


def test_what_came_while_the_missed_events_were_read_is_told_once() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    exchange.deliver(ping(2))
    exchange.deliver(ping(3))

    alice.begin([ping(1), ping(2)], last=ping(2).event_id)

    assert frames(alice) == [event_frame(ping(number)) for number in (1, 2, 3)]


def test_who_missed_nothing_is_told_nothing() -> None:
    alice = listen(Exchange())

    alice.begin([], last=ping(1).event_id)

    assert frames(alice) == []


def test_where_nobody_knows_what_was_missed_just_that_is_told() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    alice.begin(None, last=ping(1).event_id)
    exchange.deliver(ping(2))

    assert frames(alice) == [MISSED_EVENTS_FRAME, event_frame(ping(2))]


def test_who_comes_back_with_much_to_be_told_is_not_too_slow_at_once() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    alice.begin([ping(number) for number in range(MAX_BEHIND)], last=None)

    for number in range(MAX_BEHIND):
        exchange.deliver(ping(MAX_BEHIND + number))

    assert (alice.is_closed, len(frames(alice))) == (False, 2 * MAX_BEHIND)


def test_of_an_organization_nothing_is_kept_while_nobody_listens() -> None:
    exchange = Exchange()

    alice = listen(exchange)
    alice.close()
    exchange.deliver(ping(1))

    assert exchange._organizations == {}


def test_who_is_too_slow_is_told_nothing_more() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    for number in range(MAX_BEHIND + 1):
        exchange.deliver(ping(number))

    assert (alice.is_closed, frames(alice)) == (True, [])


@pytest.mark.parametrize(
    "event",
    [
        OrganizationExpired(organization_id=ORGANIZATION, event_id=EventID(bytes(16))),
        OrganizationTosUpdated(organization_id=ORGANIZATION, event_id=EventID(bytes(16))),
    ],
)
def test_what_concerns_the_organization_ends_all_its_streams(
    event: OrganizationExpired | OrganizationTosUpdated,
) -> None:
    exchange = Exchange()
    alice, bob = listen(exchange), listen(exchange, BOB, BOB_DEVICE)

    exchange.deliver(event)

    assert alice.is_closed
    assert bob.is_closed


def test_a_revoked_user_is_still_told_what_came_before() -> None:
    exchange = Exchange()
    alice, bob = listen(exchange), listen(exchange, BOB, BOB_DEVICE)

    exchange.deliver(ping(1))
    exchange.deliver(
        UserRevokedOrFrozen(organization_id=ORGANIZATION, event_id=EventID(bytes(16)), user_id=BOB)
    )

    assert (bob.is_closed, frames(bob)) == (True, [event_frame(ping(1))])
    assert not alice.is_closed


def test_other_changes_of_users_end_no_stream() -> None:
    exchange = Exchange()
    bob = listen(exchange, BOB, BOB_DEVICE)
    about: dict[str, Any] = {"organization_id": ORGANIZATION, "event_id": EventID(bytes(16))}

    exchange.deliver(UserUnfrozen(**about, user_id=BOB))
    exchange.deliver(UserUpdated(**about, user_id=BOB, new_profile=UserProfile.ADMIN))

    assert (bob.is_closed, frames(bob)) == (False, [])


def test_a_server_that_stops_ends_all_streams_and_opens_none() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    exchange.stop()

    assert alice.is_closed
    with pytest.raises(Stopping):
        listen(exchange)


def test_each_time_somebody_waits_is_told_to_who_keeps_up() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    heard = []
    for _ in range(3):
        exchange.deliver(ready(1))
        heard += told(alice)

    assert heard == contents(ready(1)) * 3


def test_who_waits_very_often_drives_no_stream_away() -> None:
    exchange = Exchange()
    alice = listen(exchange)

    exchange.deliver(ping(1))
    for number in range(10 * MAX_BEHIND):
        exchange.deliver(ready(number))
    exchange.deliver(ready(5, b"another token !!"))

    last, other = ready(10 * MAX_BEHIND - 1), ready(5, b"another token !!")
    assert told(alice) == contents(ping(1), last, other)


def id_of(frame: bytes) -> str | None:
    _, found, rest = frame.partition(b"\nid:")
    return rest.strip().decode() if found else None


def test_who_heard_last_of_somebody_waiting_comes_back_from_what_was_remembered() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    alice.begin([], last=ping(1).event_id)

    exchange.deliver(ready(7))
    exchange.deliver(ping(2))
    exchange.deliver(ready(8))

    names = [id_of(frame) for frame in frames(alice)]
    assert names == [ping(2).event_id.hex(), ping(2).event_id.hex()]


def test_somebody_waiting_has_the_name_of_what_was_remembered_before_the_stream() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    alice.begin([], last=ping(1).event_id)

    exchange.deliver(ready(7))

    assert [id_of(frame) for frame in frames(alice)] == [ping(1).event_id.hex()]


def test_where_nothing_is_remembered_somebody_waiting_has_no_name() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    alice.begin([], last=None)

    exchange.deliver(ready(7))

    assert [id_of(frame) for frame in frames(alice)] == [None]


# --- Who is there ---


def test_a_user_is_there_from_the_first_stream_to_the_end_of_the_last() -> None:
    exchange = Exchange()
    changes: list[tuple[OrganizationID, UserID]] = []
    exchange.watch(lambda *who: changes.append(who))

    first, second = listen(exchange), listen(exchange, ALICE, DeviceID(b"X" * 16))
    first.close()
    between = exchange.is_listening(ORGANIZATION, ALICE), exchange.listening()
    second.close()

    assert between == (True, {(ORGANIZATION, ALICE)})
    assert (exchange.is_listening(ORGANIZATION, ALICE), exchange.listening()) == (False, set())
    assert changes == [(ORGANIZATION, ALICE)] * 2


def test_nobody_is_there_in_another_organization() -> None:
    exchange = Exchange()
    listen(exchange)

    assert not exchange.is_listening(OrganizationID("Other"), ALICE)


def test_a_stream_that_ends_twice_ends_no_other() -> None:
    exchange = Exchange()
    first, _ = listen(exchange), listen(exchange, ALICE, DeviceID(b"X" * 16))

    first.close()
    first.close()

    assert exchange.is_listening(ORGANIZATION, ALICE)


# --- Waiting ---


async def test_who_waits_is_woken_by_an_event() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    waiting = asyncio.create_task(alice.wait(None))
    await asyncio.sleep(0)

    exchange.deliver(ping(1))

    assert await waiting is True


async def test_who_waits_is_woken_by_the_end() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    waiting = asyncio.create_task(alice.wait(None))
    await asyncio.sleep(0)

    exchange.stop()

    assert await waiting is True


async def test_who_waits_for_nothing_is_told_after_a_while() -> None:
    assert await listen(Exchange()).wait(0.001) is False
