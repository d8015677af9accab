"""Our server serves a client that is made of the official types."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import HashDigest, PrivateKey, VerifyKey
from parsec.data.certificates import (
    Certificate,
    DeviceCertificate,
    RevokedUserCertificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
    UserCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import AccessToken, DeviceID, GreetingAttemptID, UserID
from parsec.data.instant import Instant
from parsec.data.people import EmailAddress, UserProfile
from parsec.protocol import greeting as steps
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import Family, Request
from parsec.protocol.device import DeviceCreate
from parsec.protocol.events import (
    CommonCertificateEvent,
    GreetingAttemptCancelledEvent,
    GreetingAttemptJoinedEvent,
    GreetingAttemptReadyEvent,
    InvitationEvent,
    OrganizationConfigEvent,
    ShamirRecoveryCertificateEvent,
)
from parsec.protocol.families import commands
from parsec.protocol.greeting import (
    ClaimerStep,
    GreeterStep,
    InviteClaimerCancelGreetingAttempt,
    InviteClaimerStartGreetingAttempt,
    InviteClaimerStartGreetingAttemptOk,
    InviteClaimerStep,
    InviteClaimerStepOk,
    InviteGreeterCancelGreetingAttempt,
    InviteGreeterStartGreetingAttempt,
    InviteGreeterStartGreetingAttemptOk,
    InviteGreeterStep,
    InviteGreeterStepOk,
)
from parsec.protocol.invite import (
    InvitationCreatedByUser,
    InvitationEmailSentStatus,
    InvitationStatus,
    InviteCancel,
    InviteComplete,
    InviteInfo,
    InviteInfoOkDevice,
    InviteInfoOkShamirRecovery,
    InviteInfoOkUser,
    InviteList,
    InviteListItem,
    InviteListOk,
    InviteNewDevice,
    InviteNewDeviceOk,
    InviteNewShamirRecovery,
    InviteNewShamirRecoveryOk,
    InviteNewUser,
    InviteNewUserOk,
)
from parsec.protocol.organization import OrganizationInfo, OrganizationInfoOk
from parsec.protocol.shamir import (
    InviteShamirRecoveryReveal,
    InviteShamirRecoveryRevealOk,
    ShamirRecoveryDelete,
    ShamirRecoverySetup,
)
from parsec.protocol.statuses import (
    BadRevealToken,
    CancelledGreetingAttemptReason,
    GreetingAttemptAlreadyCancelled,
    GreetingAttemptCancelled,
    InvalidBootstrapToken,
    InvitationAlreadyCancelled,
    InvitationAlreadyCompleted,
    InvitationNotFound,
    NotReady,
    Ok,
    OrganizationAlreadyBootstrapped,
    RequireGreaterTimestamp,
    ShamirRecoveryAlreadyDeleted,
    ShamirRecoveryAlreadyExists,
    StepMismatch,
    TimestampOutOfBallpark,
    TosMismatch,
    UserAlreadyRevoked,
)
from parsec.protocol.tos import TosAccept, TosGet, TosGetOk
from parsec.protocol.user import ListFrozenUsers, ListFrozenUsersOk, UserRevoke, UserUpdate
from parsec.server.http.commands import COMMANDS, DEBUG_COMMANDS
from scripts.stage import Stage, stage
from tests.interop.examples import Examples
from tests.interop.official_client import OfficialClient
from tests.interop.peer import Official
from tests.interop.pictures import picture
from tests.support.newcomers import Newcomer, newcomer, papers
from tests.support.postgresql import new_place_for_a_process

EVERYTHING = CertificateGet(
    common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
)


@pytest.fixture(scope="module", params=["one process", "two workers on PostgreSQL"])
def server(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        built = stack.enter_context(stage())
        if request.param == "one process":
            built.start_server("--db", "MOCKED", "--debug")
        else:
            database = stack.enter_context(new_place_for_a_process())
            built.start_server("--db", database, "--workers", "2", "--debug")
        yield built


@pytest.fixture
def client(official_types: Official, server: Stage) -> OfficialClient:
    """A client of our server, for an organization of its own."""
    return OfficialClient(official_types, server.port, server.administration_token)


# --- Every command ---

SERVED = {**COMMANDS, **DEBUG_COMMANDS}
KINDS = [
    pytest.param(kind, id=f"{family}-{name}")
    for family in Family
    for name, kind in commands(family).items()
    if name != "cryptpad_register_session"
]
# Those of the stages to come are answered like commands that nobody knows. Nobody has an account.
UNSERVED_STATUS = {Family.AUTHENTICATED_ACCOUNT: 403}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_asked_the_official_types_read_the_answer(
    client: OfficialClient, kind: type[Request[Any]]
) -> None:
    alice = client.found()
    proofs = {
        Family.AUTHENTICATED: client.authorization(alice),
        Family.TOS: client.authorization(alice),
        Family.INVITED: f"Bearer {_invite_user(client, alice).hex()}",
        Family.AUTHENTICATED_ACCOUNT: f"Bearer PARSEC-MAC-BLAKE2B.{bytes(16).hex()}.0.AAAA",
    }

    for request in Examples(1).many(kind, 5):
        proof = proofs.get(kind.FAMILY)
        status, answer = client.post(kind.FAMILY, client.built(request), proof)

        if kind in SERVED:
            assert status == 200, answer
            client.read(kind, answer)
        else:
            assert status == UNSERVED_STATUS.get(kind.FAMILY, 415), answer


# --- Organizations, users, devices ---


def test_an_organization_is_founded_once(client: OfficialClient) -> None:
    token = client.create().token
    alice, mallory = newcomer("alice", UserProfile.ADMIN), newcomer("mallory", UserProfile.ADMIN)

    stolen = client.anonymous(client.bootstrap(mallory, AccessToken(bytes(16))))
    first = client.anonymous(client.bootstrap(alice, token))
    second = client.anonymous(client.bootstrap(mallory, token))

    assert (stolen, first, second) == (
        InvalidBootstrapToken(),
        Ok(),
        OrganizationAlreadyBootstrapped(),
    )
    assert client.call(alice, OrganizationInfo()) == OrganizationInfoOk(
        total_block_bytes=0, total_metadata_bytes=0
    )


def test_users_come_change_and_go_and_their_certificates_are_told(client: OfficialClient) -> None:
    alice = client.found()
    bob = client.enroll(alice, "bob")
    update = UserUpdateCertificate(
        author=alice.device_id,
        timestamp=client.now(),
        user_id=bob.user_id,
        new_profile=UserProfile.ADMIN,
    )
    signed = client.sign(update, alice.key)
    assert client.call(alice, UserUpdate(user_update_certificate=signed)) == Ok()
    revoked = RevokedUserCertificate(
        author=alice.device_id, timestamp=client.now(), user_id=bob.user_id
    )
    gone = UserRevoke(revoked_user_certificate=client.sign(revoked, alice.key))
    assert client.call(alice, gone) == Ok()

    told = client.call(alice, EVERYTHING)

    assert isinstance(told, CertificateGetOk)
    _, _, new_user, new_device, updated, gone_for_good = told.common_certificates
    by_alice = (alice.key.verify_key, alice.device_id)
    root = (client.root_key.verify_key, None)
    assert _is_about(client, UserCertificate, told.common_certificates[0], *root) == alice.user_id
    assert _is_about(client, DeviceCertificate, told.common_certificates[1], *root) == alice.user_id
    assert _is_about(client, UserCertificate, new_user, *by_alice) == bob.user_id
    assert _is_about(client, DeviceCertificate, new_device, *by_alice) == bob.user_id
    assert client.load(UserUpdateCertificate, updated, *by_alice) == picture(update)
    assert client.load(RevokedUserCertificate, gone_for_good, *by_alice) == picture(revoked)
    assert client.call(alice, ListFrozenUsers()) == ListFrozenUsersOk(frozen_users=[])


def test_external_users_are_told_redacted_certificates(client: OfficialClient) -> None:
    alice = client.found()
    zoe = client.enroll(alice, "zoe", UserProfile.OUTSIDER)

    told = client.call(zoe, EVERYTHING)

    assert isinstance(told, CertificateGetOk)
    root_key = client.root_key.verify_key
    user = client.load(UserCertificate, told.common_certificates[0], root_key, None)[1]
    device = client.load(DeviceCertificate, told.common_certificates[1], root_key, None)[1]
    assert (user["human_handle"], device["device_label"]) == (None, None)


def test_a_user_adds_a_device(client: OfficialClient) -> None:
    alice = client.found()
    phone = replace(alice, device_id=DeviceID.generate(system_entropy), key=newcomer().key)
    drawn = papers(phone, author=alice.device_id, timestamp=client.now())

    added = client.call(
        alice,
        DeviceCreate(
            device_certificate=client.sign(drawn.device, alice.key),
            redacted_device_certificate=client.sign(drawn.redacted_device, alice.key),
        ),
    )

    assert added == Ok()
    assert isinstance(client.call(phone, OrganizationInfo()), OrganizationInfoOk)


def test_refusals_that_carry_dates_are_read(client: OfficialClient) -> None:
    alice = client.found()
    bob = client.enroll(alice, "bob")
    revoked = RevokedUserCertificate(
        author=alice.device_id, timestamp=client.now(), user_id=bob.user_id
    )
    early, late = (
        msgspec.structs.replace(revoked, timestamp=revoked.timestamp.plus(seconds=seconds))
        for seconds in (-10, 1000)
    )

    def revoke(certificate: Certificate) -> object:
        signed = client.sign(certificate, alice.key)
        return client.call(alice, UserRevoke(revoked_user_certificate=signed))

    refusals = revoke(early), revoke(late)
    assert revoke(revoked) == Ok()
    again = revoke(msgspec.structs.replace(revoked, timestamp=client.now()))

    assert isinstance(refusals[0], RequireGreaterTimestamp)
    assert isinstance(refusals[1], TimestampOutOfBallpark)
    assert refusals[1].client_timestamp == late.timestamp
    assert again == UserAlreadyRevoked(last_common_certificate_timestamp=revoked.timestamp)


def test_terms_of_service_are_read_and_accepted(client: OfficialClient) -> None:
    alice = client.found()
    client.configure(tos={"en": "https://example.com/tos", "fr": "https://example.com/cgu"})

    told = client.call(alice, TosGet())
    assert isinstance(told, TosGetOk)
    replies = [
        client.call(alice, TosAccept(tos_updated_on=told.updated_on.plus(microseconds=1))),
        client.call(alice, TosAccept(tos_updated_on=told.updated_on)),
    ]

    assert told.per_locale_urls.keys() == {"en", "fr"}
    assert replies == [TosMismatch(), Ok()]


# --- Invitations ---


def test_invitations_of_all_kinds_are_listed_and_described(client: OfficialClient) -> None:
    alice = client.found()
    bob = client.enroll(alice, "bob")
    created_on = _set_up_recovery(client, alice, {bob: 1})
    zack = EmailAddress("zack@example.com")
    for_user = client.call(alice, InviteNewUser(claimer_email=zack, send_email=True))
    for_device = client.call(bob, InviteNewDevice(send_email=False))
    for_recovery = client.call(
        bob, InviteNewShamirRecovery(claimer_user_id=alice.user_id, send_email=False)
    )
    assert isinstance(for_user, InviteNewUserOk)
    assert isinstance(for_device, InviteNewDeviceOk)
    assert isinstance(for_recovery, InviteNewShamirRecoveryOk)
    assert for_user.email_sent is InvitationEmailSentStatus.SUCCESS

    listed = [*_invitations(client, alice), *_invitations(client, bob)]
    told = [
        client.invited(each.token, InviteInfo()) for each in (for_user, for_device, for_recovery)
    ]

    by_alice = InvitationCreatedByUser(human_handle=alice.handle, user_id=alice.user_id)
    by_bob = InvitationCreatedByUser(human_handle=bob.handle, user_id=bob.user_id)
    assert {each.token for each in listed} == {
        for_user.token,
        for_device.token,
        for_recovery.token,
    }
    user, device, recovery = told
    assert isinstance(user, InviteInfoOkUser)
    assert (user.claimer_email, user.created_by) == (zack, by_alice)
    assert [each.user_id for each in user.administrators] == [alice.user_id]
    assert isinstance(device, InviteInfoOkDevice)
    assert (device.claimer_user_id, device.created_by) == (bob.user_id, by_bob)
    assert isinstance(recovery, InviteInfoOkShamirRecovery)
    assert (recovery.claimer_user_id, recovery.threshold) == (alice.user_id, 1)
    assert recovery.shamir_recovery_created_on == created_on
    assert [(each.user_id, each.shares) for each in recovery.recipients] == [(bob.user_id, 1)]


def test_invitations_end(client: OfficialClient) -> None:
    alice = client.found()
    cancelled, completed = _invite_user(client, alice), _invite_user(client, alice, "bob@b.c")

    replies = [
        client.call(alice, InviteCancel(token=cancelled)),
        client.call(alice, InviteCancel(token=cancelled)),
        client.call(alice, InviteComplete(token=completed)),
        client.call(alice, InviteComplete(token=completed)),
        client.call(alice, InviteCancel(token=AccessToken(bytes(16)))),
    ]

    assert replies == [
        Ok(),
        InvitationAlreadyCancelled(),
        Ok(),
        InvitationAlreadyCompleted(),
        InvitationNotFound(),
    ]
    assert [each.status for each in _invitations(client, alice)] == [
        InvitationStatus.CANCELLED,
        InvitationStatus.FINISHED,
    ]


# --- Greetings ---

NONCE = bytes(range(64))
CLAIMER_STEPS: list[ClaimerStep] = [
    steps.ClaimerStep0WaitPeer(public_key=PrivateKey(bytes(range(32))).public_key),
    steps.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest.of(NONCE)),
    steps.ClaimerStep2GetNonce(),
    steps.ClaimerStep3SendNonce(claimer_nonce=NONCE),
    steps.ClaimerStep4SignifyTrust(),
    steps.ClaimerStep5WaitPeerTrust(),
    steps.ClaimerStep6SendPayload(claimer_payload=b"from the claimer"),
    steps.ClaimerStep7GetPayload(),
    steps.ClaimerStep8Acknowledge(),
]
GREETER_STEPS: list[GreeterStep] = [
    steps.GreeterStep0WaitPeer(public_key=PrivateKey(bytes(range(1, 33))).public_key),
    steps.GreeterStep1GetHashedNonce(),
    steps.GreeterStep2SendNonce(greeter_nonce=NONCE[::-1]),
    steps.GreeterStep3GetNonce(),
    steps.GreeterStep4WaitPeerTrust(),
    steps.GreeterStep5SignifyTrust(),
    steps.GreeterStep6GetPayload(),
    steps.GreeterStep7SendPayload(greeter_payload=b"from the greeter"),
    steps.GreeterStep8WaitPeerAcknowledgment(),
]


def test_a_greeting_goes_through_all_its_steps(client: OfficialClient) -> None:
    alice = client.found()
    token = _invite_user(client, alice)
    attempt = _attempt(client, alice, token)

    for claimer_step, greeter_step in zip(CLAIMER_STEPS, GREETER_STEPS, strict=True):
        by_greeter = InviteGreeterStep(greeting_attempt=attempt, greeter_step=greeter_step)
        by_claimer = InviteClaimerStep(greeting_attempt=attempt, claimer_step=claimer_step)

        alone = client.call(alice, by_greeter)
        to_claimer = client.invited(token, by_claimer)
        to_greeter = client.call(alice, by_greeter)

        assert alone == NotReady()
        assert to_claimer == InviteClaimerStepOk(greeter_step=greeter_step)
        assert to_greeter == InviteGreeterStepOk(claimer_step=claimer_step)

    other = steps.ClaimerStep0WaitPeer(public_key=PrivateKey(bytes(range(2, 34))).public_key)
    changed = InviteClaimerStep(greeting_attempt=attempt, claimer_step=other)
    assert client.invited(token, changed) == StepMismatch()


def test_a_greeting_is_cancelled_by_either_side(client: OfficialClient) -> None:
    alice = client.found()
    token = _invite_user(client, alice)
    by_greeter, by_claimer = _attempt(client, alice, token), None
    reason = CancelledGreetingAttemptReason.INVALID_SAS_CODE
    cancel = InviteGreeterCancelGreetingAttempt(greeting_attempt=by_greeter, reason=reason)

    replies = [client.call(alice, cancel), client.call(alice, cancel)]
    step = InviteClaimerStep(greeting_attempt=by_greeter, claimer_step=CLAIMER_STEPS[0])
    told = client.invited(token, step)
    by_claimer = _attempt(client, alice, token)
    second = client.invited(
        token, InviteClaimerCancelGreetingAttempt(greeting_attempt=by_claimer, reason=reason)
    )

    assert replies[0] == second == Ok()
    assert isinstance(replies[1], GreetingAttemptAlreadyCancelled)
    assert isinstance(told, GreetingAttemptCancelled)
    assert (told.reason, replies[1].reason) == (reason, reason)


# --- Shared recovery ---


def test_a_shared_recovery_is_set_up_revealed_and_deleted(client: OfficialClient) -> None:
    alice = client.found()
    bob, carl = client.enroll(alice, "bob"), client.enroll(alice, "carl")
    set_up_on = _set_up_recovery(client, alice, {bob: 1, carl: 2})
    brief_of_bob, share_of_bob = _recovery_certificates(client, bob)
    invited = client.call(
        bob, InviteNewShamirRecovery(claimer_user_id=alice.user_id, send_email=False)
    )
    assert isinstance(invited, InviteNewShamirRecoveryOk)

    revealed = client.invited(invited.token, InviteShamirRecoveryReveal(reveal_token=REVEAL))
    refused = client.invited(
        invited.token, InviteShamirRecoveryReveal(reveal_token=AccessToken(bytes(16)))
    )
    deletion = ShamirRecoveryDeletionCertificate(
        author=alice.device_id,
        timestamp=client.now(),
        setup_to_delete_timestamp=set_up_on,
        setup_to_delete_user_id=alice.user_id,
        share_recipients=frozenset({bob.user_id, carl.user_id}),
    )
    delete = ShamirRecoveryDelete(
        shamir_recovery_deletion_certificate=client.sign(deletion, alice.key)
    )
    replies = [client.call(alice, delete), client.call(alice, delete)]

    by_alice = (alice.key.verify_key, alice.device_id)
    brief = client.load(ShamirRecoveryBriefCertificate, brief_of_bob, *by_alice)[1]
    share = client.load(ShamirRecoveryShareCertificate, share_of_bob, *by_alice)[1]
    assert brief["per_recipient_shares"] == {picture(bob.user_id): 1, picture(carl.user_id): 2}
    assert share["recipient"] == picture(bob.user_id)
    assert revealed == InviteShamirRecoveryRevealOk(ciphered_data=b"ciphered")
    assert refused == BadRevealToken()
    assert replies[0] == Ok()
    assert isinstance(replies[1], ShamirRecoveryAlreadyDeleted)


def test_a_second_set_up_is_refused_with_a_date(client: OfficialClient) -> None:
    alice = client.found()
    bob = client.enroll(alice, "bob")
    set_up_on = _set_up_recovery(client, alice, {bob: 1})

    again = client.call(alice, _recovery_request(client, alice, {bob: 1}, client.now()))

    assert again == ShamirRecoveryAlreadyExists(last_shamir_certificate_timestamp=set_up_on)


# --- Events ---


def test_events_are_read(client: OfficialClient) -> None:
    alice = client.found()
    events = client.events(alice)

    config = events.next()
    bob = client.enroll(alice, "bob")
    common = events.next()
    token = _invite_user(client, alice)
    invited = events.next()
    attempt = _attempt(client, alice, token)
    by_claimer = InviteClaimerStep(greeting_attempt=attempt, claimer_step=CLAIMER_STEPS[0])
    assert client.invited(token, by_claimer) == NotReady()
    waiting = events.next()
    by_greeter = InviteGreeterStep(greeting_attempt=attempt, greeter_step=GREETER_STEPS[0])
    assert isinstance(client.call(alice, by_greeter), InviteGreeterStepOk)
    met = events.next()
    reason = CancelledGreetingAttemptReason.MANUALLY_CANCELLED
    client.invited(
        token, InviteClaimerCancelGreetingAttempt(greeting_attempt=attempt, reason=reason)
    )
    parted = events.next()
    set_up_on = _set_up_recovery(client, alice, {bob: 1})
    shared = events.next()
    events.close()

    assert isinstance(config, OrganizationConfigEvent)
    assert isinstance(common, CommonCertificateEvent)
    assert invited == InvitationEvent(invitation_status=InvitationStatus.PENDING, token=token)
    assert waiting == GreetingAttemptReadyEvent(greeting_attempt=attempt, token=token)
    assert met == GreetingAttemptJoinedEvent(greeting_attempt=attempt, token=token)
    assert parted == GreetingAttemptCancelledEvent(greeting_attempt=attempt, token=token)
    assert shared == ShamirRecoveryCertificateEvent(timestamp=set_up_on)


REVEAL = AccessToken(bytes(range(16)))


def _is_about(
    client: OfficialClient,
    kind: type[Certificate],
    signed: bytes,
    key: VerifyKey,
    author: DeviceID | None,
) -> UserID:
    """The user of a certificate, once the official types verified it."""
    name, raw = client.load(kind, signed, key, author)[1]["user_id"]
    assert name == "UserID"
    return UserID(raw)


def _invite_user(
    client: OfficialClient, author: Newcomer, email: str = "zack@example.com"
) -> AccessToken:
    invite = InviteNewUser(claimer_email=EmailAddress(email), send_email=False)
    reply = client.call(author, invite)
    assert isinstance(reply, InviteNewUserOk)
    return reply.token


def _invitations(client: OfficialClient, author: Newcomer) -> list[InviteListItem]:
    listed = client.call(author, InviteList())
    assert isinstance(listed, InviteListOk)
    return listed.invitations


def _attempt(client: OfficialClient, greeter: Newcomer, token: AccessToken) -> GreetingAttemptID:
    """An attempt that greeter and claimer joined."""
    at_claimer = client.invited(token, InviteClaimerStartGreetingAttempt(greeter=greeter.user_id))
    at_greeter = client.call(greeter, InviteGreeterStartGreetingAttempt(token=token))
    assert isinstance(at_claimer, InviteClaimerStartGreetingAttemptOk)
    assert isinstance(at_greeter, InviteGreeterStartGreetingAttemptOk)
    assert at_claimer.greeting_attempt == at_greeter.greeting_attempt
    return at_greeter.greeting_attempt


def _set_up_recovery(
    client: OfficialClient, author: Newcomer, weights: dict[Newcomer, int]
) -> Instant:
    """Somebody shares their recovery; when."""
    timestamp = client.now()
    assert client.call(author, _recovery_request(client, author, weights, timestamp)) == Ok()
    return timestamp


def _recovery_request(
    client: OfficialClient, author: Newcomer, weights: dict[Newcomer, int], timestamp: Instant
) -> ShamirRecoverySetup:
    brief = ShamirRecoveryBriefCertificate(
        author=author.device_id,
        timestamp=timestamp,
        user_id=author.user_id,
        threshold=1,
        per_recipient_shares={each.user_id: weight for each, weight in weights.items()},
    )
    shares = [
        ShamirRecoveryShareCertificate(
            author=author.device_id,
            timestamp=timestamp,
            user_id=author.user_id,
            recipient=each.user_id,
            ciphered_share=b"ciphered share",
        )
        for each in weights
    ]
    return ShamirRecoverySetup(
        ciphered_data=b"ciphered",
        reveal_token=REVEAL,
        shamir_recovery_brief_certificate=client.sign(brief, author.key),
        shamir_recovery_share_certificates=[client.sign(each, author.key) for each in shares],
    )


def _recovery_certificates(client: OfficialClient, user: Newcomer) -> list[bytes]:
    told = client.call(user, EVERYTHING)
    assert isinstance(told, CertificateGetOk)
    return told.shamir_recovery_certificates
