"""One-time codes, against a server in memory that follows `server-core.md` 12."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from parsec.client.dialogue import (
    EnterOneTimePassword,
    Throttled,
    TotpSecret,
    WrongOneTimePassword,
)
from parsec.client.failure import AuthenticationFailed, Conflict, InvalidAnswer, Offline, Refused
from parsec.client.flows.protection import fetch_advisory, protect_anew
from parsec.client.flows.totp import (
    fetch_opaque_key,
    opaque_key,
    provisioning_uri,
    set_up_totp,
    set_up_totp_again,
    totp_is_set_up,
)
from parsec.client.guards.password import PasswordGuard
from parsec.client.protection import ChosenProtection
from parsec.client.records import ProtectedAgain
from parsec.client.step import Ask, Call, Flow, Keep, Tell, Wait
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SecretKey
from parsec.crypto.totp import base32_secret, matches, time_step, totp_code
from parsec.data.address import ServerAddr, TOTPResetAddr
from parsec.data.advisory import Advisory
from parsec.data.ids import AccessToken, TOTPOpaqueKeyID
from parsec.data.instant import Instant
from parsec.protocol import server_config, statuses, totp
from tests.support.flows import Clock, carry_out
from tests.support.lines import ORGANIZATION, SERVER, some_device

SECRET = bytes(range(20))


@dataclass
class MfaServer:
    """The TOTP commands for one user."""

    clock: Clock
    completed: bool = False
    token: AccessToken | None = None
    keys: dict[TOTPOpaqueKeyID, SecretKey] = field(default_factory=dict)
    throttled_until: Instant | None = None
    liar: bool = False

    def answer(self, request: Any) -> Any:
        match request:
            case totp.TotpSetupGetSecret():
                return (
                    statuses.AlreadySetup()
                    if self.completed
                    else totp.TotpSetupGetSecretOk(totp_secret=SECRET)
                )
            case totp.AnonymousTotpSetupGetSecret(token=token):
                if self.token is None or token != self.token:
                    return statuses.BadToken()
                return totp.AnonymousTotpSetupGetSecretOk(totp_secret=SECRET)
            case totp.TotpSetupConfirm() | totp.AnonymousTotpSetupConfirm():
                if not matches(SECRET, request.one_time_password, self.clock.now):
                    return statuses.InvalidOneTimePassword()
                self.completed, self.token = True, None
                return statuses.Ok()
            case totp.TotpCreateOpaqueKey():
                made = TOTPOpaqueKeyID.generate(system_entropy)
                self.keys[made] = SecretKey.generate(system_entropy)
                return totp.TotpCreateOpaqueKeyOk(opaque_key_id=made, opaque_key=self.keys[made])
            case totp.TotpFetchOpaqueKey():
                return self._fetch(request)
        raise AssertionError(f"unexpected {request!r}")

    def _fetch(self, request: totp.TotpFetchOpaqueKey) -> Any:
        if self.throttled_until is not None and self.clock.now <= self.throttled_until:
            return statuses.Throttled(wait_until=self.throttled_until)
        if not self.completed or not matches(SECRET, request.one_time_password, self.clock.now):
            self.throttled_until = self.clock.now.plus(seconds=1)
            return statuses.InvalidOneTimePassword()
        key = SecretKey(bytes(32)) if self.liar else self.keys[request.opaque_key_id]
        return totp.TotpFetchOpaqueKeyOk(opaque_key=key)


class Someone:
    """A person with an authenticator, at a terminal."""

    def __init__(self, server: MfaServer, *codes: str) -> None:
        self.server = server
        self.codes = list(codes)
        self.told: list[Any] = []
        self.kept: list[Any] = []
        self.asked = 0

    def run(self, flow: Flow[Any]) -> Any:
        return carry_out(flow, self._answer)

    def _answer(self, step: Any) -> Any:
        match step:
            case Call():
                return self.server.answer(step.request)
            case Ask(question=EnterOneTimePassword()):
                self.asked += 1
                return self.codes.pop(0) if self.codes else right_code(self.server.clock)
            case Tell():
                self.told.append(step.news)
            case Keep():
                self.kept.append(step.record)
            case Wait():
                clock = self.server.clock
                clock.now = clock.now.plus(seconds=step.seconds)
        return None

    def heard(self, kind: type[Any]) -> list[Any]:
        return [news for news in self.told if isinstance(news, kind)]


def right_code(clock: Clock) -> str:
    return totp_code(SECRET, time_step(clock.now))


def wrong_code(clock: Clock) -> str:
    return next(
        code for code in map("{:06}".format, range(5)) if not matches(SECRET, code, clock.now)
    )


@pytest.fixture
def server() -> MfaServer:
    return MfaServer(Clock())


def test_the_secret_is_shown_and_a_first_code_confirms_it(server: MfaServer) -> None:
    person = Someone(server)

    code = person.run(set_up_totp(some_device()))

    assert [news.secret for news in person.heard(TotpSecret)] == [SECRET]
    assert code == right_code(server.clock)
    assert server.completed


def test_the_uri_names_organization_and_person_and_carries_the_secret() -> None:
    uri = provisioning_uri(SECRET, "Parsec:Org/zoé@example.com")

    assert uri.startswith("otpauth://totp/Parsec%3AOrg/zo%C3%A9%40example.com?secret=")
    assert base32_secret(SECRET) in uri


def test_nothing_of_the_secret_is_in_the_news_repr() -> None:
    news = TotpSecret(SECRET, provisioning_uri(SECRET, "x"))

    assert base32_secret(SECRET) not in repr(news)
    assert SECRET.hex() not in repr(news)


def test_a_wrong_first_code_is_said_and_asked_again(server: MfaServer) -> None:
    person = Someone(server, wrong_code(server.clock))

    person.run(set_up_totp(some_device()))

    assert len(person.heard(WrongOneTimePassword)) == 1
    assert server.completed


def test_after_three_wrong_codes_the_set_up_ends_unconfirmed(server: MfaServer) -> None:
    person = Someone(server, *[wrong_code(server.clock)] * 3)

    with pytest.raises(AuthenticationFailed):
        person.run(set_up_totp(some_device()))
    assert not server.completed


def test_a_set_up_of_before_is_left_alone(server: MfaServer) -> None:
    server.completed = True
    person = Someone(server)

    assert person.run(set_up_totp(some_device())) is None
    assert person.run(totp_is_set_up(some_device()))
    assert person.asked == 0


def test_a_new_key_is_proved_with_the_code_that_was_just_typed(server: MfaServer) -> None:
    person = Someone(server)

    key_id, key = person.run(opaque_key(some_device(), server.clock.means()))

    assert server.keys[key_id] == key
    assert person.asked == 1


def test_a_server_that_releases_another_key_is_caught(server: MfaServer) -> None:
    server.liar = True

    with pytest.raises(InvalidAnswer):
        Someone(server).run(opaque_key(some_device(), server.clock.means()))


def test_a_device_file_is_replaced_only_after_the_key_was_fetched(server: MfaServer) -> None:
    person = Someone(server)
    guard = PasswordGuard("secret")

    person.run(
        protect_anew(some_device(), ChosenProtection(guard, with_totp=True), server.clock.means())
    )

    (record,) = person.kept
    assert isinstance(record, ProtectedAgain)
    assert record.totp == next(iter(server.keys.items()))


def test_a_wrong_code_at_login_is_said_waited_for_and_asked_again(server: MfaServer) -> None:
    server.completed = True
    key_id = server.answer(totp.TotpCreateOpaqueKey()).opaque_key_id
    person = Someone(server, wrong_code(server.clock))
    device = some_device()

    key = person.run(
        fetch_opaque_key(device.organization_addr, device.user_id, key_id, server.clock.means())
    )

    assert key == server.keys[key_id]
    assert len(person.heard(WrongOneTimePassword)) == 1
    assert len(person.heard(Throttled)) == 1


def test_a_long_throttle_says_until_when(server: MfaServer) -> None:
    server.completed = True
    server.throttled_until = server.clock.now.plus(seconds=3600)
    device = some_device()

    with pytest.raises(Refused, match=str(server.throttled_until)):
        Someone(server).run(
            fetch_opaque_key(
                device.organization_addr,
                device.user_id,
                TOTPOpaqueKeyID.generate(system_entropy),
                server.clock.means(),
            )
        )


def reset_addr(token: AccessToken) -> TOTPResetAddr:
    return TOTPResetAddr(
        server=SERVER, organization_id=ORGANIZATION, user_id=some_device().user_id, token=token
    )


def test_a_reset_link_sets_up_again_without_a_device(server: MfaServer) -> None:
    server.token = AccessToken.generate(system_entropy)

    Someone(server).run(set_up_totp_again(reset_addr(server.token)))

    assert server.completed


def test_a_used_reset_link_is_refused(server: MfaServer) -> None:
    with pytest.raises(Refused, match="reset link"):
        Someone(server).run(set_up_totp_again(reset_addr(AccessToken.generate(system_entropy))))


def test_a_set_up_finished_elsewhere_meanwhile_is_a_conflict(server: MfaServer) -> None:
    honest = server.answer

    def answer(request: Any) -> Any:
        if isinstance(request, totp.TotpSetupConfirm):
            return statuses.AlreadySetup()
        return honest(request)

    server.answer = answer  # type: ignore[method-assign]

    with pytest.raises(Conflict):
        Someone(server).run(set_up_totp(some_device()))


def test_a_server_that_cannot_be_asked_gives_no_advice() -> None:
    def answer(step: Any) -> Any:
        raise Offline("out of reach")

    assert carry_out(fetch_advisory(ServerAddr(hostname="x")), answer) == Advisory()


def test_advice_that_is_not_known_is_left_out() -> None:
    def answer(step: Any) -> Any:
        assert isinstance(step.request, server_config.ServerConfig)
        return server_config.ServerConfigOk(
            account=server_config.AccountConfig.DISABLED,
            openbao=server_config.OpenBaoConfigDisabled(),
            organization_bootstrap=server_config.OrganizationBootstrapConfig.SPONTANEOUS,
            advisory_device_file_protection=["PKI", "BRAIN_SCAN"],
        )

    advisory = carry_out(fetch_advisory(ServerAddr(hostname="x")), answer)

    assert advisory == Advisory.parse(["PKI"])
