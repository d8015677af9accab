"""A server that lies about shared recoveries is caught, at the place of the lie."""

import pytest

from parsec.client.rules.certificates import Fault, Gap, InvalidCertificate, Ledger, integrate
from parsec.data.topics import Topic
from tests.support.certificates import (
    answer,
    at,
    brief,
    deletion,
    device,
    empty_ledger,
    five_people,
    newcomer,
    revocation,
    share,
    user_id,
)

ALICE, BOB, CAROL, DAN = "alice@pc1", "bob@pc1", "carol@pc1", "dan@pc1"
BOTH = {"alice": 1, "carol": 1}

BRIEF = brief(100, by=BOB, weights=BOTH, threshold=2)
SHARE = share(100, by=BOB, recipient="alice")
DELETION = deletion(110, by=BOB, setup=100, recipients=BOTH)


def people(viewer: str, *more: bytes) -> Ledger:
    return integrate(empty_ledger(viewer), answer(common=[*five_people(), *more])).ledger


def refused(
    shamir_recovery: list[bytes], *, viewer: str = "alice", ledger: Ledger | None = None
) -> tuple[Fault, int]:
    """Why and where certificates of the topic are refused."""
    with pytest.raises(InvalidCertificate) as caught:
        integrate(ledger or people(viewer), answer(shamir_recovery=shamir_recovery))
    assert caught.value.topic is Topic.SHAMIR_RECOVERY
    return caught.value.fault, caught.value.index


def accepted(
    shamir_recovery: list[bytes], *, viewer: str = "alice", ledger: Ledger | None = None
) -> Ledger:
    integration = integrate(ledger or people(viewer), answer(shamir_recovery=shamir_recovery))
    assert len(integration.accepted) == len(shamir_recovery)
    assert not integration.warnings
    return integration.ledger


def test_honest_server() -> None:
    ledger = accepted([BRIEF, SHARE, DELETION])

    setup = ledger.shamir_setup(user_id("bob"))
    assert setup is not None
    assert setup.is_deleted


# --- Any certificate ---


@pytest.mark.parametrize(
    "certificates",
    [
        [brief(100, by="erin@pc1", weights=BOTH)],
        [BRIEF, share(100, by="erin@pc1", recipient="alice")],
        [BRIEF, SHARE, deletion(110, by="erin@pc1", setup=100, recipients=BOTH)],
    ],
    ids=["brief", "share", "deletion"],
)
def test_unknown_author(certificates: list[bytes]) -> None:
    assert refused(certificates) == (Fault.NON_EXISTING_AUTHOR, len(certificates) - 1)


@pytest.mark.parametrize(
    "certificates",
    [
        [brief(100, by=BOB, weights=BOTH, signer=DAN)],
        [BRIEF, share(100, by=BOB, recipient="alice", signer=DAN)],
        [BRIEF, SHARE, deletion(110, by=BOB, setup=100, recipients=BOTH, signer=DAN)],
    ],
    ids=["brief", "share", "deletion"],
)
def test_signature_of_somebody_else(certificates: list[bytes]) -> None:
    assert refused(certificates) == (Fault.CORRUPTED, len(certificates) - 1)


def test_author_younger_than_the_certificate() -> None:
    ledger = people("alice", device("bob@pc2", 101, by=BOB))

    assert refused([brief(100, by="bob@pc2", weights=BOTH)], ledger=ledger) == (
        Fault.OLDER_THAN_AUTHOR,
        0,
    )


def test_certificate_of_another_topic() -> None:
    assert refused([revocation("bob", 100, by=ALICE)]) == (Fault.CORRUPTED, 0)


@pytest.mark.parametrize("t", [109, 110])
def test_brief_not_later_than_the_last(t: float) -> None:
    again = brief(t, by=BOB, weights=BOTH)

    assert refused([BRIEF, SHARE, DELETION, again]) == (Fault.INVALID_TIMESTAMP, 3)


@pytest.mark.parametrize("t", [99, 100])
def test_deletion_not_later_than_the_last(t: float) -> None:
    early = deletion(t, by=BOB, setup=100, recipients=BOTH)

    assert refused([BRIEF, SHARE, early]) == (Fault.INVALID_TIMESTAMP, 2)


def test_share_older_than_the_last() -> None:
    assert refused([BRIEF, share(99, by=BOB, recipient="alice")]) == (Fault.INVALID_TIMESTAMP, 1)


# --- Brief ---


def test_setup_for_another_user() -> None:
    certificate = brief(100, by=BOB, of="dan", weights=BOTH)

    assert refused([certificate]) == (Fault.SHAMIR_NOT_ABOUT_SELF, 0)


def test_author_among_the_recipients() -> None:
    certificate = brief(100, by=BOB, weights={"alice": 1, "bob": 1})

    assert refused([certificate]) == (Fault.SHAMIR_SELF_AMONG_RECIPIENTS, 0)


def test_setup_that_does_not_concern_us() -> None:
    assert refused([BRIEF], viewer="dan") == (Fault.SHAMIR_UNRELATED_TO_US, 0)


def test_second_setup_while_the_first_is_active() -> None:
    again = brief(101, by=BOB, weights={"alice": 3})

    assert refused([BRIEF, SHARE, again]) == (Fault.SHAMIR_ALREADY_SETUP, 2)


def test_second_setup_while_the_first_of_an_earlier_poll_is_active() -> None:
    ledger = accepted([BRIEF, SHARE])

    again = brief(101, by=BOB, weights={"alice": 3})

    assert refused([again], ledger=ledger) == (Fault.SHAMIR_ALREADY_SETUP, 0)


def test_setups_of_two_users_stand_side_by_side() -> None:
    ledger = accepted(
        [
            BRIEF,
            SHARE,
            brief(101, by=DAN, weights=BOTH),
            share(101, by=DAN, recipient="alice"),
        ]
    )

    assert [setup.user_id for setup in ledger.shamir_setups_for_others()] == [
        user_id("bob"),
        user_id("dan"),
    ]


def test_author_was_revoked() -> None:
    ledger = people("alice", revocation("bob", 100, by=ALICE))

    assert refused([BRIEF, SHARE], ledger=ledger) == (Fault.REVOKED_AUTHOR, 0)


def test_unknown_recipient() -> None:
    certificate = brief(100, by=BOB, weights={"alice": 1, "erin": 1})

    assert refused([certificate]) == (Fault.NON_EXISTING_RELATED_USER, 0)


def test_recipient_younger_than_the_setup() -> None:
    ledger = people("alice", *newcomer("erin", 101, by=ALICE))
    certificate = brief(100, by=BOB, weights={"alice": 1, "erin": 1})

    assert refused([certificate], ledger=ledger) == (Fault.OLDER_THAN_RELATED_USER, 0)


def test_recipient_was_revoked() -> None:
    ledger = people("alice", revocation("carol", 100, by=ALICE))

    assert refused([BRIEF, SHARE], ledger=ledger) == (Fault.RELATED_USER_ALREADY_REVOKED, 0)


@pytest.mark.parametrize(
    ("weights", "threshold"),
    [
        ({}, 1),
        (BOTH, 0),
        (BOTH, 3),
        (BOTH, 256),
        ({"alice": 0, "carol": 1}, 1),
        ({"alice": 200, "carol": 56}, 2),
        ({"alice": 256}, 2),
    ],
)
def test_impossible_numbers(weights: dict[str, int], threshold: int) -> None:
    certificate = brief(100, by=BOB, weights=weights, threshold=threshold)

    assert refused([certificate]) == (Fault.CORRUPTED, 0)


# --- Share ---


def test_share_without_brief() -> None:
    assert refused([SHARE]) == (Fault.SHAMIR_MISSING_BRIEF, 0)


def test_share_by_another_author_than_the_brief() -> None:
    certificate = share(100, by=DAN, recipient="alice")

    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_MISSING_BRIEF, 1)


def test_share_by_another_device_than_the_brief() -> None:
    ledger = people("alice", device("bob@pc2", 50, by=BOB))
    certificate = share(100, by="bob@pc2", recipient="alice")

    assert refused([BRIEF, certificate], ledger=ledger) == (Fault.SHAMIR_MISSING_BRIEF, 1)


def test_share_of_another_time_than_the_brief() -> None:
    certificate = share(101, by=BOB, recipient="alice")

    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_MISSING_BRIEF, 1)


def test_share_for_somebody_who_is_no_recipient() -> None:
    certificate = share(100, by=BOB, recipient="dan")

    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_MISSING_BRIEF, 1)


def test_share_of_another_recipient() -> None:
    certificate = share(100, by=BOB, recipient="carol")

    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_UNRELATED_TO_US, 1)


def test_share_that_the_author_gave_away() -> None:
    assert refused([BRIEF, SHARE], viewer="bob") == (Fault.SHAMIR_UNRELATED_TO_US, 1)


def test_same_share_twice() -> None:
    assert refused([BRIEF, SHARE, SHARE]) == (Fault.CONTENT_ALREADY_EXISTS, 2)


def test_another_share_of_the_same_setup_later() -> None:
    ledger = accepted([BRIEF, SHARE])
    other = share(100, by=BOB, recipient="alice", ciphered_share=b"other")

    assert refused([other], ledger=ledger) == (Fault.CONTENT_ALREADY_EXISTS, 0)


def test_share_for_the_recovery_of_another_user() -> None:
    certificate = share(100, by=BOB, of="dan", recipient="alice")

    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_NOT_ABOUT_SELF, 1)


# --- Brief and share belong together ---


def test_missing_share_at_the_end() -> None:
    assert refused([BRIEF]) == (Fault.SHAMIR_MISSING_SHARE, 1)


@pytest.mark.parametrize(
    "certificate",
    [DELETION, brief(101, by=DAN, weights=BOTH)],
    ids=["deletion", "brief"],
)
def test_something_else_where_the_share_should_be(certificate: bytes) -> None:
    assert refused([BRIEF, certificate]) == (Fault.SHAMIR_MISSING_SHARE, 1)


def test_share_may_not_come_in_the_next_answer() -> None:
    ledger = people("alice")
    assert refused([BRIEF], ledger=ledger) == (Fault.SHAMIR_MISSING_SHARE, 1)

    assert refused([SHARE], ledger=ledger) == (Fault.SHAMIR_MISSING_BRIEF, 0)


def test_author_gets_no_share() -> None:
    accepted([BRIEF], viewer="bob")


# --- Deletion ---


def test_deletion_for_another_user() -> None:
    certificate = deletion(110, by=DAN, of="bob", setup=100, recipients=BOTH)

    assert refused([BRIEF, SHARE, certificate]) == (Fault.SHAMIR_NOT_ABOUT_SELF, 2)


def test_deletion_without_setup() -> None:
    assert refused([DELETION]) == (Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP, 0)


def test_deletion_of_another_time() -> None:
    certificate = deletion(110, by=BOB, setup=101, recipients=BOTH)

    assert refused([BRIEF, SHARE, certificate]) == (Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP, 2)


def test_deletion_of_a_setup_before_the_last() -> None:
    certificates = [
        BRIEF,
        SHARE,
        DELETION,
        brief(120, by=BOB, weights=BOTH),
        share(120, by=BOB, recipient="alice"),
        deletion(130, by=BOB, setup=100, recipients=BOTH),
    ]

    assert refused(certificates) == (Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP, 5)


def test_deletion_twice() -> None:
    again = deletion(111, by=BOB, setup=100, recipients=BOTH)

    assert refused([BRIEF, SHARE, DELETION, again]) == (Fault.SHAMIR_ALREADY_DELETED, 3)


@pytest.mark.parametrize("recipients", [["alice"], ["alice", "carol", "dan"], ["alice", "dan"]])
def test_deletion_names_other_recipients(recipients: list[str]) -> None:
    certificate = deletion(110, by=BOB, setup=100, recipients=recipients)

    assert refused([BRIEF, SHARE, certificate]) == (
        Fault.SHAMIR_DELETION_RECIPIENTS_MISMATCH,
        2,
    )


def test_deletion_by_a_revoked_author() -> None:
    ledger = people("alice", revocation("bob", 105, by=ALICE))

    assert refused([BRIEF, SHARE, DELETION], ledger=ledger) == (Fault.REVOKED_AUTHOR, 2)


def test_new_setup_after_a_deletion() -> None:
    ledger = accepted(
        [
            BRIEF,
            SHARE,
            DELETION,
            brief(120, by=BOB, weights={"alice": 2}, threshold=2),
            share(120, by=BOB, recipient="alice"),
        ]
    )

    setup = ledger.shamir_setup(user_id("bob"))
    assert setup is not None
    assert (setup.created_on, setup.is_deleted) == (at(120), False)


# --- What is only strange ---


@pytest.mark.parametrize("name", ["bob", "carol"])
@pytest.mark.parametrize(("t", "strange"), [(90, True), (100, True), (101, False)])
def test_revocation_that_becomes_known_after_a_later_setup(
    name: str, t: float, strange: bool
) -> None:
    ledger = accepted([BRIEF, SHARE])

    integration = integrate(ledger, answer(common=[revocation(name, t, by=ALICE)]))

    assert [warning.gap for warning in integration.warnings] == (
        [Gap.SETUP_AFTER_REVOCATION] if strange else []
    )
