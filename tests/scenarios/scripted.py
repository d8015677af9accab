"""The parts of the story for scripts: no terminal, options and JSON alone."""

from typing import Any

from scripts.stage import Person, Script, Stage

ORGANIZATION = "Org"


def found_organization(stage: Stage, founder: Person) -> None:
    created = founder.script(
        "organization", "create", ORGANIZATION, "--addr", stage.addr,
        "--token", stage.administration_token,
    ).result()  # fmt: skip
    founder.script(
        "organization", "bootstrap", "--addr", created["bootstrap_url"],
        "--device-label", "laptop", "--label", founder.name, "--email", founder.email,
    ).finish()  # fmt: skip


def welcome(host: Person, guest: Person, *, profile: str = "STANDARD") -> None:
    invitation = host.script("invite", "user", guest.email).result()
    claimer = guest.script(
        "invite", "claim", invitation["url"], "--sas-stdin", "--greeter", host.email,
        "--label", "laptop", "--email", guest.email, "--name", guest.name,
    )  # fmt: skip
    greeter = host.script(
        "invite", "greet", invitation["token"], "--sas-stdin", "--profile", profile
    )
    compare_codes(greeter, claimer)
    claimer.finish()
    greeter.finish()


def compare_codes(greeter: Script, claimer: Script) -> None:
    claimer.write(greeter.event("code")["code"])
    greeter.write(claimer.event("code")["code"])


def set_up_recovery(author: Person, *recipients: str, threshold: int) -> None:
    arguments = ["--recipients", *recipients] if recipients else []
    author.script(
        "shared-recovery", "create", *arguments, "--threshold", str(threshold), "--yes"
    ).finish()


def invite_recovery(helper: Person, lost: Person) -> dict[str, Any]:
    invitation: dict[str, Any] = helper.script(
        "invite", "shared-recovery", lost.email, "--no-email"
    ).result()
    return invitation


def claim_recovery(lost: Person, url: str, *helpers: Person) -> Script:
    chosen = [word for helper in helpers for word in ("--recipient", helper.email)]
    return lost.script("invite", "claim", url, "--sas-stdin", "--label", "recovered", *chosen)


def greet(helper: Person, token: str, claimer: Script) -> None:
    greeter = helper.script("invite", "greet", token, "--sas-stdin")
    compare_codes(greeter, claimer)
    greeter.finish()
