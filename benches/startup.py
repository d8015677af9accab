"""How long the command line takes to start, next to an empty Python program."""

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benches.report import Report
from tests.support.device_files import put_device

TARGET = 5.0

_EMPTY = "python -c pass"


def measure(folder: Path, *, quick: bool) -> Report:
    rounds = 3 if quick else 21
    home = folder / "home"
    for number in range(3):
        put_device(home, f"{number}1", name=f"Person{number}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PARSEC_BASE_CONFIG_DIR": str(home / "config"),
        "PARSEC_BASE_DATA_DIR": str(home / "data"),
    }
    program = str(Path(sys.executable).with_name("parsec-cli"))
    commands = {
        _EMPTY: [sys.executable, "-c", "pass"],
        "parsec-cli --help": [program, "--help"],
        "parsec-cli device list": [program, "device", "list"],
    }
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            samples[name].append(_run(command, environment))
    return _report(samples)


def _report(samples: dict[str, list[tuple[float, float]]]) -> Report:
    report = Report("Start of the command line", ["command", "ms", "CPU ms", "ratio", "CPU ratio"])
    medians = {
        name: [statistics.median(column) for column in zip(*some, strict=True)]
        for name, some in samples.items()
    }
    empty = medians[_EMPTY]
    for name, (wall, cpu) in medians.items():
        ratios = f"{wall / empty[0]:.1f}×", f"{cpu / empty[1]:.1f}×"
        report.add(name, f"{wall * 1000:.0f}", f"{cpu * 1000:.0f}", *ratios)
    for name, (_, cpu) in medians.items():
        if name != _EMPTY:
            report.target(f"{name}, CPU to that of `{_EMPTY}`", cpu / empty[1], limit=TARGET)
    return report


def _run(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds on the clock, and computed."""
    before, start = _computed(), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start, _computed() - before


def _computed() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
