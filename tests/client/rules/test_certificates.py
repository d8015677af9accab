"""An answer is believed as a whole or not at all, and what was believed stays what it was."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.client.failure import InvalidAnswer
from parsec.client.rules.certificates import (
    Fault,
    Gap,
    InvalidCertificate,
    Ledger,
    integrate,
)
from parsec.data.certificates import RealmRole
from parsec.data.people import UserProfile
from parsec.data.topics import Topic, TopicCertificate
from parsec.protocol.certificate import CertificateGetOk
from tests.support.certificates import (
    ADMIN,
    OUTSIDER,
    STANDARD,
    answer,
    at,
    authority,
    brief,
    deletion,
    device,
    empty_ledger,
    five_people,
    key_rotation,
    newcomer,
    realm_id,
    revocation,
    role,
    service,
    share,
    signing_key,
    update,
    user,
    user_id,
)

ALICE, BOB, CAROL = "alice@pc1", "bob@pc1", "carol@pc1"

SEQUESTER = [authority(1), service("one", 2)]
COMMON = [
    *five_people(),
    device("bob@pc2", 10, by=BOB),
    update("dan", ADMIN, 11, by=CAROL),
    revocation("mallory", 12, by=ALICE),
    *newcomer("erin", 13, by="dan@pc1"),
]
REALM = [
    role("r", "alice", RealmRole.OWNER, 40, by=ALICE),
    key_rotation("r", 41, by=ALICE),
    role("r", "bob", RealmRole.READER, 42, by=ALICE),
]
SHAMIR = [
    brief(100, by="bob@pc2", weights={"alice": 1, "carol": 2}, threshold=2),
    share(100, by="bob@pc2", recipient="alice", ciphered_share=b"sealed"),
    deletion(110, by=BOB, setup=100, recipients=["alice", "carol"]),
]
EVERYTHING = answer(sequester=SEQUESTER, common=COMMON, realms={"r": REALM}, shamir_recovery=SHAMIR)


def facts(ledger: Ledger) -> object:
    """All that a ledger answers to its questions."""
    users = ledger.users()
    ids = [user.user_id for user in users]
    return (
        users,
        [ledger.devices_of(who) for who in ids],
        [ledger.public_key(who) for who in ids],
        [ledger.active_user_by_email(user.human_handle.email) for user in users],
        [ledger.shamir_setup(who) for who in ids],
        [ledger.share_certificate(who, at(100)) for who in ids],
        ledger.shamir_setups_for_others(),
        ledger.self_profile,
        ledger.request(),
    )


def restored(certificates: list[TopicCertificate]) -> Ledger:
    return Ledger.restore(user_id("alice"), signing_key(None).verify_key, ADMIN, certificates)


# --- All or nothing ---


def test_groups_are_accepted_in_the_order_of_their_dependence() -> None:
    accepted = integrate(empty_ledger(), EVERYTHING).accepted

    assert accepted == [
        *(TopicCertificate(Topic.SEQUESTER, signed) for signed in SEQUESTER),
        *(TopicCertificate(Topic.COMMON, signed) for signed in COMMON),
        *(TopicCertificate(realm_id("r"), signed) for signed in REALM),
        *(TopicCertificate(Topic.SHAMIR_RECOVERY, signed) for signed in SHAMIR),
    ]


def test_honest_server_raises_no_warning() -> None:
    assert integrate(empty_ledger(), EVERYTHING).warnings == []


@pytest.mark.parametrize(
    "rest",
    [
        answer(common=[revocation("bob", 20, by=ALICE), b"junk"]),
        answer(common=[revocation("bob", 20, by=ALICE)], realms={"r": [b"junk"]}),
        answer(common=[revocation("bob", 20, by=ALICE)], shamir_recovery=[b"junk"]),
        answer(
            realms={
                "r": [role("r", "bob", None, 50, by=ALICE)],
                "s": [b"junk"],
            }
        ),
    ],
    ids=["common", "realm", "shamir", "other realm"],
)
def test_refused_answer_leaves_no_trace(rest: CertificateGetOk) -> None:
    ledger = integrate(empty_ledger(), EVERYTHING).ledger
    before = facts(ledger)

    with pytest.raises(InvalidCertificate):
        integrate(ledger, rest)

    assert facts(ledger) == before


def test_accepted_answer_leaves_the_old_ledger_as_it_was() -> None:
    ledger = integrate(empty_ledger(), EVERYTHING).ledger
    before = facts(ledger)

    integrate(
        ledger,
        answer(
            sequester=[service("two", 20)],
            common=[revocation("bob", 20, by=ALICE), *newcomer("frank", 21, by=ALICE)],
            realms={"r": [role("r", "bob", None, 50, by=ALICE)]},
            shamir_recovery=[
                brief(120, by="dan@pc1", weights={"carol": 1, "alice": 1}),
                share(120, by="dan@pc1", recipient="alice"),
            ],
        ),
    )

    assert facts(ledger) == before


def test_answer_without_news() -> None:
    ledger = integrate(empty_ledger(), EVERYTHING).ledger

    integration = integrate(ledger, answer())

    assert integration.accepted == []
    assert facts(integration.ledger) == facts(ledger)


def test_same_answer_again() -> None:
    ledger = integrate(empty_ledger(), EVERYTHING).ledger

    with pytest.raises(InvalidCertificate) as caught:
        integrate(ledger, answer(common=COMMON))

    assert caught.value.fault is Fault.INVALID_TIMESTAMP


def test_realm_without_certificates_stays_unknown() -> None:
    ledger = integrate(empty_ledger(), answer(realms={"r": []})).ledger

    assert ledger.is_empty
    assert ledger.request().realm_after == {}


@given(
    topic=st.sampled_from(["common", "realm", "shamir"]),
    data=st.data(),
)
def test_no_byte_can_be_changed(topic: str, data: st.DataObject) -> None:
    group = {"common": COMMON, "realm": REALM, "shamir": SHAMIR}[topic]
    which = data.draw(st.integers(0, len(group) - 1))
    where = data.draw(st.integers(0, len(group[which]) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(group[which])
    changed[where] ^= flip
    lie = [*group[:which], bytes(changed), *group[which + 1 :]]

    with pytest.raises(InvalidCertificate) as caught:
        integrate(
            empty_ledger(),
            answer(
                common=lie if topic == "common" else COMMON,
                realms={"r": lie if topic == "realm" else REALM},
                shamir_recovery=lie if topic == "shamir" else SHAMIR,
            ),
        )

    assert caught.value.index == which


@given(data=st.data())
def test_no_order_but_the_right_one_is_accepted(data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(COMMON))))
    shuffled = [COMMON[index] for index in order]

    if order == list(range(len(COMMON))):
        integrate(empty_ledger(), answer(common=shuffled))
        return
    with pytest.raises(InvalidCertificate):
        integrate(empty_ledger(), answer(common=shuffled))


@given(cuts=st.lists(st.integers(0, len(COMMON)), max_size=4))
def test_polls_may_cut_the_history_anywhere(cuts: list[int]) -> None:
    # A brief and its share come in one answer; users and first devices need not for the rules.
    bounds = [0, *sorted(cuts), len(COMMON)]
    ledger = integrate(empty_ledger(), answer(sequester=SEQUESTER)).ledger
    for start, end in pairwise(bounds):
        ledger = integrate(ledger, answer(common=COMMON[start:end])).ledger
    ledger = integrate(ledger, answer(realms={"r": REALM}, shamir_recovery=SHAMIR)).ledger

    assert facts(ledger) == facts(integrate(empty_ledger(), EVERYTHING).ledger)


# --- Keeping and restoring ---


def test_restored_ledger_equals_the_integrated_one() -> None:
    integration = integrate(empty_ledger(), EVERYTHING)

    assert facts(restored(integration.accepted)) == facts(integration.ledger)


@given(cut=st.integers(0, len(COMMON)))
def test_restored_ledger_goes_on_where_it_stopped(cut: int) -> None:
    first = integrate(empty_ledger(), answer(common=COMMON[:cut]))

    second = integrate(restored(first.accepted), answer(common=COMMON[cut:]))

    whole = integrate(empty_ledger(), answer(common=COMMON))
    assert facts(second.ledger) == facts(whole.ledger)


def test_restored_ledger_still_refuses() -> None:
    integration = integrate(empty_ledger(), EVERYTHING)

    with pytest.raises(InvalidCertificate) as caught:
        integrate(
            restored(integration.accepted),
            answer(common=[user("frank", 20, by="mallory@pc1")]),
        )

    assert caught.value.fault is Fault.REVOKED_AUTHOR


# --- Own profile from or to external user ---


def before_switch(viewer: str = "bob", initial_profile: UserProfile = STANDARD) -> Ledger:
    return integrate(empty_ledger(viewer, initial_profile), answer(common=five_people())).ledger


@pytest.mark.parametrize(
    "common",
    [
        [update("bob", OUTSIDER, 10, by=ALICE)],
        [update("bob", ADMIN, 10, by=ALICE), update("bob", OUTSIDER, 11, by=ALICE)],
    ],
)
def test_becoming_external_asks_again_from_nothing(common: list[bytes]) -> None:
    integration = integrate(before_switch(), answer(common=common))

    assert integration.must_refetch
    assert integration.accepted == []
    assert integration.ledger.is_empty
    assert integration.ledger.self_profile is STANDARD


def test_ceasing_to_be_external_asks_again_from_nothing() -> None:
    ledger = before_switch("mallory", OUTSIDER)

    integration = integrate(ledger, answer(common=[update("mallory", STANDARD, 10, by=ALICE)]))

    assert integration.must_refetch
    assert integration.ledger.is_empty


@pytest.mark.parametrize(
    "common",
    [
        [update("bob", ADMIN, 10, by=ALICE)],
        [update("bob", OUTSIDER, 10, by=ALICE), update("bob", ADMIN, 11, by=ALICE)],
        [update("dan", OUTSIDER, 10, by=ALICE)],
    ],
    ids=["no external profile", "there and back", "somebody else"],
)
def test_other_changes_do_not(common: list[bytes]) -> None:
    assert not integrate(before_switch(), answer(common=common)).must_refetch


def test_first_poll_does_not_ask_again() -> None:
    """Otherwise a user who became external would ask for ever."""
    common = [*five_people(redacted=True), update("bob", OUTSIDER, 10, by=ALICE)]

    integration = integrate(empty_ledger("bob", STANDARD), answer(common=common))

    assert not integration.must_refetch
    assert integration.ledger.self_profile is OUTSIDER


def test_lie_in_the_answer_that_switches_is_refused() -> None:
    common = [update("bob", OUTSIDER, 10, by=ALICE)]

    with pytest.raises(InvalidCertificate):
        integrate(before_switch(), answer(common=common, shamir_recovery=[b"junk"]))


# --- What is asked of the server ---


def test_empty_ledger_asks_for_everything() -> None:
    request = empty_ledger().request()

    assert request.common_after is None
    assert request.sequester_after is None
    assert request.shamir_recovery_after is None
    assert request.realm_after == {}


def test_ledger_asks_for_what_is_newer() -> None:
    request = integrate(empty_ledger(), EVERYTHING).ledger.request()

    assert request.common_after == at(13)
    assert request.sequester_after == at(2)
    assert request.shamir_recovery_after == at(110)
    assert request.realm_after == {realm_id("r"): at(42)}


@pytest.mark.parametrize(
    ("topic", "last"),
    [
        (Topic.COMMON, 13),
        (Topic.SEQUESTER, 2),
        (Topic.SHAMIR_RECOVERY, 110),
        (realm_id("r"), 42),
    ],
)
def test_requirements_are_covered_up_to_the_last_certificate(topic: Topic, last: int) -> None:
    ledger = integrate(empty_ledger(), EVERYTHING).ledger

    assert ledger.last_timestamp(topic) == at(last)
    assert ledger.covers({topic: at(last)})
    assert not ledger.covers({topic: at(last).plus(microseconds=1)})


def test_unknown_topics_are_not_covered() -> None:
    ledger = integrate(empty_ledger(), answer(common=COMMON)).ledger

    assert not ledger.covers({Topic.SHAMIR_RECOVERY: at(0)})
    assert not ledger.covers({realm_id("r"): at(0)})


# --- What a person is told ---


def test_error_names_the_fault_and_the_place() -> None:
    integration = integrate(empty_ledger(), answer(common=five_people()))

    with pytest.raises(InvalidAnswer) as caught:
        integrate(integration.ledger, answer(common=[revocation("bob", 10, by="dan@pc1")]))

    assert str(caught.value) == (
        "The server sent an invalid certificate (topic common, certificate 1: AuthorNotAdmin):"
        " its author was no administrator"
    )
    assert caught.value.hint is not None


def test_error_in_a_realm_names_the_realm() -> None:
    with pytest.raises(InvalidAnswer) as caught:
        integrate(empty_ledger(), answer(realms={"r": [b"junk"]}))

    assert f"realm {realm_id('r').hex()}, certificate 1" in str(caught.value)


@pytest.mark.parametrize("named", [*Fault, *Gap])
def test_everything_that_can_be_wrong_is_explained(named: Fault | Gap) -> None:
    assert named.explanation
    assert not named.explanation.endswith(".")
