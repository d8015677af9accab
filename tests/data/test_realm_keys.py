"""Keys of realms. Known ones are in tests/vectors/data-realm-key-use and data-payloads."""

import base64
import json
from pathlib import Path

import msgspec
import pytest

from parsec.crypto.errors import DecryptionError, SignatureError
from parsec.crypto.keys import KeyDerivation, PrivateKey, SecretKey, SigningKey
from parsec.crypto.rsa import SequesterPrivateKey
from parsec.data.ids import BlockID, DeviceID, VlobID
from parsec.data.instant import Instant
from parsec.data.people import EntryName
from parsec.data.realm_keys import (
    RealmKeysBundle,
    RealmKeysBundleAccess,
    check_key_canary,
    content_key,
    decrypt_path,
    decrypt_realm_name,
    encrypt_path,
    encrypt_realm_name,
    key_canary,
    sound_keys,
)
from parsec.data.record import MismatchError
from parsec.wire.msgpack import MalformedError

AUTHOR_KEY = SigningKey(bytes(32))
BUNDLE_KEY = SecretKey(bytes(32))
FIRST, SECOND = KeyDerivation(bytes(31) + b"\x01"), KeyDerivation(bytes(31) + b"\x02")
BUNDLE = RealmKeysBundle(
    author=DeviceID(bytes(16)),
    timestamp=Instant(0),
    realm_id=VlobID(bytes(16)),
    keys=[FIRST, SECOND],
)
NAME_USE = bytes(15) + b"\x02"
PATH_USE = bytes(15) + b"\x03"
CANARY_USE = bytes(15) + b"\x01"


def encrypted_bundle() -> bytes:
    """The bundle as its author uploads it."""
    return BUNDLE.encrypt(author_key=AUTHOR_KEY, keys_bundle_key=BUNDLE_KEY, entropy=bytes)


def test_a_bundle_opens_with_its_key_and_is_by_its_author() -> None:
    loaded = RealmKeysBundle.decrypt(
        encrypted_bundle(), keys_bundle_key=BUNDLE_KEY, author_verify_key=AUTHOR_KEY.verify_key
    )

    assert loaded == BUNDLE


def test_a_bundle_tells_its_author_before_it_is_believed() -> None:
    somebody = SigningKey(bytes(31) + b"x").verify_key

    unverified = RealmKeysBundle.decrypt_unverified(encrypted_bundle(), keys_bundle_key=BUNDLE_KEY)

    assert unverified == BUNDLE
    with pytest.raises(SignatureError):
        RealmKeysBundle.decrypt(
            encrypted_bundle(), keys_bundle_key=BUNDLE_KEY, author_verify_key=somebody
        )


def test_a_bundle_without_key_is_malformed() -> None:
    with pytest.raises(MalformedError):
        RealmKeysBundle.load(msgspec.structs.replace(BUNDLE, keys=[]).dump())


def test_an_access_opens_for_its_participant_alone() -> None:
    participant, somebody = PrivateKey(bytes(31) + b"\x01"), PrivateKey(bytes(31) + b"\x02")
    access = RealmKeysBundleAccess(keys_bundle_key=BUNDLE_KEY)

    sealed = access.seal(participant.public_key)

    assert RealmKeysBundleAccess.open(sealed, participant) == access
    with pytest.raises(DecryptionError):
        RealmKeysBundleAccess.open(sealed, somebody)


def test_an_access_opens_for_a_sequester_service() -> None:
    vectors = Path(__file__).parent.parent / "vectors" / "data-payloads.json"
    (der,) = (
        vector["service_private_pkcs8_der_b64"]
        for vector in json.loads(vectors.read_text(encoding="utf-8"))["vectors"]
        if "service_private_pkcs8_der_b64" in vector
    )
    service = SequesterPrivateKey(base64.b64decode(der))
    access = RealmKeysBundleAccess(keys_bundle_key=BUNDLE_KEY)

    sealed = access.seal_for_service(service.public_key, bytes)

    assert RealmKeysBundleAccess.open_as_service(sealed, service) == access


def test_a_canary_is_that_of_its_key_alone() -> None:
    canary = key_canary(FIRST, bytes)

    check_key_canary(FIRST, canary)
    with pytest.raises(DecryptionError):
        check_key_canary(SECOND, canary)


def test_a_canary_that_holds_something_is_none() -> None:
    canary = FIRST.derive_secret_key(CANARY_USE).encrypt(b"x", bytes)

    with pytest.raises(DecryptionError):
        check_key_canary(FIRST, canary)


def test_a_key_that_is_not_sound_keeps_its_place() -> None:
    canaries = [key_canary(SECOND, bytes), key_canary(SECOND, bytes)]

    assert sound_keys(BUNDLE, canaries) == [None, SECOND]


def test_a_bundle_has_as_many_keys_as_there_were_rotations() -> None:
    with pytest.raises(MismatchError):
        sound_keys(BUNDLE, [key_canary(FIRST, bytes)])


def test_the_name_of_a_realm_is_read_with_its_key() -> None:
    encrypted = encrypt_realm_name(FIRST, EntryName("Été"), bytes)

    assert decrypt_realm_name(FIRST, encrypted) == "Été"
    with pytest.raises(DecryptionError):
        decrypt_realm_name(SECOND, encrypted)


@pytest.mark.parametrize("name", [b"", b"a/b", b"..", b"\xff", b"x" * 256])
def test_what_is_no_name_is_malformed(name: bytes) -> None:
    encrypted = FIRST.derive_secret_key(NAME_USE).encrypt(name, bytes)

    with pytest.raises(MalformedError):
        decrypt_realm_name(FIRST, encrypted)


def test_the_path_in_a_link_is_read_with_its_key() -> None:
    assert decrypt_path(FIRST, encrypt_path(FIRST, "/a/é", bytes)) == "/a/é"


def test_a_path_that_is_not_utf8_is_malformed() -> None:
    encrypted = FIRST.derive_secret_key(PATH_USE).encrypt(b"/\xff", bytes)

    with pytest.raises(MalformedError):
        decrypt_path(FIRST, encrypted)


def test_each_content_has_a_key_of_its_own() -> None:
    raw = bytes(range(16))

    assert content_key(FIRST, VlobID(raw)) == FIRST.derive_secret_key(raw)
    assert content_key(FIRST, BlockID(raw)) != content_key(SECOND, BlockID(raw))
