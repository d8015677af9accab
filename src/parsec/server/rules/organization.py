"""How an organization begins, and what the administration may make of it."""

import msgspec

from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import HashDigest
from parsec.crypto.rsa import SequesterVerifyKey
from parsec.data.certificates import SequesterAuthorityCertificate
from parsec.data.ids import AccessToken
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import (
    InvalidBootstrapToken,
    InvalidCertificate,
    OrganizationAlreadyBootstrapped,
)
from parsec.server.records import OrganizationRecord, TermsOfService
from parsec.server.rules.certificate import Signer, load_signed
from parsec.server.rules.refusal import Refused
from parsec.server.rules.timestamp import check_ballpark
from parsec.server.rules.user import NewUser, check_first_user
from parsec.server.settings import InitialOrganization


def new_organization(
    organization_id: OrganizationID,
    initial: InitialOrganization,
    *,
    bootstrap_token: AccessToken | None,
    now: Instant,
) -> OrganizationRecord:
    """An organization as the server's settings begin it."""
    urls = initial.tos_per_locale_urls
    minimum = initial.realm_minimum_archiving_period_before_deletion
    return OrganizationRecord(
        organization_id=organization_id,
        bootstrap_token_digest=None if bootstrap_token is None else HashDigest.of(bootstrap_token),
        created_on=now,
        bootstrapped_on=None,
        root_verify_key=None,
        is_expired=False,
        active_users_limit=initial.active_users_limit,
        user_profile_outsider_allowed=initial.user_profile_outsider_allowed,
        realm_minimum_archiving_period_before_deletion=minimum,
        tos=TermsOfService(urls, now) if urls is not None else None,
    )


class OrganizationChange(msgspec.Struct, frozen=True, kw_only=True):
    """What the administration wants of an organization; what is unset stays as it is."""

    is_expired: bool | msgspec.UnsetType = msgspec.UNSET
    user_profile_outsider_allowed: bool | msgspec.UnsetType = msgspec.UNSET
    active_users_limit: int | msgspec.UnsetType | None = msgspec.UNSET
    realm_minimum_archiving_period_before_deletion: int | msgspec.UnsetType = msgspec.UNSET
    tos_per_locale_urls: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


def changed(
    record: OrganizationRecord, change: OrganizationChange, *, now: Instant
) -> OrganizationRecord:
    """The organization after a change; terms of service are new even where they are the same."""
    fields = {
        name: value
        for name, value in msgspec.structs.asdict(change).items()
        if value is not msgspec.UNSET and name != "tos_per_locale_urls"
    }
    urls = change.tos_per_locale_urls
    if urls is not msgspec.UNSET:
        fields["tos"] = TermsOfService(urls, now) if urls is not None else None
    return msgspec.structs.replace(record, **fields)


class Bootstrap(msgspec.Struct, frozen=True):
    """How an organization begins."""

    first: NewUser
    is_sequestered: bool


def check_bootstrap(
    request: OrganizationBootstrap, organization: OrganizationRecord, *, now: Instant
) -> Bootstrap:
    """The first user, whom the root key made an administrator. Raises Refused."""
    bootstrap = _check_certificates(request, now=now)
    if organization.bootstrapped_on is not None:
        raise Refused(OrganizationAlreadyBootstrapped())
    if not _is_token(request.bootstrap_token, organization.bootstrap_token_digest):
        raise Refused(InvalidBootstrapToken())
    return bootstrap


def _check_certificates(request: OrganizationBootstrap, *, now: Instant) -> Bootstrap:
    root = Signer(device_id=None, key=request.root_verify_key)
    first = check_first_user(request, root, now=now)
    signed = request.sequester_authority_certificate
    if signed is not None:
        _check_authority(signed, root, first, now=now)
    return Bootstrap(first, is_sequestered=signed is not None)


def _check_authority(signed: bytes, root: Signer, first: NewUser, *, now: Instant) -> None:
    authority = load_signed(SequesterAuthorityCertificate, signed, root)
    try:
        SequesterVerifyKey(authority.verify_key_der)
    except CryptoError as error:
        raise Refused(InvalidCertificate(), f"the authority's key: {error}") from error
    check_ballpark(authority.timestamp, now=now)
    if authority.timestamp != first.timestamp:
        raise Refused(InvalidCertificate(), "the dates of user and authority differ")


def _is_token(given: AccessToken | None, digest: HashDigest | None) -> bool:
    if given is None or digest is None:
        return given is None and digest is None
    # Digests compare in constant time.
    return HashDigest.of(given) == digest
