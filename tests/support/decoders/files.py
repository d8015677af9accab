"""Targets: what a client finds on its own disk, which somebody else may have written."""

import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from parsec.client.failure import AuthenticationFailed
from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import (
    CorruptedDevice,
    open_device,
    protect,
    totp_opaque_key_id,
)
from parsec.client.storage import CertificateStore, DamagedCertificates
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import load_device_file
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.wire.msgpack import dump
from tests.support.decoders import seeds
from tests.support.decoders.containers import KEY
from tests.support.decoders.target import Form, Target, check_words, read_again
from tests.support.lines import some_device


def check_device_files(content: bytes) -> None:
    """A device file of any kind, of today or of the first days."""
    file: Any = read_again(load_device_file, lambda found: found.dump(), content)
    if file is None:
        return
    assert file.PROTECTION
    _ = totp_opaque_key_id(file), file.server_url.url, str(file.human_handle)
    try:
        open_device(file, key=KEY, totp_key=KEY)
    except (AuthenticationFailed, CorruptedDevice) as error:
        check_words(error)


def check_devices(content: bytes) -> None:
    """The device inside of a file."""
    read_again(LocalDevice.load, LocalDevice.dump, content)
    try:
        device = open_device(_file_around(content), key=KEY)
    except CorruptedDevice as error:
        check_words(error)
    else:
        again = _protected(device)
        assert open_device(again, key=KEY) == device
        assert load_device_file(again.dump()) == again


def _file_around(content: bytes) -> Any:
    return msgspec.structs.replace(
        _protected(some_device()), ciphertext=KEY.encrypt(content, bytes)
    )


def _protected(device: LocalDevice) -> Any:
    return protect(
        device,
        fields=RecoveryFields(),
        key=KEY,
        created_on=Instant(0),
        protected_on=Instant(0),
        totp=None,
        entropy=bytes,
    )


@cache
def _store() -> tuple[sqlite3.Connection, CertificateStore]:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE batches (position INTEGER PRIMARY KEY, ciphertext)")
    return connection, CertificateStore(Path("certificates"), connection, SecretKey(bytes(32)))


def check_stored_certificates(content: bytes) -> None:
    """A batch of certificates that claims to be ours."""
    connection, store = _store()
    for ciphertext in (KEY.encrypt(content, bytes), content, content.decode("latin-1")):
        connection.execute("DELETE FROM batches")
        connection.execute("INSERT INTO batches (ciphertext) VALUES (?)", (ciphertext,))
        try:
            certificates = store.load()
        except DamagedCertificates as error:
            check_words(error)
            continue
        connection.execute("DELETE FROM batches")
        store.clear()
        store.append(certificates, bytes)
        assert store.load() == certificates


def _batches() -> list[bytes]:
    groups = [["common", [b"signed", b"too"]], ["sequester", []], ["00" * 16, [b""]]]
    return [dump({"type": "parsec_py_certificates", "before": bytes(32), "groups": groups})]


TARGETS = (
    Target(
        "device-files",
        Form.MSGPACK,
        check_device_files,
        lambda: [
            *seeds.from_hex("client-device-files", "device_file_hex"),
            *seeds.from_base64("data-local", "bytes_b64"),
        ],
    ),
    Target(
        "devices",
        Form.MSGPACK,
        check_devices,
        lambda: seeds.from_hex("client-local-device", "bytes_hex"),
    ),
    Target("stored-certificates", Form.MSGPACK, check_stored_certificates, _batches),
)
