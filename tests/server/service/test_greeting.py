"""Greeting attempts on a database, alone and at the same time (server-core.md 4.3, 9, 15)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import pytest

from parsec.crypto.keys import HashDigest, PublicKey
from parsec.data.ids import AccessToken, GreetingAttemptID
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import greeting as wire
from parsec.protocol import invite, statuses
from parsec.protocol.command import MergedReply, Reply
from parsec.protocol.events import (
    GreetingAttemptCancelledEvent,
    GreetingAttemptJoinedEvent,
    GreetingAttemptReadyEvent,
    InvitationEvent,
)
from parsec.protocol.statuses import CancelledGreetingAttemptReason
from parsec.protocol.versions import ApiVersion
from parsec.server.records import Notification
from parsec.server.rules.refusal import Refused, Rejected
from parsec.server.service.greeting import (
    invite_claimer_cancel_greeting_attempt,
    invite_claimer_start_greeting_attempt,
    invite_claimer_step,
    invite_greeter_cancel_greeting_attempt,
    invite_greeter_start_greeting_attempt,
    invite_greeter_step,
)
from parsec.server.service.invite import invite_complete, invite_info, invite_new_user
from parsec.server.store.event_bytes import load_event
from tests.support.server_records import NOW
from tests.support.server_world import Member, World, world

MANUALLY = CancelledGreetingAttemptReason.MANUALLY_CANCELLED

GREETER_STEPS: list[wire.GreeterStep] = [
    wire.GreeterStep0WaitPeer(public_key=PublicKey(b"g" * 32)),
    wire.GreeterStep1GetHashedNonce(),
    wire.GreeterStep2SendNonce(greeter_nonce=b"greeter nonce"),
    wire.GreeterStep3GetNonce(),
    wire.GreeterStep4WaitPeerTrust(),
    wire.GreeterStep5SignifyTrust(),
    wire.GreeterStep6GetPayload(),
    wire.GreeterStep7SendPayload(greeter_payload=b"greeter payload"),
    wire.GreeterStep8WaitPeerAcknowledgment(),
]
CLAIMER_STEPS: list[wire.ClaimerStep] = [
    wire.ClaimerStep0WaitPeer(public_key=PublicKey(b"c" * 32)),
    wire.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest(b"h" * 32)),
    wire.ClaimerStep2GetNonce(),
    wire.ClaimerStep3SendNonce(claimer_nonce=b"claimer nonce"),
    wire.ClaimerStep4SignifyTrust(),
    wire.ClaimerStep5WaitPeerTrust(),
    wire.ClaimerStep6SendPayload(claimer_payload=b"claimer payload"),
    wire.ClaimerStep7GetPayload(),
    wire.ClaimerStep8Acknowledge(),
]


class Meeting:
    """An administrator and the holder of an invitation of a user."""

    def __init__(self, place: World, alice: Member, token: AccessToken) -> None:
        self.place = place
        self.alice = alice
        self.token = token

    async def greeter_starts(self) -> GreetingAttemptID:
        reply = await invite_greeter_start_greeting_attempt(
            self.place.device(self.alice),
            wire.InviteGreeterStartGreetingAttempt(token=self.token),
        )
        assert isinstance(reply, wire.InviteGreeterStartGreetingAttemptOk)
        return reply.greeting_attempt

    async def claimer_starts(self) -> GreetingAttemptID:
        reply = await invite_claimer_start_greeting_attempt(
            self.place.claimer(self.token),
            wire.InviteClaimerStartGreetingAttempt(greeter=self.alice.user_id),
        )
        assert isinstance(reply, wire.InviteClaimerStartGreetingAttemptOk)
        return reply.greeting_attempt

    async def both_start(self) -> GreetingAttemptID:
        attempt = await self.greeter_starts()
        assert await self.claimer_starts() == attempt
        return attempt

    async def greeter_takes(self, attempt: GreetingAttemptID, step: wire.GreeterStep) -> Reply:
        return await answer(
            invite_greeter_step(
                self.place.device(self.alice),
                wire.InviteGreeterStep(greeting_attempt=attempt, greeter_step=step),
            )
        )

    async def claimer_takes(self, attempt: GreetingAttemptID, step: wire.ClaimerStep) -> Reply:
        return await answer(
            invite_claimer_step(
                self.place.claimer(self.token),
                wire.InviteClaimerStep(greeting_attempt=attempt, claimer_step=step),
            )
        )

    async def greeter_cancels(self, attempt: GreetingAttemptID) -> Reply:
        return await answer(
            invite_greeter_cancel_greeting_attempt(
                self.place.device(self.alice),
                wire.InviteGreeterCancelGreetingAttempt(greeting_attempt=attempt, reason=MANUALLY),
            )
        )

    async def claimer_cancels(self, attempt: GreetingAttemptID) -> Reply:
        return await answer(
            invite_claimer_cancel_greeting_attempt(
                self.place.claimer(self.token),
                wire.InviteClaimerCancelGreetingAttempt(greeting_attempt=attempt, reason=MANUALLY),
            )
        )


async def answer(command: Awaitable[Reply]) -> Reply:
    """What the caller is told, accepted or refused."""
    try:
        return await command
    except Refused as refused:
        return refused.reply


@pytest.fixture
async def meeting() -> AsyncIterator[Meeting]:
    async with world() as place:
        alice = await place.add_member("alice", UserProfile.ADMIN)
        reply = await invite_new_user(
            place.device(alice),
            invite.InviteNewUser(claimer_email=EmailAddress("new@example.com"), send_email=False),
        )
        assert isinstance(reply, invite.InviteNewUserOk)
        place.events.clear()
        yield Meeting(place, alice, reply.token)


# --- Alone ---


async def test_a_whole_conversation_hands_each_side_what_the_other_said(
    meeting: Meeting,
) -> None:
    attempt = await meeting.both_start()

    heard_by_greeter, heard_by_claimer = [], []
    for greeter_step, claimer_step in zip(GREETER_STEPS, CLAIMER_STEPS, strict=True):
        assert await meeting.greeter_takes(attempt, greeter_step) == statuses.NotReady()
        heard_by_claimer.append(await meeting.claimer_takes(attempt, claimer_step))
        heard_by_greeter.append(await meeting.greeter_takes(attempt, greeter_step))

    assert heard_by_claimer == [
        wire.InviteClaimerStepOk(greeter_step=step) for step in GREETER_STEPS
    ]
    assert heard_by_greeter == [
        wire.InviteGreeterStepOk(claimer_step=step) for step in CLAIMER_STEPS
    ]


async def test_the_devices_of_the_greeter_follow_the_beginning_and_the_end(
    meeting: Meeting,
) -> None:
    attempt = await meeting.both_start()

    await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])
    await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])
    await meeting.greeter_takes(attempt, GREETER_STEPS[0])
    await meeting.claimer_takes(attempt, CLAIMER_STEPS[1])
    await meeting.claimer_cancels(attempt)

    told: dict[str, Any] = {"token": meeting.token, "greeting_attempt": attempt}
    assert meeting.place.told(meeting.alice) == [
        [
            GreetingAttemptReadyEvent(**told),
            GreetingAttemptReadyEvent(**told),
            GreetingAttemptJoinedEvent(**told),
            GreetingAttemptCancelledEvent(**told),
        ]
    ]


async def test_a_refused_step_stores_nothing(meeting: Meeting) -> None:
    attempt = await meeting.both_start()

    refused = await meeting.greeter_takes(attempt, GREETER_STEPS[1])
    await meeting.greeter_takes(attempt, GREETER_STEPS[0])
    await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])
    claimers = await meeting.claimer_takes(attempt, CLAIMER_STEPS[1])

    assert refused == statuses.StepTooAdvanced()
    assert claimers == statuses.NotReady()


async def test_what_was_said_stays_after_a_mismatch(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.greeter_takes(attempt, GREETER_STEPS[0])

    other = wire.GreeterStep0WaitPeer(public_key=PublicKey(b"x" * 32))
    refused = await meeting.greeter_takes(attempt, other)

    assert refused == statuses.StepMismatch()
    assert await meeting.claimer_takes(attempt, CLAIMER_STEPS[0]) == wire.InviteClaimerStepOk(
        greeter_step=GREETER_STEPS[0]
    )


async def test_a_claimer_is_told_when_the_greeter_last_came(meeting: Meeting) -> None:
    await meeting.both_start()
    meeting.place.now = NOW.plus(seconds=5)
    await meeting.greeter_starts()

    info = await invite_info(meeting.place.claimer(meeting.token), invite.InviteInfo())

    assert isinstance(info, invite.InviteInfoOkUser)
    assert [one.last_greeting_attempt_joined_on for one in info.administrators] == [
        NOW.plus(seconds=5)
    ]


async def attempts(place: World) -> int:
    async with place.engine.transaction(write=False) as transaction:
        ((number,),) = await transaction.rows("SELECT COUNT(*) FROM greeting_attempt")
    assert isinstance(number, int)
    return number


async def test_a_claimer_who_starts_again_and_again_fills_no_database(meeting: Meeting) -> None:
    await meeting.greeter_starts()
    greeter_came_on = meeting.place.now

    numbers = set()
    for _ in range(20):
        meeting.place.now = meeting.place.now.plus(seconds=1)
        attempt = await meeting.claimer_starts()
        meeting.place.now = meeting.place.now.plus(seconds=1)
        await meeting.claimer_cancels(attempt)
        numbers.add(await attempts(meeting.place))

    assert max(numbers) <= 4
    info = await invite_info(meeting.place.claimer(meeting.token), invite.InviteInfo())
    assert isinstance(info, invite.InviteInfoOkUser)
    assert info.administrators[0].last_greeting_attempt_joined_on == greeter_came_on


async def test_however_often_a_side_starts_the_other_learns_what_became_of_its_attempt(
    meeting: Meeting,
) -> None:
    attempt = await meeting.both_start()
    for _ in range(5):
        meeting.place.now = meeting.place.now.plus(seconds=1)
        await meeting.claimer_starts()

    reply = await meeting.greeter_takes(attempt, GREETER_STEPS[0])

    assert isinstance(reply, statuses.GreetingAttemptCancelled)
    assert reply.reason is CancelledGreetingAttemptReason.AUTOMATICALLY_CANCELLED


async def test_who_only_waits_keeps_no_writer_away(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])

    async with meeting.place.engine.transaction(write=True):
        again = await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])

    assert again == statuses.NotReady()
    ready = GreetingAttemptReadyEvent(token=meeting.token, greeting_attempt=attempt)
    assert meeting.place.told(meeting.alice) == [[ready, ready]]


async def test_of_a_meeting_what_is_news_is_remembered_and_no_more(meeting: Meeting) -> None:
    attempt = await meeting.both_start()

    for _ in range(3):
        await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])
    for _ in range(3):
        await meeting.greeter_takes(attempt, GREETER_STEPS[0])

    names: dict[str, Any] = {"token": meeting.token, "greeting_attempt": attempt}
    ready, joined = GreetingAttemptReadyEvent(**names), GreetingAttemptJoinedEvent(**names)
    assert meeting.place.told(meeting.alice) == [[ready] * 3 + [joined] * 3]
    invited, *later = await remembered(meeting.place)
    assert isinstance(invited, InvitationEvent)
    assert later == [joined]


async def remembered(place: World) -> list[MergedReply]:
    async with place.engine.transaction(write=False) as transaction:
        rows = await transaction.rows("SELECT content FROM remembered_event ORDER BY number")
    events = [load_event(content) for (content,) in rows]
    return [event.content for event in events if isinstance(event, Notification)]


async def test_a_greeter_who_lost_the_right_stops_in_the_middle(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.place.change(meeting.alice, profile=UserProfile.STANDARD)

    greeters = await meeting.greeter_takes(attempt, GREETER_STEPS[0])
    claimers = await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])

    assert (greeters, claimers) == (statuses.AuthorNotAllowed(), statuses.GreeterNotAllowed())


async def test_a_frozen_greeter_cannot_be_met(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.place.change(meeting.alice, is_frozen=True)

    claimers = await meeting.claimer_takes(attempt, CLAIMER_STEPS[0])

    assert claimers == statuses.GreeterNotAllowed()


async def test_sides_that_compute_other_codes_are_refused(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    old = ApiVersion(5, 1)

    with pytest.raises(Rejected) as greeters:
        await invite_greeter_step(
            meeting.place.device(meeting.alice, api_version=old),
            wire.InviteGreeterStep(greeting_attempt=attempt, greeter_step=GREETER_STEPS[0]),
        )
    with pytest.raises(Rejected) as claimers:
        await invite_claimer_step(
            meeting.place.claimer(meeting.token, api_version=old),
            wire.InviteClaimerStep(greeting_attempt=attempt, claimer_step=CLAIMER_STEPS[0]),
        )

    assert greeters.value.verdict.status == claimers.value.verdict.status == 422


async def steps_kept(place: World) -> int:
    async with place.engine.transaction(write=False) as transaction:
        ((count,),) = await transaction.rows("SELECT COUNT(*) FROM greeting_step")
    return int(count)


async def test_what_was_said_is_forgotten_when_an_attempt_ends(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.greeter_takes(attempt, GREETER_STEPS[0])
    assert await steps_kept(meeting.place) == 1

    await meeting.claimer_starts()

    assert await steps_kept(meeting.place) == 0


async def test_what_was_said_is_forgotten_when_an_invitation_ends(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    await meeting.greeter_takes(attempt, GREETER_STEPS[0])

    await invite_complete(
        meeting.place.device(meeting.alice), invite.InviteComplete(token=meeting.token)
    )

    assert await steps_kept(meeting.place) == 0


# --- At the same time ---


async def at_once(*commands: Awaitable[Any]) -> Sequence[Any]:
    return await asyncio.gather(*commands)


async def test_two_sides_that_start_together_meet(meeting: Meeting) -> None:
    greeters, claimers = await at_once(meeting.greeter_starts(), meeting.claimer_starts())

    assert greeters == claimers


async def test_of_many_starts_of_a_side_the_last_one_counts(meeting: Meeting) -> None:
    attempts = await at_once(*(meeting.greeter_starts() for _ in range(20)))

    assert len(set(attempts)) == 20
    answers = [await meeting.greeter_takes(one, GREETER_STEPS[0]) for one in attempts]
    assert [type(one) for one in answers].count(statuses.NotReady) == 1
    assert [type(one) for one in answers].count(statuses.GreetingAttemptCancelled) == 19


async def test_the_two_first_steps_taken_together_find_each_other(meeting: Meeting) -> None:
    attempt = await meeting.both_start()

    greeters, claimers = await at_once(
        meeting.greeter_takes(attempt, GREETER_STEPS[0]),
        meeting.claimer_takes(attempt, CLAIMER_STEPS[0]),
    )

    met = [
        isinstance(greeters, wire.InviteGreeterStepOk),
        isinstance(claimers, wire.InviteClaimerStepOk),
    ]
    assert met.count(True) == 1
    assert met.count(False) == [greeters, claimers].count(statuses.NotReady())


async def test_of_different_contents_sent_together_one_is_kept(meeting: Meeting) -> None:
    attempt = await meeting.both_start()
    contents = [
        wire.GreeterStep0WaitPeer(public_key=PublicKey(bytes([number]) * 32))
        for number in range(20)
    ]

    answers = await at_once(*(meeting.greeter_takes(attempt, one) for one in contents))

    assert answers.count(statuses.NotReady()) == 1
    assert answers.count(statuses.StepMismatch()) == 19
    kept = contents[answers.index(statuses.NotReady())]
    assert await meeting.claimer_takes(attempt, CLAIMER_STEPS[0]) == wire.InviteClaimerStepOk(
        greeter_step=kept
    )


async def test_both_sides_cancel_together_and_one_of_them_does_it(meeting: Meeting) -> None:
    attempt = await meeting.both_start()

    answers = await at_once(
        *(meeting.greeter_cancels(attempt) for _ in range(5)),
        *(meeting.claimer_cancels(attempt) for _ in range(5)),
    )

    assert answers.count(statuses.Ok()) == 1
    others = {one for one in answers if one != statuses.Ok()}
    assert {type(one) for one in others} == {statuses.GreetingAttemptAlreadyCancelled}
    assert len(others) == 1
    assert meeting.place.told(meeting.alice) == [
        [GreetingAttemptCancelledEvent(token=meeting.token, greeting_attempt=attempt)]
    ]


async def test_an_address_invited_many_times_together_has_one_invitation() -> None:
    async with world() as place:
        authors = [
            await place.add_member(f"admin{number}", UserProfile.ADMIN) for number in range(5)
        ]
        request = invite.InviteNewUser(
            claimer_email=EmailAddress("new@example.com"), send_email=False
        )

        replies = await at_once(
            *(invite_new_user(place.device(author), request) for author in authors * 4)
        )

    assert len({reply.token for reply in replies}) == 1
