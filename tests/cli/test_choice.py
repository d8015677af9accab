"""The list to choose from, without its terminal."""

from parsec.cli.choice import Selection

PEOPLE = ["Alice <alice@example.com>", "Arnold <arnold@example.com>", "Bob <bob@example.com>"]


def test_the_first_item_is_the_current_one() -> None:
    assert list(Selection(PEOPLE).lines(9)) == [
        f"> {PEOPLE[0]}",
        f"  {PEOPLE[1]}",
        f"  {PEOPLE[2]}",
    ]


def test_moving_past_the_last_item_leads_to_the_first() -> None:
    selection = Selection(PEOPLE)

    selection.move(-1)
    assert selection.chosen == 2
    selection.move(1)
    assert selection.chosen == 0


def test_typing_keeps_the_items_with_these_letters_in_this_order() -> None:
    selection = Selection(PEOPLE)

    selection.type("ArnD")

    assert list(selection.lines(9)) == [f"> {PEOPLE[1]}"]
    assert selection.chosen == 1


def test_erasing_brings_items_back() -> None:
    selection = Selection(PEOPLE)
    selection.type("zz")
    assert selection.chosen is None

    selection.erase()
    selection.erase()

    assert len(selection.matches) == 3


def test_nothing_moves_where_nothing_matches() -> None:
    selection = Selection(PEOPLE, typed="zz")

    selection.move(1)

    assert selection.chosen is None


def test_a_long_list_scrolls_with_the_current_item() -> None:
    selection = Selection([str(number) for number in range(10)])

    selection.move(4)

    assert list(selection.lines(3)) == ["  2", "  3", "> 4"]
