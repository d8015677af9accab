"""How an organization begins, and what the administration makes of it (server-core.md 5)."""

from typing import Any

import msgspec
import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.certificates import SequesterAuthorityCertificate
from parsec.data.ids import AccessToken
from parsec.data.people import OrganizationID, UserProfile
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.organization import OrganizationBootstrap
from parsec.server.records import OrganizationRecord, TermsOfService
from parsec.server.rules.organization import (
    OrganizationChange,
    changed,
    check_bootstrap,
    new_organization,
)
from parsec.server.rules.refusal import Refused
from parsec.server.settings import InitialOrganization
from tests.support.certificates import authority_key
from tests.support.newcomers import Papers, newcomer, papers
from tests.support.server_records import EARLIER, NOW

ROOT = SigningKey(bytes(range(32)))
TOKEN = AccessToken(bytes(range(16)))
ALICE = papers(newcomer("alice", UserProfile.ADMIN), author=None, timestamp=NOW)
WAITING = new_organization(
    OrganizationID("Org"), InitialOrganization(), bootstrap_token=TOKEN, now=EARLIER
)


def request(first: Papers = ALICE, **fields: Any) -> OrganizationBootstrap:
    values: dict[str, Any] = {
        "bootstrap_token": TOKEN,
        "root_verify_key": ROOT.verify_key,
        "sequester_authority_certificate": None,
        **first.signed(ROOT),
    }
    return OrganizationBootstrap(**values | fields)


def refusal(asked: OrganizationBootstrap, organization: OrganizationRecord = WAITING) -> Reply:
    with pytest.raises(Refused) as refused:
        check_bootstrap(asked, organization, now=NOW)
    return refused.value.reply


def test_the_holder_of_the_token_begins_the_organization() -> None:
    bootstrap = check_bootstrap(request(), WAITING, now=NOW)

    assert bootstrap.first.user_record.profile is UserProfile.ADMIN
    assert not bootstrap.is_sequestered


@pytest.mark.parametrize("token", [None, AccessToken(bytes(16))])
def test_without_the_token_nobody_begins_it(token: AccessToken | None) -> None:
    assert refusal(request(bootstrap_token=token)) == statuses.InvalidBootstrapToken()


def test_where_anybody_may_begin_a_token_is_refused() -> None:
    open_to_all = msgspec.structs.replace(WAITING, bootstrap_token_digest=None)

    assert refusal(request(), open_to_all) == statuses.InvalidBootstrapToken()


def test_where_anybody_may_begin_no_token_is_needed() -> None:
    open_to_all = msgspec.structs.replace(WAITING, bootstrap_token_digest=None)

    check_bootstrap(request(bootstrap_token=None), open_to_all, now=NOW)


def test_nobody_begins_it_twice() -> None:
    """Whatever the token: this is what is told first."""
    begun = msgspec.structs.replace(WAITING, bootstrapped_on=EARLIER)

    replies = [refusal(request(), begun), refusal(request(bootstrap_token=None), begun)]

    assert replies == [statuses.OrganizationAlreadyBootstrapped()] * 2


def test_bad_certificates_are_told_before_a_bad_token() -> None:
    asked = request(bootstrap_token=None, user_certificate=b"")

    assert refusal(asked) == statuses.InvalidCertificate()


def test_the_first_user_is_an_administrator() -> None:
    standard = ALICE.but("user", "redacted_user", profile=UserProfile.STANDARD)

    assert refusal(request(standard)) == statuses.InvalidCertificate()


def test_only_the_root_signs() -> None:
    other = SigningKey(bytes(32)).verify_key

    assert refusal(request(root_verify_key=other)) == statuses.InvalidCertificate()


def authority(key: SigningKey = ROOT, **fields: Any) -> bytes:
    der = bytes(authority_key().verify_key)
    values: dict[str, Any] = {"timestamp": NOW, "verify_key_der": der}
    return SequesterAuthorityCertificate(**values | fields).sign(key)


def test_an_organization_may_be_sequestered() -> None:
    asked = request(sequester_authority_certificate=authority())

    assert check_bootstrap(asked, WAITING, now=NOW).is_sequestered


@pytest.mark.parametrize(
    "certificate",
    [
        authority(timestamp=NOW.plus(microseconds=1)),
        authority(verify_key_der=b"no key"),
        authority(key=SigningKey(bytes(32))),
        b"",
    ],
    ids=["another date", "no key", "another root", "empty"],
)
def test_a_bad_authority_is_refused(certificate: bytes) -> None:
    asked = request(sequester_authority_certificate=certificate)

    assert refusal(asked) == statuses.InvalidCertificate()


def test_the_date_of_the_authority_must_be_near_ours() -> None:
    old = authority(timestamp=NOW.plus(seconds=-320))

    reply = refusal(request(sequester_authority_certificate=old))

    assert isinstance(reply, statuses.TimestampOutOfBallpark)


def test_a_new_organization_is_as_the_settings_say() -> None:
    initial = InitialOrganization(active_users_limit=3, tos_per_locale_urls={"en": "https://t"})

    record = new_organization(OrganizationID("Org"), initial, bootstrap_token=None, now=NOW)

    assert record.active_users_limit == 3
    assert record.tos == TermsOfService({"en": "https://t"}, NOW)


def test_what_a_change_leaves_out_stays() -> None:
    record = msgspec.structs.replace(WAITING, active_users_limit=3)

    after = changed(record, OrganizationChange(is_expired=True), now=NOW)

    assert after == msgspec.structs.replace(record, is_expired=True)


def test_null_is_a_value() -> None:
    record = msgspec.structs.replace(WAITING, active_users_limit=3, tos=TermsOfService({}, EARLIER))

    change = OrganizationChange(active_users_limit=None, tos_per_locale_urls=None)

    after = changed(record, change, now=NOW)
    assert (after.active_users_limit, after.tos) == (None, None)


def test_terms_are_new_even_where_they_are_the_same() -> None:
    record = msgspec.structs.replace(WAITING, tos=TermsOfService({}, EARLIER))

    after = changed(record, OrganizationChange(tos_per_locale_urls={}), now=NOW)

    assert after.tos == TermsOfService({}, NOW)
