"""`move`: a database from one engine to the other."""

from typing import TYPE_CHECKING, Any

import click

from parsec.server.command.kinds import DatabaseKind
from parsec.server.command.options import log_options, option

if TYPE_CHECKING:
    from parsec.server.command.whole import Moved

_PLACE = "sqlite:///PATH or postgresql://…"


@click.command()
@option(
    "--from",
    "former",
    type=DatabaseKind(),
    envvar="PARSEC_MOVE_FROM",
    required=True,
    help=f"The database as it is now, which stays: {_PLACE}.",
)
@option(
    "--to",
    "new",
    type=DatabaseKind(),
    envvar="PARSEC_MOVE_TO",
    required=True,
    help=f"An empty one: {_PLACE}.",
)
@log_options(level="WARNING")
def move(**options: Any) -> None:
    """Copy a database to another place or engine, and compare what clients see.

    No server may use either of the two meanwhile.
    """
    # The parts below take long to load, and --help needs none of them.
    from parsec.server.command.logs import configure_logs
    from parsec.server.command.long_work import carry_out
    from parsec.server.command.place import this_machine
    from parsec.server.command.settle import make_database_folder, server_key_path
    from parsec.server.command.whole import check_kept, move_database

    configure_logs(**{name: options[f"log_{name}"] for name in ("level", "format", "file")})
    former, new = options["former"], options["new"]
    for database in (former, new):
        check_kept(database)
    make_database_folder(new)
    moved = carry_out(move_database(former, new), interrupted=f"{new} is as it was")
    _tell(moved)
    place = this_machine()
    kept, wanted = (server_key_path(None, database, place) for database in (former, new))
    if kept != wanted:
        name = kept if kept.exists() else "FILE, the same as before"
        click.echo(f"The key stays: run the server with --server-key-file {name}", err=True)


def _tell(moved: "Moved") -> None:
    rows = [
        *((name, tally.rows, "rows") for name, tally in moved.tallies.items()),
        *(
            (f"{name}: {what}", getattr(view, what), "as clients see it")
            for name, view in moved.views.items()
            for what in ("users", "certificates", "invitations", "one_time_codes")
        ),
    ]
    width = max(len(name) for name, *_ in rows)
    for name, count, what in rows:
        click.echo(f"{name:<{width}} {count:>9,} {what}")
    click.echo("verified")
