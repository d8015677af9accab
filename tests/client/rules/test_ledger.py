"""What a ledger answers about people, devices and recoveries."""

import pytest

from parsec.client.rules.certificates import Ledger, integrate
from parsec.data.certificates import DevicePurpose
from parsec.data.people import EmailAddress
from tests.support.certificates import (
    ADMIN,
    OUTSIDER,
    STANDARD,
    answer,
    at,
    brief,
    deletion,
    device,
    device_id,
    empty_ledger,
    five_people,
    newcomer,
    private_key,
    revocation,
    share,
    signing_key,
    update,
    user_id,
)

ALICE, BOB = "alice@pc1", "bob@pc1"


def ledger_of(*more: bytes, viewer: str = "alice", shamir: tuple[bytes, ...] = ()) -> Ledger:
    given = answer(common=[*five_people(), *more], shamir_recovery=shamir)
    return integrate(empty_ledger(viewer), given).ledger


def test_users_come_in_the_order_of_their_creation() -> None:
    ledger = ledger_of(update("alice", STANDARD, 10, by="carol@pc1"))

    labels = [user.human_handle.label for user in ledger.users()]

    assert labels == ["Alice", "Bob", "Carol", "Mallory", "Dan"]


def test_user_tells_who_made_and_who_revoked_it() -> None:
    ledger = ledger_of(revocation("dan", 10, by=ALICE))

    dan = ledger.user(user_id("dan"))

    assert dan is not None
    assert (dan.created_on, dan.created_by) == (at(5), device_id("carol@pc1"))
    assert (dan.revoked_on, dan.revoked_by) == (at(10), device_id(ALICE))
    assert dan.is_revoked


def test_first_user_was_made_by_nobody() -> None:
    alice = ledger_of().user(user_id("alice"))

    assert alice is not None
    assert (alice.created_on, alice.created_by) == (at(1), None)


def test_profile_is_the_last_one() -> None:
    ledger = ledger_of(update("bob", ADMIN, 10, by=ALICE), update("bob", OUTSIDER, 11, by=ALICE))

    bob = ledger.user(user_id("bob"))

    assert bob is not None
    assert bob.profile is OUTSIDER


def test_redacted_people_have_stand_ins() -> None:
    given = answer(common=five_people(redacted=True))
    ledger = integrate(empty_ledger("mallory", OUTSIDER), given).ledger

    bob = ledger.user(user_id("bob"))
    bobs_device = ledger.device(device_id(BOB))

    assert bob is not None
    assert bob.human_handle.label == user_id("bob").hex()
    assert bobs_device is not None
    assert bobs_device.label == device_id(BOB).hex()


def test_user_is_found_by_the_exact_address() -> None:
    ledger = ledger_of()

    found = ledger.active_user_by_email(EmailAddress("bob@example.com"))

    assert found == ledger.user(user_id("bob"))
    assert ledger.active_user_by_email(EmailAddress("Bob@example.com")) is None


def test_revoked_user_is_not_found_by_address() -> None:
    ledger = ledger_of(revocation("bob", 10, by=ALICE))

    assert ledger.active_user_by_email(EmailAddress("bob@example.com")) is None


def test_address_leads_to_the_active_user() -> None:
    ledger = ledger_of(
        revocation("bob", 10, by=ALICE),
        *newcomer("erin", 11, by=ALICE, email="bob@example.com"),
    )

    found = ledger.active_user_by_email(EmailAddress("bob@example.com"))

    assert found is not None
    assert found.user_id == user_id("erin")


@pytest.mark.parametrize(("revoked", "left"), [("bob", "erin"), ("erin", "bob")])
def test_address_of_two_users_leads_to_the_one_who_is_left(revoked: str, left: str) -> None:
    ledger = ledger_of(
        *newcomer("erin", 10, by=ALICE, email="bob@example.com"), revocation(revoked, 11, by=ALICE)
    )

    found = ledger.active_user_by_email(EmailAddress("bob@example.com"))

    assert found is not None
    assert found.user_id == user_id(left)


def test_address_of_two_users_leads_to_the_first() -> None:
    """Whoever comes later cannot take over mails and shares that are meant for the first."""
    ledger = ledger_of(*newcomer("erin", 10, by=ALICE, email="bob@example.com"))

    found = ledger.active_user_by_email(EmailAddress("bob@example.com"))

    assert found is not None
    assert found.user_id == user_id("bob")


def test_device_tells_its_facts() -> None:
    ledger = ledger_of(device("bob@pc2", 10, by=BOB, purpose=DevicePurpose.SHAMIR_RECOVERY))

    found = ledger.device(device_id("bob@pc2"))

    assert found is not None
    assert found.user_id == user_id("bob")
    assert found.label == "pc2"
    assert found.purpose is DevicePurpose.SHAMIR_RECOVERY
    assert found.verify_key == signing_key("bob@pc2").verify_key
    assert (found.created_on, found.created_by) == (at(10), device_id(BOB))


def test_device_without_purpose_is_a_standard_one() -> None:
    ledger = ledger_of(device("bob@pc2", 10, by=BOB, purpose=None))

    found = ledger.device(device_id("bob@pc2"))

    assert found is not None
    assert found.purpose is DevicePurpose.STANDARD


def test_devices_of_a_user_come_in_the_order_of_their_creation() -> None:
    ledger = ledger_of(device("bob@pc2", 10, by=BOB), device("bob@pc3", 11, by="bob@pc2"))

    assert [found.label for found in ledger.devices_of(user_id("bob"))] == ["pc1", "pc2", "pc3"]


def test_public_key_is_that_of_the_user() -> None:
    assert ledger_of().public_key(user_id("bob")) == private_key("bob").public_key


def test_own_profile_is_the_initial_one_until_certificates_tell() -> None:
    assert empty_ledger("bob", STANDARD).self_profile is STANDARD


def test_own_profile_is_that_of_the_certificates() -> None:
    given = answer(common=[*five_people(), update("bob", ADMIN, 10, by=ALICE)])

    ledger = integrate(empty_ledger("bob", STANDARD), given).ledger

    assert ledger.self_profile is ADMIN


def test_revoked_users() -> None:
    ledger = ledger_of(revocation("bob", 10, by=ALICE), revocation("dan", 11, by=ALICE))

    assert ledger.revoked_users() == {user_id("bob"), user_id("dan")}


def test_unknown_people_and_devices() -> None:
    ledger = ledger_of()

    assert ledger.user(user_id("erin")) is None
    assert ledger.public_key(user_id("erin")) is None
    assert ledger.devices_of(user_id("erin")) == []
    assert ledger.device(device_id("erin@pc1")) is None
    assert ledger.shamir_setup(user_id("bob")) is None
    assert ledger.share_certificate(user_id("bob"), at(100)) is None


def test_setup_tells_its_facts() -> None:
    ledger = ledger_of(
        shamir=(
            brief(100, by=BOB, weights={"alice": 1, "carol": 2}, threshold=2),
            share(100, by=BOB, recipient="alice"),
            deletion(110, by=BOB, setup=100, recipients=["alice", "carol"]),
        )
    )

    setup = ledger.shamir_setup(user_id("bob"))

    assert setup is not None
    assert (setup.created_on, setup.created_by) == (at(100), device_id(BOB))
    assert setup.threshold == 2
    assert setup.per_recipient_shares == {user_id("alice"): 1, user_id("carol"): 2}
    assert (setup.deleted_on, setup.deleted_by) == (at(110), device_id(BOB))


def test_setups_for_others_come_in_the_order_of_their_creation() -> None:
    ledger = ledger_of(
        shamir=(
            brief(100, by=BOB, weights={"alice": 1}),
            share(100, by=BOB, recipient="alice"),
            brief(101, by="dan@pc1", weights={"alice": 1}),
            share(101, by="dan@pc1", recipient="alice"),
            deletion(102, by=BOB, setup=100, recipients=["alice"]),
            brief(103, by=BOB, weights={"alice": 1}),
            share(103, by=BOB, recipient="alice"),
            brief(104, by=ALICE, weights={"carol": 1}),
        )
    )

    setups = [(setup.user_id, setup.created_on) for setup in ledger.shamir_setups_for_others()]

    assert setups == [(user_id("dan"), at(101)), (user_id("bob"), at(103))]


def test_share_is_found_by_user_and_date_of_the_setup() -> None:
    ledger = ledger_of(
        shamir=(
            brief(100, by=BOB, weights={"alice": 1}),
            share(100, by=BOB, recipient="alice", ciphered_share=b"sealed"),
        )
    )

    found = ledger.share_certificate(user_id("bob"), at(100))

    assert found is not None
    assert found.ciphered_share == b"sealed"
    assert ledger.share_certificate(user_id("bob"), at(101)) is None
    assert ledger.share_certificate(user_id("dan"), at(100)) is None
