"""Who may send a command at all (server-core.md 3, 20.2)."""

import msgspec
import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.instant import Instant
from parsec.protocol.authentication import DeviceToken, bearer_token, device_authorization
from parsec.protocol.authentication import load_device_token as load
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import Author, Invited, OrganizationRecord, TermsOfService
from parsec.server.rules.authentication import check_author, check_invited, check_token
from parsec.server.rules.refusal import Rejected, Verdict
from tests.support.server_records import (
    EARLIER,
    NOW,
    author,
    organization,
    user,
    user_invitation,
)

KEY = SigningKey(bytes(range(32)))
BOB = author(user("bob"), KEY)


def token(*, key: SigningKey = KEY, at: Instant = NOW) -> DeviceToken:
    return load(bearer_token(device_authorization(BOB.device.device_id, key, now=at)))


def with_user(**fields: object) -> Author:
    return msgspec.structs.replace(BOB, user=msgspec.structs.replace(BOB.user, **fields))


def with_organization(**fields: object) -> Author:
    changed = msgspec.structs.replace(BOB.organization, **fields)
    return msgspec.structs.replace(BOB, organization=changed)


def verdict_on_token(found: Author | OrganizationRecord | None, proof: DeviceToken) -> Verdict:
    with pytest.raises(Rejected) as rejected:
        check_token(found, proof, now=NOW)
    return rejected.value.verdict


def verdict_on_author(found: Author | OrganizationRecord | None) -> Verdict:
    with pytest.raises(Rejected) as rejected:
        check_author(found)
    return rejected.value.verdict


def test_a_device_proves_itself() -> None:
    assert check_token(BOB, token(), now=NOW) is BOB


def test_a_signature_by_another_key_is_refused() -> None:
    assert verdict_on_token(BOB, token(key=SigningKey(bytes(32)))) is Verdict.BAD_AUTHENTICATION


def test_an_unknown_device_is_refused_like_a_bad_signature() -> None:
    assert verdict_on_token(organization(), token()) is Verdict.BAD_AUTHENTICATION


def test_nobody_signs_for_an_unknown_device() -> None:
    """Not even with the key that stands in for its own, which is public (RFC 8032, 7.1)."""
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    proof = token(key=SigningKey(bytes.fromhex(seed)))

    assert verdict_on_token(organization(), proof) is Verdict.BAD_AUTHENTICATION


def test_a_bad_signature_counts_before_a_bad_date() -> None:
    proof = token(key=SigningKey(bytes(32)), at=NOW.plus(seconds=-4000))

    assert verdict_on_token(BOB, proof) is Verdict.BAD_AUTHENTICATION


@pytest.mark.parametrize("seconds", [-321, -4000, 301])
def test_a_date_far_from_ours_is_refused(seconds: int) -> None:
    assert verdict_on_token(BOB, token(at=NOW.plus(seconds=seconds))) is Verdict.TOKEN_EXPIRED


@pytest.mark.parametrize("seconds", [-319, 0, 299])
def test_a_date_near_ours_is_accepted(seconds: int) -> None:
    assert check_token(BOB, token(at=NOW.plus(seconds=seconds)), now=NOW) is BOB


def test_a_date_beyond_all_calendars_is_refused() -> None:
    text = f"PARSEC-SIGN-ED25519.{BOB.device.device_id.hex()}.{10**30}"
    proof = DeviceToken(
        device_id=BOB.device.device_id,
        seconds=10**30,
        signed_text=text.encode(),
        signature=KEY.sign_only_signature(text.encode()),
    )

    assert verdict_on_token(BOB, proof) is Verdict.TOKEN_EXPIRED


@pytest.mark.parametrize("found", [None, with_organization(bootstrapped_on=None)])
def test_without_bootstrapped_organization_nothing_else_is_told(found: Author | None) -> None:
    bad = token(key=SigningKey(bytes(32)))

    assert verdict_on_token(found, bad) is Verdict.ORGANIZATION_NOT_FOUND


def test_a_user_in_good_standing_may_call() -> None:
    assert check_author(BOB) is BOB


def test_an_expired_organization_keeps_everybody_out() -> None:
    found = with_organization(is_expired=True)

    assert verdict_on_author(found) is Verdict.ORGANIZATION_EXPIRED


def test_revocation_is_told_before_freezing() -> None:
    found = with_user(revoked_on=EARLIER, is_frozen=True)

    assert verdict_on_author(found) is Verdict.USER_REVOKED


def test_freezing_is_told_before_the_terms_of_service() -> None:
    frozen = with_user(is_frozen=True)
    tos = TermsOfService({}, EARLIER)
    changed = msgspec.structs.replace(frozen.organization, tos=tos)

    found = msgspec.structs.replace(frozen, organization=changed)

    assert verdict_on_author(found) is Verdict.USER_FROZEN


def test_terms_of_service_must_be_accepted() -> None:
    found = with_organization(tos=TermsOfService({}, EARLIER))

    assert verdict_on_author(found) is Verdict.TOS_NOT_ACCEPTED


def test_who_accepted_before_the_last_change_must_accept_again() -> None:
    changed = with_organization(tos=TermsOfService({}, EARLIER.plus(microseconds=1)))
    accepted = msgspec.structs.replace(changed.user, tos_accepted_on=EARLIER)

    found = msgspec.structs.replace(changed, user=accepted)

    assert verdict_on_author(found) is Verdict.TOS_NOT_ACCEPTED


def test_the_commands_about_the_terms_are_open_to_who_has_not_accepted() -> None:
    found = with_organization(tos=TermsOfService({}, EARLIER))

    assert check_author(found, despite_tos=True) is found


@pytest.mark.parametrize(
    ("status", "cause"),
    [(InvitationStatus.CANCELLED, "cancelled"), (InvitationStatus.FINISHED, "completed")],
)
def test_an_invitation_that_ended_is_gone_and_the_cause_is_told(
    status: InvitationStatus, cause: str
) -> None:
    found = Invited(organization=organization(), invitation=user_invitation(status=status))

    with pytest.raises(Rejected) as rejected:
        check_invited(found)

    assert rejected.value.verdict is Verdict.INVITATION_GONE
    assert rejected.value.detail == f"Invitation already used or deleted ({cause})"


def test_expiration_is_told_before_the_invitation_is_looked_at() -> None:
    expired = msgspec.structs.replace(organization(), is_expired=True)

    with pytest.raises(Rejected) as rejected:
        check_invited(expired)

    assert rejected.value.verdict is Verdict.ORGANIZATION_EXPIRED


def test_an_unknown_token_is_refused() -> None:
    with pytest.raises(Rejected) as rejected:
        check_invited(organization())

    assert rejected.value.verdict is Verdict.BAD_AUTHENTICATION
