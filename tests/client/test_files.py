"""Device files on disk: found as the official client finds them, whole or not at all."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from parsec.client.files import (
    LARGEST_DEVICE_FILE,
    Directories,
    FoundDevice,
    InvalidDeviceFile,
    StorageFailed,
    directories,
    ensure_writable,
    forget_device,
    in_use,
    list_devices,
    read_device_file,
    save_device_file,
    write_whole,
)
from parsec.client.protection import RecoveryFields
from parsec.client.rules.device_file import protect
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.device_file import AnyDeviceFile
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from tests.support.lines import some_device

NOW = Instant.parse("2026-01-02T03:04:05Z")

needs_permissions = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)


@pytest.fixture
def places(tmp_path: Path) -> Directories:
    return Directories(config=tmp_path / "config", data=tmp_path / "data")


def file_of(device: LocalDevice) -> AnyDeviceFile:
    return protect(
        device,
        fields=RecoveryFields(),
        key=SecretKey(bytes(32)),
        created_on=NOW,
        protected_on=NOW,
        totp=None,
        entropy=system_entropy,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- Where things are ---


def test_the_folders_are_those_of_the_official_client() -> None:
    environ = {"PARSEC_BASE_CONFIG_DIR": "/c", "PARSEC_BASE_DATA_DIR": "/d"}

    places = directories(environ)

    assert places.config == Path("/c/parsec3/libparsec")
    assert places.data == Path("/d/parsec3")
    assert places.devices == Path("/c/parsec3/libparsec/devices")


def test_the_variables_of_the_command_line_name_final_folders() -> None:
    environ = {
        "PARSEC_BASE_CONFIG_DIR": "/c",
        "PARSEC_BASE_DATA_DIR": "/d",
        "PARSEC_CONFIG_DIR": "/final/config",
        "PARSEC_DATA_DIR": "/final/data",
    }

    assert directories(environ) == Directories(Path("/final/config"), Path("/final/data"))


def test_options_come_first() -> None:
    environ = {"PARSEC_CONFIG_DIR": "/env", "PARSEC_DATA_DIR": "/env"}

    places = directories(environ, config_dir=Path("/c"), data_dir=Path("/d"))

    assert places == Directories(Path("/c"), Path("/d"))


@pytest.mark.skipif(sys.platform != "linux", reason="these folders are Linux's")
def test_without_variables_the_platform_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg/config")
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg/data")

    places = directories({})

    assert places.config == Path("/xdg/config/parsec3/libparsec")
    assert places.data == Path("/xdg/data/parsec3")


@pytest.mark.skipif(sys.platform != "linux", reason="these folders are Linux's")
def test_without_any_variable_the_home_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/alice")

    places = directories({})

    assert places.config == Path("/home/alice/.config/parsec3/libparsec")
    assert places.data == Path("/home/alice/.local/share/parsec3")


# --- Listing ---


def test_nothing_is_found_where_there_is_nothing(places: Directories) -> None:
    assert list_devices(places) == []


def test_a_saved_device_is_found(places: Directories) -> None:
    file = file_of(some_device())

    path = save_device_file(places, file)

    assert path == places.devices / f"{file.device_id.hex()}.keys"
    assert list_devices(places) == [FoundDevice(path, file)]


def test_folders_below_count_and_names_carry_no_meaning(places: Directories) -> None:
    one, other = file_of(some_device()), file_of(some_device())
    save_device_file(places, one, path=places.devices / "b" / "any name.keys")
    save_device_file(places, other, path=places.devices / "a.keys")

    assert [found.file for found in list_devices(places)] == [other, one]


def test_the_order_is_that_of_the_parts_of_paths(places: Directories) -> None:
    saved = [places.devices / "a" / "z.keys", places.devices / "a-b.keys"]
    for path in saved:
        save_device_file(places, file_of(some_device()), path=path)

    assert [found.path for found in list_devices(places)] == saved


def test_of_one_device_the_first_file_counts(places: Directories) -> None:
    device = some_device()
    first, second = file_of(device), file_of(device)
    save_device_file(places, second, path=places.devices / "2.keys")
    save_device_file(places, first, path=places.devices / "1.keys")

    assert [found.file for found in list_devices(places)] == [first]


@pytest.mark.parametrize("name", ["x.keys.archived", "x.KEYS", "x.keys.tmp", ".keys", "x", "keys"])
def test_other_extensions_are_no_devices(places: Directories, name: str) -> None:
    save_device_file(places, file_of(some_device()), path=places.devices / name)

    assert list_devices(places) == []


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"garbage", b"\xc1", bytes(LARGEST_DEVICE_FILE + 1)]
)
def test_what_is_no_device_is_passed_over(places: Directories, content: bytes) -> None:
    file = file_of(some_device())
    save_device_file(places, file)
    write_whole(places.devices / "0.keys", content)

    assert [found.file for found in list_devices(places)] == [file]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_stop_the_listing(places: Directories) -> None:
    file = file_of(some_device())
    save_device_file(places, file)
    os.mkfifo(places.devices / "0.keys")

    assert [found.file for found in list_devices(places)] == [file]


def test_a_folder_with_the_name_of_a_device_file_is_passed_over(places: Directories) -> None:
    (places.devices / "0.keys").mkdir(parents=True)

    assert list_devices(places) == []


def test_a_dangling_link_is_passed_over(places: Directories) -> None:
    places.devices.mkdir(parents=True)
    (places.devices / "0.keys").symlink_to("nowhere")

    assert list_devices(places) == []


@needs_permissions
def test_a_file_that_may_not_be_read_is_passed_over(places: Directories) -> None:
    path = save_device_file(places, file_of(some_device()))
    path.chmod(0)

    assert list_devices(places) == []


# --- Reading one ---


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="There is no file"):
        read_device_file(tmp_path / "none.keys")


def test_a_file_that_is_no_device_is_told(tmp_path: Path) -> None:
    path = tmp_path / "garbage.keys"
    path.write_bytes(b"garbage")

    with pytest.raises(InvalidDeviceFile, match="no device file"):
        read_device_file(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.keys"
    with path.open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(StorageFailed, match="larger than"):
        read_device_file(path)


# --- Writing ---


def test_only_the_owner_can_look_into_what_is_written(places: Directories) -> None:
    path = save_device_file(places, file_of(some_device()))

    assert mode(path) == 0o600
    assert {mode(places.config), mode(places.devices)} == {0o700}


def test_a_file_that_others_could_read_no_longer_is_after_a_save(places: Directories) -> None:
    file = file_of(some_device())
    path = save_device_file(places, file)
    path.chmod(0o644)

    save_device_file(places, file)

    assert mode(path) == 0o600


def test_folders_that_exist_keep_their_mode(places: Directories) -> None:
    places.devices.mkdir(parents=True)
    places.devices.chmod(0o750)

    save_device_file(places, file_of(some_device()))

    assert mode(places.devices) == 0o750


@pytest.mark.parametrize("failing", ["os.fsync", "pathlib.Path.replace"])
def test_a_failed_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(failing, fail)
        with pytest.raises(StorageFailed, match="No space left on device"):
            write_whole(path, b"new")

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


_KILLER = """
import os, sys
from pathlib import Path
from parsec.client import files

target = Path(sys.argv[1])
line = 0
while True:
    line += 1
    files.write_whole(target, b"old" * 5000)
    child = os.fork()
    if child == 0:
        left = line
        def trace(frame, event, argument):
            global left
            if frame.f_code.co_filename != files.__file__:
                return None
            left -= event == "line"
            if left == 0:
                os._exit(9)
            return trace
        sys.settrace(trace)
        files.write_whole(target, b"new" * 5000)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(line, target.read_bytes()[:3].decode(), len(target.read_bytes()))
    if status == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_writer_killed_at_any_line_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    target = tmp_path / "device.keys"

    done = subprocess.run(
        [sys.executable, "-c", _KILLER, str(target)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 10
    assert {(content, length) for _, content, length in lines} == {
        ("old", "15000"),
        ("new", "15000"),
    }
    assert lines[0][1] == "old"
    assert lines[-1][1] == "new"


def test_what_killed_writers_left_is_no_device(places: Directories) -> None:
    path = save_device_file(places, file_of(some_device()))
    path.rename(f"{path}.abcd.parsec-py.tmp")
    write_whole(Path(f"{path}.tmp"), b"half")

    assert list_devices(places) == []


@needs_permissions
def test_a_folder_without_permission_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    places = Directories(config=tmp_path / "closed", data=tmp_path)

    with pytest.raises(StorageFailed, match="closed") as raised:
        ensure_writable(places)

    assert "--config-dir" in str(raised.value.hint)


def test_a_file_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"")

    with pytest.raises(StorageFailed):
        ensure_writable(Directories(config=tmp_path / "config", data=tmp_path))


def test_making_sure_of_a_folder_leaves_nothing_in_it(places: Directories) -> None:
    ensure_writable(places)

    assert list(places.devices.iterdir()) == []


# --- Forgetting ---


def test_a_forgotten_device_is_gone_with_what_it_stored(places: Directories) -> None:
    device = some_device()
    path = save_device_file(places, file_of(device))
    stored = places.data_of(device.device_id)
    stored.mkdir(parents=True)
    (stored / "certificates.sqlite").write_bytes(b"")
    Path(f"{path}.abcd.parsec-py.tmp").write_bytes(b"left by a killed writer")

    forget_device(places, list_devices(places)[0])

    assert list(places.devices.iterdir()) == []
    assert list(places.data.iterdir()) == []


def test_other_devices_stay(places: Directories) -> None:
    one, other = file_of(some_device()), file_of(some_device())
    path = save_device_file(places, one)
    save_device_file(places, other)
    places.data_of(other.device_id).mkdir(parents=True)

    forget_device(places, FoundDevice(path, one))

    assert [found.file for found in list_devices(places)] == [other]
    assert places.data_of(other.device_id).is_dir()


def test_forgetting_twice_is_no_error(places: Directories) -> None:
    file = file_of(some_device())
    found = FoundDevice(save_device_file(places, file), file)
    forget_device(places, found)

    forget_device(places, found)

    assert list_devices(places) == []


def test_a_link_in_place_of_the_stored_data_is_not_followed(
    places: Directories, tmp_path: Path
) -> None:
    device = some_device()
    path = save_device_file(places, file_of(device))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"")
    places.data.mkdir()
    places.data_of(device.device_id).symlink_to(elsewhere)

    forget_device(places, FoundDevice(path, file_of(device)))

    assert (elsewhere / "precious").exists()
    assert not places.data_of(device.device_id).is_symlink()


# --- The lock ---


def test_a_free_device_is_used_without_waiting(places: Directories) -> None:
    device_id = some_device().device_id
    heard: list[str] = []

    with in_use(
        places,
        device_id,
        waiting=lambda: heard.append("waiting"),
        accessed=lambda: heard.append("accessed"),
    ):
        pass

    assert heard == []
    assert (places.config / "in_use_devices" / device_id.hex()).read_bytes() == b""


def test_who_comes_second_is_told_and_waits(places: Directories) -> None:
    device_id = some_device().device_id
    heard: list[str] = []
    told, done = threading.Event(), threading.Event()

    def waiting() -> None:
        heard.append("waiting")
        told.set()

    def second() -> None:
        with in_use(places, device_id, waiting=waiting, accessed=lambda: heard.append("accessed")):
            heard.append("uses")
        done.set()

    with in_use(places, device_id, waiting=lambda: None, accessed=lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        heard.append("first leaves")
    assert done.wait(10)
    thread.join(10)

    assert heard == ["waiting", "first leaves", "accessed", "uses"]


def test_other_devices_are_not_locked(places: Directories) -> None:
    heard: list[str] = []

    with (
        in_use(places, some_device().device_id, waiting=lambda: None, accessed=lambda: None),
        in_use(
            places,
            some_device().device_id,
            waiting=lambda: heard.append("waiting"),
            accessed=lambda: None,
        ),
    ):
        pass

    assert heard == []


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"")
    places = Directories(config=tmp_path / "config", data=tmp_path)

    with (
        pytest.raises(StorageFailed, match="lock"),
        in_use(places, some_device().device_id, waiting=lambda: None, accessed=lambda: None),
    ):
        pass


def test_what_fails_under_the_lock_comes_out_as_it_is(places: Directories) -> None:
    with (
        pytest.raises(OSError, match="mine"),
        in_use(places, some_device().device_id, waiting=lambda: None, accessed=lambda: None),
    ):
        raise OSError("mine")
