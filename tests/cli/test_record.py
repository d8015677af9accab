"""Records of the command line."""

import pytest

from parsec.cli.record import Record


class Place(Record):
    name: str
    depth: int = 1


class Deep(Place):
    light: bool


def test_a_record_has_what_it_was_given_or_what_its_class_has() -> None:
    place, deep = Place(name="a"), Deep(name="b", light=False)

    assert (place.name, place.depth) == ("a", 1)
    assert (deep.name, deep.depth, deep.light) == ("b", 1, False)


def test_another_one_has_other_values() -> None:
    place = Place(name="a", depth=2)

    other = place.but(name="b")

    assert (other.name, other.depth, place.name) == ("b", 2, "a")


@pytest.mark.parametrize(
    ("values", "wrong"), [({}, "name"), ({"name": "a", "dept": 2}, "dept"), ({"depth": 2}, "name")]
)
def test_a_record_takes_what_its_class_names(values: dict[str, object], wrong: str) -> None:
    with pytest.raises(TypeError, match=f"Place: missing or unknown are {wrong}"):
        Place(**values)  # type: ignore[arg-type]


def test_a_record_does_not_change() -> None:
    place = Place(name="a")

    with pytest.raises(AttributeError, match="does not change"):
        place.name = "b"  # type: ignore[misc]


def test_a_record_shows_nothing() -> None:
    assert "s3cr3t" not in repr(Place(name="s3cr3t"))
