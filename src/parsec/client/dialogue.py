"""What people are asked and told in a conversation: facts, never the wording."""

import enum
from dataclasses import dataclass, field

from parsec.client.protection import ChosenProtection
from parsec.client.step import News, Question
from parsec.crypto.sas import SASCode
from parsec.data.address import InvitationType
from parsec.data.advisory import Advisory, Decision
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, UserProfile


class Peer(enum.StrEnum):
    """The other side of a greeting."""

    CLAIMER = "claimer"
    GREETER = "greeter"


# --- Questions ---


@dataclass(frozen=True)
class ChooseSASCode(Question[SASCode | None]):
    """Which of these codes the peer reads aloud; None: none of them."""

    peer: Peer
    choices: tuple[SASCode, ...] = field(repr=False)


@dataclass(frozen=True)
class Person:
    """Somebody whom a claimer may contact."""

    user_id: UserID
    human_handle: HumanHandle
    shares: int = 0


@dataclass(frozen=True)
class ChooseAdministrator(Question[UserID | None]):
    """Which administrator greets a new user; None: whoever comes first."""

    administrators: tuple[Person, ...]


@dataclass(frozen=True)
class ChooseRecipient(Question[UserID]):
    """Which recipient of a shared recovery is contacted now."""

    recipients: tuple[Person, ...]


@dataclass(frozen=True)
class EnterDeviceLabel(Question[DeviceLabel]):
    """What the new device is called."""


@dataclass(frozen=True)
class EnterHumanHandle(Question[HumanHandle]):
    """Who the new user is."""

    invited_as: str


@dataclass(frozen=True)
class ChooseProfile(Question[UserProfile]):
    """What the new user may do."""


@dataclass(frozen=True)
class ChooseThreshold(Question[int]):
    """How many shares are needed to recover, from 1 to `highest`."""

    highest: int
    recipients: int


@dataclass(frozen=True)
class ConfirmSetup(Question[bool]):
    """Whether this shared recovery is wanted."""

    threshold: int
    shares: tuple[Person, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RetryOffline(Question[bool]):
    """Whether to try again, the server being out of reach."""


@dataclass(frozen=True)
class ChooseProtection(Question[ChosenProtection]):
    """How a device is protected from now on."""

    advisory: Advisory = field(default_factory=Advisory)


@dataclass(frozen=True)
class EnterOneTimePassword(Question[str]):
    """The code that the person's authenticator shows now."""


# --- News ---


class Activity(enum.StrEnum):
    """What takes a moment."""

    POLL_CERTIFICATES = "poll certificates"
    RETRIEVE_INVITATION = "retrieve invitation"
    WAIT_CLAIMER = "wait claimer"
    WAIT_CLAIMER_INFORMATION = "wait claimer information"
    WAIT_GREETER = "wait greeter"
    WAIT_GREETER_TO_START = "wait greeter to start"
    CREATE_USER = "create user"
    CREATE_DEVICE = "create device"
    CREATE_SETUP = "create setup"
    DELETE_SETUP = "delete setup"
    RECOVER_DEVICE = "recover device"
    BOOTSTRAP = "bootstrap"
    CREATE_INVITATION = "create invitation"
    LIST_INVITATIONS = "list invitations"
    CANCEL_INVITATION = "cancel invitation"
    REVOKE_USER = "revoke user"
    SAVE_DEVICE = "save device"


@dataclass(frozen=True)
class Began(News):
    """Something takes a moment from now on."""

    activity: Activity
    person: HumanHandle | None = None


@dataclass(frozen=True)
class Ended(News):
    """It is done."""

    activity: Activity
    person: HumanHandle | None = None


@dataclass(frozen=True)
class OwnCode(News):
    """The code to read aloud to the peer."""

    peer: Peer
    code: SASCode = field(repr=False)


@dataclass(frozen=True)
class GreeterIs(News):
    """Who greets."""

    human_handle: HumanHandle


@dataclass(frozen=True)
class GreetingIsAbout(News):
    """What is given to whom compares codes now: membership, the own account, or shares of one."""

    kind: InvitationType
    whose: str


@dataclass(frozen=True)
class NewDeviceLabel(News):
    """How the claimer calls the new device."""

    device_label: DeviceLabel


@dataclass(frozen=True)
class NewUser(News):
    """Who the claimer says to be."""

    human_handle: HumanHandle


@dataclass(frozen=True)
class SharesNeeded(News):
    """How far a recovery is."""

    threshold: int
    retrieved: int


@dataclass(frozen=True)
class SharesRejected(News):
    """The shares of these people do not fit the others and were dropped."""

    people: tuple[HumanHandle, ...]


@dataclass(frozen=True)
class ShareMissing(News):
    """One of the gathered shares is wrong, and it takes another recipient to tell which."""


@dataclass(frozen=True)
class RecipientUnavailable(News):
    """This recipient can no longer help."""

    human_handle: HumanHandle
    reason: str


@dataclass(frozen=True)
class TotpSecret(News):
    """What an authenticator needs to know, as bytes and as the address that a phone reads."""

    secret: bytes = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True)
class WrongOneTimePassword(News):
    """The code was not accepted; another one is asked for."""


@dataclass(frozen=True)
class Throttled(News):
    """After wrong codes the server listens again only then."""

    until: Instant


@dataclass(frozen=True)
class ProtectionAdvised(News):
    """The server recommends another protection than that of the device in use."""

    decision: Decision
    advisory: Advisory


@dataclass(frozen=True)
class Notice(News):
    """A warning that stops nothing."""

    text: str
