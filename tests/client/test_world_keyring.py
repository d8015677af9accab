"""The world where there is a keyring: the key of gathered shares goes there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parsec.client.dialogue import Notice
from parsec.client.files import Directories
from parsec.client.guards.keyring import KeyringUnavailable
from parsec.client.records import EarlierShares, GatheredShares, RecoveryDone
from parsec.client.step import Keep, News, Question, Recall
from parsec.client.world import World
from parsec.crypto.shamir import ShamirShare
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from tests.support.keyrings import MemoryKeyring, use_keyring
from tests.support.lines import some_device

NO_SHARES = GatheredShares(
    server=some_device().server_url,
    organization_id=some_device().organization_id,
    user_id=UserID(bytes(16)),
    setup_created_on=Instant(0),
    shares={},
)
GATHERED = NO_SHARES.with_shares({UserID(b"c" * 16): [ShamirShare(b"\x01secret")]})
EARLIER = Recall(EarlierShares(NO_SHARES))


class Listener:
    """Hears, and answers nothing."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def answer(self, question: Question[object]) -> object:
        raise AssertionError(question)

    def hear(self, news: News) -> None:
        assert isinstance(news, Notice)
        self.notices.append(news.text)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "recoveries"


@pytest.fixture
def world(tmp_path: Path, listener: Listener) -> Iterator[World]:
    places = Directories(config=tmp_path / "config", data=tmp_path / "data")
    with World(listener, places=places, environ={}) as world:  # type: ignore[arg-type]
        yield world


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring(priority=5)
    use_keyring(monkeypatch, backend)
    return backend


def names(folder: Path) -> set[str]:
    return {path.suffix for path in folder.iterdir()}


def test_shares_are_kept_under_a_key_in_the_keyring(
    memory: MemoryKeyring, world: World, folder: Path
) -> None:
    world.carry_out(Keep(GATHERED))

    assert world.carry_out(EARLIER) == GATHERED
    assert len(memory.entries) == 1
    assert names(folder) == {".shares", ".keyring"}


def test_without_a_keyring_the_key_is_beside_them(world: World, folder: Path) -> None:
    world.carry_out(Keep(GATHERED))

    assert world.carry_out(EARLIER) == GATHERED
    assert names(folder) == {".shares", ".key"}


def test_after_the_recovery_the_keyring_is_as_before(
    memory: MemoryKeyring, world: World, folder: Path
) -> None:
    world.carry_out(Keep(GATHERED))

    world.carry_out(Keep(RecoveryDone(GATHERED.user_id)))

    assert memory.entries == {}
    assert list(folder.iterdir()) == []


def test_shares_whose_key_is_out_of_reach_are_not_gathered_anew(
    monkeypatch: pytest.MonkeyPatch, memory: MemoryKeyring, world: World
) -> None:
    world.carry_out(Keep(GATHERED))
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    with pytest.raises(KeyringUnavailable, match="shares gathered so far"):
        world.carry_out(EARLIER)


def test_a_keyring_that_goes_away_does_not_stop_the_recovery(
    monkeypatch: pytest.MonkeyPatch, memory: MemoryKeyring, world: World, listener: Listener
) -> None:
    world.carry_out(Keep(GATHERED))
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    world.carry_out(Keep(GATHERED))
    world.carry_out(Keep(RecoveryDone(GATHERED.user_id)))

    assert "cannot be kept" in listener.notices[0]
    assert "cannot be deleted" in listener.notices[1]
