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
    MEMORY,
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
    return ping(number, content=content)


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
    last: EventID | None = None,
) -> Subscription:
    return exchange.subscribe(ORGANIZATION, user_id, device_id, last_event_id=last)


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


def test_who_comes_back_is_told_what_it_missed() -> None:
    exchange = Exchange()
    for number in range(1, 4):
        exchange.deliver(ping(number))

    alice = listen(exchange, last=ping(1).event_id)

    assert frames(alice) == [event_frame(ping(2)), event_frame(ping(3))]


def test_who_missed_nothing_is_told_nothing() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1))

    assert frames(listen(exchange, last=ping(1).event_id)) == []


def test_an_event_for_somebody_else_may_be_the_last_one() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1, recipients=frozenset({BOB})))
    exchange.deliver(ping(2))

    assert frames(listen(exchange, last=ping(1).event_id)) == [event_frame(ping(2))]


def test_who_comes_back_is_told_only_what_concerned_it() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1))
    exchange.deliver(ping(2, recipients=frozenset({BOB})))

    assert frames(listen(exchange, last=ping(1).event_id)) == []


def test_an_unknown_event_means_that_some_were_missed() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1))

    assert frames(listen(exchange, last=ping(9).event_id)) == [MISSED_EVENTS_FRAME]


def test_who_was_away_for_too_many_events_is_told_just_that() -> None:
    exchange = Exchange()
    for number in range(MAX_BEHIND + 2):
        exchange.deliver(ping(number))

    assert frames(listen(exchange, last=ping(0).event_id)) == [MISSED_EVENTS_FRAME]
    assert len(frames(listen(exchange, last=ping(1).event_id))) == MAX_BEHIND


def test_the_memory_of_a_busy_organization_takes_nothing_from_others() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1))
    exchange.deliver(ping(2))
    for number in range(MEMORY):
        exchange.deliver(ping(number, organization_id=OrganizationID("Busy")))

    assert frames(listen(exchange, last=ping(1).event_id)) == [event_frame(ping(2))]


def test_the_memory_of_an_organization_is_bounded() -> None:
    exchange = Exchange()
    for number in range(MEMORY + 1):
        exchange.deliver(ping(number, recipients=frozenset()))

    forgotten = listen(exchange, last=ping(0).event_id)
    remembered = listen(exchange, last=ping(1).event_id)

    assert (frames(forgotten), frames(remembered)) == ([MISSED_EVENTS_FRAME], [])


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


def test_who_waits_very_often_makes_nothing_forgotten() -> None:
    exchange = Exchange()
    exchange.deliver(ping(1))
    exchange.deliver(ping(2))
    for number in range(MEMORY):
        exchange.deliver(ready(number))

    alice = listen(exchange, last=ping(1).event_id)

    assert frames(alice) == [event_frame(ping(2))]


def test_who_heard_last_of_somebody_waiting_comes_back_from_there() -> None:
    exchange = Exchange()
    alice = listen(exchange)
    exchange.deliver(ping(1))
    exchange.deliver(ready(7))
    *_, last = frames(alice)
    exchange.deliver(ping(2))

    name = EventID.parse(last.split(b"\nid:")[1].strip().decode())

    assert frames(listen(exchange, last=name)) == [event_frame(ping(2))]


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
