"""What clients see of an organization, read as commands read it, to compare two databases by."""

import hashlib
from collections.abc import Sequence
from typing import SupportsBytes

import msgspec

from parsec.data.people import OrganizationID
from parsec.server.store import certificate, invite, organization, totp, user
from parsec.server.store.engine import StorageError, Transaction
from parsec.server.store.stored import stored_text

ORGANIZATIONS = "SELECT organization_id FROM organization ORDER BY organization_id"


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """What an organization shows: how much, and a digest of all of it in its order."""

    users: int
    certificates: int
    invitations: int
    one_time_codes: int
    """Users about whom anything is known there."""
    digest: bytes


async def organizations(transaction: Transaction) -> Sequence[OrganizationID]:
    """All of them."""
    rows = await transaction.rows(ORGANIZATIONS)
    return [stored_text(OrganizationID, name) for (name,) in rows]


async def client_view(transaction: Transaction, name: OrganizationID) -> ClientView:
    """What clients see of an organization."""
    record = await organization.organization(transaction, name)
    certificates = [
        await certificate.common_certificates(transaction, name, after=None),
        await certificate.redacted_common_certificates(transaction, name, after=None),
        await certificate.sequester_certificates(transaction, name, after=None),
    ]
    users = await user.all_users(transaction, name)
    invitations = []
    for number, one in enumerate(users):
        certificates.append(
            await certificate.shamir_certificates(transaction, name, one.user_id, after=None)
        )
        invitations.append(
            # Those of new users are the same for all who see them.
            await invite.visible_invitations(transaction, name, one.user_id, with_users=number == 0)
        )
    standings = await totp.standings(transaction, name)
    seen = [record, certificates, users, invitations, sorted(standings.items())]
    return ClientView(
        users=len(users),
        certificates=sum(len(some) for some in certificates),
        invitations=sum(len(some) for some in invitations),
        one_time_codes=len(standings),
        digest=hashlib.blake2b(msgspec.msgpack.encode(seen, enc_hook=_plain)).digest(),
    )


def _plain(value: object) -> object:
    """A value of a kind of its own as what it is made of."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    assert isinstance(value, SupportsBytes)
    return bytes(value)


def check_same_view(name: OrganizationID, expected: ClientView, found: ClientView) -> None:
    """Raises StorageError."""
    if expected != found:
        raise StorageError(f"clients of {name} would not see the same on both sides")
