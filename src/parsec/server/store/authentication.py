"""Who calls: one look-up for each way to prove it."""

from functools import lru_cache
from typing import Any

from parsec.data.ids import AccessToken, DeviceID
from parsec.data.people import OrganizationID
from parsec.server.records import Author, Invited, OrganizationRecord
from parsec.server.store.engine import Reader
from parsec.server.store.invite import INVITATION_COLUMNS, INVITATION_JOINS, invitation_record
from parsec.server.store.organization import organization_record
from parsec.server.store.user import device_record, user_record

# In the order in which `organization_record` reads them.
_ORGANIZATION = """
    organization.organization_id, organization.bootstrap_token_digest, organization.created_on,
    organization.bootstrapped_on, organization.root_verify_key, organization.is_expired,
    organization.active_users_limit, organization.user_profile_outsider_allowed,
    organization.realm_minimum_archiving_period, organization.tos_per_locale_urls,
    organization.tos_updated_on"""

_ORGANIZATION_COLUMNS = 11
_USER_COLUMNS = 8

AUTHOR = f"""
SELECT
    {_ORGANIZATION},
    "user".user_id, "user".email, "user".label, "user".profile, "user".created_on,
    "user".revoked_on, "user".is_frozen, "user".tos_accepted_on,
    device.device_id, device.user_id, device.verify_key
FROM organization
LEFT JOIN device
    ON device.organization_id = organization.organization_id AND device.device_id = :device_id
LEFT JOIN "user"
    ON "user".organization_id = organization.organization_id AND "user".user_id = device.user_id
WHERE organization.organization_id = :organization_id"""  # noqa: S608  (of constants)

INVITED = f"""
SELECT
    {_ORGANIZATION},
    {INVITATION_COLUMNS}
FROM organization
LEFT JOIN invitation
    ON invitation.organization_id = organization.organization_id AND invitation.token = :token
{INVITATION_JOINS}
WHERE organization.organization_id = :organization_id"""  # noqa: S608  (of constants)


async def author(
    reader: Reader, organization_id: OrganizationID, device_id: DeviceID
) -> Author | OrganizationRecord | None:
    """Whose device that is; only the organization where it has no such device, if there is one."""
    rows = await reader.rows(AUTHOR, organization_id=organization_id, device_id=device_id)
    if not rows:
        return None
    return _author(tuple(rows[0]))


@lru_cache(maxsize=1024)
def _author(row: tuple[Any, ...]) -> Author | OrganizationRecord:
    # What is read is always fresh; only the same records are not made again of the same columns.
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
    reader: Reader, organization_id: OrganizationID, token: AccessToken
) -> Invited | OrganizationRecord | None:
    """Which invitation has that token; only the organization where none has it."""
    rows = await reader.rows(INVITED, organization_id=organization_id, token=token)
    if not rows:
        return None
    row = rows[0]
    organization = organization_record(row[:_ORGANIZATION_COLUMNS])
    if row[_ORGANIZATION_COLUMNS] is None:
        return organization
    invitation = invitation_record(row[_ORGANIZATION_COLUMNS:])
    return Invited(organization=organization, invitation=invitation)
