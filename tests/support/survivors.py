"""People whose programs die in the middle, each with a line of their own to one real server.

The server is in a thread of this process, the command line in processes that may die at any of
their writes (`mortal_client`) and, since every request passes this process, before or after any of
their requests.
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]

from parsec.client.world import system_now
from parsec.crypto.totp import time_step, totp_code
from tests.support.liar import Forward, Heard, Liar, Said, honest
from tests.support.mortal_client import KILLED, Child, Ended, Mother
from tests.support.served import running_behind
from tests.support.server_app import TOKEN

_PATIENCE = 60.0
_MOST_DEATHS = 200


@dataclass
class Place:
    """A server, and the machines of those who use it."""

    folder: Path
    mother: Mother
    server: Liar
    lines: contextlib.ExitStack
    _names: "itertools.count[int]" = field(default_factory=itertools.count)

    def survivor(self, name: str) -> "Survivor":
        """Somebody with a new machine and a line of their own."""
        line = self.lines.enter_context(Liar(upstream=self.server.upstream))
        home = self.folder / f"{name}-{next(self._names)}"
        home.mkdir()
        person = Survivor(self, name, home, line)
        person.password = "first"
        return person

    def bootstrap_url(self, name: str | None = None) -> str:
        """The link to a new organization."""
        body = json.dumps({"organization_id": name or f"Org{next(self._names)}"})
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=10)
        with contextlib.closing(connection):
            connection.request("POST", "/administration/organizations", body, headers)
            url: str = json.loads(connection.getresponse().read())["bootstrap_url"]
        return url

    def founder(self, name: str = "alice") -> "Survivor":
        """The administrator of a new organization."""
        person = self.survivor(name)
        person.must(*person.bootstrapping(self.bootstrap_url()))
        return person


@dataclass
class Survivor:
    """A person, their machine, and the line between it and the server."""

    place: Place
    name: str
    home: Path
    line: Liar
    keyring: bool = False

    # --- What they type ---

    def bootstrapping(self, url: str) -> list[str]:
        return [
            "organization", "bootstrap", "--addr", self.link(url),
            "--device-label", "laptop", "--label", self.name, "--email", self.email,
        ]  # fmt: skip

    def claiming(self, url: str, *options: str) -> list[str]:
        return [
            "invite", "claim", self.link(url), "--sas-stdin", "--label", "laptop",
            "--email", self.email, "--name", self.name, "--timeout", "20", *options,
        ]  # fmt: skip

    def greeting(self, token: str) -> list[str]:
        return ["invite", "greet", token, "--sas-stdin", "--profile", "ADMIN", "--timeout", "20"]

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"

    def link(self, url: str) -> str:
        """The same address by this person's line."""
        return re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{self.line.addr.port}", url)

    # --- What becomes of it ---

    def start(self, *arguments: str, **conditions: Any) -> Child:
        if self.keyring:
            conditions["keyring"] = str(self.home / "keyring.json")
        return self.place.mother.start(list(arguments), self._environment, **conditions)

    def run(self, *arguments: str, **conditions: Any) -> Ended:
        return self.start(*arguments, **conditions).finish()

    def must(self, *arguments: str) -> Any:
        """What a command that has to succeed prints, as JSON where there is any."""
        ended = self.run(*arguments)
        assert ended.code == 0, ended
        with contextlib.suppress(ValueError):
            return json.loads(ended.out)
        return ended.out

    def dying(self, number: int, *arguments: str, after: bool, line: Liar | None = None) -> Child:
        """A command that dies at its n-th request of another kind, before or after the server.

        `line` is whose line it uses, where that is another one.
        """
        box: Future[Child] = Future()
        (line or self.line).tell(_Fatal(number, box, after=after))
        child = self.start(*arguments)
        box.set_result(child)
        return child

    @property
    def devices(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.must("device", "list")
        return found

    @property
    def works(self) -> bool:
        """Whether there is a device, and it opens and is known to the server."""
        return bool(self.devices) and self.run("certificate", "poll").code == 0

    # --- Their machine ---

    @property
    def password(self) -> str:
        return self.password_file.read_text()

    @password.setter
    def password(self, password: str) -> None:
        self.password_file.write_text(password)

    @property
    def password_file(self) -> Path:
        return self.home / "password"

    @property
    def files(self) -> list[str]:
        """All there is in the folders of the program, but for the locks."""
        found = [
            str(path.relative_to(self.home))
            for folder in ("config", "data")
            for path in (self.home / folder).rglob("*")
            if path.is_file() and not path.parent.name.startswith("in_use_")
        ]
        return sorted(found)

    @property
    def leftovers(self) -> list[str]:
        """What only an interrupted program leaves."""
        ends = (".tmp", ".begun", ".probe", ".shares")
        return [name for name in self.files if name.endswith(ends)]

    @contextlib.contextmanager
    def copy(self) -> Iterator["Survivor"]:
        """The same person on a copy of the machine, to try something out; and an honest line."""
        home = self.home.with_name(f"{self.home.name}-copy-{next(self.place._names)}")
        shutil.copytree(self.home, home)
        self.line.tell(honest)
        try:
            yield Survivor(self.place, self.name, home, self.line, self.keyring)
        finally:
            self.line.tell(honest)
            shutil.rmtree(home)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PARSEC_BASE_CONFIG_DIR": str(self.home / "config"),
            "PARSEC_BASE_DATA_DIR": str(self.home / "data"),
            "PARSEC_DEVICE_PASSWORD_FILE": str(self.password_file),
            "PARSEC_FORMAT": "json",
            "PARSEC_PROGRESS": "quiet",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "_PARSEC_INVITE_POLLING_THROTTLE_MS": "5",
        }


# --- Dying ---


def deaths() -> Iterator[int]:
    """1, 2, 3, … for as long as somebody dies of it."""
    yield from range(1, _MOST_DEATHS)
    raise AssertionError("it never comes to its end")


def was_killed(ended: Ended) -> bool:
    """Whether it was; whatever else happens has to be no bug."""
    assert "this is a bug" not in ended.err, ended
    return ended.code == KILLED


class _Fatal:
    """A lie: at the first request of the n-th kind, whoever sent it dies.

    Kinds, not requests: how often somebody asks whether the peer is there is a matter of chance.
    """

    def __init__(self, number: int, victim: "Future[Child]", *, after: bool) -> None:
        self._number = number
        self._victim = victim
        self._after = after
        self._kinds: list[object] = []

    def __call__(self, heard: Heard, forward: Forward) -> Said | None:
        kind = _kind(heard)
        if kind in self._kinds or len(self._kinds) >= self._number:
            return forward()
        victim = self._victim.result(_PATIENCE)
        if victim.is_over:
            return forward()
        self._kinds.append(kind)
        if len(self._kinds) < self._number:
            return forward()
        if self._after:
            forward()
        victim.kill()
        return None


def _kind(heard: Heard) -> object:
    if heard.command is None:
        return heard.path
    fields = msgpack.unpackb(heard.body, strict_map_key=False)
    step = fields.get("claimer_step") or fields.get("greeter_step") or {}
    # A poll after an upload is another kind than the one before, and so is another attempt.
    about = ("greeting_attempt", "greeter", "common_after", "shamir_recovery_after")
    return heard.command, step.get("step"), *(str(fields.get(name)) for name in about)


# --- Meeting ---


def compare_codes(greeter: Child, claimer: Child) -> None:
    """Read the codes to each other, as far as both live."""
    for speaker, listener in ((greeter, claimer), (claimer, greeter)):
        told = speaker.event("code", beside=listener)
        if told is None:
            return
        listener.write(told["code"])


def converse(greeter: Child, claimer: Child) -> tuple[Ended, Ended]:
    """Bring a greeting to its end; how it ended for the claimer, then for the greeter.

    Where one of them is killed, the other one is not kept waiting.
    """
    compare_codes(greeter, claimer)
    for each, other in ((claimer, greeter), (greeter, claimer)):
        each.event("none: its last", beside=other)
    return claimer.finish(), greeter.finish()


def meet(
    host: Survivor, token: str, guest: Survivor, url: str, *options: str
) -> tuple[Ended, Ended]:
    """Greet and claim; how it ended for the guest, then for the host."""
    claimer = guest.start(*guest.claiming(url, *options))
    return converse(host.start(*host.greeting(token)), claimer)


def welcome(host: Survivor, guest: Survivor) -> None:
    """Make somebody a member."""
    invitation = host.must("invite", "user", guest.email)
    claimed, greeted = meet(
        host, invitation["token"], guest, invitation["url"], "--greeter", host.email
    )
    assert (claimed.code, greeted.code) == (0, 0), (claimed, greeted)


def one_time_code(secret: str) -> str:
    """What an authenticator shows for a secret in base32."""
    import base64

    return totp_code(base64.b32decode(secret), time_step(int(system_now())))


def recovering(lost: Survivor, url: str, *helpers: Survivor) -> list[str]:
    """What somebody types who lost everything."""
    chosen = [word for helper in helpers for word in ("--recipient", helper.email)]
    return [
        "invite", "claim", lost.link(url), "--sas-stdin", "--label", "recovered",
        "--timeout", "20", *chosen,
    ]  # fmt: skip


@contextlib.contextmanager
def place(folder: Path, mother: Mother) -> Iterator[Place]:
    """A server that begins with nothing."""
    with contextlib.ExitStack() as lines:
        server = lines.enter_context(Liar())
        lines.enter_context(running_behind(server, system_now))
        yield Place(folder, mother, server, lines)
