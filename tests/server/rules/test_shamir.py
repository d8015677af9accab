"""Which set-ups, deletions and reveals of a recovery are accepted (server-core.md 11, 20)."""

from typing import Any

import msgspec
import pytest

from parsec.crypto.keys import HashDigest, SigningKey
from parsec.data.certificates import (
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.shamir import ShamirRecoverySetup
from parsec.server.records import ShamirSetupRecord
from parsec.server.rules.refusal import Refused
from parsec.server.rules.shamir import (
    VerifiedSetup,
    check_deletion,
    check_no_active_setup,
    check_recipients,
    check_reveal,
    check_setup_timestamp,
    verified_deletion,
    verified_setup,
)
from tests.support.server_records import (
    EARLIER,
    NOW,
    author,
    shamir_invitation,
    shamir_setup,
    sixteen_bytes,
    user,
    user_invitation,
)

KEY = SigningKey(b"k" * 32)
BOB = author(user("bob"), KEY)
ALICE, MALLORY = user("alice"), user("mallory")

BRIEF = ShamirRecoveryBriefCertificate(
    author=BOB.device.device_id,
    timestamp=NOW,
    user_id=BOB.user.user_id,
    threshold=2,
    per_recipient_shares={ALICE.user_id: 2, MALLORY.user_id: 1},
)


def share(recipient: UserID, **changes: Any) -> ShamirRecoveryShareCertificate:
    content = ShamirRecoveryShareCertificate(
        author=BOB.device.device_id,
        timestamp=NOW,
        user_id=BOB.user.user_id,
        recipient=recipient,
        ciphered_share=b"share",
    )
    return msgspec.structs.replace(content, **changes)


SHARES = [share(ALICE.user_id), share(MALLORY.user_id)]


def request(
    brief: ShamirRecoveryBriefCertificate = BRIEF,
    shares: list[ShamirRecoveryShareCertificate] = SHARES,
    key: SigningKey = KEY,
) -> ShamirRecoverySetup:
    return ShamirRecoverySetup(
        ciphered_data=b"data",
        reveal_token=AccessToken(sixteen_bytes()),
        shamir_recovery_brief_certificate=brief.sign(key),
        shamir_recovery_share_certificates=[one.sign(KEY) for one in shares],
    )


def refusal(check: Any, *facts: Any, **named: Any) -> Reply:
    with pytest.raises(Refused) as refused:
        check(*facts, **named)
    return refused.value.reply


def refused_setup(given: ShamirRecoverySetup) -> type[Reply]:
    return type(refusal(verified_setup, given, BOB, now=NOW))


# --- Set-up ---


def test_a_set_up_is_believed_with_the_bytes_that_it_came_in() -> None:
    given = request()

    setup = verified_setup(given, BOB, now=NOW)

    assert setup.brief == BRIEF
    assert setup.brief_certificate == given.shamir_recovery_brief_certificate
    assert [one.certificate for one in setup.shares] == given.shamir_recovery_share_certificates
    assert [one.content for one in setup.shares] == SHARES


def test_a_user_has_one_active_set_up() -> None:
    last = NOW.plus(seconds=-1)

    reply = refusal(check_no_active_setup, shamir_setup(BOB.user, {}), last_shamir_timestamp=last)

    assert reply == statuses.ShamirRecoveryAlreadyExists(last_shamir_certificate_timestamp=last)


def test_a_user_without_active_set_up_may_make_one() -> None:
    check_no_active_setup(None, last_shamir_timestamp=EARLIER)


def test_a_brief_is_signed_by_the_device_that_sends_it() -> None:
    found = refused_setup(request(key=SigningKey(b"o" * 32)))

    assert found is statuses.InvalidCertificateBriefCorrupted


def test_a_brief_names_the_device_that_sends_it() -> None:
    brief = msgspec.structs.replace(BRIEF, author=DeviceID(sixteen_bytes()))

    assert refused_setup(request(brief)) is statuses.InvalidCertificateBriefCorrupted


def test_a_brief_has_a_threshold_that_can_be_reached() -> None:
    brief = msgspec.structs.replace(BRIEF, threshold=4)

    assert refused_setup(request(brief)) is statuses.InvalidCertificateBriefCorrupted


def test_the_date_of_a_brief_is_checked_before_its_user() -> None:
    brief = msgspec.structs.replace(BRIEF, timestamp=NOW.plus(seconds=-320), user_id=ALICE.user_id)

    assert refused_setup(request(brief)) is statuses.TimestampOutOfBallpark


def test_nobody_sets_up_the_recovery_of_somebody_else() -> None:
    brief = msgspec.structs.replace(BRIEF, user_id=ALICE.user_id)

    assert refused_setup(request(brief)) is statuses.InvalidCertificateUserIdMustBeSelf


@pytest.mark.parametrize("shares", [[], SHARES[:1], [*SHARES, *SHARES]])
def test_there_are_as_many_shares_as_recipients(
    shares: list[ShamirRecoveryShareCertificate],
) -> None:
    found = refused_setup(request(shares=shares))

    assert found is statuses.InvalidCertificateMissingShareForRecipient


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (
            share(MALLORY.user_id, author=DeviceID(bytes(16))),
            statuses.InvalidCertificateShareCorrupted,
        ),
        (
            # The official server does not look at it (server-core.md 20, 22).
            share(MALLORY.user_id, user_id=ALICE.user_id),
            statuses.InvalidCertificateShareCorrupted,
        ),
        (
            share(MALLORY.user_id, timestamp=NOW.plus(microseconds=1)),
            statuses.InvalidCertificateShareInconsistentTimestamp,
        ),
        (
            share(UserID(bytes(16))),
            statuses.InvalidCertificateShareRecipientNotInBrief,
        ),
        (
            share(ALICE.user_id),
            statuses.InvalidCertificateDuplicateShareForRecipient,
        ),
    ],
)
def test_each_share_fits_the_brief(
    second: ShamirRecoveryShareCertificate, expected: type[Reply]
) -> None:
    assert refused_setup(request(shares=[SHARES[0], second])) is expected


def test_nobody_is_a_recipient_of_himself() -> None:
    own = BOB.user.user_id
    brief = msgspec.structs.replace(BRIEF, per_recipient_shares={ALICE.user_id: 2, own: 1})

    found = refused_setup(request(brief, [SHARES[0], share(own)]))

    assert found is statuses.InvalidCertificateAuthorIncludedAsRecipient


@pytest.fixture
def setup() -> VerifiedSetup:
    return verified_setup(request(), BOB, now=NOW)


def test_every_recipient_exists(setup: VerifiedSetup) -> None:
    reply = refusal(check_recipients, setup, {ALICE.user_id: ALICE}, last_common_timestamp=EARLIER)

    assert reply == statuses.RecipientNotFound()


def test_no_recipient_is_revoked(setup: VerifiedSetup) -> None:
    revoked = msgspec.structs.replace(MALLORY, revoked_on=EARLIER)
    users = {ALICE.user_id: ALICE, MALLORY.user_id: revoked}

    reply = refusal(check_recipients, setup, users, last_common_timestamp=EARLIER)

    assert reply == statuses.RevokedRecipient(last_common_certificate_timestamp=EARLIER)


@pytest.mark.parametrize(("common", "shamir"), [(NOW, EARLIER), (EARLIER, NOW), (NOW, None)])
def test_a_set_up_is_later_than_users_and_other_set_ups(
    setup: VerifiedSetup, common: Any, shamir: Any
) -> None:
    reply = refusal(
        check_setup_timestamp, setup, last_common_timestamp=common, last_shamir_timestamp=shamir
    )

    assert reply == statuses.RequireGreaterTimestamp(strictly_greater_than=NOW)


# --- Deletion ---

DELETION = ShamirRecoveryDeletionCertificate(
    author=BOB.device.device_id,
    timestamp=NOW,
    setup_to_delete_timestamp=EARLIER,
    setup_to_delete_user_id=BOB.user.user_id,
    share_recipients=frozenset([ALICE.user_id, MALLORY.user_id]),
)
SETUP = shamir_setup(BOB.user, {ALICE.user_id: 2, MALLORY.user_id: 1})


def check_deletion_of(
    stored: ShamirSetupRecord | None, deletion: ShamirRecoveryDeletionCertificate = DELETION
) -> ShamirSetupRecord:
    return check_deletion(
        deletion, stored, last_common_timestamp=EARLIER, last_shamir_timestamp=EARLIER
    )


def test_any_device_of_the_user_deletes_the_set_up() -> None:
    deletion = verified_deletion(DELETION.sign(KEY), BOB, now=NOW)

    assert check_deletion_of(SETUP, deletion) is SETUP


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"author": DeviceID(bytes(16))}, statuses.InvalidCertificateCorrupted),
        (
            {"timestamp": NOW.plus(seconds=300), "setup_to_delete_user_id": ALICE.user_id},
            statuses.TimestampOutOfBallpark,
        ),
        (
            {"setup_to_delete_user_id": ALICE.user_id},
            statuses.InvalidCertificateUserIdMustBeSelf,
        ),
    ],
)
def test_a_deletion_is_made_by_the_owner_now(
    changes: dict[str, Any], expected: type[Reply]
) -> None:
    certificate = msgspec.structs.replace(DELETION, **changes).sign(KEY)

    assert type(refusal(verified_deletion, certificate, BOB, now=NOW)) is expected


def test_a_deletion_is_signed_by_the_device_that_sends_it() -> None:
    certificate = DELETION.sign(SigningKey(b"o" * 32))

    reply = refusal(verified_deletion, certificate, BOB, now=NOW)

    assert reply == statuses.InvalidCertificateCorrupted()


def test_a_set_up_that_does_not_exist_cannot_be_deleted() -> None:
    assert refusal(check_deletion_of, None) == statuses.ShamirRecoveryNotFound()


@pytest.mark.parametrize(
    "recipients", [[], [ALICE.user_id], [ALICE.user_id, MALLORY.user_id, BOB.user.user_id]]
)
def test_a_deletion_names_all_the_recipients(recipients: list[UserID]) -> None:
    deletion = msgspec.structs.replace(DELETION, share_recipients=frozenset(recipients))

    assert refusal(check_deletion_of, SETUP, deletion) == statuses.RecipientsMismatch()


def test_a_set_up_is_deleted_once() -> None:
    deleted = msgspec.structs.replace(SETUP, deleted_on=EARLIER)

    assert refusal(check_deletion_of, deleted) == statuses.ShamirRecoveryAlreadyDeleted(
        last_shamir_certificate_timestamp=EARLIER
    )


def test_a_deletion_is_later_than_what_it_follows() -> None:
    deletion = msgspec.structs.replace(DELETION, timestamp=EARLIER)

    reply = refusal(check_deletion_of, SETUP, deletion)

    assert reply == statuses.RequireGreaterTimestamp(strictly_greater_than=EARLIER)


# --- Reveal ---


def reveal(invitation: Any, setup: ShamirSetupRecord | None, token: AccessToken) -> None:
    check_reveal(invitation, setup, token)


def test_the_reveal_token_of_the_set_up_opens_it() -> None:
    token = AccessToken(sixteen_bytes())
    setup = msgspec.structs.replace(SETUP, reveal_token_digest=HashDigest.of(token))

    reveal(shamir_invitation(setup), setup, token)


def test_another_reveal_token_does_not() -> None:
    reply = refusal(reveal, shamir_invitation(SETUP), SETUP, AccessToken(sixteen_bytes()))

    assert reply == statuses.BadRevealToken()


def test_only_an_invitation_to_recover_reveals() -> None:
    reply = refusal(reveal, user_invitation(), None, AccessToken(sixteen_bytes()))

    assert reply == statuses.BadInvitationType()
