"""What was measured, as tables for the terminal and for the page of results."""

import math
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """One subject: a table, and what there is to say about it."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *row: str) -> None:
        self.rows.append(row)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def target(self, text: str, value: float, *, limit: float, at_least: bool = False) -> None:
        """Say whether a target is met."""
        is_met = value >= limit if at_least else value <= limit
        bound = "at least" if at_least else "at most"
        verdict = "met" if is_met else "MISSED"
        self.note(f"target: {text} {bound} {limit:g}: {value:.3g}, {verdict}")

    @property
    def text(self) -> str:
        """As a table of MarkDown, whose columns are aligned for the terminal too."""
        table = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(row, widths) for row in table]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines.insert(1, _line(rule, widths))
        notes = [f"* {note}" for note in self.notes]
        return "\n".join([f"## {self.title}", "", *lines, *([""] if notes else []), *notes])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        f"{cell:{'<' if at == 0 else '>'}{width}}"
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return f"| {' | '.join((first, *others))} |"


def geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios)))


def machine(*further: str) -> str:
    """What the figures depend on, in one line."""
    load = os.getloadavg()[0]
    warning = "" if load < 1 else ": others were at work, so only computing time means anything"
    return ", ".join(
        [
            _processor(),
            f"{os.cpu_count()} cores",
            f"{platform.system()} {platform.release()}",
            f"{platform.python_implementation()} {platform.python_version()}",
            *further,
            f"load {load:.1f} at the start{warning}",
        ]
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()
