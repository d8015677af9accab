"""Invitations, as the specification has them (server-core.md 8, 20)."""

from dataclasses import dataclass, field
from typing import Any

from tests.server.machines.model_people import People
from tests.server.machines.serial import Told, told

SECOND = 1_000_000
PENDING, CANCELLED, FINISHED = "PENDING", "CANCELLED", "FINISHED"


@dataclass
class Setup:
    """What a user recovers with: who has how many shares."""

    owner: str
    created_on: int
    shares: dict[str, int]
    threshold: int = 1
    is_deleted: bool = False


@dataclass
class Invitation:
    token: bytes
    type: str
    created_on: int
    created_by: str
    email: str | None = None
    claimer: str | None = None
    setup: int | None = None
    """The date of the claimer's set-up."""
    ended: str | None = None


@dataclass
class Invitations:
    people: People
    lifetime: int | None = None
    setups: dict[tuple[str, int], Setup] = field(default_factory=dict)
    by_token: dict[bytes, Invitation] = field(default_factory=dict)
    joined: dict[tuple[bytes, str], int] = field(default_factory=dict)
    """When a greeter last joined an attempt."""

    # --- Creation ---

    def new_user(self, author: str, email: str, now: int, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if self.people.by_name[author].profile != "ADMIN":
            return told("author_not_allowed")
        if self.people.enrolled(email):
            return told("claimer_email_already_enrolled")
        return self._given(
            Invitation(b"", "USER", created_on=now, created_by=author, email=email), seen
        )

    def new_device(self, author: str, now: int, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        return self._given(
            Invitation(b"", "DEVICE", created_on=now, created_by=author, claimer=author), seen
        )

    def new_shamir(self, author: str, claimer: str, now: int, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if self.people.by_name[claimer].revoked_on is not None:
            return told("user_not_found")
        setup = self.active_setup(claimer)
        if setup is None or author not in setup.shares:
            return told("author_not_allowed")
        made = Invitation(b"", "SHAMIR_RECOVERY", created_on=now, created_by=author)
        made.claimer, made.setup = claimer, setup.created_on
        return self._given(made, seen)

    def active_setup(self, owner: str) -> Setup | None:
        active = [one for one in self.setups.values() if one.owner == owner and not one.is_deleted]
        return active[0] if active else None

    def _given(self, made: Invitation, seen: Told) -> Told:
        """The one that is there for the same thing, or a new one under the name that was seen."""
        for former in self.by_token.values():
            same = (former.type, former.email, former.claimer, former.setup)
            if same == (made.type, made.email, made.claimer, made.setup) and not former.ended:
                if self.status(former, made.created_on) == PENDING:
                    return told("ok", token=former.token, email_sent="SUCCESS")
                # Whoever's clock is behind must not find two.
                former.ended = CANCELLED
        token = seen[1].get("token")
        if not isinstance(token, bytes) or token in self.by_token:
            return told("ok", token="a new one", email_sent="SUCCESS")
        made.token = token
        self.by_token[token] = made
        return told("ok", token=token, email_sent="SUCCESS")

    # --- What an invitation has come to ---

    def status(self, invitation: Invitation, now: int) -> str:
        if invitation.ended:
            return invitation.ended
        if invitation.type == "SHAMIR_RECOVERY" and self._setup(invitation).is_deleted:
            return CANCELLED
        if (
            invitation.claimer is not None
            and self.people.by_name[invitation.claimer].revoked_on is not None
        ):
            return CANCELLED
        if self.lifetime is not None and now - invitation.created_on > self.lifetime * SECOND:
            return CANCELLED
        return PENDING

    def gone(self, token: bytes, now: int) -> Told | None:
        """What each command of a claimer is refused with."""
        if token not in self.by_token:
            return told("403")
        if self.status(self.by_token[token], now) != PENDING:
            return told("410")
        return None

    def is_greeter(self, invitation: Invitation, name: str) -> bool:
        match invitation.type:
            case "USER":
                return self.people.by_name[name].profile == "ADMIN"
            case "DEVICE":
                return name == invitation.claimer
            case _:
                return name in self._setup(invitation).shares

    def _setup(self, invitation: Invitation) -> Setup:
        assert invitation.claimer is not None
        assert invitation.setup is not None
        return self.setups[invitation.claimer, invitation.setup]

    # --- End ---

    def cancel(self, author: str, token: bytes, now: int) -> Told:
        return self._end(
            author,
            token,
            now,
            {FINISHED: "invitation_completed", CANCELLED: "invitation_already_cancelled"},
            CANCELLED,
        )

    def complete(self, author: str, token: bytes, now: int) -> Told:
        return self._end(
            author,
            token,
            now,
            {FINISHED: "invitation_already_completed", CANCELLED: "invitation_cancelled"},
            FINISHED,
        )

    def _end(
        self, author: str, token: bytes, now: int, refusals: dict[str, str], ending: str
    ) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if token not in self.by_token:
            return told("invitation_not_found")
        invitation = self.by_token[token]
        status = self.status(invitation, now)
        if status in refusals:
            return told(refusals[status])
        if not (self.is_greeter(invitation, author) or self._is_claimer(invitation, author)):
            return told("author_not_allowed")
        invitation.ended = ending
        return told("ok")

    def _is_claimer(self, invitation: Invitation, name: str) -> bool:
        if invitation.type == "USER":
            return self.people.by_name[name].email == invitation.email
        return name == invitation.claimer

    # --- What is shown ---

    def listed(self, author: str, now: int) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        items = [
            self._item(one, now) for one in self.by_token.values() if self._is_shown(one, author)
        ]
        return told("ok", invitations=sorted(items, key=lambda item: item["token"]))

    def _is_shown(self, invitation: Invitation, author: str) -> bool:
        """To who may greet: all of them, by their type."""
        return self.is_greeter(invitation, author)

    def _item(self, one: Invitation, now: int) -> dict[str, Any]:
        return {
            "type": one.type,
            "token": one.token,
            "created_on": one.created_on,
            "created_by": one.created_by,
            "status": self.status(one, now),
            "email": one.email,
            "claimer": one.claimer if one.type == "SHAMIR_RECOVERY" else None,
            "setup": one.setup,
        }

    def info(self, token: bytes, now: int) -> Told:
        if gone := self.gone(token, now):
            return gone
        one = self.by_token[token]
        shown = told("ok", type=one.type, created_by=one.created_by)
        match one.type:
            case "USER":
                shown[1]["email"] = one.email
                shown[1]["greeters"] = [
                    (name, self.joined.get((token, name))) for name in self.people.administrators()
                ]
            case "DEVICE":
                shown[1]["claimer"] = one.claimer
            case _:
                setup = self._setup(one)
                shown[1]["claimer"] = one.claimer
                shown[1]["setup"] = setup.created_on
                shown[1]["threshold"] = setup.threshold
                shown[1]["recipients"] = [
                    (name, setup.shares[name], self.people.by_name[name].revoked_on)
                    for name in sorted(setup.shares)
                ]
        return shown
