"""The first story of the mission without any terminal: options, standard input and JSON."""

from scripts.stage import Stage
from tests.scenarios import scripted


def test_the_recovery_story_without_a_terminal(own: Stage) -> None:
    alice, arnold, bob, phone = (own.person(name) for name in ("Alice", "Arnold", "Bob", "Phone"))

    scripted.found_organization(own, alice)
    scripted.welcome(alice, arnold, profile="ADMIN")
    scripted.welcome(alice, bob)
    scripted.set_up_recovery(bob, threshold=2)
    bob.lose_everything()
    invitation = scripted.invite_recovery(alice, bob)
    claimer = scripted.claim_recovery(bob, invitation["url"], alice, arnold)
    scripted.greet(alice, invitation["token"], claimer)
    scripted.greet(arnold, invitation["token"], claimer)
    claimer.finish()

    users = bob.script("user", "list").result()
    assert [user["human_handle"] for user in users] == [alice.handle, arnold.handle, bob.handle]
    assert [device["device_label"] for device in bob.script("device", "list").result()] == [
        "recovered"
    ]
    added = bob.script("invite", "device").result()
    second = phone.script("invite", "claim", added["url"], "--sas-stdin", "--label", "phone")
    scripted.greet(bob, added["token"], second)
    second.finish()


def test_weights_and_recipients_of_choice(own: Stage) -> None:
    """Alice's two shares and Arnold's one make three; Carol's is not needed."""
    alice, arnold, bob, carol = (own.person(name) for name in ("Alice", "Arnold", "Bob", "Carol"))
    scripted.found_organization(own, alice)
    for guest in (arnold, bob, carol):
        scripted.welcome(alice, guest)
    scripted.set_up_recovery(bob, f"{alice.email}:2", arnold.email, f"{carol.email}:1", threshold=3)
    bob.lose_everything()

    invitation = scripted.invite_recovery(carol, bob)
    claimer = scripted.claim_recovery(bob, invitation["url"], arnold, alice)
    scripted.greet(arnold, invitation["token"], claimer)
    scripted.greet(alice, invitation["token"], claimer)
    claimer.finish()

    assert len(bob.script("user", "list").result()) == 4


def test_a_recipient_revoked_after_giving_shares_does_no_harm(own: Stage) -> None:
    alice, arnold, bob, carol = (own.person(name) for name in ("Alice", "Arnold", "Bob", "Carol"))
    scripted.found_organization(own, alice)
    for guest in (arnold, bob, carol):
        scripted.welcome(alice, guest)
    scripted.set_up_recovery(bob, alice.email, arnold.email, carol.email, threshold=2)
    bob.lose_everything()
    invitation = scripted.invite_recovery(alice, bob)
    claimer = scripted.claim_recovery(bob, invitation["url"], arnold, carol)
    scripted.greet(arnold, invitation["token"], claimer)

    alice.script("user", "revoke", arnold.email).finish()
    scripted.greet(carol, invitation["token"], claimer)
    claimer.finish()

    assert len(bob.script("user", "list").result()) == 4
