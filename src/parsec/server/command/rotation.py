"""From one server key to another, in steps each of which leaves everything readable."""

import contextlib
from collections.abc import AsyncIterator

import click

from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import SecretKey
from parsec.server.build import make_engine
from parsec.server.command.long_work import progress
from parsec.server.settings import Database
from parsec.server.store import server_key
from parsec.server.store.engine import Engine, StorageError, Transaction, Use
from parsec.server.store.key_file import KeyFile
from parsec.server.store.sealed_columns import known_ring, seal_anew, uses
from parsec.server.store.sealing import KeyID, KeyRing


async def add_key(database: Database, keys: KeyFile, entropy: Entropy) -> None:
    """Put a new key in front of the others, which is not used yet. Raises StorageError."""
    async with _opened(database) as engine, _alone(engine) as (_, current):
        ring = _with_new(keys, known_ring(keys, current), current, entropy)
    click.echo(f"{keys} ✔ new key {ring.newest.hex()}, not used yet")


async def rotate(database: Database, keys: KeyFile, entropy: Entropy) -> None:
    """Let the first key of the file seal, and all that others sealed. Raises StorageError.

    One that seals already makes place for a new one, unless it has not yet sealed everything.
    """
    async with _opened(database) as engine:
        async with _alone(engine) as (transaction, current):
            ring = known_ring(keys, current)
            if ring.newest != current or await _sealed_by_others(transaction, current) == 0:
                ring = _with_new(keys, ring, current, entropy)
                await server_key.switch(transaction, ring.newest)
        done = 0
        with progress() as told:

            def count(rows: int) -> None:
                nonlocal done
                done += rows
                told("secrets", done)

            await seal_anew(engine, ring, ring.newest, entropy, told=count)
        async with engine.transaction(write=False) as reading:
            left = await _sealed_by_others(reading, ring.newest)
    if left:
        raise StorageError(
            f"{left} secrets are still sealed with a former key", hint="run it again"
        )
    click.echo(f"{keys} ✔ key {ring.newest.hex()}, {done:,} secrets")
    if len(ring.keys) > 1:
        click.echo("The former key stays in the file: see --forget-old", err=True)


async def forget_old_keys(database: Database, keys: KeyFile, entropy: Entropy) -> None:  # noqa: ARG001
    """Leave only the key that seals in the file. Raises StorageError."""
    async with _opened(database) as engine, _alone(engine) as (transaction, current):
        ring = known_ring(keys, current)
        left = await _sealed_by_others(transaction, current)
        if left:
            raise StorageError(
                f"{left} secrets are still sealed with a former key",
                hint="finish by `python -m parsec rotate-key`",
            )
        if ring.newest != current:
            raise StorageError(
                f"the first key in {keys} is not used yet",
                hint="rotate to it by `python -m parsec rotate-key`",
            )
        keys.replace(ring.only(current))
    click.echo(f"{keys} ✔ only key {current.hex()}")
    removed = [name.hex() for name in ring.names if name != current]
    if removed:
        click.echo(f"Removed: {', '.join(removed)}. Backups from their time need them", err=True)


@contextlib.asynccontextmanager
async def _opened(database: Database) -> AsyncIterator[Engine]:
    """A database beside its servers."""
    engine = make_engine(database, use=Use.BESIDE)
    try:
        states = await engine.migrations()
        if not all(state.applied for state in states):
            hint = f"python -m parsec migrate --db {database}"
            raise StorageError("the database is of an older version", hint=hint)
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def _alone(engine: Engine) -> AsyncIterator[tuple[Transaction, KeyID]]:
    """A transaction beside which no other rotation touches the file, and the key that seals now.

    Who wrote what it made of an older state of the file would drop a key that seals already.
    """
    async with engine.transaction(write=True) as transaction:
        await transaction.lock(server_key.ROTATION_LOCK)
        current = await server_key.current(transaction)
        if current is None:
            raise StorageError(
                "nothing in the database is sealed yet",
                hint="the first start of the server seals it",
            )
        yield transaction, current


def _with_new(keys: KeyFile, ring: KeyRing, current: KeyID, entropy: Entropy) -> KeyRing:
    """The keys with one in front that does not seal yet; it may have been added before."""
    if ring.newest != current:
        return ring
    ring = ring.with_newest(SecretKey.generate(entropy))
    keys.replace(ring)
    return ring


async def _sealed_by_others(transaction: Transaction, name: KeyID) -> int:
    found = await uses(transaction)
    return found.total() - found[name]
