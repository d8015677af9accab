"""What PostgreSQL spells otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.server.store.dialect import (
    Statement,
    for_many,
    numbered,
    postgresql_schema,
    text_with_nul,
    text_without_nul,
)


def test_parameters_are_numbered_in_the_order_of_their_first_use() -> None:
    statement = numbered("SELECT :b FROM t WHERE x = :a AND y = :b")

    assert statement == Statement("SELECT $1 FROM t WHERE x = $2 AND y = $1", ("b", "a"))


@pytest.mark.parametrize(
    "kept",
    [
        "SELECT ':a', 'it''s :a'",
        'SELECT ":a", "say "":a"""',
        "SELECT 1 -- :a\n",
        "SELECT /* :a\n:b */ 1",
        "SELECT 1::bigint",
        "SELECT 'open -- ', 1 /* ' */",
    ],
)
def test_what_only_looks_like_a_parameter_is_kept(kept: str) -> None:
    assert numbered(kept) == Statement(kept, ())


def test_what_is_for_postgresql_alone_is_a_comment_elsewhere() -> None:
    statement = "SELECT a FROM t WHERE b = :b /* PostgreSQL: FOR SHARE */"

    assert numbered(statement).text == "SELECT a FROM t WHERE b = $1 FOR SHARE"


def test_a_statement_for_many_values_takes_arrays_in_the_order_of_their_first_use() -> None:
    statement = for_many("SELECT :b, ':a' FROM t WHERE x = :a AND y = :b", ("bytea", "text"))

    words = " ".join(statement.text.split())
    assert statement.names == ("b", "a")
    for part in (
        "unnest($1::bytea[], $2::text[]) WITH ORDINALITY AS asked_(value_1_, value_2_, place_)",
        "(SELECT asked_.value_1_, ':a' FROM t WHERE x = asked_.value_2_ AND y = asked_.value_1_)",
    ):
        assert part in words


def test_a_cast_may_follow_a_parameter() -> None:
    assert numbered("SELECT :a::bigint, ':b'").text == "SELECT $1::bigint, ':b'"


def test_types_of_columns_have_their_name_in_postgresql() -> None:
    schema = "CREATE TABLE t (a BLOB NOT NULL, b TEXT DEFAULT 'TEXT', \"TEXT\" BIGINT); -- BLOB\n"

    assert postgresql_schema(schema) == (
        "CREATE TABLE t (a BYTEA NOT NULL, b TEXT COLLATE \"C\" DEFAULT 'TEXT', "
        '"TEXT" BIGINT); -- BLOB\n'
    )


@given(st.text() | st.text(alphabet="\0\ufdd001a"))
def test_texts_come_back_as_they_were_without_any_nul_meanwhile(text: str) -> None:
    kept = text_without_nul(text)

    assert "\0" not in kept
    assert text_with_nul(kept) == text
