"""Each command that writes, from the state that it needs to what a repeat is told."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from parsec.crypto.keys import PublicKey, SigningKey
from parsec.data.address import OrganizationBootstrapAddr
from parsec.data.certificates import RevokedUserCertificate, UserUpdateCertificate
from parsec.data.ids import AccessToken, GreetingAttemptID, TOTPOpaqueKeyID, UserID
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import greeting, invite, totp
from parsec.protocol.command import Request, UnknownStatus, dump_request, load_reply, reply_status
from parsec.protocol.device import DeviceCreate
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.ping import Ping
from parsec.protocol.shamir import ShamirRecoveryDelete
from parsec.protocol.statuses import CancelledGreetingAttemptReason
from parsec.protocol.tos import TosAccept
from parsec.protocol.user import UserCreate, UserRevoke, UserUpdate
from tests.support import server_calls as calls
from tests.support.asgi import Answer, request
from tests.support.newcomers import Newcomer, newcomer, papers
from tests.support.server_app import MSGPACK, Device, ServerApp

_ZACK = EmailAddress("zack@example.com")
_MADE_UP = TOTPOpaqueKeyID(b"a key made up !!")


@dataclass(kw_only=True)
class Play:
    """An organization of its own, and what its people know."""

    organization: str
    server: ServerApp
    people: dict[str, Device] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    """Whatever the preparation leaves for the command."""

    def __getitem__(self, name: str) -> Device:
        return self.people[name]

    async def begin(self, *names: str) -> None:
        """Alice, an administrator, and others."""
        self.people["alice"] = await self.server.bootstrap(self.organization)
        for name in names:
            self.people[name] = await self.server.add_user(self["alice"], name)

    async def send(self, who: str, command: Request[Any]) -> str:
        return status(command, await self.server.send(self[who], command))

    async def anonymous(self, command: Request[Any]) -> str:
        answer = await calls.anonymous(self.server, command, self.organization)
        return status(command, answer)

    async def invited(self, command: Request[Any]) -> str:
        token = self.known["token"]
        answer = await calls.invited(self.server, token, command, self.organization)
        return status(command, answer)

    async def administration(self, method: str, path: str, body: Any) -> str:
        target = f"organizations/{self.organization}{path}"
        return str((await self.server.admin(method, target, body)).status)

    @property
    def codes(self) -> calls.Codes:
        """Alice's authenticator app on the server of now."""
        secret = self.known.get("secret", b"")
        return calls.Codes(server=self.server, device=self["alice"], secret=secret)


def status(command: Request[Any], answer: Answer) -> str:
    """That of a reply, or of HTTP."""
    if answer.status != 200:
        return f"HTTP {answer.status}"
    reply = load_reply(type(command), answer.body)
    return reply.status if isinstance(reply, UnknownStatus) else reply_status(type(reply))


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that writes."""

    prepare: Callable[[Play], Awaitable[None]]
    act: Callable[[Play], Awaitable[str]]
    """The same bytes each time; the answer's status."""
    told: str = "ok"
    again: str = "ok"
    """What who repeats it is told when it was done before."""
    changes_again: bool = False
    """A repeat is another one of its kind and not the same once more."""
    prove: Callable[[Play], Awaitable[None]] | None = None
    """What holds in the end, beyond what people see."""


# --- Organizations ---


async def _nothing(play: Play) -> None:
    pass


async def _create(play: Play) -> str:
    body = {"organization_id": play.organization}
    return str((await play.server.admin("POST", "organizations", body)).status)


async def _created(play: Play) -> None:
    play.known["bootstrap"] = await play.server.create(play.organization)
    await _to_be_founded(play)


async def _to_be_founded(play: Play) -> None:
    first = newcomer("alice", UserProfile.ADMIN)
    play.known["first"] = first
    play.known["root"] = SigningKey(bytes(32))
    play.people["alice"] = Device(organization=play.organization, **vars(first))


async def _bootstrap(play: Play) -> str:
    root: SigningKey = play.known["root"]
    first: Newcomer = play.known["first"]
    address: OrganizationBootstrapAddr | None = play.known.get("bootstrap")
    made = papers(first, author=None, timestamp=play.server.clock()).signed(root)
    command = OrganizationBootstrap(
        bootstrap_token=address.token if address is not None else None,
        root_verify_key=root.verify_key,
        sequester_authority_certificate=None,
        **made,
    )
    target = f"/anonymous/{play.organization}"
    answer = await request(play.server.app, "POST", target, MSGPACK, dump_request(command))
    return status(command, answer)


def _change(**change: Any) -> Callable[[Play], Awaitable[str]]:
    async def act(play: Play) -> str:
        return await play.administration("PATCH", "", change)

    return act


async def _with_tos(play: Play) -> None:
    await play.begin()
    await _change(tos={"en": "https://example.com/tos"})(play)
    answer = await play.server.admin("GET", f"organizations/{play.organization}")
    play.known["tos"] = answer.json["tos"]["updated_on"]


async def _accept_tos(play: Play) -> str:
    updated_on = type(play.server.clock.now).parse(play.known["tos"])
    command = TosAccept(tos_updated_on=updated_on)
    target = f"/authenticated/{play.organization}/tos"
    headers = play.server.headers(play["alice"])
    body = dump_request(command)
    return status(command, await request(play.server.app, "POST", target, headers, body))


# --- Users ---


async def _alone(play: Play) -> None:
    await play.begin()
    play.known["bob"] = newcomer("bob")


async def _two(play: Play) -> None:
    await play.begin("bob")


async def _create_user(play: Play) -> str:
    author = play["alice"]
    made = papers(play.known["bob"], author=author.device_id, timestamp=play.server.clock())
    return await play.send("alice", UserCreate(**made.signed(author.key)))


async def _update_user(play: Play) -> str:
    author = play["alice"]
    certificate = UserUpdateCertificate(
        author=author.device_id,
        timestamp=play.server.clock(),
        user_id=play["bob"].user_id,
        new_profile=UserProfile.ADMIN,
    )
    return await play.send(
        "alice", UserUpdate(user_update_certificate=certificate.sign(author.key))
    )


async def _revoke_user(play: Play) -> str:
    author = play["alice"]
    certificate = RevokedUserCertificate(
        author=author.device_id, timestamp=play.server.clock(), user_id=play["bob"].user_id
    )
    command = UserRevoke(revoked_user_certificate=certificate.sign(author.key))
    return await play.send("alice", command)


async def _create_device(play: Play) -> str:
    author = play["alice"]
    # Of the same user, with the keys of somebody who is not used otherwise.
    other = _device_of(play.known["bob"], author)
    made = papers(other, author=author.device_id, timestamp=play.server.clock()).signed(author.key)
    command = DeviceCreate(
        device_certificate=made["device_certificate"],
        redacted_device_certificate=made["redacted_device_certificate"],
    )
    return await play.send("alice", command)


def _device_of(device: Newcomer, owner: Device) -> Newcomer:
    """The device as one of its owner's."""
    return Newcomer(**vars(device) | {"user_id": owner.user_id})


def _freeze(frozen: bool) -> Callable[[Play], Awaitable[str]]:
    async def act(play: Play) -> str:
        body = {"user_id": play["bob"].user_id.hex(), "frozen": frozen}
        return await play.administration("POST", "/users/freeze", body)

    return act


async def _two_one_frozen(play: Play) -> None:
    await _two(play)
    await _freeze(True)(play)


# --- Invitations ---


def _sends(
    command: Callable[[Play], Request[Any]], who: str = "alice"
) -> Callable[[Play], Awaitable[str]]:
    async def act(play: Play) -> str:
        return await play.send(who, command(play))

    return act


async def _with_invitation(play: Play) -> None:
    await play.begin()
    play.known["token"] = await calls.invite_user(play.server, play["alice"])


async def _with_setup(play: Play) -> None:
    await play.begin("bob", "carl")
    recovery = calls.recovery(play.server, play["alice"], play["bob"], play["carl"])
    play.known["recovery"] = recovery


async def _with_setup_done(play: Play) -> None:
    await _with_setup(play)
    recovery: calls.Recovery = play.known["recovery"]
    await play.server.reply(play["alice"], recovery.command)
    play.known["deletion"] = recovery.deletion(play.server.clock()).sign(recovery.key)


def _setup(play: Play) -> Request[Any]:
    recovery: calls.Recovery = play.known["recovery"]
    return recovery.command


# --- Greeting ---


async def _waiting(play: Play) -> None:
    """The claimer waits for the greeter."""
    await _with_invitation(play)
    greeter = play["alice"].user_id
    command = greeting.InviteClaimerStartGreetingAttempt(greeter=greeter)
    answer = await calls.invited(play.server, play.known["token"], command, play.organization)
    play.known["attempt"] = calls.reply(command, answer).greeting_attempt  # type: ignore[attr-defined]


async def _met(play: Play) -> None:
    await _waiting(play)
    await play.send("alice", _greeter_start(play))


async def _met_and_one_step_ahead(play: Play) -> None:
    await _met(play)
    await play.invited(_claimer_step(play))


def _greeter_start(play: Play) -> Request[Any]:
    token: AccessToken = play.known["token"]
    return greeting.InviteGreeterStartGreetingAttempt(token=token)


def _claimer_start(play: Play) -> Request[Any]:
    return greeting.InviteClaimerStartGreetingAttempt(greeter=play["alice"].user_id)


def _greeter_step(play: Play) -> Request[Any]:
    attempt: GreetingAttemptID = play.known["attempt"]
    return greeting.InviteGreeterStep(
        greeting_attempt=attempt,
        greeter_step=greeting.GreeterStep0WaitPeer(public_key=PublicKey(bytes(32))),
    )


def _claimer_step(play: Play) -> Request[Any]:
    return greeting.InviteClaimerStep(
        greeting_attempt=play.known["attempt"],
        claimer_step=greeting.ClaimerStep0WaitPeer(public_key=PublicKey(bytes(32))),
    )


def _greeter_cancel(play: Play) -> Request[Any]:
    return greeting.InviteGreeterCancelGreetingAttempt(
        greeting_attempt=play.known["attempt"],
        reason=CancelledGreetingAttemptReason.MANUALLY_CANCELLED,
    )


def _claimer_cancel(play: Play) -> Request[Any]:
    return greeting.InviteClaimerCancelGreetingAttempt(
        greeting_attempt=play.known["attempt"],
        reason=CancelledGreetingAttemptReason.MANUALLY_CANCELLED,
    )


def _claims(command: Callable[[Play], Request[Any]]) -> Callable[[Play], Awaitable[str]]:
    async def act(play: Play) -> str:
        return await play.invited(command(play))

    return act


# --- One-time codes ---


async def _with_secret(play: Play) -> None:
    await play.begin()
    play.known["secret"] = await play.codes.ask_secret()


async def _set_up(play: Play) -> None:
    await _with_secret(play)
    await play.codes.confirm()


async def _with_key(play: Play) -> None:
    await _set_up(play)
    command = totp.TotpCreateOpaqueKey()
    made = await play.server.reply(play["alice"], command)
    assert isinstance(made, totp.TotpCreateOpaqueKeyOk)
    play.known["key"], play.known["opaque"] = made.opaque_key_id, made.opaque_key
    play.known["code"], play.known["wrong"] = play.codes.code(), play.codes.wrong_code()


async def _reset(play: Play) -> None:
    await _with_key(play)
    play.known["reset"] = await play.codes.reset()


async def _reset_and_begun(play: Play) -> None:
    await _reset(play)
    codes = play.codes
    await codes.ask_secret_with(play.known["reset"])
    play.known["secret"] = codes.secret


def _fetch(key: str | None, code: str) -> Callable[[Play], Awaitable[str]]:
    async def act(play: Play) -> str:
        command = totp.TotpFetchOpaqueKey(
            user_id=play["alice"].user_id,
            opaque_key_id=_MADE_UP if key is None else play.known[key],
            one_time_password=play.known[code],
        )
        return await play.anonymous(command)

    return act


async def _reset_codes(play: Play) -> str:
    body = {"user_id": play["alice"].user_id.hex()}
    return await play.administration("POST", "/users/reset_totp", body)


async def _confirm(play: Play) -> str:
    return await play.send("alice", totp.TotpSetupConfirm(one_time_password=play.codes.code()))


async def _secret_by_link(play: Play) -> str:
    user_id: UserID = play["alice"].user_id
    command = totp.AnonymousTotpSetupGetSecret(user_id=user_id, token=play.known["reset"])
    return await play.anonymous(command)


async def _confirm_by_link(play: Play) -> str:
    command = totp.AnonymousTotpSetupConfirm(
        user_id=play["alice"].user_id,
        token=play.known["reset"],
        one_time_password=play.codes.code(),
    )
    return await play.anonymous(command)


async def _key_is_the_same(play: Play) -> None:
    """Whoever set up codes gets the key that was told, with the exact bytes."""
    play.server.clock.now = play.server.clock.now.plus(seconds=7200)
    found = await play.codes.fetch(play.known["key"], play.codes.code())
    assert isinstance(found, totp.TotpFetchOpaqueKeyOk), found
    assert bytes(found.opaque_key) == bytes(play.known["opaque"])


COMMANDS: Mapping[str, Command] = {
    "organization create": Command(prepare=_nothing, act=_create, told="200", again="200"),
    "organization bootstrap": Command(
        prepare=_created, act=_bootstrap, again="organization_already_bootstrapped"
    ),
    "organization bootstrap, spontaneous": Command(
        prepare=_to_be_founded, act=_bootstrap, again="organization_already_bootstrapped"
    ),
    "organization update": Command(
        prepare=_alone, act=_change(active_users_limit=9), told="200", again="200"
    ),
    "organization expiration": Command(
        prepare=_alone, act=_change(is_expired=True), told="200", again="200"
    ),
    "tos": Command(
        prepare=_alone,
        act=_change(tos={"en": "https://example.com/tos"}),
        told="200",
        again="200",
    ),
    "tos_accept": Command(prepare=_with_tos, act=_accept_tos),
    "ping": Command(prepare=_alone, act=_sends(lambda _: Ping(ping="hello")), changes_again=True),
    "user_create": Command(prepare=_alone, act=_create_user, again="require_greater_timestamp"),
    "user_update": Command(prepare=_two, act=_update_user, again="user_no_changes"),
    "user_revoke": Command(prepare=_two, act=_revoke_user, again="user_already_revoked"),
    "device_create": Command(prepare=_alone, act=_create_device, again="require_greater_timestamp"),
    "freeze": Command(prepare=_two, act=_freeze(True), told="200", again="200"),
    "unfreeze": Command(prepare=_two_one_frozen, act=_freeze(False), told="200", again="200"),
    "invite_new_user": Command(
        prepare=_alone,
        act=_sends(lambda _: invite.InviteNewUser(claimer_email=_ZACK, send_email=False)),
    ),
    "invite_new_device": Command(
        prepare=_alone, act=_sends(lambda _: invite.InviteNewDevice(send_email=False))
    ),
    "invite_new_shamir_recovery": Command(
        prepare=_with_setup_done,
        act=_sends(
            lambda play: invite.InviteNewShamirRecovery(
                claimer_user_id=play["alice"].user_id, send_email=False
            ),
            "bob",
        ),
    ),
    "invite_cancel": Command(
        prepare=_met_and_one_step_ahead,
        act=_sends(lambda play: invite.InviteCancel(token=play.known["token"])),
        again="invitation_already_cancelled",
    ),
    "invite_complete": Command(
        prepare=_met_and_one_step_ahead,
        act=_sends(lambda play: invite.InviteComplete(token=play.known["token"])),
        again="invitation_already_completed",
    ),
    "invite_claimer_start_greeting_attempt": Command(
        prepare=_with_invitation, act=_claims(_claimer_start), changes_again=True
    ),
    "invite_greeter_start_greeting_attempt": Command(
        prepare=_waiting, act=_sends(_greeter_start), changes_again=True
    ),
    "invite_greeter_start_greeting_attempt, once more": Command(
        prepare=_met_and_one_step_ahead, act=_sends(_greeter_start), changes_again=True
    ),
    "invite_claimer_step": Command(
        prepare=_met, act=_claims(_claimer_step), told="not_ready", again="not_ready"
    ),
    "invite_greeter_step": Command(prepare=_met_and_one_step_ahead, act=_sends(_greeter_step)),
    "invite_greeter_cancel_greeting_attempt": Command(
        prepare=_met_and_one_step_ahead,
        act=_sends(_greeter_cancel),
        again="greeting_attempt_already_cancelled",
    ),
    "invite_claimer_cancel_greeting_attempt": Command(
        prepare=_met_and_one_step_ahead,
        act=_claims(_claimer_cancel),
        again="greeting_attempt_already_cancelled",
    ),
    "shamir_recovery_setup": Command(
        prepare=_with_setup, act=_sends(_setup), again="shamir_recovery_already_exists"
    ),
    "shamir_recovery_delete": Command(
        prepare=_with_setup_done,
        act=_sends(
            lambda play: ShamirRecoveryDelete(
                shamir_recovery_deletion_certificate=play.known["deletion"]
            )
        ),
        again="shamir_recovery_already_deleted",
    ),
    "totp_setup_get_secret": Command(
        prepare=_alone, act=_sends(lambda _: totp.TotpSetupGetSecret())
    ),
    "totp_setup_confirm": Command(prepare=_with_secret, act=_confirm, again="already_setup"),
    "totp_create_opaque_key": Command(
        prepare=_with_key,
        act=_sends(lambda _: totp.TotpCreateOpaqueKey()),
        changes_again=True,
        prove=_key_is_the_same,
    ),
    "totp_fetch_opaque_key": Command(
        prepare=_with_key, act=_fetch("key", "code"), prove=_key_is_the_same
    ),
    "totp_fetch_opaque_key, wrong code": Command(
        prepare=_with_key,
        act=_fetch("key", "wrong"),
        told="invalid_one_time_password",
        again="throttled",
        changes_again=True,
        prove=_key_is_the_same,
    ),
    "totp_fetch_opaque_key, made up": Command(
        prepare=_with_key,
        act=_fetch(None, "wrong"),
        told="invalid_one_time_password",
        again="throttled",
        changes_again=True,
    ),
    "totp reset": Command(
        prepare=_with_key, act=_reset_codes, told="200", again="200", changes_again=True
    ),
    "totp_setup_get_secret by link": Command(prepare=_reset, act=_secret_by_link),
    "totp_setup_confirm by link": Command(
        prepare=_reset_and_begun, act=_confirm_by_link, again="bad_token", prove=_key_is_the_same
    ),
}
