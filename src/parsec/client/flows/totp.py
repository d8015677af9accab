"""One-time codes: setting them up, and having the server release the key that they guard.

`client.md` 7. The *secret* is shared between the server and the person's authenticator; an *opaque
key* is made and kept by the server, and released against a code. A device file protected so is
encrypted once more with an opaque key, so that a stolen file cannot even be attacked by guessing.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from parsec.client.dialogue import (
    EnterOneTimePassword,
    Throttled,
    TotpSecret,
    WrongOneTimePassword,
)
from parsec.client.failure import AuthenticationFailed, Conflict, InvalidAnswer, Refused
from parsec.client.step import Caller, Flow, Means, ask, call, tell, wait
from parsec.crypto.keys import SecretKey
from parsec.crypto.totp import base32_secret
from parsec.data.address import OrganizationAddr, TOTPResetAddr
from parsec.data.device_file import DeviceFile
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.protocol import statuses, totp
from parsec.protocol.command import Request

OpaqueKey: TypeAlias = tuple[TOTPOpaqueKeyID, SecretKey]

_ATTEMPTS = 3
_LONGEST_WAIT_SECONDS = 30.0
_PATIENCE = 5
"""How often a server is waited for that wants to be asked later."""


class _Door(NamedTuple):
    """By which commands the secret is had and confirmed: those of a device, or of a reset link."""

    caller: Caller
    label: str
    get_secret: Request[Any]
    confirm: Callable[[str], Request[Any]]


def set_up_totp(device: LocalDevice) -> Flow[str | None]:
    """Set one-time codes up for the device's user; the answer is the code that confirmed it.

    None: they were set up before. Raises AuthenticationFailed after several wrong codes.
    """
    door = _Door(
        caller=device,
        label=_label(device.organization_id, device.human_handle.email),
        get_secret=totp.TotpSetupGetSecret(),
        confirm=lambda code: totp.TotpSetupConfirm(one_time_password=code),
    )
    return (yield from _set_up(door))


def set_up_totp_again(addr: TOTPResetAddr) -> Flow[None]:
    """Set one-time codes up with the link of an administrator's reset.

    Raises Refused when the link does not count any more.
    """
    door = _Door(
        caller=addr,
        label=_label(addr.organization_id, addr.user_id.hex()),
        get_secret=totp.AnonymousTotpSetupGetSecret(user_id=addr.user_id, token=addr.token),
        confirm=lambda code: totp.AnonymousTotpSetupConfirm(
            user_id=addr.user_id, token=addr.token, one_time_password=code
        ),
    )
    yield from _set_up(door)


def totp_is_set_up(device: LocalDevice) -> Flow[bool]:
    """Whether the device's user has confirmed one-time codes."""
    reply = yield from call(device, totp.TotpSetupGetSecret())
    return isinstance(reply, statuses.AlreadySetup)


def opaque_key(device: LocalDevice, means: Means) -> Flow[OpaqueKey]:
    """A new opaque key for the device, proved to be released against a code.

    One-time codes are set up first where they are not yet.
    """
    code = yield from set_up_totp(device)
    created = yield from call(device, totp.TotpCreateOpaqueKey())
    fetched = yield from fetch_opaque_key(
        device.organization_addr, device.user_id, created.opaque_key_id, means, first_code=code
    )
    if fetched != created.opaque_key:
        raise InvalidAnswer("The server does not release the key that it made")
    return created.opaque_key_id, fetched


def fetch_opaque_key(
    caller: OrganizationAddr | DeviceFile,
    user_id: UserID,
    opaque_key_id: TOTPOpaqueKeyID,
    means: Means,
    *,
    first_code: str | None = None,
) -> Flow[SecretKey]:
    """Have the server release a key against a code.

    `first_code` is tried before anybody is asked. Raises AuthenticationFailed after several wrong
    codes, Refused when the server does not listen for a while.
    """
    code = first_code
    for _ in range(_ATTEMPTS):
        if code is None:
            code = yield from ask(EnterOneTimePassword())
        reply = yield from _released(caller, user_id, opaque_key_id, code, means)
        if isinstance(reply, totp.TotpFetchOpaqueKeyOk):
            return reply.opaque_key
        yield from tell(WrongOneTimePassword())
        code = None
    raise _wrong_codes()


def _released(
    caller: OrganizationAddr | DeviceFile,
    user_id: UserID,
    opaque_key_id: TOTPOpaqueKeyID,
    code: str,
    means: Means,
) -> Flow[Any]:
    request = totp.TotpFetchOpaqueKey(
        user_id=user_id, opaque_key_id=opaque_key_id, one_time_password=code
    )
    for _ in range(_PATIENCE):
        reply = yield from call(caller, request)
        if not isinstance(reply, statuses.Throttled):
            return reply
        yield from _wait_for_server(reply.wait_until, means)
    raise Refused(
        "The server keeps putting one-time codes off",
        hint="somebody else may be trying codes for this account: try again later",
    )


def _wait_for_server(until: Instant, means: Means) -> Flow[None]:
    seconds = until.seconds_since(means.now())
    if seconds > _LONGEST_WAIT_SECONDS:
        raise Refused(
            f"After wrong codes the server listens again only at {until}",
            hint="wait until then, then try again with a fresh code",
        )
    yield from tell(Throttled(until))
    # The instant itself is still too early, and the clocks are never quite the same.
    yield from wait(max(seconds, 0) + 0.5)


def _set_up(door: _Door) -> Flow[str | None]:
    reply = yield from call(door.caller, door.get_secret)
    match reply:
        case statuses.AlreadySetup():
            return None
        case statuses.BadToken():
            raise _dead_link()
    yield from tell(TotpSecret(reply.totp_secret, provisioning_uri(reply.totp_secret, door.label)))
    for _ in range(_ATTEMPTS):
        code = yield from ask(EnterOneTimePassword())
        confirmed = yield from call(door.caller, door.confirm(code))
        match confirmed:
            case statuses.Ok():
                return code
            case statuses.InvalidOneTimePassword():
                yield from tell(WrongOneTimePassword())
            case statuses.BadToken():
                raise _dead_link()
            case _:
                raise Conflict("One-time codes were set up elsewhere meanwhile")
    raise _wrong_codes()


def provisioning_uri(secret: bytes, label: str) -> str:
    """The `otpauth` address that authenticators read; SHA-1, 6 digits and 30 s are its defaults."""
    return f"otpauth://totp/{quote(label)}?secret={base32_secret(secret)}&issuer=Parsec"


def _label(organization_id: OrganizationID, name: str) -> str:
    return f"Parsec:{organization_id}/{name}"


def _dead_link() -> Refused:
    return Refused(
        "The reset link does not count any more",
        hint="it was used, or a newer one was made: ask the administrator for another one",
    )


def _wrong_codes() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The one-time code is wrong",
        hint="codes change every 30 seconds and need a right clock; if the authenticator is lost, "
        "ask the administrator of the server for a reset",
    )
