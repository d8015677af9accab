"""`parsec-cli organization …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Command, Group
from parsec.cli.keys import option
from parsec.cli.options import (
    Administration,
    Local,
    administration_options,
    confirmation_option,
    new_device_options,
    organization_option,
)
from parsec.cli.values import (
    BOOTSTRAP_URL,
    DEVICE_LABEL,
    EMAIL,
    HUMAN_LABEL,
    LIMIT,
    NO_LIMIT,
    ORGANIZATION,
    PATH,
    PERIOD,
)

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.cli.administration import Account, Figures, Settings
    from parsec.cli.table import Cell
    from parsec.client.transport import Json
    from parsec.data.address import OrganizationBootstrapAddr
    from parsec.data.people import DeviceLabel, EmailAddress, OrganizationID

group = Group("organization", help="Create, bootstrap, configure and examine organizations.")


@group.command(
    epilog="""\b
    Example:
      parsec-cli organization create Org \\
        --addr 'parsec3://127.0.0.1:6777?no_ssl=true' --token-file token.txt
    """
)
@click.argument("organization", type=ORGANIZATION)
@administration_options
def create(administration: Administration, organization: "OrganizationID") -> None:
    """Create an organization on a server.

    What is printed is the link with which the first member bootstraps it.
    """
    from parsec.cli.parts import yellow
    from parsec.cli.values import answered_text
    from parsec.client.failure import Conflict, HttpRefusal

    console = administration.console
    console.begin("Creating organization")
    with administration.transport() as transport:
        try:
            answer = transport.post("organizations", body={"organization_id": str(organization)})
        except HttpRefusal as refused:
            if refused.status != 400:
                raise
            raise Conflict(str(refused), hint="choose another name") from None
    url = answered_text(answer, "bootstrap_url_as_http_redirection")
    console.dismiss()
    if console.is_json:
        console.document({"organization_id": str(organization), "bootstrap_url": url})
    else:
        console.data("Organization bootstrap URL: ", yellow(url))


@group.command(
    epilog="""\b
    Example:
      parsec-cli organization bootstrap --addr 'http://127.0.0.1:6777/redirect/Org?a=…' \\
        --label Alice --email alice@example.com --device-label laptop
    """
)
@option(
    "-a",
    "--addr",
    type=BOOTSTRAP_URL,
    metavar="URL",
    required=True,
    help="The bootstrap link, as `organization create` prints it.",
)
@option(
    "-d", "--device-label", type=DEVICE_LABEL, metavar="LABEL", help="What the device is called."
)
@option(
    "human_label",
    "-l",
    "--label",
    "--name",
    type=HUMAN_LABEL,
    metavar="NAME",
    help="What the first member is called.",
)
@option("-e", "--email", type=EMAIL, metavar="EMAIL", help="The address of the first member.")
@option(
    "--sequester-key",
    type=PATH,
    metavar="PEM_FILE",
    help="A public RSA key whose owner may read everything, for good.",
)
@new_device_options()
def bootstrap(
    local: Local,
    addr: "OrganizationBootstrapAddr",
    device_label: "DeviceLabel | None",
    human_label: str | None,
    email: "EmailAddress | None",
    sequester_key: "Path | None",
) -> None:
    """Become the first member of an organization, and its administrator.

    What is not given is asked for. The organization comes to life with this device: keep its
    password, and invite a second administrator soon.
    """
    from parsec.cli.devices import device_json, device_line
    from parsec.cli.person import Answers
    from parsec.cli.values import read_device_label, read_email, read_human_label
    from parsec.client.flows.organization import bootstrap_organization
    from parsec.data.people import HumanHandle

    console = local.console
    sequester_der = None if sequester_key is None else _sequester_der(sequester_key)
    email = email or console.ask("Enter email", read_email, option="--email EMAIL")
    name = human_label or console.ask("Enter name", read_human_label, option="--label NAME")
    device_label = device_label or console.ask(
        "Enter device label", read_device_label, option="--device-label LABEL"
    )
    answers = Answers(server=addr.server, protection_prompt="New device password:")
    with local.desk(answers) as desk, desk.making_device():
        device = desk.run(
            bootstrap_organization(
                addr,
                desk.world.means,
                human_handle=HumanHandle(email, name),
                device_label=device_label,
                sequester_verify_key_der=sequester_der,
            )
        )
    console.message("Organization bootstrapped")
    if console.is_json:
        console.document(device_json(device))
    else:
        console.message("New device created:")
        console.data(*device_line(device))


@group.command("list")
@administration_options
def list_organizations(administration: Administration) -> None:
    """List the organizations of a server, by name."""
    import msgspec

    from parsec.cli.administration import organizations
    from parsec.cli.table import show_table

    console = administration.console
    console.begin("Listing organizations")
    with administration.transport() as transport:
        found = organizations(transport)
    console.dismiss()
    if console.is_json:
        told = [{**msgspec.to_builtins(each), **msgspec.to_builtins(how)} for each, how in found]
        console.document(told)
        return
    console.message(f"Found {len(found)} organization(s):" if found else "No organizations found")
    if found:
        heading = ("ORGANIZATION", "STATE", "USERS", "LIMIT", "EXTERNAL USERS")
        show_table(
            console,
            heading,
            [_row(each, how) for each, how in found],
            numbers=("USERS", "LIMIT"),
        )


@group.command(
    cls=Command,
    several=("--tos",),
    epilog="""\b
    Examples:
      parsec-cli organization update -o Org --active-users-limit 50
      parsec-cli organization update -o Org --active-users-limit none --allow-outsiders
      parsec-cli organization update -o Org --expire
    """,
)
@option(
    "--expire/--unexpire",
    default=None,
    help="Shut all members out, or let them in again.",
)
@option(
    "--active-users-limit",
    type=LIMIT,
    metavar="NUMBER|none",
    help="How many members there may be who are not revoked.",
)
@option(
    "--allow-outsiders/--forbid-outsiders",
    default=None,
    help="Whether members may have the profile OUTSIDER (External).",
)
@option(
    "--minimum-archiving-period",
    type=PERIOD,
    metavar="PERIOD",
    help="How long a workspace is archived before it may be deleted, such as 12h or 30d.",
)
@option(
    "--tos",
    multiple=True,
    metavar="LOCALE=URL...",
    help="The terms of service that members have to accept, as with `tos config`.",
)
@option("--remove-tos", is_flag=True, help="Ask members to accept nothing any more.")
@confirmation_option("--yes", "--force", text="Expire it without being asked.")
@organization_option
@administration_options
def update(
    administration: Administration,
    organization: "OrganizationID",
    expire: bool | None,
    active_users_limit: int | str | None,
    allow_outsiders: bool | None,
    minimum_archiving_period: int | None,
    tos: tuple[str, ...],
    remove_tos: bool,
    yes: bool,
) -> None:
    """Change the settings of an organization; what is not given stays as it is.

    An organization that has expired is closed: its members are disconnected and can do nothing,
    and devices that ask for a one-time code do not even open. Nothing is lost.
    """
    from parsec.cli.tos import locale_and_url

    if tos and remove_tos:
        raise click.UsageError("--tos and --remove-tos exclude each other")
    # Absent stays, null is a value.
    changes: dict[str, Json] = {
        name: value
        for name, value in (
            ("is_expired", expire),
            ("active_users_limit", active_users_limit),
            ("user_profile_outsider_allowed", allow_outsiders),
            ("realm_minimum_archiving_period_before_deletion", minimum_archiving_period),
        )
        if value is not None
    }
    if active_users_limit == NO_LIMIT:
        changes["active_users_limit"] = None
    if tos or remove_tos:
        changes["tos"] = {**dict(map(locale_and_url, tos))} if tos else None
    if not changes:
        raise click.UsageError("Give what is to change")
    console = administration.console
    if expire and not yes:
        console.message(f"You are about to shut all members of {organization} out")
        if not console.confirm("Are you sure?", option="--yes"):
            console.message("Operation cancelled")
            return
    with administration.transport() as transport:
        transport.patch("organizations", str(organization), body=changes)
        answer = transport.get("organizations", str(organization)) if console.is_json else None
    console.message(f"Organization {organization} has been updated")
    if console.is_json:
        console.document(answer, sort_keys=True)


@group.command()
@option("-s", "--skip-revoked", is_flag=True, help="Leave out who was revoked.")
@option("--long", "is_long", is_flag=True, help="Show the IDs too.")
@organization_option
@administration_options
def users(
    administration: Administration,
    organization: "OrganizationID",
    skip_revoked: bool,
    is_long: bool,
) -> None:
    """List the members of an organization as its server sees them, in the order they came.

    Official servers tell neither profiles nor dates, nor who was revoked.
    """
    import msgspec

    from parsec.cli.administration import accounts, alike_addresses
    from parsec.cli.table import show_table

    console = administration.console
    with administration.transport() as transport:
        found = [
            each
            for each in accounts(transport, organization)
            if not (skip_revoked and each.is_revoked)
        ]
    for alike in alike_addresses(found):
        console.warning(f"{' and '.join(alike)} differ by case only, and are different members")
    if console.is_json:
        console.document(msgspec.to_builtins(found))
        return
    console.message(f"Found {len(found)} user(s):" if found else "No users found")
    if not found:
        return
    is_detailed = all(each.is_detailed for each in found)
    heading = ["STATE", "USER"]
    if is_detailed:
        heading[:0] = ["CREATED", "PROFILE"]
    if is_long:
        heading[:0] = ["ID"]
    rows = [_account(each, is_detailed=is_detailed, is_long=is_long) for each in found]
    show_table(console, heading, rows)


@group.command()
@organization_option
@administration_options
def status(administration: Administration, organization: "OrganizationID") -> None:
    """Show the settings of an organization, as JSON."""
    with administration.transport() as transport:
        answer = transport.get("organizations", str(organization))
    administration.console.document(answer, sort_keys=True)


@group.command()
@organization_option
@administration_options
def stats(administration: Administration, organization: "OrganizationID") -> None:
    """Show how much an organization stores and how many members it has, as JSON."""
    with administration.transport() as transport:
        answer = transport.get("organizations", str(organization), "stats")
    administration.console.document(answer, sort_keys=True)


def _row(figures: "Figures", settings: "Settings") -> "list[Cell]":
    from parsec.cli.parts import green, red, yellow

    limit = settings.active_users_limit
    if settings.is_expired:
        state = red("expired")
    else:
        state = green("active") if settings.is_bootstrapped else yellow("not bootstrapped")
    count = str(figures.active_users)
    return [
        yellow(figures.organization_id),
        state,
        red(count) if limit is not None and figures.active_users >= limit else count,
        "-" if limit is None else str(limit),
        "allowed" if settings.user_profile_outsider_allowed else "not allowed",
    ]


def _account(account: "Account", *, is_detailed: bool, is_long: bool) -> "list[Cell]":
    from parsec.cli.administration import day
    from parsec.cli.parts import green, red, yellow

    cells: list[Cell] = [yellow(account.user_id)] if is_long else []
    if is_detailed:
        cells += [day(str(account.created_on)), str(account.profile)]
    if account.is_revoked:
        cells.append(red("revoked"))
    else:
        cells.append(red("frozen") if account.frozen else green("active"))
    return [*cells, account.human_handle]


def _sequester_der(path: "Path") -> bytes:
    from parsec.crypto.errors import CryptoError
    from parsec.crypto.rsa import SequesterVerifyKey

    try:
        return bytes(SequesterVerifyKey.from_pem(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise click.UsageError(f"Cannot read {path}: {error.strerror}") from None
    except (CryptoError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} holds no public RSA key in PEM form") from error
