"""`rotate-key`: another server key for the secrets of a database."""

from typing import Any

import click

from parsec.server.command.options import db_option, log_options, server_key_option


@click.command("rotate-key")
@db_option()
@server_key_option()
@click.option(
    "--only-file",
    is_flag=True,
    help="Only write a new key to the file, for several machines: the next rotation takes it.",
)
@click.option(
    "--forget-old", is_flag=True, help="Remove keys from the file that seal nothing any more."
)
@log_options(level="WARNING")
def rotate_key(only_file: bool, forget_old: bool, **options: Any) -> None:
    """Seal the secrets of a database with another server key.

    Its servers may run meanwhile, if they read the same file. The former key stays in it.
    """
    # The parts below take long to load, and --help needs none of them.
    from parsec.server.command.logs import configure_logs
    from parsec.server.command.long_work import carry_out
    from parsec.server.command.place import this_machine
    from parsec.server.command.rotation import add_key, forget_old_keys, rotate
    from parsec.server.command.settle import default_database, server_key_file
    from parsec.server.command.whole import check_kept

    if only_file and forget_old:
        raise click.UsageError("--only-file and --forget-old are two steps")
    configure_logs(**{name: options[f"log_{name}"] for name in ("level", "format", "file")})
    place = this_machine()
    database = options["db"] or default_database(place)
    check_kept(database)
    keys = server_key_file(options["server_key_file"], database, place)
    work = add_key if only_file else forget_old_keys if forget_old else rotate
    again = "run it again to finish: until then both keys are in use"
    carry_out(work(database, keys, place.entropy), interrupted=again)
