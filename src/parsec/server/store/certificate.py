"""Certificates as clients fetch them, and the last timestamp of each topic."""

from typing import NamedTuple

from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.data.topics import Topic
from parsec.server.store.engine import Transaction

LAST_TIMESTAMP = """
SELECT last_timestamp FROM topic
WHERE organization_id = :organization_id AND topic = :topic"""

SET_LAST_TIMESTAMP = """
INSERT INTO topic (organization_id, topic, last_timestamp)
VALUES (:organization_id, :topic, :last_timestamp)
ON CONFLICT (organization_id, topic) DO UPDATE SET last_timestamp = excluded.last_timestamp"""

ADD_COMMON = """
INSERT INTO common_certificate (
    organization_id, timestamp, position, certificate, redacted_certificate
) VALUES (:organization_id, :timestamp, :position, :certificate, :redacted_certificate)"""

COMMON_AFTER = """
SELECT certificate FROM common_certificate
WHERE organization_id = :organization_id AND timestamp > :after
ORDER BY timestamp, position"""

REDACTED_COMMON_AFTER = """
SELECT COALESCE(redacted_certificate, certificate) FROM common_certificate
WHERE organization_id = :organization_id AND timestamp > :after
ORDER BY timestamp, position"""

ADD_SEQUESTER = """
INSERT INTO sequester_certificate (organization_id, timestamp, certificate)
VALUES (:organization_id, :timestamp, :certificate)"""

SEQUESTER_AFTER = """
SELECT certificate FROM sequester_certificate
WHERE organization_id = :organization_id AND timestamp > :after
ORDER BY timestamp"""

# Owners get the brief and the deletion, recipients their share in between.
_SHAMIR = """
SELECT timestamp, position, certificate FROM (
    SELECT created_on AS timestamp, 0 AS position, brief_certificate AS certificate
    FROM shamir_setup
    WHERE organization_id = :organization_id AND user_id = :user_id
    UNION ALL
    SELECT deleted_on, 2, deletion_certificate
    FROM shamir_setup
    WHERE organization_id = :organization_id AND user_id = :user_id AND deleted_on IS NOT NULL
    UNION ALL
    SELECT shamir_setup.created_on, 0, shamir_setup.brief_certificate
    FROM shamir_share
    JOIN shamir_setup
        ON shamir_setup.organization_id = shamir_share.organization_id
        AND shamir_setup.user_id = shamir_share.user_id
        AND shamir_setup.created_on = shamir_share.created_on
    WHERE shamir_share.organization_id = :organization_id
        AND shamir_share.recipient_id = :user_id
    UNION ALL
    SELECT created_on, 1, share_certificate
    FROM shamir_share
    WHERE organization_id = :organization_id AND recipient_id = :user_id
    UNION ALL
    SELECT shamir_setup.deleted_on, 2, shamir_setup.deletion_certificate
    FROM shamir_share
    JOIN shamir_setup
        ON shamir_setup.organization_id = shamir_share.organization_id
        AND shamir_setup.user_id = shamir_share.user_id
        AND shamir_setup.created_on = shamir_share.created_on
    WHERE shamir_share.organization_id = :organization_id
        AND shamir_share.recipient_id = :user_id
        AND shamir_setup.deleted_on IS NOT NULL
) AS concerned"""

SHAMIR_AFTER = f"""{_SHAMIR}
WHERE timestamp > :after
ORDER BY timestamp, position"""

# Not in their order: the databases would sort them, though they find them nearly sorted.
_NEWS = f"""
UNION ALL
SELECT 1, timestamp, 0, certificate FROM sequester_certificate
WHERE organization_id = :organization_id AND timestamp > :sequester_after
UNION ALL
SELECT 2, timestamp, position, certificate FROM ({_SHAMIR}
WHERE timestamp > :shamir_after) AS shamir"""  # noqa: S608  (of constants)

NEWS = f"""
SELECT 0 AS part, timestamp, position, certificate FROM common_certificate
WHERE organization_id = :organization_id AND timestamp > :common_after
{_NEWS}"""  # noqa: S608  (of constants)

REDACTED_NEWS = f"""
SELECT 0 AS part, timestamp, position, COALESCE(redacted_certificate, certificate)
FROM common_certificate
WHERE organization_id = :organization_id AND timestamp > :common_after
{_NEWS}"""  # noqa: S608  (of constants)

_BEFORE_ALL = -(1 << 63)


def topic_lock(organization_id: OrganizationID, topic: Topic) -> str:
    """What `Transaction.lock` is given for a topic of an organization."""
    return f"{organization_id}/{topic}"


async def last_timestamp(
    transaction: Transaction, organization_id: OrganizationID, topic: str
) -> Instant | None:
    """The date of the last certificate of a topic."""
    rows = await transaction.rows(LAST_TIMESTAMP, organization_id=organization_id, topic=topic)
    return Instant(rows[0][0]) if rows else None


async def set_last_timestamp(
    transaction: Transaction, organization_id: OrganizationID, topic: Topic, timestamp: Instant
) -> None:
    """Write that a topic has a newer certificate."""
    await transaction.rows(
        SET_LAST_TIMESTAMP,
        organization_id=organization_id,
        topic=topic,
        last_timestamp=timestamp,
    )


async def add_common_certificate(
    transaction: Transaction,
    organization_id: OrganizationID,
    *,
    timestamp: Instant,
    certificate: bytes,
    redacted_certificate: bytes | None = None,
) -> None:
    """Write the new last certificate of the common topic."""
    await _add_common(
        transaction, organization_id, timestamp, 0, (certificate, redacted_certificate)
    )
    await set_last_timestamp(transaction, organization_id, Topic.COMMON, timestamp)


async def add_user_certificates(
    transaction: Transaction,
    organization_id: OrganizationID,
    *,
    timestamp: Instant,
    user: tuple[bytes, bytes],
    device: tuple[bytes, bytes],
) -> None:
    """Write the certificates of a user and its first device, each full and redacted."""
    await _add_common(transaction, organization_id, timestamp, 0, user)
    await _add_common(transaction, organization_id, timestamp, 1, device)
    await set_last_timestamp(transaction, organization_id, Topic.COMMON, timestamp)


async def common_certificates(
    transaction: Transaction, organization_id: OrganizationID, *, after: Instant | None
) -> list[bytes]:
    """The certificates of the common topic that are newer, in their order."""
    rows = await transaction.rows(
        COMMON_AFTER, organization_id=organization_id, after=_since(after)
    )
    return [certificate for (certificate,) in rows]


async def redacted_common_certificates(
    transaction: Transaction, organization_id: OrganizationID, *, after: Instant | None
) -> list[bytes]:
    """The same without the names of people and devices."""
    rows = await transaction.rows(
        REDACTED_COMMON_AFTER, organization_id=organization_id, after=_since(after)
    )
    return [certificate for (certificate,) in rows]


async def add_sequester_certificate(
    transaction: Transaction,
    organization_id: OrganizationID,
    *,
    timestamp: Instant,
    certificate: bytes,
) -> None:
    """Write the new last certificate of the sequester topic."""
    await transaction.rows(
        ADD_SEQUESTER,
        organization_id=organization_id,
        timestamp=timestamp,
        certificate=certificate,
    )
    await set_last_timestamp(transaction, organization_id, Topic.SEQUESTER, timestamp)


async def sequester_certificates(
    transaction: Transaction, organization_id: OrganizationID, *, after: Instant | None
) -> list[bytes]:
    """The certificates of the sequester topic that are newer, in their order."""
    rows = await transaction.rows(
        SEQUESTER_AFTER, organization_id=organization_id, after=_since(after)
    )
    return [certificate for (certificate,) in rows]


async def shamir_certificates(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    after: Instant | None,
) -> list[bytes]:
    """The newer certificates of the shared recoveries in which a user has a part."""
    rows = await transaction.rows(
        SHAMIR_AFTER, organization_id=organization_id, user_id=user_id, after=_since(after)
    )
    return [certificate for _, _, certificate in rows]


class News(NamedTuple):
    """Newer certificates of each topic, in their order."""

    common: list[bytes]
    sequester: list[bytes]
    shamir: list[bytes]


async def news(
    transaction: Transaction,
    organization_id: OrganizationID,
    user_id: UserID,
    *,
    redacted: bool,
    common_after: Instant | None,
    sequester_after: Instant | None,
    shamir_after: Instant | None,
) -> News:
    """All newer certificates that a user may see, by one statement."""
    rows = await transaction.rows(
        REDACTED_NEWS if redacted else NEWS,
        organization_id=organization_id,
        user_id=user_id,
        common_after=_since(common_after),
        sequester_after=_since(sequester_after),
        shamir_after=_since(shamir_after),
    )
    found = News([], [], [])
    # Rows are ordered as tuples are; no two share what stands before the certificate.
    for part, _, _, certificate in sorted(rows):  # type: ignore[type-var]
        found[part].append(certificate)
    return found


async def _add_common(
    transaction: Transaction,
    organization_id: OrganizationID,
    timestamp: Instant,
    position: int,
    versions: tuple[bytes, bytes | None],
) -> None:
    await transaction.rows(
        ADD_COMMON,
        organization_id=organization_id,
        timestamp=timestamp,
        position=position,
        certificate=versions[0],
        redacted_certificate=versions[1],
    )


def _since(after: Instant | None) -> int:
    return _BEFORE_ALL if after is None else after
