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
    organization_option,
)
from parsec.cli.values import EMAIL, USER_ID

if TYPE_CHECKING:
    from parsec.cli.parts import Painted
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
