"""Each rule on received certificates is broken once, and nothing but it; each lie is caught."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

import pytest

from parsec.client.rules import (
    certificates,
    certificates_common,
    certificates_realm,
    certificates_sequester,
    certificates_shamir,
)
from parsec.client.rules.certificates import (
    Fault,
    Gap,
    InvalidCertificate,
    Ledger,
    Warned,
    integrate,
)
from parsec.data.certificates import RealmRole
from parsec.data.topics import Topic, TopicID
from parsec.protocol.certificate import CertificateGetOk
from tests.support.certificates import (
    ADMIN,
    STANDARD,
    answer,
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
    revoked_service,
    role,
    service,
    share,
    update,
    user,
)

ALICE, BOB, CAROL, DAN = "alice@pc1", "bob@pc1", "carol@pc1", "dan@pc1"
OWNER, MANAGER, READER = RealmRole.OWNER, RealmRole.MANAGER, RealmRole.READER
COMMON, SEQUESTER, SHAMIR, REALM = (
    Topic.COMMON,
    Topic.SEQUESTER,
    Topic.SHAMIR_RECOVERY,
    realm_id("r"),
)

NOTHING = answer()
PEOPLE = answer(common=five_people())
SERVICES = answer(sequester=[authority(1), service("one", 2)])
SHARED_REALM = answer(
    common=five_people(),
    realms={
        "r": [
            role("r", "alice", OWNER, 40, by=ALICE),
            role("r", "bob", MANAGER, 41, by=ALICE),
            role("r", "dan", READER, 42, by=BOB),
        ]
    },
)
EARLY_REALM = answer(common=five_people(), realms={"r": [role("r", "alice", OWNER, 4, by=ALICE)]})
REVOKED_OWNER = answer(
    common=[*five_people(), revocation("alice", 45, by=CAROL)],
    realms={
        "r": [
            role("r", "alice", OWNER, 40, by=ALICE),
            role("r", "carol", OWNER, 41, by=ALICE),
        ]
    },
)

BRIEF = brief(100, by=ALICE, weights={"bob": 2})
DELETION = deletion(101, by=ALICE, setup=100, recipients=["bob"])
BRIEF_FOR_US = brief(100, by=BOB, weights={"alice": 1})
SHARE_FOR_US = share(100, by=BOB, recipient="alice")
RECOVERY = answer(common=five_people(), shamir_recovery=[BRIEF_FOR_US, SHARE_FOR_US])


@dataclass(frozen=True)
class Lie:
    """What a server tells at the end of a topic, and what it would tell if it were honest."""

    wrong: Fault | Gap
    topic: TopicID
    known: CertificateGetOk
    told: list[bytes]
    honest: list[bytes]
    place: int | None = None
    """Where it shows, if not at the last certificate."""
    viewer: str = "alice"
    honestly_known: CertificateGetOk | None = None

    @property
    def index(self) -> int:
        return len(self.told) - 1 if self.place is None else self.place


LIES = [
    # --- Any certificate, and the common topic (client.md 15.3, 15.4) ---
    Lie(
        Fault.CORRUPTED,
        COMMON,
        PEOPLE,
        [update("bob", ADMIN, 10, by=ALICE, signer=DAN)],
        [update("bob", ADMIN, 10, by=ALICE)],
    ),
    Lie(
        Fault.NON_EXISTING_AUTHOR,
        COMMON,
        PEOPLE,
        [revocation("bob", 10, by="nobody@pc1")],
        [revocation("bob", 10, by=CAROL)],
    ),
    Lie(
        Fault.OLDER_THAN_AUTHOR,
        REALM,
        EARLY_REALM,
        [role("r", "bob", READER, 4.5, by=DAN)],
        [role("r", "bob", READER, 4.5, by=ALICE)],
    ),
    Lie(
        Fault.REVOKED_AUTHOR,
        COMMON,
        PEOPLE,
        [revocation("carol", 10, by=ALICE), revocation("bob", 11, by=CAROL)],
        [revocation("carol", 10, by=ALICE), revocation("bob", 11, by=ALICE)],
    ),
    Lie(
        Fault.AUTHOR_NOT_ADMIN,
        COMMON,
        PEOPLE,
        [revocation("mallory", 10, by=BOB)],
        [revocation("mallory", 10, by=ALICE)],
    ),
    Lie(
        Fault.INVALID_TIMESTAMP,
        COMMON,
        PEOPLE,
        [revocation("bob", 5, by=ALICE)],
        [revocation("bob", 5.000001, by=ALICE)],
    ),
    Lie(
        Fault.NON_EXISTING_RELATED_USER,
        COMMON,
        PEOPLE,
        [revocation("nobody", 10, by=ALICE)],
        [revocation("bob", 10, by=ALICE)],
    ),
    Lie(
        Fault.OLDER_THAN_RELATED_USER,
        REALM,
        EARLY_REALM,
        [role("r", "dan", READER, 4.5, by=ALICE)],
        [role("r", "dan", READER, 5, by=ALICE)],
    ),
    Lie(
        Fault.RELATED_USER_ALREADY_REVOKED,
        COMMON,
        PEOPLE,
        [revocation("bob", 10, by=ALICE), update("bob", ADMIN, 11, by=ALICE)],
        [revocation("bob", 10, by=ALICE), update("dan", ADMIN, 11, by=ALICE)],
    ),
    Lie(
        Fault.CONTENT_ALREADY_EXISTS,
        COMMON,
        PEOPLE,
        [update("bob", STANDARD, 10, by=ALICE)],
        [update("bob", ADMIN, 10, by=ALICE)],
    ),
    Lie(
        Fault.SELF_SIGNED,
        COMMON,
        PEOPLE,
        [update("alice", STANDARD, 10, by=ALICE)],
        [update("alice", STANDARD, 10, by=CAROL)],
    ),
    Lie(
        Fault.ROOT_SIGNATURE_OUT_OF_BOOTSTRAP,
        COMMON,
        PEOPLE,
        [user("erin", 10, by=None)],
        newcomer("erin", 10, by=ALICE),
    ),
    Lie(
        Fault.ROOT_SIGNATURE_TIMESTAMP_MISMATCH,
        COMMON,
        SERVICES,
        [user("alice", 2, by=None, profile=ADMIN)],
        newcomer("alice", 1, by=None, profile=ADMIN),
    ),
    Lie(
        Fault.USER_FIRST_DEVICE_AUTHOR_MISMATCH,
        COMMON,
        PEOPLE,
        [user("erin", 10, by=ALICE), device("erin@pc1", 10, by=CAROL)],
        newcomer("erin", 10, by=ALICE),
    ),
    Lie(
        Fault.USER_FIRST_DEVICE_TIMESTAMP_MISMATCH,
        COMMON,
        PEOPLE,
        [user("erin", 10, by=ALICE), device("erin@pc1", 11, by=ALICE)],
        newcomer("erin", 10, by=ALICE),
    ),
    # --- Realms (client.md 15.5) ---
    Lie(
        Fault.REALM_FIRST_CERTIFICATE_MUST_BE_ROLE,
        REALM,
        PEOPLE,
        [key_rotation("r", 41, by=ALICE)],
        [role("r", "alice", OWNER, 40, by=ALICE), key_rotation("r", 41, by=ALICE)],
    ),
    Lie(
        Fault.REALM_FIRST_ROLE_MUST_BE_SELF_SIGNED,
        REALM,
        PEOPLE,
        [role("r", "bob", OWNER, 40, by=ALICE)],
        [role("r", "bob", OWNER, 40, by=BOB)],
    ),
    Lie(
        Fault.REALM_FIRST_ROLE_MUST_BE_OWNER,
        REALM,
        PEOPLE,
        [role("r", "alice", MANAGER, 40, by=ALICE)],
        [role("r", "alice", OWNER, 40, by=ALICE)],
    ),
    Lie(
        Fault.REALM_SELF_PROMOTION_ROLE_MUST_BE_OWNER,
        REALM,
        SHARED_REALM,
        [role("r", "bob", READER, 50, by=BOB)],
        [role("r", "bob", READER, 50, by=ALICE)],
    ),
    Lie(
        Fault.REALM_SELF_PROMOTION_HIGHER_ACTIVE_ROLE,
        REALM,
        SHARED_REALM,
        [role("r", "bob", OWNER, 50, by=BOB)],
        [role("r", "bob", OWNER, 50, by=ALICE)],
    ),
    Lie(
        Fault.REALM_AUTHOR_HAS_NO_ROLE,
        REALM,
        SHARED_REALM,
        [key_rotation("r", 50, by=CAROL)],
        [key_rotation("r", 50, by=ALICE)],
    ),
    Lie(
        Fault.REALM_AUTHOR_NOT_OWNER,
        REALM,
        SHARED_REALM,
        [key_rotation("r", 50, by=BOB)],
        [key_rotation("r", 50, by=ALICE)],
    ),
    Lie(
        Fault.REALM_AUTHOR_NOT_OWNER_OR_MANAGER,
        REALM,
        SHARED_REALM,
        [role("r", "carol", READER, 50, by=DAN)],
        [role("r", "carol", READER, 50, by=BOB)],
    ),
    Lie(
        Fault.REALM_OUTSIDER_CANNOT_BE_OWNER_OR_MANAGER,
        REALM,
        SHARED_REALM,
        [role("r", "mallory", MANAGER, 50, by=ALICE)],
        [role("r", "mallory", READER, 50, by=ALICE)],
    ),
    # --- Shared recoveries and sequester (client.md 15.6) ---
    Lie(
        Fault.SHAMIR_NOT_ABOUT_SELF,
        SHAMIR,
        PEOPLE,
        [brief(100, by=ALICE, weights={"bob": 2}, of="dan")],
        [BRIEF],
    ),
    Lie(
        Fault.SHAMIR_SELF_AMONG_RECIPIENTS,
        SHAMIR,
        PEOPLE,
        [brief(100, by=ALICE, weights={"bob": 1, "alice": 1})],
        [BRIEF],
    ),
    Lie(
        Fault.SHAMIR_UNRELATED_TO_US,
        SHAMIR,
        PEOPLE,
        [brief(100, by=BOB, weights={"dan": 1})],
        [BRIEF_FOR_US, SHARE_FOR_US],
    ),
    Lie(
        Fault.SHAMIR_ALREADY_SETUP,
        SHAMIR,
        PEOPLE,
        [BRIEF, brief(102, by=ALICE, weights={"dan": 1})],
        [BRIEF, DELETION, brief(102, by=ALICE, weights={"dan": 1})],
    ),
    Lie(
        Fault.SHAMIR_MISSING_BRIEF,
        SHAMIR,
        PEOPLE,
        [SHARE_FOR_US],
        [BRIEF_FOR_US, SHARE_FOR_US],
    ),
    Lie(
        Fault.SHAMIR_MISSING_SHARE,
        SHAMIR,
        PEOPLE,
        [BRIEF_FOR_US],
        [BRIEF_FOR_US, SHARE_FOR_US],
        place=1,
    ),
    Lie(
        Fault.SHAMIR_DELETION_NOT_OF_LAST_SETUP,
        SHAMIR,
        PEOPLE,
        [BRIEF, deletion(101, by=ALICE, setup=99, recipients=["bob"])],
        [BRIEF, DELETION],
    ),
    Lie(
        Fault.SHAMIR_ALREADY_DELETED,
        SHAMIR,
        PEOPLE,
        [BRIEF, DELETION, deletion(102, by=ALICE, setup=100, recipients=["bob"])],
        [BRIEF, DELETION],
    ),
    Lie(
        Fault.SHAMIR_DELETION_RECIPIENTS_MISMATCH,
        SHAMIR,
        PEOPLE,
        [BRIEF, deletion(101, by=ALICE, setup=100, recipients=["bob", "dan"])],
        [BRIEF, DELETION],
    ),
    Lie(
        Fault.SEQUESTER_AUTHORITY_MUST_BE_FIRST,
        SEQUESTER,
        PEOPLE,
        [authority(10)],
        [authority(10)],
        honestly_known=NOTHING,
    ),
    Lie(
        Fault.SEQUESTER_SERVICE_ALREADY_REVOKED,
        SEQUESTER,
        SERVICES,
        [revoked_service("one", 3), revoked_service("one", 4)],
        [revoked_service("one", 3)],
    ),
    # --- What is only strange (client.md 15.8) ---
    Lie(
        Gap.ROLE_BY_REVOKED_AUTHOR,
        REALM,
        REVOKED_OWNER,
        [role("r", "dan", READER, 50, by=ALICE)],
        [role("r", "dan", READER, 50, by=CAROL)],
        viewer="bob",
    ),
    Lie(
        Gap.KEY_INDEX_NOT_NEXT,
        REALM,
        SHARED_REALM,
        [key_rotation("r", 50, by=ALICE, index=2)],
        [key_rotation("r", 50, by=ALICE, index=1)],
    ),
    Lie(
        Gap.SECOND_FIRST_DEVICE,
        COMMON,
        PEOPLE,
        [*newcomer("erin", 10, by=ALICE), device("erin@pc2", 10, by=ALICE)],
        [*newcomer("erin", 10, by=ALICE), device("erin@pc2", 11, by="erin@pc1")],
    ),
    Lie(
        Gap.UNKNOWN_SERVICE_REVOKED,
        SEQUESTER,
        SERVICES,
        [revoked_service("two", 3)],
        [revoked_service("one", 3)],
    ),
    Lie(
        Gap.USER_WITHOUT_DEVICE,
        COMMON,
        PEOPLE,
        [user("erin", 10, by=ALICE)],
        newcomer("erin", 10, by=ALICE),
        place=1,
    ),
    Lie(
        Gap.EMAIL_ALREADY_USED,
        COMMON,
        PEOPLE,
        newcomer("erin", 10, by=ALICE, email="bob@example.com"),
        newcomer("erin", 10, by=ALICE),
        place=0,
    ),
    Lie(
        Gap.SETUP_AFTER_REVOCATION,
        COMMON,
        RECOVERY,
        [revocation("bob", 50, by=ALICE)],
        [revocation("bob", 150, by=ALICE)],
    ),
]

EVERY_LIE = pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.wrong.value)


def before(lie: Lie, known: CertificateGetOk) -> Ledger:
    return integrate(empty_ledger(lie.viewer), known).ledger


def next_answer(lie: Lie, certificates_of_topic: list[bytes]) -> CertificateGetOk:
    match lie.topic:
        case Topic.COMMON:
            return answer(common=certificates_of_topic)
        case Topic.SEQUESTER:
            return answer(sequester=certificates_of_topic)
        case Topic.SHAMIR_RECOVERY:
            return answer(shamir_recovery=certificates_of_topic)
        case _:
            return answer(realms={"r": certificates_of_topic})


@pytest.mark.parametrize(
    "lie", [lie for lie in LIES if isinstance(lie.wrong, Fault)], ids=lambda lie: lie.wrong.value
)
def test_the_lie_is_refused_for_its_reason_at_its_place(lie: Lie) -> None:
    ledger = before(lie, lie.known)

    with pytest.raises(InvalidCertificate) as caught:
        integrate(ledger, next_answer(lie, lie.told))

    assert (caught.value.fault, caught.value.topic, caught.value.index) == (
        lie.wrong,
        lie.topic,
        lie.index,
    )


@pytest.mark.parametrize(
    "lie", [lie for lie in LIES if isinstance(lie.wrong, Gap)], ids=lambda lie: lie.wrong.value
)
def test_what_is_only_strange_is_told_and_believed(lie: Lie) -> None:
    ledger = before(lie, lie.known)

    integration = integrate(ledger, next_answer(lie, lie.told))

    assert integration.warnings == [Warned(Gap(lie.wrong), lie.topic, lie.index)]
    assert [certificate.signed for certificate in integration.accepted] == lie.told


@EVERY_LIE
def test_its_honest_counterpart_is_believed_without_a_word(lie: Lie) -> None:
    ledger = before(lie, lie.honestly_known or lie.known)

    integration = integrate(ledger, next_answer(lie, lie.honest))

    assert [certificate.signed for certificate in integration.accepted] == lie.honest
    assert integration.warnings == []


def test_no_rule_is_left_out() -> None:
    told = [lie.wrong for lie in LIES]

    assert sorted(told) == sorted([*Fault, *Gap])


# --- The rules say where they come from ---

RULES = (
    certificates,
    certificates_common,
    certificates_realm,
    certificates_sequester,
    certificates_shamir,
)


def functions(module: ModuleType) -> Iterator[ast.FunctionDef]:
    """Those that object themselves, or whose name says that they check."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef) and (
            "check" in node.name
            or any(
                isinstance(part, ast.Call) and _name(part.func) in ("Unacceptable", "warn", "_warn")
                for part in ast.walk(node)
            )
        ):
            yield node


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("module", RULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_each_rule_names_its_section(module: ModuleType) -> None:
    silent = [
        function.name
        for function in functions(module)
        if "client.md` 15." not in (ast.get_docstring(function) or "")
    ]

    assert silent == []
