"""The first story of the mission through pseudo-terminals, on our own server."""

from collections.abc import Iterator

import pytest

from scripts import stories
from scripts.stage import Stage, stage


@pytest.fixture
def own() -> Iterator[Stage]:
    with stage() as built:
        built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}")
        yield built


def test_the_recovery_story(own: Stage) -> None:
    alice, arnold, bob, phone = (own.person(name) for name in ("Alice", "Arnold", "Bob", "Phone"))

    stories.found_organization(own, alice)
    stories.welcome(own, alice, arnold, profile="ADMIN", label="label")
    stories.welcome(own, alice, bob, profile="STANDARD", label="laptop")
    stories.set_up_recovery(bob, threshold=2, recipients=2)
    bob.lose_everything()
    stories.lose_and_recover(bob, alice, arnold)
    stories.use_recovered_device(bob)
    stories.add_device(bob, phone, label="phone")

    assert own.stop_server() == 0
