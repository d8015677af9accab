"""The rules of greeting attempts against a small model of one session (server-core.md 9)."""

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parsec.data.ids import GreetingAttemptID
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.statuses import CancelledGreetingAttemptReason, GreeterOrClaimer
from parsec.server.records import GreetingAttemptRecord, GreetingStepRecord
from parsec.server.rules.greeting import (
    cancelled,
    check_active,
    check_cancellable,
    start,
    take_step,
)
from parsec.server.rules.greeting_step import Submission
from parsec.server.rules.refusal import Refused
from tests.support.server_records import NOW, administrator, sixteen_bytes, user_invitation

GREETER, CLAIMER = GreeterOrClaimer.GREETER, GreeterOrClaimer.CLAIMER
INVITATION = user_invitation()
ALICE = administrator()

SIDES = st.sampled_from(list(GreeterOrClaimer))
CONTENTS = st.sampled_from([b"", b"a", b"b"])


class Session(RuleBasedStateMachine):
    """Two sides do as they like with the attempts of one invitation and one greeter.

    The model knows no attempt but the last: who has joined it, whether it is over, and the list of
    what each side said in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attempts: dict[GreetingAttemptID, GreetingAttemptRecord] = {}
        self.steps: dict[tuple[GreetingAttemptID, int], GreetingStepRecord] = {}
        self.joined: set[GreeterOrClaimer] = set()
        self.is_over = True
        self.said: dict[GreeterOrClaimer, list[bytes]] = {}

    @rule(side=SIDES)
    def start(self, side: GreeterOrClaimer) -> None:
        expects_fresh = self.is_over or side in self.joined

        begun = start(
            self._active(),
            side=side,
            token=INVITATION.token,
            greeter=ALICE.user_id,
            fresh_id=GreetingAttemptID(sixteen_bytes()),
            now=NOW,
        )

        for changed in filter(None, [begun.replaced, begun.attempt]):
            self.attempts[changed.greeting_attempt_id] = changed
        if expects_fresh:
            self.joined, self.is_over = set(), False
            self.said = {GREETER: [], CLAIMER: []}
            self.last = begun.attempt.greeting_attempt_id
        assert begun.attempt.greeting_attempt_id == self.last
        self.joined.add(side)

    @precondition(lambda self: self.attempts)
    @rule(side=SIDES, reason=st.sampled_from(list(CancelledGreetingAttemptReason)))
    def cancel(self, side: GreeterOrClaimer, reason: CancelledGreetingAttemptReason) -> None:
        last = self.attempts[self.last]
        try:
            check_cancellable(last, side)
        except Refused:
            assert self.is_over or side not in self.joined
            return
        assert not self.is_over
        assert side in self.joined
        self.attempts[self.last] = cancelled(last, side, reason, now=NOW)
        self.is_over = True

    @precondition(lambda self: self.attempts)
    @rule(side=SIDES, ahead=st.integers(-2, 2), content=CONTENTS)
    def step(self, side: GreeterOrClaimer, ahead: int, content: bytes) -> None:
        own, peer = self.said[side], self.said[_other(side)]
        number = max(0, len(own) + ahead)

        found = self._take(side, Submission(number, content))

        if self.is_over or side not in self.joined:
            assert isinstance(
                found, statuses.GreetingAttemptCancelled | statuses.GreetingAttemptNotJoined
            )
        elif number > min(len(own), len(peer)):
            assert found == statuses.StepTooAdvanced()
        elif number < len(own) and own[number] != content:
            assert found == statuses.StepMismatch()
        else:
            if number == len(own):
                own.append(content)
            assert found == (peer[number] if number < len(peer) else None)

    @invariant()
    def at_most_one_attempt_is_active(self) -> None:
        assert sum(one.cancelled is None for one in self.attempts.values()) <= 1

    @invariant()
    def nobody_is_more_than_one_step_ahead(self) -> None:
        if self.said:
            assert abs(len(self.said[GREETER]) - len(self.said[CLAIMER])) <= 1

    def _active(self) -> GreetingAttemptRecord | None:
        active = [one for one in self.attempts.values() if one.cancelled is None]
        return active[0] if active else None

    def _take(self, side: GreeterOrClaimer, submission: Submission) -> bytes | Reply | None:
        number = submission.number
        current = self.steps.get((self.last, number))
        try:
            check_active(self.attempts[self.last], side)
            progress = take_step(
                self.steps.get((self.last, number - 1)), current, side=side, submission=submission
            )
        except Refused as refused:
            return refused.reply
        if progress.is_first_time:
            field = "greeter_data" if side is GREETER else "claimer_data"
            nothing = GreetingStepRecord(step=number, greeter_data=None, claimer_data=None)
            self.steps[self.last, number] = msgspec.structs.replace(
                current or nothing, **{field: submission.data}
            )
        return progress.peer_data


TestSession = Session.TestCase


def _other(side: GreeterOrClaimer) -> GreeterOrClaimer:
    return CLAIMER if side is GREETER else GREETER
