"""What a person sees and answers without a terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

from parsec.cli.console import Console, Look
from parsec.cli.errors import NoAnswer
from parsec.cli.parts import yellow
from parsec.client.failure import FlowError
from tests.support.shell import Printed, streams

PEOPLE = ["Alice <alice@example.com>", "Arnold <arnold@example.com>"]


@pytest.fixture
def console() -> Console:
    return Console(Look())


# --- Output ---


def test_data_and_messages_go_separate_ways(console: Console, captured: Printed) -> None:
    console.data("token: ", yellow("abc"))
    console.message("Found 1")

    assert (captured.out, captured.err) == ("token: abc\n", "Found 1\n")


def test_a_document_is_indented_by_two_and_an_event_is_one_line(
    console: Console, captured: Printed
) -> None:
    console.document({"b": [], "a": 1})
    console.event({"b": [], "a": 1})

    assert captured.out == '{\n  "b": [],\n  "a": 1\n}\n{"b": [], "a": 1}\n'


def test_an_error_may_have_a_hint(console: Console, captured: Printed) -> None:
    console.error("It broke", "mend it")
    console.error("It broke")

    assert captured.err == "Error: It broke\nhint: mend it\nError: It broke\n"


def test_colours_can_be_forced(captured: Printed) -> None:
    Console(Look(color="always")).error("No")

    assert captured.err == "\x1b[91mError:\x1b[39m No\n"


# --- Activities ---


@pytest.mark.parametrize("progress", ["plain", "spinner"])
def test_a_finished_activity_is_one_line_without_control_characters(
    captured: Printed, progress: str
) -> None:
    console = Console(Look(progress=progress))

    console.begin("Waiting for claimer")
    console.done("Waiting for claimer")

    assert captured.err == "✔ Waiting for claimer\n"


def test_an_unfinished_activity_is_not_told(console: Console, captured: Printed) -> None:
    console.begin("Waiting for claimer")
    console.error("No")

    assert captured.err == "Error: No\n"


def test_what_may_take_long_is_told_at_its_beginning(console: Console, captured: Printed) -> None:
    console.begin("Device already used by another process, waiting...", long=True)
    console.done("Device accessed")

    assert captured.err == (
        "Device already used by another process, waiting...\n✔ Device accessed\n"
    )


def test_quiet_tells_errors_and_headers_only(captured: Printed) -> None:
    console = Console(Look(progress="quiet"))

    console.begin("Recovering device", long=True)
    console.done("Recovering device")
    console.step("Creating shared recovery setup")
    console.message("Found 1 user(s):")

    assert captured.err == "Found 1 user(s):\n"


# --- Questions ---


@pytest.mark.parametrize("answer", ["2", " 2 ", PEOPLE[1]])
def test_an_item_is_chosen_by_its_number_or_text(console: Console, answer: str) -> None:
    with streams(f"{answer}\n".encode()) as captured:
        place = console.choose("Choose a person", PEOPLE, option="--recipient EMAIL")

    assert place == 1
    assert captured.err.splitlines() == [
        "Choose a person:",
        "  1  Alice <alice@example.com>",
        "  2  Arnold <arnold@example.com>",
        f"Number: {answer}",
        "Choose a person: Arnold <arnold@example.com>",
    ]


def test_a_wrong_number_is_asked_again(console: Console) -> None:
    with streams(b"0\n3\nx\n1\n") as captured:
        assert console.choose("Choose a person", PEOPLE, option="--recipient EMAIL") == 0

    assert captured.err.count("Not a number from 1 to 2") == 3


@pytest.mark.parametrize("answer", ["y", "YES", " yes "])
def test_yes_confirms(console: Console, answer: str) -> None:
    with streams(f"{answer}\n".encode()):
        assert console.confirm("Are you sure?", option="--force")


def test_no_declines_and_other_words_are_asked_again(console: Console) -> None:
    with streams(b"maybe\nn\n") as captured:
        assert not console.confirm("Are you sure?", option="--force")

    assert captured.err == ("Are you sure? [y/n] maybe\nAnswer y or n\nAre you sure? [y/n] n\n")


def test_an_invalid_line_is_explained_and_asked_again(console: Console) -> None:
    def read(text: str) -> int:
        if not text.isdigit():
            raise ValueError("Not a number")
        return int(text)

    with streams(b"two\r\n2\r\n") as captured:
        found = console.ask("Threshold", read, option="--threshold NUMBER")

    assert found == 2
    assert captured.err == "Threshold: two\nNot a number\nThreshold: 2\n"


def test_questions_take_their_lines_one_after_the_other(console: Console) -> None:
    with streams(b"1\nlaptop\ny\n"):
        answers = (
            console.choose("Choose", PEOPLE, option="--x"),
            console.ask("Label", str, option="--y"),
            console.confirm("Sure?", option="--z"),
            console.read_line(),
        )

    assert answers == (0, "laptop", True, None)


def test_where_nobody_answers_the_error_names_the_option(console: Console) -> None:
    with streams(), pytest.raises(NoAnswer, match='"Enter device label"') as caught:
        console.ask("Enter device label", str, option="--label LABEL")

    assert caught.value.hint == "give --label LABEL"


def test_standard_input_may_be_closed(
    console: Console, captured: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(NoAnswer):
        console.confirm("Are you sure?", option="--force")


def test_what_is_no_utf_8_is_an_error(console: Console) -> None:
    with streams(b"\xff\n"), pytest.raises(FlowError, match="not UTF-8"):
        console.read_line()


def test_an_answer_is_shown_safely_in_logs(console: Console) -> None:
    with streams(b"a\x1b[2J\n") as captured:
        console.ask("Enter name", str, option="--name NAME")

    assert captured.err == "Enter name: a\ufffd[2J\n"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-m", "parsec.cli.main", "help"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read()

    assert complaints == b""


_FULL = Path("/dev/full")


@pytest.mark.skipif(not _FULL.exists(), reason="there is no full device")
def test_output_that_cannot_be_written_is_an_error() -> None:
    with _FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "parsec.cli.main", "help"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (
        1,
        b"Error: Cannot go on: No space left on device\n",
    )


def test_standard_output_may_be_closed() -> None:
    command = ["/bin/sh", "-c", '"$0" -m parsec.cli.main help >&-', sys.executable]

    ended = subprocess.run(command, stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")
