"""Facts for the server's rules: records with ordinary values, of which a test names a few."""

import itertools
from typing import Any

from parsec.crypto.keys import HashDigest, SigningKey
from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, HumanHandle, OrganizationID, UserProfile
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import (
    Author,
    DeviceRecord,
    GreetingAttemptRecord,
    InvitationRecord,
    OrganizationRecord,
    ShamirSetupRecord,
    UserRecord,
)

NOW = Instant.parse("2026-01-02T03:04:05Z")
EARLIER = NOW.plus(seconds=-60)

_numbers = itertools.count(1)


def sixteen_bytes() -> bytes:
    """Other bytes at each call."""
    return next(_numbers).to_bytes(16, "big")


def user(name: str = "alice", **fields: Any) -> UserRecord:
    """A member of profile STANDARD."""
    values: dict[str, Any] = {
        "user_id": UserID(sixteen_bytes()),
        "human_handle": HumanHandle(EmailAddress(f"{name}@example.com"), name.capitalize()),
        "profile": UserProfile.STANDARD,
        "created_on": EARLIER,
        "revoked_on": None,
        "is_frozen": False,
        "tos_accepted_on": None,
    }
    return UserRecord(**values | fields)


def administrator(name: str = "alice", **fields: Any) -> UserRecord:
    return user(name, profile=UserProfile.ADMIN, **fields)


def organization() -> OrganizationRecord:
    """A bootstrapped organization."""
    return OrganizationRecord(
        organization_id=OrganizationID("Org"),
        bootstrap_token_digest=None,
        created_on=EARLIER,
        bootstrapped_on=EARLIER,
        root_verify_key=SigningKey(bytes(32)).verify_key,
        is_expired=False,
        active_users_limit=None,
        user_profile_outsider_allowed=True,
        realm_minimum_archiving_period_before_deletion=0,
        tos=None,
    )


def author(member: UserRecord, key: SigningKey) -> Author:
    """That member, calling from a device with that key."""
    device = DeviceRecord(
        device_id=DeviceID(sixteen_bytes()), user_id=member.user_id, verify_key=key.verify_key
    )
    return Author(organization=organization(), user=member, device=device)


def user_invitation(email: str = "new@example.com", **fields: Any) -> InvitationRecord:
    return _invitation(type=InvitationType.USER, claimer_email=EmailAddress(email), **fields)


def device_invitation(claimer: UserRecord, **fields: Any) -> InvitationRecord:
    return _invitation(
        type=InvitationType.DEVICE,
        claimer_user_id=claimer.user_id,
        claimer_human_handle=claimer.human_handle,
        claimer_revoked_on=claimer.revoked_on,
        **fields,
    )


def shamir_invitation(setup: ShamirSetupRecord, **fields: Any) -> InvitationRecord:
    return _invitation(
        type=InvitationType.SHAMIR_RECOVERY,
        claimer_user_id=setup.user_id,
        setup_created_on=setup.created_on,
        setup_deleted_on=setup.deleted_on,
        **fields,
    )


def shamir_setup(owner: UserRecord, shares: dict[UserID, int], **fields: Any) -> ShamirSetupRecord:
    values: dict[str, Any] = {
        "user_id": owner.user_id,
        "created_on": EARLIER,
        "threshold": 1,
        "shares": shares,
        "reveal_token_digest": HashDigest.of(sixteen_bytes()),
        "deleted_on": None,
    }
    return ShamirSetupRecord(**values | fields)


def attempt(
    greeter: UserRecord, invitation: InvitationRecord, **fields: Any
) -> GreetingAttemptRecord:
    """An attempt that nobody has joined."""
    values: dict[str, Any] = {
        "greeting_attempt_id": GreetingAttemptID(sixteen_bytes()),
        "token": invitation.token,
        "greeter": greeter.user_id,
        "greeter_joined_on": None,
        "claimer_joined_on": None,
        "cancelled": None,
    }
    return GreetingAttemptRecord(**values | fields)


def _invitation(**fields: Any) -> InvitationRecord:
    creator = user("creator")
    values: dict[str, Any] = {
        "token": AccessToken(sixteen_bytes()),
        "created_on": EARLIER,
        "created_by_user_id": creator.user_id,
        "created_by_human_handle": creator.human_handle,
        "status": InvitationStatus.PENDING,
    }
    return InvitationRecord(**values | fields)
