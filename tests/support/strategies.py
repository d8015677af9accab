"""Values of our types for property tests, made from the types of their fields alone.

Each scalar says here how it is drawn, and each record with rules beyond its types how one that
keeps them is; everything else follows.
"""

import enum
import json
import types
from base64 import b64decode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from parsec.crypto import keys
from parsec.crypto.shamir import ShamirShare
from parsec.data import certificates, local_manifests, manifests
from parsec.data.address import ServerAddr
from parsec.data.ids import AccessToken, Id, UserID
from parsec.data.instant import Instant
from parsec.data.people import (
    DeviceLabel,
    EmailAddress,
    EntryName,
    HumanHandle,
    OrganizationID,
    ValidationCode,
)

S = TypeVar("S", bound=msgspec.Struct)

_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_U64 = (1 << 64) - 1
# wire.md 3.2.
_FIRST, _LAST = -8_334_601_228_800_000_000, 8_210_266_876_799_999_999


def values(kind: Any) -> SearchStrategy[Any]:
    """Any value of a type; none of ours contains itself."""
    return _values(kind)


@cache
def _values(kind: Any) -> SearchStrategy[Any]:
    if isinstance(kind, type) and (drawn := _by_class(kind)) is not None:
        return drawn
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(*args)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of([values(part) for part in args if part.__name__ != "Nobody"])
    if origin is list:
        return st.lists(values(args[0]), max_size=3)
    if origin is frozenset:
        # One at most: a set has no order in which all writers would write it.
        return st.frozensets(values(args[0]), max_size=1)
    if origin is tuple:
        return st.tuples(*map(values, args))
    assert origin is dict, f"no values of {kind}"
    return st.dictionaries(values(args[0]), values(args[1]), max_size=3)


def _by_class(kind: type[Any]) -> SearchStrategy[Any] | None:
    for base, draw in _SCALARS.items():
        if issubclass(kind, base):
            return draw(kind)
    if kind in _RECORDS:
        return _RECORDS[kind]()
    if isinstance(kind, msgspec.StructMeta):
        return _struct(kind)
    return None


def _struct(kind: type[S], **given: SearchStrategy[Any]) -> SearchStrategy[S]:
    fields = {field.name: values(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **{**fields, **given})


def _annotated(kind: Any, meta: msgspec.Meta) -> SearchStrategy[Any]:
    if kind is int:
        highest = int(meta.le if meta.le is not None else (meta.lt or _U64 + 1) - 1)
        lowest = int(meta.ge or 0)
        return st.integers(lowest, highest) | st.sampled_from([lowest, highest])
    if kind is bytes:
        return st.binary(min_size=meta.min_length or 0, max_size=meta.max_length)
    if kind is str:
        assert meta.pattern is not None
        return st.from_regex(meta.pattern.strip("^$"), fullmatch=True)
    (item,) = get_args(kind)
    return st.lists(values(item), min_size=meta.min_length or 0, max_size=3)


def _bounded(kind: type[Any], characters: SearchStrategy[str], max_size: int) -> Any:
    return st.text(characters, min_size=1, max_size=max_size).filter(_accepted_by(kind)).map(kind)


def _accepted_by(kind: type[Any]) -> Callable[[str], bool]:
    def accepts(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    return accepts


_LETTERS = st.characters(categories=["Ll", "Lu", "Nd"])
_ANY = st.characters(exclude_categories=["Cs"])
_ADDRESSES = st.from_regex(
    r"[a-zA-Z0-9]{1,9}(\.[a-z+]{1,5})?@[a-z]{1,9}\.[a-z]{2,5}", fullmatch=True
)


def _handles(_: object) -> SearchStrategy[Any]:
    label = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='<>@,:;\\"[]'))
    return st.builds(
        HumanHandle, values(EmailAddress), label.filter(lambda text: 0 < len(text) < 9)
    )


_SCALARS: dict[type[Any], Callable[[type[Any]], SearchStrategy[Any]]] = {
    bool: lambda _: st.booleans(),
    type(None): lambda _: st.none(),
    msgspec.UnsetType: lambda _: st.just(msgspec.UNSET),
    enum.Enum: st.sampled_from,
    Instant: lambda _: (st.integers(_FIRST, _LAST) | st.sampled_from([_FIRST, _LAST])).map(Instant),
    float: lambda _: st.floats(allow_nan=False),
    Id: lambda kind: st.binary(min_size=16, max_size=16).map(kind),
    AccessToken: lambda kind: st.binary(min_size=16, max_size=16).map(kind),
    ShamirShare: lambda kind: st.binary(min_size=2, max_size=40).map(kind),
    **dict.fromkeys(
        (
            keys.HashDigest,
            keys.KeyDerivation,
            keys.PrivateKey,
            keys.PublicKey,
            keys.SecretKey,
            keys.SigningKey,
            keys.VerifyKey,
        ),
        lambda kind: st.binary(min_size=32, max_size=32).map(kind),
    ),
    ServerAddr: lambda _: st.sampled_from(
        [ServerAddr(hostname="parsec.example.com"), ServerAddr(hostname="[::1]", use_ssl=False)]
    ),
    OrganizationID: lambda kind: _bounded(kind, _LETTERS, 10),
    DeviceLabel: lambda kind: _bounded(kind, _ANY, 60),
    EntryName: lambda kind: _bounded(kind, _ANY, 60),
    EmailAddress: lambda kind: _ADDRESSES.map(kind),
    ValidationCode: lambda kind: st.text(_CODE_ALPHABET, min_size=6, max_size=6).map(kind),
    HumanHandle: _handles,
    str: lambda _: st.text(_ANY),
    bytes: lambda _: st.binary(max_size=100),
}
"""How values of a class, or of one derived from it, are drawn."""


@st.composite
def _briefs(draw: st.DrawFn) -> certificates.ShamirRecoveryBriefCertificate:
    brief = draw(_struct(certificates.ShamirRecoveryBriefCertificate))
    some = values(dict[UserID, Annotated[int, msgspec.Meta(ge=1, le=85)]])
    shares = draw(some.filter(bool))
    threshold = draw(st.integers(1, sum(shares.values())))
    return msgspec.structs.replace(brief, per_recipient_shares=shares, threshold=threshold)


@st.composite
def _files(draw: st.DrawFn) -> manifests.FileManifest:
    blocksize = draw(st.integers(8, 1 << 40))
    blocks, end = [], 0
    for span in sorted(draw(st.sets(st.integers(0, 50), max_size=3))):
        first = draw(st.integers(0, blocksize - 1))
        offset, size = span * blocksize + first, draw(st.integers(1, blocksize - first))
        access = draw(_struct(manifests.BlockAccess))
        blocks.append(msgspec.structs.replace(access, offset=offset, size=size))
        end = offset + size
    size = end + draw(st.integers(0, 1 << 40))
    manifest = draw(_struct(manifests.FileManifest, blocksize=st.just(blocksize)))
    whole = msgspec.structs.replace(manifest, blocks=blocks, size=size)
    return whole if whole.id != whole.parent else draw(st.nothing())


@st.composite
def _local_files(draw: st.DrawFn) -> local_manifests.LocalFileManifest:
    blocksize = draw(st.integers(8, 1 << 40))
    spans: list[list[local_manifests.ChunkView]] = []
    end = 0
    for number in range(draw(st.integers(0, 3))):
        start = number * blocksize + draw(st.integers(0, blocksize - 1))
        end = draw(st.integers(start + 1, (number + 1) * blocksize))
        view = draw(_struct(local_manifests.ChunkView))
        spans.append(
            [
                msgspec.structs.replace(
                    view, start=start, stop=end, raw_offset=start, raw_size=end - start
                )
            ]
        )
    manifest = draw(_struct(local_manifests.LocalFileManifest, blocksize=st.just(blocksize)))
    whole = msgspec.structs.replace(manifest, blocks=spans, size=end)
    return whole if whole.base.id != whole.parent else draw(st.nothing())


def _local_folders() -> SearchStrategy[local_manifests.LocalFolderManifest]:
    return _struct(local_manifests.LocalFolderManifest, speculative=st.just(False))


_VECTORS = Path(__file__).parent.parent / "vectors"


def _rsa_keys() -> SearchStrategy[bytes]:
    document = json.loads((_VECTORS / "data-certificates.json").read_text(encoding="utf-8"))
    return st.just(b64decode(document["keys"]["sequester"]["authority_verify_spki_der_b64"]))


_RECORDS: dict[type[Any], Callable[[], SearchStrategy[Any]]] = {
    certificates.ShamirRecoveryBriefCertificate: _briefs,
    certificates.SequesterAuthorityCertificate: lambda: _struct(
        certificates.SequesterAuthorityCertificate, verify_key_der=_rsa_keys()
    ),
    certificates.SequesterServiceCertificate: lambda: _struct(
        certificates.SequesterServiceCertificate, encryption_key_der=_rsa_keys()
    ),
    manifests.FileManifest: _files,
    local_manifests.LocalFileManifest: _local_files,
    local_manifests.LocalFolderManifest: _local_folders,
}
"""How records are drawn that keep rules between their fields."""
