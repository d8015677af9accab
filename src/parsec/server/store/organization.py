"""Organizations: loading and writing them."""

import msgspec

from parsec.crypto.keys import HashDigest, VerifyKey
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID, UserProfile
from parsec.server.records import OrganizationRecord, ProfileCount, TermsOfService
from parsec.server.store.engine import Reader, Row, Transaction
from parsec.server.store.stored import stored_text

ORGANIZATION = """
SELECT
    organization_id, bootstrap_token_digest, created_on, bootstrapped_on, root_verify_key,
    is_expired, active_users_limit, user_profile_outsider_allowed, realm_minimum_archiving_period,
    tos_per_locale_urls, tos_updated_on
FROM organization
WHERE organization_id = :organization_id"""

CREATED_ORGANIZATIONS = """
SELECT organization_id FROM organization
WHERE created_on <= :created_before
ORDER BY organization_id"""

# One that nobody bootstrapped is overwritten, with all that was set on it.
CREATE = """
INSERT INTO organization (
    organization_id, bootstrap_token_digest, created_on, is_expired, active_users_limit,
    user_profile_outsider_allowed, realm_minimum_archiving_period, tos_per_locale_urls,
    tos_updated_on
) VALUES (
    :organization_id, :bootstrap_token_digest, :created_on, :is_expired, :active_users_limit,
    :user_profile_outsider_allowed, :realm_minimum_archiving_period, :tos_per_locale_urls,
    :tos_updated_on
)
ON CONFLICT (organization_id) DO UPDATE SET
    bootstrap_token_digest = excluded.bootstrap_token_digest,
    created_on = excluded.created_on,
    is_expired = excluded.is_expired,
    active_users_limit = excluded.active_users_limit,
    user_profile_outsider_allowed = excluded.user_profile_outsider_allowed,
    realm_minimum_archiving_period = excluded.realm_minimum_archiving_period,
    tos_per_locale_urls = excluded.tos_per_locale_urls,
    tos_updated_on = excluded.tos_updated_on
WHERE organization.bootstrapped_on IS NULL"""

BOOTSTRAP = """
UPDATE organization SET bootstrapped_on = :bootstrapped_on, root_verify_key = :root_verify_key
WHERE organization_id = :organization_id"""

CONFIGURE = """
UPDATE organization SET
    is_expired = :is_expired,
    active_users_limit = :active_users_limit,
    user_profile_outsider_allowed = :user_profile_outsider_allowed,
    realm_minimum_archiving_period = :realm_minimum_archiving_period,
    tos_per_locale_urls = :tos_per_locale_urls,
    tos_updated_on = :tos_updated_on
WHERE organization_id = :organization_id"""

# Who is revoked today counts as revoked at any date; who came later does not count.
USERS_PER_PROFILE = """
SELECT profile_at.profile, "user".revoked_on IS NULL, COUNT(*)
FROM "user"
JOIN user_profile_since AS profile_at
    ON profile_at.organization_id = "user".organization_id
    AND profile_at.user_id = "user".user_id
WHERE "user".organization_id = :organization_id
    AND profile_at.since = (
        SELECT MAX(earlier.since) FROM user_profile_since AS earlier
        WHERE earlier.organization_id = "user".organization_id
            AND earlier.user_id = "user".user_id
            AND earlier.since <= :at
    )
GROUP BY 1, 2"""


async def organization(
    reader: Reader, organization_id: OrganizationID
) -> OrganizationRecord | None:
    """The organization of that name."""
    rows = await reader.rows(ORGANIZATION, organization_id=organization_id)
    return organization_record(rows[0]) if rows else None


def organization_record(row: Row) -> OrganizationRecord:
    """Read the columns of `ORGANIZATION`, in their order."""
    (
        organization_id,
        token_digest,
        created_on,
        bootstrapped_on,
        root_verify_key,
        is_expired,
        active_users_limit,
        user_profile_outsider_allowed,
        realm_minimum_archiving_period,
        tos_per_locale_urls,
        tos_updated_on,
    ) = row
    return OrganizationRecord(
        organization_id=stored_text(OrganizationID, organization_id),
        bootstrap_token_digest=HashDigest(token_digest) if token_digest is not None else None,
        created_on=Instant(created_on),
        bootstrapped_on=Instant(bootstrapped_on) if bootstrapped_on is not None else None,
        root_verify_key=VerifyKey(root_verify_key) if root_verify_key is not None else None,
        is_expired=bool(is_expired),
        active_users_limit=active_users_limit,
        user_profile_outsider_allowed=bool(user_profile_outsider_allowed),
        realm_minimum_archiving_period_before_deletion=realm_minimum_archiving_period,
        tos=_terms(tos_per_locale_urls, tos_updated_on),
    )


async def created_organizations(
    transaction: Transaction, *, before: Instant
) -> list[OrganizationID]:
    """All organizations created at that date or earlier, by name."""
    rows = await transaction.rows(CREATED_ORGANIZATIONS, created_before=before)
    return [stored_text(OrganizationID, name) for (name,) in rows]


async def create(transaction: Transaction, record: OrganizationRecord) -> None:
    """Write a new organization, over one that was never bootstrapped."""
    await transaction.rows(
        CREATE,
        organization_id=record.organization_id,
        bootstrap_token_digest=_digest_bytes(record.bootstrap_token_digest),
        created_on=record.created_on,
        is_expired=record.is_expired,
        active_users_limit=record.active_users_limit,
        user_profile_outsider_allowed=record.user_profile_outsider_allowed,
        realm_minimum_archiving_period=record.realm_minimum_archiving_period_before_deletion,
        tos_per_locale_urls=_urls_text(record.tos),
        tos_updated_on=record.tos.updated_on if record.tos else None,
    )


async def bootstrap(
    transaction: Transaction,
    organization_id: OrganizationID,
    *,
    root_verify_key: VerifyKey,
    bootstrapped_on: Instant,
) -> None:
    """Give an organization its root key."""
    await transaction.rows(
        BOOTSTRAP,
        organization_id=organization_id,
        root_verify_key=bytes(root_verify_key),
        bootstrapped_on=bootstrapped_on,
    )


async def configure(transaction: Transaction, record: OrganizationRecord) -> None:
    """Write what the administration may change."""
    await transaction.rows(
        CONFIGURE,
        organization_id=record.organization_id,
        is_expired=record.is_expired,
        active_users_limit=record.active_users_limit,
        user_profile_outsider_allowed=record.user_profile_outsider_allowed,
        realm_minimum_archiving_period=record.realm_minimum_archiving_period_before_deletion,
        tos_per_locale_urls=_urls_text(record.tos),
        tos_updated_on=record.tos.updated_on if record.tos else None,
    )


async def users_per_profile(
    transaction: Transaction, organization_id: OrganizationID, *, at: Instant
) -> dict[UserProfile, ProfileCount]:
    """How many users had each profile at a date; all profiles are there."""
    rows = await transaction.rows(USERS_PER_PROFILE, organization_id=organization_id, at=at)
    counts = {(profile, bool(active)): count for profile, active, count in rows}
    return {
        profile: ProfileCount(
            active=counts.get((profile.value, True), 0),
            revoked=counts.get((profile.value, False), 0),
        )
        for profile in UserProfile
    }


def _terms(urls: str | None, updated_on: int | None) -> TermsOfService | None:
    if urls is None or updated_on is None:
        return None
    return TermsOfService(msgspec.json.decode(urls, type=dict[str, str]), Instant(updated_on))


def _digest_bytes(digest: HashDigest | None) -> bytes | None:
    return bytes(digest) if digest is not None else None


def _urls_text(tos: TermsOfService | None) -> str | None:
    return msgspec.json.encode(tos.per_locale_urls).decode() if tos else None
