"""How many requests a second a server answers, and what each costs: short loads in turns."""

import json
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from benches.community import SUBJECTS, Community, Subject
from benches.contestants import Cluster
from benches.report import Report, geometric_mean
from parsec.protocol.command import dump_request

CONNECTIONS = 16
USERS = 52
FRESH = "organization_info, fresh tokens"
"""Each request with a token that the server has not seen: no client does that."""

OFFICIAL = "official"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one load showed; times in microseconds."""

    rate: float
    cpu: float
    database_cpu: float
    late: float
    """The time in which 99 of 100 answers came."""


def measure(
    communities: Sequence[Community], cluster: Cluster | None, folder: Path, *, quick: bool
) -> list[Report]:
    """One report for each of our engines."""
    if shutil.which("wrk") is None:
        return []
    rounds, seconds = (1, 0.7) if quick else (9, 1.0)
    names = [*(subject.name for subject in SUBJECTS), FRESH]
    samples: dict[tuple[str, str], list[Sample]] = {}
    for name, _ in product(names, range(rounds)):
        for community in communities:
            script = folder / "load.lua"
            script.write_text(_script(community, name), encoding="latin-1")
            sample = _load(community, cluster, script, seconds)
            if sample is not None:
                samples.setdefault((community.contestant.name, name), []).append(sample)
    return [
        _report(community, samples, names)
        for community in communities
        if community.contestant.name != OFFICIAL
    ]


def _report(
    community: Community, samples: dict[tuple[str, str], list[Sample]], names: Iterable[str]
) -> Report:
    ours = community.contestant.name
    report = Report(
        f"Requests, one process on {ours}, {CONNECTIONS} connections",
        [
            "command",
            *("requests/s", "CPU µs", "database µs", "99 % within ms"),
            *("official", "CPU µs", "database µs"),
            *("ratio", "CPU ratio"),
        ],
    )
    ratios: dict[str, tuple[float, float]] = {}
    for name in names:
        all_mine, all_official = samples[ours, name], samples.get((OFFICIAL, name), [])
        mine = _median(all_mine)
        cells = [f"{mine.rate:.0f}", f"{mine.cpu:.0f}", f"{mine.database_cpu:.0f}"]
        cells.append(f"{mine.late / 1000:.1f}")
        if not all_official:
            report.add(name, *cells, *["–"] * 5)
            continue
        official = _median(all_official)
        ratios[name] = official_ratio = _ratios(all_mine, all_official)
        cells += [f"{official.rate:.0f}", f"{official.cpu:.0f}", f"{official.database_cpu:.0f}"]
        report.add(name, *cells, f"{official_ratio[1]:.1f}×", f"{official_ratio[0]:.1f}×")
    report.note(f"memory afterwards: {community.contestant.memory() / 2**20:.0f} MiB")
    if ratios:
        _targets(report, ratios)
    return report


def _ratios(mine: Sequence[Sample], official: Sequence[Sample]) -> tuple[float, float]:
    """Of processor time and of rates, in our favour; medians of those within a round.

    The machine may be slower in one round than in another, for all.
    """
    pairs = list(zip(mine, official, strict=False))
    return (
        statistics.median(theirs.cpu / ours.cpu for ours, theirs in pairs),
        statistics.median(ours.rate / theirs.rate for ours, theirs in pairs),
    )


def _targets(report: Report, ratios: dict[str, tuple[float, float]]) -> None:
    reads = [ratios[subject.name] for subject in SUBJECTS if not subject.is_write]
    writes = [ratios[subject.name] for subject in SUBJECTS if subject.is_write]
    for at, what in ((1, "requests/s"), (0, "CPU")):
        means = [geometric_mean([one[at] for one in some]) for some in (reads, writes)]
        report.note(f"{what}: reads {means[0]:.2f}×, writes {means[1]:.2f}×")
    everything = geometric_mean([one[1] for one in reads + writes])
    report.target("geometric mean of requests/s", everything, limit=5, at_least=True)
    alone = geometric_mean([one[1] for one in writes])
    report.target("the same of writes alone", alone, limit=4, at_least=True)
    computing = geometric_mean([one[0] for one in reads + writes])
    report.note(f"geometric mean of CPU a request: {computing:.2f}×")


# --- One load ---


def _load(
    community: Community, cluster: Cluster | None, script: Path, seconds: float
) -> Sample | None:
    """None where others kept the machine so busy that nothing was answered."""
    contestant = community.contestant
    cpu, database = contestant.cpu(), cluster.cpu() if cluster else 0
    # wrk knows whole seconds only; it ends in time at a signal.
    command = [
        *("timeout", "--signal=INT", str(seconds)),
        *("wrk", "-t1", f"-c{CONNECTIONS}", "-d60s", "-s", str(script)),
        f"http://127.0.0.1:{contestant.port}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    cpu, database = contestant.cpu() - cpu, (cluster.cpu() if cluster else 0) - database
    requests = told["requests"]
    assert not told["refusals"], f"{contestant.name} refuses: {told}"
    if not requests:
        return None
    return Sample(
        rate=requests / told["duration"] * 1e6,
        cpu=cpu / requests * 1e6,
        database_cpu=database / requests * 1e6,
        late=told["late"],
    )


def _median(samples: Sequence[Sample]) -> Sample:
    fields = {
        name: statistics.median(getattr(sample, name) for sample in samples)
        for name in Sample.__dataclass_fields__
    }
    return Sample(**fields)


def _script(community: Community, name: str) -> str:
    """What makes wrk send one request again and again, or many in turn."""
    if name == FRESH:
        return _fresh_tokens(community) + _DONE
    subject = next(one for one in SUBJECTS if one.name == name)
    community.call(subject.request)
    return _fixed(community, subject) + _DONE


def _fixed(community: Community, subject: Subject) -> str:
    headers = community.headers(community.admin)
    lines = [
        'wrk.method = "POST"',
        f'wrk.path = "{community.path}"',
        f"wrk.body = {_lua_text(dump_request(subject.request))}",
        *(f'wrk.headers["{key}"] = "{value}"' for key, value in headers.items()),
    ]
    return "\n".join(lines)


def _fresh_tokens(community: Community) -> str:
    """More tokens than our server remembers."""
    members = community.members[:50]
    headers = [
        community.headers(member, seconds_ago=seconds)["Authorization"]
        for seconds in range(120)
        for member in members
    ]
    tokens = ",".join(f'"{header}"' for header in headers)
    fixed = _fixed(community, SUBJECTS[0])
    return f"{fixed}\nlocal tokens = {{{tokens}}}\n{_IN_TURN}"


_IN_TURN = """
local texts, at = {}, 0
function init()
  for number, token in ipairs(tokens) do
    wrk.headers["Authorization"] = token
    texts[number] = wrk.format()
  end
end
function request()
  at = at % #texts + 1
  return texts[at]
end
"""

_DONE = """
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('\\n{"requests": %d, "duration": %d, "refusals": %d, "late": %f}\\n',
    summary.requests, summary.duration, errors.status, latency:percentile(99)))
end
"""


def _lua_text(data: bytes) -> str:
    return '"' + "".join(f"\\{byte:03}" for byte in data) + '"'
