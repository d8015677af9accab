"""Shared recoveries on a database, in any order and at once, against a small model.

Of server-core.md 4, 8 and 11.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from msgspec.structs import replace as changed

from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.server.rules import invite
from parsec.server.rules import shamir as rules
from parsec.server.rules.timestamp import check_greater
from parsec.server.store import shamir as store
from tests.server.machines.model_invite import Setup
from tests.server.machines.model_people import People
from tests.server.machines.model_shamir import DeletionPapers, Recoveries, SetupPapers
from tests.server.machines.requests_invite import InviteRequests
from tests.server.machines.requests_shamir import NOBODY, ShamirRequests
from tests.server.machines.serial import Asked
from tests.server.machines.stage import ON_SQLITE, SECOND, SERVERS, Play, Stage, notices, play

OWNERS = st.sampled_from(["Bob", "Bob", "Alice"])
RECIPIENTS = st.sampled_from(["Adam", "Alice", "Oscar", "Adam", "Alice", "Oscar", "Bob", NOBODY])
SHARES = st.lists(
    st.tuples(RECIPIENTS, st.integers(1, 3)), min_size=1, max_size=3, unique_by=lambda one: one[0]
)
SECRETS = st.sampled_from([b"reveal token !!!", b"another token !!"])
NUMBERS = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
# Most papers are good; a strategy of its own, so that the good ones stay most.
MOSTLY_NOW = st.sampled_from(
    [0, 0, 0, 0, 0, 1, -1, -30 * SECOND, 300 * SECOND, 300 * SECOND - 1, -320 * SECOND]
)
BRIEF_FLAWS = st.sampled_from(["", "", "", "", "", "", "signature", "author", "user", "threshold"])
SHARES_FLAWS = st.sampled_from(
    ["", "", "", "", "", "", "", "signature", "author", "user", "date", "less", "twice", "another"]
)
DELETION_FLAWS = st.sampled_from(
    ["", "", "", "", "signature", "author", "owner", "less", "more", "unknown"]
)


class Recovering(Play[Recoveries]):
    """Bob and Alice set up recoveries, delete them, and are invited to recover."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.invites = InviteRequests(self.story)
        self.requests = ShamirRequests(self.story)

    def first_model(self, people: People) -> Recoveries:
        return Recoveries(people)

    def token(self, number: int) -> AccessToken:
        """Of an invitation, the last one first; of none if there are not so many."""
        tokens = [*self.model.by_token][::-1]
        return AccessToken(tokens[number]) if number < len(tokens) else AccessToken(bytes(16))

    @initialize()
    def begin(self) -> None:
        self.set_up("Bob", b"reveal token !!!", 0)
        self.invite("Adam", "Bob", 0)

    # --- One by one ---

    @rule(owner=OWNERS, shares=SHARES, off=MOSTLY_NOW, flaw=BRIEF_FLAWS, server=SERVERS)
    def set_up_anew(
        self, owner: str, shares: list[tuple[str, int]], off: int, flaw: str, server: int
    ) -> None:
        self.delete_the_last(owner)
        papers = replace(self.papers(owner, server, shares, off=off), flaw=flaw)
        self.ask(self.requests.set_up(papers, server))

    @rule(owner=OWNERS, shares=SHARES, flaw=SHARES_FLAWS)
    def set_up_anew_with_such_shares(
        self, owner: str, shares: list[tuple[str, int]], flaw: str
    ) -> None:
        self.delete_the_last(owner)
        papers = self.papers(owner, 0, shares)
        papers = replace(papers, certificates=_certificates(papers, flaw))
        self.ask(self.requests.set_up(papers, 0))

    def delete_the_last(self, owner: str) -> None:
        """Later than what is dated by the clock that is ahead."""
        self.story.now = self.story.now.plus(seconds=3)
        self.ask(self.deleting(owner, 0, 0))
        self.story.now = self.story.now.plus(seconds=3)

    @rule(owner=OWNERS, secret=SECRETS, server=SERVERS)
    def set_up(self, owner: str, secret: bytes, server: int) -> None:
        shares = [("Adam", 2), ("Oscar", 1)]
        self.ask(self.requests.set_up(self.papers(owner, server, shares, secret=secret), server))

    @rule(owner=OWNERS, number=NUMBERS, off=MOSTLY_NOW, flaw=DELETION_FLAWS, server=SERVERS)
    def delete(self, owner: str, number: int, off: int, flaw: str, server: int) -> None:
        self.ask(self.deleting(owner, number, server, off=off, flaw=flaw))

    @rule(author=RECIPIENTS, claimer=OWNERS, server=SERVERS)
    def invite(self, author: str, claimer: str, server: int) -> None:
        if author != NOBODY:
            self.ask(self.invites.new_shamir(author, claimer, server))

    @rule(owner=OWNERS, server=SERVERS)
    def invite_device(self, owner: str, server: int) -> None:
        self.ask(self.invites.new_device(owner, server))

    @rule(author=st.sampled_from(["Adam", "Alice", "Bob", "Oscar"]))
    def cancel_what_was_made_for_the_last(self, author: str) -> None:
        last = self.setup("Bob", 0).created_on
        made = [one.token for one in self.model.by_token.values() if one.setup == last]
        for token in made:
            self.ask(self.invites.cancel(author, AccessToken(token), 0))

    @rule(number=NUMBERS, secret=SECRETS, server=SERVERS)
    def reveal(self, number: int, secret: bytes, server: int) -> None:
        self.ask(self.requests.reveal(self.token(number), secret, server))

    # --- At once ---

    @rule(owner=OWNERS, other=OWNERS, off=st.sampled_from([0, 0, 1]))
    def two_set_up(self, owner: str, other: str, off: int) -> None:
        shares = [("Adam", 1), ("Oscar", 1)]
        self.ask(
            self.requests.set_up(self.papers(owner, 0, shares), 0),
            self.requests.set_up(self.papers(other, 1, shares, off=off), 1),
        )

    @rule(owner=OWNERS)
    def a_recipient_is_revoked_meanwhile(self, owner: str) -> None:
        self.ask(
            self.requests.set_up(self.papers(owner, 0, [("Adam", 1)]), 0),
            self.revoking("Adam", 1),
            self.invites.new_shamir("Adam", owner, 1),
        )

    @rule(owner=OWNERS, number=NUMBERS, secret=SECRETS)
    def a_set_up_goes_while_it_is_used(self, owner: str, number: int, secret: bytes) -> None:
        shares = [("Adam", 1), ("Oscar", 2)]
        token = self.token(number)
        self.ask(
            self.deleting(owner, 0, 0),
            self.requests.set_up(self.papers(owner, 1, shares, off=1), 1),
            self.invites.new_shamir("Oscar", owner, 1),
            self.requests.reveal(token, secret, 0),
        )

    @rule(owner=OWNERS)
    def a_set_up_is_deleted_twice(self, owner: str) -> None:
        self.ask(self.deleting(owner, 0, 0), self.deleting(owner, 0, 1, off=1))

    # --- Papers ---

    def papers(
        self,
        owner: str,
        server: int,
        shares: list[tuple[str, int]],
        *,
        off: int = 0,
        secret: bytes = b"reveal token !!!",
    ) -> SetupPapers:
        return SetupPapers(
            author=owner,
            dated=self.story.at(server) + off,
            threshold=1,
            shares=tuple(shares),
            certificates=tuple((name, "") for name, _ in shares),
            secret=secret,
        )

    def deleting(
        self, owner: str, number: int, server: int, *, off: int = 0, flaw: str = ""
    ) -> Asked[Recoveries]:
        """One of the owner's set-ups, the last one first."""
        setup = self.setup(owner, number)
        recipients = sorted(setup.shares)
        if flaw == "less":
            recipients = recipients[1:]
        if flaw == "more":
            recipients = [*recipients, NOBODY]
        papers = DeletionPapers(
            author=owner,
            dated=self.story.at(server) + off,
            owner="Oscar" if flaw == "owner" else owner,
            setup=setup.created_on + (flaw == "unknown"),
            recipients=frozenset(recipients),
            flaw=flaw if flaw in ("signature", "author") else "",
        )
        return self.requests.delete(papers, server)

    def setup(self, owner: str, number: int) -> Setup:
        setups = [one for one in self.model.setups.values() if one.owner == owner][::-1]
        return setups[number % len(setups)] if setups else Setup(owner, 1, {"Adam": 1})

    # --- What is shown ---

    @invariant()
    def recipients_are_shown_the_same(self) -> None:
        for number, name in enumerate(["Adam", "Bob", "Oscar"]):
            self.ask(self.invites.list(name, number % 2))

    @invariant()
    def claimers_are_told(self) -> None:
        for number in range(3):
            self.ask(self.invites.info(self.token(number), number % 2))


def _certificates(papers: SetupPapers, flaw: str) -> tuple[tuple[str, str], ...]:
    """Those of a set-up, of which the last one has a flaw, or is not as it should be."""
    *before, (last, _) = papers.certificates
    match flaw:
        case "less":
            return tuple(before)
        case "twice":
            return (*before, *before[-1:]) if before else ((last, ""), (last, ""))
        case "another":
            used = [name for name, _ in papers.shares]
            other = next(one for one in ("Adam", "Oscar", "Alice", "Bob") if one not in used)
            return (*before, (other, ""))
        case _:
            return (*before, (last, flaw))


def test_recoveries_do_what_the_model_does(stage: Stage) -> None:
    play(Recovering, stage, stories=20, steps=25)


# --- What it would notice ---

check_recipients, check_reveal = rules.check_recipients, rules.check_reveal
state = invite.invitation_state


def everybody_is_there(setup: Any, users: Any, **more: Any) -> None:
    there = {name: changed(user, revoked_on=None) for name, user in users.items()}
    check_recipients(setup, there, **more)


def the_same_date_will_do(date: Instant, *others: Instant | None) -> None:
    check_greater(date.plus(microseconds=1), *others)


async def nothing(*_: object, **__: object) -> None:
    """Writes nothing, finds nothing."""


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "any date will do": (rules, "check_ballpark", lambda *_, **__: None),
    "the same date will do": (rules, "check_greater", the_same_date_will_do),
    "revoked users get shares": (rules, "check_recipients", everybody_is_there),
    "any token reveals": (
        rules,
        "check_reveal",
        lambda one, setup, token: setup or check_reveal(one, setup, token),
    ),
    "shares are not compared with the brief": (rules, "_check_share", lambda *_, **__: None),
    "deleted set-ups are recovered": (
        invite,
        "invitation_state",
        lambda one, **more: state(changed(one, setup_deleted_on=None), **more),
    ),
    "a deletion is forgotten": (store, "delete_setup", nothing),
    "anybody ends an invitation": (
        invite,
        "is_designated",
        lambda *_, **__: True,
    ),
}


@ON_SQLITE
@pytest.mark.parametrize("broken", BROKEN)
def test_the_machine_notices_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(*BROKEN[broken])

    assert notices(Recovering, stage)
