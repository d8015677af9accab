"""What holds for every data type: framed records, and the bare ones of local files."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import parsec.data
from parsec.data.certificates import (
    RevokedUserCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import DeviceID, UserID
from parsec.data.instant import Instant
from parsec.data.manifests import FolderManifest
from parsec.data.record import BareRecord, MismatchError, Record
from parsec.wire.frame import dump_frame
from parsec.wire.msgpack import MalformedError, dump
from tests.support.mutations import (
    ENDLESS_HEADS,
    changed_bytes,
    truncations,
    with_field,
    with_field_twice,
    without_field,
)
from tests.support.strategies import values


def _kinds(base: type[Any]) -> set[type[Any]]:
    for module in pkgutil.iter_modules(parsec.data.__path__):
        importlib.import_module(f"parsec.data.{module.name}")
    return {base}.union(*map(_kinds, base.__subclasses__()))


KINDS = sorted(
    (
        kind
        for base in (Record, BareRecord)
        for kind in _kinds(base)
        if kind.__struct_config__.tag not in (None, kind.__name__)
        if kind.__module__.startswith("parsec.data.")
    ),
    key=lambda kind: str(kind.__struct_config__.tag),
)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__struct_config__.tag)
few = settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])

REVOCATION = RevokedUserCertificate(
    author=DeviceID(bytes(16)), timestamp=Instant(0), user_id=UserID(bytes(16))
)
CONTENT = dump(REVOCATION)


def load_content(kind: type[Any], content: bytes) -> Any:
    """Read a record of any kind from its map."""
    return kind.load(dump_frame(content) if issubclass(kind, Record) else content)


@EVERY_KIND
@few
@given(data=st.data())
def test_what_is_dumped_loads_the_same(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(values(kind))

    again = kind.load(record.dump())

    assert again == record
    assert dump(again) == dump(record)


@EVERY_KIND
@settings(few, max_examples=3)
@given(data=st.data())
def test_a_content_that_ends_early_is_malformed(kind: type[Any], data: st.DataObject) -> None:
    content = dump(data.draw(values(kind)))

    for beginning in truncations(content):
        with pytest.raises(MalformedError):
            load_content(kind, beginning)


@EVERY_KIND
@settings(few, max_examples=3)
@given(data=st.data())
def test_a_record_that_ends_early_is_malformed(kind: type[Any], data: st.DataObject) -> None:
    whole = data.draw(values(kind)).dump()

    for beginning in truncations(whole):
        with pytest.raises(MalformedError):
            kind.load(beginning)


@EVERY_KIND
@few
@given(data=st.data())
def test_changed_content_loads_or_is_malformed(kind: type[Any], data: st.DataObject) -> None:
    content = data.draw(changed_bytes(dump(data.draw(values(kind)))))

    try:
        record = load_content(kind, content)
    except MalformedError:
        return

    assert load_content(kind, dump(record)) == record


@EVERY_KIND
@few
@given(data=st.data())
def test_a_changed_record_loads_or_is_malformed(kind: type[Any], data: st.DataObject) -> None:
    changed = data.draw(changed_bytes(data.draw(values(kind)).dump()))

    try:
        kind.load(changed)
    except MalformedError:
        return


@EVERY_KIND
@settings(few, max_examples=3)
@given(data=st.data())
def test_an_unknown_field_is_passed_over(kind: type[Any], data: st.DataObject) -> None:
    record = data.draw(values(kind))

    again = load_content(kind, with_field(dump(record), dump("of the future"), dump([{}, 1.5])))

    assert again == record


@EVERY_KIND
@settings(few, max_examples=3)
@given(data=st.data())
def test_a_field_given_twice_is_malformed(kind: type[Any], data: st.DataObject) -> None:
    content = dump(data.draw(values(kind)))
    names = msgspec.msgpack.decode(content, type=dict[str, msgspec.Raw]).keys()

    for name in names:
        with pytest.raises(MalformedError):
            load_content(kind, with_field_twice(content, name))


@EVERY_KIND
@settings(few, max_examples=3)
@given(data=st.data())
def test_the_type_and_each_required_field_must_be_there(
    kind: type[Any], data: st.DataObject
) -> None:
    content = dump(data.draw(values(kind)))
    fields = msgspec.structs.fields(kind)
    required = [field.name for field in fields if field.required or "algorithm" in field.name]

    for name in ["type", *required]:
        with pytest.raises(MalformedError):
            load_content(kind, without_field(content, name))


@EVERY_KIND
def test_a_tag_is_demanded_wherever_there_is_one(kind: type[Any]) -> None:
    for field in msgspec.structs.fields(kind):
        assert not [*lone_tagged(field.type)], f"{field.name}: Tagged[...] is missing"


def lone_tagged(kind: Any) -> Iterator[type[Any]]:
    """Tagged structs outside of unions, where msgspec would not ask for their tags."""
    parts = get_args(kind)
    tagged = [part for part in (kind, *parts) if is_tagged(part)]
    if len(tagged) == 1:
        yield tagged[0]
    for part in parts:
        if not is_tagged(part):
            yield from lone_tagged(part)


def is_tagged(kind: Any) -> bool:
    return isinstance(kind, msgspec.StructMeta) and kind.__struct_config__.tag is not None


@EVERY_KIND
def test_another_type_is_malformed(kind: type[Any]) -> None:
    with pytest.raises(MalformedError):
        load_content(kind, dump({"type": "another_type"}))


@EVERY_KIND
@pytest.mark.parametrize("content", [b"", b"\xc0", b"\x90", b"\x80", b"\xc1", b"\x81\xa4type"])
def test_what_is_no_map_of_that_type_is_malformed(kind: type[Any], content: bytes) -> None:
    with pytest.raises(MalformedError):
        load_content(kind, content)


@pytest.mark.parametrize("head", ENDLESS_HEADS)
def test_a_huge_announced_length_is_malformed(head: bytes) -> None:
    with pytest.raises(MalformedError):
        load_content(RevokedUserCertificate, with_field(CONTENT, dump("x"), head))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1k"])
@pytest.mark.parametrize("depth", [200, 100_000])
def test_deep_nesting_is_malformed(opening: bytes, depth: int) -> None:
    nested = opening * depth + b"\xc0"

    with pytest.raises(MalformedError):
        load_content(RevokedUserCertificate, with_field(CONTENT, dump("x"), nested))


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"\xa1x", b"\xa1\xff"), (b"\xa1\xff", b"\xc0"), (b"\xa1x", b"\x81\xa1\xff\x00")],
)
def test_text_that_is_not_utf8_is_malformed_also_in_an_unknown_field(
    key: bytes, value: bytes
) -> None:
    with pytest.raises(MalformedError):
        load_content(RevokedUserCertificate, with_field(CONTENT, key, value))


@pytest.mark.parametrize("twice", [b"\xa1k", b"\xd9\x01k", b"\xda\x00\x01k"])
def test_a_repeated_key_deep_inside_is_malformed_however_it_is_written(twice: bytes) -> None:
    inside = b"\x91\x82\xa1k\x00" + twice + b"\x00"

    with pytest.raises(MalformedError):
        load_content(RevokedUserCertificate, with_field(CONTENT, dump("x"), inside))


def test_more_values_than_a_real_record_has_are_malformed() -> None:
    many = dump([0] * 20_000)

    with pytest.raises(MalformedError):
        load_content(RevokedUserCertificate, with_field(CONTENT, dump("x"), many))


def test_a_certificate_holds_not_more_values_than_a_real_one() -> None:
    """Whoever may sign could otherwise keep a server busy with what nobody ever writes."""
    share = ShamirRecoveryShareCertificate(
        author=DeviceID(bytes(16)),
        timestamp=Instant(0),
        user_id=UserID(bytes(16)),
        recipient=UserID(bytes(16)),
        ciphered_share=bytes(40_000),
    )
    many_values = dump_frame(with_field(dump(share), dump("x"), dump([0] * 200)))

    assert ShamirRecoveryShareCertificate.load(share.dump()) == share
    with pytest.raises(MalformedError):
        ShamirRecoveryShareCertificate.load(many_values)


def test_a_huge_folder_loads_with_an_unknown_field() -> None:
    folder = FolderManifest(
        author=DeviceID(bytes(16)),
        timestamp=Instant(0),
        id=UserID(bytes(16)),  # type: ignore[arg-type]
        parent=UserID(bytes(16)),  # type: ignore[arg-type]
        version=1,
        created=Instant(0),
        updated=Instant(0),
        children={},
    )
    names = {f"{number}": UserID(bytes(16)) for number in range(20_000)}
    content = dump({"type": "folder_manifest", **msgspec.structs.asdict(folder), "children": names})

    loaded = load_content(FolderManifest, with_field(content, dump("x"), b"\xc0"))

    assert len(loaded.children) == 20_000


def test_a_set_may_come_in_any_order_and_repeat_elements() -> None:
    users = [UserID(bytes([number] * 16)) for number in range(40)]
    certificate = {
        "type": "shamir_recovery_deletion_certificate",
        "author": DeviceID(bytes(16)),
        "timestamp": Instant(0),
        "setup_to_delete_timestamp": Instant(0),
        "setup_to_delete_user_id": users[0],
        "share_recipients": [*reversed(users), users[3]],
    }

    loaded = load_content(ShamirRecoveryDeletionCertificate, dump(certificate))

    assert loaded.share_recipients == set(users)
    assert ShamirRecoveryDeletionCertificate.load(loaded.dump()) == loaded


def test_bytes_after_the_map_are_passed_over() -> None:
    assert load_content(RevokedUserCertificate, CONTENT + b"\xc1 anything") == REVOCATION


def test_expectations_that_are_met_give_the_record_back() -> None:
    assert REVOCATION.expect(author=bytes(16), timestamp=Instant(0)) is REVOCATION


def test_another_value_than_expected_is_a_mismatch() -> None:
    with pytest.raises(MismatchError, match="another timestamp"):
        REVOCATION.expect(author=bytes(16), timestamp=Instant(1))
