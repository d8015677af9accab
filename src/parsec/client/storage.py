"""The verified certificates of a device, encrypted, in SQLite.

A cache beside the official client's, which is never touched. Each row is one batch of certificates
that were believed together, encrypted with the device's local key; inside stands the digest of the
row before it. So a row that was changed, removed, exchanged or moved in from elsewhere is noticed,
and what is left to somebody who can write the file is to put back an older copy: the next poll
makes up for that.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from parsec.client.failure import Conflict, FlowError
from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import DecryptionError
from parsec.crypto.keys import HashDigest, SecretKey
from parsec.data.ids import DeviceID, VlobID
from parsec.data.local_device import LocalDevice
from parsec.data.record import BareRecord
from parsec.data.topics import Topic, TopicCertificate, TopicID
from parsec.wire.msgpack import MalformedError

FILE_NAME = "parsec-py-certificates.sqlite"

_SCHEMA_VERSION = 1
_TOPICS = {topic.value: topic for topic in Topic}
_NOTHING_BEFORE = HashDigest(bytes(HashDigest.SIZE))
_FORGET = "run `certificate forget-all-certificates`; the next poll fetches everything again"

# Our statements are right, so a plain error says that the tables are not those that we made.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_PRIMARY = 0xFF
"""Which bits of SQLite's codes tell the kind of error."""

_CREATE = """
CREATE TABLE batches (position INTEGER PRIMARY KEY, ciphertext BLOB NOT NULL) STRICT
"""
_DROP = "DROP TABLE IF EXISTS batches"
_LOAD = "SELECT ciphertext FROM batches ORDER BY position"
_LAST = "SELECT ciphertext FROM batches ORDER BY position DESC LIMIT 1"
_APPEND = "INSERT INTO batches (ciphertext) VALUES (?)"
_CLEAR = "DELETE FROM batches"


class StorageUnavailable(FlowError):
    """The file cannot be opened or written."""


class DamagedCertificates(FlowError):
    """The file is not as this program left it: it is broken, or somebody changed it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"The certificates stored in {path} are damaged", hint=_FORGET)


class ChangedMeanwhile(Conflict):
    """Another program added certificates since ours were loaded."""


class _Group(msgspec.Struct, frozen=True, array_like=True):
    topic: str
    signed: list[bytes]


class _Batch(BareRecord, frozen=True, kw_only=True, tag="parsec_py_certificates"):
    before: HashDigest
    groups: list[_Group]


class CertificateStore:
    """The certificates of one device, in the order in which they were believed."""

    def __init__(self, path: Path, connection: sqlite3.Connection, key: SecretKey) -> None:
        self._path = path
        self._connection = connection
        self._key = key
        self._last = _NOTHING_BEFORE
        self._lacks_a_batch = False

    @classmethod
    def open(cls, data_dir: Path, device: LocalDevice) -> Self:
        """Open the file of a device, or make it. To be closed, or used as a context manager.

        Raises StorageUnavailable or DamagedCertificates.
        """
        path = _path(data_dir, device.device_id)
        with _storage_errors(path):
            _make_private(path)
            connection = sqlite3.connect(path, isolation_level=None)
            try:
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection, device.local_symkey)

    def load(self) -> list[TopicCertificate]:
        """Everything. Raises StorageUnavailable or DamagedCertificates."""
        with _storage_errors(self._path):
            ciphertexts = [ciphertext for (ciphertext,) in self._connection.execute(_LOAD)]
        certificates: list[TopicCertificate] = []
        self._start_anew()
        for ciphertext in ciphertexts:
            certificates += self._opened(ciphertext)
            self._last = HashDigest.of(ciphertext)
        return certificates

    def append(self, certificates: Iterable[TopicCertificate], entropy: Entropy) -> None:
        """Add what was believed after what `load` gave, all of it or nothing.

        Raises StorageUnavailable, or ChangedMeanwhile when that is no longer all there is; from
        then on nothing can be added before `load` or `clear`.
        """
        groups = [
            _Group(_topic_text(topic), [certificate.signed for certificate in group])
            for topic, group in groupby(certificates, key=lambda certificate: certificate.topic)
        ]
        if not groups:
            return
        batch = _Batch(before=self._last, groups=groups)
        ciphertext = self._key.encrypt(batch.dump(), entropy)
        with self._transaction():
            self._check_nothing_is_missing()
            self._check_nothing_came_between()
            self._connection.execute(_APPEND, (ciphertext,))
        self._last = HashDigest.of(ciphertext)

    def clear(self) -> None:
        """Forget everything. Raises StorageUnavailable."""
        with self._transaction():
            self._connection.execute(_CLEAR)
        self._start_anew()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self, ciphertext: object) -> Iterator[TopicCertificate]:
        if not isinstance(ciphertext, bytes):
            # The table is not the one that we made.
            raise DamagedCertificates(self._path)
        try:
            batch = _Batch.load(self._key.decrypt(ciphertext))
            topics = [_topic(group.topic) for group in batch.groups]
        except (DecryptionError, MalformedError, ValueError) as error:
            raise DamagedCertificates(self._path) from error
        if batch.before != self._last:
            raise DamagedCertificates(self._path)
        for topic, group in zip(topics, batch.groups, strict=True):
            for signed in group.signed:
                yield TopicCertificate(topic, signed)

    def _start_anew(self) -> None:
        self._last = _NOTHING_BEFORE
        self._lacks_a_batch = False

    def _check_nothing_is_missing(self) -> None:
        # A later batch without the one that could not be written would be a hole in what is known.
        if self._lacks_a_batch:
            raise StorageUnavailable(f"Cannot use {self._path}: an earlier attempt failed")

    def _check_nothing_came_between(self) -> None:
        row = self._connection.execute(_LAST).fetchone()
        if (_NOTHING_BEFORE if row is None else HashDigest.of(row[0])) != self._last:
            raise ChangedMeanwhile(
                "Another program stored certificates of this device at the same time",
                hint="try again",
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with _storage_errors(self._path):
                self._connection.execute("BEGIN IMMEDIATE")
                with self._connection:
                    yield
        except FlowError:
            self._lacks_a_batch = True
            raise


def forget_certificates(data_dir: Path, device_id: DeviceID) -> None:
    """Remove the file of a device, damaged or not. Raises StorageUnavailable."""
    path = _path(data_dir, device_id)
    with _storage_errors(path):
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _path(data_dir: Path, device_id: DeviceID) -> Path:
    return data_dir / device_id.hex() / FILE_NAME


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"Cannot use {path}: {error}") from error
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as error:
        if error.sqlite_errorcode & _PRIMARY in _DAMAGE:
            raise DamagedCertificates(path) from error
        raise StorageUnavailable(f"Cannot use {path}: {error}") from error


def _make_private(path: Path) -> None:
    """A file, in folders, that only this person can look into; SQLite's others get its mode."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # What a power cut takes is polled again.
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == _SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == _SCHEMA_VERSION:
            return  # another program was quicker
        # A file of another version holds nothing that a poll would not bring back.
        connection.execute(_DROP)
        connection.execute(_CREATE)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _topic_text(topic: TopicID) -> str:
    return topic.hex() if isinstance(topic, VlobID) else topic.value


def _topic(text: str) -> TopicID:
    return _TOPICS[text] if text in _TOPICS else VlobID.parse(text)
