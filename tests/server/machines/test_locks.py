"""That machines with two processes would notice if these did not take turns."""

from typing import Any

import pytest

from parsec.server.store import postgresql
from tests.server.machines.stage import Play, Stage, notices
from tests.server.machines.test_invite_machine import Inviting
from tests.server.machines.test_totp_machine import Throttled
from tests.support.postgresql import needs_postgresql


@needs_postgresql
@pytest.mark.parametrize("machine", [Inviting, Throttled])
def test_the_machine_notices_that_nobody_takes_turns(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, machine: type[Play[Any]]
) -> None:
    async def no_lock(*_: object, **__: object) -> None:
        """As if the database had none."""

    monkeypatch.setattr(postgresql._Transaction, "lock", no_lock)

    # What two have written at once may also offend the database.
    assert notices(machine, stage, by=Exception)
