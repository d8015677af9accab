"""Our command line against our own server as a large host runs it: PostgreSQL, two processes."""

from collections.abc import Iterator

import pytest

from scripts import stories
from scripts.stage import Stage, stage
from tests.support.postgresql import new_place_for_a_process


@pytest.fixture
def advising() -> Iterator[Stage]:
    with new_place_for_a_process() as database, stage() as built:
        built.start_server("--db", database, "--workers", "2", *stories.ADVISING)
        yield built


@pytest.fixture
def plain() -> Iterator[Stage]:
    with new_place_for_a_process() as database, stage() as built:
        built.start_server("--db", database, "--workers", "2")
        yield built


def test_the_recovery_story_on_two_workers(plain: Stage) -> None:
    stories.recovery_story(plain)

    assert plain.stop_server() == 0


def test_the_authentication_story_on_two_workers(advising: Stage) -> None:
    stories.authentication_story(advising)

    assert advising.stop_server() == 0
