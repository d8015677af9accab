"""One-time codes on a database, in any order and at once, against a small model.

Of server-core.md 12 and 20.
"""

from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from msgspec.structs import replace as changed

from parsec.data.ids import AccessToken, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.server.records import Failures
from parsec.server.rules import totp as rules
from parsec.server.store import totp as store
from tests.server.machines.model_people import People
from tests.server.machines.model_totp import Codes, TotpModel, code_at
from tests.server.machines.requests_totp import NOBODY, TotpRequests
from tests.server.machines.serial import Asked
from tests.server.machines.stage import (
    ON_SQLITE,
    SECOND,
    SERVERS,
    Play,
    Stage,
    notices,
    play,
)

QUOTA = 4
TOKEN_LIFETIME = 600
# Alice is never frozen nor revoked.
NAMES = st.sampled_from(["Alice", "Alice", "Alice", "Bob"])
TARGETS = st.sampled_from(["Alice", "Alice", "Alice", "Alice", "Bob", NOBODY])
# A key by its age, then those that nobody created, which one process alone knows.
KEYS = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 8, 9])
# The steps from now, of which two are accepted besides; None for a code that is none of them.
CODES = st.sampled_from([0, 0, 0, 1, -1, 2, -2, None])
WRONG = None
_MADE_UP = 8


class Throttled(Play[TotpModel]):
    """Users set up one-time codes, and everybody asks for their keys."""

    SETTINGS: ClassVar = {
        "totp_opaque_keys_per_user": QUOTA,
        "totp_reset_lifetime": TOKEN_LIFETIME,
    }

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.requests = TotpRequests(self.story)
        self.old_tokens: list[AccessToken] = []

    def first_model(self, people: People) -> TotpModel:
        return TotpModel(people, QUOTA, TOKEN_LIFETIME, {name: Codes() for name in people.by_name})

    @initialize()
    def begin(self) -> None:
        for name in ("Alice", "Bob"):
            self.set_up(name, 0)
            self.create_key(name, 0)
            self.create_key(name, 1)

    # --- One by one ---

    @rule(name=NAMES, server=SERVERS)
    def set_up(self, name: str, server: int) -> None:
        self.ask(self.requests.get_secret(name, server))
        self.ask(self.requests.confirm(name, self.code(name, 0, server), server))

    @rule(name=NAMES, server=SERVERS)
    def get_secret(self, name: str, server: int) -> None:
        self.ask(self.requests.get_secret(name, server))

    @rule(name=NAMES, code=CODES, server=SERVERS)
    def confirm(self, name: str, code: int | None, server: int) -> None:
        self.ask(self.requests.confirm(name, self.code(name, code, server), server))

    @rule(name=TARGETS, old=st.sampled_from([0, 0, 0, 1]), server=SERVERS)
    def get_secret_with_token(self, name: str, old: int, server: int) -> None:
        self.ask(self.requests.get_secret_with(name, self.token(name, old), server))

    @rule(name=TARGETS, old=st.sampled_from([0, 0, 0, 1]), code=CODES, server=SERVERS)
    def confirm_with_token(self, name: str, old: int, code: int | None, server: int) -> None:
        token = self.token(name, old)
        self.ask(self.requests.confirm_with(name, token, self.code(name, code, server), server))

    @rule(name=NAMES)
    def reset(self, name: str) -> None:
        ((_, fields),) = self.ask(self.requests.reset(name, 0))
        self.old_tokens += [fields["token"]] if fields else []

    @rule(name=NAMES, server=SERVERS)
    def create_key(self, name: str, server: int) -> None:
        self.ask(self.requests.create_key(name, server))

    @rule(name=TARGETS, key=KEYS, code=CODES, server=SERVERS)
    def fetch(self, name: str, key: int, code: int | None, server: int) -> None:
        self.ask(self.fetching(name, key, code, server))

    @rule(name=NAMES, keys=st.lists(st.sampled_from([0, 0, 0, 1]), min_size=6, max_size=16))
    def guess_as_fast_as_allowed(self, name: str, keys: list[int]) -> None:
        for key in keys:
            ((status, fields),) = self.ask(self.fetching(name, key, WRONG, 0))
            if status == "throttled":
                self.wait_until(fields["wait_until"])
                self.ask(self.fetching(name, key, WRONG, 0))
                self.wait_until(fields["wait_until"] + 1)
                self.ask(self.fetching(name, key, WRONG, 0))

    @rule(name=NAMES)
    def begin_again_after_a_reset(self, name: str) -> None:
        self.reset(name)
        token = self.token(name, 0)
        self.ask(self.requests.get_secret_with(name, token, 1))
        self.ask(self.requests.confirm_with(name, token, self.code(name, 0, 0), 0))
        for key in (0, 1):
            self.ask(self.fetching(name, key, 0, key))

    @rule(name=NAMES)
    def be_late_after_a_reset(self, name: str) -> None:
        self.reset(name)
        token = self.token(name, 0)
        self.wait_until(self.story.at(0) + TOKEN_LIFETIME * SECOND)
        self.ask(self.requests.get_secret_with(name, token, 0))
        self.wait_until(self.story.at(0) + 1)
        self.ask(self.requests.get_secret_with(name, token, 0))

    @rule(is_reset=st.booleans())
    def be_frozen_for_a_while(self, is_reset: bool) -> None:
        if is_reset:
            self.reset("Bob")
        token, key = self.token("Bob", 0), self.fetching("Bob", 0, 0, 1)
        self.ask(self.requests.freeze("Bob", 1, frozen=True))
        self.ask(key)
        self.ask(self.requests.freeze("Bob", 0, frozen=False))
        self.ask(self.requests.get_secret_with("Bob", token, 0))

    def wait_until(self, end: int) -> None:
        self.story.now = self.story.now.plus(microseconds=max(0, end - self.story.at(0)))

    # --- At once ---

    @rule(name=NAMES, key=st.sampled_from([0, 0, 1, _MADE_UP]))
    def twenty_wrong_codes(self, name: str, key: int) -> None:
        answers = self.ask(*(self.fetching(name, key, WRONG, one % 2) for one in range(20)))

        if self.is_set_up(name):
            evaluated = [one for one in answers if one[0] != "throttled"]
            assert len(evaluated) <= 1

    @rule(name=NAMES, keys=st.lists(KEYS, min_size=3, max_size=5), right=st.integers(0, 4))
    def codes_for_several_keys(self, name: str, keys: list[int], right: int) -> None:
        self.ask(
            *(
                self.fetching(name, key, 0 if number == right else WRONG, number % 2)
                for number, key in enumerate(keys)
            )
        )

    @rule(name=NAMES)
    def secrets_are_asked_for(self, name: str) -> None:
        token = self.token(name, 0)
        self.ask(
            self.requests.get_secret(name, 0),
            self.requests.get_secret(name, 1),
            self.requests.get_secret_with(name, token, 0),
            self.requests.get_secret_with(name, token, 1),
        )

    @rule(name=NAMES, codes=st.tuples(CODES, CODES))
    def a_set_up_is_confirmed_twice(self, name: str, codes: tuple[int | None, int | None]) -> None:
        one, other = codes
        self.ask(
            self.requests.confirm(name, self.code(name, one, 0), 0),
            self.requests.confirm_with(name, self.token(name, 0), self.code(name, other, 1), 1),
            self.requests.get_secret(name, 1),
        )

    @rule(name=NAMES)
    def more_keys_than_allowed(self, name: str) -> None:
        self.ask(*(self.requests.create_key(name, number % 2) for number in range(QUOTA + 1)))

    @rule(name=NAMES, code=CODES, key=st.sampled_from([0, 1]))
    def a_reset_comes_meanwhile(self, name: str, code: int | None, key: int) -> None:
        answers = self.ask(
            self.requests.confirm_with(name, self.token(name, 0), self.code(name, 0, 0), 0),
            self.fetching(name, key, code, 1),
            self.requests.reset(name, 0),
        )
        self.old_tokens += [answers[-1][1]["token"]] if answers[-1][1] else []

    @rule(code=CODES, is_meant=st.sampled_from([False, False, True]))
    def the_user_is_kept_out_meanwhile(self, code: int | None, is_meant: bool) -> None:
        self.ask(
            self.requests.confirm_with("Bob", self.token("Bob", 0), self.code("Bob", 0, 0), 0),
            self.fetching("Bob", 0, code, 0),
            self.revoking("Bob", 1) if is_meant else self.freezing("Bob", 1),
        )

    def freezing(self, name: str, server: int, *, frozen: bool = True) -> Asked[TotpModel]:
        return self.requests.freeze(name, server, frozen=frozen)

    # --- Requests that rest on what happened ---

    def fetching(self, name: str, key: int, code: int | None, server: int) -> Asked[TotpModel]:
        keys = [*self.model.codes[name].keys] if name != NOBODY else []
        is_real = key < len(keys)
        key_id = TOTPOpaqueKeyID(keys[key] if is_real else bytes([key]) * 16)
        # What nobody created is known to the process that was asked.
        server = server if is_real else 0
        return self.requests.fetch(name, key_id, self.code(name, code, server), server)

    def code(self, name: str, steps: int | None, server: int) -> str:
        codes = self.model.codes.get(name)
        secret = codes.secret if codes and codes.secret else bytes(20)
        now = self.story.at(server)
        if steps is None:
            near = [code_at(secret, now, one) for one in range(-3, 4)]
            return next(f"{number:06}" for number in range(8) if f"{number:06}" not in near)
        return code_at(secret, now, steps)

    def token(self, name: str, old: int) -> AccessToken:
        """That of the last reset of a user, or another."""
        codes = self.model.codes.get(name)
        if not old and codes and codes.token:
            return AccessToken(codes.token)
        return self.old_tokens[-1] if self.old_tokens else AccessToken(bytes(16))

    def is_set_up(self, name: str) -> bool:
        is_in = self.model.people.kept_out(name) is None
        return is_in and self.model.codes[name].is_complete


def test_codes_do_what_the_model_does(stage: Stage) -> None:
    play(Throttled, stage, stories=25, steps=30)


# --- What it would notice ---

throttled_until, can_release = rules.throttled_until, rules.can_release
accepted_step = rules.accepted_step


def wait_that_ends_early(failures: Failures) -> Instant | None:
    end = throttled_until(failures)
    return end.plus(microseconds=-1) if end is not None else None


async def nothing(*_: object, **__: object) -> None:
    """Writes nothing, finds nothing."""


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "a wait ends early": (rules, "throttled_until", wait_that_ends_early),
    "keys wait each for itself": (rules, "_user_throttled_until", lambda _: None),
    "waits are longer than an hour": (rules, "LONGEST_WAIT", 7_200),
    "what nobody created never waits": (
        rules,
        "judge_stray_code",
        lambda *_, now, **__: rules.Missed(key=Failures(1, now), user=Failures()),
    ),
    "frozen users get their keys": (
        rules,
        "can_release",
        lambda user, setup: can_release(changed(user, is_frozen=False), setup),
    ),
    "old codes are good": (
        rules,
        "accepted_step",
        lambda secret, code, *, now: accepted_step(secret, code, now=now.plus(seconds=-30)),
    ),
    "keys have no number": (rules, "check_may_create_key", lambda *_, **__: None),
    "a token is for ever": (rules, "_is_over", lambda *_: False),
    "a token outlives a freeze": (store, "void_reset_token", nothing),
    "a reset is for the user alone": (
        store,
        "RESET_KEYS",
        "SELECT 1",
    ),
}


@ON_SQLITE
@pytest.mark.parametrize("broken", BROKEN)
def test_the_machine_notices_that(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(*BROKEN[broken])

    assert notices(Throttled, stage)
