"""What the client computes with secrets: shares of a recovery, and the opening of a device."""

import statistics
import time
from collections.abc import Callable

from benches.report import Report
from parsec.client.guards.password import PasswordGuard
from parsec.client.rules.device_file import open_device, protect
from parsec.crypto.entropy import system_entropy
from parsec.crypto.password import argon2id
from parsec.crypto.shamir import join, split
from parsec.data.device_file import PasswordDeviceFile
from tests.support.device_files import CREATED_ON
from tests.support.lines import some_device

SHARES, THRESHOLD, SECRET = 255, 128, bytes(range(200))
PASSWORD = "correct horse battery staple"


def measure(*, quick: bool) -> list[Report]:
    rounds = 3 if quick else 11
    return [_shares(rounds), _unlocking(rounds)]


def _shares(rounds: int) -> Report:
    dealt = split(SECRET, threshold=THRESHOLD, shares=SHARES, entropy=system_entropy)
    splitting, joining = _medians(
        rounds,
        lambda: split(SECRET, threshold=THRESHOLD, shares=SHARES, entropy=system_entropy),
        lambda: join(dealt[-THRESHOLD:], threshold=THRESHOLD),
    )
    report = Report(f"Shares of a secret of {len(SECRET)} bytes", ["", "ms"])
    report.add(f"split into {SHARES}, threshold {THRESHOLD}", f"{splitting * 1000:.0f}")
    report.add(f"join {THRESHOLD}", f"{joining * 1000:.0f}")
    report.target("splitting, ms", splitting * 1000, limit=150)
    report.target("joining, ms", joining * 1000, limit=100)
    return report


def _unlocking(rounds: int) -> Report:
    guard = PasswordGuard(PASSWORD)
    key, fields = guard.new(system_entropy)
    file = protect(
        some_device(),
        fields=fields,
        key=key,
        created_on=CREATED_ON,
        protected_on=CREATED_ON,
        totp=None,
        entropy=system_entropy,
    )
    assert isinstance(file, PasswordDeviceFile)
    cost = file.algorithm
    bare, whole = _medians(
        rounds,
        lambda: argon2id(
            PASSWORD,
            salt=cost.salt,
            opslimit=cost.opslimit,
            memlimit_kb=cost.memlimit_kb,
            parallelism=cost.parallelism,
        ),
        lambda: open_device(file, key=guard.key(file)),
    )
    report = Report("Opening a device by its password", ["", "ms", "ratio"])
    report.add("Argon2id alone", f"{bare * 1000:.0f}", "1.00×")
    report.add("the whole", f"{whole * 1000:.0f}", f"{whole / bare:.2f}×")
    return report


def _medians(rounds: int, *contestants: Callable[[], object]) -> list[float]:
    """Seconds that each computes, in turns."""
    times: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for taken, contestant in zip(times, contestants, strict=True):
            start = time.process_time()
            contestant()
            taken.append(time.process_time() - start)
    return [statistics.median(taken) for taken in times]
