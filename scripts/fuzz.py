"""The bounded fuzzers: tells each reader of the program what nobody should, and counts.

Guided by what the inputs reach (atheris, libFuzzer) where there is a wheel of atheris for this
machine; blind elsewhere, which is said aloud. At the end come the lies of `tests/hostile`.

    python scripts/fuzz.py                           all targets
    python scripts/fuzz.py --target names            one of them
    python scripts/fuzz.py --target names FILE       a finding, once more
"""

import argparse
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

# Far more than any target needs: 64 MiB of a manifest several times over. What wants more ends
# with a MemoryError, which is a finding.
MEMORY = 2 << 30
LONGEST_INPUT = 16 << 10
SLOWEST_SECONDS = 20
"""For one input; the machine may be busy."""

_FOUND = 77
_EXECUTIONS = re.compile(r"(?:number_of_executed_units: |executions: )(\d+)")


@dataclass(frozen=True)
class Outcome:
    """What came of one target."""

    name: str
    executions: int
    failed: bool
    output: str


def main() -> int:
    options = _options()
    if options.target and options.inputs:
        return _replay(options.target, options.inputs)
    if options.target and options.seeds is not None:
        _run_one(options.target, options.seconds, options.seeds, options.findings)
        return 0
    return _run_all(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=6, help="for each target")
    parser.add_argument("--lies", type=int, default=0, help="how many to tell about each story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--findings", type=Path, help="a folder (default: a new one)")
    parser.add_argument("--target", help="one of the targets alone")
    parser.add_argument("--seeds", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("inputs", nargs="*", type=Path, help="findings to be tried again")
    return parser.parse_args()


# --- All targets, each in a process of its own ---


def _run_all(options: argparse.Namespace) -> int:
    from tests.support.decoders import TARGETS

    names = [target.name for target in TARGETS if options.target in (None, target.name)]
    if not names:
        print(f"Error: there is no target {options.target}", file=sys.stderr)
        return 2
    findings = options.findings or Path(tempfile.mkdtemp(prefix="parsec-fuzz-"))
    findings.mkdir(parents=True, exist_ok=True)
    if not _is_guided():
        print("SKIPPED the guidance: atheris has no wheel for this Python or machine; blind inputs")
    print(f"{len(names)} targets, {options.seconds} seconds each; findings go to {findings}")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        started = [
            pool.submit(_in_process, name, options.seconds, Path(folder) / name, findings)
            for name in names
        ]
        outcomes = [_told(future.result(), findings) for future in started]
    failures = sum(outcome.failed for outcome in outcomes)
    executions = sum(outcome.executions for outcome in outcomes)
    lies = ""
    if options.lies:
        failures += _tell_lies(options.lies, options.jobs)
        lies = f" and {options.lies} lies about each story"
    print(f"fuzz: {len(names)} targets, {executions} executions{lies}, findings {failures}")
    return 1 if failures else 0


def _in_process(name: str, seconds: int, seeds: Path, findings: Path) -> Outcome:
    command = [sys.executable, __file__, "--target", name, "--seconds", str(seconds)]
    command += ["--seeds", str(seeds), "--findings", str(findings)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode(errors="replace")
    counts = [int(count) for count in _EXECUTIONS.findall(output)]
    # One that tried nothing has found nothing, which is no good news.
    failed = done.returncode != 0 or not counts or not any(counts)
    return Outcome(name, counts[-1] if counts else 0, failed, output)


def _told(outcome: Outcome, findings: Path) -> Outcome:
    if not outcome.failed:
        print(f"  {outcome.name:24} {outcome.executions:>9} executions", flush=True)
        return outcome
    print(f"  {outcome.name:24} FAILED", flush=True)
    print("\n".join(f"    {line}" for line in outcome.output.splitlines()[-40:]))
    for path in sorted(findings.glob(f"{outcome.name}-*")):
        print(f"  once more: {sys.executable} scripts/fuzz.py --target {outcome.name} {path}")
    return outcome


def _tell_lies(lies: int, jobs: int) -> int:
    environment = {**os.environ, "PARSEC_TEST_LIES": str(lies)}
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(jobs), "tests/hostile"]
    return 1 if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode else 0


# --- One target, in this process ---


def _run_one(name: str, seconds: int, seeds: Path, findings: Path) -> None:
    guide = _guide()
    target = _target(name)
    seeds.mkdir(parents=True)
    for number, seed in enumerate(target.seeds()):
        (seeds / f"{number:04}").write_bytes(seed)
    _bound_memory()
    if guide is None:
        _run_blindly(target, seconds, findings)
        return
    _run_guided(guide, target, seconds, seeds, findings)


def _run_guided(guide: Any, target: Any, seconds: int, seeds: Path, findings: Path) -> None:
    from tests.support.decoders.mutator import mutated

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        dice = Random(seed)
        if dice.random() < 0.4:
            return bytes(guide.Mutate(data, max_size))
        return mutated(data, target.form, dice)[:max_size]

    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-timeout={SLOWEST_SECONDS}",
        f"-artifact_prefix={findings / target.name}-",
        "-rss_limit_mb=0",
        "-print_final_stats=1",
        str(seeds),
    ]
    guide.Setup(arguments, target.check, custom_mutator=mutate)
    guide.Fuzz()


def _run_blindly(target: Any, seconds: int, findings: Path) -> None:
    from tests.support.decoders.mutator import mutated

    dice, known = Random(), [*target.seeds(), b""]
    executions, end = 0, time.monotonic() + seconds
    for data in _then(known, lambda: mutated(dice.choice(known), target.form, dice)):
        if executions >= len(known) and time.monotonic() > end:
            break
        executions += 1
        try:
            target.check(data[:LONGEST_INPUT])
        except Exception:
            traceback.print_exc()
            path = findings / f"{target.name}-{executions}"
            path.write_bytes(data[:LONGEST_INPUT])
            sys.exit(_FOUND)
    print(f"executions: {executions}")


def _then(first: Sequence[bytes], more: Callable[[], bytes]) -> Iterator[bytes]:
    yield from first
    while True:
        yield more()


def _replay(name: str, paths: Sequence[Path]) -> int:
    """What the inputs do, with the whole traceback where it is wrong."""
    target = _target(name)
    _bound_memory()
    for path in paths:
        target.check(path.read_bytes())
        print(f"{path}: fine")
    return 0


def _guide() -> Any:
    """Atheris, watching what is imported from now on; None where there is none."""
    if not _is_guided():
        return None
    guide = importlib.import_module("atheris")
    with guide.instrument_imports(include=["parsec"], enable_loader_override=False):
        importlib.import_module("tests.support.decoders")
    return guide


def _is_guided() -> bool:
    return importlib.util.find_spec("atheris") is not None


def _target(name: str) -> Any:
    from tests.support.decoders import TARGETS

    return next(target for target in TARGETS if target.name == name)


def _bound_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main())
