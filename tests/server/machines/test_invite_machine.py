"""Invitations on a database, in any order and at once, against a small model (server-core.md 8)."""

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from msgspec.structs import replace

from parsec.data.ids import AccessToken
from parsec.data.people import EmailAddress, HumanHandle, UserProfile
from parsec.protocol.user import UserCreate
from parsec.server.rules import invite as rules
from parsec.server.service.user import user_create
from parsec.server.store import invite as store
from tests.server.machines.model_invite import Invitations
from tests.server.machines.model_people import People, Person
from tests.server.machines.requests_invite import InviteRequests
from tests.server.machines.serial import Asked
from tests.server.machines.stage import (
    ON_SQLITE,
    SECOND,
    SERVERS,
    Play,
    Stage,
    answer,
    notices,
    play,
)
from tests.support.newcomers import newcomer, papers
from tests.support.server_world import Member

LIFETIME = 600
PEOPLE = st.sampled_from(["Alice", "Adam", "Bob", "Oscar"])
EMAILS = st.sampled_from(["bob@example.com", "carol@example.com", "dave@example.com"])
NUMBERS = st.integers(0, 5)


class Inviting(Play[Invitations]):
    """Those of an organization invite, end invitations, and look at them."""

    SETTINGS: ClassVar = {"invitation_lifetime": LIFETIME}

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.requests = InviteRequests(self.story)

    def first_model(self, people: People) -> Invitations:
        return Invitations(people, lifetime=LIFETIME)

    def token(self, number: int) -> AccessToken:
        """Of an invitation, the last one first; of none if there are not so many."""
        tokens = [*self.model.by_token][::-1]
        return AccessToken(tokens[number]) if number < len(tokens) else AccessToken(bytes(16))

    # --- One by one ---

    @rule(author=PEOPLE, email=EMAILS, server=SERVERS)
    def invite_user(self, author: str, email: str, server: int) -> None:
        self.ask(self.requests.new_user(author, email, server))

    @rule(author=PEOPLE, server=SERVERS)
    def invite_device(self, author: str, server: int) -> None:
        self.ask(self.requests.new_device(author, server))

    @rule(author=PEOPLE, number=NUMBERS, server=SERVERS)
    def cancel(self, author: str, number: int, server: int) -> None:
        self.ask(self.requests.cancel(author, self.token(number), server))

    @rule(author=PEOPLE, number=NUMBERS, server=SERVERS)
    def complete(self, author: str, number: int, server: int) -> None:
        self.ask(self.requests.complete(author, self.token(number), server))

    @rule()
    def wait_for_the_last_instant_of_an_invitation(self) -> None:
        ends = [one.created_on + LIFETIME * SECOND for one in self.model.by_token.values()]
        pauses = [end - self.story.now for end in ends if end >= self.story.now]
        self.story.now = self.story.now.plus(microseconds=min(pauses, default=0))

    # --- At once ---

    @rule(author=PEOPLE, other=PEOPLE, email=EMAILS)
    def two_invite_one(self, author: str, other: str, email: str) -> None:
        self.ask(self.requests.new_user(author, email, 0), self.requests.new_user(other, email, 1))

    @rule(author=PEOPLE)
    def one_invites_devices(self, author: str) -> None:
        self.ask(*(self.requests.new_device(author, number % 2) for number in range(4)))

    @rule(author=PEOPLE, other=PEOPLE, number=NUMBERS)
    def an_invitation_ends_in_many_ways(self, author: str, other: str, number: int) -> None:
        token = self.token(number)
        self.ask(
            self.requests.cancel(author, token, 0),
            self.requests.complete(other, token, 1),
            self.requests.cancel(other, token, 1),
        )

    @rule(
        email=EMAILS,
        number=NUMBERS,
        name=st.sampled_from(["Adam", "Bob"]),
        is_meant=st.sampled_from([False, True]),
    )
    def the_author_is_kept_out_meanwhile(
        self, email: str, number: int, name: str, is_meant: bool
    ) -> None:
        self.ask(
            self.requests.new_user(name, email, 0),
            self.requests.complete(name, self.token(number), 0),
            self.revoking(name, 1) if is_meant else self.freezing(name, 1),
        )

    @rule(email=EMAILS, author=st.sampled_from(["Alice", "Adam"]))
    def an_address_is_enrolled_by_two_and_invited(self, email: str, author: str) -> None:
        count = len(self.story.members)
        self.ask(
            self.enrolling("Alice", Person(f"New {count}", email), 0),
            self.enrolling("Adam", Person(f"New {count + 1}", email, "ADMIN"), 1),
            self.requests.new_user(author, email, 1),
        )

    def enrolling(self, author: str, person: Person, server: int) -> Asked[Invitations]:
        now, member = self.story.at(server), self.story.members[author]
        new = newcomer(profile=UserProfile(person.profile))
        handle = HumanHandle(EmailAddress(person.email), person.name)
        signed = papers(new, author=member.device_id, timestamp=now)
        request = UserCreate(**signed.but("user", human_handle=handle).signed(member.key))
        # The model knows whether it is let in.
        self.story.members[person.name] = Member(
            user_id=new.user_id, human_handle=handle, device_id=new.device_id, key=new.key
        )
        return Asked(
            ("enroll", author, person, now),
            lambda model, _: model.people.create(author, person, now),
            lambda: answer(user_create(self.story.device(author, server), request)),
        )

    # --- What is shown ---

    @invariant()
    def lists_agree(self) -> None:
        for number, name in enumerate(self.model.people.by_name):
            self.ask(self.requests.list(name, number % 2))

    @invariant()
    def claimers_are_told(self) -> None:
        for number in range(3):
            self.ask(self.requests.info(self.token(number), number % 2))


def test_invitations_do_what_the_model_does(stage: Stage) -> None:
    play(Inviting, stage, stories=20, steps=25)


# --- What it would notice ---

state, check_invite_user = rules.invitation_state, rules.check_invite_user


async def nothing(*_: object, **__: object) -> None:
    """Writes nothing, finds nothing."""


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "anybody invites": (rules, "check_invite_user", lambda *_, **__: None),
    "anybody ends invitations": (rules, "_check_may_end", lambda *_, **__: None),
    "anybody sees invitations": (rules, "sees_user_invitations", lambda _: True),
    "an end is forgotten": (store, "end_invitation", nothing),
    "a revoked claimer is welcome": (
        rules,
        "invitation_state",
        lambda one, **more: state(replace(one, claimer_revoked_on=None), **more),
    ),
    "the last microsecond is not": (
        rules,
        "invitation_state",
        lambda one, *, now, lifetime: state(one, now=now.plus(microseconds=1), lifetime=lifetime),
    ),
    "frozen greeters are shown": (
        rules,
        "possible_greeters",
        lambda users: [one for one in users if one.revoked_on is None],
    ),
    "who is enrolled is invited": (
        rules,
        "check_invite_user",
        lambda author, *, enrolled: check_invite_user(author, enrolled=None),
    ),
}


@ON_SQLITE
@pytest.mark.parametrize("broken", BROKEN)
def test_the_machine_notices_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(*BROKEN[broken])

    assert notices(Inviting, stage)
