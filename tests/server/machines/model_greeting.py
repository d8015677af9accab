"""Greeting attempts, as the specification has them (server-core.md 9)."""

from dataclasses import dataclass, field
from typing import Any

from tests.server.machines.model_invite import CANCELLED, FINISHED, Invitation
from tests.server.machines.model_shamir import Recoveries
from tests.server.machines.serial import Told, told

GREETER, CLAIMER = "GREETER", "CLAIMER"
_NOT_FOUND = told("greeting_attempt_not_found")


@dataclass
class Attempt:
    name: bytes
    token: bytes
    greeter: str
    joined: dict[str, int] = field(default_factory=dict)
    """When a side came."""
    end: dict[str, Any] | None = None
    said: dict[tuple[int, str], bytes] = field(default_factory=dict)


@dataclass
class Greetings(Recoveries):
    attempts: dict[bytes, Attempt] = field(default_factory=dict)

    # --- Start ---

    def greeter_starts(self, author: str, token: bytes, now: int, seen: Told) -> Told:
        if refused := self.people.kept_out(author):
            return refused
        if token not in self.by_token:
            return told("invitation_not_found")
        if ended := self._ended(self.by_token[token], now):
            return ended
        if not self.is_greeter(self.by_token[token], author):
            return told("author_not_allowed")
        self.joined[token, author] = max(now, self.joined.get((token, author), 0))
        return self._start(token, author, GREETER, now, seen)

    def claimer_starts(self, token: bytes, greeter: str, now: int, seen: Told) -> Told:
        # The specification looks at the greeter first where an invitation counts as cancelled.
        if gone := self.gone(token, now):
            return gone
        if greeter not in self.people.by_name:
            return told("greeter_not_found")
        if refused := self._greeter_refused(self.by_token[token], greeter):
            return refused
        return self._start(token, greeter, CLAIMER, now, seen)

    def _start(self, token: bytes, greeter: str, side: str, now: int, seen: Told) -> Told:
        active = self.active(token, greeter)
        if active is not None and side in active.joined:
            active.end = {"origin": side, "reason": "AUTOMATICALLY_CANCELLED", "timestamp": now}
            active = None
        if active is None:
            name = seen[1].get("greeting_attempt")
            if not isinstance(name, bytes) or name in self.attempts:
                return told("ok", greeting_attempt="a new one")
            active = self.attempts[name] = Attempt(name, token, greeter)
        active.joined[side] = now
        return told("ok", greeting_attempt=active.name)

    def active(self, token: bytes, greeter: str) -> Attempt | None:
        active = [one for one in self._session(token, greeter) if one.end is None]
        assert len(active) <= 1
        return active[0] if active else None

    def _session(self, token: bytes, greeter: str) -> list[Attempt]:
        return [
            one for one in self.attempts.values() if one.token == token and one.greeter == greeter
        ]

    # --- Steps ---

    def greeter_takes(
        self, author: str, name: bytes, number: int, data: bytes, now: int, seen: Told
    ) -> Told:
        refused = self._greeter_kept_from(author, name, now, seen)
        refused = refused or self._over("greeting_attempt_cancelled", name, GREETER)
        return refused or self._step(name, GREETER, number, data)

    def claimer_takes(
        self, token: bytes, name: bytes, number: int, data: bytes, now: int, seen: Told
    ) -> Told:
        refused = self._claimer_kept_from(token, name, now, seen)
        refused = refused or self._over("greeting_attempt_cancelled", name, CLAIMER)
        return refused or self._step(name, CLAIMER, number, data)

    def _step(self, name: bytes, side: str, number: int, data: bytes) -> Told:
        said, peer = self.attempts[name].said, CLAIMER if side == GREETER else GREETER
        if number > 0 and not {(number - 1, GREETER), (number - 1, CLAIMER)} <= said.keys():
            return told("step_too_advanced")
        if said.setdefault((number, side), data) != data:
            return told("step_mismatch")
        if (number, peer) not in said:
            return told("not_ready")
        return told("ok", peer_step=(number, said[number, peer]))

    # --- Cancel ---

    def greeter_cancels(self, author: str, name: bytes, reason: str, now: int, seen: Told) -> Told:
        refused = self._greeter_kept_from(author, name, now, seen)
        return refused or self._cancel(name, GREETER, reason, now)

    def claimer_cancels(self, token: bytes, name: bytes, reason: str, now: int, seen: Told) -> Told:
        refused = self._claimer_kept_from(token, name, now, seen)
        return refused or self._cancel(name, CLAIMER, reason, now)

    def _cancel(self, name: bytes, side: str, reason: str, now: int) -> Told:
        if refused := self._over("greeting_attempt_already_cancelled", name, side):
            return refused
        self.attempts[name].end = {"origin": side, "reason": reason, "timestamp": now}
        return told("ok")

    # --- Who may go on ---

    def _greeter_kept_from(self, author: str, name: bytes, now: int, seen: Told) -> Told | None:
        if refused := self.people.kept_out(author):
            return refused
        attempt = self.attempts.get(name)
        if attempt is None or self._is_forgotten(attempt, seen):
            return _NOT_FOUND
        if ended := self._ended(self.by_token[attempt.token], now):
            return ended
        if attempt.greeter != author:
            return _NOT_FOUND
        if not self.is_greeter(self.by_token[attempt.token], author):
            return told("author_not_allowed")
        return None

    def _claimer_kept_from(self, token: bytes, name: bytes, now: int, seen: Told) -> Told | None:
        if gone := self.gone(token, now):
            return gone
        attempt = self.attempts.get(name)
        if attempt is None or attempt.token != token or self._is_forgotten(attempt, seen):
            return _NOT_FOUND
        return self._greeter_refused(self.by_token[token], attempt.greeter)

    def _is_forgotten(self, attempt: Attempt, seen: Told) -> bool:
        """A server may forget what ended, once nobody can have it for the last (23).

        Which is the last it may take from the dates, that clocks which differ put in another order.
        """
        if seen != _NOT_FOUND or attempt.end is None:
            return False
        session = self._session(attempt.token, attempt.greeter)
        later = session[session.index(attempt) + 1 :]
        ends = [one.end["timestamp"] for one in session if one.end is not None]
        is_left = all(
            any(side in one.joined for one in later)
            or any(one.joined.get(side, date) > date for one in session)
            for side, date in attempt.joined.items()
        )
        is_ended = any(one.end is not None for one in later)
        return is_left and (is_ended or max(ends) > attempt.end["timestamp"])

    def _ended(self, invitation: Invitation, now: int) -> Told | None:
        match self.status(invitation, now):
            case str(status) if status == FINISHED:
                return told("invitation_completed")
            case str(status) if status == CANCELLED:
                return told("invitation_cancelled")
        return None

    def _greeter_refused(self, invitation: Invitation, greeter: str) -> Told | None:
        person = self.people.by_name[greeter]
        if person.revoked_on is not None:
            return told("greeter_revoked")
        # The frozen ones too (20, 20).
        if person.is_frozen or not self.is_greeter(invitation, greeter):
            return told("greeter_not_allowed")
        return None

    def _over(self, status: str, name: bytes, side: str) -> Told | None:
        attempt = self.attempts[name]
        if attempt.end is not None:
            return told(status, **attempt.end)
        if side not in attempt.joined:
            return told("greeting_attempt_not_joined")
        return None
