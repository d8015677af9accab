"""Texts of identifiers, names, people and dates: the same ones are valid for both sides."""

import itertools
import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from parsec.data.ids import (
    AccessToken,
    AccountAuthMethodID,
    AsyncEnrollmentID,
    BlockID,
    ChunkID,
    DeviceID,
    GreetingAttemptID,
    Id,
    PKIEnrollmentID,
    SequesterServiceID,
    TOTPOpaqueKeyID,
    UserID,
    VlobID,
)
from parsec.data.instant import Instant
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    HumanHandle,
    OrganizationID,
    Text,
    ValidationCode,
)
from parsec.protocol.versions import ApiVersion
from tests.interop.examples import INSTANTS
from tests.interop.peer import Official
from tests.interop.pictures import Picture, picture

SEED = 1
NAME_PARTS = (
    *("a", "Z", "0", "_", "-", ".", "..", "/", "\\", "\0", "\n", "\r", "\t", " ", "\x7f", "\x85"),
    *(
        "\xa0",
        "é",
        "e\u0301",
        "\u0301",
        "\u0344",
        "\u0958",
        "\u212b",
        "\u1e9b\u0323",
        "\ufb01",
        "ß",
    ),
    *(
        "\u1100\u1161",
        "\uac00",
        "\u200b",
        "\u200d",
        "\u202e",
        "\ufeff",
        "\u2019",
        "²",
        "①",
        "½",
        "·",
    ),
    *("\U0001d15e", "\U0001f511", "\ud800", "@", ",", ":", ";", "<", ">", '"', "[", "]", "(", ")"),
    *("a" * 31, "é" * 15, "e\u0301" * 16, "a" * 252, "A234BC", "I", "O", "1"),
)
# Lengths count in bytes of the composed form.
LENGTHS = [
    letter * count
    for letter in ("a", "é", "e\u0301", "\u1e9b\u0323", "\U0001f511")
    for count in (*range(7, 34), *range(62, 66), *range(126, 129), *range(252, 258))
]
EMAIL_PARTS = (
    *(
        "a",
        "b",
        "1",
        "+",
        ".",
        "..",
        "-",
        "--",
        "_",
        "!",
        "@",
        "@",
        "@",
        " ",
        "\t",
        "\r\n ",
        "\r\n",
    ),
    *(
        "\n",
        "(c)",
        "(",
        ")",
        "\\",
        "\\a",
        '"',
        '"q"',
        '"q q"',
        "[",
        "]",
        "[1]",
        "\x01",
        "\x7f",
        "\0",
    ),
    *("é", "<", ">", ",", ":", ";", "redacted.invalid", "REDACTED.invalid", "x" * 300),
)


def _mixtures(parts: tuple[str, ...], longest: int, count: int) -> list[str]:
    chance = random.Random(SEED)
    return ["".join(chance.choices(parts, k=chance.randint(0, longest))) for _ in range(count)]


@pytest.mark.parametrize("kind", [OrganizationID, DeviceLabel, EntryName, ValidationCode])
def test_names_are_accepted_and_normalized_as_by_the_official_types(
    official_types: Official, kind: type[Text]
) -> None:
    texts = [*NAME_PARTS, *LENGTHS, *_mixtures(NAME_PARTS, 6, 20_000)]

    answers = official_types.answers(("load_text", kind.__name__, text) for text in texts)

    ours = [_verdict(kind, text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert not _differences(texts, ours, theirs)


def test_every_character_is_a_word_character_for_both_or_none(official_types: Official) -> None:
    # Unassigned and private characters wait for other versions of Unicode than Python's.
    texts = [
        character
        for character in map(chr, range(0x110000))
        if unicodedata.category(character) not in ("Cn", "Co", "Cs")
    ]

    answers = official_types.answers(("load_text", "OrganizationID", text) for text in texts)

    ours = [_verdict(OrganizationID, text) is not None for text in texts]
    assert not _differences(texts, ours, [answer.accepted for answer in answers])


def test_email_addresses_are_accepted_as_by_the_official_types(official_types: Official) -> None:
    texts = [*EMAIL_PARTS, *_mixtures(EMAIL_PARTS, 9, 60_000)]

    answers = official_types.answers(("load_text", "EmailAddress", text) for text in texts)

    ours = [_verdict(EmailAddress, text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert not _differences(texts, ours, theirs)


def test_people_are_called_what_the_official_types_let_them_be_called(
    official_types: Official,
) -> None:
    texts = [*NAME_PARTS, *LENGTHS, *_mixtures(NAME_PARTS, 6, 20_000)]

    answers = official_types.answers(("load_handle", "a@b.c", text) for text in texts)

    ours = [_verdict(_handle, text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert not _differences(texts, ours, theirs)


IDS = (
    *(AccountAuthMethodID, AsyncEnrollmentID, BlockID, ChunkID, DeviceID, GreetingAttemptID),
    *(PKIEnrollmentID, SequesterServiceID, TOTPOpaqueKeyID, UserID, VlobID, AccessToken),
)
ID_TEXTS = (
    "00112233445566778899aabbccddeeff",
    "00112233-4455-6677-8899-AABBCCDDEEFF",
    "{00112233-4455-6677-8899-aabbccddeeff}",
    "urn:uuid:00112233-4455-6677-8899-aabbccddeeff",
)
ID_NASTY = (
    "",
    "-",
    "--",
    "0",
    "g",
    "A",
    "{",
    "}",
    " ",
    "\n",
    "\0",
    "é",
    "urn:uuid:",
    "+",
    "_",
    "٣",
)


@pytest.mark.parametrize("kind", IDS)
def test_texts_of_identifiers_are_read_as_by_the_official_types(
    official_types: Official, kind: type[Id | AccessToken]
) -> None:
    texts = list(_spoiled(ID_TEXTS, ID_NASTY))

    answers = official_types.answers(("load_id", kind.__name__, text) for text in texts)

    ours = [_verdict(kind.parse, text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert not _differences(texts, ours, theirs)


@pytest.mark.parametrize("kind", IDS)
def test_identifiers_are_written_as_by_the_official_types(
    official_types: Official, kind: type[Id | AccessToken]
) -> None:
    value = kind(bytes(range(0xF0, 0x100)))

    official = official_types.ask("id_texts", picture(value))

    assert official == (value.hex(), value.hyphenated if isinstance(value, Id) else None)


DATE_TEXTS = (
    "2000-01-31T23:59:59.123456Z",
    "2000-02-29t00:00:00+23:59",
    "1900-02-28T12:30:00-12:00",
    "+10000-01-01 00:00:00.1z",
    "-0001-12-31T00:00:00-00:00",
    "+262142-12-31T23:59:59.999999Z",
    "-262143-01-01T00:00:00Z",
)
DATE_NASTY = ("", "0", "9", "-", "+", ".", "T", " ", "Z", ":", "\u2212", "٣", "30", "é", ",", "\n")


def test_every_date_that_we_read_is_the_same_to_the_official_types(
    official_types: Official,
) -> None:
    """They also take spaces anywhere, numbers of one digit and a second 60, which we refuse."""
    texts = list(_spoiled(DATE_TEXTS, DATE_NASTY))

    answers = official_types.answers(("load_date", text) for text in texts)

    ours = [_verdict(Instant.parse, text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    read = [index for index, value in enumerate(ours) if value is not None]
    assert len(read) > len(DATE_TEXTS)
    assert [ours[index] for index in read] == [theirs[index] for index in read]


def test_dates_are_written_as_by_the_official_types(official_types: Official) -> None:
    chance = random.Random(SEED)
    microseconds = [*INSTANTS, *(chance.randint(min(INSTANTS), max(INSTANTS)) for _ in range(2000))]
    microseconds += [value // 1000 * 1000 for value in microseconds[8:]]
    microseconds += [value // 1_000_000 * 1_000_000 for value in microseconds[8:]]

    answers = official_types.answers(("date_text", value) for value in microseconds)

    assert [answer.value for answer in answers] == [
        Instant(value).rfc3339 for value in microseconds
    ]


def test_versions_of_the_api_are_read_as_by_the_official_types(official_types: Official) -> None:
    nasty = ("", "0", "5", "+", "-", ".", " ", "\n", "٣", "4294967295", "4294967296", "e", "_")
    texts = list(_spoiled(("5.5", "+05.06", "0.0"), nasty))

    answers = official_types.answers(("load_version", text) for text in texts)

    ours = [_read_version(text) for text in texts]
    theirs = [answer.outcome if answer.accepted else None for answer in answers]
    assert not _differences(texts, ours, theirs)


def _spoiled(texts: Iterable[str], nasty: Iterable[str]) -> Iterator[str]:
    """The texts with each nasty one put before each character, and in its place."""
    for text in texts:
        for at, put in itertools.product(range(len(text) + 1), nasty):
            yield text[:at] + put + text[at:]
            yield text[:at] + put + text[at + 1 :]


def _handle(label: str) -> HumanHandle:
    return HumanHandle(EmailAddress("a@b.c"), label)


def _verdict(parse: Callable[[str], object], text: str) -> Picture:
    try:
        return picture(parse(text))
    except ValueError:
        return None


def _read_version(text: str) -> tuple[int, int] | None:
    try:
        version = ApiVersion.parse(text)
    except ValueError:
        return None
    return version.version, version.revision


def _differences(texts: list[str], ours: list[Any], theirs: list[Any]) -> list[tuple[Any, ...]]:
    """The texts of which the two sides think otherwise."""
    return [each for each in zip(texts, ours, theirs, strict=True) if each[1] != each[2]]
