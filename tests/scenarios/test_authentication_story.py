"""The second story of the mission through pseudo-terminals, on our own server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parsec.crypto.totp import base32_secret, grouped_base32_secret
from scripts import stories
from scripts.authenticator import Authenticator
from scripts.stage import Stage, Terminal, stage
from tests.support.pictures import modules_of, needs_scanner, scanned
from tests.support.smartcards import PIN, certificate, needs_softhsm, plugged_in, rsa_key


@pytest.fixture
def advising() -> Iterator[Stage]:
    """A server that recommends passwords with one-time codes, or smartcards."""
    with stage() as built:
        built.start_server(
            *("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}", "--log-level", "debug"),
            *stories.ADVISING,
        )
        yield built


def test_a_lost_authenticator_is_replaced(advising: Stage) -> None:
    alice, phone = advising.person("Alice"), Authenticator()
    stories.found_with_codes(advising, alice, phone)

    stories.log_in_with_code(alice, phone)
    stories.mistype_code(alice, phone)
    lost, phone = phone.secret, Authenticator()
    stories.replace_authenticator(advising, advising.person("Root"), alice, phone)
    stories.log_in_with_code(alice, phone)

    assert phone.secret != lost


@needs_scanner
def test_a_phone_reads_the_code_on_the_screen(advising: Stage, tmp_path: Path) -> None:
    alice, phone = advising.person("Alice"), Authenticator()
    stories.found_with_codes(advising, alice, phone)
    url = stories.reset_codes(advising, alice, alice)

    terminal = alice.run("totp", "reset", url)
    uri = terminal.expect(r"TOTP address: (\S+)\n")[1]
    terminal.press_control_c()
    screen = terminal.finish(130).split("\n")

    drawn = [line for line in screen if line.strip() and not line.strip(" ▀▄█")]
    width = max(map(len, drawn)) + 2
    modules = modules_of([line.ljust(width) for line in ("", *drawn, "")], drawn_is_dark=True)
    assert scanned(modules, tmp_path / "screen.png") == uri


@needs_softhsm
def test_a_smartcard_is_as_good(advising: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, carol, phone = advising.person("Alice"), advising.person("Carol"), Authenticator()
    stories.found_with_codes(advising, alice, phone)

    with plugged_in(monkeypatch) as reader:
        key = rsa_key("carol")
        reader.insert("Carol's card").add(certificate("Carol", key), key)
        carol.variables.update(reader.environment, PARSEC_PKCS11_MODULE=reader.module)
        stories.welcome_with_smartcard(alice, phone, carol, pin=PIN, card="Carol's card")


def test_no_secret_is_left_anywhere(advising: Stage, tmp_path: Path) -> None:
    """Not on screens that did not ask to show it, not in files, not in logs, not in tracebacks."""
    alice, phone = advising.person("Alice"), Authenticator()
    alice.password = "pl4nted-passw0rd"
    alice.variables.update(PARSEC_DEBUG="1", TMPDIR=str(tmp_path))
    stories.found_with_codes(advising, alice, phone)
    recovery = alice.home / "recovery.psrk"

    export = alice.run("device", "export-recovery-device", str(recovery))
    phone.enter_code(export)
    stories.unlock(export, alice)
    passphrase = export.expect(r"safe place: (\S+)")[1]
    export.finish()
    code = phone.code
    screens = [
        _failing(alice.run("user", "list", "--totp-code", phone.wrong_code), 4),
        _failing(_typed(alice.run("user", "list", "--totp-code", code), alice.password), 0),
        _failing(alice.run("user", "list", "--config-dir", "/nowhere"), 3),
        _failing(
            _typed(
                alice.run("device", "import-recovery-device", "-i", str(recovery), "-l", "x",
                          "--auth", "keyring", "--ignore-advisory"),
                passphrase,
                prompt="Enter passphrase for the recovery file:",
            ),
            1,
        ),
    ]  # fmt: skip
    assert advising.stop_server() == 0

    secrets = [
        alice.password.encode(),
        passphrase.encode(),
        passphrase.replace("-", "").encode(),
        phone.secret,
        phone.secret.hex().encode(),
        base32_secret(phone.secret).encode(),
        grouped_base32_secret(phone.secret).encode(),
    ]
    shown = "\n".join(screens).encode()
    assert [secret for secret in secrets if secret in shown] == []
    database = {advising.folder / f"parsec.sqlite{end}" for end in ("", "-wal", "-shm")}
    for folder in (advising.folder, tmp_path):
        for path in (found for found in folder.rglob("*") if found.is_file()):
            # The server has to know the secret of the codes; nobody else does.
            allowed = {phone.secret, phone.secret.hex().encode()} if path in database else set()
            content = path.read_bytes()
            assert [each for each in secrets if each in content and each not in allowed] == [], path


def _typed(
    terminal: Terminal, text: str, prompt: str = "Enter password for the device:"
) -> Terminal:
    terminal.see(prompt)
    terminal.type(text)
    return terminal


def _failing(terminal: Terminal, code: int) -> str:
    return terminal.finish(code)
