"""Shared recovery: setting it up, deleting it, and getting an account back with it.

`client.md` 12. The author makes a *recovery device*, encrypts it with a random key, and splits that
key among the recipients. Somebody who lost everything speaks to recipients one by one until the
shares they gave reach the threshold, joins them, and makes a new device with the recovery device.

    gathered shares ──enough──> secret ──reveal──> recovery device ──> new device ──> saved

Shares are kept as soon as they arrive: what follows may be repeated by a later run, but no
recipient should have to be asked twice.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Never, TypeVar

import msgspec

from parsec.client.dialogue import (
    Activity,
    Began,
    ChooseRecipient,
    ChooseThreshold,
    ConfirmSetup,
    Ended,
    EnterDeviceLabel,
    GreeterIs,
    Notice,
    Person,
    RecipientUnavailable,
    RetryOffline,
    ShareMissing,
    SharesNeeded,
    SharesRejected,
)
from parsec.client.failure import Conflict, FlowError, InvalidAnswer, NotFound, Offline, Refused
from parsec.client.flows.certificate import (
    Session,
    poll_certificates,
    poll_quietly,
    upload,
)
from parsec.client.flows.device import create_device
from parsec.client.flows.greeting import (
    ClaimerLine,
    GreeterUnavailable,
    GreetingFault,
    Joined,
    join_as_claimer,
    trust_as_claimer,
)
from parsec.client.flows.invite import complete_invitation
from parsec.client.flows.protection import add_chosen_totp, choose_protection
from parsec.client.records import GatheredShares, NewDevice, RecoveryDone, RecoverySaves
from parsec.client.rules.ledger import ShamirSetup, UserInfo
from parsec.client.rules.shamir import (
    AnyoneAlone,
    ExternalRecipient,
    NoSlack,
    OneAlone,
    SetupWarning,
    check_against_ledger,
    check_setup_parameters,
    setup_warnings,
)
from parsec.client.step import Flow, Means, ask, call, keep, tell
from parsec.crypto.errors import CryptoError, ShamirError
from parsec.crypto.keys import SecretKey
from parsec.crypto.shamir import ShamirShare
from parsec.data.address import InvitationAddr
from parsec.data.certificates import (
    DevicePurpose,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.greeting import InviteShamirRecoveryConfirmation, InviteShamirRecoveryData
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice, further_device
from parsec.data.people import DeviceLabel, EmailAddress, UserProfile
from parsec.data.recovery import (
    CorruptedSecretError,
    ShamirRecoverySecret,
    ShamirRecoveryShareData,
    deal_shares,
    join_secret,
    wrong_recipients,
)
from parsec.protocol import statuses
from parsec.protocol.invite import InviteInfo, InviteInfoOkShamirRecovery
from parsec.protocol.shamir import (
    InviteShamirRecoveryReveal,
    InviteShamirRecoveryRevealOk,
    ShamirRecoveryDelete,
    ShamirRecoverySetup,
)
from parsec.protocol.statuses import CancelledGreetingAttemptReason as Reason
from parsec.wire.msgpack import MalformedError

T = TypeVar("T")

_SETUP_ATTEMPTS = 5
_LARGEST_SHARE = 1024
"""Bytes; a secret takes about ninety."""

# --- Setting up ---


class Setup(NamedTuple):
    """A shared recovery as it was created."""

    threshold: int
    weights: dict[UserID, int]


def create_setup(
    session: Session,
    *,
    recipients: Mapping[EmailAddress, int] | None = None,
    threshold: int | None = None,
    confirm: bool = False,
) -> Flow[Setup | None]:
    """Set up the shared recovery of one's own account; None when the person declined.

    Without recipients: all administrators but oneself, one share each.
    """
    yield from poll_certificates(session)
    weights = _weights(session, recipients)
    yield from tell(Began(Activity.CREATE_SETUP))
    own = session.device.user_id
    if threshold is None:
        # Refused before the question, so that nobody answers for nothing.
        check_setup_parameters(own, weights, 1, session.ledger)
        threshold = yield from ask(ChooseThreshold(sum(weights.values()), recipients=len(weights)))
    check_setup_parameters(own, weights, threshold, session.ledger)
    people = _people(session, weights)
    for warning in setup_warnings(weights, threshold, people):
        yield from tell(Notice(_advice(warning, people)))
    if confirm and not (yield from ask(ConfirmSetup(threshold, _shares(weights, people)))):
        return None
    yield from _create_setup(session, weights, threshold)
    yield from poll_quietly(session)
    yield from tell(Ended(Activity.CREATE_SETUP))
    return Setup(threshold, weights)


def _weights(session: Session, recipients: Mapping[EmailAddress, int] | None) -> dict[UserID, int]:
    ledger, own = session.ledger, session.device.user_id
    if recipients is None:
        defaults = [
            user.user_id
            for user in ledger.users()
            if user.profile is UserProfile.ADMIN and not user.revoked_on and user.user_id != own
        ]
        if not defaults:
            raise NotFound(
                "No default recipient available",
                hint="there is no other administrator: name recipients with --recipients",
            )
        return dict.fromkeys(defaults, 1)
    if ledger.self_profile is UserProfile.OUTSIDER:
        raise Refused(
            "External users do not see the members' emails and cannot choose recipients",
            hint="leave --recipients out: the administrators are taken",
        )
    weights: dict[UserID, int] = {}
    for email, weight in recipients.items():
        user = ledger.active_user_by_email(email)
        if user is None:
            raise _unknown_recipient(session, email)
        weights[user.user_id] = weight
    return weights


def _unknown_recipient(session: Session, email: EmailAddress) -> FlowError:
    if any(user.human_handle.email == email for user in session.ledger.users()):
        return Refused(f"User with email {email} was revoked")
    return NotFound(
        f"A user with email {email} not found", hint="parsec-cli user list shows the members"
    )


def _people(session: Session, weights: Mapping[UserID, int]) -> dict[UserID, UserInfo]:
    found = {user_id: session.ledger.user(user_id) for user_id in weights}
    return {user_id: user for user_id, user in found.items() if user is not None}


def _shares(weights: Mapping[UserID, int], people: Mapping[UserID, UserInfo]) -> tuple[Person, ...]:
    shares = [
        Person(user_id, people[user_id].human_handle, weight) for user_id, weight in weights.items()
    ]
    return tuple(sorted(shares, key=lambda person: str(person.human_handle)))


def _advice(warning: SetupWarning, people: Mapping[UserID, UserInfo]) -> str:
    match warning:
        case AnyoneAlone():
            return "with threshold 1, any single recipient can take over your account"
        case OneAlone(recipient=recipient):
            name = people[recipient].human_handle
            return f"{name} alone has enough shares to take over your account"
        case NoSlack():
            return "all shares are needed: losing one recipient makes the recovery impossible"
        case ExternalRecipient(recipient=recipient):
            return f"{people[recipient].human_handle} is an external user"


def _create_setup(session: Session, weights: Mapping[UserID, int], threshold: int) -> Flow[None]:
    device, means = session.device, session.means
    label = DeviceLabel(f"shamir-recovery-{means.now().rfc3339}")
    recovery_device = further_device(device, label, means.entropy)
    yield from create_device(
        device,
        means,
        device_id=recovery_device.device_id,
        label=label,
        verify_key=recovery_device.signing_key.verify_key,
        purpose=DevicePurpose.SHAMIR_RECOVERY,
    )
    for _ in range(_SETUP_ATTEMPTS):
        reply = yield from upload(
            device,
            means,
            lambda timestamp: _setup_request(
                session, recovery_device, weights, threshold, timestamp
            ),
        )
        match reply:
            case statuses.Ok():
                return
            case statuses.RevokedRecipient() | statuses.ShamirRecoveryAlreadyExists():
                # Something happened meanwhile: what exactly, our own checks tell better.
                yield from poll_quietly(session)
                check_against_ledger(device.user_id, weights, session.ledger)
            case statuses.RecipientNotFound():
                raise NotFound("A recipient is not known to the server")
            case _:
                raise Refused("Server refused to create the shared recovery")
    raise InvalidAnswer("The server refuses the recipients for a reason that it does not show")


def _setup_request(
    session: Session,
    recovery_device: LocalDevice,
    weights: Mapping[UserID, int],
    threshold: int,
    timestamp: Instant,
) -> ShamirRecoverySetup:
    device, entropy = session.device, session.means.entropy
    secret = ShamirRecoverySecret(
        data_key=SecretKey.generate(entropy), reveal_token=AccessToken.generate(entropy)
    )
    brief = ShamirRecoveryBriefCertificate(
        author=device.device_id,
        timestamp=timestamp,
        user_id=device.user_id,
        threshold=threshold,
        per_recipient_shares=dict(weights),
    )
    dealt = deal_shares(secret, threshold=threshold, weights=weights, entropy=entropy)
    return ShamirRecoverySetup(
        ciphered_data=secret.data_key.encrypt(recovery_device.dump(), entropy),
        reveal_token=secret.reveal_token,
        shamir_recovery_brief_certificate=brief.sign(device.signing_key),
        shamir_recovery_share_certificates=[
            _share_certificate(session, recipient, shares, timestamp)
            for recipient, shares in dealt.items()
        ],
    )


def _share_certificate(
    session: Session, recipient: UserID, shares: list[ShamirShare], timestamp: Instant
) -> bytes:
    device, public_key = session.device, session.ledger.public_key(recipient)
    assert public_key is not None, "recipients were checked against the ledger"
    data = ShamirRecoveryShareData(
        author=device.device_id, timestamp=timestamp, weighted_share=shares
    )
    return ShamirRecoveryShareCertificate(
        author=device.device_id,
        timestamp=timestamp,
        user_id=device.user_id,
        recipient=recipient,
        ciphered_share=data.seal(author_key=device.signing_key, recipient=public_key),
    ).sign(device.signing_key)


def delete_setup(session: Session) -> Flow[bool]:
    """Delete one's own set-up; False when there was none to delete."""
    yield from poll_certificates(session)
    device, means = session.device, session.means
    setup = session.ledger.shamir_setup(device.user_id)
    if setup is None or setup.deleted_on is not None:
        return False
    yield from tell(Began(Activity.DELETE_SETUP))
    reply = yield from upload(
        device, means, lambda timestamp: _deletion_request(device, setup, timestamp)
    )
    if not isinstance(reply, statuses.Ok | statuses.ShamirRecoveryAlreadyDeleted):
        raise Refused("Server refused to delete the shared recovery")
    yield from poll_quietly(session)
    yield from tell(Ended(Activity.DELETE_SETUP))
    return True


def _deletion_request(
    device: LocalDevice, setup: ShamirSetup, timestamp: Instant
) -> ShamirRecoveryDelete:
    certificate = ShamirRecoveryDeletionCertificate(
        author=device.device_id,
        timestamp=timestamp,
        setup_to_delete_timestamp=setup.created_on,
        setup_to_delete_user_id=device.user_id,
        share_recipients=frozenset(setup.per_recipient_shares),
    )
    return ShamirRecoveryDelete(
        shamir_recovery_deletion_certificate=certificate.sign(device.signing_key)
    )


# --- Recovering ---


def no_shares(addr: InvitationAddr, info: InviteInfoOkShamirRecovery) -> GatheredShares:
    """The record of a recovery that begins."""
    return GatheredShares(
        server=addr.server,
        organization_id=addr.organization_id,
        user_id=info.claimer_user_id,
        setup_created_on=info.shamir_recovery_created_on,
        shares={},
    )


def recover(
    addr: InvitationAddr,
    info: InviteInfoOkShamirRecovery,
    gathered: GatheredShares,
    means: Means,
) -> Flow[LocalDevice]:
    """Get an account back: gather shares, join them, make a new device and keep it.

    `gathered` is what an earlier run has kept, or `no_shares`.
    """
    secret = yield from _gather(addr, info, _usable(gathered, info), means)
    label = yield from ask(EnterDeviceLabel())
    yield from tell(Began(Activity.RECOVER_DEVICE))
    recovery_device = yield from _retrying(lambda: _reveal(addr, info, secret))
    device = yield from _retrying(lambda: _register(recovery_device, label, means))
    yield from tell(Ended(Activity.RECOVER_DEVICE))
    chosen = yield from choose_protection(addr.server)
    # So that a later run can tell whether the shares have done their work.
    yield from keep(RecoverySaves(info.claimer_user_id, device.device_id))
    yield from keep(NewDevice(device, chosen.guard))
    # Before the shares go: while the invitation counts, they tell a later run that all is done.
    yield from complete_invitation(device, addr.token)
    yield from keep(RecoveryDone(info.claimer_user_id))
    yield from add_chosen_totp(device, chosen, means)
    return device


def _usable(gathered: GatheredShares, info: InviteInfoOkShamirRecovery) -> GatheredShares:
    """What was gathered from recipients whom the server still names, each with its number."""
    weights = {recipient.user_id: recipient.shares for recipient in info.recipients}
    shares = {
        user: shares for user, shares in gathered.shares.items() if len(shares) == weights.get(user)
    }
    return msgspec.structs.replace(gathered, shares=shares)


def _gather(
    addr: InvitationAddr,
    info: InviteInfoOkShamirRecovery,
    gathered: GatheredShares,
    means: Means,
) -> Flow[ShamirRecoverySecret]:
    while True:
        retrieved = sum(len(shares) for shares in gathered.shares.values())
        if retrieved >= info.threshold:
            secret = yield from _join(info, gathered)
            if secret is not None:
                return secret
        else:
            yield from tell(SharesNeeded(info.threshold, retrieved))
        people = _contacts(info, gathered)
        if not people:
            yield from _give_up(info, gathered)
        chosen = yield from ask(ChooseRecipient(people))
        person = next(person for person in people if person.user_id == chosen)
        try:
            gathered = yield from _ask_recipient(addr, person, gathered, means)
        except GreeterUnavailable as reason:
            yield from tell(RecipientUnavailable(person.human_handle, str(reason)))
            info = yield from _refresh(addr, info)


def _contacts(info: InviteInfoOkShamirRecovery, gathered: GatheredShares) -> tuple[Person, ...]:
    return tuple(
        Person(recipient.user_id, recipient.human_handle, recipient.shares)
        for recipient in info.recipients
        if recipient.revoked_on is None and recipient.user_id not in gathered.shares
    )


def _give_up(info: InviteInfoOkShamirRecovery, gathered: GatheredShares) -> Flow[Never]:
    if sum(len(shares) for shares in gathered.shares.values()) >= info.threshold:
        # Kept on, the wrong one would spoil every later run too.
        yield from keep(RecoveryDone(gathered.user_id))
        raise InvalidAnswer(
            "One of the gathered shares is wrong, and there is nobody left to ask",
            hint="the shares were dropped: run the same command again to ask everybody anew; "
            "should it happen again, an administrator has to revoke and invite you",
        )
    names = ", ".join(
        str(recipient.human_handle)
        for recipient in info.recipients
        if recipient.revoked_on is not None
    )
    raise Refused(
        f"The recipients who are left cannot give {info.threshold} shares"
        f"{f' (revoked: {names})' if names else ''}",
        hint="the shared recovery cannot be used: an administrator has to invite you again",
    )


def _refresh(
    addr: InvitationAddr, info: InviteInfoOkShamirRecovery
) -> Flow[InviteInfoOkShamirRecovery]:
    fresh = yield from call(addr, InviteInfo())
    if (
        not isinstance(fresh, InviteInfoOkShamirRecovery)
        or fresh.claimer_user_id != info.claimer_user_id
        or fresh.shamir_recovery_created_on != info.shamir_recovery_created_on
    ):
        raise InvalidAnswer("The server now describes another invitation under this link")
    return fresh


def _ask_recipient(
    addr: InvitationAddr, person: Person, gathered: GatheredShares, means: Means
) -> Flow[GatheredShares]:
    """Meet a recipient; the answer is what is gathered with the shares that it gave."""
    yield from tell(GreeterIs(person.human_handle))
    yield from tell(Began(Activity.WAIT_GREETER_TO_START, person.human_handle))
    joined = yield from join_as_claimer(ClaimerLine(addr, person.user_id), means)
    gathered = yield from joined.guarded(_receive_shares(joined, person, gathered))
    yield from tell(Ended(Activity.WAIT_GREETER))
    return gathered


def _receive_shares(
    joined: Joined, person: Person, gathered: GatheredShares
) -> Flow[GatheredShares]:
    yield from tell(Ended(Activity.WAIT_GREETER_TO_START, person.human_handle))
    channel = yield from trust_as_claimer(joined)
    yield from tell(Began(Activity.WAIT_GREETER))
    confirmation = yield from channel.send_first(
        InviteShamirRecoveryData(), InviteShamirRecoveryConfirmation
    )
    check_given_shares(confirmation.weighted_share, expected=person.shares)
    gathered = gathered.with_shares({person.user_id: confirmation.weighted_share})
    # First kept, then acknowledged: the recipient is done afterwards.
    yield from keep(gathered)
    yield from channel.acknowledge()
    return gathered


def check_given_shares(shares: Sequence[ShamirShare], *, expected: int) -> None:
    """Check what a recipient gave. Raises GreetingFault.

    Whoever could give more shares than the set-up says would reach the threshold alone, with a
    secret of their own making.
    """
    xs = {share.x for share in shares}
    sizes = {len(share) for share in shares}
    well_formed = 0 not in xs and len(xs) == len(shares) and len(sizes) == 1
    if len(shares) != expected or not well_formed or max(sizes) > _LARGEST_SHARE:
        raise GreetingFault(
            Reason.INCONSISTENT_PAYLOAD,
            f"The recipient gave other shares than the {expected} of the set-up",
            hint="ask another recipient; this one's program or intentions are not right",
        )


def _join(
    info: InviteInfoOkShamirRecovery, gathered: GatheredShares
) -> Flow[ShamirRecoverySecret | None]:
    """The secret; None when a share is wrong and the others do not suffice without it."""
    try:
        return _joined(gathered.shares, info)
    except (CorruptedSecretError, ShamirError):
        pass
    culprits = wrong_recipients(gathered.shares, threshold=info.threshold)
    if len(culprits) != 1:
        yield from tell(ShareMissing())
        return None
    names = {recipient.user_id: recipient.human_handle for recipient in info.recipients}
    yield from tell(SharesRejected((names[culprits[0]],)))
    return _joined(
        {user: shares for user, shares in gathered.shares.items() if user != culprits[0]}, info
    )


def _joined(
    shares: Mapping[UserID, list[ShamirShare]], info: InviteInfoOkShamirRecovery
) -> ShamirRecoverySecret:
    return join_secret(
        [share for some in shares.values() for share in some], threshold=info.threshold
    )


def _reveal(
    addr: InvitationAddr, info: InviteInfoOkShamirRecovery, secret: ShamirRecoverySecret
) -> Flow[LocalDevice]:
    reply = yield from call(addr, InviteShamirRecoveryReveal(reveal_token=secret.reveal_token))
    if not isinstance(reply, InviteShamirRecoveryRevealOk):
        yield from keep(RecoveryDone(info.claimer_user_id))
        raise Conflict(
            "The server does not accept what the shares open",
            hint="the shared recovery was probably replaced meanwhile: ask a recipient for a new "
            "invitation",
        )
    try:
        device = LocalDevice.load(secret.data_key.decrypt(reply.ciphered_data))
    except (CryptoError, MalformedError):
        raise InvalidAnswer("The recovery device that the server sent is corrupted") from None
    if device.user_id != info.claimer_user_id or device.organization_id != addr.organization_id:
        raise InvalidAnswer("The server sent the recovery device of somebody else")
    # The server may have moved since the set-up; where the invitation led is where it is now.
    return msgspec.structs.replace(device, server_url=addr.server)


def _register(recovery_device: LocalDevice, label: DeviceLabel, means: Means) -> Flow[LocalDevice]:
    # Another device at each attempt: one whose answer got lost may exist, and would be refused.
    device = further_device(recovery_device, label, means.entropy)
    yield from create_device(
        recovery_device,
        means,
        device_id=device.device_id,
        label=label,
        verify_key=device.signing_key.verify_key,
        purpose=DevicePurpose.STANDARD,
    )
    return device


def _retrying(attempt: Callable[[], Flow[T]]) -> Flow[T]:
    """Carry out a part that may be repeated, as often as the person wants while offline."""
    while True:
        try:
            return (yield from attempt())
        except Offline:
            if not (yield from ask(RetryOffline())):
                raise
