"""Target: certificates that are well signed, and may say anything, against every rule.

The input is the map of a certificate. Its author signs it, if it names one that exists; then it
comes as the next of its topic, after an honest history.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from parsec.client.rules.certificates import InvalidCertificate, Ledger, integrate
from parsec.crypto.keys import SigningKey
from parsec.data.certificates import RealmRole
from parsec.data.people import UserProfile
from parsec.wire.frame import dump_frame, load_frame
from parsec.wire.msgpack import dump
from tests.support import certificates as made
from tests.support.decoders.target import Form, Target, check_words

DEVICES = ("alice@pc1", "bob@pc1", "carol@pc1", "mallory@pc1", "dan@pc1")


@cache
def _history() -> Ledger:
    return integrate(made.empty_ledger(), _honest()).ledger


@cache
def _honest() -> Any:
    return made.answer(
        sequester=[made.authority(1), made.service("one", 2)],
        common=made.five_people(),
        realms={"r": [made.role("r", "alice", RealmRole.OWNER, 40, by="alice@pc1")]},
        shamir_recovery=[
            made.brief(100, by="bob@pc1", weights={"alice": 1, "carol": 1}, threshold=2),
            made.share(100, by="bob@pc1", recipient="alice"),
        ],
    )


def check_ledgers(content: bytes) -> None:
    """Whatever a certificate says, the answer is believed or refused, and the ledger is whole."""
    before = _history().users()
    signed = _signer(content).sign(dump_frame(content))
    by_authority = made.authority_key().sign(dump_frame(content))
    for answer in (
        made.answer(common=[signed]),
        made.answer(realms={"r": [signed]}),
        made.answer(realms={"new": [signed]}),
        made.answer(shamir_recovery=[signed]),
        made.answer(sequester=[by_authority]),
    ):
        try:
            integration = integrate(_history(), answer)
        except InvalidCertificate as error:
            check_words(error)
            continue
        _ask_everything(integration.ledger)
        if not integration.must_refetch:
            [accepted] = integration.accepted
            assert accepted.signed in (signed, by_authority)
    assert _history().users() == before


def _ask_everything(ledger: Ledger) -> None:
    for user in ledger.users():
        ledger.devices_of(user.user_id)
        ledger.public_key(user.user_id)
        ledger.active_user_by_email(user.human_handle.email)
        ledger.shamir_setup(user.user_id)
    ledger.shamir_setups_for_others()
    assert ledger.covers({})
    ledger.request()
    assert isinstance(ledger.self_profile, UserProfile)


@cache
def _keys() -> Mapping[bytes, SigningKey]:
    return {made.device_id(name): made.signing_key(name) for name in DEVICES}


class _Head(msgspec.Struct):
    author: msgspec.msgpack.Ext | None = None


def _signer(content: bytes) -> SigningKey:
    try:
        author = msgspec.msgpack.decode(content, type=_Head).author
    except (msgspec.MsgspecError, ValueError, RecursionError):
        author = None
    if author is None:
        return made.signing_key(None)
    return _keys().get(bytes(author.data), made.signing_key("alice@pc1"))


def _contents() -> Sequence[bytes]:
    signed = [
        made.user("erin", 10, by="alice@pc1"),
        made.device("erin@pc1", 10, by="alice@pc1"),
        made.device("bob@pc2", 10, by="bob@pc1"),
        made.update("bob", UserProfile.ADMIN, 10, by="alice@pc1"),
        made.revocation("bob", 110, by="alice@pc1"),
        made.role("r", "bob", RealmRole.MANAGER, 50, by="alice@pc1"),
        made.role("new", "bob", RealmRole.OWNER, 50, by="bob@pc1"),
        made.key_rotation("r", 50, by="alice@pc1"),
        made.realm_name("r", 50, by="alice@pc1"),
        made.archiving("r", 50, by="alice@pc1"),
        made.brief(120, by="alice@pc1", weights={"bob": 1}),
        made.deletion(120, by="bob@pc1", setup=100, recipients=["alice", "carol"]),
    ]
    services = [made.service("two", 10), made.revoked_service("one", 10)]
    rest = [load_frame(one[64:]) for one in signed]
    key = made.authority_key().verify_key
    return [*rest, *(load_frame(key.verify(one)) for one in services), dump({"author": None})]


TARGETS = (Target("ledgers", Form.MSGPACK, check_ledgers, _contents),)
