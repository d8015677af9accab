"""Files that hold a device. Known ones are in tests/vectors/client-device-files."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.data.address import ServerAddr
from parsec.data.device_file import (
    AnyDeviceFile,
    Argon2id,
    PasswordDeviceFile,
    RecoveryDeviceFile,
    X509CertificateReference,
    X509Uri,
    load_device_file,
)
from parsec.data.ids import DeviceID, TOTPOpaqueKeyID, UserID
from parsec.data.instant import Instant
from parsec.data.people import DeviceLabel, HumanHandle, OrganizationID
from parsec.wire.msgpack import MalformedError, dump, reader
from tests.support.mutations import changed_bytes, truncations
from tests.support.strategies import values

FILE = PasswordDeviceFile(
    created_on=Instant(0),
    protected_on=Instant(1),
    server_url=ServerAddr(hostname="parsec.example.com"),
    organization_id=OrganizationID("Org"),
    user_id=UserID(bytes(16)),
    device_id=DeviceID(bytes(16)),
    human_handle=HumanHandle.from_wire(["alice@example.com", "Alice"]),
    device_label=DeviceLabel("laptop"),
    algorithm=Argon2id(memlimit_kb=8, opslimit=1, parallelism=1, salt=bytes(16)),
    ciphertext=b"ciphertext",
    totp_opaque_key_id=TOTPOpaqueKeyID(bytes(16)),
)
HASH = "sha256-" + "A" * 42 + "E="


def positional(file: AnyDeviceFile) -> list[object]:
    """The values of a file as betas of release 3.0 wrote them."""
    fields = msgspec.structs.asdict(file)
    if isinstance(file, PasswordDeviceFile):
        fields["algorithm"] = ["ARGON2ID", *msgspec.structs.astuple(file.algorithm)]
    return [file.__struct_config__.tag, *fields.values()]


@given(values(AnyDeviceFile))
def test_a_file_of_any_kind_loads_as_what_it_is(file: AnyDeviceFile) -> None:
    assert load_device_file(file.dump()) == file


@given(values(PasswordDeviceFile | RecoveryDeviceFile))
def test_a_file_of_the_betas_loads_as_what_it_is(file: AnyDeviceFile) -> None:
    assert load_device_file(dump(positional(file))) == file


def test_a_file_of_the_betas_may_lack_what_came_later() -> None:
    *without_totp, _ = positional(FILE)

    assert load_device_file(dump(without_totp)) == msgspec.structs.replace(
        FILE, totp_opaque_key_id=None
    )


@pytest.mark.parametrize(
    "array",
    [
        [],
        ["password"],
        ["passwd", *positional(FILE)[1:]],
        [1, 2, 3],
        [*positional(FILE)[:9], [], b"ciphertext"],
        [*positional(FILE)[:9], ["SCRYPT", 8, 1, 1, bytes(16)], b"ciphertext"],
    ],
)
def test_an_array_of_something_else_is_malformed(array: list[object]) -> None:
    with pytest.raises(MalformedError):
        load_device_file(dump(array))


def test_a_file_of_the_betas_that_ends_early_is_malformed() -> None:
    for beginning in truncations(dump(positional(FILE))):
        with pytest.raises(MalformedError):
            load_device_file(beginning)


@given(changed_bytes(dump(positional(FILE))) | st.binary(max_size=50))
def test_any_bytes_are_a_file_or_malformed(content: bytes) -> None:
    try:
        load_device_file(content)
    except MalformedError:
        return


@pytest.mark.parametrize("content", [b"", b"\xc0", b"\x80", b"\x90", b"\xdc", b"\xdd\xff"])
def test_what_is_no_map_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedError):
        load_device_file(content)


def test_a_file_tells_how_it_is_protected() -> None:
    assert FILE.PROTECTION == "password"


def test_the_hash_alone_tells_certificates_apart() -> None:
    uri = X509Uri(id=None, label=b"label", der_issuer=b"", der_subject=b"", serial=b"")
    reference = X509CertificateReference(hash=HASH)

    same = X509CertificateReference(uri=uri, hash=HASH.replace("sha", "SHA"))
    assert reference == same
    assert not reference != same  # noqa: SIM202  (a method of its own)
    assert hash(reference) == hash(X509CertificateReference(uri=uri, hash=HASH))
    assert reference != X509CertificateReference(hash=HASH.replace("A", "B"))
    assert reference != HASH


@pytest.mark.parametrize(
    "text",
    ["", "sha256-", HASH[:-1], HASH + "=", HASH.replace("256", "512"), HASH.replace("E", "B")],
)
def test_what_is_no_hash_of_a_certificate_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        reader(X509CertificateReference).load(dump({"hash": text}))


def test_the_locations_of_old_releases_are_passed_over() -> None:
    loaded = reader(X509CertificateReference).load(dump({"uris": [{}], "hash": HASH}))

    assert loaded == X509CertificateReference(hash=HASH)
