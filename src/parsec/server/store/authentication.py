"""Who calls: one look-up for each way to prove it."""

from parsec.data.address import InvitationType
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, OrganizationID
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import (
    Author,
    InvitationRecord,
    Invited,
    OrganizationRecord,
)
from parsec.server.store.engine import Row, Transaction
from parsec.server.store.organization import organization_record
from parsec.server.store.stored import stored_human_handle, stored_text
from parsec.server.store.user import device_record, user_record

_ORGANIZATION_COLUMNS = 11
_USER_COLUMNS = 8

AUTHOR = """
SELECT
    organization.organization_id, organization.bootstrap_token, organization.created_on,
    organization.bootstrapped_on, organization.root_verify_key, organization.is_expired,
    organization.active_users_limit, organization.user_profile_outsider_allowed,
    organization.realm_minimum_archiving_period, organization.tos_per_locale_urls,
    organization.tos_updated_on,
    "user".user_id, "user".email, "user".label, "user".profile, "user".created_on,
    "user".revoked_on, "user".is_frozen, "user".tos_accepted_on,
    device.device_id, device.user_id, device.verify_key
FROM organization
LEFT JOIN device
    ON device.organization_id = organization.organization_id AND device.device_id = :device_id
LEFT JOIN "user"
    ON "user".organization_id = organization.organization_id AND "user".user_id = device.user_id
WHERE organization.organization_id = :organization_id"""

INVITED = """
SELECT
    organization.organization_id, organization.bootstrap_token, organization.created_on,
    organization.bootstrapped_on, organization.root_verify_key, organization.is_expired,
    organization.active_users_limit, organization.user_profile_outsider_allowed,
    organization.realm_minimum_archiving_period, organization.tos_per_locale_urls,
    organization.tos_updated_on,
    invitation.token, invitation.type, invitation.created_on, invitation.created_by,
    creator.email, creator.label, invitation.status, invitation.claimer_email,
    invitation.claimer_user_id, claimer.email, claimer.label, claimer.revoked_on,
    invitation.setup_created_on, shamir_setup.deleted_on
FROM organization
LEFT JOIN invitation
    ON invitation.organization_id = organization.organization_id AND invitation.token = :token
LEFT JOIN "user" AS creator
    ON creator.organization_id = organization.organization_id
    AND creator.user_id = invitation.created_by
LEFT JOIN "user" AS claimer
    ON claimer.organization_id = organization.organization_id
    AND claimer.user_id = invitation.claimer_user_id
LEFT JOIN shamir_setup
    ON shamir_setup.organization_id = organization.organization_id
    AND shamir_setup.user_id = invitation.claimer_user_id
    AND shamir_setup.created_on = invitation.setup_created_on
WHERE organization.organization_id = :organization_id"""


async def author(
    transaction: Transaction, organization_id: OrganizationID, device_id: DeviceID
) -> Author | OrganizationRecord | None:
    """Whose device that is; only the organization where it has no such device, if there is one."""
    rows = await transaction.rows(AUTHOR, organization_id=organization_id, device_id=device_id)
    if not rows:
        return None
    row = rows[0]
    organization = organization_record(row[:_ORGANIZATION_COLUMNS])
    if row[-1] is None:
        return organization
    user_end = _ORGANIZATION_COLUMNS + _USER_COLUMNS
    return Author(
        organization=organization,
        user=user_record(row[_ORGANIZATION_COLUMNS:user_end]),
        device=device_record(row[user_end:]),
    )


async def invited(
    transaction: Transaction, organization_id: OrganizationID, token: AccessToken
) -> Invited | OrganizationRecord | None:
    """Which invitation has that token; only the organization where none has it."""
    rows = await transaction.rows(INVITED, organization_id=organization_id, token=token)
    if not rows:
        return None
    row = rows[0]
    organization = organization_record(row[:_ORGANIZATION_COLUMNS])
    if row[_ORGANIZATION_COLUMNS] is None:
        return organization
    invitation = invitation_record(row[_ORGANIZATION_COLUMNS:])
    return Invited(organization=organization, invitation=invitation)


def invitation_record(row: Row) -> InvitationRecord:
    """Read the columns of the invitation in `INVITED`, in their order."""
    (
        token,
        kind,
        created_on,
        created_by,
        creator_email,
        creator_label,
        status,
        claimer_email,
        claimer_user_id,
        claimer_user_email,
        claimer_label,
        claimer_revoked_on,
        setup_created_on,
        setup_deleted_on,
    ) = row
    return InvitationRecord(
        token=AccessToken(token),
        type=InvitationType(kind),
        created_on=Instant(created_on),
        created_by_user_id=UserID(created_by),
        created_by_human_handle=stored_human_handle(creator_email, creator_label),
        status=InvitationStatus(status),
        claimer_email=(
            stored_text(EmailAddress, claimer_email) if claimer_email is not None else None
        ),
        claimer_user_id=UserID(claimer_user_id) if claimer_user_id is not None else None,
        claimer_human_handle=(
            stored_human_handle(claimer_user_email, claimer_label)
            if claimer_user_email is not None
            else None
        ),
        claimer_revoked_on=_instant(claimer_revoked_on),
        setup_created_on=_instant(setup_created_on),
        setup_deleted_on=_instant(setup_deleted_on),
    )


def _instant(value: int | None) -> Instant | None:
    return Instant(value) if value is not None else None
