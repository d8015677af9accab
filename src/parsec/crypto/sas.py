"""Short codes that two people read to each other, so that nobody can sit between them.

Greeter and claimer each draw a nonce. The claimer first sends the digest of its own, so it cannot
choose it after seeing the greeter's, and somebody in the middle gets one guess at 20 bits.
"""

from typing import NamedTuple, Self

from parsec.crypto.entropy import Entropy
from parsec.crypto.errors import DataSizeError
from parsec.crypto.keys import SecretKey

# docs/protocol/cryptography.md, greeting.
NONCE_SIZE = 64
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 4
_CODE_BITS = 20
_CODE_COUNT = 1 << _CODE_BITS


class SASCode(str):
    """Four characters of an alphabet without look-alikes; any other text is a ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if len(text) != CODE_LENGTH or not set(text) <= set(ALPHABET):
            raise ValueError(f"a code has {CODE_LENGTH} characters out of {ALPHABET}")
        return super().__new__(cls, text)

    @classmethod
    def from_int(cls, value: int) -> Self:
        """The code of a 20-bit integer, five bits a character, lowest bits first."""
        if not 0 <= value < _CODE_COUNT:
            raise ValueError(f"a code has {_CODE_BITS} bits")
        return cls("".join(ALPHABET[value >> shift & 31] for shift in range(0, _CODE_BITS, 5)))


class SASCodes(NamedTuple):
    """What the claimer says and the greeter picks, and the other way round."""

    claimer: SASCode
    greeter: SASCode


def sas_codes(shared_key: SecretKey, *, claimer_nonce: bytes, greeter_nonce: bytes) -> SASCodes:
    """Both codes of a greeting.

    Raises DataSizeError: two nonces of free lengths could be cut elsewhere by a liar.
    """
    for nonce in (claimer_nonce, greeter_nonce):
        if len(nonce) != NONCE_SIZE:
            raise DataSizeError(f"a nonce of {len(nonce)} bytes, expected {NONCE_SIZE}")
    bits = int.from_bytes(shared_key.mac_512(claimer_nonce + greeter_nonce)[:5], "big")
    return SASCodes(
        claimer=SASCode.from_int(bits % _CODE_COUNT),
        greeter=SASCode.from_int(bits >> _CODE_BITS),
    )


def sas_choices(real: SASCode, count: int, entropy: Entropy) -> list[SASCode]:
    """`count` different codes, all but the real one at random, in random order."""
    if not 1 <= count <= _CODE_COUNT:
        raise ValueError(f"{count} codes cannot be shown")
    choices = [real]
    while len(choices) < count:
        choices.append(_another_code(choices, entropy))
    # The others are in random order already, so it is enough to hide the real one among them.
    place = _below(count, entropy)
    choices[0], choices[place] = choices[place], choices[0]
    return choices


def _another_code(taken: list[SASCode], entropy: Entropy) -> SASCode:
    # The n-th code that is free, found without drawing again: ends with any source of bytes.
    value = _below(_CODE_COUNT - len(taken), entropy)
    for other in sorted(_to_int(code) for code in taken):
        if other <= value:
            value += 1
    return SASCode.from_int(value)


def _to_int(code: SASCode) -> int:
    return sum(ALPHABET.index(letter) << 5 * place for place, letter in enumerate(code))


def _below(limit: int, entropy: Entropy) -> int:
    # 16 bytes for at most 20 bits: the bias of the remainder is below 2**-100.
    return int.from_bytes(entropy(16), "big") % limit
