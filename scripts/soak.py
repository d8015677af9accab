"""Has many people use a server that dies again and again, and looks for what was lost."""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from scripts.soak_club import Club
from scripts.soak_servers import TOKEN, Server, servers
from scripts.soak_wire import Wire

_CLUBS = 3
_SECONDS = "180"
_SAMPLE_S = 0.25

# Of the time of each database: first without a death, to see what memory does, then with many.
_CALM = 0.4


@dataclass
class Result:
    """What came of one database."""

    operations: int = 0
    kills: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slope: float = 0.0


def main() -> int:
    """Soak; the answer is the exit code."""
    arguments = _arguments()
    print(f"seed {arguments.seed} (again: SOAK_SEED={arguments.seed})", flush=True)
    # Where processes are killed and not machines, memory is as good as a disk.
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        servers(Path(folder), only=arguments.only) as found,
    ):
        share = arguments.seconds / len(found)
        results = [
            asyncio.run(_soak(server, random.Random(arguments.seed), share)) for server in found
        ]
    lost, wrong = ([one for r in results for one in getattr(r, k)] for k in ("lost", "wrong"))
    for name, problems in (("lost", lost), ("wrong", wrong)):
        for problem in problems[:20]:
            print(f"{name}: {problem}")
    print(
        f"operations {sum(one.operations for one in results)}, "
        f"kills {sum(one.kills for one in results)}, lost {len(lost)}, wrong {len(wrong)}, "
        f"memory slope {max(one.slope for one in results):.0f} KiB/1000 operations"
    )
    return 1 if lost or wrong else 0


async def _soak(server: Server, chance: random.Random, seconds: float) -> Result:
    wire = Wire(server.port, TOKEN)
    result = Result()
    server.start()
    try:
        clubs = [Club(wire, f"Club{number}", chance.randrange(1 << 32)) for number in range(_CLUBS)]
        await asyncio.gather(*(club.found() for club in clubs))
        async with _going_on(club.listen(one) for club in clubs for one in club.listeners):
            await asyncio.gather(*(club.first_event() for club in clubs))
            async with _going_on(actor for club in clubs for actor in club.actors()):
                result.slope, calm = await _watched(server, wire, seconds * _CALM)
                await _struck(server, chance, seconds * (1 - _CALM))
            if not server.ended():
                await asyncio.gather(*(club.audit() for club in clubs))
        if server.ended():
            result.wrong.append(f"the server gave up: {server.output[-500:]}")
        _check_log(server, result)
        for club in clubs:
            result.lost += club.ledger.lost
            result.wrong += club.ledger.wrong
        result.operations, result.kills = wire.operations, server.kills
        wire.hang_up()
        told = sum(len(club.ledger.certificates) for club in clubs)
        streams = sum(one.streams for club in clubs for one in club.listeners)
        missed = sum(one.missed for club in clubs for one in club.listeners)
        print(
            f"{server.name}: operations {wire.operations} ({calm:.0f} a second undisturbed), "
            f"kills {server.kills}, unanswered {wire.unanswered}, certificates {told}, "
            f"streams {streams}, of which {missed} were told too late; "
            f"memory {server.memory_kib() // 1024} MiB, {result.slope:+.0f} KiB/1000 operations",
            flush=True,
        )
        server.stop()
    except BaseException:
        print(server.output[-3000:], file=sys.stderr)
        raise
    finally:
        server.end()
    return result


def _check_log(server: Server, result: Result) -> None:
    """A bug that a client did not notice is one all the same."""
    *_, log = server.output.partition("[error    ] bug")
    if log:
        result.wrong.append(f"{server.name}: a bug {log[-5000:]}")


async def _watched(server: Server, wire: Wire, seconds: float) -> tuple[float, float]:
    """KiB per 1000 operations once the server is warm, and operations a second."""
    samples: list[tuple[int, int]] = []
    begun, operations = time.monotonic(), wire.operations
    while (passed := time.monotonic() - begun) < seconds:
        await asyncio.sleep(_SAMPLE_S)
        if passed > seconds / 3:
            samples.append((wire.operations, server.memory_kib()))
    return _slope(samples) * 1000, (wire.operations - operations) / seconds


def _slope(samples: Sequence[tuple[int, int]]) -> float:
    """By least squares."""
    if len(samples) < 2:
        return 0.0
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0


async def _struck(server: Server, chance: random.Random, seconds: float) -> None:
    """Death comes at any moment, and once more before those of the last have recovered."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not server.ended():
        await asyncio.sleep(chance.choice([0.05, 0.5, 1.0, 2.0]) * chance.random())
        await server.strike(chance)


@contextlib.asynccontextmanager
async def _going_on(actors: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """While this lasts; whoever fails takes all with it."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(actor) for actor in actors]
        yield
        for task in tasks:
            task.cancel()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    seconds = os.environ.get("SOAK_SECONDS") or _SECONDS
    seed = os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1 << 32)
    parser.add_argument("--seconds", type=float, default=float(seconds))
    parser.add_argument("--seed", type=int, default=int(seed))
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
