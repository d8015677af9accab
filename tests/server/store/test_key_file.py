"""The file with the keys of a server."""

import os
from pathlib import Path

import pytest

from parsec.crypto.keys import SecretKey
from parsec.server.store.key_file import KeyFile
from parsec.server.store.sealing import KeyRing, ServerKeyError

ONE, TWO = SecretKey(b"1" * 32), SecretKey(b"2" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "server-key"


def test_there_are_no_keys_where_there_is_no_file(path: Path) -> None:
    assert KeyFile(path).read() is None


def test_what_was_written_is_read_newest_first(path: Path) -> None:
    KeyFile(path).create(KeyRing([TWO, ONE]))

    ring = KeyFile(path).read()

    assert ring is not None
    assert ring.keys == (TWO, ONE)


def test_only_its_owner_can_read_it(path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))

    assert path.stat().st_mode & 0o777 == 0o600


def test_keys_that_are_there_are_not_created_again(path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))

    KeyFile(path).create(KeyRing([TWO]))

    ring = KeyFile(path).read()
    assert ring is not None
    assert ring.keys == (ONE,)


def test_replacing_leaves_nothing_else_behind(path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))

    KeyFile(path).replace(KeyRing([TWO, ONE]))

    assert list(path.parent.iterdir()) == [path]


def test_who_could_read_it_still_can_when_it_was_replaced(path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))
    path.chmod(0o640)

    KeyFile(path).replace(KeyRing([TWO, ONE]))

    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_it_stays_with_its_owner_when_it_was_replaced(path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))
    os.chown(path, 12_345, 23_456)

    KeyFile(path).replace(KeyRing([TWO, ONE]))

    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 23_456)


def test_a_file_behind_a_link_is_replaced_and_not_the_link(path: Path, tmp_path: Path) -> None:
    KeyFile(path).create(KeyRing([ONE]))
    link = tmp_path / "link"
    link.symlink_to(path)

    KeyFile(link).replace(KeyRing([TWO]))

    ring = KeyFile(path).read()
    assert link.is_symlink()
    assert ring is not None
    assert ring.keys == (TWO,)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_file_that_everybody_can_read_is_refused(path: Path, mode: int) -> None:
    KeyFile(path).create(KeyRing([ONE]))
    path.chmod(mode)

    with pytest.raises(ServerKeyError, match="everybody") as raised:
        KeyFile(path).read()

    assert raised.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize(
    "text", ["", "\n", "31" * 31, "31" * 33, "zz" * 32, "31" * 32 + "\nx", "é"]
)
def test_a_file_with_something_else_is_refused_and_not_quoted(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(ServerKeyError) as raised:
        KeyFile(path).read()

    assert str(raised.value) == f"{path} does not hold keys of 64 hexadecimal digits a line"


def test_a_folder_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ServerKeyError, match="cannot write the server key"):
        KeyFile(tmp_path / "file" / "server-key").create(KeyRing([ONE]))
