"""`backup`: a database as one file, while its server runs."""

from pathlib import Path
from typing import Any

import click

from parsec.server.command.options import db_option, key_too_option, log_options, server_key_option


@click.command()
@db_option()
@server_key_option()
@key_too_option()
@log_options(level="WARNING")
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path, **options: Any) -> None:
    """Write all that a database holds to the new file TARGET.

    Its server may run meanwhile.
    """
    # The parts below take long to load, and --help needs none of them.
    from parsec.server.command.logs import configure_logs
    from parsec.server.command.long_work import carry_out
    from parsec.server.command.place import this_machine
    from parsec.server.command.settle import default_database, server_key_file
    from parsec.server.command.whole import check_kept, write_backup

    configure_logs(**{name: options[f"log_{name}"] for name in ("level", "format", "file")})
    place = this_machine()
    database = options["db"] or default_database(place)
    check_kept(database)
    keys = server_key_file(options["server_key_file"], database, place)
    tallies = carry_out(
        write_backup(database, target, keys, with_key=options["with_key"]),
        interrupted=f"{target} was not written",
    )
    rows = sum(tally.rows for tally in tallies.values())
    click.echo(f"{target} ✔ {len(tallies)} tables, {rows:,} rows")
