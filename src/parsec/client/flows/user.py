"""Users: their certificates, creation and revocation."""

from parsec.client.dialogue import Activity, Began, Ended
from parsec.client.failure import Conflict, NotFound, Refused
from parsec.client.flows.certificate import Session, poll_certificates, poll_quietly, upload
from parsec.client.flows.device import SignedPair, device_certificates
from parsec.client.step import Flow, Means, tell
from parsec.crypto.keys import PublicKey, SigningKey
from parsec.data.certificates import DevicePurpose, RevokedUserCertificate, UserCertificate
from parsec.data.greeting import InviteUserConfirmation, InviteUserData
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import EmailAddress, HumanHandle, UserProfile
from parsec.protocol import statuses
from parsec.protocol.user import UserCreate, UserRevoke


def create_user(
    author: LocalDevice, means: Means, wish: InviteUserData, profile: UserProfile
) -> Flow[InviteUserConfirmation]:
    """Make the claimer a user with a first device; the ids are new at each attempt."""
    made: InviteUserConfirmation

    def request(timestamp: Instant) -> UserCreate:
        nonlocal made
        made = InviteUserConfirmation(
            user_id=UserID.generate(means.entropy),
            device_id=DeviceID.generate(means.entropy),
            device_label=wish.requested_device_label,
            human_handle=wish.requested_human_handle,
            profile=profile,
            root_verify_key=author.root_verify_key,
        )
        user = user_certificates(
            author=author.device_id,
            key=author.signing_key,
            timestamp=timestamp,
            user_id=made.user_id,
            human_handle=made.human_handle,
            public_key=wish.public_key,
            profile=profile,
        )
        device = device_certificates(
            author=author.device_id,
            key=author.signing_key,
            timestamp=timestamp,
            user_id=made.user_id,
            device_id=made.device_id,
            label=made.device_label,
            verify_key=wish.verify_key,
            purpose=DevicePurpose.STANDARD,
        )
        return UserCreate(
            user_certificate=user.full,
            device_certificate=device.full,
            redacted_user_certificate=user.redacted,
            redacted_device_certificate=device.redacted,
        )

    reply = yield from upload(author, means, request)
    match reply:
        case statuses.Ok():
            return made
        case statuses.HumanHandleAlreadyTaken():
            raise Conflict(
                f"A member with the email {wish.requested_human_handle.email} exists already",
                hint="if that is what an interrupted greeting left (the new member has no device), "
                f"run parsec-cli user revoke {wish.requested_human_handle.email}, and invite "
                "again; else the new one takes another email",
            )
        case statuses.ActiveUsersLimitReached():
            raise Refused("The organization has as many members as it may have")
        case statuses.AuthorNotAllowed():
            raise Refused("Only administrators may add members")
        case _:
            raise Refused("Server refused to create the user")


def user_certificates(
    *,
    author: DeviceID | None,
    key: SigningKey,
    timestamp: Instant,
    user_id: UserID,
    human_handle: HumanHandle,
    public_key: PublicKey,
    profile: UserProfile,
) -> SignedPair:
    """The certificate of a user in both versions; without author the key is the root key."""
    full, redacted = (
        UserCertificate(
            author=author,
            timestamp=timestamp,
            user_id=user_id,
            human_handle=shown,
            public_key=public_key,
            profile=profile,
        ).sign(key)
        for shown in (human_handle, None)
    )
    return SignedPair(full, redacted)


def revoke_user(session: Session, email: EmailAddress) -> Flow[None]:
    """Revoke the member with that email; a member who is revoked already is not an error."""
    yield from poll_certificates(session)
    target = session.ledger.active_user_by_email(email)
    if target is None:
        raise NotFound("User not found")
    if target.user_id == session.device.user_id:
        raise Refused("Nobody can revoke themselves", hint="another administrator has to do it")
    author = session.device

    def request(timestamp: Instant) -> UserRevoke:
        certificate = RevokedUserCertificate(
            author=author.device_id, timestamp=timestamp, user_id=target.user_id
        )
        return UserRevoke(revoked_user_certificate=certificate.sign(author.signing_key))

    yield from tell(Began(Activity.REVOKE_USER))
    reply = yield from upload(author, session.means, request)
    match reply:
        case statuses.Ok() | statuses.UserAlreadyRevoked():
            pass
        case statuses.AuthorNotAllowed():
            raise Refused("Only administrators may revoke members")
        case statuses.UserNotFound():
            raise NotFound("User not found")
        case _:
            raise Refused("Server refused to revoke the user")
    yield from poll_quietly(session)
    yield from tell(Ended(Activity.REVOKE_USER))
