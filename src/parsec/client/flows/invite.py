"""Invitations, from both sides: making, listing and cancelling them, greeting and claiming.

`client.md` 10 and 11. Nothing is created before it is certain that it can be saved: a claimer says
how its new device is protected before the greeter creates anything.
"""

from typing import NamedTuple, TypeVar

import msgspec

from parsec.client.dialogue import (
    Activity,
    Began,
    ChooseAdministrator,
    ChooseProfile,
    Ended,
    EnterDeviceLabel,
    EnterHumanHandle,
    GreeterIs,
    GreetingIsAbout,
    NewDeviceLabel,
    NewUser,
    Notice,
    Person,
)
from parsec.client.failure import Conflict, FlowError, NotFound, Refused
from parsec.client.flows.certificate import Session, poll_certificates, poll_quietly
from parsec.client.flows.device import create_device
from parsec.client.flows.greeting import (
    Channel,
    ClaimerLine,
    GreeterLine,
    GreeterUnavailable,
    GreetingFault,
    InvitationUsed,
    Joined,
    join_as_claimer,
    join_as_greeter,
    trust_as_claimer,
    trust_as_greeter,
)
from parsec.client.flows.protection import add_chosen_totp, choose_protection
from parsec.client.flows.race import race
from parsec.client.flows.user import create_user
from parsec.client.protection import ChosenProtection
from parsec.client.records import NewDevice
from parsec.client.rules.shamir import open_share, share_to_give
from parsec.client.step import Flow, Means, ask, call, keep, tell
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.crypto.shamir import ShamirShare
from parsec.data.address import InvitationAddr, InvitationType
from parsec.data.certificates import DevicePurpose
from parsec.data.greeting import (
    GreetingPayload,
    InviteDeviceConfirmation,
    InviteDeviceData,
    InviteShamirRecoveryConfirmation,
    InviteShamirRecoveryData,
    InviteUserConfirmation,
    InviteUserData,
)
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.local_device import LocalDevice, first_device
from parsec.data.people import EmailAddress, HumanHandle
from parsec.data.topics import Topic
from parsec.protocol import invite, statuses
from parsec.protocol.invite import (
    InvitationEmailSentStatus,
    InviteInfoOkDevice,
    InviteInfoOkUser,
    InviteInfoReply,
    InviteListItem,
    InviteListItemDevice,
    InviteListItemShamirRecovery,
    InviteListItemUser,
)
from parsec.protocol.statuses import CancelledGreetingAttemptReason as Reason

P = TypeVar("P", bound=GreetingPayload)

# --- Making, listing, cancelling ---


class NewInvitation(NamedTuple):
    """An invitation, and what became of its email."""

    addr: InvitationAddr
    email_sent: InvitationEmailSentStatus


def invite_user(
    device: LocalDevice, email: EmailAddress, *, send_email: bool
) -> Flow[NewInvitation]:
    """Invite somebody to become a member."""
    yield from tell(Began(Activity.CREATE_INVITATION))
    reply = yield from call(
        device, invite.InviteNewUser(claimer_email=email, send_email=send_email)
    )
    match reply:
        case invite.InviteNewUserOk(token=token, email_sent=email_sent):
            return NewInvitation(_addr(device, InvitationType.USER, token), email_sent)
        case statuses.ClaimerEmailAlreadyEnrolled():
            raise Conflict(f"{email} is a member already")
        case _:
            raise Refused("Only administrators may invite members")


def invite_device(device: LocalDevice, *, send_email: bool) -> Flow[NewInvitation]:
    """Invite a further device of one's own."""
    yield from tell(Began(Activity.CREATE_INVITATION))
    reply = yield from call(device, invite.InviteNewDevice(send_email=send_email))
    return NewInvitation(_addr(device, InvitationType.DEVICE, reply.token), reply.email_sent)


def invite_shared_recovery(
    session: Session, email: EmailAddress, *, send_email: bool
) -> Flow[NewInvitation]:
    """Invite somebody whose recipient one is to recover their account."""
    yield from poll_certificates(session)
    claimer = session.ledger.active_user_by_email(email)
    if claimer is None:
        raise NotFound(f"User with email {email} not found")
    yield from tell(Began(Activity.CREATE_INVITATION))
    reply = yield from call(
        session.device,
        invite.InviteNewShamirRecovery(claimer_user_id=claimer.user_id, send_email=send_email),
    )
    match reply:
        case invite.InviteNewShamirRecoveryOk(token=token, email_sent=email_sent):
            addr = _addr(session.device, InvitationType.SHAMIR_RECOVERY, token)
            return NewInvitation(addr, email_sent)
        case statuses.UserNotFound():
            raise NotFound(f"User with email {email} not found")
        case _:
            raise Refused(
                "Server refused to create shared recovery invitation: "
                "you are not a recipient of a shared recovery of this user",
                hint="parsec-cli shared-recovery list shows whom you can help",
            )


def list_invitations(device: LocalDevice) -> Flow[list[InviteListItem]]:
    """The invitations that concern this user, as the server orders them."""
    reply = yield from call(device, invite.InviteList())
    return reply.invitations


def cancel_invitation(device: LocalDevice, token: AccessToken) -> Flow[None]:
    """Make an invitation useless."""
    reply = yield from call(device, invite.InviteCancel(token=token))
    match reply:
        case statuses.Ok():
            return
        case statuses.InvitationNotFound():
            raise NotFound("Invitation not found")
        case statuses.InvitationCompleted():
            raise Conflict("Invitation already used")
        case statuses.InvitationAlreadyCancelled():
            raise Conflict("Invitation already cancelled")
        case _:
            raise Refused("You are not allowed to cancel this invitation")


def complete_invitation(device: LocalDevice, token: AccessToken) -> Flow[None]:
    """Mark an invitation as used. A failure is of no consequence and not reported."""
    try:
        yield from call(device, invite.InviteComplete(token=token))
    except FlowError:
        return


def _addr(device: LocalDevice, kind: InvitationType, token: AccessToken) -> InvitationAddr:
    return InvitationAddr(
        server=device.server_url, organization_id=device.organization_id, type=kind, token=token
    )


# --- The greeter ---


def greet(
    session: Session, token: AccessToken, *, expected: InvitationType | None = None
) -> Flow[None]:
    """Greet whoever claims that invitation.

    What is about to be given away depends on the kind of the invitation, for which there is only
    the server's word: the person is told before any code is compared, and `expected` refuses
    another kind.
    """
    yield from poll_certificates(session)
    item = yield from _find_invitation(session.device, token)
    _check_kind(item, expected)
    shares: list[ShamirShare] = []
    if isinstance(item, InviteListItemShamirRecovery):
        # Before anybody is kept waiting: is there a share to give at all?
        shares = yield from _shares_to_give(session, item)
    yield from tell(_about(session, item))
    yield from tell(Began(Activity.WAIT_CLAIMER))
    joined = yield from join_as_greeter(GreeterLine(session.device, token), session.means)
    yield from joined.guarded(_greet(session, joined, item, shares))
    if not isinstance(item, InviteListItemShamirRecovery):
        # The recovered device completes its invitation itself, once it has enough shares.
        yield from complete_invitation(session.device, token)


def _check_kind(item: InviteListItem, expected: InvitationType | None) -> None:
    kind = InvitationType(str(item.__struct_config__.tag))
    if expected not in (None, kind):
        raise Refused(
            f"The invitation is for a {_words(expected.value)}, but the server calls it one for "
            f"a {_words(kind.value)}",
            hint="the server may be dishonest: nothing was shared",
        )


def _shares_to_give(
    session: Session, item: InviteListItemShamirRecovery
) -> Flow[list[ShamirShare]]:
    created_on = item.shamir_recovery_created_on
    if not session.ledger.covers({Topic.SHAMIR_RECOVERY: created_on}):
        yield from poll_quietly(session)
    claimer = session.ledger.user(item.claimer_user_id)
    if claimer is None or claimer.is_revoked:
        raise Refused("Who is to be recovered is no member of the organization any more")
    certificate = share_to_give(session.ledger, item.claimer_user_id, created_on)
    opened = open_share(session.ledger, certificate, session.device.private_key)
    return opened.weighted_share


def _about(session: Session, item: InviteListItem) -> GreetingIsAbout:
    match item:
        case InviteListItemUser(claimer_email=email):
            return GreetingIsAbout(InvitationType.USER, str(email))
        case InviteListItemDevice():
            return GreetingIsAbout(InvitationType.DEVICE, str(session.device.human_handle))
        case InviteListItemShamirRecovery(claimer_user_id=user_id):
            user = session.ledger.user(user_id)
            name = str(user.human_handle) if user is not None else user_id.hyphenated
            return GreetingIsAbout(InvitationType.SHAMIR_RECOVERY, name)


def _find_invitation(device: LocalDevice, token: AccessToken) -> Flow[InviteListItem]:
    yield from tell(Began(Activity.RETRIEVE_INVITATION))
    invitations = yield from list_invitations(device)
    item = next((item for item in invitations if item.token == token), None)
    if item is None:
        raise NotFound("Invitation not found", hint="parsec-cli invite list shows those you have")
    if item.status is invite.InvitationStatus.FINISHED:
        raise Conflict(
            "Invitation already used", hint="invite again, then greet with the new token"
        )
    if item.status is invite.InvitationStatus.CANCELLED:
        raise Conflict("Invitation cancelled", hint="invite again, then greet with the new token")
    yield from tell(Ended(Activity.RETRIEVE_INVITATION))
    return item


def _greet(
    session: Session, joined: Joined, item: InviteListItem, shares: list[ShamirShare]
) -> Flow[None]:
    yield from tell(Ended(Activity.WAIT_CLAIMER))
    channel = yield from trust_as_greeter(joined)
    match item:
        case InviteListItemUser():
            yield from _greet_user(session, channel, item.claimer_email)
        case InviteListItemDevice():
            yield from _greet_device(session, channel)
        case InviteListItemShamirRecovery():
            yield from _greet_shamir_recovery(channel, shares)


def _greet_user(session: Session, channel: Channel, invited: EmailAddress) -> Flow[None]:
    wish = yield from _receive(channel, InviteUserData)
    yield from tell(NewDeviceLabel(wish.requested_device_label))
    yield from tell(NewUser(wish.requested_human_handle))
    if wish.requested_human_handle.email != invited:
        yield from tell(Notice(f"the invitation was for {invited}"))
    profile = yield from ask(ChooseProfile())
    yield from tell(Began(Activity.CREATE_USER))
    confirmation = yield from create_user(session.device, session.means, wish, profile)
    yield from channel.answer(confirmation)
    yield from tell(Ended(Activity.CREATE_USER))


def _greet_device(session: Session, channel: Channel) -> Flow[None]:
    wish = yield from _receive(channel, InviteDeviceData)
    yield from tell(NewDeviceLabel(wish.requested_device_label))
    yield from tell(Began(Activity.CREATE_DEVICE))
    device_id = DeviceID.generate(session.means.entropy)
    author = session.device
    yield from create_device(
        author,
        session.means,
        device_id=device_id,
        label=wish.requested_device_label,
        verify_key=wish.verify_key,
        purpose=DevicePurpose.STANDARD,
    )
    confirmation = InviteDeviceConfirmation(
        user_id=author.user_id,
        device_id=device_id,
        device_label=wish.requested_device_label,
        human_handle=author.human_handle,
        profile=author.initial_profile,
        private_key=author.private_key,
        user_realm_id=author.user_realm_id,
        user_realm_key=author.user_realm_key,
        root_verify_key=author.root_verify_key,
    )
    yield from channel.answer(confirmation)
    yield from tell(Ended(Activity.CREATE_DEVICE))


def _greet_shamir_recovery(channel: Channel, shares: list[ShamirShare]) -> Flow[None]:
    yield from channel.receive_first(InviteShamirRecoveryData)
    try:
        yield from channel.answer(InviteShamirRecoveryConfirmation(weighted_share=shares))
    except InvitationUsed:
        # These shares were the last that were missing, and the recovered device was quicker to
        # complete the invitation than we were to look again.
        return


def _receive(channel: Channel, kind: type[P]) -> Flow[P]:
    yield from tell(Began(Activity.WAIT_CLAIMER_INFORMATION))
    wish = yield from channel.receive_first(kind)
    yield from tell(Ended(Activity.WAIT_CLAIMER_INFORMATION))
    return wish


# --- The claimer ---


def retrieve_invitation(addr: InvitationAddr) -> Flow[InviteInfoReply]:
    """What the invitation is about."""
    yield from tell(Began(Activity.RETRIEVE_INVITATION))
    info = yield from call(addr, invite.InviteInfo())
    if info.type != addr.type.value:
        raise NotFound(
            f"The link is for a {_words(addr.type.value)} invitation, "
            f"but the server knows it as a {_words(info.type)} one",
            hint="ask for the link again",
        )
    yield from tell(Ended(Activity.RETRIEVE_INVITATION))
    return info


def _words(kind: str) -> str:
    return kind.lower().replace("_", " ")


def claim_user(addr: InvitationAddr, info: InviteInfoOkUser, means: Means) -> Flow[LocalDevice]:
    """Become a member, and keep the new device."""
    candidates = yield from _administrators(info)
    if len(candidates) == 1:
        yield from tell(GreeterIs(candidates[0].human_handle))
    yield from tell(Began(Activity.WAIT_GREETER_TO_START, None))
    won = yield from race(
        [join_as_claimer(ClaimerLine(addr, person.user_id), means) for person in candidates],
        means,
        undo=Joined.leave,
    )
    joined = won.result
    came = candidates[won.place].human_handle if len(candidates) > 1 else None
    device, chosen = yield from joined.guarded(_claim_user(addr, info, joined, came))
    yield from add_chosen_totp(device, chosen, means)
    return device


def _administrators(info: InviteInfoOkUser) -> Flow[list[Person]]:
    """Those who may greet: the one that was chosen, or all of them."""
    people = tuple(
        Person(administrator.user_id, administrator.human_handle)
        for administrator in info.administrators
    )
    if not people:
        raise GreeterUnavailable("Nobody can greet at the moment", hint="try again later")
    chosen: UserID | None = people[0].user_id
    if len(people) > 1:
        chosen = yield from ask(ChooseAdministrator(people))
    return [person for person in people if chosen in (None, person.user_id)]


def _claim_user(
    addr: InvitationAddr, info: InviteInfoOkUser, joined: Joined, came: HumanHandle | None
) -> Flow[tuple[LocalDevice, ChosenProtection]]:
    means = joined.means
    yield from tell(Ended(Activity.WAIT_GREETER_TO_START, None))
    if came is not None:
        yield from tell(GreeterIs(came))
    channel = yield from trust_as_claimer(joined)
    label = yield from ask(EnterDeviceLabel())
    handle = yield from ask(EnterHumanHandle(invited_as=info.claimer_email))
    chosen = yield from choose_protection(addr.server)
    private_key, signing_key = (
        PrivateKey.generate(means.entropy),
        SigningKey.generate(means.entropy),
    )
    wish = InviteUserData(
        requested_device_label=label,
        requested_human_handle=handle,
        public_key=private_key.public_key,
        verify_key=signing_key.verify_key,
    )
    confirmation = yield from _request(channel, wish, InviteUserConfirmation)
    device = first_device(
        server_url=addr.server,
        organization_id=addr.organization_id,
        root_verify_key=confirmation.root_verify_key,
        user_id=confirmation.user_id,
        device_id=confirmation.device_id,
        human_handle=confirmation.human_handle,
        device_label=confirmation.device_label,
        profile=confirmation.profile,
        signing_key=signing_key,
        private_key=private_key,
        entropy=means.entropy,
    )
    yield from keep(NewDevice(device, chosen.guard))
    yield from channel.acknowledge()
    return device, chosen


def claim_device(addr: InvitationAddr, info: InviteInfoOkDevice, means: Means) -> Flow[LocalDevice]:
    """Become a further device of a member, and keep it."""
    yield from tell(GreeterIs(info.claimer_human_handle))
    yield from tell(Began(Activity.WAIT_GREETER_TO_START, None))
    joined = yield from join_as_claimer(ClaimerLine(addr, info.claimer_user_id), means)
    device, chosen = yield from joined.guarded(_claim_device(addr, info, joined))
    yield from add_chosen_totp(device, chosen, means)
    return device


def _claim_device(
    addr: InvitationAddr, info: InviteInfoOkDevice, joined: Joined
) -> Flow[tuple[LocalDevice, ChosenProtection]]:
    means = joined.means
    yield from tell(Ended(Activity.WAIT_GREETER_TO_START, None))
    channel = yield from trust_as_claimer(joined)
    label = yield from ask(EnterDeviceLabel())
    chosen = yield from choose_protection(addr.server)
    signing_key = SigningKey.generate(means.entropy)
    wish = InviteDeviceData(requested_device_label=label, verify_key=signing_key.verify_key)
    confirmation = yield from _request(channel, wish, InviteDeviceConfirmation)
    if confirmation.user_id != info.claimer_user_id:
        raise GreetingFault(
            Reason.INCONSISTENT_PAYLOAD, "The greeter answered for another member than announced"
        )
    drawn = first_device(
        server_url=addr.server,
        organization_id=addr.organization_id,
        root_verify_key=confirmation.root_verify_key,
        user_id=confirmation.user_id,
        device_id=confirmation.device_id,
        human_handle=confirmation.human_handle,
        device_label=confirmation.device_label,
        profile=confirmation.profile,
        signing_key=signing_key,
        private_key=confirmation.private_key,
        entropy=means.entropy,
    )
    device = msgspec.structs.replace(
        drawn,
        user_realm_id=confirmation.user_realm_id,
        user_realm_key=confirmation.user_realm_key,
    )
    yield from keep(NewDevice(device, chosen.guard))
    yield from channel.acknowledge()
    return device, chosen


def _request(channel: Channel, wish: GreetingPayload, kind: type[P]) -> Flow[P]:
    yield from tell(Began(Activity.WAIT_GREETER))
    confirmation = yield from channel.send_first(wish, kind)
    yield from tell(Ended(Activity.WAIT_GREETER))
    return confirmation
