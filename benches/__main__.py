"""`make bench`: measures what DESIGN.md promises; a whole run writes benchmarks/results.md.

    scripts/bench.sh [--quick] [SUBJECT…]

Servers run in turns, so that a busy machine slows all of them, and are compared by medians. What
they compute for a request strays least.
"""

import argparse
import contextlib
import importlib.metadata
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benches import codec, greeting, growth, load, polling, secrets_at_work, startup, streams
from benches.community import Community
from benches.contestants import Cluster, contestants
from benches.report import Report, machine

RESULTS = Path("benchmarks/results.md")

WITH_SERVERS = ("load", "streams", "greeting", "polling", "growth")
SUBJECTS = (*WITH_SERVERS, "startup", "secrets", "codec")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("subjects", nargs="*", metavar="SUBJECT", help=", ".join(SUBJECTS))
    arguments.add_argument("--quick", action="store_true", help="less of all, for a first look")
    options = arguments.parse_args()
    # How things grow cannot be seen quickly.
    usual = [one for one in SUBJECTS if not (options.quick and one == "growth")]
    subjects = options.subjects or usual
    if unknown := set(subjects) - set(SUBJECTS):
        arguments.error(f"there is no {', '.join(sorted(unknown))}")
    # Whoever ends the run ends the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    texts = [_heading()]
    print(texts[0], flush=True)
    for report in _reports(subjects, quick=options.quick):
        print("", report.text, sep="\n", flush=True)
        texts.append(report.text)
        if not options.subjects and not options.quick:
            # At once: a long run may be cut short.
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text("\n\n".join(texts) + "\n", encoding="utf-8")


def _heading() -> str:
    cluster = Cluster.found()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("uvicorn", "asyncpg")]
    if cluster is not None:
        versions.append(f"{cluster.version()} (private, fsync off)")
    compared = "official: the server 3.9.3 on the same PostgreSQL. "
    if "PARSEC_OFFICIAL_PYTHON" not in os.environ:
        compared = "The official server is not installed: no ratios to it. "
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench`. {compared}Ratios above 1 are in our favour, but those to "
        f"something that does less (libsodium, an empty program).\n\n{machine(*versions)}."
    )


def _reports(subjects: Sequence[str], *, quick: bool) -> Iterator[Report]:
    with tempfile.TemporaryDirectory(prefix="parsec-bench-") as name:
        folder = Path(name)
        if "startup" in subjects:
            yield startup.measure(folder, quick=quick)
        if "secrets" in subjects:
            yield from secrets_at_work.measure(quick=quick)
        if "codec" in subjects:
            yield codec.measure(quick=quick)
        if set(subjects) & set(WITH_SERVERS):
            yield from _of_servers(subjects, folder, quick=quick)


def _of_servers(subjects: Sequence[str], folder: Path, *, quick: bool) -> Iterator[Report]:
    cluster = Cluster.found()
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(contestants(folder, cluster))
        communities = [Community(server, users=load.USERS) for server in servers]
        for community in communities:
            stack.callback(community.close)
        if "streams" in subjects:
            # First, as it looks at memory.
            yield streams.measure(communities, quick=quick)
        if "load" in subjects:
            for community in communities:
                community.invite()
            yield from load.measure(communities, cluster, folder, quick=quick)
        if "greeting" in subjects:
            yield greeting.measure(communities, quick=quick)
        if "polling" in subjects:
            yield from polling.measure(servers, quick=quick)
        if "growth" in subjects:
            yield from growth.measure(servers, quick=quick)
            if cluster is not None:
                yield growth.measure_workers(folder, cluster, quick=quick)


if __name__ == "__main__":
    main()
