"""A server that lies about users and devices is caught, at the place of the lie."""

import pytest

from parsec.client.rules.certificates import Fault, Gap, InvalidCertificate, Warned, integrate
from parsec.data.topics import Topic
from tests.support.certificates import (
    ADMIN,
    OUTSIDER,
    STANDARD,
    answer,
    brief,
    device,
    empty_ledger,
    five_people,
    newcomer,
    revocation,
    update,
    user,
)

ALICE, BOB, CAROL = "alice@pc1", "bob@pc1", "carol@pc1"
PEOPLE = five_people()
END = len(PEOPLE)


def refused(common: list[bytes]) -> tuple[Fault, int]:
    """Why and where an answer to an empty ledger is refused."""
    with pytest.raises(InvalidCertificate) as caught:
        integrate(empty_ledger(), answer(common=common))
    assert caught.value.topic is Topic.COMMON
    return caught.value.fault, caught.value.index


def warned(common: list[bytes]) -> list[tuple[Gap, int]]:
    warnings = integrate(empty_ledger(), answer(common=common)).warnings
    assert all(warning.topic is Topic.COMMON for warning in warnings)
    return [(warning.gap, warning.index) for warning in warnings]


def test_honest_people_raise_no_warning() -> None:
    assert warned(PEOPLE) == []


# --- Any certificate ---


@pytest.mark.parametrize(
    "forged",
    [
        user("erin", 10, by=ALICE, signer="mallory@pc1"),
        device("alice@pc2", 10, by=ALICE, signer="mallory@pc1"),
        update("bob", ADMIN, 10, by=ALICE, signer="mallory@pc1"),
        revocation("bob", 10, by=ALICE, signer="mallory@pc1"),
        user("erin", 10, by=None, signer="mallory@pc1"),
    ],
    ids=["user", "device", "update", "revocation", "root"],
)
def test_signature_of_somebody_else(forged: bytes) -> None:
    assert refused([*PEOPLE, forged]) == (Fault.CORRUPTED, END)


def test_first_user_not_signed_by_the_root_key() -> None:
    forged = user("alice", 1, by=None, profile=ADMIN, signer="mallory@pc1")

    assert refused([forged]) == (Fault.CORRUPTED, 0)


@pytest.mark.parametrize("position", [0, 63, 64, 65, 66, 100, -1])
def test_one_changed_bit(position: int) -> None:
    changed = bytearray(PEOPLE[2])
    changed[position] ^= 1

    assert refused([*PEOPLE[:2], bytes(changed)]) == (Fault.CORRUPTED, 2)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 66, 100])
def test_certificate_cut_short(size: int) -> None:
    assert refused([*PEOPLE[:2], PEOPLE[2][:size]]) == (Fault.CORRUPTED, 2)


def test_certificate_of_another_topic() -> None:
    recovery = brief(10, by=BOB, weights={"alice": 1})

    assert refused([*PEOPLE, recovery]) == (Fault.CORRUPTED, END)


@pytest.mark.parametrize(
    "certificate",
    [
        user("erin", 10, by="erin@pc1"),
        device("bob@pc2", 10, by="bob@pc2"),
        update("bob", ADMIN, 10, by="erin@pc1"),
        revocation("bob", 10, by="erin@pc1"),
    ],
    ids=["user", "device", "update", "revocation"],
)
def test_unknown_author(certificate: bytes) -> None:
    assert refused([*PEOPLE, certificate]) == (Fault.NON_EXISTING_AUTHOR, END)


def test_author_younger_than_the_certificate() -> None:
    common = [*PEOPLE, device("alice@pc2", 20, by=ALICE), revocation("bob", 19, by="alice@pc2")]

    assert refused(common) == (Fault.OLDER_THAN_AUTHOR, END + 1)


# --- Order ---


@pytest.mark.parametrize("t", [4.9, 5.0])
@pytest.mark.parametrize("kind", ["user", "second device", "update", "revocation"])
def test_certificate_not_later_than_the_last(kind: str, t: float) -> None:
    certificate = {
        "user": user("erin", t, by=ALICE),
        "second device": device("alice@pc2", t, by=ALICE),
        "update": update("bob", ADMIN, t, by=ALICE),
        "revocation": revocation("bob", t, by=ALICE),
    }[kind]

    assert refused([*PEOPLE, certificate]) == (Fault.INVALID_TIMESTAMP, END)


def test_first_device_older_than_the_last_certificate() -> None:
    common = [*PEOPLE, user("erin", 10, by=ALICE), device("erin@pc1", 9, by=ALICE)]

    assert refused(common) == (Fault.INVALID_TIMESTAMP, END + 1)


# --- Who may do it ---


@pytest.mark.parametrize(
    "certificate",
    [
        user("erin", 10, by=BOB),
        update("dan", ADMIN, 10, by=BOB),
        revocation("dan", 10, by=BOB),
        revocation("dan", 10, by="mallory@pc1"),
        device("dan@pc2", 10, by=BOB),
    ],
    ids=["user", "update", "revocation", "revocation by external user", "device of another"],
)
def test_author_is_no_administrator(certificate: bytes) -> None:
    assert refused([*PEOPLE, certificate]) == (Fault.AUTHOR_NOT_ADMIN, END)


@pytest.mark.parametrize(
    "certificate",
    [
        user("erin", 11, by=CAROL),
        device("erin@pc1", 11, by=CAROL, of="dan"),
        device("carol@pc2", 11, by=CAROL),
        update("bob", ADMIN, 11, by=CAROL),
        revocation("bob", 11, by=CAROL),
    ],
    ids=["user", "device of another", "own device", "update", "revocation"],
)
def test_author_was_revoked(certificate: bytes) -> None:
    common = [*PEOPLE, revocation("carol", 10, by=ALICE), certificate]

    assert refused(common) == (Fault.REVOKED_AUTHOR, END + 1)


def test_revocation_counts_from_its_own_instant_on() -> None:
    common = [*PEOPLE, revocation("bob", 10, by=ALICE), device("bob@pc2", 10, by=BOB)]

    assert refused(common) == (Fault.INVALID_TIMESTAMP, END + 1)


def test_author_is_an_administrator_no_more() -> None:
    common = [*PEOPLE, update("carol", STANDARD, 10, by=ALICE), user("erin", 11, by=CAROL)]

    assert refused(common) == (Fault.AUTHOR_NOT_ADMIN, END + 1)


def test_new_administrator_may_act() -> None:
    common = [*PEOPLE, update("bob", ADMIN, 10, by=ALICE), *newcomer("erin", 11, by=BOB)]

    integration = integrate(empty_ledger(), answer(common=common))

    assert len(integration.accepted) == END + 3


@pytest.mark.parametrize(
    "certificate",
    [update("alice", STANDARD, 10, by=ALICE), revocation("alice", 10, by=ALICE)],
    ids=["update", "revocation"],
)
def test_decision_about_oneself(certificate: bytes) -> None:
    assert refused([*PEOPLE, certificate]) == (Fault.SELF_SIGNED, END)


def test_decision_about_oneself_from_another_device() -> None:
    common = [*PEOPLE, device("alice@pc2", 10, by=ALICE), revocation("alice", 11, by="alice@pc2")]

    assert refused(common) == (Fault.SELF_SIGNED, END + 1)


# --- About whom ---


@pytest.mark.parametrize(
    "certificate",
    [
        device("erin@pc1", 10, by=ALICE),
        update("erin", ADMIN, 10, by=ALICE),
        revocation("erin", 10, by=ALICE),
    ],
    ids=["device", "update", "revocation"],
)
def test_unknown_user(certificate: bytes) -> None:
    assert refused([*PEOPLE, certificate]) == (Fault.NON_EXISTING_RELATED_USER, END)


@pytest.mark.parametrize(
    "certificate",
    [update("bob", ADMIN, 11, by=ALICE), revocation("bob", 11, by=ALICE)],
    ids=["update", "revocation"],
)
def test_revoked_user(certificate: bytes) -> None:
    common = [*PEOPLE, revocation("bob", 10, by=ALICE), certificate]

    assert refused(common) == (Fault.RELATED_USER_ALREADY_REVOKED, END + 1)


def test_user_id_given_twice() -> None:
    common = [*PEOPLE, user("bob", 10, by=ALICE, email="other@example.com")]

    assert refused(common) == (Fault.CONTENT_ALREADY_EXISTS, END)


def test_user_id_of_a_revoked_user_given_again() -> None:
    common = [*PEOPLE, revocation("bob", 10, by=ALICE), user("bob", 11, by=ALICE)]

    assert refused(common) == (Fault.CONTENT_ALREADY_EXISTS, END + 1)


def test_device_id_given_twice() -> None:
    common = [*PEOPLE, device(BOB, 10, by=BOB)]

    assert refused(common) == (Fault.CONTENT_ALREADY_EXISTS, END)


def test_device_id_of_another_user() -> None:
    """Otherwise the server could exchange the key of a device that others believe already."""
    common = [*PEOPLE, device(BOB, 10, by=CAROL, of="carol")]

    assert refused(common) == (Fault.CONTENT_ALREADY_EXISTS, END)


def test_profile_that_the_user_has_already() -> None:
    common = [*PEOPLE, update("bob", STANDARD, 10, by=ALICE)]

    assert refused(common) == (Fault.CONTENT_ALREADY_EXISTS, END)


def test_first_profile_that_was_lost_may_be_given_again() -> None:
    common = [
        *PEOPLE,
        update("bob", OUTSIDER, 10, by=ALICE),
        update("bob", STANDARD, 11, by=ALICE),
    ]

    assert len(integrate(empty_ledger(), answer(common=common)).accepted) == END + 2


# --- The root key ---


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (user("erin", 10, by=None), Fault.ROOT_SIGNATURE_OUT_OF_BOOTSTRAP),
        (device("alice@pc2", 10, by=None), Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH),
        (device("bob@pc2", 10, by=None), Fault.USER_FIRST_DEVICE_AUTHOR_MISMATCH),
    ],
    ids=["user", "another device of the first user", "device of another user"],
)
def test_root_key_signs_nothing_later(certificate: bytes, fault: Fault) -> None:
    assert refused([*PEOPLE, certificate]) == (fault, END)


# --- First devices ---


def test_first_device_by_another_administrator() -> None:
    common = [*PEOPLE, user("erin", 10, by=ALICE), device("erin@pc1", 10, by=CAROL)]

    assert refused(common) == (Fault.USER_FIRST_DEVICE_AUTHOR_MISMATCH, END + 1)


def test_first_device_later_than_its_user() -> None:
    common = [*PEOPLE, user("erin", 10, by=ALICE), device("erin@pc1", 11, by=ALICE)]

    assert refused(common) == (Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH, END + 1)


def test_administrator_adds_a_later_device_to_another_user() -> None:
    common = [*PEOPLE, device("bob@pc2", 10, by=ALICE)]

    assert refused(common) == (Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH, END)


# --- What is only strange ---


def test_second_first_device_is_strange() -> None:
    common = [*PEOPLE, *newcomer("erin", 10, by=ALICE), device("erin@pc2", 10, by=ALICE)]

    assert warned(common) == [(Gap.SECOND_FIRST_DEVICE, END + 2)]


def test_user_without_a_device_is_strange() -> None:
    common = [*PEOPLE, user("erin", 10, by=ALICE), *newcomer("frank", 11, by=ALICE)]

    assert warned(common) == [(Gap.USER_WITHOUT_DEVICE, END + 1)]


def test_last_user_without_a_device_is_strange() -> None:
    common = [*PEOPLE, user("erin", 10, by=ALICE)]

    assert warned(common) == [(Gap.USER_WITHOUT_DEVICE, END + 1)]


def test_address_of_another_active_user_is_strange() -> None:
    common = [*PEOPLE, *newcomer("erin", 10, by=ALICE, email="bob@example.com")]

    assert warned(common) == [(Gap.EMAIL_ALREADY_USED, END)]


def test_address_of_a_revoked_user_is_free() -> None:
    common = [
        *PEOPLE,
        revocation("bob", 10, by=ALICE),
        *newcomer("erin", 11, by=ALICE, email="bob@example.com"),
    ]

    assert warned(common) == []


def test_redacted_users_share_no_address() -> None:
    ledger = empty_ledger("mallory", OUTSIDER)

    integration = integrate(ledger, answer(common=five_people(redacted=True)))

    assert integration.warnings == list[Warned]()
