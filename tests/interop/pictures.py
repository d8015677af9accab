"""Values as plain built-ins with type names, in which two implementations can compare theirs.

* `None`, booleans, numbers, texts and bytes stand for themselves, lists also for tuples;
* `(name, plain)` is a value of a named type: an identifier, a key, a date, an enumeration's member;
* `(name, {field: picture})` is a record, a message or a variant of a union.

The names are those of the official classes: where ours differ, this module knows the rule.
"""

import enum
import re
from typing import Any, TypeAlias

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
from parsec.data.ids import AccessToken, Id
from parsec.data.instant import Instant
from parsec.data.people import HumanHandle, Text
from parsec.protocol.command import MergedReply, Reply, Request, UnknownStatus, reply_status

Picture: TypeAlias = Any

_BYTES = (
    Id,
    AccessToken,
    HashDigest,
    KeyDerivation,
    PrivateKey,
    PublicKey,
    SecretKey,
    SigningKey,
    VerifyKey,
)


def picture(value: object) -> Picture:
    """The picture of one of our values."""
    name = type(value).__name__
    match value:
        case None | bool() | float():
            return value
        case HumanHandle():
            return name, (str(value.email), value.label)
        case Reply():
            return _reply_picture(value)
        case msgspec.Struct():
            return official_name(type(value)), _fields(value)
        case enum.Enum():
            return name, value.name
        case Instant():
            return "DateTime", int(value)
        case Text():
            return name, str(value)
        case list() | tuple():
            return [picture(item) for item in value]
        case frozenset():
            return frozenset(picture(item) for item in value)
        case dict():
            return {picture(key): picture(item) for key, item in value.items()}
    if isinstance(value, _BYTES):
        return name, bytes(value)
    assert type(value) in (int, str, bytes), f"no picture of a {name}"
    return value


def is_same_text(one: bytes, other: bytes, *, of: Picture) -> bool:
    """Whether two writers wrote a value the same way, but for the order of maps and sets."""
    return sorted(one) == sorted(other) if _is_unordered(of) else one == other


def official_name(kind: type[msgspec.Struct]) -> str:
    """What the official types call one of our records, requests or replies."""
    if issubclass(kind, Request):
        return "Req"
    if issubclass(kind, Reply):
        return "Rep" + "".join(word.capitalize() for word in reply_status(kind).split("_"))
    if kind is UnknownStatus:
        return "RepUnknownStatus"
    name = re.sub(r"Step(?=\d)", "StepNumber", kind.__name__)
    return re.sub(r"Pki$", "PKI", re.sub(r"Kv2$", "KV2", name))


def official_name_of_merged(kind: type[MergedReply]) -> str:
    """What they call the union's variant that one of our merged replies consists of."""
    for ours, theirs in _MERGED:
        name, changes = re.subn(ours, theirs, kind.__name__)
        if changes:
            return name
    raise AssertionError(f"{kind.__name__} has no counterpart")


_MERGED = (
    (r"^InviteInfoOk", "InvitationType"),
    (r"^AsyncEnrollmentInfoOk", "InfoStatus"),
    (r"^(\w+)Event$", r"APIEvent\1"),
)


def _reply_picture(reply: Reply) -> Picture:
    fields = _fields(reply)
    if not isinstance(reply, MergedReply):
        return official_name(type(reply)), fields
    del fields[reply.MERGED_BY]
    return official_name(type(reply)), {"unit": (official_name_of_merged(type(reply)), fields)}


def _is_unordered(drawn: Picture) -> bool:
    match drawn:
        case (_, dict() as fields):
            return any(map(_is_unordered, fields.values()))
        case dict() | frozenset():
            return len(drawn) > 1 or any(map(_is_unordered, drawn))
        case list():
            return any(map(_is_unordered, drawn))
    return False


def _fields(record: msgspec.Struct) -> dict[str, Picture]:
    return {
        name: _field_picture(name, value)
        for name in record.__struct_fields__
        if (value := getattr(record, name)) is not msgspec.UNSET
    }


def _field_picture(name: str, value: object) -> Picture:
    """The picture of a field, where the official types have a class that ours has not."""
    if name.endswith("algorithm") and type(value) is str:
        return _ALGORITHMS[value]
    if name.endswith("_key_der"):
        return _KEY_DERS[name], value
    if name == "purpose" and value is None:
        return "DevicePurpose", "STANDARD"
    return picture(value)


_ALGORITHMS = {
    "X25519_XSALSA20_POLY1305": ("PrivateKeyAlgorithm", "X25519_XSALSA20_POLY1305"),
    "ED25519": ("SigningKeyAlgorithm", "ED25519"),
    # Here the binding has a B that the wire has not.
    "BLAKE2_XSALSA20_POLY1305": ("SecretKeyAlgorithm", "BLAKE2B_XSALSA20_POLY1305"),
    "SHA256": ("HashAlgorithm", "SHA256"),
}
_KEY_DERS = {
    "verify_key_der": "SequesterVerifyKeyDer",
    "encryption_key_der": "SequesterPublicKeyDer",
}
