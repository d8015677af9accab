"""Short forms of device IDs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.rules.device_choice import (
    NoSuchDevice,
    SeveralDevices,
    choose_device,
    short_id_length,
    short_ids,
)
from parsec.data.ids import DeviceID

DIGITS = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
# Few different digits, so that many begin alike.
DEVICE_IDS = st.text("01", min_size=32, max_size=32).map(DeviceID.parse)
DEVICES = st.lists(DEVICE_IDS, unique=True, max_size=8)


@given(DEVICES)
def test_short_ids_tell_devices_apart(device_ids: list[DeviceID]) -> None:
    assert len(set(short_ids(device_ids))) == len(device_ids)


@given(DEVICES)
def test_each_short_id_chooses_its_device(device_ids: list[DeviceID]) -> None:
    chosen = [choose_device(device_ids, text) for text in short_ids(device_ids)]

    assert chosen == device_ids


@given(DEVICES)
def test_no_shorter_ids_would_do(device_ids: list[DeviceID]) -> None:
    length = short_id_length(device_ids)

    shorter = {device_id.hex()[: length - 1] for device_id in device_ids}

    assert length == 3 or len(shorter) < len(device_ids)


def test_one_device_has_three_digits() -> None:
    assert short_ids([DeviceID.parse(DIGITS)]) == ["a1b"]


def test_ids_that_differ_at_the_end_are_shown_whole() -> None:
    almost = DeviceID.parse(DIGITS[:-1] + "1")

    assert short_id_length([DeviceID.parse(DIGITS), almost]) == 32


@pytest.mark.parametrize("text", ["A1", "b", DIGITS + "0"])
def test_a_text_that_begins_no_id_chooses_nothing(text: str) -> None:
    with pytest.raises(NoSuchDevice):
        choose_device([DeviceID.parse(DIGITS)], text)


def test_an_ambiguous_text_tells_what_it_could_mean() -> None:
    alike = [DeviceID.parse("a1" + "0" * 30), DeviceID.parse("a1" + "1" * 30)]
    other = DeviceID.parse("b" * 32)

    with pytest.raises(SeveralDevices) as refusal:
        choose_device([alike[0], other, alike[1]], "a1")

    assert refusal.value.matches == alike
