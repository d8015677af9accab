"""A server that lies about realms is caught, at the place of the lie."""

import pytest

from parsec.client.rules.certificates import Fault, Gap, InvalidCertificate, Ledger, integrate
from parsec.data.certificates import RealmRole
from tests.support.certificates import (
    OUTSIDER,
    STANDARD,
    answer,
    archiving,
    device,
    empty_ledger,
    five_people,
    key_rotation,
    newcomer,
    realm_id,
    realm_name,
    revocation,
    role,
    update,
)

ALICE, BOB, CAROL, DAN = "alice@pc1", "bob@pc1", "carol@pc1", "dan@pc1"
OWNER, MANAGER = RealmRole.OWNER, RealmRole.MANAGER
CONTRIBUTOR, READER = RealmRole.CONTRIBUTOR, RealmRole.READER

CREATION = [role("r", "alice", OWNER, 40, by=ALICE), key_rotation("r", 41, by=ALICE)]
SHARED = [
    *CREATION,
    role("r", "bob", READER, 42, by=ALICE),
    role("r", "carol", MANAGER, 43, by=ALICE),
]


def people(*more: bytes) -> Ledger:
    return integrate(empty_ledger(), answer(common=[*five_people(), *more])).ledger


def refused(realm: list[bytes], ledger: Ledger | None = None) -> tuple[Fault, int]:
    """Why and where the certificates of a realm are refused."""
    with pytest.raises(InvalidCertificate) as caught:
        integrate(ledger or people(), answer(realms={"r": realm}))
    assert caught.value.topic == realm_id("r")
    return caught.value.fault, caught.value.index


def accepted(realm: list[bytes], ledger: Ledger | None = None) -> list[tuple[Gap, int]]:
    """What is strange about certificates that are accepted."""
    integration = integrate(ledger or people(), answer(realms={"r": realm}))
    assert len(integration.accepted) == len(realm)
    return [(warning.gap, warning.index) for warning in integration.warnings]


def test_honest_realm_raises_no_warning() -> None:
    assert accepted([*SHARED, realm_name("r", 44, by=ALICE), archiving("r", 45, by=ALICE)]) == []


def each_kind(t: float, by: str) -> list[bytes]:
    return [
        role("r", "dan", READER, t, by=by),
        key_rotation("r", t, by=by, index=2),
        realm_name("r", t, by=by),
        archiving("r", t, by=by),
    ]


KINDS = ["role", "key rotation", "name", "archiving"]


# --- Any certificate ---


@pytest.mark.parametrize("forged", each_kind(50, "erin@pc1"), ids=KINDS)
def test_unknown_author(forged: bytes) -> None:
    assert refused([*SHARED, forged]) == (Fault.NON_EXISTING_AUTHOR, 4)


@pytest.mark.parametrize("certificate", each_kind(50, "alice@pc2"), ids=KINDS)
def test_author_younger_than_the_certificate(certificate: bytes) -> None:
    ledger = people(device("alice@pc2", 51, by=ALICE))

    assert refused([*SHARED, certificate], ledger) == (Fault.OLDER_THAN_AUTHOR, 4)


def test_signature_of_somebody_else() -> None:
    forged = role("r", "dan", OWNER, 50, by=ALICE, signer=DAN)

    assert refused([*SHARED, forged]) == (Fault.CORRUPTED, 4)


def test_certificate_of_another_realm() -> None:
    assert refused([role("other", "alice", OWNER, 40, by=ALICE)]) == (Fault.CORRUPTED, 0)


def test_certificate_of_another_topic() -> None:
    assert refused([*SHARED, revocation("bob", 50, by=ALICE)]) == (Fault.CORRUPTED, 4)


@pytest.mark.parametrize("t", [42, 43])
@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_certificate_not_later_than_the_last_of_the_realm(kind: int, t: float) -> None:
    assert refused([*SHARED, each_kind(t, ALICE)[kind]]) == (Fault.INVALID_TIMESTAMP, 4)


def test_certificate_not_later_than_the_last_of_an_earlier_poll() -> None:
    ledger = integrate(people(), answer(realms={"r": SHARED})).ledger

    late = role("r", "dan", READER, 43, by=ALICE)

    assert refused([late], ledger) == (Fault.INVALID_TIMESTAMP, 0)


def test_other_realms_and_topics_do_not_matter_for_the_order() -> None:
    other = role("other", "bob", OWNER, 20, by=BOB)
    ledger = people(revocation("mallory", 60, by=ALICE))

    integration = integrate(ledger, answer(realms={"r": SHARED, "other": [other]}))

    assert len(integration.accepted) == 5


# --- The first certificate ---


@pytest.mark.parametrize("kind", [1, 2, 3], ids=KINDS[1:])
def test_first_certificate_is_no_role(kind: int) -> None:
    assert refused([each_kind(40, ALICE)[kind]]) == (
        Fault.REALM_FIRST_CERTIFICATE_MUST_BE_ROLE,
        0,
    )


def test_first_role_is_for_another_user() -> None:
    certificate = role("r", "bob", OWNER, 40, by=ALICE)

    assert refused([certificate]) == (Fault.REALM_FIRST_ROLE_MUST_BE_SELF_SIGNED, 0)


@pytest.mark.parametrize("first_role", [MANAGER, CONTRIBUTOR, READER, None])
def test_first_role_is_not_owner(first_role: RealmRole | None) -> None:
    certificate = role("r", "alice", first_role, 40, by=ALICE)

    assert refused([certificate]) == (Fault.REALM_FIRST_ROLE_MUST_BE_OWNER, 0)


def test_external_user_creates_a_realm() -> None:
    certificate = role("r", "mallory", OWNER, 40, by="mallory@pc1")

    assert refused([certificate]) == (Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER, 0)


# --- Roles given to oneself ---


def owner_revoked() -> Ledger:
    ledger = integrate(people(), answer(realms={"r": SHARED})).ledger
    return integrate(ledger, answer(common=[revocation("alice", 50, by=CAROL)])).ledger


def test_manager_takes_over_from_a_revoked_owner() -> None:
    assert accepted([role("r", "carol", OWNER, 51, by=CAROL)], owner_revoked()) == []


def test_reader_takes_over_from_an_owner_who_became_external() -> None:
    ledger = people(update("dan", OUTSIDER, 46, by=ALICE))
    realm = [
        role("r", "dan", OWNER, 40, by=DAN),
        role("r", "bob", READER, 41, by=DAN),
        role("r", "bob", OWNER, 47, by=BOB),
    ]

    assert accepted(realm, ledger) == []


def test_reader_promotes_itself_over_an_active_manager() -> None:
    certificate = role("r", "bob", OWNER, 51, by=BOB)

    assert refused([certificate], owner_revoked()) == (
        Fault.REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE,
        0,
    )


def test_manager_promotes_itself_before_the_owner_was_revoked() -> None:
    certificate = role("r", "carol", OWNER, 49, by=CAROL)

    assert refused([certificate], owner_revoked()) == (
        Fault.REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE,
        0,
    )


@pytest.mark.parametrize("new_role", [MANAGER, CONTRIBUTOR, READER, None])
def test_nobody_lowers_itself_or_leaves(new_role: RealmRole | None) -> None:
    certificate = role("r", "alice", new_role, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.REALM_SELF_PROMOTION_ROLE_MUST_BE_OWNER, 4)


def test_stranger_promotes_itself() -> None:
    certificate = role("r", "dan", OWNER, 50, by=DAN)

    assert refused([*SHARED, certificate]) == (Fault.REALM_AUTHOR_HAS_NO_ROLE, 4)


def test_former_member_promotes_itself() -> None:
    removal = role("r", "bob", None, 50, by=ALICE)

    assert refused([*SHARED, removal, role("r", "bob", OWNER, 51, by=BOB)]) == (
        Fault.REALM_AUTHOR_HAS_NO_ROLE,
        5,
    )


def test_owner_promotes_itself() -> None:
    certificate = role("r", "alice", OWNER, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.CONTENT_ALREADY_EXISTS, 4)


# --- Roles given to others ---


def test_stranger_gives_a_role() -> None:
    certificate = role("r", "bob", CONTRIBUTOR, 50, by=DAN)

    assert refused([*SHARED, certificate]) == (Fault.REALM_AUTHOR_HAS_NO_ROLE, 4)


@pytest.mark.parametrize("by", [ALICE, CAROL])
def test_role_that_the_user_has_already(by: str) -> None:
    certificate = role("r", "bob", READER, 50, by=by)

    assert refused([*SHARED, certificate]) == (Fault.CONTENT_ALREADY_EXISTS, 4)


def test_role_taken_from_somebody_who_has_none() -> None:
    certificate = role("r", "dan", None, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.CONTENT_ALREADY_EXISTS, 4)


@pytest.mark.parametrize(
    ("name", "new_role"),
    [("dan", OWNER), ("dan", MANAGER), ("bob", OWNER), ("alice", READER), ("alice", None)],
)
def test_manager_decides_about_owners_or_managers(name: str, new_role: RealmRole | None) -> None:
    certificate = role("r", name, new_role, 50, by=CAROL)

    assert refused([*SHARED, certificate]) == (Fault.REALM_AUTHOR_NOT_OWNER, 4)


@pytest.mark.parametrize("new_role", [CONTRIBUTOR, READER])
def test_manager_decides_about_the_others(new_role: RealmRole) -> None:
    assert accepted([*SHARED, role("r", "dan", new_role, 50, by=CAROL)]) == []


@pytest.mark.parametrize("authors_role", [READER, CONTRIBUTOR])
def test_reader_or_contributor_gives_a_role(authors_role: RealmRole) -> None:
    realm = [*CREATION, role("r", "bob", authors_role, 42, by=ALICE)]

    assert refused([*realm, role("r", "dan", READER, 50, by=BOB)]) == (
        Fault.REALM_AUTHOR_NOT_OWNER_OR_MANAGER,
        3,
    )


def test_role_for_an_unknown_user() -> None:
    certificate = role("r", "erin", READER, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.NON_EXISTING_RELATED_USER, 4)


def test_role_taken_from_an_unknown_user_is_no_change() -> None:
    certificate = role("r", "erin", None, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.CONTENT_ALREADY_EXISTS, 4)


def test_role_for_a_younger_user() -> None:
    ledger = people(*newcomer("erin", 51, by=ALICE))

    assert refused([*SHARED, role("r", "erin", READER, 50, by=ALICE)], ledger) == (
        Fault.OLDER_THAN_RELATED_USER,
        4,
    )


def test_role_for_a_revoked_user() -> None:
    ledger = people(revocation("dan", 50, by=ALICE))

    assert refused([*SHARED, role("r", "dan", READER, 50, by=ALICE)], ledger) == (
        Fault.RELATED_USER_ALREADY_REVOKED,
        4,
    )


def test_role_given_before_the_user_was_revoked() -> None:
    ledger = people(revocation("dan", 50, by=ALICE))

    assert accepted([*SHARED, role("r", "dan", READER, 49, by=ALICE)], ledger) == []


def test_role_taken_from_a_revoked_user() -> None:
    ledger = people(revocation("bob", 50, by=ALICE))

    assert accepted([*SHARED, role("r", "bob", None, 51, by=CAROL)], ledger) == []


@pytest.mark.parametrize("new_role", [OWNER, MANAGER])
def test_high_role_for_an_external_user(new_role: RealmRole) -> None:
    certificate = role("r", "mallory", new_role, 50, by=ALICE)

    assert refused([*SHARED, certificate]) == (Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER, 4)


def test_profile_at_the_time_of_the_role_counts() -> None:
    ledger = people(update("dan", OUTSIDER, 50, by=ALICE), update("dan", STANDARD, 60, by=ALICE))

    assert accepted([*SHARED, role("r", "dan", MANAGER, 49, by=ALICE)], ledger) == []
    assert refused([*SHARED, role("r", "dan", MANAGER, 55, by=ALICE)], ledger) == (
        Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER,
        4,
    )


# --- Names, keys, archiving ---


@pytest.mark.parametrize("kind", [1, 2, 3], ids=KINDS[1:])
def test_stranger_speaks_for_the_realm(kind: int) -> None:
    certificate = each_kind(50, DAN)[kind]

    assert refused([*SHARED, certificate]) == (Fault.REALM_AUTHOR_HAS_NO_ROLE, 4)


@pytest.mark.parametrize("by", [BOB, CAROL])
@pytest.mark.parametrize("kind", [1, 2, 3], ids=KINDS[1:])
def test_member_other_than_owner_speaks_for_the_realm(kind: int, by: str) -> None:
    assert refused([*SHARED, each_kind(50, by)[kind]]) == (Fault.REALM_AUTHOR_NOT_OWNER, 4)


@pytest.mark.parametrize("kind", [1, 2, 3], ids=KINDS[1:])
def test_revoked_owner_speaks_for_the_realm(kind: int) -> None:
    ledger = people(revocation("alice", 50, by=CAROL))

    assert refused([*SHARED, each_kind(50, ALICE)[kind]], ledger) == (Fault.REVOKED_AUTHOR, 4)


# --- What is only strange ---


def test_role_by_a_revoked_author_is_strange() -> None:
    ledger = people(revocation("alice", 50, by=CAROL))

    assert accepted([*SHARED, role("r", "dan", READER, 51, by=ALICE)], ledger) == [
        (Gap.ROLE_BY_REVOKED_AUTHOR, 4)
    ]


@pytest.mark.parametrize("index", [0, 1, 3])
def test_key_that_is_not_the_next_is_strange(index: int) -> None:
    assert accepted([*SHARED, key_rotation("r", 50, by=ALICE, index=index)]) == [
        (Gap.KEY_INDEX_NOT_NEXT, 4)
    ]


def test_next_key_is_not_strange() -> None:
    ledger = integrate(people(), answer(realms={"r": SHARED})).ledger

    assert accepted([key_rotation("r", 50, by=ALICE, index=2)], ledger) == []
