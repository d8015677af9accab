"""Device files on a machine, protected by passwords that cost nothing to try."""

from pathlib import Path

import msgspec

from parsec.client.files import Directories, save_device_file
from parsec.client.protection import PasswordFields, ProtectionFields
from parsec.client.rules.device_file import protect
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.password import argon2id
from parsec.data.device_file import Argon2id
from parsec.data.ids import DeviceID, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle
from tests.support.lines import some_device

PASSWORD = "pässword"
CREATED_ON = Instant.parse("2026-01-02T03:04:05Z")

_CHEAP = Argon2id(memlimit_kb=8, opslimit=1, parallelism=1, salt=bytes(16))


def put_device(
    home: Path,
    hex_id: str,
    *,
    name: str = "Alice",
    label: str = "laptop",
    fields: ProtectionFields | None = None,
    totp: bool = False,
) -> LocalDevice:
    """A device on the machine whose home that is; its ID begins with these digits."""
    device = msgspec.structs.replace(
        some_device(),
        device_id=DeviceID.parse(hex_id.ljust(32, "0")),
        human_handle=HumanHandle(EmailAddress(f"{name.lower()}@example.com"), name),
        device_label=DeviceLabel(label),
    )
    file = protect(
        device,
        fields=fields or PasswordFields(_CHEAP),
        key=_key(),
        created_on=CREATED_ON,
        protected_on=CREATED_ON,
        totp=(TOTPOpaqueKeyID(bytes(16)), SecretKey(bytes(32))) if totp else None,
        entropy=system_entropy,
    )
    save_device_file(places(home), file)
    return device


def places(home: Path) -> Directories:
    """The folders of that machine."""
    return Directories(
        config=home / "config" / "parsec3" / "libparsec", data=home / "data" / "parsec3"
    )


def _key() -> SecretKey:
    return SecretKey(
        argon2id(
            PASSWORD,
            salt=_CHEAP.salt,
            opslimit=_CHEAP.opslimit,
            memlimit_kb=_CHEAP.memlimit_kb,
            parallelism=_CHEAP.parallelism,
        )
    )
