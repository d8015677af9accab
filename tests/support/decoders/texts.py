"""Targets: identifiers, names, codes, headers and options, as texts."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import click

from parsec.cli import values
from parsec.cli.codes import Codes
from parsec.cli.console import Console
from parsec.client.failure import AuthenticationFailed
from parsec.crypto.errors import PassphraseError
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.crypto.sas import SASCode, sas_choices
from parsec.crypto.totp import base32_secret, grouped_base32_secret, matches
from parsec.data.advisory import Protection
from parsec.data.ids import AccessToken, UserID
from parsec.data.instant import Instant
from parsec.data.peer_text import terminal_safe
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    HumanHandle,
    OrganizationID,
    ValidationCode,
)
from parsec.protocol.authentication import (
    MalformedTokenError,
    bearer_token,
    load_account_token,
    load_device_token,
    load_invitation_token,
)
from parsec.protocol.versions import ApiVersion
from parsec.server.http.rpc import check_authorization, check_organization_id, check_version
from parsec.server.rules.negotiation import preferred_language, wants_page
from parsec.server.rules.network import is_within
from parsec.server.rules.refusal import Rejected
from parsec.server.settings import Language
from tests.support.decoders import seeds
from tests.support.decoders.target import Form, Target, check_words, text_of

_READERS: Sequence[tuple[Callable[[str], Any], Callable[[Any], str]]] = (
    (UserID.parse, str),
    (UserID.parse, lambda found: str(found.hyphenated)),
    (AccessToken.parse, lambda found: str(found.hex())),
    (Instant.parse, str),
    (OrganizationID, str),
    (DeviceLabel, str),
    (EntryName, str),
    (EmailAddress, str),
    (ValidationCode, str),
    (Protection.parse, str),
    (ApiVersion.parse, str),
    (SASCode, str),
)


def check_names(data: bytes) -> None:
    """Whatever reads a text: what it writes is read as the same."""
    text = text_of(data)
    for read, write in _READERS:
        try:
            value = read(text)
        except ValueError:
            continue
        written = write(value)
        assert read(written) == value
        assert write(read(written)) == written
        # What was accepted travels.
        written.encode()


def check_people(data: bytes) -> None:
    """An address and a name, at the first line end apart."""
    email, _, label = text_of(data).partition("\n")
    try:
        handle = HumanHandle(EmailAddress(email), label)
    except ValueError:
        return
    again = HumanHandle.from_wire(handle.to_wire())
    assert (again, again.label) == (handle, handle.label)
    assert f"{handle.email.local_part}@{handle.email.domain}" == handle.email


def check_passphrases(data: bytes) -> None:
    """A recovery passphrase as typed."""
    try:
        key = parse_recovery_passphrase(text_of(data))
    except PassphraseError:
        return
    assert parse_recovery_passphrase(recovery_passphrase(key)) == key


def check_codes(data: bytes) -> None:
    """Short codes and one-time codes as typed."""
    text = text_of(data)
    try:
        code = SASCode(text)
    except ValueError:
        pass
    else:
        choices = sas_choices(code, 3, lambda size: (data * size)[:size])
        assert code in choices
        assert len(set(choices)) == 3
    secret = data[:20].ljust(20, b"\0")
    assert isinstance(matches(secret, text, int.from_bytes(data[:6], "big")), bool)
    assert grouped_base32_secret(secret).replace(" ", "") == base32_secret(secret)
    try:
        # The console is for asking, which a given code makes unnecessary.
        found = Codes(cast("Console", None), code=text).next()
    except AuthenticationFailed as error:
        check_words(error)
    else:
        assert len(found) == 6
        assert found.isascii()
        assert found.isdigit()


_OPTIONS = [option for option in vars(values).values() if isinstance(option, values.Value)]


def check_options(data: bytes) -> None:
    """Any option of the command line."""
    text = text_of(data)
    for option in _OPTIONS:
        try:
            option.convert(text, None, None)
        except click.UsageError:
            continue


def check_terminal(data: bytes) -> None:
    """Text of a peer on a terminal."""
    text = text_of(data)
    shown = terminal_safe(text, limit=50)
    assert shown.isprintable()
    assert len(shown) <= 50
    assert terminal_safe(shown, limit=50) == shown


def check_headers(data: bytes) -> None:
    """Headers of a request, all of this value."""
    text = data.decode("latin-1")
    headers = {b"authorization": data, b"api-version": data}
    tokens: Sequence[Callable[[str], Any]] = (
        load_device_token,
        load_account_token,
        load_invitation_token,
    )
    for load in tokens:
        with suppress(MalformedTokenError):
            load(bearer_token(text))
        with suppress(Rejected):
            check_authorization(headers, load)
    with suppress(Rejected):
        check_version(headers)
    with suppress(Rejected):
        check_organization_id(text)
    assert wants_page(text) in (True, False)
    assert preferred_language(text, default=Language.EN) in Language
    assert not is_within(text, ())


def _names() -> list[bytes]:
    ids = [
        text.encode("utf-8", "surrogatepass")
        for topic in ("wire-ids", "wire-scalars")
        for vector in seeds.document(topic).get("vectors", ())
        for text in vector.values()
        if isinstance(text, str) and len(text) < 300
    ]
    more = (b"2026-01-31T12:00:00.123Z", b"PASSWORD+TOTP", b"5.5", b"ABCD", b"ABCDEF", b"Org-1")
    return [*ids, *more, b"alice@example.com", bytes(16).hex().encode()]


def _people() -> list[bytes]:
    return [
        b"alice@example.com\nAlice",
        b'"a b"@example.com\nZo\xc3\xab',
        b"a(comment)@[127.0.0.1]\nX",
        b"a.b+c@example.co.uk\nO'Brien",
    ]


def _headers() -> list[bytes]:
    tokens = [
        b"Bearer " + vector["expected"]["token"].encode()
        for vector in seeds.document("server-auth-token")["tokens"]
    ]
    return [*tokens, b"Bearer " + b"0" * 32, b"5.5", b"text/html;q=0.9,*/*;q=0.1", b"fr-FR, en;q=0"]


TARGETS = (
    Target("names", Form.TEXT, check_names, _names),
    Target("people", Form.TEXT, check_people, _people),
    Target(
        "passphrases",
        Form.TEXT,
        check_passphrases,
        lambda: seeds.from_text("client-recovery-passphrase", "passphrase"),
    ),
    Target("codes", Form.TEXT, check_codes, lambda: [b"ABCD", b"123456", b"123 456", b"G2FA"]),
    Target(
        "options",
        Form.TEXT,
        check_options,
        lambda: [b"alice@example.com:3", b"10m", b"30d", b"none", b"https://example.com", b"255"],
    ),
    Target("terminal", Form.TEXT, check_terminal, _people),
    Target("headers", Form.TEXT, check_headers, _headers),
)
