"""Which invitations count, who may make, see and end them (server-core.md 8, 20)."""

from typing import Any

import pytest

from parsec.data.people import EmailAddress, HumanHandle, UserProfile
from parsec.protocol import statuses
from parsec.protocol.command import Reply
from parsec.protocol.invite import InvitationStatus
from parsec.server.records import InvitationRecord, UserRecord
from parsec.server.rules.invite import (
    CANCEL,
    COMPLETE,
    Ending,
    InvitationState,
    check_end,
    check_invite_shamir_recovery,
    check_invite_user,
    check_usable,
    invitation_state,
    may_greet,
    told_of,
)
from parsec.server.rules.refusal import Refused, Rejected, Verdict
from tests.support.server_records import (
    EARLIER,
    NOW,
    administrator,
    device_invitation,
    shamir_invitation,
    shamir_setup,
    user,
    user_invitation,
)

OTHER_PROFILES = [UserProfile.STANDARD, UserProfile.OUTSIDER]


def refusal(check: Any, *facts: Any, **named: Any) -> type[Reply]:
    with pytest.raises(Refused) as refused:
        check(*facts, **named)
    return type(refused.value.reply)


def state(invitation: InvitationRecord, *, lifetime: int | None = None) -> InvitationState:
    return invitation_state(invitation, now=NOW, lifetime=lifetime)


# --- Which still count ---


def test_an_invitation_counts_until_somebody_ends_it() -> None:
    assert state(user_invitation()) is InvitationState.PENDING


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (InvitationStatus.FINISHED, InvitationState.COMPLETED),
        (InvitationStatus.CANCELLED, InvitationState.CANCELLED),
    ],
)
def test_an_ended_invitation_stays_what_it_was(
    stored: InvitationStatus, expected: InvitationState
) -> None:
    setup = shamir_setup(user(), {}, deleted_on=EARLIER)

    assert state(shamir_invitation(setup, status=stored), lifetime=1) is expected


def test_deleting_a_shared_recovery_cancels_its_invitation() -> None:
    setup = shamir_setup(user(), {}, deleted_on=EARLIER)

    assert state(shamir_invitation(setup)) is InvitationState.SETUP_DELETED


def test_revoking_a_user_cancels_the_invitations_of_his_devices() -> None:
    assert state(device_invitation(user(revoked_on=EARLIER))) is InvitationState.CLAIMER_REVOKED


@pytest.mark.parametrize(
    ("age", "expected"), [(60, InvitationState.PENDING), (61, InvitationState.EXPIRED)]
)
def test_an_invitation_may_grow_as_old_as_the_server_lets_it(
    age: int, expected: InvitationState
) -> None:
    invitation = user_invitation(created_on=NOW.plus(seconds=-age))

    assert state(invitation, lifetime=60) is expected


def test_an_invitation_grows_old_without_limit_by_default() -> None:
    invitation = user_invitation(created_on=NOW.plus(seconds=-(10**9)))

    assert state(invitation) is InvitationState.PENDING


@pytest.mark.parametrize("gone", [one for one in InvitationState if one.cause])
def test_what_counts_no_more_is_told_to_peers_as_cancelled_or_finished(
    gone: InvitationState,
) -> None:
    assert gone.status is not InvitationStatus.PENDING


def test_a_claimer_is_told_why_the_invitation_is_gone() -> None:
    invitation = user_invitation(status=InvitationStatus.CANCELLED)

    with pytest.raises(Rejected) as rejected:
        check_usable(invitation, now=NOW, lifetime=None)

    assert rejected.value.verdict is Verdict.INVITATION_GONE
    assert rejected.value.detail == "Invitation already used or deleted (cancelled)"


# --- Creation ---


def test_an_administrator_invites_a_user() -> None:
    check_invite_user(administrator(), enrolled=None)


@pytest.mark.parametrize("profile", OTHER_PROFILES)
def test_only_an_administrator_invites_a_user(profile: UserProfile) -> None:
    found = refusal(check_invite_user, user(profile=profile), enrolled=user("new"))

    assert found is statuses.AuthorNotAllowed


def test_nobody_is_invited_twice_into_an_organization() -> None:
    found = refusal(check_invite_user, administrator(), enrolled=user("new"))

    assert found is statuses.ClaimerEmailAlreadyEnrolled


@pytest.mark.parametrize("profile", list(UserProfile))
def test_any_recipient_invites_for_a_shared_recovery(profile: UserProfile) -> None:
    recipient, claimer = user(profile=profile), user("bob")
    setup = shamir_setup(claimer, {recipient.user_id: 1})

    found = check_invite_shamir_recovery(recipient, claimer=claimer, setup=setup)

    assert found == (claimer, setup)


def test_nobody_is_invited_to_a_recovery_who_is_unknown() -> None:
    found = refusal(check_invite_shamir_recovery, user(), claimer=None, setup=None)

    assert found is statuses.UserNotFound


def test_a_revoked_user_is_not_invited_to_a_recovery() -> None:
    recipient, claimer = user(), user("bob", revoked_on=EARLIER)
    setup = shamir_setup(claimer, {recipient.user_id: 1})

    found = refusal(check_invite_shamir_recovery, recipient, claimer=claimer, setup=setup)

    assert found is statuses.UserNotFound


def test_nobody_is_invited_to_a_recovery_that_is_not_set_up() -> None:
    found = refusal(check_invite_shamir_recovery, user(), claimer=user("bob"), setup=None)

    assert found is statuses.AuthorNotAllowed


def test_an_administrator_who_is_no_recipient_cannot_invite_for_a_recovery() -> None:
    claimer = user("bob")
    setup = shamir_setup(claimer, {user("mike").user_id: 1})

    found = refusal(check_invite_shamir_recovery, administrator(), claimer=claimer, setup=setup)

    assert found is statuses.AuthorNotAllowed


# --- Greeters ---


def test_administrators_greet_new_users() -> None:
    assert may_greet(user_invitation(), administrator(), is_recipient=False)


@pytest.mark.parametrize("profile", OTHER_PROFILES)
def test_nobody_else_greets_new_users(profile: UserProfile) -> None:
    assert not may_greet(user_invitation(), user(profile=profile), is_recipient=True)


def test_users_greet_their_own_devices() -> None:
    claimer = user()

    assert may_greet(device_invitation(claimer), claimer, is_recipient=False)
    assert not may_greet(device_invitation(claimer), administrator(), is_recipient=True)


def test_recipients_greet_who_recovers() -> None:
    invitation = shamir_invitation(shamir_setup(user("bob"), {}))

    assert may_greet(invitation, user(), is_recipient=True)
    assert not may_greet(invitation, administrator(), is_recipient=False)


@pytest.mark.parametrize("state", [{"revoked_on": EARLIER}, {"is_frozen": True}])
def test_nobody_greets_who_may_not_call(state: dict[str, Any]) -> None:
    assert not may_greet(user_invitation(), administrator(**state), is_recipient=True)


def test_who_may_not_call_is_not_told_of_invitations() -> None:
    present = administrator()
    users = [present, administrator(is_frozen=True), administrator(revoked_on=EARLIER)]

    assert told_of(users) == {present.user_id}


# --- End ---

MEMBER = HumanHandle(EmailAddress("new@example.com"), "New")


BOTH_ENDS = pytest.mark.parametrize("ending", [CANCEL, COMPLETE], ids=["cancel", "complete"])


def end(
    ending: Ending, invitation: InvitationRecord | None, author: UserRecord, **facts: Any
) -> None:
    check_end(
        ending, invitation, author, **{"is_recipient": False, "now": NOW, "lifetime": None, **facts}
    )


@BOTH_ENDS
def test_a_greeter_ends_an_invitation(ending: Ending) -> None:
    end(ending, user_invitation(), administrator())


@BOTH_ENDS
def test_a_new_user_ends_his_own_invitation(ending: Ending) -> None:
    end(ending, user_invitation("new@example.com"), user(human_handle=MEMBER))


@BOTH_ENDS
def test_who_recovered_ends_his_own_invitation(ending: Ending) -> None:
    owner = user("bob")

    end(ending, shamir_invitation(shamir_setup(owner, {})), owner)


@BOTH_ENDS
def test_a_recipient_ends_an_invitation_to_recover(ending: Ending) -> None:
    end(ending, shamir_invitation(shamir_setup(user("bob"), {})), user(), is_recipient=True)


@BOTH_ENDS
def test_nobody_else_ends_an_invitation(ending: Ending) -> None:
    found = refusal(end, ending, device_invitation(user("bob")), administrator())

    assert found is statuses.AuthorNotAllowed


@BOTH_ENDS
def test_an_unknown_invitation_cannot_be_ended(ending: Ending) -> None:
    assert refusal(end, ending, None, administrator()) is statuses.InvitationNotFound


@pytest.mark.parametrize(
    ("ending", "stored", "expected"),
    [
        (CANCEL, InvitationStatus.FINISHED, statuses.InvitationCompleted),
        (CANCEL, InvitationStatus.CANCELLED, statuses.InvitationAlreadyCancelled),
        (COMPLETE, InvitationStatus.FINISHED, statuses.InvitationAlreadyCompleted),
        (COMPLETE, InvitationStatus.CANCELLED, statuses.InvitationCancelled),
    ],
)
def test_an_invitation_ends_once_and_says_so_to_anybody(
    ending: Ending, stored: InvitationStatus, expected: type[Reply]
) -> None:
    assert refusal(end, ending, user_invitation(status=stored), user("mallory")) is expected


def test_an_expired_invitation_cannot_be_completed() -> None:
    found = refusal(end, COMPLETE, user_invitation(created_on=EARLIER), administrator(), lifetime=1)

    assert found is statuses.InvitationCancelled
