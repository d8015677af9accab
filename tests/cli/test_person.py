"""What flows ask and tell, at the command line."""

import json
from typing import Any

import pytest

from parsec.cli import person
from parsec.cli.codes import Codes
from parsec.cli.console import Console, Look
from parsec.cli.errors import NoAnswer
from parsec.cli.keyholders import Keyholders
from parsec.cli.keys import Keys, Wish
from parsec.cli.passwords import Passwords
from parsec.cli.person import Answers, TerminalPerson
from parsec.cli.protections import Protections
from parsec.client import dialogue
from parsec.client.dialogue import Activity, Began, Ended, Peer
from parsec.client.failure import NotFound
from parsec.client.step import News, Question
from parsec.crypto.sas import SASCode
from parsec.data.ids import UserID
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, UserProfile
from tests.support.shell import Printed, streams


def _somebody(name: str, shares: int = 1) -> dialogue.Person:
    handle = HumanHandle(EmailAddress(f"{name.lower()}@example.com"), name)
    return dialogue.Person(UserID(name.encode().ljust(16)), handle, shares)


ALICE, ARNOLD = _somebody("Alice"), _somebody("Arnold", 2)
CODES = (SASCode("C8UX"), SASCode("5CDY"), SASCode("2VWL"))


def _person(answers: Answers | None = None, *, json_format: bool = False) -> TerminalPerson:
    console = Console(Look(format="json" if json_format else "plain"))
    passwords = Passwords(console, from_stdin=True, environ={})
    protections = Protections(console, Keyholders(console, passwords, Keys()), Wish())
    return TerminalPerson(console, answers or Answers(), protections, Codes(console))


def _answer(question: Question[Any], stdin: str = "", **answers: Any) -> tuple[Any, str]:
    """The answer, and what was shown."""
    with streams(stdin.encode()) as captured:
        found = _person(Answers(**answers)).answer(question)
    return found, captured.err


def _kinds(base: type[Any]) -> set[type[Any]]:
    return {
        kind
        for kind in vars(dialogue).values()
        if isinstance(kind, type)
        and issubclass(kind, base)
        and kind.__module__ == dialogue.__name__
    }


def test_every_question_has_an_answer_and_every_news_is_shown() -> None:
    assert set(person._QUESTIONS) == _kinds(Question)
    assert set(person._NEWS) == _kinds(News)
    assert {*person._ACTIVITIES, Activity.WAIT_GREETER_TO_START} == set(Activity)


# --- Codes ---


def test_the_code_is_chosen_among_those_shown() -> None:
    found, shown = _answer(dialogue.ChooseSASCode(Peer.CLAIMER, CODES), "1\n")

    assert found == "C8UX"
    assert shown.splitlines()[-1] == "Select code provided by claimer: C8UX"


def test_no_code_may_be_the_right_one() -> None:
    found, shown = _answer(dialogue.ChooseSASCode(Peer.GREETER, CODES), "4\n")

    assert found is None
    assert shown.splitlines()[-1] == "Select code provided by greeter: None of them"


@pytest.mark.parametrize(("line", "code"), [("5CDY", "5CDY"), (" 5cdy ", "5CDY")])
def test_a_script_gives_the_code_as_a_line(line: str, code: str) -> None:
    found, shown = _answer(
        dialogue.ChooseSASCode(Peer.GREETER, CODES), f"{line}\n", sas_from_stdin=True
    )

    assert found == code
    assert shown == f"Select code provided by greeter: {line}\n"


@pytest.mark.parametrize("line", ["AAAA", "", "5CDYX", "1"])
def test_a_line_that_is_none_of_the_codes_is_a_wrong_one(line: str) -> None:
    found, _ = _answer(
        dialogue.ChooseSASCode(Peer.GREETER, CODES), f"{line}\n", sas_from_stdin=True
    )

    assert found is None


def test_the_end_of_input_is_no_code() -> None:
    with pytest.raises(NoAnswer, match=r"no answer to .Select code provided by greeter"):
        _answer(dialogue.ChooseSASCode(Peer.GREETER, CODES), sas_from_stdin=True)


def test_the_own_code_is_data(captured: Printed) -> None:
    _person().hear(dialogue.OwnCode(Peer.CLAIMER, CODES[1]))

    assert (captured.out, captured.err) == ("Code to provide to claimer: 5CDY\n", "")


def test_the_own_code_is_an_object_in_the_json_format(captured: Printed) -> None:
    _person(Answers(events=True), json_format=True).hear(dialogue.OwnCode(Peer.CLAIMER, CODES[1]))

    assert json.loads(captured.out) == {"event": "code", "peer": "claimer", "code": "5CDY"}
    assert captured.out.count("\n") == 1


# --- People ---


def test_a_recipient_is_chosen_from_the_list_of_the_seed() -> None:
    found, shown = _answer(dialogue.ChooseRecipient((ALICE, ARNOLD)), "2\n")

    assert found == ARNOLD.user_id
    assert "Alice <alice@example.com> - 1 share(s)" in shown
    assert shown.splitlines()[-1] == (
        "Choose a person to contact now: Arnold <arnold@example.com> - 2 share(s)"
    )


def test_recipients_given_by_options_are_contacted_in_their_order(captured: Printed) -> None:
    emails = [EmailAddress("arnold@example.com"), EmailAddress("alice@example.com")]
    asked = _person(Answers(recipients=emails))

    found = [
        asked.answer(dialogue.ChooseRecipient((ALICE, ARNOLD))),
        asked.answer(dialogue.ChooseRecipient((ALICE,))),
    ]

    assert found == [ARNOLD.user_id, ALICE.user_id]
    assert captured.err.splitlines()[0] == (
        "Choose a person to contact now: Arnold <arnold@example.com> - 2 share(s)"
    )


def test_when_the_options_are_used_up_the_next_recipient_is_asked_for() -> None:
    asked = _person(Answers(recipients=[EmailAddress("alice@example.com")]))
    with streams():
        asked.answer(dialogue.ChooseRecipient((ALICE, ARNOLD)))

    with streams(), pytest.raises(NoAnswer) as caught:
        asked.answer(dialogue.ChooseRecipient((ARNOLD,)))

    assert caught.value.hint == "give --recipient EMAIL"


def test_a_recipient_who_gave_in_an_earlier_run_is_passed_over() -> None:
    found, _ = _answer(
        dialogue.ChooseRecipient((ARNOLD,)),
        recipients=[EmailAddress("alice@example.com"), EmailAddress("arnold@example.com")],
    )

    assert found == ARNOLD.user_id


def test_somebody_who_is_no_recipient_is_refused() -> None:
    with pytest.raises(NotFound, match=r"zoe@example\.com is no recipient") as caught:
        _answer(dialogue.ChooseRecipient((ALICE,)), recipients=[EmailAddress("zoe@example.com")])

    assert caught.value.hint == "there are: Alice <alice@example.com>"


@pytest.mark.parametrize(
    ("greeter", "stdin", "chosen"),
    [
        ("arnold@example.com", "", ARNOLD.user_id),
        ("all", "", None),
        (None, "1\n", ALICE.user_id),
        (None, "3\n", None),
    ],
)
def test_an_administrator_is_chosen_or_whoever_comes_first(
    greeter: str | None, stdin: str, chosen: UserID | None
) -> None:
    found, _ = _answer(dialogue.ChooseAdministrator((ALICE, ARNOLD)), stdin, greeter=greeter)

    assert found == chosen


@pytest.mark.parametrize(
    ("greeter", "waiting"),
    [
        ("alice@example.com", "Waiting the greeter to start the invitation procedure"),
        ("all", "Waiting for an administrator to start the invitation procedure"),
    ],
)
def test_whom_a_new_member_waits_for(captured: Printed, greeter: str, waiting: str) -> None:
    asked = _person(Answers(greeter=greeter))

    asked.answer(dialogue.ChooseAdministrator((ALICE, ARNOLD)))
    asked.hear(Ended(Activity.WAIT_GREETER_TO_START))

    assert captured.err == f"✔ {waiting}\n"


# --- What else is asked ---


def test_a_new_member_says_who_it_is() -> None:
    found, shown = _answer(
        dialogue.EnterHumanHandle("bob@example.com"), "not an email\nbob@example.com\n<\nBob\n"
    )

    assert (found.email, found.label) == ("bob@example.com", "Bob")
    assert shown.splitlines()[-1] == "Enter name: Bob"


def test_options_say_it_too() -> None:
    found, shown = _answer(
        dialogue.EnterHumanHandle("bob@example.com"),
        email=EmailAddress("bob@example.org"),
        name="Bob",
    )

    assert (found.email, found.label, shown) == ("bob@example.org", "Bob", "")


def test_a_device_has_a_label() -> None:
    assert _answer(dialogue.EnterDeviceLabel(), "\nlaptop\n")[0] == "laptop"
    assert _answer(dialogue.EnterDeviceLabel(), device_label=DeviceLabel("pc"))[0] == "pc"


def test_profiles_are_listed_in_the_official_order() -> None:
    found, shown = _answer(dialogue.ChooseProfile(), "1\n")

    assert found is UserProfile.STANDARD
    assert shown.splitlines() == [
        "Which profile?:",
        "  1  STANDARD",
        "  2  ADMIN",
        "  3  OUTSIDER",
        "Number: 1",
        "Which profile?: STANDARD",
    ]


def test_the_threshold_is_asked_in_the_words_of_the_seed() -> None:
    found, shown = _answer(dialogue.ChooseThreshold(highest=2, recipients=2), "2\n")

    assert found == 2
    assert shown == (
        "Choose a threshold between 1 and 2\n"
        "The threshold is the minimum number of recipients that one must gather to recover the "
        "account: 2\n"
    )


def test_with_weights_the_threshold_counts_shares() -> None:
    _, shown = _answer(dialogue.ChooseThreshold(highest=5, recipients=2), "5\n")

    assert "between 1 and 5\n" in shown
    assert "minimum number of shares that" in shown


@pytest.mark.parametrize("line", ["0", "3", "-1", "x", "", "²"])
def test_a_threshold_out_of_bounds_is_asked_again(line: str) -> None:
    found, shown = _answer(dialogue.ChooseThreshold(highest=2, recipients=2), f"{line}\n1\n")

    assert found == 1
    assert "Not a number from 1 to 2" in shown


def test_a_setup_is_summed_up_before_it_is_confirmed() -> None:
    found, shown = _answer(dialogue.ConfirmSetup(2, (ALICE, ARNOLD)), "n\n")

    assert found is False
    assert shown.splitlines() == [
        "The following shared recovery setup will be created:",
        "• Threshold: 2",
        "• User Alice <alice@example.com> will have 1 share",
        "• User Arnold <arnold@example.com> will have 2 shares",
        "Do you want to proceed? [y/n] n",
    ]


def test_where_nobody_is_asked_an_offline_server_is_not_tried_again() -> None:
    assert _answer(dialogue.RetryOffline())[0] is False
    assert _answer(dialogue.RetryOffline(), "y\n")[0] is True


# --- What is told ---


@pytest.mark.parametrize(
    ("news", "shown"),
    [
        (Ended(Activity.POLL_CERTIFICATES), "✔ Poll server for new certificates"),
        (Ended(Activity.RETRIEVE_INVITATION), "✔ Retrieving invitation info"),
        (Ended(Activity.WAIT_CLAIMER), "✔ Waiting for claimer"),
        (Ended(Activity.WAIT_GREETER), "✔ Waiting for greeter"),
        (Ended(Activity.WAIT_CLAIMER_INFORMATION), "✔ Waiting for claimer information"),
        (
            Ended(Activity.WAIT_GREETER_TO_START, ARNOLD.human_handle),
            "✔ Waiting the greeter Arnold <arnold@example.com> to start the invitation procedure",
        ),
        (Ended(Activity.CREATE_USER), "✔ Creating the user in the server"),
        (Ended(Activity.CREATE_DEVICE), "✔ Creating the device in the server"),
        (Began(Activity.CREATE_SETUP), "... Creating shared recovery setup"),
        (Ended(Activity.CREATE_SETUP), "✔ Shared recovery setup has been created"),
        (Ended(Activity.DELETE_SETUP), "✔ Shared recovery setup has been deleted"),
        (Ended(Activity.RECOVER_DEVICE), "✔ Recovering device"),
        (
            dialogue.GreeterIs(ARNOLD.human_handle),
            "Invitation greeter: Arnold <arnold@example.com>",
        ),
        (dialogue.NewDeviceLabel(DeviceLabel("laptop2")), "New device label: [laptop2]"),
        (dialogue.NewUser(ALICE.human_handle), "New user: [Alice <alice@example.com>]"),
        (dialogue.SharesNeeded(2, 0), "2 shares needed for recovery"),
        (dialogue.SharesNeeded(1, 0), "1 share needed for recovery"),
        (
            dialogue.SharesNeeded(2, 1),
            "Out of 2 shares needed for recovery, 1 were retrieved.",
        ),
        (dialogue.Notice("all shares are needed"), "Warning: all shares are needed"),
        (
            dialogue.RecipientUnavailable(ALICE.human_handle, "revoked"),
            "Warning: Alice <alice@example.com> cannot help: revoked",
        ),
    ],
)
def test_news_are_told_in_the_words_of_the_seed(captured: Printed, news: News, shown: str) -> None:
    _person().hear(news)

    assert (captured.out, captured.err) == ("", f"{shown}\n")


def test_a_name_cannot_forge_a_line(captured: Printed) -> None:
    handle = HumanHandle(EmailAddress("eve@example.com"), "Eve\nCode to provide to claimer")

    _person().hear(dialogue.NewUser(handle))

    assert captured.err == "New user: [Eve Code to provide to claimer <eve@example.com>]\n"


def test_events_are_for_conversations_only(captured: Printed) -> None:
    _person(json_format=True).hear(dialogue.Notice("something"))

    assert (captured.out, captured.err) == ("", "Warning: something\n")
