"""The first story of the mission through pseudo-terminals, on our own server."""

from scripts import stories
from scripts.stage import Stage


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
