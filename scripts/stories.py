"""The stories of the mission, told with the real programs.

The first: an organization comes to life, and an account whose machine is lost comes back. The
second: devices open with one-time codes and smartcards, and a lost authenticator is replaced.
"""

from scripts.authenticator import Authenticator
from scripts.stage import Person, Stage, Terminal

ORGANIZATION = "Org"

ADVISING = (
    *("--advisory-device-file-protection", "PASSWORD+TOTP"),
    *("--advisory-device-file-protection", "PKI"),
)
"""Options of a server that recommends passwords with one-time codes, or smartcards."""

# --- The first story ---


def recovery_story(stage: Stage) -> None:
    """The first story: an organization, a lost account that comes back, a further device."""
    alice, arnold, bob, phone = (stage.person(name) for name in ("Alice", "Arnold", "Bob", "Phone"))
    found_organization(stage, alice)
    welcome(stage, alice, arnold, profile="ADMIN", label="label")
    welcome(stage, alice, bob, profile="STANDARD", label="laptop")
    set_up_recovery(bob, threshold=2, recipients=2)
    bob.lose_everything()
    lose_and_recover(bob, alice, arnold)
    use_recovered_device(bob)
    add_device(bob, phone, label="phone")


def authentication_story(stage: Stage) -> None:
    """The second story, on a server that is `ADVISING`: codes, a lost authenticator, a new one."""
    alice, phone = stage.person("Alice"), Authenticator()
    found_with_codes(stage, alice, phone)
    log_in_with_code(alice, phone)
    mistype_code(alice, phone)
    phone = Authenticator()
    replace_authenticator(stage, stage.person("Root"), alice, phone)
    log_in_with_code(alice, phone)


def found_organization(stage: Stage, founder: Person) -> None:
    """The administrator of the server creates the organization, the first member bootstraps it."""
    link = create_organization(stage, founder)
    bootstrap = founder.run(
        "organization", "bootstrap", "--addr", link, "--device-label", "laptop",
        "--label", founder.name, "--email", founder.email,
    )  # fmt: skip
    new_password(bootstrap, founder, "New device password:")
    bootstrap.see("Organization bootstrapped")
    bootstrap.expect(rf"\w{{3}} - {ORGANIZATION}: {founder.name} <{founder.email}> @ laptop")
    bootstrap.finish()


def create_organization(stage: Stage, administrator: Person) -> str:
    """The answer is the link that bootstraps it."""
    creation = administrator.run(
        "organization", "create", ORGANIZATION, "--addr", stage.addr,
        "--token", stage.administration_token,
    )  # fmt: skip
    link = creation.expect(r"Organization bootstrap URL: (\S+)")[1]
    creation.finish()
    return link


def welcome(stage: Stage, host: Person, guest: Person, *, profile: str, label: str) -> None:
    """A member invites somebody, and greets them."""
    invitation = host.run("invite", "user", guest.email)
    unlock(invitation, host)
    token = invitation.expect(r"Invitation token: ([0-9a-f]{32})")[1]
    link = invitation.expect(r"Invitation URL: (\S+)")[1]
    invitation.finish()

    claimer = guest.run("invite", "claim", link)
    claimer.see("Retrieving invitation info")
    greeter = host.run("invite", "greet", token)
    unlock(greeter, host)
    if claimer_has_choice(stage):
        claimer.choose("Choose an administrator to contact now", host.handle)
    compare_codes(greeter, claimer)
    claimer.see("Enter device label:")
    claimer.type(label)
    claimer.see("Enter email:")
    claimer.type(guest.email)
    claimer.see("Enter name:")
    claimer.type(guest.name)
    new_password(claimer, guest, "Enter password for the new device:")
    greeter.see(f"New user: [{guest.handle}]")
    greeter.choose("Which profile?", profile)
    greeter.see("Creating the user in the server")
    claimer.see("New device created:")
    claimer.finish()
    greeter.finish()
    stage.members.append(profile)


def claimer_has_choice(stage: Stage) -> bool:
    """Whether there is more than one administrator to be greeted by."""
    return stage.members.count("ADMIN") > 0


def set_up_recovery(author: Person, *, threshold: int, recipients: int) -> None:
    """A member shares the recovery of the account among the administrators."""
    terminal = author.run("shared-recovery", "create")
    unlock(terminal, author)
    terminal.see("Poll server for new certificates")
    terminal.see("... Creating shared recovery setup")
    terminal.see(f"Choose a threshold between 1 and {recipients}")
    terminal.see(
        "The threshold is the minimum number of recipients that one must gather "
        "to recover the account:"
    )
    terminal.type(str(threshold))
    terminal.see("✔ Shared recovery setup has been created")
    terminal.finish()


def invite_recovery(helper: Person, lost: Person) -> str:
    """A recipient makes the invitation; the answer is its link."""
    terminal = helper.run("invite", "shared-recovery", lost.email)
    unlock(terminal, helper)
    terminal.see("Poll server for new certificates")
    link = terminal.expect(r"Invitation URL: (parsec3://\S+)")[1]
    terminal.finish()
    return link


def recovery_token(helper: Person, lost: Person) -> str:
    """The token of the pending recovery, as a recipient finds it in the list."""
    terminal = helper.run("invite", "list")
    unlock(terminal, helper)
    token = terminal.expect(
        rf"([0-9a-f]{{32}})\s+pending\s+shamir recovery \({lost.name} <{lost.email}>\)"
    )[1]
    terminal.finish()
    return token


def meet_recipient(lost: Terminal, helper: Person, token: str) -> None:
    """The lost person chooses a recipient, and the two compare their codes."""
    lost.choose("Choose a person to contact now", helper.handle)
    lost.see(f"Invitation greeter: {helper.handle}")
    greeter = helper.run("invite", "greet", token)
    unlock(greeter, helper)
    compare_codes(greeter, lost)
    greeter.finish()


def lose_and_recover(lost: Person, first: Person, second: Person) -> None:
    """The whole recovery, interrupted once in between."""
    link = invite_recovery(first, lost)
    token = recovery_token(first, lost)

    claimer = lost.run("invite", "claim", link)
    claimer.see("✔ Retrieving invitation info")
    claimer.see("2 shares needed for recovery")
    meet_recipient(claimer, first, token)
    claimer.see("Out of 2 shares needed for recovery, 1 were retrieved.")
    claimer.see("Choose a person to contact now")
    claimer.press_control_c()
    claimer.finish(130)

    claimer = lost.run("invite", "claim", link)
    claimer.see("Out of 2 shares needed for recovery, 1 were retrieved.")
    meet_recipient(claimer, second, token)
    claimer.see("Enter device label:")
    claimer.type("label")
    claimer.see("✔ Recovering device")
    new_password(claimer, lost, "Enter password for the new device:")
    claimer.see("New device created:")
    claimer.finish()


def use_recovered_device(lost: Person) -> None:
    """The new device works like any other."""
    poll = lost.run("certificate", "poll")
    unlock(poll, lost)
    poll.expect(r"Added \d+ new certificates")
    poll.finish()
    users = lost.run("user", "list")
    unlock(users, lost)
    users.see(f"{lost.handle}: STANDARD")
    users.finish()


def add_device(owner: Person, other_home: Person, *, label: str) -> None:
    """A member adds a second machine."""
    invitation = owner.run("invite", "device")
    unlock(invitation, owner)
    token = invitation.expect(r"Invitation token: ([0-9a-f]{32})")[1]
    link = invitation.expect(r"Invitation URL: (\S+)")[1]
    invitation.finish()

    claimer = other_home.run("invite", "claim", link)
    claimer.see("Retrieving invitation info")
    greeter = owner.run("invite", "greet", token)
    unlock(greeter, owner)
    compare_codes(greeter, claimer)
    claimer.see("Enter device label:")
    claimer.type(label)
    new_password(claimer, other_home, "Enter password for the new device:")
    greeter.see(f"New device label: [{label}]")
    claimer.see("New device created:")
    claimer.finish()
    greeter.finish()


def compare_codes(greeter: Terminal, claimer: Terminal) -> None:
    """Both read their code aloud, and each picks what it hears."""
    code = greeter.expect(r"Code to provide to claimer: (\w{4})")[1]
    claimer.choose("Select code provided by greeter", code)
    code = claimer.expect(r"Code to provide to greeter: (\w{4})")[1]
    greeter.choose("Select code provided by claimer", code)


def unlock(terminal: Terminal, person: Person) -> None:
    """Type the password of the device."""
    terminal.see("Enter password for the device:")
    terminal.type(person.password)


def new_password(terminal: Terminal, person: Person, prompt: str) -> None:
    """Choose the password of a new device."""
    terminal.see(prompt)
    terminal.type(person.password)
    terminal.see("Confirm password:")
    terminal.type(person.password)


# --- The second story ---


def found_with_codes(stage: Stage, founder: Person, phone: Authenticator) -> None:
    """The server recommends a one-time code, so the founder is led through setting one up."""
    link = create_organization(stage, founder)
    bootstrap = founder.run(
        "organization", "bootstrap", "--addr", link, "--device-label", "laptop",
        "--label", founder.name, "--email", founder.email,
    )  # fmt: skip
    # Where there is no support for smartcards there is nothing to choose.
    offered = bootstrap.expect(r"How should this device be protected\?|New device password:")[0]
    if offered.startswith("How"):
        bootstrap.pick("a password and a one-time code")
        bootstrap.see("New device password:")
    bootstrap.type(founder.password)
    bootstrap.see("Confirm password:")
    bootstrap.type(founder.password)
    phone.scan(bootstrap)
    phone.enter_code(bootstrap)
    bootstrap.expect(rf"\w{{3}} - {ORGANIZATION}: {founder.name} <{founder.email}> @ laptop")
    bootstrap.finish()


def log_in_with_code(person: Person, phone: Authenticator) -> None:
    """A code, then the password."""
    users = person.run("user", "list")
    phone.enter_code(users)
    unlock(users, person)
    users.see(f"{person.handle}: ADMIN")
    users.finish()


def mistype_code(person: Person, phone: Authenticator) -> None:
    """A wrong code is said to be wrong, and may be corrected."""
    users = person.run("user", "list")
    users.see("Enter TOTP code:")
    users.type(phone.wrong_code)
    users.see("Wrong TOTP code")
    phone.enter_code(users)
    unlock(users, person)
    users.see(f"{person.handle}: ADMIN")
    users.finish()


def replace_authenticator(
    stage: Stage, administrator: Person, person: Person, phone: Authenticator
) -> None:
    """With the link of a reset, codes are set up again."""
    link = reset_codes(stage, administrator, person)
    again = person.run("totp", "reset", link)
    phone.scan(again)
    phone.enter_code(again)
    again.see("One-time codes are set up again")
    again.finish()


def reset_codes(stage: Stage, administrator: Person, person: Person) -> str:
    """The administrator of the server makes a link for who lost an authenticator."""
    reset = administrator.run(
        "user", "totp-reset", "--addr", stage.addr, "--token", stage.administration_token,
        "--organization", ORGANIZATION, "--user-email", person.email, "--send-email",
    )  # fmt: skip
    reset.expect(r"TOTP reset for user [0-9a-f]{32}\n")
    link = reset.expect(r"Reset URL: (parsec3://\S+)\n")[1]
    reset.see(f"An email with the reset URL has been sent to {person.email}")
    reset.finish()
    return link


def welcome_with_smartcard(
    host: Person, phone: Authenticator, guest: Person, *, pin: str, card: str
) -> None:
    """A new member protects the device by a smartcard, and logs in with it."""
    invitation = host.run("invite", "user", guest.email)
    phone.enter_code(invitation)
    unlock(invitation, host)
    token = invitation.expect(r"Invitation token: ([0-9a-f]{32})")[1]
    link = invitation.expect(r"Invitation URL: (\S+)")[1]
    invitation.finish()

    claimer = guest.run(
        "invite", "claim", link, "--label", "desktop", "--email", guest.email, "--name", guest.name
    )
    claimer.see("Retrieving invitation info")
    greeter = host.run("invite", "greet", token, "--profile", "STANDARD")
    phone.enter_code(greeter)
    unlock(greeter, host)
    compare_codes(greeter, claimer)
    claimer.choose("How should this device be protected?", "a smartcard")
    enter_pin(claimer, pin, card)
    claimer.see("New device created:")
    claimer.finish()
    greeter.finish()

    users = guest.run("user", "list")
    enter_pin(users, pin, card)
    users.see(f"{guest.handle}: STANDARD")
    users.finish()


def enter_pin(terminal: Terminal, pin: str, card: str) -> None:
    """Type the PIN of a smartcard."""
    terminal.see(f"Enter PIN for {card}:")
    terminal.type(pin)
