"""Events as bytes, on their way to other processes and to clients that come back."""

from typing import assert_never

import msgspec

from parsec.data.ids import DeviceID, UserID
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.command import MergedReply, dump_reply, load_reply
from parsec.protocol.events import EventsListen
from parsec.server.records import (
    AnyEvent,
    EventID,
    Notification,
    OrganizationExpired,
    OrganizationTosUpdated,
    UserRevokedOrFrozen,
    UserUnfrozen,
    UserUpdated,
)
from parsec.wire.msgpack import MalformedError, dump, reader


class UnknownEventError(ValueError):
    """An event of another version of the server."""


class _Written(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All events in one form; which of the fields are set depends on the kind."""

    kind: str
    organization_id: OrganizationID
    event_id: EventID
    user_id: UserID | None = None
    new_profile: UserProfile | None = None
    content: bytes | None = None
    recipients: list[UserID] | None = None
    except_device: DeviceID | None = None
    is_fleeting: bool = False


def dump_event(event: AnyEvent) -> bytes:
    """The bytes of an event."""
    return dump(_written(event))


def load_event(data: bytes) -> AnyEvent:
    """Read the bytes of an event. Raises UnknownEventError."""
    try:
        return _event(reader(_Written).load(data))
    except MalformedError as error:
        raise UnknownEventError(f"not an event of this version: {error}") from error


def _written(event: AnyEvent) -> _Written:
    plain = _Written(
        kind=type(event).__name__, organization_id=event.organization_id, event_id=event.event_id
    )
    match event:
        case Notification():
            recipients = event.recipients
            return msgspec.structs.replace(
                plain,
                content=dump_reply(event.content),
                recipients=sorted(recipients) if recipients is not None else None,
                except_device=event.except_device,
                is_fleeting=event.is_fleeting,
            )
        case OrganizationExpired() | OrganizationTosUpdated():
            return plain
        case UserRevokedOrFrozen() | UserUnfrozen():
            return msgspec.structs.replace(plain, user_id=event.user_id)
        case UserUpdated():
            return msgspec.structs.replace(
                plain, user_id=event.user_id, new_profile=event.new_profile
            )
        case _:
            assert_never(event)


def _event(written: _Written) -> AnyEvent:
    organization_id, event_id = written.organization_id, written.event_id
    match written:
        case _Written(kind="Notification", content=bytes(content), recipients=recipients):
            return Notification(
                organization_id=organization_id,
                event_id=event_id,
                content=_content(content),
                recipients=frozenset(recipients) if recipients is not None else None,
                except_device=written.except_device,
                is_fleeting=written.is_fleeting,
            )
        case _Written(kind="OrganizationExpired"):
            return OrganizationExpired(organization_id=organization_id, event_id=event_id)
        case _Written(kind="OrganizationTosUpdated"):
            return OrganizationTosUpdated(organization_id=organization_id, event_id=event_id)
        case _Written(kind="UserRevokedOrFrozen", user_id=UserID() as user_id):
            return UserRevokedOrFrozen(
                organization_id=organization_id, event_id=event_id, user_id=user_id
            )
        case _Written(kind="UserUnfrozen", user_id=UserID() as user_id):
            return UserUnfrozen(organization_id=organization_id, event_id=event_id, user_id=user_id)
        case _Written(
            kind="UserUpdated", user_id=UserID() as user_id, new_profile=UserProfile() as profile
        ):
            return UserUpdated(
                organization_id=organization_id,
                event_id=event_id,
                user_id=user_id,
                new_profile=profile,
            )
        case _:
            raise UnknownEventError(f"not an event of this version: {written.kind}")


def _content(data: bytes) -> MergedReply:
    content = load_reply(EventsListen, data)
    if not isinstance(content, MergedReply):
        raise UnknownEventError("not an event of this version: no content")
    return content
