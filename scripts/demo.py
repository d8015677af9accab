"""Plays the stories of the mission with real processes, printing what people type and see."""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from parsec.crypto.totp import base32_secret
from scripts import stories
from scripts.authenticator import Authenticator
from scripts.stage import Person, Stage, stage

_CLI = Path(sys.executable).with_name("parsec-cli")


def main() -> int:
    """Play everything; the answer is the exit code."""
    arguments = _arguments()
    began = time.monotonic()
    with stage(show=_show) as built, stage(show=_show) as advising:
        people = _recovery_story(built)
        alice, phone = _authentication_story(advising)
        _title(f"Done in {time.monotonic() - began:.0f} seconds")
        if arguments.keep:
            _tell_how_to_log_in(built, people)
            _tell_how_to_log_in(advising, [alice], phone)
            _keep()
    return 0


def _recovery_story(built: Stage) -> list[Person]:
    alice, arnold, bob = (built.person(name) for name in ("Alice", "Arnold", "Bob"))

    _title("A server, and an organization that trusts it with nothing")
    built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}")
    stories.found_organization(built, alice)

    _title("Alice invites Arnold and Bob; they compare codes by voice")
    stories.welcome(built, alice, arnold, profile="ADMIN", label="label")
    stories.welcome(built, alice, bob, profile="STANDARD", label="laptop")

    _title("Bob shares the recovery of his account between Alice and Arnold")
    stories.set_up_recovery(bob, threshold=2, recipients=2)

    _title("Bob's laptop is stolen. His colleagues give him his account back")
    bob.lose_everything()
    stories.lose_and_recover(bob, alice, arnold)

    _title("The recovered device works, and brings a second one in")
    stories.use_recovered_device(bob)
    phone = built.person("Phone")
    phone.password = "another passw0rd"
    stories.add_device(bob, phone, label="phone")
    return [alice, arnold, bob, phone]


def _authentication_story(built: Stage) -> tuple[Person, Authenticator]:
    alice, phone = built.person("Alice"), Authenticator()

    _title("Another server recommends passwords with one-time codes, or smartcards")
    built.start_server("--db", f"sqlite:///{built.folder / 'parsec.sqlite'}", *stories.ADVISING)
    stories.found_with_codes(built, alice, phone)

    _title("Alice logs in with the code that her phone shows, and mistypes one")
    stories.log_in_with_code(alice, phone)
    stories.mistype_code(alice, phone)

    _title("Alice loses her phone; the administrator of the server lets her set up another one")
    phone = Authenticator()
    stories.replace_authenticator(built, built.person("Root"), alice, phone)
    stories.log_in_with_code(alice, phone)

    if shutil.which("softhsm2-util") is None:
        _title("No smartcard: SoftHSM is not installed (scripts/install-counterparts.sh)")
        return alice, phone
    _title("Carol has a smartcard")
    from tests.support import smartcards

    carol = built.person("Carol")
    with smartcards.card_reader() as reader:
        os.environ.update(reader.environment)
        key = smartcards.rsa_key("carol")
        reader.insert("Carol's card").add(smartcards.certificate("Carol", key), key)
        carol.variables.update(reader.environment, PARSEC_PKCS11_MODULE=reader.module)
        stories.welcome_with_smartcard(alice, phone, carol, pin=smartcards.PIN, card="Carol's card")
    return alice, phone


def _tell_how_to_log_in(
    built: Stage, people: list[Person], phone: Authenticator | None = None
) -> None:
    print(f"\nThe server at {built.addr} keeps running until Ctrl-C. To log in:")
    for person in people:
        print(
            f"  {person.name}: PARSEC_BASE_CONFIG_DIR='{person.home}/config' "
            f"PARSEC_BASE_DATA_DIR='{person.home}/data' {_CLI} user list"
            f"   (password: {person.password})"
        )
    if phone is not None:
        print(
            f"  The code: oathtool --totp --base32 {base32_secret(phone.secret)}"
            "   (of the package oathtool, or any authenticator app)"
        )
        print("  (Carol's smartcard exists during the story only.)")


def _keep() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        print()


def _title(text: str) -> None:
    print(f"\n━━ {text}", flush=True)


def _show(line: str) -> None:
    print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the server running at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
