"""What a server's administration interface answers, read with care."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from parsec.client.failure import HttpRefusal, InvalidAnswer, Refused
from parsec.client.transport import AdminTransport, Json
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID

T = TypeVar("T")

# Other servers have no such route at all; ours says what it did not find.
_NOT_FOUND = ("Organization not found", "Invalid organization ID")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of service of an organization."""

    per_locale_urls: dict[str, str]
    updated_on: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How many members an organization has, and how much it stores."""

    organization_id: str
    active_users: int
    users: int
    realms: int
    data_size: int
    metadata_size: int
    users_per_profile_detail: dict[str, dict[str, int]]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How an organization is configured."""

    is_bootstrapped: bool
    is_expired: bool
    user_profile_outsider_allowed: bool
    active_users_limit: int | None
    realm_minimum_archiving_period_before_deletion: int
    tos: Terms | None


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A member, as its server sees it; what official servers do not tell may lack."""

    user_id: str
    user_email: str
    user_name: str
    frozen: bool
    profile: str | msgspec.UnsetType = msgspec.UNSET
    created_on: str | msgspec.UnsetType = msgspec.UNSET
    revoked_on: str | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def human_handle(self) -> str:
        return f"{self.user_name} <{self.user_email}>"

    @property
    def is_detailed(self) -> bool:
        return isinstance(self.profile, str) and isinstance(self.created_on, str)

    @property
    def is_revoked(self) -> bool:
        return isinstance(self.revoked_on, str)


class Codes(msgspec.Struct, frozen=True, kw_only=True):
    """How one-time codes stand for a member."""

    user_id: str
    user_email: str
    user_name: str
    frozen: bool
    state: str
    set_up_on: str | None
    last_used_on: str | None
    failures: int
    throttled_until: str | None
    opaque_keys: int
    reset_pending_since: str | None
    reset_count: int
    resets: list[str]


class _Stats(msgspec.Struct):
    stats: list[Figures]


class _Accounts(msgspec.Struct):
    users: list[Account]


class _Overview(msgspec.Struct):
    users: list[Codes]


def organizations(admin: AdminTransport) -> list[tuple[Figures, Settings]]:
    """All organizations of a server, by name. Raises FlowError."""
    found = _read(_Stats, admin.get("stats", query={"format": "json"})).stats
    return [(each, settings(admin, each.organization_id)) for each in found]


def settings(admin: AdminTransport, organization: str) -> Settings:
    """How an organization is configured. Raises FlowError."""
    return _read(Settings, admin.get("organizations", organization))


def accounts(admin: AdminTransport, organization: OrganizationID) -> list[Account]:
    """The members of an organization, those who were revoked where the server tells them.

    Raises FlowError.
    """
    # A query that is ours; other servers overlook it.
    answer = admin.get("organizations", str(organization), "users", query={"details": "true"})
    return _read(_Accounts, answer).users


def frozen_or_not(
    admin: AdminTransport, organization: OrganizationID, who: dict[str, Json], *, frozen: bool
) -> Account:
    """Keep a member out, or let it in again; the answer is who that is. Raises FlowError."""
    path = ("organizations", str(organization), "users", "freeze")
    try:
        return _read(Account, admin.post(*path, body={**who, "frozen": frozen}))
    except HttpRefusal as refusal:
        if refusal.status != 404 or str(refusal) in _NOT_FOUND:
            raise
        hint = f"see who there is with: parsec-cli organization users -o {organization}"
        raise HttpRefusal(404, str(refusal), hint=hint) from refusal


def codes_overview(admin: AdminTransport, organization: OrganizationID) -> list[Codes]:
    """How one-time codes stand for the members. Raises FlowError."""
    try:
        answer = admin.get("organizations", str(organization), "users", "totp")
    except HttpRefusal as refusal:
        if refusal.status not in (404, 405) or str(refusal) in _NOT_FOUND:
            raise
        raise Refused(
            "This server has no overview of one-time codes",
            hint="it is an addition of parsec-py's own server: official servers lack it, "
            "and so do older ones",
        ) from refusal
    return _read(_Overview, answer).users


def alike_addresses(found: Iterable[Account]) -> list[Sequence[str]]:
    """The addresses of members in use that differ by upper and lower case only."""
    alike: dict[str, list[str]] = {}
    for each in found:
        if not each.is_revoked:
            alike.setdefault(each.user_email.casefold(), []).append(each.user_email)
    return [addresses for addresses in alike.values() if len(addresses) > 1]


def instant(text: str) -> Instant:
    """A date as a server tells it. Raises InvalidAnswer."""
    try:
        return Instant.parse(text)
    except ValueError as error:
        raise InvalidAnswer(f"The server's answer holds a date that is none: {error}") from None


def minute(text: str | None) -> str:
    """A date for a column: in UTC, to the minute. Raises InvalidAnswer."""
    return "-" if text is None else instant(text).rfc3339[:16].replace("T", " ")


def day(text: str) -> str:
    """The same to the day."""
    return instant(text).rfc3339[:10]


def _read(kind: type[T], answer: Json) -> T:
    try:
        return msgspec.convert(answer, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidAnswer(f"The server's answer is not as it should be: {error}") from error
