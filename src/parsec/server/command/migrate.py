"""`migrate`: brings a database to the schema of this version."""

from typing import TYPE_CHECKING, Any

import click

from parsec.server.command.failure import Failure
from parsec.server.command.options import db_option, log_options, option

if TYPE_CHECKING:
    from parsec.server.settings import Database
    from parsec.server.store.engine import Engine


@click.command()
@db_option()
@option("--dry-run", is_flag=True, help="Only show what would be done.")
@log_options(level="WARNING")
def migrate(**options: Any) -> None:
    """Create or update the schema of the database.

    Stop the server before, and keep a copy of the database.
    """
    # The parts below take long to load, and --help needs none of them.
    import asyncio

    from parsec.server.command.logs import configure_logs
    from parsec.server.command.place import this_machine
    from parsec.server.command.settle import default_database

    configure_logs(**{name: options[f"log_{name}"] for name in ("level", "format", "file")})
    database = options["db"] or default_database(this_machine())
    asyncio.run(_migrate(database, dry_run=options["dry_run"]))


async def _migrate(database: "Database", *, dry_run: bool) -> None:
    from parsec.server.build import make_engine
    from parsec.server.command.settle import make_database_folder
    from parsec.server.store.engine import StorageError

    try:
        if dry_run:
            engine = _to_look_at(database)
        else:
            make_database_folder(database)
            engine = make_engine(database)
        try:
            await _apply(engine, dry_run=dry_run)
        finally:
            await engine.close()
    except StorageError as error:
        raise Failure(str(error), hint=error.hint) from error


def _to_look_at(database: "Database") -> "Engine":
    """Its server may run; a file that is not there is not made."""
    from parsec.server.build import make_engine
    from parsec.server.settings import MockedDatabase, SqliteDatabase
    from parsec.server.store.engine import Use

    if isinstance(database, SqliteDatabase) and not database.path.exists():
        return make_engine(MockedDatabase())
    return make_engine(database, use=Use.BESIDE)


async def _apply(engine: "Engine", *, dry_run: bool) -> None:
    from parsec.server.store.engine import SchemaError

    failed: SchemaError | None = None
    before = await engine.migrations()
    if not dry_run:
        try:
            await engine.migrate()
        except SchemaError as error:
            failed = error
    for old, new in zip(before, await engine.migrations(), strict=True):
        if old.applied:
            click.echo(f"{new.name} (already applied)")
        elif new.applied:
            click.secho(f"{new.name} ✔", fg="green")
        elif dry_run:
            click.echo(f"{new.name} (to be applied)")
        else:
            # Those behind it need this one.
            click.secho(f"{new.name} ✘: {failed}", fg="red")
            break
    if failed is not None:
        raise failed
