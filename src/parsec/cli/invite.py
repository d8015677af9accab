"""`parsec-cli invite …`."""

from typing import TYPE_CHECKING, Any

import click

from parsec.cli.command import Command, Group
from parsec.cli.console import Console
from parsec.cli.keys import option
from parsec.cli.options import (
    Acting,
    Local,
    acting_options,
    new_device_options,
    sas_stdin_option,
    timeout_option,
)
from parsec.cli.values import DEVICE_LABEL, EMAIL, HUMAN_LABEL, INVITATION_TOKEN, INVITATION_URL

if TYPE_CHECKING:
    from parsec.cli.desk import Desk
    from parsec.cli.parts import Painted
    from parsec.client.flows.invite import NewInvitation
    from parsec.client.rules.certificates import Ledger
    from parsec.client.step import Flow
    from parsec.data.address import InvitationAddr, InvitationType
    from parsec.data.ids import AccessToken
    from parsec.data.local_device import LocalDevice
    from parsec.data.people import DeviceLabel, EmailAddress
    from parsec.protocol.invite import InviteListItem

group = Group(
    "invite",
    help="""Invite people and devices, greet them, claim an invitation.

    An invitation is a link. Whoever got it *claims* it while somebody of the organization *greets*
    them: two commands at the same time, between two people who talk to each other and compare
    short codes, so that no server can step in between.
    """,
)

# --- Making, listing, cancelling ---


@group.command()
@click.argument("email", type=EMAIL)
@option("-s", "--send-email", is_flag=True, help="Let the server send the link by email.")
@acting_options
def user(acting: Acting, email: "EmailAddress", send_email: bool) -> None:
    """Invite somebody to become a member."""
    from parsec.client.flows.invite import invite_user

    with acting.session() as (desk, session):
        made = desk.run(invite_user(session.device, email, send_email=send_email))
    emailed = email if send_email else None
    _show_invitation(acting.console, made, made.addr.http_redirection_url, emailed)


@group.command()
@acting_options
def device(acting: Acting) -> None:
    """Invite another device of your own."""
    from parsec.client.flows.invite import invite_device

    with acting.session() as (desk, session):
        made = desk.run(invite_device(session.device, send_email=False))
    _show_invitation(acting.console, made, made.addr.url)


@group.command()
@click.argument("email", type=EMAIL)
@option(
    "--send-email/--no-email",
    default=True,
    shown_default="--send-email",
    help="Whether the server sends the link by email.",
)
@acting_options
def shared_recovery(acting: Acting, email: "EmailAddress", send_email: bool) -> None:
    """Invite somebody who lost everything to get their account back.

    You have to be a recipient of their shared recovery. All its recipients see the invitation in
    `invite list` and can greet with its token.
    """
    from parsec.client.flows.invite import invite_shared_recovery

    with acting.session() as (desk, session):
        made = desk.run(invite_shared_recovery(session, email, send_email=send_email))
    _show_invitation(acting.console, made, made.addr.url, email if send_email else None)


@group.command("list")
@acting_options
def list_invitations(acting: Acting) -> None:
    """List the invitations that you made or can greet for."""
    from parsec.client.flows.certificate import poll_certificates
    from parsec.client.flows.invite import list_invitations

    console = acting.console
    with acting.session() as (desk, session):
        desk.run(poll_certificates(session))
        console.begin("Listing invitations")
        invitations = desk.run(list_invitations(session.device))
        console.dismiss()
        ledger = session.ledger
    if console.is_json:
        console.document([_item_json(item, ledger) for item in invitations])
        return
    count = len(invitations)
    console.message(f"{count} invitations found." if count else "No invitation.")
    for item in invitations:
        console.data(*_item_line(item, ledger))


@group.command()
@click.argument("token", type=INVITATION_TOKEN)
@acting_options
def cancel(acting: Acting, token: "tuple[AccessToken, InvitationType | None]") -> None:
    """Make an invitation useless.

    TOKEN is the token of the invitation, or its link.
    """
    from parsec.client.flows.invite import cancel_invitation

    console = acting.console
    with acting.session() as (desk, session):
        console.begin("Deleting invitation")
        desk.run(cancel_invitation(session.device, token[0]))
        console.dismiss()
    console.message("Invitation canceled")


def _show_invitation(
    console: Console, made: "NewInvitation", url: str, emailed: "EmailAddress | None" = None
) -> None:
    from parsec.cli.parts import yellow

    token = bytes(made.addr.token).hex()
    console.dismiss()
    if console.is_json:
        # What a server answers where no email was asked for means nothing.
        outcome = made.email_sent.value if emailed else None
        console.document({"token": token, "url": url, "email_sent": outcome})
    else:
        console.data("Invitation token: ", yellow(token))
        console.data("Invitation URL: ", yellow(url))
    if emailed:
        console.message(_email_outcome(made, emailed))


def _email_outcome(made: "NewInvitation", email: "EmailAddress") -> str:
    from parsec.protocol.invite import InvitationEmailSentStatus as Status

    return {
        Status.SUCCESS: f"Invitation email sent to {email}",
        Status.RECIPIENT_REFUSED: f"Invitation email not sent to {email} because the recipient "
        "was refused",
        Status.SERVER_UNAVAILABLE: f"Invitation email not sent to {email} because the server is "
        "unavailable",
    }[made.email_sent]


def _item_line(item: "InviteListItem", ledger: "Ledger") -> list["str | Painted"]:
    from parsec.cli.parts import TAB, green, red, yellow
    from parsec.protocol.invite import InvitationStatus as Status
    from parsec.protocol.invite import InviteListItemDevice, InviteListItemUser

    paint = {Status.PENDING: yellow, Status.CANCELLED: red, Status.FINISHED: green}[item.status]
    match item:
        case InviteListItemUser():
            kind = f"user (email={item.claimer_email})"
        case InviteListItemDevice():
            kind = "device"
        case _:
            claimer = ledger.user(item.claimer_user_id)
            kind = f"shamir recovery ({claimer.human_handle if claimer else 'N/A'})"
    return [yellow(bytes(item.token).hex()), TAB, paint(item.status.value.lower()), TAB, kind]


def _item_json(item: "InviteListItem", ledger: "Ledger") -> dict[str, Any]:
    from parsec.protocol.invite import InviteListItemDevice, InviteListItemUser

    shared = {
        "invitation_token": bytes(item.token).hex(),
        "invitation_status": item.status.value.lower(),
        "created_on": item.created_on.rfc3339,
    }
    match item:
        case InviteListItemUser():
            return {
                "invitation_type": "user",
                **shared,
                "claimer_email": str(item.claimer_email),
            }
        case InviteListItemDevice():
            return {"invitation_type": "device", **shared}
        case _:
            claimer = ledger.user(item.claimer_user_id)
            return {
                "invitation_type": "shamir",
                **shared,
                "claimer_human_handle": str(claimer.human_handle) if claimer else None,
                "claimer_user_id": item.claimer_user_id.hex(),
            }


# --- Greeting ---


@group.command(
    epilog="""\b
    Examples:
      parsec-cli invite greet 844441ca22d27494fcf312e93ef2ad0d
      parsec-cli invite greet TOKEN --profile STANDARD --sas-stdin --password-stdin
    """
)
@click.argument("token", type=INVITATION_TOKEN)
@option(
    "--profile",
    type=click.Choice(("STANDARD", "ADMIN", "OUTSIDER"), case_sensitive=False),
    help="What a new member may do.",
)
@sas_stdin_option
@timeout_option
@acting_options
def greet(
    acting: Acting,
    token: "tuple[AccessToken, InvitationType | None]",
    profile: str | None,
    sas_stdin: bool,
    timeout: float,
) -> None:
    """Greet whoever claims an invitation.

    TOKEN is the token of the invitation, or its link. The other side runs `invite claim` at the
    same time. Talk to each other: each reads a code aloud, and the other one picks it out of
    three. If it is not among them, somebody is listening in between: choose `None of them`.

    What the invitation is for is said first, in the server's words. Given the link instead of the
    token, a server that calls it something else is refused.
    """
    from parsec.cli.person import Answers
    from parsec.client.flows.invite import greet
    from parsec.data.people import UserProfile

    answers = Answers(
        profile=UserProfile(profile) if profile else None, sas_from_stdin=sas_stdin, events=True
    )
    with acting.session(answers, timeout=timeout) as (desk, session):
        desk.run(greet(session, token[0], expected=token[1]))
    if acting.console.is_json:
        acting.console.event({"event": "greeted"})


# --- Claiming ---


@group.command(
    cls=Command,
    several=("--recipient",),
    epilog="""\b
    Examples:
      parsec-cli invite claim 'parsec3://127.0.0.1:6777/Org?no_ssl=true&a=claim_user&p=…'
      parsec-cli invite claim URL --greeter alice@example.com --label laptop \\
        --email bob@example.com --name Bob --sas-stdin --password-file secret.txt
    """,
)
@click.argument("url", type=INVITATION_URL)
@option(
    "--greeter",
    metavar="EMAIL|all",
    help="Which administrator greets a new member; `all`: whoever comes first.",
)
@option(
    "recipients",
    "--recipient",
    type=EMAIL,
    metavar="EMAIL",
    multiple=True,
    help="Which recipient of a shared recovery to contact; several, in that order.",
)
@option(
    "label", "--label", "--device-label", type=DEVICE_LABEL, metavar="LABEL",
    help="What the new device is called.",
)  # fmt: skip
@option("--email", type=EMAIL, metavar="EMAIL", help="The address of the new member.")
@option("--name", type=HUMAN_LABEL, metavar="NAME", help="What the new member is called.")
@sas_stdin_option
@timeout_option
@new_device_options("-d")
def claim(
    local: Local,
    url: "InvitationAddr",
    greeter: str | None,
    recipients: tuple["EmailAddress", ...],
    label: "DeviceLabel | None",
    email: "EmailAddress | None",
    name: str | None,
    sas_stdin: bool,
    timeout: float,
) -> None:
    """Claim an invitation that you got: become a member, add a device, or get your account back.

    Somebody of the organization runs `invite greet` at the same time. Talk to each other: each
    reads a code aloud, and the other one picks it out of three. If it is not among them, somebody
    is listening in between: choose `None of them`.

    A recovery needs several people, one after the other. What they gave is kept on this machine:
    when it was interrupted, run the same command again and it goes on.
    """
    from parsec.cli.devices import device_json, device_line
    from parsec.cli.person import Answers

    console = local.console
    answers = Answers(
        greeter=greeter,
        recipients=list(recipients),
        server=url.server,
        device_label=label,
        email=email,
        name=name,
        sas_from_stdin=sas_stdin,
        events=True,
    )
    with local.desk(answers, timeout=timeout) as desk:
        try:
            with desk.making_device():
                device = desk.run(_claim(desk, url))
        except KeyboardInterrupt:
            if desk.person.shares_retrieved:
                console.abandon()
                console.message("The shares so far are kept: run the same command again to go on")
            raise
    if console.is_json:
        console.event({"event": "new_device", **device_json(device)})
    else:
        console.message("New device created:")
        console.data(*device_line(device))


def _claim(desk: "Desk", addr: "InvitationAddr") -> "Flow[LocalDevice]":
    from parsec.client.failure import HttpRefusal, NotFound
    from parsec.client.flows.invite import claim_device, claim_user, retrieve_invitation
    from parsec.client.flows.shamir import no_shares, recover
    from parsec.client.records import EarlierShares
    from parsec.client.step import recall
    from parsec.protocol.invite import InviteInfoOkDevice, InviteInfoOkUser

    means = desk.world.means
    try:
        info = yield from retrieve_invitation(addr)
    except HttpRefusal as refusal:
        if refusal.status != 403:
            raise
        raise NotFound(str(refusal), hint=refusal.hint) from refusal
    match info:
        case InviteInfoOkUser():
            return (yield from claim_user(addr, info, means))
        case InviteInfoOkDevice():
            return (yield from claim_device(addr, info, means))
        case _:
            beginning = no_shares(addr, info)
            gathered = (yield from recall(EarlierShares(beginning))) or beginning
            return (yield from recover(addr, info, gathered, means))
