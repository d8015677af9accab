"""An organization whose people do everything at once, and remember all that they were told."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.crypto.totp import accepted_codes, time_step, totp_code
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.certificates import (
    RevokedUserCertificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import greeting, invite, totp
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import Request
from parsec.protocol.device import DeviceCreate
from parsec.protocol.events import (
    CommonCertificateEvent,
    InvitationEvent,
    ShamirRecoveryCertificateEvent,
)
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.shamir import (
    InviteShamirRecoveryReveal,
    ShamirRecoveryDelete,
    ShamirRecoverySetup,
)
from parsec.protocol.statuses import (
    AlreadySetup,
    GreetingAttemptCancelled,
    GreetingAttemptNotFound,
    InvalidOneTimePassword,
    InvitationAlreadyCancelled,
    InvitationAlreadyCompleted,
    NotReady,
    Ok,
    RequireGreaterTimestamp,
    Throttled,
)
from parsec.protocol.user import UserCreate, UserRevoke, UserUpdate
from parsec.server.rules.greeting_step import Submission, claimer_step, greeter_step
from scripts.soak_wire import Unanswered, Wire, Wrong, now
from tests.support.newcomers import Newcomer, newcomer, papers

_MOST_GUESTS = 6
_POLL_S = 0.005
_LAST_STEP = 8
_GREETER_SAYS, _CLAIMER_SAYS = {0, 2, 7}, {0, 1, 3, 6}


@dataclass
class Ledger:
    """What people were told, and what was left unanswered."""

    certificates: dict[bytes, Instant] = field(default_factory=dict)
    """Acknowledged, of the common topic."""
    shamir: dict[bytes, Instant] = field(default_factory=dict)
    """Acknowledged, and for the eyes of the owner, at least."""
    perhaps: set[bytes] = field(default_factory=set)
    invitations: dict[AccessToken, invite.InvitationStatus] = field(default_factory=dict)
    endings: dict[AccessToken, invite.InvitationStatus] = field(default_factory=dict)
    """Unanswered: so it may have ended."""
    keys: list[tuple[Newcomer, bytes, Any, bytes]] = field(default_factory=list)
    revoked: list[Newcomer] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    """Of what was acknowledged, in that order; for everybody who listens."""
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Listener:
    """A device that hears of everything, whatever breaks."""

    who: Newcomer
    heard: list[Any] = field(default_factory=list)
    last: str | None = None
    streams: int = 0
    missed: int = 0
    """How often it was told only that it missed something."""


class Club:
    """An organization."""

    def __init__(self, wire: Wire, name: str, seed: int) -> None:
        self.wire = wire
        self.name = name
        self.ledger = Ledger()
        self.chance = random.Random(seed)
        self.alice = newcomer("alice", UserProfile.ADMIN)
        self.staff: dict[str, Newcomer] = {}
        self.guests: list[Newcomer] = []
        self.listeners: list[Listener] = []
        self._secrets: dict[DeviceID, bytes] = {}
        self._count = 0

    # --- Begin ---

    async def found(self) -> None:
        """The organization, its staff, and those who listen."""
        url = (await self._insist(self._created))["bootstrap_url"]
        address = OrganizationBootstrapAddr.parse(url)
        root = SigningKey.generate(system_entropy)

        def make(at: Instant) -> OrganizationBootstrap:
            return OrganizationBootstrap(
                bootstrap_token=address.token,
                root_verify_key=root.verify_key,
                sequester_authority_certificate=None,
                **papers(self.alice, author=None, timestamp=at).signed(root),
            )

        await self._certify(
            make,
            lambda command: [command.user_certificate, command.device_certificate],
            ask=lambda command: self.wire.ask_anonymous(self.name, command),
        )
        for name in ("bob", "carl", "dora", "eve"):
            self.staff[name] = newcomer(name)
            await self._enroll(self.staff[name])
        self.listeners = [Listener(self.alice), Listener(self.alice)]

    async def _created(self) -> Any:
        return await self.wire.administer("POST", "organizations", {"organization_id": self.name})

    def actors(self) -> list[Coroutine[Any, Any, None]]:
        """Who acts for ever."""
        return [
            self._again(self._join),
            self._again(self._recover),
            self._again(self._use_codes),
            self._again(self._administer),
            *(self._again(partial(self._read, who)) for who in ("bob", "eve")),
        ]

    async def _again(self, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        while True:
            try:
                await act()
            except Wrong as error:
                self.ledger.wrong.append(f"{self.name}: {error}")
                await asyncio.sleep(0.1)

    # --- Stories ---

    async def _join(self) -> None:
        """Somebody is invited, greeted and enrolled, works, and leaves again."""
        self._count += 1
        guest = newcomer(f"guest{self._count}-{self.chance.randrange(1 << 32)}")
        command = invite.InviteNewUser(claimer_email=guest.handle.email, send_email=False)
        token = await self._invite(self.alice, command)
        await self._dance(token, self.alice)
        await self._enroll(guest)
        is_completed = self.chance.random() < 0.5
        await self._end_invitation(
            token,
            invite.InviteComplete(token=token)
            if is_completed
            else invite.InviteCancel(token=token),
        )
        await self._add_device(guest)
        self.guests.append(guest)
        if self.chance.random() < 0.3:
            await self._change_profile(guest)
        if len(self.guests) > _MOST_GUESTS:
            await self._revoke(self.guests.pop(0))

    async def _recover(self) -> None:
        """Bob shares his recovery, is invited to use it, and takes it back."""
        bob, carl, dora = (self.staff[name] for name in ("bob", "carl", "dora"))
        secret, reveal = self.chance.randbytes(64), AccessToken(self.chance.randbytes(16))
        made: list[Instant] = []

        def setup(at: Instant) -> ShamirRecoverySetup:
            made[:] = [at]
            shares = {one.user_id: 1 for one in (carl, dora)}
            brief = ShamirRecoveryBriefCertificate(
                author=bob.device_id,
                timestamp=at,
                user_id=bob.user_id,
                threshold=2,
                per_recipient_shares=shares,
            )
            return ShamirRecoverySetup(
                ciphered_data=secret,
                reveal_token=reveal,
                shamir_recovery_brief_certificate=brief.sign(bob.key),
                shamir_recovery_share_certificates=[
                    ShamirRecoveryShareCertificate(
                        author=bob.device_id,
                        timestamp=at,
                        user_id=bob.user_id,
                        recipient=one,
                        ciphered_share=self.chance.randbytes(32),
                    ).sign(bob.key)
                    for one in shares
                ],
            )

        def deletion(at: Instant) -> ShamirRecoveryDelete:
            certificate = ShamirRecoveryDeletionCertificate(
                author=bob.device_id,
                timestamp=at,
                setup_to_delete_timestamp=made[0],
                setup_to_delete_user_id=bob.user_id,
                share_recipients=frozenset([carl.user_id, dora.user_id]),
            )
            return ShamirRecoveryDelete(
                shamir_recovery_deletion_certificate=certificate.sign(bob.key)
            )

        await self._certify_shamir(bob, setup, "shamir_recovery_brief_certificate")
        command = invite.InviteNewShamirRecovery(claimer_user_id=bob.user_id, send_email=False)
        token = await self._invite(carl, command, told=False)
        await self._dance(token, carl)
        revealed = await self._insist(
            lambda: self.wire.ask_invited(
                token, self.name, InviteShamirRecoveryReveal(reveal_token=reveal)
            )
        )
        if getattr(revealed, "ciphered_data", None) != secret:
            raise Wrong(f"revealed: {revealed}")
        await self._certify_shamir(bob, deletion, "shamir_recovery_deletion_certificate")

    async def _use_codes(self) -> None:
        """Eve protects a device by a one-time code, mistypes one, and opens the device."""
        eve = self.staff["eve"]
        secret = self._secrets.get(eve.device_id) or await self._set_up_codes(eve)
        made = await self._insist(lambda: self._ask(eve, totp.TotpCreateOpaqueKey()))
        key = (eve, secret, made.opaque_key_id, bytes(made.opaque_key))
        if len(self.ledger.keys) < 500:
            self.ledger.keys.append(key)
        if self.chance.random() < 0.3:
            wrong = next(
                code
                for code in ("000000", "000001", "000002", "000003")
                if code not in accepted_codes(secret, int(now()))
            )
            told = await self._fetch(key, wrong)
            if not isinstance(told, InvalidOneTimePassword | Throttled):
                raise Wrong(f"a wrong code is told {told}")
            if isinstance(told, Throttled):
                return
        problem = await self._opens(key)
        if problem is not None:
            raise Wrong(problem)

    async def _set_up_codes(self, who: Newcomer) -> bytes:
        while True:
            reply = await self._insist(lambda: self._ask(who, totp.TotpSetupGetSecret()))
            secret: bytes = reply.totp_secret
            code = totp_code(secret, time_step(int(now())))
            command = totp.TotpSetupConfirm(one_time_password=code)
            done, unsure = await self._insist_or_not(lambda: self._ask(who, command))  # noqa: B023
            if isinstance(done, Ok) or (unsure and isinstance(done, AlreadySetup)):
                self._secrets[who.device_id] = secret
                return secret

    async def _fetch(self, key: tuple[Newcomer, bytes, Any, bytes], code: str) -> Any:
        who, _, key_id, _ = key
        command = totp.TotpFetchOpaqueKey(
            user_id=who.user_id, opaque_key_id=key_id, one_time_password=code
        )
        return await self._insist(lambda: self.wire.ask_anonymous(self.name, command))

    async def _opens(self, key: tuple[Newcomer, bytes, Any, bytes]) -> str | None:
        """What is wrong with it, if anything."""
        _, secret, _, opaque = key
        found = await self._fetch(key, totp_code(secret, time_step(int(now()))))
        if isinstance(found, Throttled):
            # A wrong code was counted more than once, as it was left unanswered.
            await asyncio.sleep(1)
            return None
        if isinstance(found, totp.TotpFetchOpaqueKeyOk) and bytes(found.opaque_key) == opaque:
            return None
        return f"a key is released otherwise: {found}"

    async def _administer(self) -> None:
        """The administration keeps somebody out for a moment, and changes a limit."""
        dora = self.staff["dora"]
        for frozen in (True, False):
            body = {"user_id": dora.user_id.hex(), "frozen": frozen}
            path = f"organizations/{self.name}/users/freeze"
            told = await self._insist(lambda: self.wire.administer("POST", path, body))  # noqa: B023
            if told["frozen"] is not frozen:
                raise Wrong(f"frozen: {told}")
        limit = {"active_users_limit": self.chance.randrange(1000, 2000)}
        path = f"organizations/{self.name}"
        await self._insist(lambda: self.wire.administer("PATCH", path, limit))
        found = await self._insist(lambda: self.wire.administer("GET", path))
        if found["active_users_limit"] != limit["active_users_limit"]:
            raise Wrong(f"limit: {found}")
        await asyncio.sleep(0.05)

    async def _read(self, name: str) -> None:
        """Whatever was acknowledged before is there."""
        since = now().plus(seconds=-5)
        expected = {one for one, at in self.ledger.certificates.items() if at > since}
        found = await self._insist(lambda: self._certificates(self.staff[name], since))
        missing = expected - set(found.common_certificates)
        if missing:
            self.ledger.lost.append(f"{self.name}: {len(missing)} certificates at once")
        await asyncio.sleep(0.02)

    # --- Their parts ---

    async def _enroll(self, person: Newcomer) -> None:
        await self._certify(
            lambda at: UserCreate(
                **papers(person, author=self.alice.device_id, timestamp=at).signed(self.alice.key)
            ),
            lambda command: [command.user_certificate, command.device_certificate],
        )

    async def _add_device(self, person: Newcomer) -> None:
        other = replace(
            person,
            device_id=DeviceID.generate(system_entropy),
            key=SigningKey.generate(system_entropy),
        )

        def make(at: Instant) -> DeviceCreate:
            made = papers(other, author=person.device_id, timestamp=at).signed(person.key)
            return DeviceCreate(
                device_certificate=made["device_certificate"],
                redacted_device_certificate=made["redacted_device_certificate"],
            )

        await self._certify(
            make,
            lambda command: [command.device_certificate],
            ask=lambda command: self._ask(person, command),
        )

    async def _change_profile(self, person: Newcomer) -> None:
        def make(at: Instant) -> UserUpdate:
            certificate = UserUpdateCertificate(
                author=self.alice.device_id,
                timestamp=at,
                user_id=person.user_id,
                new_profile=UserProfile.ADMIN,
            )
            return UserUpdate(user_update_certificate=certificate.sign(self.alice.key))

        await self._certify(make, lambda command: [command.user_update_certificate])

    async def _revoke(self, person: Newcomer) -> None:
        def make(at: Instant) -> UserRevoke:
            certificate = RevokedUserCertificate(
                author=self.alice.device_id, timestamp=at, user_id=person.user_id
            )
            return UserRevoke(revoked_user_certificate=certificate.sign(self.alice.key))

        await self._certify(make, lambda command: [command.revoked_user_certificate])
        self.ledger.revoked.append(person)

    async def _invite(
        self, author: Newcomer, command: Request[Any], *, told: bool = True
    ) -> AccessToken:
        reply = await self._insist(lambda: self._ask(author, command))
        if not hasattr(reply, "token"):
            raise Wrong(f"invitation: {reply}")
        token: AccessToken = reply.token
        pending = invite.InvitationStatus.PENDING
        if told:
            self.ledger.invitations[token] = pending
            self.ledger.events.append(InvitationEvent(invitation_status=pending, token=token))
        return token

    async def _end_invitation(self, token: AccessToken, command: Request[Any]) -> None:
        is_completed = isinstance(command, invite.InviteComplete)
        status = invite.InvitationStatus
        end = status.FINISHED if is_completed else status.CANCELLED
        self.ledger.endings[token] = end
        reply, unsure = await self._insist_or_not(lambda: self._ask(self.alice, command))
        again = (InvitationAlreadyCompleted, InvitationAlreadyCancelled)
        if not (isinstance(reply, Ok) or (unsure and isinstance(reply, again))):
            raise Wrong(f"the end of an invitation: {reply}")
        self.ledger.invitations[token] = end
        self.ledger.events.append(InvitationEvent(invitation_status=end, token=token))

    async def _dance(self, token: AccessToken, greeter: Newcomer) -> None:
        """The two sides in turn, each of which begins again when the other does."""

        async def ask_greeter(command: Request[Any]) -> Any:
            return await self._ask(greeter, command)

        async def ask_claimer(command: Request[Any]) -> Any:
            return await self.wire.ask_invited(token, self.name, command)

        async with asyncio.TaskGroup() as group:
            group.create_task(self._greet(ask_greeter, token))
            group.create_task(self._claim(ask_claimer, greeter))

    async def _greet(self, ask: Callable[[Request[Any]], Any], token: AccessToken) -> None:
        start = greeting.InviteGreeterStartGreetingAttempt(token=token)
        await self._side(
            ask,
            start,
            lambda attempt, number: greeting.InviteGreeterStep(
                greeting_attempt=attempt,
                greeter_step=greeter_step(_said("greeter", attempt, number, _GREETER_SAYS)),
            ),
            lambda attempt, number: greeting.InviteGreeterStepOk(
                claimer_step=claimer_step(_said("claimer", attempt, number, _CLAIMER_SAYS))
            ),
        )

    async def _claim(self, ask: Callable[[Request[Any]], Any], greeter: Newcomer) -> None:
        start = greeting.InviteClaimerStartGreetingAttempt(greeter=greeter.user_id)
        await self._side(
            ask,
            start,
            lambda attempt, number: greeting.InviteClaimerStep(
                greeting_attempt=attempt,
                claimer_step=claimer_step(_said("claimer", attempt, number, _CLAIMER_SAYS)),
            ),
            lambda attempt, number: greeting.InviteClaimerStepOk(
                greeter_step=greeter_step(_said("greeter", attempt, number, _GREETER_SAYS))
            ),
        )

    async def _side(
        self,
        ask: Callable[[Request[Any]], Any],
        start: Request[Any],
        step: Callable[[GreetingAttemptID, int], Request[Any]],
        expected: Callable[[GreetingAttemptID, int], Any],
    ) -> None:
        while True:
            begun = await self._insist(lambda: ask(start))
            if not hasattr(begun, "greeting_attempt"):
                raise Wrong(f"greeting: {begun}")
            attempt = begun.greeting_attempt
            number = 0
            while number <= _LAST_STEP:
                command = step(attempt, number)
                reply = await self._insist(lambda: ask(command))  # noqa: B023
                if isinstance(reply, NotReady):
                    await asyncio.sleep(_POLL_S)
                elif isinstance(reply, GreetingAttemptCancelled | GreetingAttemptNotFound):
                    break
                elif reply == expected(attempt, number):
                    number += 1
                else:
                    raise Wrong(f"step {number}: {reply}")
            else:
                return

    # --- Asking until there is an answer ---

    async def _ask(self, who: Newcomer, command: Request[Any]) -> Any:
        return await self.wire.ask(who, self.name, command)

    async def _insist(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        reply, _ = await self._insist_or_not(ask)
        return reply

    async def _insist_or_not(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, bool]:
        """The answer, and whether it is one to a repeat."""
        unsure = False
        while True:
            try:
                return await ask(), unsure
            except Unanswered:
                unsure = True

    async def _certify(
        self,
        make: Callable[[Instant], Any],
        certificates: Callable[[Any], list[bytes]],
        *,
        ask: Callable[[Any], Coroutine[Any, Any, Any]] | None = None,
    ) -> None:
        """Sign anew until it is there. What was left unanswered is looked for."""
        ask = ask or (lambda command: self._ask(self.alice, command))
        while True:
            at = now()
            command = make(at)
            made = certificates(command)
            self.ledger.perhaps.update(made)
            try:
                reply = await ask(command)
            except Unanswered:
                if not await self._is_there(made, at):
                    continue
                reply = Ok()
            if isinstance(reply, Ok):
                self.ledger.certificates.update(dict.fromkeys(made, at))
                self.ledger.events.append(CommonCertificateEvent(timestamp=at))
                return
            if isinstance(reply, RequireGreaterTimestamp):
                continue
            # The server that left an earlier one unanswered may have carried it out since.
            raise Wrong(f"{type(command).__name__}: {reply}")

    async def _is_there(self, made: list[bytes], at: Instant) -> bool:
        try:
            found = await self._insist(
                lambda: self._certificates(self.alice, at.plus(microseconds=-1))
            )
        except Wrong as error:
            if "HTTP 404" in str(error) or "HTTP 403" in str(error) or "HTTP 401" in str(error):
                return False  # the organization itself was to begin
            raise
        there = [one for one in made if one in found.common_certificates]
        if there and there != made:
            raise Wrong("half of a user is there")
        return bool(there)

    async def _certify_shamir(
        self,
        owner: Newcomer,
        make: Callable[[Instant], Any],
        name: str,
    ) -> None:
        while True:
            at = now()
            command = make(at)
            certificate: bytes = getattr(command, name)
            self.ledger.perhaps.add(certificate)
            try:
                reply = await self._ask(owner, command)
            except Unanswered:
                found = await self._insist(lambda: self._certificates(owner, None))
                if certificate not in found.shamir_recovery_certificates:
                    continue
                reply = Ok()
            if isinstance(reply, Ok):
                self.ledger.shamir[certificate] = at
                return
            if not isinstance(reply, RequireGreaterTimestamp):
                raise Wrong(f"{type(command).__name__}: {reply}")

    async def _certificates(self, who: Newcomer, after: Instant | None) -> CertificateGetOk:
        command = CertificateGet(
            common_after=after,
            sequester_after=None,
            shamir_recovery_after=None,
            realm_after={},
        )
        found = await self._ask(who, command)
        assert isinstance(found, CertificateGetOk)
        return found

    # --- Listening ---

    async def listen(self, listener: Listener) -> None:
        """For ever, from where it was cut off."""
        while True:
            events = self.wire.events(listener.who, self.name, listener.last)
            async with aclosing(events):  # type: ignore[type-var]
                async for name, identifier, content in events:
                    listener.streams += identifier is None and not name and content is not None
                    if name == "missed_events":
                        listener.missed += 1
                    if identifier is not None:
                        listener.last = identifier
                        listener.heard.append(content)
            await asyncio.sleep(0.05)

    async def first_event(self) -> None:
        """Returns when all who listen know from where they come back."""
        while any(listener.streams == 0 for listener in self.listeners):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await self._fence()

    async def _fence(self) -> None:
        email = EmailAddress(f"fence{self.chance.randrange(1 << 32)}@example.com")
        command = invite.InviteNewUser(claimer_email=email, send_email=False)
        token = await self._invite(self.alice, command)
        last = InvitationEvent(invitation_status=invite.InvitationStatus.PENDING, token=token)
        async with asyncio.timeout(60):
            while any(last not in one.heard[-200:] for one in self.listeners):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    # --- The audit ---

    async def audit(self) -> None:
        """Compare everything that anybody was told with what is there."""
        ledger = self.ledger
        try:
            await self._fence()
        except TimeoutError:
            ledger.lost.append(f"{self.name}: the last event does not come")
        for listener in self.listeners:
            self._audit_events(listener)
        await self._audit_certificates()
        await self._audit_invitations()
        for key in self.chance.sample(ledger.keys, min(50, len(ledger.keys))):
            problem = await self._opens(key)
            if problem is not None:
                ledger.lost.append(f"{self.name}: {problem}")
        for person in ledger.revoked:
            try:
                await self._insist(lambda: self._certificates(person, None))  # noqa: B023
            except Wrong as error:
                if "HTTP 461" in str(error):
                    continue
            ledger.lost.append(f"{self.name}: a revocation")
        told = await self.wire.administer("GET", f"organizations/{self.name}/users")
        expected = 5 + len(self.guests)
        # Somebody may have been on the way in or out at the end.
        if abs(len(told["users"]) - expected) > 2:
            ledger.wrong.append(f"{self.name}: {len(told['users'])} users, not {expected}")

    def _audit_events(self, listener: Listener) -> None:
        if listener.missed:
            # They know that they do not know: what follows would have to be read anew.
            return
        heard = set(map(repr, listener.heard))
        missing = [one for one in self.ledger.events if repr(one) not in heard]
        if missing:
            self.ledger.lost.append(f"{self.name}: {len(missing)} events, the first {missing[0]}")
        for kind in (CommonCertificateEvent, ShamirRecoveryCertificateEvent):
            dates = [one.timestamp for one in listener.heard if isinstance(one, kind)]
            first = list(dict.fromkeys(dates))
            if first != sorted(first):
                self.ledger.wrong.append(f"{self.name}: events in disorder")

    async def _audit_certificates(self) -> None:
        ledger = self.ledger
        found = await self._insist(lambda: self._certificates(self.alice, None))
        own = await self._insist(lambda: self._certificates(self.staff["bob"], None))
        for told, there in (
            (ledger.certificates, found.common_certificates),
            (ledger.shamir, own.shamir_recovery_certificates),
        ):
            missing = set(told) - set(there)
            if missing:
                ledger.lost.append(f"{self.name}: {len(missing)} certificates")
            if set(there) - set(told) - ledger.perhaps:
                ledger.wrong.append(f"{self.name}: certificates that nobody made")
            if len(there) != len(set(there)):
                ledger.wrong.append(f"{self.name}: certificates twice")
            dates = [told[one] for one in there if one in told]
            if dates != sorted(dates):
                ledger.wrong.append(f"{self.name}: certificates in disorder")

    async def _audit_invitations(self) -> None:
        ledger = self.ledger
        listed = await self._insist(lambda: self._ask(self.alice, invite.InviteList()))
        there = {one.token: one.status for one in listed.invitations}
        for token, status in ledger.invitations.items():
            if token not in there:
                ledger.lost.append(f"{self.name}: an invitation")
            elif there[token] not in (status, ledger.endings.get(token)):
                ledger.lost.append(f"{self.name}: an invitation is {there[token]}, not {status}")


def _said(side: str, attempt: GreetingAttemptID, number: int, steps: set[int]) -> Submission:
    """What a side says in a step of an attempt, as everybody can tell who knows it."""
    if number not in steps:
        return Submission(number, b"")
    text = f"{side} {attempt.hex()} {number}".encode()
    return Submission(number, hashlib.blake2b(text, digest_size=32).digest())
