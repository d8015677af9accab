"""Whoever sits at the command line.

What flows ask becomes a prompt, unless an option has answered it already; what they tell becomes a
line, or an object in the JSON format.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from parsec.cli.codes import Codes
from parsec.cli.console import Console
from parsec.cli.errors import NoAnswer
from parsec.cli.parts import yellow
from parsec.cli.protections import Protections, recommended
from parsec.cli.values import read_device_label, read_email, read_human_label
from parsec.client import dialogue
from parsec.client.dialogue import Activity
from parsec.client.failure import NotFound
from parsec.client.protection import ChosenProtection
from parsec.client.step import News, Question
from parsec.crypto.sas import SASCode
from parsec.crypto.totp import base32_secret, grouped_base32_secret
from parsec.data.address import InvitationType, ServerAddr
from parsec.data.advisory import Decision
from parsec.data.ids import DeviceID, UserID
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile

T = TypeVar("T")

ALL_ADMINISTRATORS = "all"
_NONE_OF_THEM = "None of them"
_PROFILES = (UserProfile.STANDARD, UserProfile.ADMIN, UserProfile.OUTSIDER)


@dataclass
class Answers:
    """What options have answered already."""

    greeter: str | None = None
    """The e-mail of an administrator, or `all`."""
    recipients: list[EmailAddress] = field(default_factory=list)
    recipient_found: bool = False
    device_label: DeviceLabel | None = None
    email: EmailAddress | None = None
    name: str | None = None
    profile: UserProfile | None = None
    yes: bool = False
    sas_from_stdin: bool = False
    events: bool = False
    """Whether news are told as objects in the JSON format, one per line."""
    server: ServerAddr | None = None
    """The server of the device that is made, where one is made."""
    protection_prompt: str = "Enter password for the new device:"
    qr: bool = True
    """Whether the address for an authenticator is drawn, too."""


class TerminalPerson:
    """Answers by options first, then by asking."""

    def __init__(
        self, console: Console, answers: Answers, protections: Protections, codes: Codes
    ) -> None:
        self._console = console
        self._answers = answers
        self._protections = protections
        self._codes = codes
        self._waits_for_anybody = False
        self.shares_retrieved = 0
        """How many shares of a recovery there are so far."""
        self.acting_as: DeviceID | None = None
        """The device in use, where there are several on this machine."""

    def answer(self, question: Question[T]) -> T:
        """The answer to a question. Raises FlowError."""
        found = _QUESTIONS[type(question)](self, question)
        return cast("T", found)

    def hear(self, news: News) -> None:
        """Show it."""
        _NEWS[type(news)](self, news)

    # --- Questions ---

    def _sas_code(self, question: dialogue.ChooseSASCode) -> SASCode | None:
        prompt = f"Select code provided by {question.peer}"
        codes = question.choices
        if self._answers.sas_from_stdin:
            # Whatever is none of the codes is a wrong one: there is nobody to ask again.
            return self._console.ask(
                prompt,
                lambda heard: next((code for code in codes if code == heard.strip().upper()), None),
                option="the code that the peer reads aloud as a line of standard input",
            )
        place = self._console.choose(
            prompt, [*codes, _NONE_OF_THEM], option="--sas-stdin, and the code as a line"
        )
        return codes[place] if place < len(codes) else None

    def _administrator(self, question: dialogue.ChooseAdministrator) -> UserID | None:
        people = question.administrators
        given = self._answers.greeter
        if given is None:
            items = [*(str(person.human_handle) for person in people), "All administrators"]
            prompt = "Choose an administrator to contact now"
            place = self._console.choose(prompt, items, option="--greeter EMAIL or --greeter all")
            chosen = people[place].user_id if place < len(people) else None
        elif given == ALL_ADMINISTRATORS:
            chosen = None
        else:
            named = [person for person in people if person.human_handle.email == given]
            if not named:
                raise _nobody(people, given, "administrator who can greet")
            chosen = named[0].user_id
        self._waits_for_anybody = chosen is None
        return chosen

    def _recipient(self, question: dialogue.ChooseRecipient) -> UserID:
        people = question.recipients
        prompt = "Choose a person to contact now"
        items = [f"{person.human_handle} - {person.shares} share(s)" for person in people]
        for email in self._answers.recipients:
            # Whoever is not among the people has given the shares already, in an earlier run.
            for place, person in enumerate(people):
                if person.human_handle.email == email:
                    self._answers.recipients.remove(email)
                    self._answers.recipient_found = True
                    self._console.message(f"{prompt}: {items[place]}")
                    return person.user_id
        if self._answers.recipients and not self._answers.recipient_found:
            raise _nobody(people, self._answers.recipients[0], "recipient to contact")
        place = self._console.choose(prompt, items, option="--recipient EMAIL")
        return people[place].user_id

    def _device_label(self, _: dialogue.EnterDeviceLabel) -> DeviceLabel:
        if self._answers.device_label is not None:
            return self._answers.device_label
        label: DeviceLabel = self._console.ask(
            "Enter device label", read_device_label, option="--label LABEL"
        )
        return label

    def _human_handle(self, question: dialogue.EnterHumanHandle) -> HumanHandle:
        email = self._answers.email or self._console.ask(
            "Enter email", read_email, option=f"--email EMAIL (invited: {question.invited_as})"
        )
        name = self._answers.name or self._console.ask(
            "Enter name", read_human_label, option="--name NAME"
        )
        return HumanHandle(email, name)

    def _profile(self, _: dialogue.ChooseProfile) -> UserProfile:
        if self._answers.profile is not None:
            return self._answers.profile
        items = [profile.value for profile in _PROFILES]
        place = self._console.choose("Which profile?", items, option="--profile PROFILE")
        return _PROFILES[place]

    def _threshold(self, question: dialogue.ChooseThreshold) -> int:
        highest = question.highest
        counted = "recipients" if highest == question.recipients else "shares"

        def read(text: str) -> int:
            answer = text.strip()
            if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= highest:
                return int(answer)
            raise ValueError(f"Not a number from 1 to {highest}")

        return self._console.ask(
            f"Choose a threshold between 1 and {highest}\n"
            f"The threshold is the minimum number of {counted} that one must gather "
            "to recover the account",
            read,
            option="--threshold NUMBER",
        )

    def _confirm_setup(self, question: dialogue.ConfirmSetup) -> bool:
        self._console.message("The following shared recovery setup will be created:")
        self._console.message(f"• Threshold: {question.threshold}")
        for person in question.shares:
            self._console.message(
                f"• User {person.human_handle} will have {counted_shares(person.shares)}"
            )
        if self._answers.yes:
            return True
        return self._console.confirm("Do you want to proceed?", option="--yes")

    def _retry_offline(self, _: dialogue.RetryOffline) -> bool:
        try:
            return self._console.confirm(
                "Unable to join server, do you want to retry?", option="nothing"
            )
        except NoAnswer:
            return False  # that the server is out of reach says more

    def _protection(self, question: dialogue.ChooseProtection) -> ChosenProtection:
        return self._protections.choose(
            question.advisory, self._answers.server, self._answers.protection_prompt
        )

    def _one_time_password(self, _: dialogue.EnterOneTimePassword) -> str:
        return self._codes.next()

    # --- News ---

    def _began(self, news: dialogue.Began) -> None:
        if news.activity is Activity.CREATE_SETUP:
            self._console.step("Creating shared recovery setup")
        else:
            self._console.begin(self._words(news.activity, news.person))

    def _ended(self, news: dialogue.Ended) -> None:
        if news.activity in _TOLD_OTHERWISE:
            self._console.dismiss()
        else:
            done = _DONE.get(news.activity)
            self._console.done(done or self._words(news.activity, news.person))

    def _words(self, activity: Activity, person: HumanHandle | None) -> str:
        if activity is not Activity.WAIT_GREETER_TO_START:
            return _ACTIVITIES[activity]
        if self._waits_for_anybody:
            return "Waiting for an administrator to start the invitation procedure"
        who = "" if person is None else f" {person}"
        return f"Waiting the greeter{who} to start the invitation procedure"

    def _own_code(self, news: dialogue.OwnCode) -> None:
        if not self._event("code", peer=news.peer.value, code=str(news.code)):
            self._console.data(f"Code to provide to {news.peer}: ", yellow(news.code))

    def _greeter_is(self, news: dialogue.GreeterIs) -> None:
        self._event("greeter", human_handle=str(news.human_handle))
        self._console.message(f"Invitation greeter: {news.human_handle}")

    def _greeting_is_about(self, news: dialogue.GreetingIsAbout) -> None:
        self._event("greeting", invitation_type=_JSON_TYPES[news.kind], whose=news.whose)
        self._console.message(_GREETINGS[news.kind].format(whose=news.whose))

    def _new_device_label(self, news: dialogue.NewDeviceLabel) -> None:
        self._event("claimer_device", device_label=str(news.device_label))
        self._console.message(f"New device label: [{news.device_label}]")

    def _new_user(self, news: dialogue.NewUser) -> None:
        self._event("claimer", human_handle=str(news.human_handle))
        self._console.message(f"New user: [{news.human_handle}]")

    def _shares_needed(self, news: dialogue.SharesNeeded) -> None:
        threshold, retrieved = news.threshold, news.retrieved
        self.shares_retrieved = retrieved
        self._event("shares", threshold=threshold, retrieved=retrieved)
        self._console.message(
            f"Out of {threshold} shares needed for recovery, {retrieved} were retrieved."
            if retrieved
            else f"{counted_shares(threshold)} needed for recovery"
        )

    def _shares_rejected(self, news: dialogue.SharesRejected) -> None:
        names = [str(person) for person in news.people]
        self._event("shares_rejected", recipients=names)
        self._console.warning(
            f"The shares of {', '.join(names)} do not fit the others and were left out"
        )

    def _share_missing(self, _: dialogue.ShareMissing) -> None:
        self._event("share_wrong")
        self._console.warning(
            "One of the gathered shares is wrong; with those of one more recipient it can be told "
            "which"
        )

    def _recipient_unavailable(self, news: dialogue.RecipientUnavailable) -> None:
        self._event(
            "recipient_unavailable", human_handle=str(news.human_handle), reason=news.reason
        )
        self._console.abandon()
        self._console.warning(f"{news.human_handle} cannot help: {news.reason}")

    def _totp_secret(self, news: dialogue.TotpSecret) -> None:
        if self._console.is_json:
            # Also where a single document is the rest: nobody could confirm it without this.
            secret = base32_secret(news.secret)
            self._console.event({"event": "totp_secret", "secret": secret, "uri": news.uri})
            return
        self._console.message("Add this account to your authenticator app:")
        if self._answers.qr:
            from parsec.cli.qr import qr_lines, qr_modules

            modules = qr_modules(news.uri)
            self._console.picture(lambda colours: qr_lines(modules, colours=colours))
        self._console.data("TOTP secret: ", yellow(grouped_base32_secret(news.secret)))
        self._console.data("TOTP address: ", yellow(news.uri))
        self._console.message("Then enter the code that it shows")

    def _wrong_one_time_password(self, _: dialogue.WrongOneTimePassword) -> None:
        self._codes.reject()
        self._console.message("Wrong TOTP code")

    def _throttled(self, news: dialogue.Throttled) -> None:
        self._console.message(
            f"Waiting: after wrong codes the server listens at {news.until} again"
        )

    def _protection_advised(self, news: dialogue.ProtectionAdvised) -> None:
        device = "" if self.acting_as is None else f" --device {self.acting_as.hex()}"
        if news.decision is Decision.SET_UP_TOTP:
            command = f"totp setup{device}"
            text = "The server recommends a one-time code for this device"
        else:
            command = f"device change-authentication{device}"
            advised = recommended(news.advisory) or "what this version does not know"
            text = f"The server recommends to protect this device by {advised}"
        self._event("warning", text=text)
        self._console.warning(f"{text}: run `parsec-cli {command}`")

    def _notice(self, news: dialogue.Notice) -> None:
        self._event("warning", text=news.text)
        self._console.warning(news.text)

    def _event(self, kind: str, **fields: Any) -> bool:
        told = self._answers.events and self._console.is_json
        if told:
            self._console.event({"event": kind, **fields})
        return told


def counted_shares(number: int) -> str:
    """A number of shares in words."""
    return f"{number} share{'' if number == 1 else 's'}"


def _nobody(people: Sequence[dialogue.Person], email: str, what: str) -> NotFound:
    names = ", ".join(str(person.human_handle) for person in people)
    return NotFound(f"{email} is no {what}", hint=f"there are: {names}")


_ACTIVITIES: Mapping[Activity, str] = {
    Activity.POLL_CERTIFICATES: "Poll server for new certificates",
    Activity.RETRIEVE_INVITATION: "Retrieving invitation info",
    Activity.WAIT_CLAIMER: "Waiting for claimer",
    Activity.WAIT_CLAIMER_INFORMATION: "Waiting for claimer information",
    Activity.WAIT_GREETER: "Waiting for greeter",
    Activity.CREATE_USER: "Creating the user in the server",
    Activity.CREATE_DEVICE: "Creating the device in the server",
    Activity.CREATE_SETUP: "Creating shared recovery setup",
    Activity.DELETE_SETUP: "Deleting shared recovery setup",
    Activity.RECOVER_DEVICE: "Recovering device",
    Activity.BOOTSTRAP: "Bootstrapping organization in the server",
    Activity.CREATE_INVITATION: "Creating invitation",
    Activity.LIST_INVITATIONS: "Listing invitations",
    Activity.CANCEL_INVITATION: "Deleting invitation",
    Activity.REVOKE_USER: "Revoking user",
    Activity.SAVE_DEVICE: "Saving device",
}

_GREETINGS: Mapping[InvitationType, str] = {
    InvitationType.USER: "Whoever compares codes with you becomes a member (invited: {whose})",
    InvitationType.DEVICE: "Whoever compares codes with you gets the account of {whose}",
    InvitationType.SHAMIR_RECOVERY: "Whoever compares codes with you gets your share of the "
    "account of {whose}",
}

_JSON_TYPES: Mapping[InvitationType, str] = {
    InvitationType.USER: "user",
    InvitationType.DEVICE: "device",
    InvitationType.SHAMIR_RECOVERY: "shamir",
}
"""As in `invite list`."""

_DONE: Mapping[Activity, str] = {
    Activity.CREATE_SETUP: "Shared recovery setup has been created",
    Activity.DELETE_SETUP: "Shared recovery setup has been deleted",
}
"""What is said at the end where it differs from what is said meanwhile."""

_TOLD_OTHERWISE = frozenset({Activity.BOOTSTRAP, Activity.REVOKE_USER})

_Handler = Callable[[TerminalPerson, Any], Any]

_QUESTIONS: Mapping[type[Question[Any]], _Handler] = {
    dialogue.ChooseSASCode: TerminalPerson._sas_code,
    dialogue.ChooseAdministrator: TerminalPerson._administrator,
    dialogue.ChooseRecipient: TerminalPerson._recipient,
    dialogue.EnterDeviceLabel: TerminalPerson._device_label,
    dialogue.EnterHumanHandle: TerminalPerson._human_handle,
    dialogue.ChooseProfile: TerminalPerson._profile,
    dialogue.ChooseThreshold: TerminalPerson._threshold,
    dialogue.ConfirmSetup: TerminalPerson._confirm_setup,
    dialogue.RetryOffline: TerminalPerson._retry_offline,
    dialogue.ChooseProtection: TerminalPerson._protection,
    dialogue.EnterOneTimePassword: TerminalPerson._one_time_password,
}

_NEWS: Mapping[type[News], _Handler] = {
    dialogue.Began: TerminalPerson._began,
    dialogue.Ended: TerminalPerson._ended,
    dialogue.OwnCode: TerminalPerson._own_code,
    dialogue.GreeterIs: TerminalPerson._greeter_is,
    dialogue.GreetingIsAbout: TerminalPerson._greeting_is_about,
    dialogue.NewDeviceLabel: TerminalPerson._new_device_label,
    dialogue.NewUser: TerminalPerson._new_user,
    dialogue.SharesNeeded: TerminalPerson._shares_needed,
    dialogue.SharesRejected: TerminalPerson._shares_rejected,
    dialogue.ShareMissing: TerminalPerson._share_missing,
    dialogue.RecipientUnavailable: TerminalPerson._recipient_unavailable,
    dialogue.TotpSecret: TerminalPerson._totp_secret,
    dialogue.WrongOneTimePassword: TerminalPerson._wrong_one_time_password,
    dialogue.Throttled: TerminalPerson._throttled,
    dialogue.ProtectionAdvised: TerminalPerson._protection_advised,
    dialogue.Notice: TerminalPerson._notice,
}
