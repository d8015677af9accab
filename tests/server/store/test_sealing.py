"""What the database keeps of a secret, and when it opens again."""

import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.server.store.sealing import (
    KeyRing,
    Place,
    SealError,
    Sealing,
    UnknownKeyError,
    key_id,
    opaque_key_place,
    sealed_by,
    totp_secret_place,
)

ORG, OTHER = OrganizationID("Org"), OrganizationID("Other")
ALICE, BOB = UserID(b"\1" * 16), UserID(b"\2" * 16)
ONE, TWO = TOTPOpaqueKeyID(b"\3" * 16), TOTPOpaqueKeyID(b"\4" * 16)
OLD, NEW = SecretKey(b"o" * 32), SecretKey(b"n" * 32)
PLACE = totp_secret_place(ORG, ALICE)
SECRET = b"secret" * 3

PLACES = [
    *(totp_secret_place(name, user) for name in (ORG, OTHER) for user in (ALICE, BOB)),
    *(
        opaque_key_place(name, user, key)
        for name in (ORG, OTHER)
        for user in (ALICE, BOB)
        for key in (ONE, TWO)
    ),
]


def sealed(secret: bytes = SECRET, place: Place = PLACE, key: SecretKey = OLD) -> bytes:
    return KeyRing([key]).seal(secret, place, by=key_id(key), entropy=system_entropy)


@given(st.binary(max_size=100), st.sampled_from(PLACES), st.binary(min_size=32, max_size=32))
def test_what_was_sealed_opens_in_its_place(secret: bytes, place: Place, raw: bytes) -> None:
    key = SecretKey(raw)

    assert KeyRing([key]).open(sealed(secret, place, key), place) == secret


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(PLACES, 2)))
def test_what_was_sealed_for_a_row_does_not_open_in_another(one: Place, other: Place) -> None:
    with pytest.raises(SealError, match="not sealed for its row"):
        KeyRing([OLD]).open(sealed(place=one), other)


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_no_two_places_have_the_same_bytes(
    column: str, other_column: str, name: str, other_name: str
) -> None:
    assume((column, name) != (other_column, other_name))

    one, other = (
        Place(column=c, organization_id=str.__new__(OrganizationID, n), user_id=ALICE)
        for c, n in ((column, name), (other_column, other_name))
    )

    assert one.context() != other.context()


@given(st.integers(0, len(sealed()) - 1), st.integers(1, 255))
def test_what_was_changed_does_not_open(place: int, difference: int) -> None:
    changed = bytearray(sealed())
    changed[place] ^= difference

    with pytest.raises(SealError):
        KeyRing([OLD]).open(bytes(changed), PLACE)


@given(st.integers(0, len(sealed()) - 1))
def test_what_was_cut_off_does_not_open(length: int) -> None:
    with pytest.raises(SealError):
        KeyRing([OLD]).open(sealed()[:length], PLACE)


@given(st.binary(max_size=100))
def test_what_is_in_clear_does_not_open(value: bytes) -> None:
    with pytest.raises(SealError):
        KeyRing([OLD]).open(value, PLACE)


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(UnknownKeyError, match=key_id(NEW).hex()):
        KeyRing([OLD]).open(sealed(key=NEW), PLACE)


def test_another_key_of_the_same_name_opens_nothing() -> None:
    value = sealed(key=NEW)
    forged = value[:1] + key_id(OLD) + value[9:]

    with pytest.raises(SealError, match="not sealed for its row"):
        KeyRing([OLD, NEW]).open(forged, PLACE)


def test_any_key_of_the_ring_opens_and_the_named_one_seals() -> None:
    ring = KeyRing([OLD]).with_newest(NEW)

    again = ring.seal(SECRET, PLACE, by=ring.newest, entropy=system_entropy)

    assert ring.open(sealed(key=OLD), PLACE) == ring.open(again, PLACE) == SECRET
    assert [sealed_by(sealed(key=OLD)), sealed_by(again)] == [key_id(OLD), key_id(NEW)]


def test_a_ring_forgets_keys() -> None:
    ring = KeyRing([NEW, OLD]).only(key_id(NEW))

    with pytest.raises(UnknownKeyError):
        ring.open(sealed(key=OLD), PLACE)


def test_the_same_secret_looks_different_each_time() -> None:
    assert sealed() != sealed()


def test_no_key_is_printed() -> None:
    text = repr(KeyRing([OLD, NEW]))

    assert bytes(OLD).hex() not in text
    assert str(bytes(OLD)) not in text


def sealing(rings: list[KeyRing]) -> Sealing:
    """The first ring, then those that the file has later."""
    later = iter(rings[1:])
    return Sealing(rings[0], reload=lambda: next(later), entropy=system_entropy)


def test_a_key_that_another_process_added_is_read() -> None:
    rotated = sealing([KeyRing([OLD]), KeyRing([NEW, OLD])])

    assert rotated.open(sealed(key=NEW), PLACE) == SECRET


def test_it_is_read_for_sealing_too() -> None:
    rotated = sealing([KeyRing([OLD]), KeyRing([NEW, OLD])])

    assert sealed_by(rotated.seal(SECRET, PLACE, by=key_id(NEW))) == key_id(NEW)


def test_a_key_that_nobody_added_stays_missing() -> None:
    with pytest.raises(UnknownKeyError):
        sealing([KeyRing([OLD]), KeyRing([OLD])]).open(sealed(key=NEW), PLACE)


def test_a_key_that_was_forgotten_is_the_usual_one_no_more() -> None:
    rotated = sealing([KeyRing([OLD]), KeyRing([NEW])])

    rotated.open(sealed(key=NEW), PLACE)

    assert rotated.usual == key_id(NEW)
