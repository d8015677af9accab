"""`parsec-cli user …`."""

from typing import TYPE_CHECKING, Any

import click

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import (
    Acting,
    Administration,
    acting_options,
    administration_options,
    confirmation_option,
    organization_option,
)
from parsec.cli.values import EMAIL, USER, USER_ID

if TYPE_CHECKING:
    from parsec.cli.administration import Codes
    from parsec.cli.parts import Painted
    from parsec.cli.table import Cell
    from parsec.client.rules.certificates import UserInfo
    from parsec.data.ids import UserID
    from parsec.data.people import EmailAddress, OrganizationID

group = Group("user", help="The members of the organization.")


@group.command("list")
@option("-s", "--skip-revoked", is_flag=True, help="Leave out who was revoked.")
@acting_options
def list_users(acting: Acting, skip_revoked: bool) -> None:
    """List the members of the organization, in the order in which they came."""
    from parsec.client.flows.certificate import poll_certificates

    console = acting.console
    with acting.session() as (desk, session):
        desk.run(poll_certificates(session))
        users = [user for user in session.ledger.users() if not (skip_revoked and user.is_revoked)]
    if console.is_json:
        console.document([_json(user) for user in users])
        return
    console.message(f"Found {len(users)} user(s):" if users else "No users found")
    for user in users:
        console.data(*_line(user))


@group.command()
@click.argument("email", type=EMAIL)
@acting_options
def revoke(acting: Acting, email: "EmailAddress") -> None:
    """Take a member out of the organization, for good.

    The same address can be invited again; that will be another user.
    """
    from parsec.client.flows.user import revoke_user

    with acting.session() as (desk, session):
        desk.run(revoke_user(session, email))
    acting.console.message(f"User {email} has been revoked")


@group.command(
    epilog="""\b
    Example:
      parsec-cli user totp-reset --addr parsec3://example.com --token-file token.txt \\
        --organization Org --user-email alice@example.com --send-email
    """
)
@option("--user-email", type=EMAIL, metavar="EMAIL", help="Whose authenticator is lost, by email.")
@option("--user-id", type=USER_ID, metavar="ID", help="The same by ID.")
@option("--send-email", is_flag=True, help="Let the server send the link by email.")
@organization_option
@administration_options
def totp_reset(
    administration: Administration,
    organization: "OrganizationID",
    user_email: "EmailAddress | None",
    user_id: "UserID | None",
    send_email: bool,
) -> None:
    """Let a member set up one-time codes again; for the administrator of the server.

    The codes of the lost authenticator count no more, and none do until the member has opened the
    link (`totp reset`). The devices are not touched.
    """
    if (user_email is None) == (user_id is None):
        raise click.UsageError("Give either --user-email or --user-id")
    who = {"user_id": user_id.hex()} if user_id else {"user_email": str(user_email)}
    console = administration.console
    console.begin("Resetting TOTP")
    with administration.transport() as transport:
        answer = transport.post(
            "organizations",
            str(organization),
            "users",
            "reset_totp",
            body={**who, "send_email": send_email},
        )
    console.dismiss()
    _show_reset(administration, answer)


@group.command()
@organization_option
@administration_options
def totp_list(administration: Administration, organization: "OrganizationID") -> None:
    """List who has set up one-time codes; for the administrator of the server.

    Dates are in UTC. Official servers have no such list.
    """
    import msgspec

    from parsec.cli.administration import codes_overview
    from parsec.cli.table import show_table

    console = administration.console
    with administration.transport() as transport:
        found = codes_overview(transport, organization)
    if console.is_json:
        console.document(msgspec.to_builtins(found))
        return
    if not found:
        console.message("No users found")
        return
    set_up = sum(each.state == "SET_UP" for each in found)
    console.message(f"{set_up} of {len(found)} user(s) have set up one-time codes:")
    heading = ("SET UP", "LAST USED", "FAILURES", "KEYS", "RESETS", "USER")
    numbers = ("FAILURES", "KEYS", "RESETS")
    show_table(console, heading, [_codes_row(each) for each in found], numbers=numbers)
    for each in found:
        for note in _codes_notes(each):
            console.data(f"{each.user_email}: ", *note)


@group.command(
    epilog="""\b
    Example:
      parsec-cli user freeze bob@example.com --organization Org \\
        --addr parsec3://example.com --token-file token.txt
    """
)
@click.argument("user", type=USER)
@confirmation_option("--yes", "--force")
@organization_option
@administration_options
def freeze(
    administration: Administration,
    organization: "OrganizationID",
    user: "EmailAddress | UserID",
    yes: bool,
) -> None:
    """Keep a member out for a while; for the administrator of the server.

    USER is an email address or an ID. The member is disconnected and can do nothing until it is
    unfrozen, and devices that ask for a one-time code do not even open. Nothing is lost, and other
    members are not told. A link of `user totp-reset` that is not used yet becomes void.
    """
    question = f"You are about to shut {user} out of {organization}"
    _set_frozen(administration, organization, user, frozen=True, question=None if yes else question)


@group.command()
@click.argument("user", type=USER)
@confirmation_option("--yes", "--force")
@organization_option
@administration_options
def unfreeze(
    administration: Administration,
    organization: "OrganizationID",
    user: "EmailAddress | UserID",
    yes: bool,
) -> None:
    """Let a member in again who was frozen; for the administrator of the server.

    USER is an email address or an ID.
    """
    question = f"You are about to let {user} into {organization} again"
    _set_frozen(
        administration, organization, user, frozen=False, question=None if yes else question
    )


def _set_frozen(
    administration: Administration,
    organization: "OrganizationID",
    user: "EmailAddress | UserID",
    *,
    frozen: bool,
    question: str | None,
) -> None:
    from parsec.cli.administration import frozen_or_not
    from parsec.data.ids import UserID

    console = administration.console
    if question is not None:
        console.message(question)
        if not console.confirm("Are you sure?", option="--yes"):
            console.message("Operation cancelled")
            return
    who = {"user_id": user.hex()} if isinstance(user, UserID) else {"user_email": str(user)}
    with administration.transport() as transport:
        found = frozen_or_not(transport, organization, {**who}, frozen=frozen)
    console.message(f"User {found.human_handle} is {'' if frozen else 'no longer '}frozen")
    if console.is_json:
        console.document(
            {
                "user_id": found.user_id,
                "user_email": found.user_email,
                "user_name": found.user_name,
                "frozen": found.frozen,
            }
        )


def _codes_row(codes: "Codes") -> "list[Cell]":
    from parsec.cli.administration import minute
    from parsec.cli.parts import green, red

    if codes.state == "SET_UP":
        set_up = green(minute(codes.set_up_on))
    else:
        set_up = red("begun" if codes.state == "BEGUN" else "no")
    return [
        set_up,
        minute(codes.last_used_on),
        red(str(codes.failures)) if codes.failures else "0",
        str(codes.opaque_keys),
        str(codes.reset_count),
        codes.user_email,
    ]


def _codes_notes(codes: "Codes") -> list[list["str | Painted"]]:
    """What is out of the ordinary about a member, and has no column."""
    from parsec.cli.administration import instant
    from parsec.cli.parts import red, yellow

    notes: list[list[str | Painted]] = []
    if codes.frozen:
        notes.append([red("frozen")])
    if codes.throttled_until is not None:
        notes.append([red("throttled"), f" until {instant(codes.throttled_until)}"])
    if codes.reset_pending_since is not None:
        notes.append([yellow("reset pending"), f" since {instant(codes.reset_pending_since)}"])
    elif codes.resets:
        notes.append([f"last reset on {instant(codes.resets[-1])}"])
    return notes


def _show_reset(administration: Administration, answer: object) -> None:
    from parsec.cli.parts import yellow
    from parsec.cli.values import answered_text

    console = administration.console
    user_id, email, url, sent = (
        answered_text(answer, name)
        for name in ("user_id", "user_email", "totp_reset_url", "email_sent_status")
    )
    if console.is_json:
        console.document(
            {"user_id": user_id, "user_email": email, "totp_reset_url": url, "email_sent": sent}
        )
        return
    console.data("TOTP reset for user ", yellow(user_id))
    console.data("Reset URL: ", yellow(url))
    if sent == "SENT_AS_REQUESTED":
        console.data(f"An email with the reset URL has been sent to {email}")
    elif sent != "NOT_SENT_AS_REQUESTED":
        console.data(f"Email sending to {email} has failed (error: {sent})")


def _line(user: "UserInfo") -> list["str | Painted"]:
    from parsec.cli.parts import green, red, yellow

    parts: list[str | Painted] = [
        yellow(user.user_id.hyphenated),
        f" - {user.human_handle}: ",
        green(user.profile.value),
    ]
    if user.revoked_on is not None and user.revoked_by is not None:
        parts += [" | ", red("revoked"), f" on {user.revoked_on} by {user.revoked_by.hyphenated}"]
    return parts


def _json(user: "UserInfo") -> dict[str, Any]:
    return {
        "user_id": user.user_id.hex(),
        "human_handle": str(user.human_handle),
        "profile": user.profile.value,
        "created_on": user.created_on.rfc3339,
        "created_by": user.created_by.hex() if user.created_by else None,
        "revoked_on": user.revoked_on.rfc3339 if user.revoked_on else None,
        "revoked_by": user.revoked_by.hex() if user.revoked_by else None,
    }
