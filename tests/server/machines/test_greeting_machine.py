"""Greeting attempts on a database, in any order and at once, against a small model.

Of server-core.md 4.3 and 9.
"""

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from msgspec.structs import replace as changed

from parsec.data.ids import AccessToken, GreetingAttemptID
from parsec.protocol.statuses import GreeterOrClaimer
from parsec.server.rules import greeting as rules
from parsec.server.rules.invite import may_greet
from parsec.server.store import greeting as store
from tests.server.machines.model_greeting import CLAIMER, GREETER, Greetings
from tests.server.machines.model_people import People
from tests.server.machines.model_shamir import DeletionPapers, SetupPapers
from tests.server.machines.requests_greeting import NOBODY, GreetingRequests
from tests.server.machines.requests_invite import InviteRequests
from tests.server.machines.requests_shamir import ShamirRequests
from tests.server.machines.serial import Asked
from tests.server.machines.stage import ON_SQLITE, SERVERS, Play, Stage, notices, play

LIFETIME = 3600
# Who is met is Adam more often than not, so that conversations get on.
GREETERS = st.sampled_from(["Adam", "Adam", "Adam", "Alice", "Bob", "Oscar"])
CALLED = st.sampled_from(["Adam", "Adam", "Adam", "Alice", "Bob", "Oscar", NOBODY])
SIDES = st.sampled_from([GREETER, CLAIMER])
# The last attempt, or one before.
BACK = st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2, 3, 5])
AHEAD = st.sampled_from([-2, -1, 0, 0, 0, 0, 1])
VARIANTS = st.sampled_from([0, 0, 0, 0, 1])
REASONS = st.sampled_from(
    ["MANUALLY_CANCELLED", "INVALID_SAS_CODE", "INCONSISTENT_PAYLOAD", "AUTOMATICALLY_CANCELLED"]
)
# Of a new user, of the recovery of Bob, of a device of Bob, and of nobody.
INVITATIONS = st.sampled_from([0, 0, 0, 1, 1, 2, 3])


class Greeting(Play[Greetings]):
    """Greeters and claimers of three invitations do as they like."""

    SETTINGS: ClassVar = {"invitation_lifetime": LIFETIME}

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.requests = GreetingRequests(self.story)
        self.invites = InviteRequests(self.story)
        self.recoveries = ShamirRequests(self.story)

    def first_model(self, people: People) -> Greetings:
        return Greetings(people, lifetime=LIFETIME)

    @initialize()
    def invite(self) -> None:
        self.set_up = SetupPapers(
            author="Bob",
            dated=self.story.now,
            threshold=2,
            shares=(("Adam", 1), ("Oscar", 1)),
            certificates=(("Adam", ""), ("Oscar", "")),
            secret=b"reveal token !!!",
        )
        self.ask(self.recoveries.set_up(self.set_up, 0))
        self.tokens: list[AccessToken] = []
        self.invite_again()

    @rule()
    def invite_again(self) -> None:
        """What ended is invited again, the rest is found again."""
        for asked in (
            self.invites.new_user("Alice", "carol@example.com", 0),
            self.invites.new_shamir("Oscar", "Bob", 0),
            self.invites.new_device("Bob", 0),
        ):
            ((_, fields),) = self.ask(asked)
            token = fields.get("token")
            if token is not None and token not in self.tokens:
                self.tokens.append(token)

    # --- One by one ---

    @rule(author=GREETERS, invitation=INVITATIONS, server=SERVERS)
    def greeter_starts(self, author: str, invitation: int, server: int) -> None:
        self.ask(self.requests.greeter_starts(author, self.token(invitation), server))

    @rule(invitation=INVITATIONS, greeter=CALLED, server=SERVERS)
    def claimer_starts(self, invitation: int, greeter: str, server: int) -> None:
        self.ask(self.requests.claimer_starts(self.token(invitation), greeter, server))

    @rule(side=SIDES, back=BACK, ahead=AHEAD, variant=VARIANTS, server=SERVERS)
    def take(self, side: str, back: int, ahead: int, variant: int, server: int) -> None:
        self.ask(self.taking(side, back, ahead, variant, server))

    @rule(greeter=GREETERS, invitation=INVITATIONS, count=st.integers(1, 9))
    def meet(self, greeter: str, invitation: int, count: int) -> None:
        """From the beginning, and so far."""
        token = self.token(invitation)
        self.ask(self.requests.greeter_starts(greeter, token, 0))
        self.ask(self.requests.claimer_starts(token, greeter, 1))
        for number in range(count):
            self.ask(self.taking(GREETER, 0, 0, 0, number % 2))
            self.ask(self.taking(CLAIMER, 0, 0, 0, 0))

    @rule(side=SIDES, back=BACK, server=SERVERS)
    def say_otherwise(self, side: str, back: int, server: int) -> None:
        for ahead in (-1, -2, -3):
            self.ask(self.taking(side, back, ahead, 1, server))

    @rule(author=GREETERS, back=BACK, number=st.integers(0, 8))
    def another_greeter_takes(self, author: str, back: int, number: int) -> None:
        self.ask(self.requests.greeter_takes(author, self.attempt(back), number, 0, 0))

    @rule(back=BACK, number=st.integers(0, 8))
    def other_claimers_take(self, back: int, number: int) -> None:
        for invitation in range(3):
            token = self.token(invitation)
            self.ask(self.requests.claimer_takes(token, self.attempt(back), number, 0, 0))

    @rule(side=SIDES, back=BACK, reason=REASONS, server=SERVERS)
    def cancel(self, side: str, back: int, reason: str, server: int) -> None:
        self.ask(self.cancelling(side, back, reason, server))

    @rule(
        author=GREETERS,
        invitation=INVITATIONS,
        how=st.sampled_from(["complete", "cancel", "delete"]),
    )
    def end_invitation(self, author: str, invitation: int, how: str) -> None:
        match how:
            case "complete":
                self.ask(self.invites.complete(author, self.token(invitation), 1))
            case "cancel":
                self.ask(self.invites.cancel(author, self.token(invitation), 1))
            case _:
                self.ask(self.deleting(0))

    # --- At once ---

    @rule(greeter=GREETERS, invitation=INVITATIONS, again=st.sampled_from([0, 0, 1, 2]))
    def both_sides_start(self, greeter: str, invitation: int, again: int) -> None:
        token = self.token(invitation)
        self.ask(
            self.requests.greeter_starts(greeter, token, 0),
            self.requests.claimer_starts(token, greeter, 1),
            *(self.requests.greeter_starts(greeter, token, 1) for _ in range(again)),
        )

    @rule(back=BACK, variant=VARIANTS, ahead=AHEAD)
    def both_sides_take(self, back: int, variant: int, ahead: int) -> None:
        self.ask(
            self.taking(GREETER, back, 0, 0, 0),
            self.taking(CLAIMER, back, 0, 0, 1),
            self.taking(GREETER, back, ahead, variant, 1),
            self.taking(CLAIMER, back, 1, variant, 0),
        )

    @rule(back=BACK, reason=REASONS)
    def both_sides_cancel(self, back: int, reason: str) -> None:
        self.ask(
            self.cancelling(GREETER, back, reason, 0),
            self.cancelling(CLAIMER, back, "MANUALLY_CANCELLED", 1),
            self.taking(CLAIMER, back, 0, 0, 0),
            self.taking(GREETER, back, 0, 0, 1),
        )

    @rule(back=BACK)
    def a_side_starts_again_meanwhile(self, back: int) -> None:
        token, greeter = self.session(back)
        self.ask(
            self.requests.claimer_starts(token, greeter, 1),
            self.taking(GREETER, back, 0, 0, 0),
            self.cancelling(GREETER, back, "INVALID_SAS_CODE", 0),
            self.requests.greeter_starts(greeter, token, 0),
        )

    @rule(back=BACK, how=st.sampled_from(["freeze", "revoke", "complete", "delete"]))
    def it_is_over_meanwhile(self, back: int, how: str) -> None:
        token, greeter = self.session(back)
        other: Asked[Greetings]
        match how:
            case "freeze":
                other = self.freezing(greeter if greeter in ("Adam", "Bob") else "Bob", 1)
            case "revoke":
                other = self.revoking("Bob", 1)
            case "complete":
                other = self.invites.complete(greeter, token, 1)
            case _:
                other = self.deleting(1)
        self.ask(
            self.taking(GREETER, back, 0, 0, 0),
            self.taking(CLAIMER, back, 0, 0, 0),
            self.requests.claimer_starts(token, greeter, 1),
            other,
        )

    # --- Requests that rest on what happened ---

    def token(self, number: int) -> AccessToken:
        last = self.tokens[::-1]
        return last[number] if number < len(last) else AccessToken(bytes(16))

    def attempt(self, back: int) -> GreetingAttemptID:
        names = [*self.model.attempts][::-1]
        return GreetingAttemptID(names[back] if back < len(names) else bytes(16))

    def session(self, back: int) -> tuple[AccessToken, str]:
        attempt = self.model.attempts.get(self.attempt(back))
        if attempt is None:
            return self.token(0), "Adam"
        return AccessToken(attempt.token), attempt.greeter

    def taking(
        self, side: str, back: int, ahead: int, variant: int, server: int
    ) -> Asked[Greetings]:
        """The step that is next for a side, or one so many steps from it."""
        name, (token, greeter) = self.attempt(back), self.session(back)
        attempt = self.model.attempts.get(name)
        said = [number for number, of in attempt.said if of == side] if attempt else []
        number = min(max(len(said) + ahead, 0), 8)
        if side == GREETER:
            return self.requests.greeter_takes(greeter, name, number, variant, server)
        return self.requests.claimer_takes(token, name, number, variant, server)

    def cancelling(self, side: str, back: int, reason: str, server: int) -> Asked[Greetings]:
        name, (token, greeter) = self.attempt(back), self.session(back)
        if side == GREETER:
            return self.requests.greeter_cancels(greeter, name, reason, server)
        return self.requests.claimer_cancels(token, name, reason, server)

    def deleting(self, server: int) -> Asked[Greetings]:
        papers = DeletionPapers(
            author="Bob",
            dated=self.story.at(server),
            owner="Bob",
            setup=self.set_up.dated,
            recipients=frozenset(["Adam", "Oscar"]),
        )
        return self.recoveries.delete(papers, server)

    # --- What is shown ---

    @invariant()
    def claimers_are_told(self) -> None:
        for number in range(3):
            self.ask(self.invites.info(self.token(number), number % 2))

    @invariant()
    def both_sides_find_attempts_as_they_were_left(self) -> None:
        """By a step that is too far ahead, which changes nothing."""
        for back in range(2):
            attempt = self.model.attempts.get(self.attempt(back))
            if attempt is not None and (7, GREETER) not in attempt.said:
                name, (token, greeter) = self.attempt(back), self.session(back)
                self.ask(self.requests.greeter_takes(greeter, name, 8, 0, back % 2))
                self.ask(self.requests.claimer_takes(token, name, 8, 0, back % 2))


def test_greetings_do_what_the_model_does(stage: Stage) -> None:
    play(Greeting, stage, stories=15, steps=25)


# --- What it would notice ---

start, take_step, cancelled = rules.start, rules.take_step, rules.cancelled
check_claimer = rules.check_claimer


async def nothing(*_: object, **__: object) -> None:
    """Writes nothing, finds nothing."""


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "who starts again goes on": (rules, "_joined_on", lambda *_: None),
    "steps come in any order": (rules, "_is_complete", lambda _: True),
    "other words replace the first": (
        rules,
        "take_step",
        lambda former, current, *, side, submission: changed(
            take_step(
                former,
                current and changed(current, **{f"{side.lower()}_data": None}),
                side=side,
                submission=submission,
            )
        ),
    ),
    "nobody has to join": (rules, "_check_joined", lambda *_: None),
    "the other side is blamed": (
        rules,
        "cancelled",
        lambda attempt, _, reason, *, now: cancelled(
            attempt, GreeterOrClaimer.CLAIMER, reason, now=now
        ),
    ),
    "frozen greeters are met": (
        rules,
        "may_greet",
        lambda one, user, **more: may_greet(one, changed(user, is_frozen=False), **more),
    ),
    "the attempts of all invitations are open": (
        rules,
        "check_claimer",
        lambda one, encounter: check_claimer(
            changed(one, token=encounter.attempt.token) if encounter else one, encounter
        ),
    ),
    "an end is forgotten at once": (
        store,
        "FORGET_ATTEMPTS",
        store.FORGET_ATTEMPTS[: store.FORGET_ATTEMPTS.index("cancelled_on <")]
        + "cancelled_on IS NOT NULL",
    ),
    "words are forgotten": (store, "save_step", nothing),
}


@ON_SQLITE
@pytest.mark.parametrize("broken", BROKEN)
def test_the_machine_notices_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(*BROKEN[broken])

    assert notices(Greeting, stage)
