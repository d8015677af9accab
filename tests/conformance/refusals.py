"""What a handler says when something should have been refused."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def refusal(*kinds: type[Exception]) -> Iterator[None]:
    """The block must raise one of these. Raises AssertionError, as handlers have to."""
    try:
        yield
    except kinds:
        return
    raise AssertionError(f"accepted, {' or '.join(kind.__name__ for kind in kinds)} was expected")
