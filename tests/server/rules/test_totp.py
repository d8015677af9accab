"""One-time codes: set-up, and waiting after wrong ones (server-core.md 12, 20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsec.crypto.keys import HashDigest, SecretKey
from parsec.crypto.totp import time_step, totp_code
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.protocol.statuses import AlreadySetup, BadToken, InvalidOneTimePassword
from parsec.server.records import (
    Failures,
    OpaqueKeyRecord,
    TotpRecord,
    TotpSecret,
    TotpStanding,
    UserRecord,
)
from parsec.server.rules import totp as rules
from parsec.server.rules.refusal import Refused, Rejected, Verdict
from parsec.server.rules.totp import Missed, Released, Waits
from tests.support.server_records import NOW, sixteen_bytes, user
from tests.support.server_totp import wrong_code

SECRET = TotpSecret(b"12345678901234567890")
TOKEN = AccessToken(b"sixteen bytes !!")
DAY = 86_400


def setup(**fields: object) -> TotpRecord:
    """A complete one."""
    values: dict[str, object] = {"secret": SECRET, "completed_on": NOW}
    return TotpRecord(**values | fields)  # type: ignore[arg-type]


def pending(**fields: object) -> TotpRecord:
    """One that was reset just now."""
    digest = HashDigest.of(TOKEN)
    values: dict[str, object] = {"reset_token_digest": digest, "reset_on": NOW}
    return TotpRecord(**values | fields)  # type: ignore[arg-type]


def key(failures: Failures | None = None) -> OpaqueKeyRecord:
    return OpaqueKeyRecord(
        opaque_key_id=TOTPOpaqueKeyID(sixteen_bytes()),
        opaque_key=SecretKey(bytes(range(32))),
        failures=failures or Failures(),
    )


def code(now: Instant = NOW, steps: int = 0) -> str:
    return totp_code(SECRET, time_step(now) + steps)


WRONG = wrong_code(SECRET, NOW)


# --- Set-up ---


def test_a_complete_set_up_begins_again_by_the_administration_only() -> None:
    with pytest.raises(Refused) as refused:
        rules.check_not_complete(setup())

    assert refused.value.reply == AlreadySetup()


def test_a_set_up_that_was_begun_may_begin_again() -> None:
    rules.check_not_complete(TotpRecord(secret=SECRET))


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_set_up_is_confirmed_by_a_code_of_about_now(steps: int) -> None:
    rules.check_confirmation(TotpRecord(secret=SECRET), code(steps=steps), now=NOW)


@pytest.mark.parametrize("typed", [WRONG, "", " " + code(), code() + "\n", code(steps=2)])
def test_a_set_up_is_not_confirmed_by_anything_else(typed: str) -> None:
    with pytest.raises(Refused) as refused:
        rules.check_confirmation(TotpRecord(secret=SECRET), typed, now=NOW)

    assert refused.value.reply == InvalidOneTimePassword()


def test_without_secret_nothing_is_confirmed() -> None:
    with pytest.raises(Refused) as refused:
        rules.check_confirmation(TotpRecord(), totp_code(bytes(20), time_step(NOW)), now=NOW)

    assert refused.value.reply == InvalidOneTimePassword()


# --- Reset ---


def check_token(
    member: UserRecord | None,
    record: TotpRecord,
    token: AccessToken = TOKEN,
    *,
    seconds: int = 0,
    lifetime: int | None = None,
) -> None:
    now = NOW.plus(seconds=seconds)
    rules.check_reset_token(member, record, token, now=now, lifetime=lifetime)


def test_the_holder_of_the_token_sets_up() -> None:
    check_token(user(), pending(), seconds=1000 * DAY)


def test_the_holder_of_the_token_may_begin_and_come_back() -> None:
    check_token(user(), pending(secret=SECRET))


@pytest.mark.parametrize(
    ("member", "record"),
    [
        (None, pending()),
        (user(revoked_on=NOW), pending()),
        (user(is_frozen=True), pending()),
        (user(), TotpRecord()),
        (user(), TotpRecord(reset_on=NOW)),
        (user(), pending(completed_on=NOW)),
        (user(), pending(reset_token_digest=HashDigest.of(b"another"))),
    ],
    ids=["unknown", "revoked", "frozen", "no reset", "used", "complete", "another token"],
)
def test_all_others_are_told_the_same(member: UserRecord | None, record: TotpRecord) -> None:
    with pytest.raises(Refused) as refused:
        check_token(member, record)

    assert refused.value.reply == BadToken()


@pytest.mark.parametrize("token", [bytes(16), b"sixteen bytes !?"])
def test_another_token_is_told_the_same(token: bytes) -> None:
    with pytest.raises(Refused) as refused:
        check_token(user(), pending(), AccessToken(token))

    assert refused.value.reply == BadToken()


def test_a_token_may_have_a_lifetime() -> None:
    check_token(user(), pending(), seconds=DAY, lifetime=DAY)

    with pytest.raises(Refused) as refused:
        check_token(user(), pending(), seconds=DAY + 1, lifetime=DAY)

    assert refused.value.reply == BadToken()


# --- Quota ---


def test_without_quota_any_number_of_keys_is_created() -> None:
    rules.check_may_create_key(1_000_000, quota=None)


def test_a_quota_is_never_exceeded() -> None:
    rules.check_may_create_key(9, quota=10)

    with pytest.raises(Rejected) as rejected:
        rules.check_may_create_key(10, quota=10)

    assert rejected.value.verdict is Verdict.TOO_MANY


# --- Release of a key ---


@pytest.mark.parametrize(
    ("member", "record", "releases"),
    [
        (user(), setup(), True),
        (user(), TotpRecord(), False),
        (user(), TotpRecord(secret=SECRET), False),
        (user(is_frozen=True), setup(), False),
        (user(revoked_on=NOW), setup(), False),
    ],
    ids=["complete", "not begun", "not confirmed", "frozen", "revoked"],
)
def test_only_a_complete_set_up_of_an_active_user_releases_keys(
    member: UserRecord, record: TotpRecord, releases: bool
) -> None:
    assert rules.can_release(member, record) is releases


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_code_of_about_now_releases_a_key(steps: int) -> None:
    decision = rules.judge_code(setup(), key(), code(steps=steps), now=NOW)

    assert decision == Released(step=time_step(NOW) + steps, is_used_again=False)


@pytest.mark.parametrize(("last_step", "is_used_again"), [(-1, False), (0, True), (1, True)])
def test_a_code_may_be_used_again_but_not_unnoticed(last_step: int, is_used_again: bool) -> None:
    record = setup(last_step=time_step(NOW) + last_step)

    decision = rules.judge_code(record, key(), code(), now=NOW)

    assert decision == Released(step=time_step(NOW), is_used_again=is_used_again)


def test_a_wrong_code_counts_for_the_key_and_for_the_user() -> None:
    before = NOW.plus(seconds=-DAY)
    record = setup(failures=Failures(3, before))

    decision = rules.judge_code(record, key(Failures(1, before)), WRONG, now=NOW)

    assert decision == Missed(key=Failures(2, NOW), user=Failures(4, NOW))


@pytest.mark.parametrize("typed", [WRONG, code()])
def test_while_the_key_waits_no_code_is_looked_at(typed: str) -> None:
    failed = NOW.plus(seconds=-4)

    decision = rules.judge_code(setup(), key(Failures(3, failed)), typed, now=NOW)

    assert decision == Waits(NOW)


def test_a_wait_ends_after_its_last_instant() -> None:
    failed = NOW.plus(seconds=-4, microseconds=-1)

    decision = rules.judge_code(setup(), key(Failures(3, failed)), code(), now=NOW)

    assert isinstance(decision, Released)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, None), (1, 1), (2, 2), (3, 4), (6, 32), (12, 2048), (13, 3600), (10**9, 3600)],
)
def test_each_wrong_code_doubles_the_wait_up_to_an_hour(failures: int, seconds: int | None) -> None:
    until = rules.throttled_until(Failures(failures, NOW))

    assert until == (NOW.plus(seconds=seconds) if seconds is not None else None)


def test_after_the_sixth_wrong_code_all_keys_of_the_user_wait() -> None:
    fifth = rules.judge_code(setup(failures=Failures(5, NOW)), key(), code(), now=NOW)
    sixth = rules.judge_code(setup(failures=Failures(6, NOW)), key(), code(), now=NOW)

    assert isinstance(fifth, Released)
    assert sixth == Waits(NOW.plus(seconds=32))


def test_the_longer_of_the_two_waits_counts() -> None:
    record = setup(failures=Failures(6, NOW))

    decision = rules.judge_code(record, key(Failures(8, NOW)), code(), now=NOW)

    assert decision == Waits(NOW.plus(seconds=128))


def guesses_in_a_day(keys: int) -> int:
    """How many wrong codes are looked at when somebody asks as soon as each wait has ended."""
    failed = [Failures()] * keys
    record, now, looked_at = setup(), NOW, 0
    end = NOW.plus(seconds=DAY)
    while now < end:
        waits = []
        for number in range(keys):
            typed = wrong_code(SECRET, now)
            decision = rules.judge_code(record, key(failed[number]), typed, now=now)
            if isinstance(decision, Missed):
                looked_at += 1
                failed[number] = decision.key
                record = setup(failures=decision.user)
            elif isinstance(decision, Waits):
                waits.append(decision.until)
        now = min(waits, default=now).plus(microseconds=1)
    return looked_at


def test_many_keys_give_few_more_guesses_than_one() -> None:
    """server-core.md 20, 9: they gave as many times more."""
    assert guesses_in_a_day(1) == 35
    assert guesses_in_a_day(50) == 35


# --- Keys that were never created ---


@given(pauses=st.lists(st.integers(0, 5_000_000_000), max_size=20))
def test_a_key_that_was_never_created_waits_as_a_real_one(pauses: list[int]) -> None:
    real = stray = Failures()
    user_failures, now = Failures(), NOW
    for pause in pauses:
        now = now.plus(microseconds=pause)
        typed = wrong_code(SECRET, now)

        found = rules.judge_code(setup(failures=user_failures), key(real), typed, now=now)
        stray_found = rules.judge_stray_code(stray, typed, now=now)

        if isinstance(found, Missed) and isinstance(stray_found, Missed):
            real, stray, user_failures = found.key, stray_found.key, found.user
        else:
            assert found == stray_found


def test_no_code_releases_a_key_that_was_never_created() -> None:
    for step in (-1, 0, 1):
        for secret in (SECRET, bytes(20)):
            typed = totp_code(secret, time_step(NOW) + step)

            assert isinstance(rules.judge_stray_code(Failures(), typed, now=NOW), Missed)


def test_as_many_codes_are_compared_for_a_key_that_was_never_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed: list[bytes] = []

    def accepted_codes(secret: bytes, at_us: int) -> tuple[str, ...]:
        computed.append(secret)
        return ("111111",) * 3

    monkeypatch.setattr(rules, "accepted_codes", accepted_codes)
    rules.judge_code(setup(), key(), WRONG, now=NOW)
    rules.judge_stray_code(Failures(), WRONG, now=NOW)

    assert [len(secret) for secret in computed] == [20, 20]


def test_secrets_are_not_shown() -> None:
    shown = f"{setup()!r} {key()!r} {SECRET} {pending()!r}"

    assert SECRET.hex() not in shown
    assert "1234567890" not in shown
    assert bytes(range(32)).hex() not in shown


# --- Overview ---


def test_the_wait_of_a_user_is_that_of_the_key_that_waits_longest() -> None:
    standing = TotpStanding(
        failures=Failures(4, NOW), failing_keys=(Failures(1, NOW), Failures(3, NOW))
    )

    assert rules.waits_until(standing, now=NOW) == NOW.plus(seconds=4)


def test_all_keys_wait_together_after_many_wrong_codes() -> None:
    standing = TotpStanding(failures=Failures(6, NOW), failing_keys=(Failures(3, NOW),) * 2)

    assert rules.waits_until(standing, now=NOW) == NOW.plus(seconds=32)


def test_a_wait_that_is_over_is_none() -> None:
    standing = TotpStanding(failures=Failures(1, NOW), failing_keys=(Failures(1, NOW),))

    assert rules.waits_until(standing, now=NOW.plus(seconds=1)) == NOW.plus(seconds=1)
    assert rules.waits_until(standing, now=NOW.plus(seconds=1, microseconds=1)) is None


def test_a_reset_is_pending_as_long_as_its_link_opens_something() -> None:
    standing = TotpStanding(has_reset_token=True, reset_on=NOW)

    assert rules.pending_reset(standing, now=NOW, lifetime=None) == NOW
    assert rules.pending_reset(standing, now=NOW.plus(seconds=DAY), lifetime=DAY) == NOW
    assert rules.pending_reset(standing, now=NOW.plus(seconds=DAY + 1), lifetime=DAY) is None


@pytest.mark.parametrize(
    "standing",
    [
        TotpStanding(),
        TotpStanding(reset_on=NOW),
        TotpStanding(reset_on=NOW, completed_on=NOW),
        TotpStanding(reset_on=NOW, completed_on=NOW, has_reset_token=True),
    ],
)
def test_without_a_link_that_counts_no_reset_is_pending(standing: TotpStanding) -> None:
    assert rules.pending_reset(standing, now=NOW, lifetime=None) is None
