"""What the tests of OpenBao share: HTTP, the stand-in, and a real server where there is one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from parsec.client.transport import Http
from tests.support.openbao import StandInOpenBao
from tests.support.real_openbao import RealOpenBao, marks, named_by_environment

AnyOpenBao: TypeAlias = StandInOpenBao | RealOpenBao


@pytest.fixture
def http() -> Iterator[Http]:
    carried = Http(os.environ)  # a real server may need SSL_CAFILE
    yield carried
    carried.close()


@pytest.fixture
def stand_in() -> Iterator[StandInOpenBao]:
    with StandInOpenBao() as bao:
        yield bao


@pytest.fixture(scope="module", params=["stand-in", pytest.param("real", marks=marks())])
def bao(request: pytest.FixtureRequest) -> Iterator[AnyOpenBao]:
    """Each test runs against the stand-in, and against a real server where there is one."""
    with ExitStack() as stack:
        if request.param == "real":
            yield stack.enter_context(named_by_environment())
        else:
            yield stack.enter_context(StandInOpenBao())
