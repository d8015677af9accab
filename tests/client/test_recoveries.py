"""Gathered shares between runs."""

import stat
from pathlib import Path

import pytest

from parsec.client.files import Directories
from parsec.client.recoveries import KeyPlace, Recoveries, RecoveryDamaged
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.ids import UserID

ALICE = UserID(bytes(16))
BOB = UserID(bytes(range(16)))
PAYLOAD = b"the shares of two recipients"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "recoveries"


@pytest.fixture
def recoveries(tmp_path: Path) -> Recoveries:
    places = Directories(config=tmp_path / "config", data=tmp_path / "data")
    return Recoveries(places, system_entropy)


def test_nothing_was_kept_at_first(recoveries: Recoveries) -> None:
    assert recoveries.load_recovery(ALICE) is None


def test_what_was_kept_is_there_in_the_next_run(recoveries: Recoveries, tmp_path: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)

    places = Directories(config=tmp_path / "config", data=tmp_path / "data")
    assert Recoveries(places, system_entropy).load_recovery(ALICE) == PAYLOAD


def test_the_last_save_counts(recoveries: Recoveries) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)

    recoveries.save_recovery(ALICE, b"three recipients")

    assert recoveries.load_recovery(ALICE) == b"three recipients"


def test_each_user_has_shares_of_their_own(recoveries: Recoveries) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)

    assert recoveries.load_recovery(BOB) is None


def test_nothing_is_kept_in_clear(recoveries: Recoveries, folder: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)

    shares, key = folder / f"{ALICE.hex()}.shares", folder / f"{ALICE.hex()}.key"
    assert PAYLOAD not in shares.read_bytes()
    assert SecretKey(key.read_bytes()).decrypt(shares.read_bytes()) == PAYLOAD


def test_only_the_owner_can_look_into_it(recoveries: Recoveries, folder: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)

    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_forgetting_leaves_neither_shares_nor_key(recoveries: Recoveries, folder: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    (folder / f"{ALICE.hex()}.key.abcd.parsec-py.tmp").write_bytes(bytes(32))

    recoveries.forget_recovery(ALICE)

    assert list(folder.iterdir()) == []
    assert recoveries.load_recovery(ALICE) is None


def test_forgetting_what_is_not_there_is_no_error(recoveries: Recoveries) -> None:
    recoveries.forget_recovery(ALICE)


@pytest.mark.parametrize("name", ["shares", "key"])
@pytest.mark.parametrize("content", [b"", b"x" * 32, b"x" * 100], ids=["empty", "32", "100"])
def test_damage_is_told(recoveries: Recoveries, folder: Path, name: str, content: bytes) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    (folder / f"{ALICE.hex()}.{name}").write_bytes(content)

    with pytest.raises(RecoveryDamaged):
        recoveries.load_recovery(ALICE)


def test_shares_without_their_key_are_damage(recoveries: Recoveries, folder: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    (folder / f"{ALICE.hex()}.key").unlink()

    with pytest.raises(RecoveryDamaged):
        recoveries.load_recovery(ALICE)


def test_a_key_without_shares_is_nothing(recoveries: Recoveries, folder: Path) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    (folder / f"{ALICE.hex()}.shares").unlink()

    assert recoveries.load_recovery(ALICE) is None


def test_shares_moved_to_another_users_name_are_damage(
    recoveries: Recoveries, folder: Path
) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    recoveries.save_recovery(BOB, b"others")
    (folder / f"{ALICE.hex()}.shares").rename(folder / f"{BOB.hex()}.shares")

    with pytest.raises(RecoveryDamaged):
        recoveries.load_recovery(BOB)


@pytest.mark.parametrize("name", ["shares", "key"])
def test_damage_does_not_keep_new_shares_from_being_kept(
    recoveries: Recoveries, folder: Path, name: str
) -> None:
    recoveries.save_recovery(ALICE, PAYLOAD)
    (folder / f"{ALICE.hex()}.{name}").write_bytes(b"damage")

    recoveries.save_recovery(ALICE, b"again")

    assert recoveries.load_recovery(ALICE) == b"again"


def test_the_key_may_be_kept_elsewhere(tmp_path: Path) -> None:
    class Keyring:
        """Stands in for the keyring of the operating system."""

        def __init__(self) -> None:
            self.keys: dict[UserID, SecretKey] = {}

        def load(self, user_id: UserID) -> SecretKey | None:
            return self.keys.get(user_id)

        def save(self, user_id: UserID, key: SecretKey) -> None:
            self.keys[user_id] = key

        def forget(self, user_id: UserID) -> None:
            del self.keys[user_id]

    keyring = Keyring()

    def place(_: Path) -> KeyPlace:
        return keyring

    places = Directories(config=tmp_path / "config", data=tmp_path / "data")
    recoveries = Recoveries(places, system_entropy, place)

    recoveries.save_recovery(ALICE, PAYLOAD)

    assert recoveries.load_recovery(ALICE) == PAYLOAD
    assert [path.suffix for path in (places.config / "recoveries").iterdir()] == [".shares"]
