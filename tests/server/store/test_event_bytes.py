"""Events as bytes."""

import pytest

from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol.command import MergedReply
from parsec.protocol.events import (
    CommonCertificateEvent,
    GreetingAttemptReadyEvent,
    InvitationEvent,
    PingedEvent,
)
from parsec.protocol.invite import InvitationStatus
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
from parsec.server.store.event_bytes import UnknownEventError, dump_event, load_event
from parsec.wire.msgpack import dump

ORGANIZATION, EVENT = OrganizationID("Org"), EventID(b"e" * 16)
ALICE, BOB = UserID(b"a" * 16), UserID(b"b" * 16)


def notification(
    content: MergedReply,
    recipients: frozenset[UserID] | None = None,
    except_device: DeviceID | None = None,
    *,
    is_fleeting: bool = False,
) -> Notification:
    return Notification(
        organization_id=ORGANIZATION,
        event_id=EVENT,
        content=content,
        recipients=recipients,
        except_device=except_device,
        is_fleeting=is_fleeting,
    )


@pytest.mark.parametrize(
    "event",
    [
        notification(PingedEvent(ping="x\0")),
        notification(CommonCertificateEvent(timestamp=Instant(-1)), frozenset()),
        notification(
            InvitationEvent(
                token=AccessToken(b"t" * 16), invitation_status=InvitationStatus.FINISHED
            ),
            frozenset({ALICE, BOB}),
        ),
        notification(
            GreetingAttemptReadyEvent(
                token=AccessToken(b"t" * 16), greeting_attempt=GreetingAttemptID(b"g" * 16)
            ),
            frozenset({BOB}),
            DeviceID(b"d" * 16),
            is_fleeting=True,
        ),
        OrganizationExpired(organization_id=ORGANIZATION, event_id=EVENT),
        OrganizationTosUpdated(organization_id=ORGANIZATION, event_id=EVENT),
        UserRevokedOrFrozen(organization_id=ORGANIZATION, event_id=EVENT, user_id=BOB),
        UserUnfrozen(organization_id=ORGANIZATION, event_id=EVENT, user_id=BOB),
        UserUpdated(
            organization_id=ORGANIZATION,
            event_id=EVENT,
            user_id=BOB,
            new_profile=UserProfile.OUTSIDER,
        ),
    ],
    ids=lambda event: type(event).__name__,
)
def test_events_come_back_as_they_were(event: AnyEvent) -> None:
    assert load_event(dump_event(event)) == event


def test_the_bytes_of_an_event_are_always_the_same() -> None:
    many = frozenset(UserID(bytes([number]) * 16) for number in range(100))
    event = notification(PingedEvent(ping=""), many)
    other = notification(PingedEvent(ping=""), frozenset(sorted(many, reverse=True)))

    assert dump_event(event) == dump_event(other)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc0",
        dump({"kind": "Eclipse", "organization_id": ORGANIZATION, "event_id": EVENT}),
        dump({"kind": "UserUnfrozen", "organization_id": ORGANIZATION, "event_id": EVENT}),
        dump(
            {
                "kind": "Notification",
                "organization_id": ORGANIZATION,
                "event_id": EVENT,
                "content": dump({"status": "ok", "event": "ECLIPSE"}),
            }
        ),
        dump(
            {
                "kind": "Notification",
                "organization_id": ORGANIZATION,
                "event_id": EVENT,
                "content": dump({"status": "not_available"}),
            }
        ),
    ],
)
def test_an_event_of_another_version_is_told(data: bytes) -> None:
    with pytest.raises(UnknownEventError):
        load_event(data)
