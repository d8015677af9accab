"""`parsec-cli user …`."""

from typing import TYPE_CHECKING, Any

import click

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import Acting, acting_options
from parsec.cli.values import EMAIL

if TYPE_CHECKING:
    from parsec.cli.parts import Painted
    from parsec.client.rules.certificates import UserInfo
    from parsec.data.people import EmailAddress

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
