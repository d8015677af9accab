"""When a user may be added, changed and revoked (server-core.md 6, 20.1)."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.certificates import (
    Certificate,
    RevokedUserCertificate,
    UserUpdateCertificate,
)
from parsec.data.ids import DeviceID, UserID
from parsec.data.people import DeviceLabel, UserProfile
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.user import UserCreate, UserRevoke, UserUpdate
from parsec.server.rules import user as rules
from parsec.server.rules.refusal import Refused
from parsec.server.rules.user import NewUser
from tests.support.newcomers import Papers, newcomer, papers
from tests.support.server_records import EARLIER, NOW, administrator, author, user

KEY = SigningKey(bytes(range(32)))
ALICE = author(administrator("alice"), KEY)
BOB = newcomer("bob")
PAPERS = papers(BOB, author=ALICE.device.device_id, timestamp=NOW)
LATER = NOW.plus(seconds=1)


def request(changed: Papers = PAPERS, **raw: Any) -> UserCreate:
    return UserCreate(**changed.signed(KEY) | raw)


def created(changed: Papers = PAPERS, **raw: Any) -> NewUser:
    return rules.check_certificates(request(changed, **raw), ALICE, now=NOW)


def refusal(call: Callable[[], object]) -> Reply:
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.reply


# --- Creation ---


def test_a_user_comes_with_a_device() -> None:
    new = created()

    assert new.user_record.user_id == BOB.user_id
    assert new.user_record.human_handle.label == "Bob"
    assert new.user_record.created_on == NOW
    assert new.device_record.device_id == BOB.device_id


def test_only_administrators_create_users() -> None:
    bob = author(user("bob"), KEY)

    def call() -> object:
        return rules.check_certificates(request(user_certificate=b""), bob, now=NOW)

    assert refusal(call) == statuses.AuthorNotAllowed()


BAD_PAPERS = {
    "dates differ": PAPERS.but("user", "redacted_user", timestamp=LATER),
    "users differ": PAPERS.but("device", "redacted_device", user_id=ALICE.user.user_id),
    "author is the root": PAPERS.but(author=None),
    "author is another device": PAPERS.but(author=DeviceID(bytes(16))),
    "redacted user is full": PAPERS.but("redacted_user", human_handle=BOB.handle),
    "redacted device is full": PAPERS.but("redacted_device", device_label=DeviceLabel("desk")),
    "full user is redacted": PAPERS.but("user", human_handle=None),
    "full device is redacted": PAPERS.but("device", device_label=None),
    "redacted user differs": PAPERS.but("redacted_user", profile=UserProfile.ADMIN),
    "redacted device differs": PAPERS.but("redacted_device", verify_key=KEY.verify_key),
}


@pytest.mark.parametrize("changed", BAD_PAPERS.values(), ids=BAD_PAPERS)
def test_certificates_that_contradict_each_other_are_refused(changed: Papers) -> None:
    assert refusal(lambda: created(changed)) == statuses.InvalidCertificate()


@pytest.mark.parametrize("name", PAPERS.signed(KEY))
def test_each_certificate_must_be_signed_by_the_author(name: str) -> None:
    forged = PAPERS.signed(SigningKey(bytes(32)))[name]

    assert refusal(lambda: created(PAPERS, **{name: forged})) == statuses.InvalidCertificate()


@pytest.mark.parametrize("name", PAPERS.signed(KEY))
def test_each_certificate_must_be_of_its_kind(name: str) -> None:
    other = RevokedUserCertificate(
        author=ALICE.device.device_id, timestamp=NOW, user_id=BOB.user_id
    ).sign(KEY)

    assert refusal(lambda: created(PAPERS, **{name: other})) == statuses.InvalidCertificate()


def test_an_old_date_is_refused() -> None:
    old = PAPERS.but(timestamp=NOW.plus(seconds=-320))

    assert isinstance(refusal(lambda: created(old)), statuses.TimestampOutOfBallpark)


def test_the_date_is_checked_after_the_signatures() -> None:
    old = PAPERS.but(timestamp=NOW.plus(seconds=-320))

    assert refusal(lambda: created(old, device_certificate=b"")) == statuses.InvalidCertificate()


def check_new(limit: int | None = None, **facts: Any) -> None:
    known: dict[str, Any] = {
        "last_common": EARLIER,
        "active_users": 1,
        "same_email": None,
        "same_user_id": None,
        "same_device_id": None,
    }
    changed = msgspec.structs.replace(ALICE.organization, active_users_limit=limit)
    rules.check_new(
        created(), msgspec.structs.replace(ALICE, organization=changed), **known | facts
    )


def test_what_fits_is_accepted() -> None:
    check_new(limit=2)


# In the order of their checks: each holds all the obstacles that follow it.
OBSTACLES: list[tuple[dict[str, Any], Reply]] = [
    ({"last_common": NOW}, statuses.RequireGreaterTimestamp(strictly_greater_than=NOW)),
    ({"same_email": user("bob")}, statuses.HumanHandleAlreadyTaken()),
    ({"limit": 1}, statuses.ActiveUsersLimitReached()),
    ({"same_user_id": user("old")}, statuses.UserAlreadyExists()),
    ({"same_device_id": ALICE.device}, statuses.UserAlreadyExists()),
]


@pytest.mark.parametrize("number", range(len(OBSTACLES)))
def test_the_first_obstacle_is_told(number: int) -> None:
    facts: dict[str, Any] = {}
    for obstacle, _ in OBSTACLES[number:]:
        facts |= obstacle

    assert refusal(lambda: check_new(**facts)) == OBSTACLES[number][1]


# --- Update and revocation ---


def signed(kind: type[Certificate], **fields: Any) -> bytes:
    values = {"author": ALICE.device.device_id, "timestamp": NOW, "user_id": BOB.user_id}
    return kind(**values | fields).sign(KEY)


def updated(**fields: Any) -> UserUpdateCertificate:
    fields = {"new_profile": UserProfile.ADMIN} | fields
    raw = signed(UserUpdateCertificate, **fields)
    return rules.check_update_certificate(UserUpdate(user_update_certificate=raw), ALICE, now=NOW)


def revoked(**fields: Any) -> RevokedUserCertificate:
    raw = signed(RevokedUserCertificate, **fields)
    return rules.check_revocation_certificate(
        UserRevoke(revoked_user_certificate=raw), ALICE, now=NOW
    )


@pytest.mark.parametrize("act", [updated, revoked])
def test_nobody_updates_or_revokes_themselves(act: Callable[..., object]) -> None:
    """So that an organization always keeps an administrator."""
    himself = {"user_id": ALICE.user.user_id}

    assert refusal(lambda: act(**himself)) == statuses.InvalidCertificate()


@pytest.mark.parametrize("act", [updated, revoked])
def test_the_date_is_checked_before_the_target(act: Callable[..., object]) -> None:
    fields = {"user_id": ALICE.user.user_id, "timestamp": NOW.plus(seconds=300)}

    assert isinstance(refusal(lambda: act(**fields)), statuses.TimestampOutOfBallpark)


@pytest.mark.parametrize("act", [updated, revoked])
def test_another_author_is_refused(act: Callable[..., object]) -> None:
    fields = {"author": DeviceID(bytes(16))}

    assert refusal(lambda: act(**fields)) == statuses.InvalidCertificate()


def test_only_administrators_update_and_revoke() -> None:
    bob = author(user("bob"), KEY)
    update = UserUpdate(user_update_certificate=b"")
    revoke = UserRevoke(revoked_user_certificate=b"")

    replies = [
        refusal(lambda: rules.check_update_certificate(update, bob, now=NOW)),
        refusal(lambda: rules.check_revocation_certificate(revoke, bob, now=NOW)),
    ]

    assert replies == [statuses.AuthorNotAllowed()] * 2


@pytest.mark.parametrize(
    ("target", "reply"),
    [
        (None, statuses.UserNotFound()),
        (user(revoked_on=EARLIER, profile=UserProfile.ADMIN), statuses.UserRevoked()),
        (administrator(), statuses.UserNoChanges()),
        (user(), statuses.RequireGreaterTimestamp(strictly_greater_than=NOW)),
    ],
)
def test_who_cannot_be_updated_is_told_before_the_date(target: Any, reply: Reply) -> None:
    def call() -> None:
        rules.check_update(updated(), target=target, last_common=NOW)

    assert refusal(call) == reply


@pytest.mark.parametrize(
    ("target", "reply"),
    [
        (None, statuses.UserNotFound()),
        (
            user(revoked_on=EARLIER),
            statuses.UserAlreadyRevoked(last_common_certificate_timestamp=NOW),
        ),
        (user(), statuses.RequireGreaterTimestamp(strictly_greater_than=NOW)),
    ],
)
def test_who_cannot_be_revoked_is_told_before_the_date(target: Any, reply: Reply) -> None:
    def call() -> None:
        rules.check_revocation(revoked(), target=target, last_common=NOW)

    assert refusal(call) == reply


def test_who_can_be_updated_and_revoked_is() -> None:
    rules.check_update(updated(), target=user(), last_common=EARLIER)
    rules.check_revocation(revoked(), target=user(), last_common=EARLIER)


def test_the_user_of_a_certificate_is_the_one_it_names() -> None:
    assert updated(user_id=UserID(b"\1" * 16)).user_id == UserID(b"\1" * 16)
