"""How the cost of a request grows with what there is: users, invitations, organizations, streams.

What a request costs must depend on what it is about, not on how much else is stored.
"""

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]

from benches.community import Community, now
from benches.contestants import Cluster, Contestant, our_server
from benches.report import Report
from benches.streams import Act, Streams
from parsec.data.people import EmailAddress
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.invite import InviteCancel, InviteList, InviteNewUser, InviteNewUserOk
from parsec.protocol.organization import OrganizationInfo
from parsec.protocol.statuses import Ok
from parsec.server.store.dialect import numbered

_USER = """
INSERT INTO "user" (organization_id, user_id, email, label, profile, created_on)
VALUES (:organization_id, :user_id, :email, 'Somebody', 'STANDARD', :created_on)"""
_DEVICE = """
INSERT INTO device (organization_id, device_id, user_id, verify_key, created_on)
VALUES (:organization_id, :user_id, :user_id, :verify_key, :created_on)"""
_CERTIFICATE = """
INSERT INTO common_certificate (organization_id, timestamp, position, certificate)
VALUES (:organization_id, :created_on, :position, :certificate)"""
_ORGANIZATION = """
INSERT INTO organization (
    organization_id, created_on, bootstrapped_on, user_profile_outsider_allowed,
    realm_minimum_archiving_period
) VALUES (:organization_id, :created_on, :created_on, 1, 0)"""

_PAST_INVITATION = """
INSERT INTO invitation (
    organization_id, token, type, created_on, created_by, claimer_email, status, ended_on
) VALUES (
    :organization_id, :token, 'USER', :created_on, :created_by, :email, 'CANCELLED', :created_on
)"""
_PAST_ATTEMPT = """
INSERT INTO greeting_attempt (
    organization_id, greeting_attempt_id, token, greeter, cancelled_origin, cancelled_reason,
    cancelled_on
) VALUES (
    :organization_id, :token, :token, :created_by, 'CLAIMER', 'MANUALLY_CANCELLED', :created_on
)"""

_LONG_AGO = 1_600_000_000_000_000


def measure(servers: Sequence[Contestant], *, quick: bool) -> list[Report]:
    """One report for each server of ours."""
    return [_of(server, quick=quick) for server in servers if not server.is_official]


def measure_workers(folder: Path, cluster: Cluster, *, quick: bool) -> Report:
    """What a request costs, all processes together, when more of them share the work."""
    numbers = [1, 2] if quick else [1, 2, 4]
    report = Report(
        "Worker processes on PostgreSQL",
        ["CPU of all workers and the database, µs", *map(str, numbers)],
    )
    costs: dict[str, list[float]] = {}
    for number in numbers:
        with our_server(folder, cluster, workers=number) as server:
            community = Community(server, users=2)
            _wait_for_calm(server)
            for name, what, rounds in (
                ("organization_info", "Info", 1000),
                ("one more user", "Grow", 200),
            ):
                cost = _cost(server, rounds, _action(community, what))
                costs.setdefault(name, []).append(cost)
            community.close()
    for name, row in costs.items():
        report.add(name, *(f"{cost:.0f}" for cost in row))
    return report


def _of(server: Contestant, *, quick: bool) -> Report:
    sizes = [100, 1000] if quick else [100, 1000, 10_000, 100_000]
    rounds = 300 if quick else 1000
    report = Report(
        f"Growth on {server.name}",
        ["CPU of the server and its database, µs", *(f"{size:,}" for size in sizes)],
    )
    for name, costs in {
        **_by_users(server, sizes, rounds),
        "organizations: organization_info": _by_organizations(server, sizes, rounds),
        "past invitations: one more, and its end": _by_history(server, sizes, rounds // 10),
        "invitations: invite_list, for each": _by_invitations(server, sizes, rounds // 10),
        "streams: an event, for each": _by_streams(server, sizes),
    }.items():
        report.add(name, *(f"{cost:.1f}" if cost is not None else "–" for cost in costs))
    return report


def _by_users(
    server: Contestant, sizes: Sequence[int], rounds: int
) -> dict[str, list[float | None]]:
    community = Community(server, users=2, name="Users")
    there = 0
    costs: dict[str, list[float | None]] = {}
    for size in sizes:
        add_users(server, community.organization, range(there, size))
        there = size
        for name, what, count in (
            ("users: organization_info", "Info", rounds),
            ("users: a poll that finds nothing new", "Poll", rounds),
            ("users: one more user", "Grow", rounds // 10),
        ):
            cost = _cost(server, count, _action(community, what))
            costs.setdefault(name, []).append(cost)
    community.close()
    return costs


def _action(community: Community, what: str) -> Callable[[], object]:
    if what == "Info":
        return lambda: community.post_request(OrganizationInfo())
    if what == "Grow":
        return Act(community)
    newest = now()
    poll = CertificateGet(
        common_after=newest, sequester_after=newest, shamir_recovery_after=newest, realm_after={}
    )
    return lambda: community.post_request(poll)


def _by_organizations(server: Contestant, sizes: Sequence[int], rounds: int) -> list[float | None]:
    community = Community(server, users=2, name="Among")
    there, costs = 0, list[float | None]()
    for size in sizes:
        rows = (
            {"organization_id": f"Other{number}", "created_on": _LONG_AGO}
            for number in range(there, size)
        )
        _insert(server, {_ORGANIZATION: rows})
        there = size
        costs.append(_cost(server, rounds, _action(community, "Info")))
    community.close()
    return costs


def _by_history(server: Contestant, sizes: Sequence[int], rounds: int) -> list[float | None]:
    """What was invited, greeted and cancelled long ago must cost nothing now."""
    community = Community(server, users=2, name="History")
    there, costs = 0, list[float | None]()
    for size in sizes:
        past = [
            {
                "organization_id": str(community.organization),
                "token": number.to_bytes(16, "big"),
                "created_on": _LONG_AGO + number,
                "created_by": community.admin.user_id,
                "email": f"past{number}@example.com",
            }
            for number in range(there, size)
        ]
        _insert(server, {_PAST_INVITATION: past, _PAST_ATTEMPT: past})
        there = size
        costs.append(_cost(server, rounds, _inviting(community)))
    community.close()
    return costs


def _inviting(community: Community) -> Callable[[], object]:
    email = EmailAddress("guest@example.com")

    def invite() -> None:
        invited = community.call(InviteNewUser(claimer_email=email, send_email=False))
        assert isinstance(invited, InviteNewUserOk)
        assert community.call(InviteCancel(token=invited.token)) == Ok()

    return invite


def _by_invitations(server: Contestant, sizes: Sequence[int], rounds: int) -> list[float | None]:
    community = Community(server, users=2, name="Inviting")
    there, costs = 0, list[float | None]()
    for size in sizes:
        if size > 1000:
            # All of them come in one reply; nobody has so many.
            costs.append(None)
            continue
        for number in range(there, size):
            email = EmailAddress(f"guest{number}@example.com")
            community.call(InviteNewUser(claimer_email=email, send_email=False))
        there = size
        cost = _cost(server, rounds, lambda: community.post_request(InviteList()))
        costs.append(cost / size)
    community.close()
    return costs


def _by_streams(server: Contestant, sizes: Sequence[int]) -> list[float | None]:
    costs = list[float | None]()
    for size in sizes:
        if size > 1000:
            costs.append(None)
            continue
        community = Community(server, users=20, name=f"Streams{size}")
        streams, act = Streams(community, size), Act(community)
        cost = _cost(server, 20, lambda: streams.time_until_last(act))  # noqa: B023
        costs.append(cost / size)
        streams.close()
        community.close()
        time.sleep(0.5)
    return costs


def _cost(server: Contestant, rounds: int, action: Callable[[], object]) -> float:
    """Microseconds that the server and its database compute for it."""
    for _ in range(10):
        action()
    before = server.whole_cpu()
    for _ in range(rounds):
        action()
    return (server.whole_cpu() - before) / rounds * 1e6


def _wait_for_calm(server: Contestant) -> None:
    """Until all processes have begun, or a few seconds."""
    before = -1.0
    for _ in range(20):
        if server.cpu() <= before:
            return
        before = server.cpu()
        time.sleep(0.5)


# --- What is there already, written past the server ---


def add_users(server: Contestant, organization: str, numbers: Iterable[int]) -> None:
    """Make an organization larger, by users who have no keys."""
    people = [
        {
            "organization_id": str(organization),
            "user_id": number.to_bytes(16, "big"),
            "email": f"somebody{number}@example.com",
            "verify_key": os.urandom(32),
            "created_on": _LONG_AGO + number,
            "position": 0,
            "certificate": os.urandom(250),
        }
        for number in numbers
    ]
    _insert(server, {_USER: people, _DEVICE: people, _CERTIFICATE: people})


def _insert(server: Contestant, rows: dict[str, Iterable[dict[str, Any]]]) -> None:
    if server.database.startswith("sqlite:///"):
        path = server.database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            for sql, values in rows.items():
                connection.executemany(sql, values)
            connection.commit()
    else:
        asyncio.run(_insert_into_postgresql(server.database, rows))


async def _insert_into_postgresql(url: str, rows: dict[str, Iterable[dict[str, Any]]]) -> None:
    connection = await asyncpg.connect(url)
    for sql, values in rows.items():
        statement = numbered(sql)
        await connection.executemany(statement.text, [statement.arguments(row) for row in values])
    # As after a while: else the database would do so in the midst of what is measured.
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
