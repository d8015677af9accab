"""What is decided about shared recoveries before anybody is asked or told anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.failure import FlowError
from parsec.client.rules.certificates import Ledger, ShamirSetup, integrate
from parsec.client.rules.shamir import (
    AnyoneAlone,
    AuthorAmongRecipients,
    BriefCertificateNotFound,
    CorruptedShareData,
    ExternalRecipient,
    InvalidWeight,
    NoSlack,
    OneAlone,
    RecipientNotFound,
    RecipientRevoked,
    SetupDeleted,
    SetupState,
    SetupUnusable,
    SetupWarning,
    ShamirRecoveryAlreadyExists,
    ShareCertificateNotFound,
    ThresholdBiggerThanSumOfShares,
    TooManyShares,
    check_setup_parameters,
    open_share,
    setup_status,
    setup_warnings,
    share_to_give,
)
from parsec.crypto.shamir import ShamirShare
from parsec.data.recovery import ShamirRecoveryShareData
from tests.support.certificates import (
    answer,
    at,
    brief,
    deletion,
    device_id,
    empty_ledger,
    five_people,
    private_key,
    revocation,
    share,
    signing_key,
    user_id,
)

ALICE, BOB, DAN = "alice@pc1", "bob@pc1", "dan@pc1"


def ledger_of(*more: bytes, viewer: str = "alice", shamir: list[bytes] | None = None) -> Ledger:
    given = answer(common=[*five_people(), *more], shamir_recovery=shamir or [])
    return integrate(empty_ledger(viewer), given).ledger


def setup(weights: dict[str, int], threshold: int, *, deleted: bool = False) -> ShamirSetup:
    return ShamirSetup(
        user_id=user_id("bob"),
        created_on=at(100),
        created_by=device_id(BOB),
        threshold=threshold,
        per_recipient_shares={user_id(name): weight for name, weight in weights.items()},
        deleted_on=at(110) if deleted else None,
        deleted_by=device_id(BOB) if deleted else None,
    )


# --- Status ---


def test_nothing_was_ever_set_up() -> None:
    assert setup_status(None, set()).state is SetupState.NEVER_SETUP


def test_status_tells_who_was_revoked_and_what_remains() -> None:
    status = setup_status(
        setup({"alice": 2, "carol": 1, "dan": 3}, 2),
        {user_id("alice"), user_id("dan"), user_id("mallory")},
    )

    assert status.state is SetupState.UNUSABLE
    assert set(status.revoked_recipients) == {user_id("alice"), user_id("dan")}
    assert status.remaining_shares == 1


def test_weights_count_not_heads() -> None:
    status = setup_status(
        setup({"alice": 1, "carol": 1, "dan": 3}, 3), {user_id("alice"), user_id("carol")}
    )

    assert status.state is SetupState.WITH_REVOKED_RECIPIENTS


@given(
    weights=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40), min_size=1),
    revoked=st.sets(st.sampled_from("abcdefgh")),
    data=st.data(),
)
def test_setup_is_usable_as_long_as_enough_shares_remain(
    weights: dict[str, int], revoked: set[str], data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(1, sum(weights.values())))

    status = setup_status(setup(weights, threshold), set(map(user_id, revoked)))

    remaining = sum(weight for name, weight in weights.items() if name not in revoked)
    assert status.remaining_shares == remaining
    assert (status.state is SetupState.UNUSABLE) == (remaining < threshold)
    assert (status.state is SetupState.OK) == revoked.isdisjoint(weights)


# --- Before a set-up ---


def refusal(
    weights: dict[str, int], threshold: int, ledger: Ledger | None = None
) -> type[FlowError]:
    """Why Bob may not set this up."""
    named = {user_id(name): weight for name, weight in weights.items()}
    with pytest.raises(FlowError) as caught:
        check_setup_parameters(user_id("bob"), named, threshold, ledger or ledger_of(viewer="bob"))
    assert not str(caught.value).endswith(".")
    return caught.type


def test_good_parameters() -> None:
    weights = {user_id("alice"): 1, user_id("carol"): 2}

    check_setup_parameters(user_id("bob"), weights, 3, ledger_of(viewer="bob"))


def test_author_among_the_recipients() -> None:
    assert refusal({"alice": 1, "bob": 1}, 3) is AuthorAmongRecipients


@pytest.mark.parametrize(("weights", "threshold"), [({"alice": 1}, 2), ({}, 1)])
def test_threshold_above_the_shares(weights: dict[str, int], threshold: int) -> None:
    assert refusal(weights, threshold) is ThresholdBiggerThanSumOfShares


def test_more_shares_than_a_secret_has() -> None:
    assert refusal({"alice": 255, "carol": 1}, 2) is TooManyShares


@pytest.mark.parametrize(
    ("weights", "threshold"), [({"alice": 1}, 0), ({}, 0), ({"alice": 0, "carol": 1}, 1)]
)
def test_weight_or_threshold_below_one(weights: dict[str, int], threshold: int) -> None:
    assert refusal(weights, threshold) is InvalidWeight


def test_active_setup() -> None:
    ledger = ledger_of(viewer="bob", shamir=[brief(100, by=BOB, weights={"alice": 1})])

    assert refusal({"erin": 1}, 1, ledger) is ShamirRecoveryAlreadyExists


def test_unusable_setup_has_to_be_deleted_too() -> None:
    ledger = ledger_of(
        revocation("dan", 110, by=ALICE),
        viewer="bob",
        shamir=[brief(100, by=BOB, weights={"dan": 1})],
    )

    assert refusal({"alice": 1}, 1, ledger) is ShamirRecoveryAlreadyExists


def test_deleted_setup_is_no_obstacle() -> None:
    ledger = ledger_of(
        viewer="bob",
        shamir=[
            brief(100, by=BOB, weights={"alice": 1}),
            deletion(110, by=BOB, setup=100, recipients=["alice"]),
        ],
    )

    check_setup_parameters(user_id("bob"), {user_id("alice"): 1}, 1, ledger)


def test_unknown_recipient() -> None:
    assert refusal({"alice": 1, "erin": 1}, 2) is RecipientNotFound


def test_revoked_recipient() -> None:
    ledger = ledger_of(revocation("carol", 10, by=ALICE), viewer="bob")

    assert refusal({"alice": 1, "carol": 1}, 2, ledger) is RecipientRevoked


# --- Advice ---


@pytest.mark.parametrize(
    ("weights", "threshold", "expected"),
    [
        ({"alice": 1, "carol": 1, "dan": 1}, 2, []),
        ({"alice": 1, "carol": 1}, 1, [AnyoneAlone()]),
        ({"alice": 1, "carol": 1}, 2, [NoSlack()]),
        ({"alice": 1}, 1, [AnyoneAlone(), NoSlack()]),
        ({"alice": 2, "carol": 1}, 2, [OneAlone(user_id("alice"))]),
        ({"alice": 1, "mallory": 1, "dan": 1}, 2, [ExternalRecipient(user_id("mallory"))]),
    ],
)
def test_warnings(weights: dict[str, int], threshold: int, expected: list[SetupWarning]) -> None:
    named = {user_id(name): weight for name, weight in weights.items()}
    recipients = {user.user_id: user for user in ledger_of().users()}

    assert setup_warnings(named, threshold, recipients) == expected


# --- Giving one's shares ---


def sealed(
    *,
    author: str = BOB,
    t: float = 100,
    signer: str = BOB,
    recipient: str = "alice",
) -> bytes:
    data = ShamirRecoveryShareData(
        author=device_id(author), timestamp=at(t), weighted_share=[ShamirShare(b"\1\2\3")]
    )
    return data.seal(author_key=signing_key(signer), recipient=private_key(recipient).public_key)


def held(ciphered_share: bytes = b"", *more: bytes) -> list[bytes]:
    return [
        brief(100, by=BOB, weights={"alice": 1, "carol": 1}, threshold=2),
        share(100, by=BOB, recipient="alice", ciphered_share=ciphered_share),
        *more,
    ]


def test_recipient_opens_its_shares() -> None:
    ledger = ledger_of(shamir=held(sealed()))

    certificate = share_to_give(ledger, user_id("bob"), at(100))

    data = open_share(ledger, certificate, private_key("alice"))
    assert data.weighted_share == [ShamirShare(b"\1\2\3")]


def why_not(ledger: Ledger, claimer: str = "bob", t: float = 100) -> type[FlowError]:
    with pytest.raises(FlowError) as caught:
        share_to_give(ledger, user_id(claimer), at(t))
    assert not str(caught.value).endswith(".")
    return caught.type


def test_setup_was_deleted() -> None:
    gone = deletion(110, by=BOB, setup=100, recipients=["alice", "carol"])

    assert why_not(ledger_of(shamir=held(b"", gone))) is SetupDeleted


def test_deleted_comes_before_another_date() -> None:
    gone = deletion(110, by=BOB, setup=100, recipients=["alice", "carol"])

    assert why_not(ledger_of(shamir=held(b"", gone)), t=99) is SetupDeleted


@pytest.mark.parametrize(("claimer", "t"), [("bob", 99), ("dan", 100)])
def test_setup_of_that_date_is_unknown(claimer: str, t: float) -> None:
    ledger = ledger_of(shamir=held())

    assert why_not(ledger, claimer, t) is BriefCertificateNotFound


def test_own_setup_gives_no_share() -> None:
    ledger = ledger_of(viewer="bob", shamir=held()[:1])

    assert why_not(ledger) is ShareCertificateNotFound


def test_setup_with_too_few_recipients_left() -> None:
    ledger = ledger_of(revocation("carol", 110, by=ALICE), shamir=held())

    assert why_not(ledger) is SetupUnusable


@pytest.mark.parametrize(
    "ciphered_share",
    [
        b"",
        b"junk" * 40,
        sealed(recipient="carol"),
        sealed(signer=DAN),
        sealed(author=DAN),
        sealed(t=101),
    ],
    ids=["empty", "junk", "for another", "by another", "names another", "of another time"],
)
def test_corrupted_shares(ciphered_share: bytes) -> None:
    ledger = ledger_of(shamir=held(ciphered_share))
    certificate = share_to_give(ledger, user_id("bob"), at(100))

    with pytest.raises(CorruptedShareData):
        open_share(ledger, certificate, private_key("alice"))
