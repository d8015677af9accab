"""Values of our types, drawn by type: every variant and member in turn, limits before the rest.

Seeded rather than left to chance: so many thousand values go through the official types in one
batch, a run repeats the last one, and no variant of a union can be missed.
"""

import enum
import itertools
import json
import random
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from parsec.crypto.keys import (
    HashDigest,
    KeyDerivation,
    PrivateKey,
    PublicKey,
    SecretKey,
    SigningKey,
    VerifyKey,
)
from parsec.data.certificates import (
    SequesterAuthorityCertificate,
    SequesterServiceCertificate,
    ShamirRecoveryBriefCertificate,
)
from parsec.data.ids import AccessToken, Id, UserID
from parsec.data.instant import Instant
from parsec.data.manifests import BlockAccess, FileManifest
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    HumanHandle,
    OrganizationID,
    ValidationCode,
)

T = TypeVar("T")

VECTORS = Path(__file__).parent.parent / "vectors"

TEXTS = (
    "",
    "a",
    "é",
    "e\u0301",  # decomposed: a plain text stays as it is
    "x" * 31,
    "x" * 32,  # from here on the length takes a byte of its own
    "x" * 256,
    "x" * 70_000,
    "line\nbreak\0\x7f",
    "\U0001f511 ключ 鍵",
    "\ufeff\u202e\ufdfa",
)
BINARIES = (b"", b"\0", b"\xff" * 31, b"\x01" * 32, bytes(range(256)), bytes(70_000))
LABELS = ("a", "My dev1 machine", "é" * 127, "l" * 254, "tab\there", "\U0001f5a5")
EMAILS = ("a@b", "alice@example.com", "A.b-c+d@x-y.org", '"quo ted"@example.com', "a@[127.0.0.1]")
INSTANTS = (
    0,
    -1,
    1_577_836_800_000_000,
    253_402_300_799_999_999,
    253_402_300_800_000_000,
    -62_135_596_800_000_001,
    -8_334_601_228_800_000_000,
    8_210_266_876_799_999_999,
)
SMALL_INTEGERS = (0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1)


class Examples:
    """A source of values; each type goes through its interesting values before random ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._cycles: dict[Any, Iterator[Any]] = {}
        self.drawn: set[type] = set()
        """The records, variants and enumerations that occurred so far."""

    def of(self, kind: Any) -> Any:
        """The next value of a type or annotation."""
        origin = get_origin(kind)
        if origin is Annotated:
            return self._annotated(kind)
        if origin in (Union, UnionType):
            return self.of(self._next(kind, _kinds_of(kind)))
        if origin is Literal:
            return self._next(kind, get_args(kind))
        if origin in (list, tuple, dict, frozenset):
            return self._collection(origin, get_args(kind))
        return self._of_class(kind)

    def many(self, kind: type[T], count: int) -> list[T]:
        """So many values of a type."""
        return [self.of(kind) for _ in range(count)]

    def bytes(self, size: int) -> bytes:
        """Random bytes."""
        return self._random.randbytes(size)

    def pick(self, key: object, choices: Iterable[T]) -> T:
        """The next of the choices that belong to this key."""
        picked: T = self._next(key, choices)
        return picked

    def _annotated(self, kind: Any) -> Any:
        base, meta = get_args(kind)
        if base is int:
            return self._integer(kind, meta)
        if base is bytes:
            return self.bytes(meta.min_length)
        if get_origin(base) is list:
            return self._list(get_args(base)[0], meta.min_length or 0, meta.max_length)
        raise AssertionError(f"no examples of {kind}")

    def _integer(self, kind: Any, meta: msgspec.Meta) -> int:
        least = int(meta.ge if meta.ge is not None else -(2**63))
        most = 2**64 - 1
        if meta.le is not None:
            most = int(meta.le)
        elif meta.lt is not None:
            most = int(meta.lt) - 1
        interesting = {least, most, *SMALL_INTEGERS, *(-number for number in SMALL_INTEGERS)}
        return int(self._next(kind, sorted(n for n in interesting if least <= n <= most)))

    def _collection(self, origin: Any, of: tuple[Any, ...]) -> Any:
        if origin is tuple:
            return tuple(self.of(item) for item in of)
        if origin is dict:
            keys, values = of
            return {self.of(keys): self.of(values) for _ in range(self._size(of))}
        items = self._list(of[0], 0, None)
        return frozenset(items) if origin is frozenset else items

    def _list(self, item: Any, least: int, most: int | None) -> list[Any]:
        size = max(least, self._size(item))
        return [self.of(item) for _ in range(size if most is None else min(size, most))]

    def _size(self, of: Any) -> int:
        # From 16 items on, the count takes a byte of its own.
        return int(self._next(("size", of), (1, 0, 2, 3, 1, 17)))

    def _of_class(self, kind: Any) -> Any:
        if kind in (None, NoneType):
            return None
        if kind is bool:
            return self._next(kind, (False, True))
        if kind is float:
            return self._next(kind, (0.0, 300.0, -0.5, 1e300, 320.0))
        if kind in (str, bytes):
            return self._next(kind, TEXTS if kind is str else BINARIES)
        if issubclass(kind, enum.Enum):
            self.drawn.add(kind)
            return self._next(kind, list(kind))
        if issubclass(kind, msgspec.Struct) and kind is not HumanHandle:
            self.drawn.add(kind)
            drawn = kind(**{field.name: self.of(field.type) for field in fields_of(kind)})
            return _RULES[kind](self, drawn) if kind in _RULES else drawn
        return self._scalar(kind)

    def _scalar(self, kind: Any) -> Any:
        if kind in _DRAWN:
            return _DRAWN[kind](self)
        if issubclass(kind, Id | AccessToken):
            return kind(self.bytes(16))
        if kind in _KEYS:
            return kind(self.bytes(32))
        raise AssertionError(f"no examples of {kind}")

    def _next(self, key: object, choices: Iterable[Any]) -> Any:
        if key not in self._cycles:
            self._cycles[key] = itertools.cycle(list(choices))
        return next(self._cycles[key])


def fields_of(kind: type[msgspec.Struct]) -> Iterable[msgspec.structs.FieldInfo]:
    """The fields that are to be drawn: not those that a release yet to come may add."""
    return [
        field
        for field in msgspec.structs.fields(kind)
        if msgspec.UnsetType not in get_args(field.type)
    ]


def reachable(kind: Any) -> set[type]:
    """The records, variants and enumerations that a value of this type can hold, or is."""
    found: set[type] = set()
    _reach(kind, found)
    return found


def _reach(kind: Any, found: set[type]) -> None:
    for part in _kinds_of(kind):
        _reach(part, found)
    if not isinstance(kind, type) or kind in found or kind is HumanHandle:
        return
    if issubclass(kind, enum.Enum):
        found.add(kind)
    elif issubclass(kind, msgspec.Struct):
        found.add(kind)
        for field in fields_of(kind):
            _reach(field.type, found)


def _kinds_of(kind: Any) -> list[Any]:
    # A union of one is told to msgspec with a second kind, whose tag is empty and which nobody is.
    return [
        part
        for part in get_args(kind)
        if getattr(getattr(part, "__struct_config__", None), "tag", None) != ""
    ]


def _instant(source: Examples) -> Instant:
    return Instant(source.pick(Instant, INSTANTS))


def _handle(source: Examples) -> HumanHandle:
    return HumanHandle(source.of(EmailAddress), source.pick(HumanHandle, LABELS))


def _code(source: Examples) -> ValidationCode:
    return ValidationCode.generate(source.bytes)


_KEYS = (HashDigest, KeyDerivation, PrivateKey, PublicKey, SecretKey, SigningKey, VerifyKey)
_DRAWN: dict[Any, Callable[[Examples], Any]] = {
    Instant: _instant,
    HumanHandle: _handle,
    ValidationCode: _code,
    EmailAddress: lambda source: EmailAddress(source.pick(EmailAddress, EMAILS)),
    DeviceLabel: lambda source: DeviceLabel(source.pick(DeviceLabel, (*LABELS, "d" * 255))),
    EntryName: lambda source: EntryName(source.pick(EntryName, ("a", "é.txt", "…", "n" * 255))),
    OrganizationID: lambda source: OrganizationID(
        source.pick(OrganizationID, ("A", "My-Org_1", "o" * 32, "Ünïon", "組織"))
    ),
}


def _sound_brief(
    source: Examples, drawn: ShamirRecoveryBriefCertificate
) -> ShamirRecoveryBriefCertificate:
    weights = source.pick("weights", ((1,), (255,), (1, 254), (2, 3), (3,) * 17, (1,) * 255))
    threshold = source.pick("thresholds", (1, sum(weights), len(weights)))
    return msgspec.structs.replace(
        drawn,
        threshold=min(threshold, sum(weights)),
        per_recipient_shares={source.of(UserID): weight for weight in weights},
    )


def _sound_file(source: Examples, drawn: FileManifest) -> FileManifest:
    blocksize, size, places = source.pick(FileManifest, _FILES)
    return msgspec.structs.replace(
        drawn,
        blocksize=blocksize,
        size=size,
        blocks=[
            msgspec.structs.replace(source.of(BlockAccess), offset=offset, size=length)
            for offset, length in places
        ],
    )


def _rsa_key() -> bytes:
    document = json.loads((VECTORS / "data-certificates.json").read_text(encoding="utf-8"))
    return b64decode(document["keys"]["sequester"]["authority_verify_spki_der_b64"])


_FILES: tuple[tuple[int, int, list[tuple[int, int]]], ...] = (
    (512 * 1024, 10, [(0, 10)]),
    (8, 0, []),
    (8, 8, [(0, 8)]),
    (8, 100, [(3, 5), (16, 1), (40, 8)]),
    (2**20, 2**63, [(2**40, 2**20)]),
    (2**63, 2**64 - 1, [(0, 2**63), (2**63, 2**63 - 1)]),
)
"""Size of blocks, size of the file, and where its blocks lie."""

_RULES: dict[Any, Callable[[Examples, Any], Any]] = {
    ShamirRecoveryBriefCertificate: _sound_brief,
    FileManifest: _sound_file,
    SequesterAuthorityCertificate: lambda _, drawn: msgspec.structs.replace(
        drawn, verify_key_der=_rsa_key()
    ),
    SequesterServiceCertificate: lambda _, drawn: msgspec.structs.replace(
        drawn, encryption_key_der=_rsa_key()
    ),
}
"""What makes a drawn record keep the rules that the types of its fields do not say."""
