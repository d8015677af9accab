"""Lies that a dishonest server would think of, told well-formed: each is caught by its name."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from parsec.client.failure import FlowError, InvalidAnswer, Refused
from parsec.client.flows.certificate import poll_certificates
from parsec.client.flows.greeting import PeerTimeout
from parsec.client.flows.invite import greet, invite_user
from parsec.client.flows.totp import opaque_key
from parsec.client.records import NewDevice
from parsec.client.rules.certificates_faults import Fault, InvalidCertificate
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey, SecretKey
from parsec.data.address import InvitationType
from parsec.protocol import greeting as wire
from parsec.protocol import statuses
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import Reply, dump_reply, load_reply
from parsec.protocol.invite import (
    InviteInfo,
    InviteInfoOkShamirRecovery,
    InviteList,
    InviteListItemDevice,
    InviteListOk,
)
from parsec.protocol.totp import TotpFetchOpaqueKeyOk
from tests.support.liar import Forward, Heard, Lie, Said, honest
from tests.support.served import Organization, Place, Speaker, handle

MSGPACK = (("Api-Version", "5.5"), ("Content-Type", "application/msgpack"))


@pytest.fixture
def organization(place: Place) -> Organization:
    built = place.organization()
    built.found()
    return built


def answering(command: str, make: Callable[[Forward], Reply]) -> Lie:
    """Another answer to a command, every time."""

    def tell(heard: Heard, forward: Forward) -> Said | None:
        if heard.command != command:
            return forward()
        return Said(200, MSGPACK, dump_reply(make(forward)))

    return tell


def changing(kind: Any, command: str, change: Callable[[Any], Reply]) -> Lie:
    """The true answer to a command, changed."""
    return answering(command, lambda forward: change(load_reply(kind, forward().body)))


def told(place: Place, lie: Lie, *speakers: Speaker) -> list[Speaker]:
    place.liar.tell(lie)
    place.converse(*speakers)
    place.liar.tell(honest)
    return list(speakers)


# --- Never an end ---


def test_a_peer_who_never_comes_ends_the_dance(place: Place, organization: Organization) -> None:
    lie = answering("invite_claimer_step", lambda _: statuses.NotReady())

    guest, _ = told(place, lie, *organization.joining("bob"))

    assert isinstance(guest.error, PeerTimeout)


@pytest.mark.parametrize("command", ["invite_claimer_step", "invite_greeter_step"])
def test_attempts_that_are_always_cancelled_end_the_dance(
    place: Place, organization: Organization, command: str
) -> None:
    cancelled = statuses.GreetingAttemptCancelled(
        origin=statuses.GreeterOrClaimer.CLAIMER,
        reason=statuses.CancelledGreetingAttemptReason.AUTOMATICALLY_CANCELLED,
        timestamp=place.clock(),
    )

    sides = told(place, answering(command, lambda _: cancelled), *organization.joining("bob"))

    assert all(isinstance(side.error, FlowError) for side in sides)


def test_a_date_that_is_never_late_enough_ends_an_upload(
    place: Place, organization: Organization
) -> None:
    organization.join("bob")
    lie = answering(
        "shamir_recovery_setup",
        lambda _: statuses.RequireGreaterTimestamp(strictly_greater_than=place.clock()),
    )

    [alice] = told(place, lie, *organization.setting_up("alice", "bob", threshold=1))

    assert isinstance(alice.error, InvalidAnswer)


def test_a_date_far_ahead_is_not_signed(place: Place, organization: Organization) -> None:
    organization.join("bob")
    lie = answering(
        "shamir_recovery_setup",
        lambda _: statuses.RequireGreaterTimestamp(
            strictly_greater_than=place.clock().plus(seconds=3600)
        ),
    )

    [alice] = told(place, lie, *organization.setting_up("alice", "bob", threshold=1))

    assert isinstance(alice.error, InvalidAnswer)
    assert "future" in str(alice.error)


@pytest.mark.parametrize("ahead", [-1, 0, 10])
def test_codes_that_are_put_off_for_ever_end_the_login(
    place: Place, organization: Organization, ahead: int
) -> None:
    device = organization.sessions["alice"].device
    lie = answering(
        "totp_fetch_opaque_key",
        lambda _: statuses.Throttled(wait_until=place.clock().plus(seconds=ahead)),
    )

    [alice] = told(place, lie, place.speaker("alice", opaque_key(device, place.means)))

    assert isinstance(alice.error, Refused)


# --- Another key, another person, another thing ---


def test_somebody_in_the_middle_is_found_by_the_codes(
    place: Place, organization: Organization
) -> None:
    mallory = PrivateKey.generate(system_entropy).public_key

    def swap(heard: Heard, forward: Forward) -> Said | None:
        said = forward()
        if heard.command != "invite_claimer_step":
            return said
        reply = load_reply(wire.InviteClaimerStep, said.body)
        if isinstance(reply, wire.InviteClaimerStepOk) and isinstance(
            reply.greeter_step, wire.GreeterStep0WaitPeer
        ):
            step = msgspec.structs.replace(reply.greeter_step, public_key=mallory)
            return said.but(body=dump_reply(msgspec.structs.replace(reply, greeter_step=step)))
        return said

    guest, host = told(place, swap, *organization.joining("bob"))

    assert "code" in str(guest.error)
    assert host.error is not None
    assert [user.human_handle for user in organization.sessions["alice"].ledger.users()] == [
        handle("alice")
    ]


def test_a_key_that_the_server_made_up_is_not_taken(
    place: Place, organization: Organization
) -> None:
    """Two times the same lie would be needed, at creation and at release."""
    device = organization.sessions["alice"].device
    lie = answering(
        "totp_fetch_opaque_key",
        lambda _: TotpFetchOpaqueKeyOk(opaque_key=SecretKey(bytes(32))),
    )

    [alice] = told(place, lie, place.speaker("alice", opaque_key(device, place.means)))

    assert isinstance(alice.error, InvalidAnswer)


def test_an_invitation_that_changes_its_kind_gives_nothing_away(
    place: Place, organization: Organization
) -> None:
    """The link was for a member; the server wants the account instead."""
    session = organization.sessions["alice"]
    invitation = place.honestly(
        "alice", invite_user(session.device, handle("bob").email, send_email=False)
    )

    def as_device(reply: InviteListOk) -> Reply:
        [item] = reply.invitations
        other = wire_device_item(item)
        return msgspec.structs.replace(reply, invitations=[other])

    lie = changing(InviteList, "invite_list", as_device)
    greeting = greet(session, invitation.addr.token, expected=InvitationType.USER)

    [alice] = told(place, lie, place.speaker("alice", greeting))

    assert isinstance(alice.error, Refused)
    assert "nothing was shared" in str(alice.error.hint)


def wire_device_item(item: Any) -> Any:
    return InviteListItemDevice(
        token=item.token,
        created_on=item.created_on,
        created_by=item.created_by,
        status=item.status,
    )


# --- Certificates: withheld, repeated, in another order, of another organization ---


def certificates(change: Callable[[CertificateGetOk], CertificateGetOk]) -> Lie:
    return changing(CertificateGet, "certificate_get", change)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda common: common[1:], Fault.NON_EXISTING_RELATED_USER),
        (lambda common: [*common, common[-1]], Fault.CONTENT_ALREADY_EXISTS),
        (lambda common: [common[0], *common], Fault.ROOT_SIGNATURE_OUT_OF_BOOTSTRAP),
        (lambda common: common[::-1], Fault.NON_EXISTING_AUTHOR),
        (lambda common: [*common[:2], common[3], common[2]], Fault.NON_EXISTING_RELATED_USER),
    ],
    ids=["first withheld", "last repeated", "first repeated", "reversed", "pair swapped"],
)
def test_certificates_in_another_order_are_refused_by_name(
    place: Place,
    organization: Organization,
    change: Callable[[list[bytes]], list[bytes]],
    fault: Fault,
) -> None:
    organization.join("bob")
    session = organization.fresh("bob")
    lie = certificates(
        lambda reply: msgspec.structs.replace(
            reply, common_certificates=change(list(reply.common_certificates))
        )
    )

    [bob] = told(place, lie, place.speaker("bob", poll_certificates(session)))

    assert isinstance(bob.error, InvalidCertificate)
    assert bob.error.fault in (fault, Fault.INVALID_TIMESTAMP)
    assert session.ledger.is_empty


def test_the_certificates_of_another_organization_are_refused(
    place: Place, organization: Organization
) -> None:
    other = place.organization()
    other.found()
    theirs: list[bytes] = []

    def remember(reply: CertificateGetOk) -> CertificateGetOk:
        theirs.extend(reply.common_certificates)
        return reply

    told(place, certificates(remember), *other.polling("alice"))
    lie = certificates(
        lambda reply: msgspec.structs.replace(reply, common_certificates=list(theirs))
    )

    [alice] = told(place, lie, *organization.polling("alice"))

    assert isinstance(alice.error, InvalidCertificate)
    assert alice.error.fault is Fault.CORRUPTED


def test_a_server_that_withholds_our_own_device_is_caught(
    place: Place, organization: Organization
) -> None:
    organization.join("bob")
    session = organization.fresh("bob")
    lie = certificates(
        lambda reply: msgspec.structs.replace(
            reply, common_certificates=list(reply.common_certificates)[:2]
        )
    )

    [bob] = told(place, lie, place.speaker("bob", poll_certificates(session)))

    assert isinstance(bob.error, InvalidAnswer)
    assert session.ledger.is_empty


# --- Shared recovery ---


def test_a_recovery_of_another_threshold_than_the_set_ups_recovers_nothing_false(
    place: Place, organization: Organization
) -> None:
    for name in ("bob", "carol"):
        organization.join(name)
    organization.done(organization.setting_up("alice", "bob", "carol", threshold=2))

    def lower(reply: InviteInfoOkShamirRecovery) -> Reply:
        return msgspec.structs.replace(reply, threshold=1)

    lie = changing(InviteInfo, "invite_info", lower)

    lost, *_ = told(place, lie, *organization.recovering("alice", "bob", "carol"))

    # The secret of one share opens nothing; the second share makes it right, whatever was said.
    assert lost.error is None or isinstance(lost.error, FlowError)
    kept = [record.device for record in lost.kept if isinstance(record, NewDevice)]
    own = organization.sessions["alice"].device
    assert all(device.private_key == own.private_key for device in kept)
