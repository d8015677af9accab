"""Targets: the maps inside of frames, signatures and ciphertexts, one target per topic.

The layers around a map are made here, so that what is tried reaches the reader of the map.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from parsec.client.records import GatheredShares
from parsec.crypto.errors import CryptoError
from parsec.crypto.keys import SIGNATURE_SIZE, PrivateKey, SecretKey, SigningKey
from parsec.crypto.shamir import ShamirError, ShamirShare
from parsec.data import (
    account,
    certificates,
    cryptpad,
    enrollment,
    greeting,
    local_manifests,
    manifests,
    realm_keys,
    recovery,
)
from parsec.data.account import AccountVaultItemOpaqueKey, load_vault_item
from parsec.data.address import ServerAddr
from parsec.data.enrollment import PendingEnrollment
from parsec.data.ids import AccountVaultItemOpaqueKeyID, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID
from parsec.data.record import Record
from parsec.data.recovery import CorruptedSecretError, ShamirRecoveryShareData, join_secret
from parsec.wire.frame import MANIFEST_LIMIT, dump_frame
from parsec.wire.msgpack import MalformedError, dump
from tests.support.decoders import seeds
from tests.support.decoders.target import Form, Target, read_again

KEY = SecretKey(bytes(32))
AUTHOR = SigningKey(bytes(32))
RECIPIENT = PrivateKey(bytes(range(32)))


def kinds_of(module: Any) -> list[type[Record]]:
    """The records that a module holds."""
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Record)
        if kind.__module__ == module.__name__
        if kind.__struct_config__.tag not in (None, kind.__name__)
    ]


def _reads(kinds: Sequence[type[Record]]) -> Callable[[bytes], None]:
    def check(content: bytes) -> None:
        frame = dump_frame(content)
        for kind in kinds:
            read_again(kind.load, kind.dump, frame)

    return check


# --- Certificates: of each topic, not verified and verified ---

_UNSIGNED = bytes(SIGNATURE_SIZE)

_LOADERS: Sequence[Callable[[bytes], Any]] = (
    certificates.unverified_common_certificate,
    certificates.unverified_realm_certificate,
    certificates.unverified_shamir_certificate,
    *(
        kind.load_unverified
        for kind in kinds_of(certificates)
        if issubclass(kind, certificates.Certificate)
    ),
)
_BY_AUTHORITY = [
    kind for kind in kinds_of(certificates) if issubclass(kind, certificates.AuthorityCertificate)
]


def check_certificates(content: bytes) -> None:
    """A certificate of any topic."""
    frame = dump_frame(content)
    for load in _LOADERS:
        read_again(load, lambda certificate: _UNSIGNED + certificate.dump(), _UNSIGNED + frame)
    for kind in _BY_AUTHORITY:
        found: Any = read_again(kind.load, kind.dump, frame)
        if isinstance(found, certificates.SequesterServiceCertificate):
            _ = found.encryption_key


def check_signed(signed: bytes) -> None:
    """Something that claims to be signed."""
    for load in _LOADERS:
        try:
            load(signed)
        except (CryptoError, MalformedError):
            continue


# --- Manifests ---


_AUTHOR_ID = DeviceID(bytes(16))
_ANNOUNCED = manifests.Announcement(author=_AUTHOR_ID, timestamp=Instant(0))

_MANIFEST_LOADERS: Sequence[Callable[..., Any]] = (
    manifests.load_child_manifest,
    manifests.load_workspace_manifest,
    manifests.load_user_manifest,
)


def check_manifests(content: bytes) -> None:
    """A manifest, for itself and as the server hands it out."""
    _reads(kinds_of(manifests))(content)
    encrypted = KEY.encrypt(AUTHOR.sign(dump_frame(content)), bytes)
    for load in _MANIFEST_LOADERS:
        try:
            load(encrypted, key=KEY, author_verify_key=AUTHOR.verify_key, announced=_ANNOUNCED)
        except MalformedError:
            continue


def check_encrypted_manifests(encrypted: bytes) -> None:
    """What claims to be an encrypted manifest."""
    for load in _MANIFEST_LOADERS:
        try:
            load(encrypted, key=KEY, author_verify_key=AUTHOR.verify_key, announced=_ANNOUNCED)
        except (CryptoError, MalformedError):
            continue


# --- Accounts, enrollment, shared recovery ---


def check_accounts(content: bytes) -> None:
    """What the vault of an account holds."""
    _reads(kinds_of(account))(content)
    found: Any = read_again(load_vault_item, lambda item: item.dump(), dump_frame(content))
    if found is not None:
        _ = found.fingerprint
    item = AccountVaultItemOpaqueKey(
        key_id=AccountVaultItemOpaqueKeyID(bytes(16)),
        encrypted_data=KEY.encrypt(dump_frame(content), bytes),
    )
    try:
        item.open(KEY)
    except MalformedError:
        return


def check_enrollment(content: bytes) -> None:
    """What travels in an asynchronous enrollment, and its file."""
    _reads(kinds_of(enrollment))(content)
    file = PendingEnrollment(
        cleartext_content=dump_frame(content),
        ciphertext_cleartext_content_digest=KEY.encrypt(content[:40], bytes),
        ciphertext_signing_key=KEY.encrypt(content[:32], bytes),
        ciphertext_private_key=content,
    )
    with suppress(MalformedError):
        _ = file.unverified_content
    with suppress(CryptoError, MalformedError):
        file.open(KEY)


def check_recovery(content: bytes) -> None:
    """What a shared recovery splits, seals and gathers."""
    _reads([*kinds_of(recovery), GatheredShares])(content)
    sealed = RECIPIENT.public_key.seal(AUTHOR.sign(dump_frame(content)))
    try:
        ShamirRecoveryShareData.open(
            sealed,
            recipient_key=RECIPIENT,
            author_verify_key=AUTHOR.verify_key,
            author=_AUTHOR_ID,
            timestamp=Instant(0),
        )
    except MalformedError:
        return


def check_shares(data: bytes) -> None:
    """Shares that are joined: the first byte is the threshold, the second their length."""
    if len(data) < 3:
        return
    threshold, size, rest = data[0], max(1, data[1] % 80), data[2:]
    shares = []
    for start in range(0, min(len(rest), 40 * size), size):
        try:
            shares.append(ShamirShare(rest[start : start + size]))
        except ValueError:
            continue
    try:
        secret = join_secret(shares, threshold=threshold)
    except (CorruptedSecretError, ShamirError):
        return
    assert secret.load(secret.dump()) == secret


def _gathered() -> bytes:
    gathered = GatheredShares(
        server=ServerAddr(hostname="parsec.example.com"),
        organization_id=OrganizationID("Org"),
        user_id=UserID(bytes(16)),
        setup_created_on=Instant(0),
        shares={UserID(bytes(16)): [ShamirShare(b"\1secret")]},
        device_id=_AUTHOR_ID,
    )
    return dump(gathered)


def _shares() -> list[bytes]:
    found = []
    for vector in seeds.document("data-shamir-shares")["vectors"]:
        shares = [bytes.fromhex(text) for text in vector["shares_hex"]]
        found.append(bytes([vector["threshold"], len(shares[0]) % 80]) + b"".join(shares))
    return found


def _all_contents(*topics: str) -> Callable[[], list[bytes]]:
    return lambda: [content for topic in topics for content in seeds.contents(topic)]


def _encrypted() -> list[bytes]:
    sealed = [
        KEY.encrypt(AUTHOR.sign(dump_frame(content)), bytes)
        for content in seeds.contents("data-manifests")
    ]
    return [one for one in sealed if len(one) < MANIFEST_LIMIT]


TARGETS = (
    Target("certificates", Form.MSGPACK, check_certificates, _all_contents("data-certificates")),
    Target(
        "signed-certificates",
        Form.BYTES,
        check_signed,
        lambda: seeds.from_base64("data-certificates-checks", "signed_b64"),
    ),
    Target("manifests", Form.MSGPACK, check_manifests, _all_contents("data-manifests")),
    Target("encrypted-manifests", Form.BYTES, check_encrypted_manifests, _encrypted),
    Target(
        "local-manifests",
        Form.MSGPACK,
        _reads(kinds_of(local_manifests)),
        lambda: [content for content in seeds.contents("data-local") if b"manifest" in content],
    ),
    Target(
        "greeting-payloads",
        Form.MSGPACK,
        _reads(kinds_of(greeting)),
        lambda: [one for one in seeds.contents("data-payloads") if b"invite_" in one],
    ),
    Target("accounts", Form.MSGPACK, check_accounts, _all_contents("data-payloads")),
    Target(
        "enrollment", Form.MSGPACK, check_enrollment, _all_contents("data-payloads", "data-local")
    ),
    Target(
        "realm-keys",
        Form.MSGPACK,
        _reads([*kinds_of(realm_keys), *kinds_of(cryptpad)]),
        _all_contents("data-payloads"),
    ),
    Target(
        "shared-recovery",
        Form.MSGPACK,
        check_recovery,
        lambda: [*seeds.contents("data-payloads"), _gathered()],
    ),
    Target("shares", Form.BYTES, check_shares, _shares),
)
