"""What is counted while a server runs."""


class Meter:
    """Counts nothing; `parsec.server.metrics` has the one that does.

    No name of a person, a device or an organization is ever given to it.
    """

    def request(self, family: str, command: str | None, status: str, seconds: float) -> None:
        """A request was answered; `command` is None if it was refused before it was read."""

    def stream_opened(self) -> None:
        """An event stream began."""

    def stream_closed(self) -> None:
        """It ended."""

    def events(self, count: int) -> None:
        """So many events were sent, one for each stream that they went to."""

    def mail(self, outcome: str) -> None:
        """A mail was handed over, or not."""

    def transaction(self, *, write: bool, failed: bool) -> None:
        """A transaction ended; a refusal is no failure."""
