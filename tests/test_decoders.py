"""Whatever reads what others wrote: a round trip or a refusal, and no other outcome."""

from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.decoders.mutator import mutated
from tests.support.decoders.table import TARGETS
from tests.support.decoders.target import Form, Target

EVERY_TARGET = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EVERY_TARGET
@few
@given(data=st.binary(max_size=200))
@example(b"")
def test_any_bytes_are_read_or_refused(target: Target, data: bytes) -> None:
    target.check(data)


@EVERY_TARGET
@few
@given(data=st.data())
def test_what_is_nearly_right_is_read_or_refused(target: Target, data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(target.seeds()))
    dice = Random(data.draw(st.integers(0, 1 << 32)))

    target.check(mutated(seed, target.form, dice))


@EVERY_TARGET
def test_targets_begin_with_what_is_right(target: Target) -> None:
    seeds = target.seeds()

    for seed in seeds[:: max(1, len(seeds) // 10)]:
        target.check(seed)

    assert seeds


def test_targets_have_names_of_their_own() -> None:
    names = [target.name for target in TARGETS]

    assert len(set(names)) == len(names)


@pytest.mark.parametrize("form", Form)
def test_changes_of_a_form_leave_something_to_read(form: Form) -> None:
    """Most inputs of a map still begin as one; otherwise only the first check would be tried."""
    seed = {Form.MSGPACK: b"\x82\xa1a\x01\xa1b\x91\xc0", Form.JSON: b'{"a": 1, "b": [null]}'}.get(
        form, b"text"
    )

    changed = [mutated(seed, form, Random(number)) for number in range(200)]

    assert len(set(changed)) > 50
    assert sum(one[:1] in (b"\x81", b"\x82", b"\x83", b"{", b"t") for one in changed) > 100
