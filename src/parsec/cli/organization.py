"""`parsec-cli organization …`."""

from typing import TYPE_CHECKING

import click

from parsec.cli.command import Group
from parsec.cli.keys import option
from parsec.cli.options import (
    Administration,
    Local,
    administration_options,
    new_device_options,
    organization_option,
)
from parsec.cli.values import BOOTSTRAP_URL, DEVICE_LABEL, EMAIL, HUMAN_LABEL, ORGANIZATION, PATH

if TYPE_CHECKING:
    from pathlib import Path

    from parsec.data.address import OrganizationBootstrapAddr
    from parsec.data.people import DeviceLabel, EmailAddress, OrganizationID

group = Group("organization", help="Create, bootstrap and examine organizations.")


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

    console = administration.console
    console.begin("Creating organization")
    with administration.transport() as transport:
        answer = transport.post("organizations", body={"organization_id": str(organization)})
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


def _sequester_der(path: "Path") -> bytes:
    from parsec.crypto.errors import CryptoError
    from parsec.crypto.rsa import SequesterVerifyKey

    try:
        return bytes(SequesterVerifyKey.from_pem(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise click.UsageError(f"Cannot read {path}: {error.strerror}") from None
    except (CryptoError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} holds no public RSA key in PEM form") from error
