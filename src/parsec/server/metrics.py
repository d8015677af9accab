"""The meter that Prometheus reads (docs/operate-production.md names what it counts)."""

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from parsec import __version__
from parsec.server.meter import Meter

# Most commands take less than a millisecond on SQLite; a mail may take seconds.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics(Meter):
    """Counts for one process; children of labels are looked up once, as that costs most."""

    def __init__(self) -> None:
        # They would double the number of lines, and nobody reads them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Gauge(
            "parsec_build_info", "1, with the versions.", ["version", "python"], registry=registry
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._requests = Counter(
            "parsec_requests",
            "Requests that were answered.",
            ["family", "command", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "parsec_request_duration_seconds",
            "How long requests took.",
            ["family", "command"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._streams = Gauge("parsec_event_streams", "Open event streams.", registry=registry)
        self._events = Counter(
            "parsec_events_delivered", "Events sent, once for each stream.", registry=registry
        )
        self._mails = Counter(
            "parsec_mails", "Mails, by what became of them.", ["outcome"], registry=registry
        )
        transactions = Counter(
            "parsec_database_transactions",
            "Transactions; a refusal is none that failed.",
            ["kind", "result"],
            registry=registry,
        )
        self._transactions = {
            (write, failed): transactions.labels(
                "write" if write else "read", "failed" if failed else "done"
            )
            for write in (False, True)
            for failed in (False, True)
        }
        # One for each that commands and statuses allow, made when it first happens.
        self._request_children: dict[tuple[str, str | None, str], tuple[Counter, Histogram]] = {}

    def request(self, family: str, command: str | None, status: str, seconds: float) -> None:
        """A request was answered."""
        key = (family, command, status)
        children = self._request_children.get(key)
        if children is None:
            name = command or "none"
            children = (
                self._requests.labels(family, name, status),
                self._seconds.labels(family, name),
            )
            self._request_children[key] = children
        counter, histogram = children
        counter.inc()
        histogram.observe(seconds)

    def stream_opened(self) -> None:
        """An event stream began."""
        self._streams.inc()

    def stream_closed(self) -> None:
        """It ended."""
        self._streams.dec()

    def events(self, count: int) -> None:
        """So many events were sent."""
        self._events.inc(count)

    def mail(self, outcome: str) -> None:
        """A mail was handed over, or not."""
        self._mails.labels(outcome).inc()

    def transaction(self, *, write: bool, failed: bool) -> None:
        """A transaction ended."""
        self._transactions[write, failed].inc()

    def text(self) -> bytes:
        """All of it, in the format of Prometheus."""
        return generate_latest(self._registry)
