"""Our command line against the official server."""

from collections.abc import Iterator

import pytest

from scripts import stories
from scripts.stage import Stage, stage

OPTIONS = (
    *("--db", "MOCKED", "--blockstore", "MOCKED", "--email-host", "MOCKED"),
    *("--fake-account-password-algorithm-seed", "F4k3"),
)


@pytest.fixture
def official(official_python: str) -> Iterator[Stage]:
    with stage() as built:
        built.start_server(*OPTIONS, python=official_python)
        yield built


@pytest.fixture
def advising(official_python: str) -> Iterator[Stage]:
    with stage() as built:
        built.start_server(*OPTIONS, *stories.ADVISING, python=official_python)
        yield built


def test_the_recovery_story_on_the_official_server(official: Stage) -> None:
    stories.recovery_story(official)


def test_the_authentication_story_on_the_official_server(advising: Stage) -> None:
    stories.authentication_story(advising)
