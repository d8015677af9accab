"""`parsec-cli tos …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Group
from parsec.cli.console import Console
from parsec.cli.keys import option
from parsec.cli.options import (
    Acting,
    Administration,
    acting_options,
    administration_options,
    confirmation_option,
    organization_option,
)
from parsec.cli.values import PATH

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.client.transport import Json
    from parsec.data.people import OrganizationID
    from parsec.protocol.tos import TosGetOk

group = Group("tos", help="The terms of service of the organization.")


@group.command("list")
@acting_options
def list_terms(acting: Acting) -> None:
    """Show where the terms of service are, in each language."""
    from parsec.client.flows.tos import get_tos

    console = acting.console
    with acting.session() as (desk, session):
        terms = desk.run(get_tos(session.device))
    if console.is_json:
        console.document(_json(terms))
    elif terms is None:
        console.message("No Terms of Service available")
    else:
        _show(console, terms)


@group.command()
@confirmation_option("--yes", "--force", text="Accept them without being asked.")
@acting_options
def accept(acting: Acting, yes: bool) -> None:
    """Accept the terms of service."""
    from parsec.client.failure import Cancelled
    from parsec.client.flows.tos import accept_tos, get_tos

    console = acting.console
    with acting.session() as (desk, session):
        terms = desk.run(get_tos(session.device))
        if terms is None:
            console.message("No Terms of Service available")
            return
        if not yes:
            _show(console, terms)
            if not console.confirm("Do you accept these terms of service?", option="--yes"):
                raise Cancelled("Operation cancelled")
        desk.run(accept_tos(session.device, terms.updated_on))
    console.message("Terms of Service accepted")


@group.command(
    epilog="""\b
    Examples:
      parsec-cli tos config -o Org en_US=https://example.com/tos_en fr_FR=https://…/tos_fr
      parsec-cli tos config -o Org --from-json terms.json
      parsec-cli tos config -o Org --remove
    """
)
@click.argument("terms", nargs=-1, metavar="[LOCALE=URL]...")
@option("--remove", is_flag=True, help="Ask members to accept nothing any more.")
@option(
    "--from-json",
    type=PATH,
    metavar="FILE",
    help="A file with an object: the address of the terms by locale.",
)
@organization_option
@administration_options
def config(
    administration: Administration,
    organization: "OrganizationID",
    terms: tuple[str, ...],
    remove: bool,
    from_json: "Path | None",
) -> None:
    """Say which terms of service the members of an organization have to accept.

    Whoever has not accepted them can do nothing else.
    """
    if (bool(terms), remove, from_json is not None).count(True) != 1:
        raise click.UsageError("Give LOCALE=URL, or --from-json, or --remove")
    tos: dict[str, Json] | None
    if remove:
        tos = None
    else:
        tos = {**(_read_terms(from_json) if from_json else dict(map(locale_and_url, terms)))}
    with administration.transport() as transport:
        transport.patch("organizations", str(organization), body={"tos": tos})
    administration.console.message(
        f"Members of {organization} have nothing to accept any more"
        if tos is None
        else f"Members of {organization} have to accept these terms of service from now on"
    )


def locale_and_url(text: str) -> tuple[str, str]:
    """A language and where its terms are. Raises UsageError."""
    locale, equals, url = text.partition("=")
    if not equals:
        raise click.UsageError(f"Missing '=<URL>' in argument ('{text}')")
    if not locale or not url:
        raise click.UsageError(
            f"A locale and an address are needed, as in en_US=https://… ({text})"
        )
    return locale, url


def _read_terms(path: "Path") -> dict[str, str]:
    import msgspec

    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise click.UsageError(f"Cannot read {path}: {error.strerror}") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        found = {}
    if not found:
        raise click.UsageError(f"{path} holds no object of locales and addresses")
    return found


def _show(console: Console, terms: "TosGetOk") -> None:
    console.message(f"Terms of Service updated on {terms.updated_on}:")
    for locale, url in sorted(terms.per_locale_urls.items()):
        console.data(f"• {locale}: {url}")


def _json(terms: "TosGetOk | None") -> dict[str, object] | None:
    if terms is None:
        return None
    return {
        "updated_on": terms.updated_on.rfc3339,
        "per_locale_urls": dict(sorted(terms.per_locale_urls.items())),
    }
