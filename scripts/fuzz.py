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
import io
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
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
    return _run_all(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=6, help="for each target")
    parser.add_argument("--lies", type=int, default=0, help="how many to tell about each story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at once")
    parser.add_argument("--findings", type=Path, help="a folder (default: a new one)")
    parser.add_argument("--target", help="one of the targets alone")
    parser.add_argument("--blind", action="store_true", help="without atheris")
    parser.add_argument("inputs", nargs="*", type=Path, help="findings to be tried again")
    return parser.parse_args()


# --- All targets, each in a process of its own ---


def _run_all(options: argparse.Namespace) -> int:
    if not hasattr(os, "fork"):
        print("Error: the fuzzers need a POSIX system", file=sys.stderr)
        return 2
    guide = None if options.blind else _guide()
    names = [name for name in _names() if options.target in (None, name)]
    if not names:
        return _no_such_target(options.target)
    findings = options.findings or Path(tempfile.mkdtemp(prefix="parsec-fuzz-"))
    findings.mkdir(parents=True, exist_ok=True)
    if guide is None:
        print("SKIPPED the guidance of atheris: the inputs are blind")
    print(f"{len(names)} targets, {options.seconds} seconds each; findings go to {findings}")
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(guide, options.seconds, Path(folder), findings)
        outcomes = [_told(outcome, findings) for outcome in run.outcomes(names, options.jobs)]
    failures = sum(outcome.failed for outcome in outcomes)
    executions = sum(outcome.executions for outcome in outcomes)
    lies = ""
    if options.lies:
        failures += _tell_lies(options.lies, options.jobs)
        lies = f", {options.lies} lies about each story"
    print(f"fuzz: {len(names)} targets, {executions} executions{lies}, findings {failures}")
    return 1 if failures else 0


@dataclass(frozen=True)
class _Run:
    """Targets in children of this process, which has imported and prepared everything once."""

    guide: Any
    seconds: int
    folder: Path
    findings: Path

    def outcomes(self, names: Sequence[str], jobs: int) -> Iterator[Outcome]:
        """As they end, so many at once."""
        running: dict[int, str] = {}
        for name in names:
            if len(running) == jobs:
                yield self._next(running)
            running[self._start(name)] = name
        while running:
            yield self._next(running)

    def _start(self, name: str) -> int:
        sys.stdout.flush()
        child = os.fork()
        if child:
            return child
        output = os.open(self.folder / f"{name}.txt", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = _FOUND
        try:
            _run_one(name, self.guide, self.seconds, self.folder / name, self.findings)
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)

    def _next(self, running: dict[int, str]) -> Outcome:
        child, status = os.wait()
        name = running.pop(child)
        output = (self.folder / f"{name}.txt").read_text(encoding="utf-8", errors="replace")
        counts = [int(count) for count in _EXECUTIONS.findall(output)]
        # One that tried nothing has found nothing, which is no good news.
        failed = status != 0 or not any(counts)
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


def _run_one(name: str, guide: Any, seconds: int, seeds: Path, findings: Path) -> None:
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
    if name not in _names():
        return _no_such_target(name)
    target = _target(name)
    _bound_memory()
    for path in paths:
        target.check(path.read_bytes())
        print(f"{path}: fine")
    return 0


def _no_such_target(name: str) -> int:
    print(f"Error: there is no target {name}, but {', '.join(_names())}", file=sys.stderr)
    return 2


def _guide() -> Any:
    """Atheris, watching what is imported from now on; None where there is none."""
    if importlib.util.find_spec("atheris") is None:
        return None
    guide = importlib.import_module("atheris")
    with redirect_stderr(io.StringIO()), guide.instrument_imports(include=["parsec"]):
        importlib.import_module("tests.support.decoders.table")
    return guide


def _names() -> list[str]:
    from tests.support.decoders.table import TARGETS

    return [target.name for target in TARGETS]


def _target(name: str) -> Any:
    from tests.support.decoders.table import TARGETS

    return next(target for target in TARGETS if target.name == name)


def _bound_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


if __name__ == "__main__":
    sys.exit(main())
