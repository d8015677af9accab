"""`parsec-cli shared-recovery …`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from parsec.cli.command import Command, Group
from parsec.cli.console import Console
from parsec.cli.keys import option
from parsec.cli.options import Acting, acting_options, confirmation_option
from parsec.cli.values import RECIPIENT, THRESHOLD, WEIGHT, WeightedRecipient

if TYPE_CHECKING:
    from parsec.client.rules.certificates import Ledger
    from parsec.client.rules.shamir import SetupStatus
    from parsec.data.ids import UserID
    from parsec.data.people import EmailAddress

group = Group(
    "shared-recovery",
    help="""Let colleagues give you your account back when all is lost.

    The secret that restores your account is split into shares, which are dealt to *recipients*.
    As many shares as the *threshold* says restore the account, fewer tell nothing. Neither the
    server nor any recipient alone can use what they hold.
    """,
)


@group.command(
    cls=Command,
    several=("-r", "--recipients", "--recipient", "-w", "--weights"),
    epilog="""\b
    Examples:
      parsec-cli shared-recovery create
          all administrators, one share each; the threshold is asked for
      parsec-cli shared-recovery create --threshold 2
          the same with threshold 2
      parsec-cli shared-recovery create --threshold 3 \\
          --recipients alice@example.com:2 bob@example.com carl@example.com
          Alice and one of the others, or all three: 3 shares of 4

    \b
    Bounds:
      shares of a recipient      1 to 255
      shares of all together     1 to 255
      threshold                  1 to the number of shares of all together
    You cannot be a recipient yourself, and a recipient has to be a member who is not revoked.
    An external user cannot choose recipients: the administrators are taken.
    """,
)
@option(
    "recipients",
    "-r",
    "--recipients",
    "--recipient",
    type=RECIPIENT,
    metavar="EMAIL[:WEIGHT]...",
    multiple=True,
    shown_default="all administrators but yourself",
    help="Who gets shares; WEIGHT is how many, 1 unless given.",
)
@option(
    "weights",
    "-w",
    "--weights",
    type=WEIGHT,
    metavar="WEIGHT...",
    multiple=True,
    help="How many shares each of the recipients gets, in their order.",
)
@option(
    "-t",
    "--threshold",
    type=THRESHOLD,
    metavar="NUMBER",
    help="How many shares restore the account; asked for unless given.",
)
@option("--confirm", is_flag=True, help="Show the setup and ask before it is created.")
@confirmation_option(
    "--no-confirmation", "--yes", "--force", text="Ask for no confirmation of other weights than 1."
)
@acting_options
def create(
    acting: Acting,
    recipients: tuple[WeightedRecipient, ...],
    weights: tuple[int, ...],
    threshold: int | None,
    confirm: bool,
    yes: bool,
) -> None:
    """Set up the shared recovery of your account.

    When you have lost all your devices, a recipient makes an invitation for you
    (`invite shared-recovery`), and you claim it on a new machine (`invite claim`). You talk to one
    recipient after the other until their shares reach the threshold.

    Each recipient gets one share, or as many as its weight says: who holds more shares counts for
    more. Without --recipients, all administrators but yourself get one share each.

    Choose a threshold above 1, or any single recipient could take over your account; and below
    the number of all shares, or the loss of one recipient makes the recovery impossible.

    There is one setup at a time: delete it to create another one.
    """
    from parsec.cli.person import Answers
    from parsec.client.flows.shamir import create_setup

    console = acting.console
    chosen = _weights(recipients, weights)
    differs = chosen is not None and any(weight != 1 for weight in chosen.values())
    with acting.session(Answers(yes=yes)) as (desk, session):
        made = desk.run(
            create_setup(
                session,
                recipients=chosen,
                threshold=threshold,
                confirm=confirm or (differs and not yes),
            )
        )
    if made is None:
        console.message("Shared recovery creation aborted.")
    elif console.is_json:
        console.document(
            {"threshold": made.threshold, "per_recipient_shares": _shares_json(made.weights)}
        )


@group.command()
@acting_options
def info(acting: Acting) -> None:
    """Show how your own shared recovery stands."""
    from parsec.client.flows.certificate import poll_certificates
    from parsec.client.rules.shamir import setup_status

    with acting.session() as (desk, session):
        desk.run(poll_certificates(session))
        ledger = session.ledger
    status = setup_status(ledger.shamir_setup(ledger.device_user_id), ledger.revoked_users())
    if acting.console.is_json:
        acting.console.document(_status_json(status))
    else:
        _show_own(acting.console, status, ledger)


@group.command("list")
@acting_options
def list_setups(acting: Acting) -> None:
    """List the shared recoveries in which you are a recipient."""
    from parsec.client.flows.certificate import poll_certificates
    from parsec.client.rules.shamir import setup_status

    console = acting.console
    with acting.session() as (desk, session):
        desk.run(poll_certificates(session))
        ledger = session.ledger
    revoked = ledger.revoked_users()
    found = [
        (setup.user_id, setup_status(setup, revoked)) for setup in ledger.shamir_setups_for_others()
    ]
    if console.is_json:
        console.document(
            [
                {
                    "user_id": user_id.hex(),
                    "human_handle": _name(ledger, user_id),
                    **_status_json(status),
                }
                for user_id, status in found
            ]
        )
        return
    console.message(f"Found {len(found)} user(s):" if found else "No shared recovery found")
    for user_id, status in found:
        _show_other(console, user_id, status, ledger)


@group.command()
@acting_options
def delete(acting: Acting) -> None:
    """Delete the shared recovery of your account.

    Invitations to recover with it become useless.
    """
    from parsec.client.flows.shamir import delete_setup

    with acting.session() as (desk, session):
        if not desk.run(delete_setup(session)):
            acting.console.message("There is no shared recovery setup to delete")


def _weights(
    recipients: Sequence[WeightedRecipient], weights: Sequence[int]
) -> "dict[EmailAddress, int] | None":
    if not recipients:
        if weights:
            raise click.UsageError("--weights needs --recipients")
        return None
    if weights and any(recipient.weight is not None for recipient in recipients):
        raise click.UsageError("Give the weights with --weights or behind the emails, not both")
    if weights and len(weights) != len(recipients):
        raise click.UsageError(
            f"There are {len(recipients)} recipients, but {len(weights)} weights"
        )
    chosen: dict[EmailAddress, int] = {}
    for place, recipient in enumerate(recipients):
        if recipient.email in chosen:
            raise click.UsageError(f"The recipient {recipient.email} is given twice")
        chosen[recipient.email] = weights[place] if weights else recipient.weight or 1
    return chosen


# --- How a setup stands ---


def _show_own(console: Console, status: "SetupStatus", ledger: "Ledger") -> None:
    from parsec.cli.parts import yellow
    from parsec.cli.person import counted_shares
    from parsec.client.rules.shamir import SetupState

    setup = status.setup
    if setup is None:
        console.data("Shared recovery never setup")
        return
    match status.state:
        case SetupState.OK:
            console.data("Shared recovery set up with threshold ", yellow(str(setup.threshold)))
            for user_id, shares in setup.per_recipient_shares.items():
                console.data(f"• User {_name(ledger, user_id)} has {counted_shares(shares)}")
        case SetupState.WITH_REVOKED_RECIPIENTS:
            console.data(f"Shared recovery set up - {_revoked(status)}")
        case SetupState.UNUSABLE:
            console.data(f"Unusable shared recovery - {_revoked(status)}")
        case _:
            console.data(f"Deleted shared recovery - {_deleted(status)}")


def _show_other(
    console: Console, user_id: "UserID", status: "SetupStatus", ledger: "Ledger"
) -> None:
    from parsec.cli.parts import TAB, yellow
    from parsec.cli.person import counted_shares
    from parsec.client.rules.shamir import SetupState

    setup = status.setup
    assert setup is not None
    whose = user_id.hyphenated
    match status.state:
        case SetupState.OK:
            console.data(
                f"• Shared recovery for {_name(ledger, user_id)} with threshold ",
                yellow(str(setup.threshold)),
            )
            for recipient, shares in setup.per_recipient_shares.items():
                console.data(TAB, f"• User {_name(ledger, recipient)} has {counted_shares(shares)}")
        case SetupState.WITH_REVOKED_RECIPIENTS:
            console.data(f"• Shared recovery for {whose} - {_revoked(status)}")
        case SetupState.UNUSABLE:
            console.data(f"• Unusable shared recovery for {whose} - {_revoked(status)}")
        case _:
            console.data(f"• Deleted shared recovery for {whose} - {_deleted(status)}")


def _revoked(status: "SetupStatus") -> str:
    assert status.setup is not None
    ids = status.revoked_recipients
    total = len(status.setup.per_recipient_shares)
    return (
        f"contains revoked recipient{'' if len(ids) == 1 else 's'}: "
        f"{', '.join(user_id.hyphenated for user_id in ids)} "
        f"({total - len(ids)} out of {total} total recipients, "
        f"with threshold {status.setup.threshold})"
    )


def _deleted(status: "SetupStatus") -> str:
    setup = status.setup
    assert setup is not None
    assert setup.deleted_by is not None
    return f"deleted by {setup.deleted_by.hyphenated} on {setup.deleted_on}"


def _name(ledger: "Ledger", user_id: "UserID") -> str:
    user = ledger.user(user_id)
    return str(user.human_handle) if user else user_id.hyphenated


def _status_json(status: "SetupStatus") -> dict[str, Any]:
    setup = status.setup
    found: dict[str, Any] = {"status": status.state.value}
    if setup is None:
        return found
    found |= {
        "created_on": setup.created_on.rfc3339,
        "created_by": setup.created_by.hex(),
        "threshold": setup.threshold,
        "per_recipient_shares": _shares_json(setup.per_recipient_shares),
    }
    if status.revoked_recipients:
        found["revoked_recipients"] = [user_id.hex() for user_id in status.revoked_recipients]
    if setup.deleted_on is not None and setup.deleted_by is not None:
        found |= {"deleted_on": setup.deleted_on.rfc3339, "deleted_by": setup.deleted_by.hex()}
    return found


def _shares_json(weights: Any) -> dict[str, int]:
    return {user_id.hex(): shares for user_id, shares in weights.items()}
