"""Our command line against the official server."""

from collections.abc import Iterator

import pytest

from scripts import stories
from scripts.authenticator import Authenticator
from scripts.stage import Stage, stage

OPTIONS = (
    *("--db", "MOCKED", "--blockstore", "MOCKED", "--email-host", "MOCKED"),
    *("--fake-account-password-algorithm-seed", "F4k3"),
)


@pytest.fixture
def official(official_python: str) -> Iterator[Stage]:
    with stage() as built:
        built.start_server(*OPTIONS, python=official_python)
        yield built


@pytest.fixture
def advising(official_python: str) -> Iterator[Stage]:
    with stage() as built:
        built.start_server(*OPTIONS, *stories.ADVISING, python=official_python)
        yield built


def test_the_recovery_story_on_the_official_server(official: Stage) -> None:
    alice, arnold, bob, phone = (
        official.person(name) for name in ("Alice", "Arnold", "Bob", "Phone")
    )

    stories.found_organization(official, alice)
    stories.welcome(official, alice, arnold, profile="ADMIN", label="label")
    stories.welcome(official, alice, bob, profile="STANDARD", label="laptop")
    stories.set_up_recovery(bob, threshold=2, recipients=2)
    bob.lose_everything()
    stories.lose_and_recover(bob, alice, arnold)
    stories.use_recovered_device(bob)
    stories.add_device(bob, phone, label="phone")


def test_the_authentication_story_on_the_official_server(advising: Stage) -> None:
    alice, phone = advising.person("Alice"), Authenticator()
    stories.found_with_codes(advising, alice, phone)

    stories.log_in_with_code(alice, phone)
    stories.mistype_code(alice, phone)
    phone = Authenticator()
    stories.replace_authenticator(advising, advising.person("Root"), alice, phone)
    stories.log_in_with_code(alice, phone)
