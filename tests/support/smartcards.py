"""Smartcards made of SoftHSM tokens, in a folder of their own, and certificates to put on them."""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_FOLDERS = (
    *sorted(Path("/usr/lib").glob("*-linux-*/softhsm")),
    Path("/usr/lib/softhsm"),
    Path("/usr/lib64/pkcs11"),
    Path("/usr/local/lib/softhsm"),
    Path("/opt/homebrew/lib/softhsm"),
)
_MODULES = [
    str(folder / "libsofthsm2.so") for folder in _FOLDERS if (folder / "libsofthsm2.so").exists()
]

needs_softhsm = pytest.mark.skipif(
    not _MODULES or shutil.which("softhsm2-util") is None,
    reason="no SoftHSM: run scripts/install-counterparts.sh",
)

PIN = "314159"
START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2040, 1, 1, tzinfo=UTC)

# SoftHSM's file of a token: numbers of 8 bytes; an attribute is its name, its kind and its value.
_TOKEN_FLAGS = bytes.fromhex("000000008000534b0000000000000002")

_SERIALS = itertools.count(1000)


@cache
def rsa_key(name: str = "alice", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key by its name; making one takes long."""
    return rsa.generate_private_key(65537, bits)


def usage(*, wrap: bool = False, sign: bool = False) -> x509.KeyUsage:
    """What a certificate allows its key to be used for."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=wrap,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def certificate(
    name: str = "Alice",
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None,
    *extensions: x509.ExtensionType,
    start: datetime = START,
    end: datetime = END,
) -> x509.Certificate:
    """A certificate that vouches for itself."""
    key = key or rsa_key()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, f"{name.lower()}@example.com"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(next(_SERIALS))
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


@dataclass(frozen=True)
class CardReader:
    """Where cards are put in; one at a time for a process."""

    folder: Path
    module: str = field(default_factory=lambda: _MODULES[0])

    @property
    def environment(self) -> dict[str, str]:
        """What leads a process to it."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def plug_in(self) -> None:
        """Make it a reader without cards."""
        (self.folder / "tokens").mkdir()
        (self.folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {self.folder / 'tokens'}\n"
            "objectstore.backend = file\nlog.level = ERROR\n"
        )

    def insert(self, label: str = "card", pin: str = PIN) -> "Card":
        """A new card."""
        before = set(self._cards())
        pins = ("--so-pin", "12345678", "--pin", pin)
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, *pins],
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (made,) = set(self._cards()) - before
        return Card(self, made, label, pin)

    def _cards(self) -> list[Path]:
        return list((self.folder / "tokens").iterdir())


@dataclass(frozen=True)
class Card:
    """A card in its reader."""

    reader: CardReader
    folder: Path
    label: str
    pin: str

    def add(
        self,
        added: x509.Certificate,
        key: rsa.RSAPrivateKey | None = None,
        *,
        label: str = "certificate",
        id: bytes = b"\x01",  # noqa: A002
        **attributes: Any,
    ) -> None:
        """Put a certificate on the card, and a key where one is given."""
        import pkcs11
        from pkcs11.util.rsa import decode_rsa_private_key
        from pkcs11.util.x509 import decode_x509_certificate

        common = {pkcs11.Attribute.TOKEN: True, pkcs11.Attribute.ID: id}
        library = pkcs11.lib(self.reader.module)
        try:
            token = library.get_token(token_label=self.label)
            with token.open(rw=True, user_pin=self.pin) as session:
                der = added.public_bytes(serialization.Encoding.DER)
                session.create_object(
                    {
                        **decode_x509_certificate(der),
                        **common,
                        pkcs11.Attribute.LABEL: label,
                        pkcs11.Attribute.PRIVATE: False,
                    }
                )
                if key is not None:
                    session.create_object(
                        {
                            **decode_rsa_private_key(_pkcs1(key)),
                            **common,
                            pkcs11.Attribute.PRIVATE: True,
                            pkcs11.Attribute.SENSITIVE: True,
                            **{pkcs11.Attribute[name]: value for name, value in attributes.items()},
                        }
                    )
        finally:
            library.finalize()

    def take_out(self) -> None:
        """The card is gone from its reader."""
        self.folder.rename(self._pocket)

    def put_back(self) -> None:
        """The card is in its reader again."""
        self._pocket.rename(self.folder)

    def set_flag(self, flag: int) -> None:
        """What a real card says after wrong PINs, which SoftHSM does not count."""
        file = self.folder / "token.object"
        content = file.read_bytes()
        start = content.index(_TOKEN_FLAGS) + len(_TOKEN_FLAGS)
        flags = int.from_bytes(content[start : start + 8], "big") | flag
        file.write_bytes(content[:start] + flags.to_bytes(8, "big") + content[start + 8 :])

    @property
    def _pocket(self) -> Path:
        return self.reader.folder / f"pocket-{self.folder.name}"


@contextlib.contextmanager
def card_reader() -> Iterator[CardReader]:
    """A reader without cards; its `environment` leads to it."""
    # SoftHSM writes each attribute of its own: where there is a folder in memory, that is faster.
    fast = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None) as folder:
        reader = CardReader(Path(folder))
        reader.plug_in()
        yield reader


@contextlib.contextmanager
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[CardReader]:
    """A reader without cards, for this process."""
    with card_reader() as reader:
        for name, value in reader.environment.items():
            monkeypatch.setenv(name, value)
        yield reader


def _pkcs1(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
