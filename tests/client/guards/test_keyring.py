"""The keyring guard, against GNOME Keyring where it is installed, and what it says where not."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring.errors
import pytest

from parsec.client.failure import AuthenticationFailed
from parsec.client.guards import Guard
from parsec.client.guards.keyring import (
    KeyringEntryUnusable,
    KeyringGuard,
    KeyringKeyPlace,
    KeyringLocked,
    KeyringUnavailable,
    keyring_fault,
)
from parsec.client.protection import KeyringFields
from parsec.client.rules.device_file import KeyUnavailable, open_device
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.passphrase import parse_recovery_passphrase, recovery_passphrase
from parsec.data.device_file import KeyringDeviceFile, load_device_file
from parsec.data.ids import UserID
from tests.support.guard_contract import GuardContract, protected
from tests.support.keyrings import (
    MemoryKeyring,
    gnome_keyring,
    needs_gnome_keyring,
    session_bus,
    use_gnome_keyring,
    use_keyring,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "client-device-files.json"
ALICE = UserID(bytes(16))
BOB = UserID(bytes(range(16)))
KEY = SecretKey(bytes(range(32)))


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    backend = MemoryKeyring(priority=5)
    use_keyring(monkeypatch, backend)
    return backend


@pytest.fixture
def gnome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with gnome_keyring(tmp_path / "desktop") as environment:
        use_gnome_keyring(monkeypatch, environment)
        yield


@pytest.fixture
def guard(tmp_path: Path) -> KeyringGuard:
    return KeyringGuard(tmp_path)


class _OfAnotherAccount:
    """Who has the file and not the keyring."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._guard = KeyringGuard(folder)
        self.new = self._guard.new

    def key(self, file: Any) -> SecretKey:
        use_keyring(self._monkeypatch, MemoryKeyring(priority=5))
        return self._guard.key(file)


class TestKeyringGuard(GuardContract):
    ONE_KEY_FOR_ALL = True

    @pytest.fixture(autouse=True)
    def _keyring(self, memory: MemoryKeyring) -> None:
        """In memory."""

    @pytest.fixture
    def stranger(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Guard:
        return _OfAnotherAccount(monkeypatch, tmp_path)


@needs_gnome_keyring
class TestKeyringGuardOnGnome(TestKeyringGuard):
    @pytest.fixture(autouse=True)
    def _keyring(self, gnome: None) -> None:
        """A real one."""


# --- The entry ---


def secrets(**attributes: str) -> list[str]:
    """What somebody else finds in the real keyring."""
    import secretstorage

    with secretstorage.dbus_init() as bus:
        items = list(secretstorage.search_items(bus, attributes))
        return [item.get_secret().decode() for item in items]


def put_secret(secret: str, attributes: dict[str, str]) -> None:
    import secretstorage

    with secretstorage.dbus_init() as bus:
        collection = secretstorage.get_default_collection(bus)
        collection.create_item("somebody's", attributes, secret.encode())


@needs_gnome_keyring
def test_the_entry_is_found_as_the_official_client_looks_for_it(
    gnome: None, guard: KeyringGuard
) -> None:
    key, fields = guard.new(system_entropy)

    assert secrets(service="parsec", username=fields.user) == [recovery_passphrase(key)]


@needs_gnome_keyring
def test_an_entry_of_the_official_client_opens_its_device_file(
    gnome: None, guard: KeyringGuard
) -> None:
    vector = keyring_vector("KEYRING")
    file = load_device_file(bytes.fromhex(vector["device_file_hex"]))
    assert isinstance(file, KeyringDeviceFile)
    attributes = {
        "service": file.keyring_service,
        "username": file.keyring_user,
        "target": "default",
        "application": "rust-keyring",
    }
    put_secret(vector["unlock"]["keyring_value"], attributes)

    key = guard.key(file)

    assert bytes(key).hex() == vector["ciphertext_key_hex"]


def keyring_vector(description: str) -> dict[str, Any]:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]
    found: dict[str, Any] = next(each for each in vectors if each["description"] == description)
    return found


@pytest.mark.parametrize(
    "description",
    ["KEYRING", "KEYRING+TOTP", "KEYRING, entry in lower case without dashes is accepted"],
)
def test_files_of_the_official_client_get_their_key(
    memory: MemoryKeyring, guard: KeyringGuard, description: str
) -> None:
    vector = keyring_vector(description)
    file = load_device_file(bytes.fromhex(vector["device_file_hex"]))
    assert isinstance(file, KeyringDeviceFile)
    value = vector["unlock"]["keyring_value"]
    memory.set_password(file.keyring_service, file.keyring_user, value)

    assert bytes(guard.key(file)).hex() == vector["ciphertext_key_hex"]


def test_the_first_device_makes_an_entry_with_a_random_name(
    memory: MemoryKeyring, tmp_path: Path
) -> None:
    def entropy(size: int) -> bytes:
        return bytes(range(size))

    key, fields = KeyringGuard(tmp_path / "data").new(entropy)

    user = "00010203-0405-4607-8809-0a0b0c0d0e0f"
    assert fields == KeyringFields(service="parsec", user=user)
    assert (tmp_path / "data" / "keyring_user.txt").read_bytes() == user.encode()
    assert key == KEY
    assert memory.entries == {("parsec", user): recovery_passphrase(KEY)}


def test_an_existing_entry_is_used_again(memory: MemoryKeyring, tmp_path: Path) -> None:
    (tmp_path / "keyring_user.txt").write_text("somebody")
    memory.set_password("parsec", "somebody", recovery_passphrase(KEY).lower())

    key, fields = KeyringGuard(tmp_path).new(system_entropy)

    assert (key, fields) == (KEY, KeyringFields(service="parsec", user="somebody"))


@pytest.mark.parametrize("value", [None, "", "no passphrase"], ids=["none", "empty", "other"])
def test_what_holds_no_key_is_left_alone_and_replaced(
    memory: MemoryKeyring, guard: KeyringGuard, tmp_path: Path, value: str | None
) -> None:
    (tmp_path / "keyring_user.txt").write_text("somebody")
    if value is not None:
        memory.set_password("parsec", "somebody", value)

    _, fields = guard.new(system_entropy)

    assert fields.user != "somebody"
    assert (tmp_path / "keyring_user.txt").read_text() == fields.user
    assert memory.get_password("parsec", "somebody") == value


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_an_unreadable_name_is_replaced(
    memory: MemoryKeyring, guard: KeyringGuard, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "keyring_user.txt").write_bytes(content)

    _, fields = guard.new(system_entropy)

    assert (tmp_path / "keyring_user.txt").read_text() == fields.user


def test_losing_the_name_does_not_harm_existing_files(
    memory: MemoryKeyring, guard: KeyringGuard, tmp_path: Path
) -> None:
    file = protected(*guard.new(system_entropy))
    (tmp_path / "keyring_user.txt").unlink()

    guard.new(system_entropy)

    open_device(file, key=guard.key(file))


def test_a_missing_entry_is_told(memory: MemoryKeyring, guard: KeyringGuard) -> None:
    file = protected(*guard.new(system_entropy))
    memory.entries.clear()

    with pytest.raises(KeyringEntryUnusable, match="no entry for this device"):
        guard.key(file)


def test_an_entry_that_is_no_key_is_told_without_showing_it(
    memory: MemoryKeyring, guard: KeyringGuard
) -> None:
    key, fields = guard.new(system_entropy)
    memory.set_password("parsec", fields.user, "s3cr3t")

    with pytest.raises(KeyringEntryUnusable) as raised:
        guard.key(protected(key, fields))

    assert "s3cr3t" not in f"{raised.value!r} {raised.value.__cause__!r}"


# --- Where there is none ---


def said_elsewhere(environment: dict[str, str]) -> str:
    """What `keyring_fault` says in a process with that environment."""
    program = (
        "from parsec.client.guards.keyring import keyring_fault\n"
        "fault = keyring_fault()\n"
        "print(f'{type(fault).__name__}: {fault}; {fault and fault.hint}')"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no session bus")
def test_a_machine_without_a_session_bus_is_told_so(tmp_path: Path) -> None:
    said = said_elsewhere({"HOME": str(tmp_path)})

    assert said.startswith("KeyringUnavailable: There is no keyring here")
    assert "no D-Bus session bus" in said
    assert "log in to a desktop session" in said


@pytest.mark.skipif(sys.platform != "linux", reason="other systems need no session bus")
def test_a_bus_that_does_not_answer_is_told(tmp_path: Path) -> None:
    address = f"unix:path={tmp_path / 'nothing'}"

    said = said_elsewhere({"HOME": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": address})

    assert "no Secret Service answers on the D-Bus session bus" in said


@needs_gnome_keyring
def test_a_bus_without_a_keyring_is_told(tmp_path: Path) -> None:
    configuration = tmp_path / "bus.conf"
    configuration.write_text(
        f"<busconfig><listen>unix:tmpdir={tmp_path}</listen><auth>EXTERNAL</auth>"
        '<policy context="default"><allow send_destination="*" eavesdrop="true"/>'
        '<allow eavesdrop="true"/><allow own="*"/></policy>'
        "</busconfig>"
    )

    with session_bus(tmp_path, f"--config-file={configuration}") as environment:
        said = said_elsewhere(environment)

    assert "no Secret Service answers on the D-Bus session bus" in said
    assert "start one" in said


@needs_gnome_keyring
def test_a_bus_with_a_keyring_has_no_fault(tmp_path: Path) -> None:
    with gnome_keyring(tmp_path) as environment:
        said = said_elsewhere(environment)

    assert said.startswith("NoneType: None")


def test_a_chosen_keyring_that_does_not_exist_is_told(tmp_path: Path) -> None:
    said = said_elsewhere({"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "nowhere.Keyring"})

    assert said.startswith("KeyringUnavailable: The chosen keyring cannot be used")


@pytest.mark.parametrize("name", ["fail", "null"])
def test_a_keyring_that_was_switched_off_is_none(tmp_path: Path, name: str) -> None:
    backend = f"keyring.backends.{name}.Keyring"

    said = said_elsewhere({"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": backend})

    assert said.startswith("KeyringUnavailable: There is no keyring")


def test_without_the_library_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    fault = keyring_fault()

    assert fault is not None
    assert fault.hint == "pip install 'parsec-py[keyring]'"


def test_a_keyring_in_plain_files_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=0.5))

    assert "only keyrings MemoryKeyring" in str(keyring_fault())


@needs_gnome_keyring
def test_a_locked_keyring_is_told(tmp_path: Path) -> None:
    with gnome_keyring(tmp_path) as environment:
        lock(environment)

        said = said_elsewhere(environment)

    assert said.startswith("KeyringLocked: The keyring is locked; unlock it")


def lock(environment: dict[str, str]) -> None:
    program = (
        "import secretstorage\n"
        "with secretstorage.dbus_init() as bus:\n"
        "    secretstorage.get_default_collection(bus).lock()"
    )
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_a_locked_keyring_is_a_failed_authentication(
    monkeypatch: pytest.MonkeyPatch, memory: MemoryKeyring, guard: KeyringGuard
) -> None:
    class Locked(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise keyring.errors.KeyringLocked("Failed to unlock the collection!")

    file = protected(*guard.new(system_entropy))
    use_keyring(monkeypatch, Locked(5))

    with pytest.raises(AuthenticationFailed, match="The keyring is locked"):
        guard.key(file)


class Silent(MemoryKeyring):
    """Waits for a password that nobody types."""

    def __init__(self) -> None:
        super().__init__(priority=5)
        self.released = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.released.wait()
        return None


def test_a_keyring_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent()
    use_keyring(monkeypatch, silent)

    fault = keyring_fault(time_limit_seconds=0.01)
    silent.released.set()

    assert isinstance(fault, KeyringLocked)
    assert "did not answer within 0.01 seconds" in str(fault)


class Broken(MemoryKeyring):
    """Says what it was given when it fails."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(password)


class Forgetful(MemoryKeyring):
    """Keeps nothing, without a word."""

    def set_password(self, service: str, username: str, password: str) -> None:
        return


@pytest.mark.parametrize("backend", [Broken, Forgetful])
def test_a_key_that_is_not_kept_protects_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: type[MemoryKeyring]
) -> None:
    use_keyring(monkeypatch, backend(5))

    with pytest.raises(KeyringUnavailable) as raised:
        KeyringGuard(tmp_path).new(lambda size: bytes(range(size)))

    assert isinstance(raised.value, KeyUnavailable)
    assert not (tmp_path / "keyring_user.txt").exists()
    shown = f"{raised.value!r} {raised.value.__cause__!r}"
    assert recovery_passphrase(KEY) not in shown


def test_a_keyring_that_fails_in_its_own_way_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(MemoryKeyring):
        def get_password(self, service: str, username: str) -> str | None:
            raise keyring.errors.InitError("Failed to create the collection")

    use_keyring(monkeypatch, Failing(5))

    assert str(keyring_fault()) == "Cannot read the keyring (InitError)"


# --- The key of gathered shares ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recoveries"


@pytest.fixture
def place(folder: Path) -> KeyringKeyPlace:
    return KeyringKeyPlace(folder, system_entropy)


def test_the_key_of_shares_goes_to_the_keyring(
    memory: MemoryKeyring, place: KeyringKeyPlace, folder: Path
) -> None:
    place.save(ALICE, KEY)

    assert [path.name for path in folder.iterdir()] == [f"{ALICE.hex()}.keyring"]
    assert [parse_recovery_passphrase(text) for text in memory.entries.values()] == [KEY]
    assert {service for service, _ in memory.entries} == {"parsec-py"}


@needs_gnome_keyring
def test_a_real_keyring_keeps_the_key_of_shares_and_forgets_it(
    gnome: None, place: KeyringKeyPlace, folder: Path
) -> None:
    place.save(ALICE, KEY)
    kept = KeyringKeyPlace(folder, system_entropy).load(ALICE)
    place.forget(ALICE)

    assert kept == KEY
    assert place.load(ALICE) is None
    assert secrets(service="parsec-py") == []


def test_each_user_has_a_key_of_their_own(memory: MemoryKeyring, place: KeyringKeyPlace) -> None:
    place.save(ALICE, KEY)

    assert place.load(BOB) is None


def test_a_second_key_replaces_the_first(memory: MemoryKeyring, place: KeyringKeyPlace) -> None:
    place.save(ALICE, SecretKey(bytes(32)))

    place.save(ALICE, KEY)

    assert place.load(ALICE) == KEY
    assert len(memory.entries) == 1


def test_forgetting_leaves_nothing(
    memory: MemoryKeyring, place: KeyringKeyPlace, folder: Path
) -> None:
    place.save(ALICE, KEY)

    place.forget(ALICE)

    assert memory.entries == {}
    assert list(folder.iterdir()) == []


def test_forgetting_what_is_not_there_is_no_error(
    memory: MemoryKeyring, place: KeyringKeyPlace
) -> None:
    place.save(ALICE, KEY)
    memory.entries.clear()

    place.forget(ALICE)
    place.forget(ALICE)


def test_without_a_keyring_the_key_lies_beside_the_shares(
    monkeypatch: pytest.MonkeyPatch, place: KeyringKeyPlace, folder: Path
) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    place.save(ALICE, KEY)

    assert place.load(ALICE) == KEY
    assert (folder / f"{ALICE.hex()}.key").read_bytes() == bytes(KEY)
    place.forget(ALICE)
    assert list(folder.iterdir()) == []


def test_a_key_beside_the_shares_is_found_once_there_is_a_keyring(
    monkeypatch: pytest.MonkeyPatch, place: KeyringKeyPlace
) -> None:
    use_keyring(monkeypatch, MemoryKeyring(priority=0))
    place.save(ALICE, KEY)
    use_keyring(monkeypatch, MemoryKeyring(priority=5))

    assert place.load(ALICE) == KEY


def test_a_key_in_a_keyring_out_of_reach_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, memory: MemoryKeyring, place: KeyringKeyPlace
) -> None:
    """Who gathered shares at a desk and goes on over the network must not begin again."""
    place.save(ALICE, KEY)
    use_keyring(monkeypatch, MemoryKeyring(priority=0))

    with pytest.raises(KeyringUnavailable, match="shares gathered so far") as raised:
        place.load(ALICE)

    assert f"{ALICE.hex()}.keyring" in str(raised.value.hint)


@pytest.mark.parametrize("value", [None, "no passphrase"])
def test_an_entry_that_was_changed_is_a_lost_key(
    memory: MemoryKeyring, place: KeyringKeyPlace, value: str | None
) -> None:
    place.save(ALICE, KEY)
    (entry,) = memory.entries
    memory.entries.clear()
    if value is not None:
        memory.entries[entry] = value

    assert place.load(ALICE) is None
