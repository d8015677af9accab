"""Lines of a greeting between people who exist only in tests."""

from parsec.client.flows.greeting import ClaimerLine, GreeterLine
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import PrivateKey, SigningKey
from parsec.data.address import InvitationAddr, InvitationType, ServerAddr
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.local_device import LocalDevice, first_device
from parsec.data.people import DeviceLabel, EmailAddress, HumanHandle, OrganizationID, UserProfile

SERVER = ServerAddr(hostname="parsec.invalid")
ORGANIZATION = OrganizationID("Org")


def invitation_addr(kind: InvitationType = InvitationType.USER) -> InvitationAddr:
    return InvitationAddr(
        server=SERVER,
        organization_id=ORGANIZATION,
        type=kind,
        token=AccessToken.generate(system_entropy),
    )


def some_device(name: str = "alice", profile: UserProfile = UserProfile.ADMIN) -> LocalDevice:
    return first_device(
        server_url=SERVER,
        organization_id=ORGANIZATION,
        root_verify_key=SigningKey.generate(system_entropy).verify_key,
        user_id=UserID.generate(system_entropy),
        device_id=DeviceID.generate(system_entropy),
        human_handle=HumanHandle(
            email=EmailAddress(f"{name}@example.com"), label=name.capitalize()
        ),
        device_label=DeviceLabel("laptop"),
        profile=profile,
        signing_key=SigningKey.generate(system_entropy),
        private_key=PrivateKey.generate(system_entropy),
        entropy=system_entropy,
    )


def claimer_line() -> ClaimerLine:
    return ClaimerLine(invitation_addr(), UserID.generate(system_entropy))


def greeter_line() -> GreeterLine:
    return GreeterLine(some_device(), AccessToken.generate(system_entropy))
