"""Devices and what a further one has in common with them."""

from itertools import count

from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.data.address import ServerAddr
from parsec.data.ids import DeviceID, UserID
from parsec.data.local_device import LocalDevice, first_device, further_device
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID, UserProfile

_calls = count(1)


def fresh(size: int) -> bytes:
    """Other bytes at each call."""
    return next(_calls).to_bytes(size, "big")


def device() -> LocalDevice:
    """The first device of Alice."""
    return first_device(
        server_url=ServerAddr(hostname="parsec.example.com"),
        organization_id=OrganizationID("Org"),
        root_verify_key=SigningKey(bytes(32)).verify_key,
        user_id=UserID(bytes(16)),
        device_id=DeviceID(bytes(16)),
        human_handle=HumanHandle.from_wire(["alice@example.com", "Alice"]),
        device_label=DeviceLabel("laptop"),
        profile=UserProfile.ADMIN,
        signing_key=SigningKey(bytes(32)),
        private_key=PrivateKey(bytes(32)),
        entropy=fresh,
    )


def test_a_first_device_draws_what_it_keeps_to_itself() -> None:
    one, other = device(), device()

    drawn = {"user_realm_id", "user_realm_key", "local_symkey"}
    assert {name for name in one.__struct_fields__ if differs(one, other, name)} == drawn


def test_a_further_device_has_its_own_identity_and_local_key() -> None:
    existing = device()

    added = further_device(existing, DeviceLabel("phone"), fresh)

    own = {"device_id", "device_label", "signing_key", "local_symkey"}
    assert {name for name in added.__struct_fields__ if differs(existing, added, name)} == own
    assert added.device_label == "phone"


def test_a_device_knows_where_its_organization_is_and_what_anchors_it() -> None:
    existing = device()

    addr = existing.organization_addr

    assert (addr.server, addr.organization_id) == (existing.server_url, "Org")
    assert addr.root_verify_key == existing.root_verify_key


def test_a_device_shows_no_secret() -> None:
    existing = device()
    secrets = [existing.signing_key, existing.private_key, existing.local_symkey]

    shown = repr(existing)

    assert not any(bytes(secret).hex() in shown for secret in secrets)
    assert not any(repr(bytes(secret)) in shown for secret in secrets)


def differs(one: LocalDevice, other: LocalDevice, name: str) -> bool:
    """Whether two devices have another value in a field."""
    same = getattr(one, name) == getattr(other, name)
    return not same
