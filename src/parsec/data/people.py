"""What people, their devices and organizations are called."""

import enum
import re
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias

import msgspec

from parsec.crypto.entropy import Entropy
from parsec.data.ids import DeviceID, UserID


class Text(str):
    """A text with a rule, kept in Unicode normal form C; raises ValueError when it breaks it."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        normal = cls._normalized(text)
        cls._check(normal)
        return super().__new__(cls, normal)

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for a text; raises ValueError."""
        if type(value) is not str:
            raise ValueError(f"{cls.__name__} is a text on the wire")
        return cls(value)

    def to_wire(self) -> str:
        return str(self)

    @classmethod
    def _normalized(cls, text: str) -> str:
        return text

    @classmethod
    def _check(cls, text: str) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class _BoundedText(Text):
    """A text of at least one and at most `max_bytes` bytes of UTF-8, counted in normal form."""

    __slots__ = ()
    max_bytes: ClassVar[int]

    @classmethod
    def _normalized(cls, text: str) -> str:
        # Normalization takes quadratic time on hostile marks, and composes four characters at
        # most into one: beyond this bound no need to try.
        if len(text) > 4 * cls.max_bytes:
            raise cls._too_long()
        if text.isascii():
            return text
        import unicodedata

        return unicodedata.normalize("NFC", text)

    @classmethod
    def _check(cls, text: str) -> None:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise ValueError(f"{cls.__name__} holds half of a surrogate pair") from None
        if size > cls.max_bytes:
            raise cls._too_long()
        if size == 0:
            raise ValueError(f"{cls.__name__} is empty")

    @classmethod
    def _too_long(cls) -> ValueError:
        return ValueError(f"{cls.__name__} is longer than {cls.max_bytes} bytes")


class OrganizationID(_BoundedText):
    """The name of an organization: word characters and dashes (wire.md 4.2)."""

    __slots__ = ()
    max_bytes = 32

    @classmethod
    def _check(cls, text: str) -> None:
        super()._check(text)
        if not all(character == "-" or _is_word_character(character) for character in text):
            raise ValueError("an organization ID takes letters, digits, `_` and `-` only")


class DeviceLabel(_BoundedText):
    """What a person calls a device: any characters."""

    __slots__ = ()
    max_bytes = 255

    @classmethod
    def redacted(cls, device_id: DeviceID) -> Self:
        """What stands for the label that a redacted certificate lacks."""
        return cls(device_id.hex())


class EntryNameTooLong(ValueError):
    """The name of a file or folder exceeds 255 bytes."""


class EntryNameInvalid(ValueError):
    """The name of a file or folder is empty, reserved, or holds a slash or NUL."""


class EntryName(_BoundedText):
    """The name of a file or folder; raises EntryNameTooLong or EntryNameInvalid."""

    __slots__ = ()
    max_bytes = 255

    @classmethod
    def _check(cls, text: str) -> None:
        try:
            super()._check(text)
        except EntryNameTooLong:
            raise
        except ValueError as error:
            raise EntryNameInvalid(str(error)) from None
        if text in (".", "..") or "/" in text or "\0" in text:
            raise EntryNameInvalid("an entry cannot be named `.` or `..`, nor hold `/` or NUL")

    @classmethod
    def _too_long(cls) -> ValueError:
        return EntryNameTooLong(str(super()._too_long()))


REDACTED_DOMAIN = "redacted.invalid"
"""The domain of the stand-in addresses; refused everywhere else (wire.md 4.3)."""


class EmailAddress(Text):
    """An address as RFC 5322 has it, with the particularities of wire.md 4.4; case is kept."""

    __slots__ = ()

    @classmethod
    def _check(cls, text: str) -> None:
        if not _is_plain_email(text) and not _email().fullmatch(text):
            raise ValueError("not an e-mail address")
        # No comment or quoted string can end like this: what ends so has exactly this domain.
        if text.endswith(f"@{REDACTED_DOMAIN}"):
            raise ValueError(f"the domain {REDACTED_DOMAIN} is reserved")

    @classmethod
    def redacted(cls, user_id: UserID) -> Self:
        """What stands for the address that a redacted certificate lacks."""
        return str.__new__(cls, f"{user_id.hex()}@{REDACTED_DOMAIN}")

    @property
    def local_part(self) -> str:
        """What stands before the at sign."""
        return self[: self._at]

    @property
    def domain(self) -> str:
        """What stands after the at sign."""
        return self[self._at + 1 :]

    @property
    def _at(self) -> int:
        # Quoted strings and comments may hold at signs too.
        local = _local_part().match(self)
        assert local is not None
        return local.end()


class _HumanLabel(_BoundedText):
    """What a person is called."""

    __slots__ = ()
    max_bytes = 254

    @classmethod
    def _check(cls, text: str) -> None:
        super()._check(text)
        if any(character in '<>@,:;\\"[]' for character in text):
            raise ValueError("a person's name takes none of < > @ , : ; \\ \" [ ]")


class HumanHandle(
    msgspec.Struct, frozen=True, eq=False, array_like=True, forbid_unknown_fields=True
):
    """A person: the address identifies, the label informs; raises ValueError for a bad label."""

    email: EmailAddress
    label: str

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "label", str(_HumanLabel(self.label)))

    @classmethod
    def redacted(cls, user_id: UserID) -> Self:
        """Who stands for the person that a redacted certificate lacks; never sent."""
        return cls(EmailAddress.redacted(user_id), user_id.hex())

    @classmethod
    def from_wire(cls, value: object) -> Self:
        """Take what the MessagePack decoder yields for a person; raises ValueError."""
        if type(value) is not list or len(value) != 2 or type(value[1]) is not str:
            raise ValueError("a person is an address and a label on the wire")
        return cls(EmailAddress.from_wire(value[0]), value[1])

    def to_wire(self) -> list[str]:
        return [self.email.to_wire(), self.label]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HumanHandle) and self.email == other.email

    # A Struct has its own, which would compare identities.
    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.email)

    def __str__(self) -> str:
        return f"{self.label} <{self.email}>"


class _LocalEmailAddress(EmailAddress):
    """An address in a local file, where letters of any alphabet are taken."""

    __slots__ = ()

    @classmethod
    def _check(cls, text: str) -> None:
        super()._check("".join(letter if letter.isascii() else "x" for letter in text))

    @property
    def _at(self) -> int:
        return self.rindex("@")


class _LocalHumanHandle(
    HumanHandle, frozen=True, eq=False, array_like=True, forbid_unknown_fields=True
):
    email: _LocalEmailAddress
    label: str


if TYPE_CHECKING:
    LocalHumanHandle: TypeAlias = HumanHandle
else:
    # Files of other clients hold addresses that the wire refuses; once they are here, refusing
    # them would only keep people from their keys.
    LocalHumanHandle = _LocalHumanHandle


class UserProfile(enum.StrEnum):
    """What a member may do in the organization."""

    ADMIN = "ADMIN"
    STANDARD = "STANDARD"
    OUTSIDER = "OUTSIDER"


class ValidationCode(Text):
    """Six characters that prove who reads a mailbox; a secret, so not shown by repr."""

    __slots__ = ()

    @classmethod
    def generate(cls, entropy: Entropy) -> Self:
        """A fresh random code."""
        # The alphabet has 32 characters, so that five bits of a byte choose uniformly.
        return cls("".join(_CODE_ALPHABET[byte & 31] for byte in entropy(_CODE_LENGTH)))

    @classmethod
    def _check(cls, text: str) -> None:
        if len(text) != _CODE_LENGTH or not set(text) <= set(_CODE_ALPHABET):
            raise ValueError(f"a validation code takes {_CODE_LENGTH} of {_CODE_ALPHABET}")

    def __eq__(self, other: object) -> bool:
        # How long a comparison takes must not tell where it failed.
        import hmac  # here, as it loads OpenSSL

        return isinstance(other, str) and hmac.compare_digest(_raw(self), _raw(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        return "ValidationCode(…)"


def _raw(text: str) -> bytes:
    # Whatever a peer sends as a code, comparing must not fail.
    return text.encode("utf-8", "surrogatepass")


_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_CODE_LENGTH = 6


# Unicode UTS #18, annex C: Alphabetic, Mark, Decimal_Number, Connector_Punctuation, Join_Control.
# Python's `\w` is another set. Of Other_Alphabetic only these are neither letters nor marks.
_WORD_CATEGORIES = ("Nd", "Nl", "Pc")
_OTHER_WORD_CHARACTERS = frozenset(
    chr(code)
    for first, last in [
        (0x200C, 0x200D),
        (0x24B6, 0x24E9),
        (0x1F130, 0x1F149),
        (0x1F150, 0x1F169),
        (0x1F170, 0x1F189),
    ]
    for code in range(first, last + 1)
)


def _is_word_character(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character == "_"
    import unicodedata

    category = unicodedata.category(character)
    return (
        category[0] in "LM" or category in _WORD_CATEGORIES or character in _OTHER_WORD_CHARACTERS
    )


# The grammar of wire.md 4.4, written so that the next character always decides: with possessive
# quantifiers, no input makes the engine go back, however hostile and long.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~]++"
_CONTROLS = r"\x01-\x08\x0b\x0c\x0e-\x1f\x7f"
_SPACE = r"[ \t]*+(?:\r\n[ \t]++)*+"  # folding white space, or nothing
_COMMENT = rf"\((?:{_SPACE}(?:[\x21-\x27\x2a-\x5b\x5d-\x7e{_CONTROLS}]|\\[\x00-\x7f]))*+{_SPACE}\)"
_COMMENTS = rf"(?:{_SPACE}{_COMMENT})*+{_SPACE}"
_DOT_ATOM = rf"[ \t]?+{_ATOM}(?:(?:\.{_COMMENTS}|-++){_ATOM})*+[ \t]?+"
_QUOTED_CONTENT = rf"(?:{_SPACE}(?:[\x21\x23-\x5b\x5d-\x7e{_CONTROLS}]|\\[\x00-\x7f]))*+{_SPACE}"
_QUOTED_STRING = rf'{_COMMENTS}"{_QUOTED_CONTENT}"{_COMMENTS}'
_LITERAL = rf"{_COMMENTS}\[(?:{_SPACE}[\x21-\x5a\x5e-\x7e{_CONTROLS}])*+{_SPACE}\]{_COMMENTS}"


def _is_plain_email(text: str) -> bool:
    """Whether it is like nearly all, of which the grammar would refuse none.

    To compile the grammar takes longer than all else that a short command does.
    """
    local_part, at, domain = text.partition("@")
    words = [word for side in (local_part, domain) for word in side.replace("-", ".").split(".")]
    return at != "" and text.isascii() and all(word.isalnum() for word in words)


@cache
def _local_part() -> re.Pattern[str]:
    return re.compile(rf"(?:{_DOT_ATOM}|{_QUOTED_STRING})(?=@)")


@cache
def _email() -> re.Pattern[str]:
    return re.compile(rf"(?:{_DOT_ATOM}|{_QUOTED_STRING})@(?:{_DOT_ATOM}|{_LITERAL})")
