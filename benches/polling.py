"""What fetching all certificates of an organization costs a server and a client, by its size."""

import statistics
from collections.abc import Sequence

from benches import first_poll
from benches.community import SUBJECTS, Community
from benches.contestants import Contestant
from benches.growth import add_users
from benches.load import OFFICIAL
from benches.report import Report

_GET = next(subject.request for subject in SUBJECTS if subject.name == "certificate_get")


def measure(servers: Sequence[Contestant], *, quick: bool) -> list[Report]:
    sizes = [100, 300] if quick else [100, 1000, 10000]
    return [_of_servers(servers, sizes, quick=quick), _of_clients(sizes, quick=quick)]


def _of_servers(servers: Sequence[Contestant], sizes: Sequence[int], *, quick: bool) -> Report:
    report = Report("All certificates, on the server", ["server", "users", "CPU ms", "ratio"])
    computed: dict[tuple[str, int], float] = {}
    for size in sizes:
        for server in servers:
            community = _community(server, size)
            if community is None:
                continue
            rounds = 5 if quick else max(20, 20_000 // size)
            computed[server.name, size] = _cpu(community, rounds)
            community.close()
    for (name, size), seconds in computed.items():
        official = computed.get((OFFICIAL, size))
        ratio = f"{official / seconds:.1f}×" if official and seconds else "–"
        report.add(name, str(size), f"{seconds * 1000:.1f}", ratio)
    return report


def _community(server: Contestant, size: int) -> Community | None:
    """An organization of that size, if it can be had within a minute."""
    name = f"Poll{size}"
    if size <= 1000:
        return Community(server, users=size, name=name)
    if server.name == OFFICIAL:
        return None
    community = Community(server, users=2, name=name)
    # Two certificates for each, as if they had come one after the other.
    add_users(server, community.organization, range(2 * size))
    return community


def _cpu(community: Community, rounds: int) -> float:
    """Seconds that one request makes the server compute."""
    community.call(_GET)
    before = community.contestant.cpu()
    for _ in range(rounds):
        community.post_request(_GET)
    return (community.contestant.cpu() - before) / rounds


def _of_clients(sizes: Sequence[int], *, quick: bool) -> Report:
    report = Report(
        "All certificates, on the client",
        ["users", "certificates", "libsodium ms", "integrated", "whole poll", "restored"],
    )
    ratios = []
    for size in sizes:
        organization = first_poll.Organization(size)
        medians = first_poll.measure(organization, 3 if quick or size > 1000 else 7)
        bare = medians["libsodium"]
        ratios.append(medians["integrated"] / bare)
        report.add(
            str(size),
            str(len(organization.signed)),
            f"{bare * 1000:.1f}",
            *(f"{medians[name] / bare:.2f}×" for name in ("integrated", "whole_poll", "restored")),
        )
    report.target("integrated, to libsodium alone", statistics.median(ratios), limit=2)
    return report
