"""Waiting after wrong codes, against a small model (server-core.md 12.5, 20.9 to 20.14)."""

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from parsec.data.ids import TOTPOpaqueKeyID
from parsec.protocol.command import Reply, reply_status
from parsec.protocol.statuses import Throttled
from tests.support.server_totp import Codes, made_up_key
from tests.support.server_world import world

T = TypeVar("T")

HOUR = 3_600
SECOND = 1_000_000
REAL, MADE_UP = ("first", "second", "third"), ("fourth", "fifth")
real_keys = st.sampled_from(REAL)
keys = st.sampled_from(REAL + MADE_UP)
# Most waits end, some to the microsecond.
pauses = st.sampled_from([0, 1, SECOND, 2 * SECOND, 4 * SECOND + 1, 65 * SECOND, HOUR * SECOND + 1])


@dataclass
class Model:
    """The rule in a few lines: wrong codes of each key in a row, and when the last one came."""

    wrong: dict[str, list[int]] = field(default_factory=dict)
    user_wrong: list[int] = field(default_factory=list)

    def wait_until(self, key: str) -> int | None:
        waits = [self._end(self.wrong.get(key, []))]
        if key in REAL and len(self.user_wrong) >= 6:
            waits.append(self._end(self.user_wrong))
        return max((one for one in waits if one is not None), default=None)

    def fetch(self, key: str, now: int, *, is_right: bool) -> tuple[str, int | None]:
        until = self.wait_until(key)
        if until is not None and now <= until:
            return "throttled", until
        if is_right and key in REAL:
            self.wrong[key], self.user_wrong = [], []
            return "ok", None
        self.wrong.setdefault(key, []).append(now)
        if key in REAL:
            self.user_wrong.append(now)
        return "invalid_one_time_password", None

    @staticmethod
    def _end(wrong: list[int]) -> int | None:
        if not wrong:
            return None
        seconds = min(1 << (len(wrong) - 1), HOUR)
        return wrong[-1] + seconds * SECOND


class Throttling(RuleBasedStateMachine):
    """A member with three keys, two keys that were never created, and a real database."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()
        self.model = Model()

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        place = await self.stack.enter_async_context(world())
        self.member = Codes(place, await place.add_member("bob"))
        await self.member.set_up()
        self.names: dict[str, TOTPOpaqueKeyID] = {name: made_up_key() for name in MADE_UP}
        for name in REAL:
            self.names[name], _ = await self.member.create_key()

    @rule(pause=pauses)
    def wait(self, pause: int) -> None:
        self.member.wait(pause / SECOND)

    @rule(key=keys)
    def wrong_code(self, key: str) -> None:
        reply = self.run(self.member.fetch(self.names[key], self.member.wrong_code()))

        assert told(reply) == self.model.fetch(key, self.member.place.now, is_right=False)

    @rule(asked=st.lists(real_keys, min_size=4, max_size=12))
    def guess_as_fast_as_allowed(self, asked: list[str]) -> None:
        for key in asked:
            until, now = self.model.wait_until(key), self.member.place.now
            if until is not None and now <= until:
                self.member.place.now = now.plus(microseconds=until - now + 1)
            self.wrong_code(key)

    @rule(key=keys, steps=st.sampled_from([-1, 0, 1]))
    def right_code(self, key: str, steps: int) -> None:
        code = self.member.code(steps=steps)

        reply = self.run(self.member.fetch(self.names[key], code))

        assert told(reply) == self.model.fetch(key, self.member.place.now, is_right=True)

    @rule(key=keys)
    def wrong_codes_at_once(self, key: str) -> None:
        code = self.member.wrong_code()

        replies = self.run(self._fetch_at_once(key, code, count=5))

        now = self.member.place.now
        expected = [self.model.fetch(key, now, is_right=False) for _ in range(5)]
        assert sorted(map(told, replies), key=repr) == sorted(expected, key=repr)

    async def _fetch_at_once(self, key: str, code: str, *, count: int) -> list[Reply]:
        name = self.names[key]
        return await asyncio.gather(*(self.member.fetch(name, code) for _ in range(count)))

    @rule()
    def reset(self) -> None:
        self.run(self._reset())
        self.model = Model()

    async def _reset(self) -> None:
        token = await self.member.reset()
        await self.member.begin_with(token)
        await self.member.confirm_with(token, self.member.code())

    def run(self, awaited: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(awaited)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()


def told(reply: Reply) -> tuple[str, int | None]:
    """A reply in the words of the model."""
    until = int(reply.wait_until) if isinstance(reply, Throttled) else None
    return reply_status(type(reply)), until


TestThrottling = Throttling.TestCase
TestThrottling.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
