"""Whatever a server does to a story: success with the truth, or a refusal; no secret is ever sent.

A run that ends in anything but success or a FlowError ends the test: no crash, no hang, no false
belief. The stories are played by the real client over real HTTP against the real server, and only
what lies between is not honest.
"""

import os

from hypothesis import HealthCheck, example, given, settings

from parsec.client.flows.certificate import poll_certificates
from parsec.client.flows.totp import fetch_opaque_key, opaque_key
from parsec.client.records import NewDevice
from parsec.client.rules.ledger import Ledger
from parsec.data.local_device import LocalDevice
from tests.hostile.lies import Kind, Plan, plans
from tests.support.liar import honest
from tests.support.served import Organization, Place, Speaker, handle

LIES = int(os.environ.get("PARSEC_TEST_LIES", "15"))
"""How many are told about each story; `make fuzz` tells many more."""

bounded = settings(max_examples=LIES, suppress_health_check=[HealthCheck.too_slow])


def play(organization: Organization, plan: Plan, speakers: list[Speaker]) -> list[Speaker]:
    """The speakers after their conversation, in which the server lied; no secret was sent."""
    place = organization.place
    place.liar.tell(plan.lie())
    place.converse(*speakers)
    check_nothing_secret_was_sent(place)
    place.liar.tell(honest)
    return speakers


def check_nothing_secret_was_sent(place: Place) -> None:
    secrets = place.entropy.secrets
    for heard in place.liar.received:
        sent = b"".join(
            [heard.path.encode(), heard.body, *(value.encode() for _, value in heard.headers)]
        )
        assert not any(secret in sent for secret in secrets), heard.command


def truth(organization: Organization, name: str) -> Ledger:
    """What somebody believes who begins anew and is not lied to."""
    session = organization.fresh(name)
    organization.place.honestly(name, poll_certificates(session))
    return session.ledger


def check_beliefs(organization: Organization, names: tuple[str, ...]) -> None:
    """Nobody believes what is not so; what was withheld may be missing."""
    true = truth(organization, "alice")
    for name in names:
        believed = organization.sessions[name].ledger
        for user in believed.users():
            assert user == true.user(user.user_id)
            assert believed.public_key(user.user_id) == true.public_key(user.user_id)
            for device in believed.devices_of(user.user_id):
                assert device == true.device(device.device_id)
        for setup in [believed.shamir_setup(user.user_id) for user in believed.users()]:
            assert setup is None or setup.user_id in {user.user_id for user in true.users()}


def kept_device(speaker: Speaker) -> LocalDevice | None:
    found = [record.device for record in speaker.kept if isinstance(record, NewDevice)]
    return found[-1] if found else None


# --- The stories ---


def test_without_a_lie_everything_succeeds(place: Place) -> None:
    """And the instrument sees what is sent: the public halves are there, the secrets are not."""
    organization = place.organization()
    organization.found()
    organization.join("bob")
    organization.join("carol")
    organization.done(organization.setting_up("alice", "bob", "carol", threshold=2))

    lost, *_ = organization.done(organization.recovering("alice", "bob", "carol"))

    assert lost.result.private_key == organization.sessions["alice"].device.private_key
    check_nothing_secret_was_sent(place)
    assert len(place.entropy.secrets) > 20
    sent = b"".join(heard.body for heard in place.liar.received)
    assert bytes(organization.sessions["bob"].device.signing_key.verify_key) in sent


@given(plan=plans(3))
@bounded
def test_bootstrap(place: Place, plan: Plan) -> None:
    organization = place.organization()

    [alice] = play(organization, plan, organization.founding())

    if alice.error is None:
        assert alice.result == kept_device(alice)
        assert alice.result.human_handle == handle("alice")


@given(plan=plans(45))
@example(Plan(Kind.OTHER_STATUS, 10, lasting=True, seed=1))
@bounded
def test_invitation(place: Place, plan: Plan) -> None:
    organization = place.organization()
    organization.found()

    bob, greeter = play(organization, plan, organization.joining("bob"))

    alice = organization.sessions["alice"].device
    check_beliefs(organization, ("alice",))
    true = truth(organization, "alice")
    added = [user for user in true.users() if user.user_id != alice.user_id]
    device = kept_device(bob)
    for user in added:
        # Whoever was added is the one who compared codes, and nobody in between.
        assert true.public_key(user.user_id) in place.entropy.public_keys
        assert user.human_handle == handle("bob")
    if device is not None:
        assert device.root_verify_key == alice.root_verify_key
        assert [user.user_id for user in added] in ([device.user_id], [])
    if greeter.error is None:
        assert device is not None


@given(plan=plans(2))
@bounded
def test_poll(place: Place, plan: Plan) -> None:
    organization = place.organization()
    organization.found()
    organization.join("bob")
    organization.done(organization.setting_up("bob", "alice", threshold=1))
    organization.place.honestly("alice", poll_certificates(organization.fresh("alice")))

    play(organization, plan, [*organization.polling("alice"), *organization.polling("bob")])

    check_beliefs(organization, ("alice", "bob"))


@given(plan=plans(4))
@bounded
def test_shared_recovery_set_up(place: Place, plan: Plan) -> None:
    organization = place.organization()
    organization.found()
    organization.join("bob")

    play(organization, plan, organization.setting_up("alice", "bob", threshold=1))

    check_beliefs(organization, ("alice",))
    true = truth(organization, "alice")
    alice = organization.sessions["alice"].device
    bob = organization.sessions["bob"].device
    setup = true.shamir_setup(alice.user_id)
    assert setup is None or dict(setup.per_recipient_shares) == {bob.user_id: 1}


@given(plan=plans(75))
@bounded
def test_recovery(place: Place, plan: Plan) -> None:
    organization = place.organization()
    organization.found()
    organization.join("bob")
    organization.join("carol")
    organization.done(organization.setting_up("alice", "bob", "carol", threshold=2))
    before = organization.sessions["alice"].device

    lost, *_ = play(organization, plan, organization.recovering("alice", "bob", "carol"))

    check_beliefs(organization, ("bob", "carol"))
    device = kept_device(lost)
    if device is not None:
        assert device.user_id == before.user_id
        assert device.private_key == before.private_key
        assert device.root_verify_key == before.root_verify_key
        assert device.user_realm_key == before.user_realm_key
    for known in truth(organization, "bob").devices_of(before.user_id):
        # Nobody but the lost person got a device of theirs.
        assert known.verify_key in place.entropy.verify_keys


@given(plan=plans(5))
@example(Plan(Kind.OTHER_STATUS, 3, lasting=True, seed=4))
@bounded
def test_one_time_codes(place: Place, plan: Plan) -> None:
    organization = place.organization()
    organization.found()
    device = organization.sessions["alice"].device

    [alice] = play(organization, plan, [place.speaker("alice", opaque_key(device, place.means))])

    if alice.error is None:
        # Released once more, it is what a device file was protected with.
        key_id, key = alice.result
        fetching = fetch_opaque_key(device.organization_addr, device.user_id, key_id, place.means)
        again = place.speaker("alice", fetching)
        again.heard = alice.heard
        place.converse(again)
        assert again.error is not None or again.result == key
