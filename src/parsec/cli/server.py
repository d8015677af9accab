"""`parsec-cli server …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import Administration, administration_options
from parsec.cli.values import DATE

if TYPE_CHECKING:
    from parsec.data.instant import Instant

group = Group("server", help="Figures of a server.")


@group.command()
@option(
    "own_format",
    "-f",
    "--format",
    type=click.Choice(("json", "csv", "plain")),
    shown_default="json",
    help="How the figures are written; `plain` is the same as `csv`.",
)
@option(
    "-e",
    "--end-date",
    type=DATE,
    metavar="DATE",
    help="Count what was there at that time, such as 2026-01-31T12:00:00Z.",
)
@administration_options
def stats(
    administration: Administration, own_format: str | None, end_date: "Instant | None"
) -> None:
    """Show how much the organizations of a server store and how many members they have."""
    console = administration.console
    query = {} if end_date is None else {"at": end_date.rfc3339}
    with administration.transport() as transport:
        if own_format in (None, "json"):
            answer = transport.get("stats", query={"format": "json", **query})
            console.document(answer)
        else:
            for line in transport.get_text("stats", query={"format": "csv", **query}).splitlines():
                console.csv_line(line)
