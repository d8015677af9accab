"""A server with a liar before it, shared by the tests of a file."""

from collections.abc import Iterator

import pytest
import structlog

from tests.support.served import Place, served


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    former = structlog.get_config()
    structlog.configure(processors=[_silent])
    with served() as built:
        yield built
    structlog.configure(**former)


def _silent(*_: object) -> structlog.types.EventDict:
    raise structlog.DropEvent
