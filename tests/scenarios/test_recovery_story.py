"""The first story of the mission through pseudo-terminals, on our own server."""

from scripts import stories
from scripts.stage import Stage


def test_the_recovery_story(own: Stage) -> None:
    stories.recovery_story(own)

    assert own.stop_server() == 0
