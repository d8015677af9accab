"""What was believed is kept secret and whole, or its loss is noticed."""

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsec.client.storage import (
    FILE_NAME,
    CertificateStore,
    ChangedMeanwhile,
    DamagedCertificates,
    StorageUnavailable,
    forget_certificates,
)
from parsec.crypto.entropy import system_entropy
from parsec.data.ids import VlobID
from parsec.data.local_device import LocalDevice
from parsec.data.topics import Topic, TopicCertificate
from parsec.wire.msgpack import dump
from tests.support.lines import some_device

REALM = VlobID(b"r" * 16)
FIRST = [TopicCertificate(Topic.SEQUESTER, b"s"), TopicCertificate(Topic.COMMON, b"c" * 300)]
SECOND = [TopicCertificate(REALM, b"r1"), TopicCertificate(REALM, b"r2")]
THIRD = [TopicCertificate(Topic.SHAMIR_RECOVERY, b"sh"), TopicCertificate(Topic.COMMON, b"c2")]

DEVICE = some_device("alice")
OTHER = some_device("bob")


def keep(data_dir: Path, *batches: list[TopicCertificate], device: LocalDevice = DEVICE) -> Path:
    """Append batches, and give the file."""
    with CertificateStore.open(data_dir, device) as store:
        store.load()
        for batch in batches:
            store.append(batch, system_entropy)
    return data_dir / device.device_id.hex() / FILE_NAME


def kept(data_dir: Path, device: LocalDevice = DEVICE) -> list[TopicCertificate]:
    with CertificateStore.open(data_dir, device) as store:
        return store.load()


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else at the file, in which three batches are."""
    path = keep(tmp_path, FIRST, SECOND, THIRD)
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


# --- Keeping ---


def test_nothing_is_kept_at_first(tmp_path: Path) -> None:
    assert kept(tmp_path) == []


def test_certificates_come_back_in_order(tmp_path: Path) -> None:
    keep(tmp_path, FIRST, SECOND)
    keep(tmp_path, THIRD)

    assert kept(tmp_path) == [*FIRST, *SECOND, *THIRD]


@settings(max_examples=30)
@given(
    batches=st.lists(
        st.lists(
            st.builds(
                TopicCertificate,
                st.sampled_from([*Topic, REALM, VlobID(b"q" * 16)]),
                st.binary(max_size=50),
            ),
            max_size=5,
        ),
        max_size=4,
    )
)
def test_whatever_is_kept_comes_back(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[TopicCertificate]]
) -> None:
    folder = tmp_path_factory.mktemp("data")

    keep(folder, *batches)

    assert kept(folder) == [certificate for batch in batches for certificate in batch]


def test_devices_have_stores_of_their_own(tmp_path: Path) -> None:
    keep(tmp_path, FIRST)
    keep(tmp_path, SECOND, device=OTHER)

    assert kept(tmp_path) == FIRST
    assert kept(tmp_path, OTHER) == SECOND


def test_cleared_store_starts_anew(tmp_path: Path) -> None:
    keep(tmp_path, FIRST, SECOND)
    with CertificateStore.open(tmp_path, DEVICE) as store:
        store.clear()
        store.append(THIRD, system_entropy)

    assert kept(tmp_path) == THIRD


def test_forgotten_store_is_gone(tmp_path: Path) -> None:
    path = keep(tmp_path, FIRST)

    forget_certificates(tmp_path, DEVICE.device_id)

    assert list(path.parent.iterdir()) == []
    assert kept(tmp_path) == []


def test_forgetting_what_never_was(tmp_path: Path) -> None:
    forget_certificates(tmp_path, DEVICE.device_id)


def test_damaged_store_can_be_forgotten(tmp_path: Path) -> None:
    path = keep(tmp_path, FIRST)
    path.write_bytes(b"no database")

    forget_certificates(tmp_path, DEVICE.device_id)

    assert kept(tmp_path) == []


def test_file_of_another_version_is_started_anew(tmp_path: Path, sql: sqlite3.Connection) -> None:
    sql.execute("PRAGMA user_version = 99")

    assert kept(tmp_path) == []


def test_the_official_file_beside_stays_as_it_is(tmp_path: Path) -> None:
    official = tmp_path / DEVICE.device_id.hex() / "certificates-v1.sqlite"
    official.parent.mkdir()
    official.write_bytes(b"theirs")

    keep(tmp_path, FIRST)
    forget_certificates(tmp_path, DEVICE.device_id)

    assert official.read_bytes() == b"theirs"


# --- Secrecy ---


def test_nothing_stands_in_clear(tmp_path: Path) -> None:
    path = keep(tmp_path, [TopicCertificate(Topic.COMMON, b"alice@example.com")])

    content = path.read_bytes()

    assert b"alice@example.com" not in content
    assert b"common" not in content


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    data_dir = tmp_path / "share" / "parsec3"
    with CertificateStore.open(data_dir, DEVICE) as store:
        store.append(FIRST, system_entropy)
        folder = data_dir / DEVICE.device_id.hex()

        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    assert modes == {FILE_NAME: 0o600, f"{FILE_NAME}-wal": 0o600, f"{FILE_NAME}-shm": 0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, data_dir, data_dir.parent)] == [
        0o700
    ] * 3


def test_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = keep(tmp_path, FIRST)
    path.chmod(0o644)

    keep(tmp_path, SECOND)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# --- Whoever can write the file ---


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM batches WHERE position = 1",
        "DELETE FROM batches WHERE position = 2",
        "UPDATE batches SET position = position + 10 WHERE position = 1",
        "UPDATE batches SET ciphertext = zeroblob(100) WHERE position = 2",
        "UPDATE batches SET ciphertext = zeroblob(0) WHERE position = 3",
        "UPDATE batches SET ciphertext = CAST(ciphertext || x'00' AS BLOB) WHERE position = 3",
        "INSERT INTO batches (ciphertext) SELECT ciphertext FROM batches WHERE position = 1",
        "INSERT INTO batches (ciphertext) SELECT ciphertext FROM batches WHERE position = 3",
        "DROP TABLE batches",
        "ALTER TABLE batches RENAME COLUMN ciphertext TO other",
    ],
)
def test_tampering_is_noticed(tmp_path: Path, sql: sqlite3.Connection, tampering: str) -> None:
    sql.execute(tampering)
    sql.close()

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


def test_text_instead_of_bytes_is_noticed(tmp_path: Path, sql: sqlite3.Connection) -> None:
    sql.execute("DROP TABLE batches")
    sql.execute("CREATE TABLE batches (position INTEGER PRIMARY KEY, ciphertext)")
    sql.execute("INSERT INTO batches (ciphertext) VALUES ('text')")

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


def test_row_of_another_copy_is_noticed(tmp_path: Path, sql: sqlite3.Connection) -> None:
    """Two histories that began alike cannot be mixed."""
    copy = keep(tmp_path / "copy", FIRST, [TopicCertificate(REALM, b"other")], THIRD)
    sql.execute("ATTACH ? AS copy", (str(copy),))

    sql.execute(
        "UPDATE batches SET ciphertext ="
        " (SELECT ciphertext FROM copy.batches WHERE position = 3) WHERE position = 3"
    )

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


def test_row_of_something_else_under_the_same_key_is_noticed(
    tmp_path: Path, sql: sqlite3.Connection
) -> None:
    """The official client encrypts its rows with the same key."""
    foreign = DEVICE.local_symkey.encrypt(dump({"type": "local_user_manifest"}), system_entropy)

    sql.execute("INSERT INTO batches (ciphertext) VALUES (?)", (foreign,))

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


def test_store_of_another_device_is_noticed(tmp_path: Path) -> None:
    path = keep(tmp_path, FIRST, device=OTHER)
    mine = tmp_path / DEVICE.device_id.hex() / FILE_NAME
    mine.parent.mkdir()

    mine.write_bytes(path.read_bytes())

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


def test_older_copy_is_taken_for_what_it_is(tmp_path: Path, sql: sqlite3.Connection) -> None:
    """It cannot be told from a store that was left earlier; the next poll makes up for it."""
    sql.execute("DELETE FROM batches WHERE position = 3")

    assert kept(tmp_path) == [*FIRST, *SECOND]


def test_file_that_is_no_database_is_noticed(tmp_path: Path) -> None:
    keep(tmp_path, FIRST).write_bytes(b"no database" * 100)

    with pytest.raises(DamagedCertificates) as caught:
        kept(tmp_path)

    assert caught.value.hint is not None
    assert "certificate forget-all-certificates" in caught.value.hint


def test_torn_file_is_noticed(tmp_path: Path) -> None:
    path = keep(tmp_path, *[[TopicCertificate(Topic.COMMON, bytes(5000))]] * 4)
    content = path.read_bytes()

    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))

    with pytest.raises(DamagedCertificates):
        kept(tmp_path)


# --- Several programs ---


def test_two_programs_do_not_mix_their_polls(tmp_path: Path) -> None:
    with (
        CertificateStore.open(tmp_path, DEVICE) as one,
        CertificateStore.open(tmp_path, DEVICE) as two,
    ):
        one.load()
        two.load()
        one.append(FIRST, system_entropy)

        with pytest.raises(ChangedMeanwhile):
            two.append(SECOND, system_entropy)

        assert two.load() == FIRST
        two.append(SECOND, system_entropy)

    assert kept(tmp_path) == [*FIRST, *SECOND]


def test_failed_batch_leaves_no_hole(tmp_path: Path, sql: sqlite3.Connection) -> None:
    """Otherwise a later batch would hide for ever that the one before it is missing."""
    with CertificateStore.open(tmp_path, DEVICE) as store:
        store.load()
        sql.execute(
            "CREATE TRIGGER no BEFORE INSERT ON batches BEGIN SELECT RAISE(FAIL, 'no'); END"
        )
        with pytest.raises(StorageUnavailable):
            store.append(FIRST, system_entropy)
        sql.execute("DROP TRIGGER no")

        with pytest.raises(StorageUnavailable):
            store.append(SECOND, system_entropy)

    assert kept(tmp_path) == [*FIRST, *SECOND, *THIRD]


def test_store_that_failed_goes_on_after_loading(tmp_path: Path) -> None:
    keep(tmp_path, FIRST)
    with CertificateStore.open(tmp_path, DEVICE) as store:
        with pytest.raises(ChangedMeanwhile):
            store.append(SECOND, system_entropy)

        store.load()
        store.append(SECOND, system_entropy)

    assert kept(tmp_path) == [*FIRST, *SECOND]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageUnavailable):
        CertificateStore.open(tmp_path / "file", DEVICE)
