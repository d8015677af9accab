"""Many idle event streams: the memory of each, and how soon the last one hears of an event."""

import select
import socket
import statistics
import time
from collections.abc import Sequence

from benches.community import Community
from benches.load import OFFICIAL
from benches.report import Report

_PATIENCE = 30.0


class Streams:
    """Open event streams of one server, and who waits for what comes on them."""

    def __init__(self, community: Community, count: int) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._open(community, count)

    def time_until_last(self, act: "Act") -> float:
        """Seconds from an action to the event on the last of the streams."""
        waiting = set(self._sockets)
        start = time.perf_counter()
        act()
        self._read_until(waiting, b"data:")
        return time.perf_counter() - start

    def close(self) -> None:
        for stream in self._sockets.values():
            stream.close()
        self._poll.close()

    def _open(self, community: Community, count: int) -> None:
        # No more at once than a server lets wait.
        for begin in range(0, count, 50):
            opened: set[int] = set()
            for number in range(begin, min(begin + 50, count)):
                opened.add(self._connect(community, number))
            self._read_until(opened, b"data:")

    def _connect(self, community: Community, number: int) -> int:
        stream = socket.create_connection(("127.0.0.1", community.contestant.port))
        member = community.members[1 + number % (len(community.members) - 1)]
        headers = community.headers(member) | {"Accept": "text/event-stream", "Host": "127.0.0.1"}
        lines = [f"GET {community.path}/events HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        stream.setblocking(False)
        self._sockets[stream.fileno()] = stream
        self._poll.register(stream.fileno(), select.EPOLLIN)
        return stream.fileno()

    def _read_until(self, waiting: set[int], wanted: bytes) -> None:
        deadline = time.monotonic() + _PATIENCE
        while waiting:
            assert time.monotonic() < deadline, f"{len(waiting)} streams were told nothing"
            for number, _ in self._poll.poll(0.1):
                data = self._sockets[number].recv(65536)
                assert data, "a stream has ended"
                if wanted in data:
                    waiting.discard(number)


class Act:
    """Something that every stream hears of: one more user of the organization."""

    def __init__(self, community: Community) -> None:
        self._community = community

    def __call__(self) -> None:
        self._community.grow(len(self._community.members) + 1)


def measure(communities: Sequence[Community], *, quick: bool) -> Report:
    count, rounds = (200, 3) if quick else (1000, 9)
    kept: dict[str, float] = {}
    last: dict[str, list[float]] = {}
    computed: dict[str, float] = {}
    for community in communities:
        name = community.contestant.name
        # What the first streams make a server load is not counted.
        Streams(community, 50).close()
        time.sleep(0.5)
        before = community.contestant.memory()
        streams = Streams(community, count)
        kept[name] = (community.contestant.memory() - before) / count
        cpu = community.contestant.cpu()
        act = Act(community)
        last[name] = [streams.time_until_last(act) for _ in range(rounds)]
        computed[name] = (community.contestant.cpu() - cpu) / rounds
        streams.close()
    return _report(
        count, kept, {name: statistics.median(some) for name, some in last.items()}, computed
    )


def _report(
    count: int, kept: dict[str, float], last: dict[str, float], computed: dict[str, float]
) -> Report:
    report = Report(
        f"{count} idle event streams",
        ["server", "KiB each", "event at the last after ms", "CPU ms an event"],
    )
    for name in kept:
        memory, delay = kept[name] / 1024, last[name] * 1000
        report.add(name, f"{memory:.1f}", f"{delay:.0f}", f"{computed[name] * 1000:.0f}")
    for name in kept:
        if name != OFFICIAL:
            report.target(f"{name}, KiB each", kept[name] / 1024, limit=20)
            if OFFICIAL in last:
                ratio = last[name] / last[OFFICIAL]
                report.target(f"{name}, delay to the official server's", ratio, limit=0.7)
    return report
