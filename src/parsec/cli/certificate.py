"""`parsec-cli certificate …`."""

from parsec.cli.command import Group
from parsec.cli.options import Acting, acting_options, confirmation_option

group = Group("certificate", help="What this device knows and has verified of the organization.")


@group.command()
@acting_options
def poll(acting: Acting) -> None:
    """Fetch from the server what is new, and verify it."""
    from parsec.client.flows.certificate import poll_certificates

    console = acting.console
    with acting.session() as (desk, session):
        added = desk.run(poll_certificates(session))
    if console.is_json:
        console.document({"added": added})
    else:
        console.data(f"Added {added} new certificates ✔")


@group.command()
@confirmation_option("--force", "--yes")
@acting_options
def forget_all_certificates(acting: Acting, yes: bool) -> None:
    """Forget all certificates; the next poll fetches and verifies them anew.

    For when a server was restored from a backup, or when what is stored here is damaged.
    """
    from parsec.cli.devices import device_line

    console = acting.console
    with acting.desk() as desk, desk.locked(desk.find(acting.device)) as found:
        if acting.keys.password_stdin:
            # It is not needed, but other programs of this name read it: what follows on
            # standard input is the confirmation.
            acting.passwords.existing()
        console.message("You are about to clear the local certificates database for device:")
        console.message(*device_line(found.file))
        if not yes and not console.confirm("Are you sure?", option="--force"):
            console.message("Operation cancelled")
            return
        desk.world.forget_certificates(found.file.device_id)
    console.message("The local certificates database has been cleared")
