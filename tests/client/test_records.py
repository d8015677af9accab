"""What flows keep survives a restart, and shows no share."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.records import GatheredShares
from parsec.crypto.shamir import ShamirShare
from parsec.data.address import ServerAddr
from parsec.data.ids import UserID
from parsec.data.instant import Instant
from parsec.data.people import OrganizationID

CAROL = UserID(b"c" * 16)
DAVE = UserID(b"d" * 16)
GATHERED = GatheredShares(
    server=ServerAddr(hostname="parsec.invalid"),
    organization_id=OrganizationID("Org"),
    user_id=UserID(bytes(16)),
    setup_created_on=Instant.parse("2026-01-02T03:04:05.678901Z"),
    shares={CAROL: [ShamirShare(b"\x01secret"), ShamirShare(b"\x02secret")]},
)


@given(
    st.dictionaries(
        st.binary(min_size=16, max_size=16).map(UserID),
        st.lists(st.binary(min_size=2, max_size=99).map(ShamirShare), max_size=5),
        max_size=5,
    )
)
def test_gathered_shares_are_read_as_they_were_written(
    shares: dict[UserID, list[ShamirShare]],
) -> None:
    gathered = msgspec.structs.replace(GATHERED, shares=shares)

    assert GatheredShares.load(gathered.dump()) == gathered


def test_what_a_recipient_gives_again_replaces_what_was_given() -> None:
    again = [ShamirShare(b"\x03secret")]

    gathered = GATHERED.with_shares({CAROL: again, DAVE: [ShamirShare(b"\x04secret")]})

    assert gathered.shares == {CAROL: again, DAVE: [ShamirShare(b"\x04secret")]}


def test_shares_of_the_same_set_up_fit() -> None:
    assert GATHERED.same_setup(msgspec.structs.replace(GATHERED, shares={}))


def test_shares_of_another_set_up_do_not_fit() -> None:
    others = [
        msgspec.structs.replace(GATHERED, server=ServerAddr(hostname="other.invalid")),
        msgspec.structs.replace(GATHERED, organization_id=OrganizationID("Other")),
        msgspec.structs.replace(GATHERED, user_id=DAVE),
        msgspec.structs.replace(
            GATHERED, setup_created_on=GATHERED.setup_created_on.plus(microseconds=1)
        ),
    ]

    assert not any(GATHERED.same_setup(other) for other in others)


def test_shares_do_not_show() -> None:
    assert "secret" not in repr(GATHERED)
