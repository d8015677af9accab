"""How a PostgreSQL database that cannot be reached is told; none is needed for this."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest

from parsec.server.settings import PostgresqlDatabase, Secret
from parsec.server.store import postgresql_connection
from parsec.server.store.engine import OutOfReachError, StorageError
from parsec.server.store.postgresql import PostgresqlEngine
from parsec.server.store.postgresql_connection import PostgresqlConnection, _arguments, connect


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address of this machine where nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def database(url: str) -> PostgresqlDatabase:
    return PostgresqlDatabase(url=Secret(url), attempts=3, pause=0)


async def test_a_server_that_does_not_answer_is_named_without_the_password(nobody: str) -> None:
    with pytest.raises(OutOfReachError) as raised:
        await connect(database(f"postgresql://alice:s3cr3t@{nobody}/parsec"))

    assert str(raised.value).startswith(
        f"the database postgresql://{nobody}/parsec does not answer: "
    )
    assert "s3cr3t" not in str(raised.value)


async def test_who_cannot_be_trusted_is_told_in_the_words_of_tls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connect_to_anybody(*_: object, **__: object) -> None:
        # As OpenSSL's: a number of its own, which is none of the operating system.
        raise ssl.SSLCertVerificationError(1, "certificate verify failed")

    monkeypatch.setattr("asyncpg.connect", connect_to_anybody)

    with pytest.raises(OutOfReachError, match="certificate verify failed") as raised:
        await connect(database("postgresql://nobody/parsec"))

    assert raised.value.hint is None


async def test_an_engine_tries_as_often_as_it_was_told(nobody: str) -> None:
    engine = PostgresqlEngine(database(f"postgresql://{nobody}/parsec"))

    with pytest.raises(StorageError, match=r"does not answer: .* \(attempts: 3\)"):
        await engine.migrations()
    with pytest.raises(StorageError, match="does not answer"):
        await engine.migrate()

    await engine.close()


async def test_listening_gives_up_after_as_many_attempts(nobody: str) -> None:
    engine = PostgresqlEngine(database(f"postgresql://{nobody}/parsec"))
    engine.subscribe(lambda _: None)

    assert str(await engine.lost()) == "the database is lost; gave up after 3 attempts"

    await engine.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://alice:s3c/r3t@localhost/parsec",
        "postgresql://alice:s3cr3t@localhost:port/parsec",
        "postgresql://alice:s3cr3t@localhost/parsec?s3cr3t",
        "postgresql://alice:s3cr3t@localhost/parsec?statement_cache_size=s3cr3t",
        "postgresql://alice:s3cr3t@[::1/parsec",
        "postgresql://alice:s3cr3t@localhost/parsec?sslmode=s3cr3t!",
    ],
)
async def test_a_malformed_url_is_told_without_what_it_holds(url: str) -> None:
    with pytest.raises(StorageError) as raised:
        await connect(database(url))

    assert "s3c" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://alice:s3cr3t@host:5433/parsec?sslmode=require", "host:5433/parsec"),
        ("postgres://host/parsec", "host/parsec"),
        ("postgresql:///parsec?host=/run/postgresql&password=s3cr3t", "/parsec"),
        ("postgresql://one:1,two:2/parsec", "one:1,two:2/parsec"),
        # A character of the password that should have been escaped.
        ("postgresql://alice:s3c/r3t@host/parsec", "…"),
        ("postgresql://alice:s3c?r3t@host/parsec", "…"),
        ("postgresql://alice:s3c#r3t@host/parsec", "…"),
        ("postgresql://alice:s3c@r3t@host/parsec", "…"),
    ],
)
def test_a_database_is_shown_without_its_secrets(url: str, place: str) -> None:
    assert str(database(url)) == f"postgresql://{place}"
    assert "s3c" not in repr(database(url))


def test_what_the_url_says_of_the_session_wins() -> None:
    arguments = _arguments("postgresql://h/d?application_name=mine&search_path=parsec")

    assert arguments["dsn"] == "postgresql://h/d?application_name=mine&search_path=parsec"
    assert "application_name" not in arguments["server_settings"]
    assert arguments["server_settings"]["idle_in_transaction_session_timeout"] == "60000"


@pytest.mark.parametrize("given", ["", "&idle_in_transaction_session_timeout=30000"])
def test_what_may_stand_still_is_not_ended_whatever_the_url_says(given: str) -> None:
    arguments = _arguments(f"postgresql://h/d?a=b{given}", limits_idling=False)

    assert arguments["dsn"] == "postgresql://h/d?a=b&idle_in_transaction_session_timeout=0"
    assert "idle_in_transaction_session_timeout" not in arguments["server_settings"]


@pytest.mark.parametrize("limits_idling", [True, False])
def test_a_proxy_between_is_asked_for_nothing_that_outlasts_a_transaction(
    limits_idling: bool,
) -> None:
    arguments = _arguments("postgresql://h/d?statement_cache_size=0", limits_idling=limits_idling)

    assert arguments == {
        "dsn": "postgresql://h/d",
        "server_settings": {},
        "statement_cache_size": 0,
    }


class Silent:
    """What asyncpg would have connected, to a database that answers when it is told to."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.is_terminated = False

    async def fetch(self, _: str) -> list[object]:
        await self.answers.wait()
        return []

    async def add_listener(self, *_: object) -> None:
        await self.answers.wait()

    def add_termination_listener(self, _: object) -> None:
        pass

    def terminate(self) -> None:
        self.is_terminated = True


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def set_to(now: float) -> None:
        monkeypatch.setattr(postgresql_connection, "monotonic", lambda: now)

    set_to(0)
    return set_to


async def test_a_connection_is_given_up_for_one_statement_that_takes_too_long(
    set_clock: Callable[[float], None],
) -> None:
    silent = Silent()
    connection = PostgresqlConnection(silent, statement_seconds=60)
    ends = []

    for now in (0, 50, 100):
        set_clock(now)
        silent.answers.clear()
        statement = asyncio.create_task(connection.rows("SELECT"))
        await asyncio.sleep(0)
        connection._look()
        ends.append(silent.is_terminated)
        if now < 100:
            silent.answers.set()
            await statement
    connection._look()
    ends.append(silent.is_terminated)
    set_clock(173)
    connection._look()
    ends.append(silent.is_terminated)
    statement.cancel()

    assert ends == [False, False, False, False, True]


async def test_to_begin_to_listen_takes_no_longer_than_a_statement(
    set_clock: Callable[[float], None],
) -> None:
    silent = Silent()
    connection = PostgresqlConnection(silent, statement_seconds=10)
    listening = asyncio.create_task(connection.listen("channel", lambda: None))
    await asyncio.sleep(0)

    set_clock(13)
    connection._look()
    listening.cancel()

    assert silent.is_terminated


async def test_a_connection_without_a_statement_is_not_given_up() -> None:
    silent = Silent()
    silent.answers.set()
    connection = PostgresqlConnection(silent, statement_seconds=-3600)

    await connection.rows("SELECT")
    connection._look()

    assert not silent.is_terminated
