"""One-time codes on the command line, on a real server."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from parsec.client.files import list_devices, save_device_file
from parsec.crypto.totp import time_step, totp_code
from parsec.data.address import ServerAddr
from scripts.stage import Stage, free_port
from tests.support.device_files import places
from tests.support.raw_server import RawServer, http, says
from tests.support.shell import Outcome, Shell

PASSWORD = "s3cr3t"


@dataclass
class Alice:
    """The founder of an organization, with a device and an authenticator."""

    shell: Shell
    server: Stage
    organization: str
    secret: str = ""

    def run(self, *arguments: str, stdin: str = f"{PASSWORD}\n") -> Outcome:
        return self.shell.run(*arguments, "--password-stdin", stdin=stdin)

    def with_code(self, *arguments: str, stdin: str = f"{PASSWORD}\n") -> Outcome:
        return self.run(*arguments, "--totp-code", self.code(), stdin=stdin)

    def code(self, secret: str | None = None) -> str:
        raw = base64.b32decode((secret or self.secret).replace(" ", ""))
        return totp_code(raw, time_step(time.time_ns() // 1000))

    def wrong_code(self) -> str:
        now = time_step(time.time_ns() // 1000)
        raw = base64.b32decode(self.secret.replace(" ", ""))
        near = {totp_code(raw, step) for step in range(now - 3, now + 4)}
        return next(code for code in map("{:06}".format, range(10)) if code not in near)

    def set_up(self, *options: str) -> Outcome:
        """Set codes up as a script does: the secret is read before the code is written."""
        running = self.shell.start(
            "totp", "setup", "--password-stdin", "--totp-stdin", "--format", "json", *options
        )
        running.type(PASSWORD)
        self.secret = running.event("totp_secret")["secret"]
        running.type(self.code())
        return running.finish()

    def reset(self, *options: str) -> Outcome:
        who = options or ("--user-email", "alice@example.com")
        return self.shell.run(
            "user", "totp-reset", "--addr", self.server.addr, "--token",
            self.server.administration_token, "--organization", self.organization, *who,
        )  # fmt: skip

    @property
    def devices(self) -> list[tuple[str, bool]]:
        listed = json.loads(self.shell.run("device", "list", "--format", "json").out)
        return [(device["device_type"], device["totp"]) for device in listed]


@pytest.fixture
def alice(server: Stage, tmp_path: Path, request: pytest.FixtureRequest) -> Alice:
    name = f"Org{abs(hash(request.node.name)):x}"[:32]
    shell = Shell(tmp_path)
    created = shell.run(
        "organization", "create", name, "-a", server.addr, "-t", server.administration_token,
        "--format", "json",
    )  # fmt: skip
    found = Alice(shell, server, name)
    bootstrapped = found.run(
        "organization", "bootstrap", "--addr", json.loads(created.out)["bootstrap_url"],
        "--device-label", "laptop", "--label", "Alice", "--email", "alice@example.com",
    )  # fmt: skip
    assert bootstrapped.code == 0, bootstrapped.err
    return found


# --- Setting up, and logging in ---


def test_a_device_asks_for_a_code_from_then_on(alice: Alice) -> None:
    ended = alice.set_up()
    denied = alice.run("user", "list")
    admitted = alice.with_code("user", "list")

    assert ended.code == 0
    assert json.loads(ended.out.splitlines()[-1]) == {
        "event": "totp",
        "set_up": True,
        "device": True,
    }
    assert alice.devices == [("password", True)]
    assert (denied.code, admitted.code) == (2, 0)
    assert 'There is no answer to "Enter TOTP code"' in denied.err


def test_the_secret_is_shown_in_groups_of_four_and_as_an_address(alice: Alice) -> None:
    running = alice.shell.start("totp", "setup", "--password-stdin", "--totp-stdin", "--no-device")
    running.type(PASSWORD)
    secret = running.line("TOTP secret: ")
    address = running.line("TOTP address: ")
    running.type(alice.code(secret))

    assert running.finish().code == 0
    assert [len(group) for group in secret.split(" ")] == [4] * 8
    assert address == (
        f"otpauth://totp/Parsec%3A{alice.organization}/alice%40example.com"
        f"?secret={secret.replace(' ', '')}&issuer=Parsec"
    )


def test_codes_can_be_set_up_without_asking_for_them_here(alice: Alice) -> None:
    alice.set_up("--no-device")

    again = alice.run("totp", "setup", "--no-device")
    status = json.loads(alice.run("totp", "status", "--format", "json").out)

    assert alice.devices == [("password", False)]
    assert "One-time codes are set up already" in again.err
    assert (status["set_up"], [device["totp"] for device in status["devices"]]) == (True, [False])


def test_what_is_set_up_is_used_for_further_devices(alice: Alice) -> None:
    alice.set_up("--no-device")

    ended = alice.with_code("totp", "setup")

    assert ended.code == 0
    assert ended.err.splitlines()[-1] == "This device opens with a one-time code from now on"
    assert alice.devices == [("password", True)]


def test_a_wrong_first_code_changes_nothing(alice: Alice) -> None:
    ended = alice.run("totp", "setup", "--totp-code", "000000")

    assert ended.code == 4
    assert "Wrong TOTP code\nError: The one-time code is wrong\nhint: " in ended.err
    assert alice.devices == [("password", False)]
    assert "not set up" in alice.run("totp", "status").out


def test_a_wrong_code_at_login_ends_a_script(alice: Alice) -> None:
    alice.set_up()

    ended = alice.run("user", "list", "--totp-code", alice.wrong_code())

    assert ended.code == 4
    assert "Error: The one-time code is wrong" in ended.err


def test_codes_and_passwords_are_lines_in_the_order_of_the_questions(alice: Alice) -> None:
    alice.set_up()

    ended = alice.run("user", "list", "--totp-stdin", stdin=f"{alice.code()}\n{PASSWORD}\n")

    assert ended.code == 0


def test_a_command_may_be_the_authenticator(alice: Alice, tmp_path: Path) -> None:
    alice.set_up()

    ended = alice.run("user", "list", "--totp-command", f"echo {alice.code()}")

    assert ended.code == 0


def test_a_wrong_password_after_a_right_code_fails(alice: Alice) -> None:
    alice.set_up()

    ended = alice.with_code("user", "list", stdin="wrong\n")

    assert ended.code == 4
    assert ended.err.startswith("Error: Decryption failed: ")


def test_a_move_to_another_server_keeps_the_code(alice: Alice) -> None:
    alice.set_up()
    before = list_devices(places(alice.shell.home))[0].file

    url = f"http://localhost:{alice.server.port}"
    moved = alice.with_code("device", "overwrite-server-url", "-s", url, "--force")

    after = list_devices(places(alice.shell.home))[0].file
    assert moved.code == 0
    assert (before.server_url.netloc, after.server_url.netloc) == (
        f"127.0.0.1:{alice.server.port}",
        f"localhost:{alice.server.port}",
    )
    assert alice.with_code("user", "list").code == 0
    assert alice.devices == [("password", True)]


def test_the_new_server_is_asked_for_the_code_when_the_old_one_is_gone(alice: Alice) -> None:
    alice.set_up()
    [found] = list_devices(places(alice.shell.home))
    gone = ServerAddr.parse(f"parsec3://127.0.0.1:{free_port()}?no_ssl=true")
    file = msgspec.structs.replace(found.file, server_url=gone)
    save_device_file(places(alice.shell.home), file, path=found.path)

    denied = alice.with_code("user", "list")
    url = f"http://127.0.0.1:{alice.server.port}"
    moved = alice.with_code("device", "overwrite-server-url", "--force", "-s", url)

    assert (denied.code, moved.code) == (5, 0)
    assert alice.with_code("user", "list").code == 0


def test_a_device_opens_without_a_code_again(alice: Alice) -> None:
    alice.set_up()

    disabled = alice.with_code("totp", "disable")
    again = alice.run("totp", "disable")

    assert disabled.code == 0
    assert disabled.err == "This device opens without a one-time code from now on\n"
    assert again.err == "This device asks for no one-time code\n"
    assert alice.run("user", "list").code == 0


def test_the_status_tells_which_devices_ask(alice: Alice) -> None:
    alice.set_up()

    status = alice.with_code("totp", "status")

    assert status.out.splitlines()[0] == "One-time codes are set up"
    assert status.out.splitlines()[1].endswith(
        "Alice <alice@example.com> @ laptop: asks for a code"
    )


# --- Changing what a device rests on ---


def test_another_password_keeps_or_drops_the_code_as_said(alice: Alice) -> None:
    alice.set_up()
    stdin = f"{PASSWORD}\n{PASSWORD}\n"

    kept = alice.with_code("device", "change-authentication", "-p", stdin=stdin)
    after_kept = alice.devices
    dropped = alice.with_code("device", "change-authentication", "--auth", "password", stdin=stdin)

    assert (kept.code, dropped.code) == (0, 0)
    assert kept.err == "Device authentication changed successfully\n"
    assert after_kept == [("password", True)]
    assert alice.devices == [("password", False)]


def test_a_code_may_come_with_another_password(alice: Alice) -> None:
    alice.set_up("--no-device")

    ended = alice.with_code(
        "device", "change-authentication", "--auth", "PASSWORD+TOTP", stdin=f"{PASSWORD}\nnew\n"
    )

    assert ended.code == 0
    assert alice.devices == [("password", True)]
    assert alice.with_code("user", "list", stdin="new\n").code == 0


# --- A lost authenticator ---


def test_a_reset_prints_the_lines_of_the_seed(alice: Alice) -> None:
    alice.set_up()
    [device] = list_devices(places(alice.shell.home))
    user_id = device.file.user_id.hex()

    by_email = alice.reset("--user-email", "alice@example.com", "--send-email")
    by_id = alice.reset("--user-id", user_id)

    lines = by_email.out.splitlines()
    assert by_email.code == by_id.code == 0
    assert lines[0] == by_id.out.splitlines()[0] == f"TOTP reset for user {user_id}"
    assert lines[1].startswith(
        f"Reset URL: parsec3://127.0.0.1:{alice.server.port}/{alice.organization}"
        "?no_ssl=true&a=totp_reset&p="
    )
    assert lines[2:] == ["An email with the reset URL has been sent to alice@example.com"]
    assert len(by_id.out.splitlines()) == 2


def test_codes_are_set_up_again_with_the_link(alice: Alice) -> None:
    alice.set_up()
    lost = alice.code()
    url = json.loads(alice.reset("--user-email", "alice@example.com", "--format", "json").out)[
        "totp_reset_url"
    ]

    between = alice.run("user", "list", "--totp-code", lost)
    running = alice.shell.start("totp", "reset", url, "--format", "json")
    alice.secret = running.event("totp_secret")["secret"]
    running.type(alice.code())
    ended = running.finish()

    assert between.code == 4
    assert ended.code == 0
    assert alice.with_code("user", "list").code == 0


def test_a_used_link_does_not_count(alice: Alice) -> None:
    alice.set_up()
    url = alice.reset().out.splitlines()[1].removeprefix("Reset URL: ")
    running = alice.shell.start("totp", "reset", url, "--format", "json")
    running.type(alice.code(running.event("totp_secret")["secret"]))
    assert running.finish().code == 0

    again = alice.shell.run("totp", "reset", url)

    assert again.code == 6
    assert "Error: The reset link does not count any more" in again.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--user-email", "nobody@example.com"), 3, "User not found"),
        (("--user-id", "0" * 32), 3, "User not found"),
        (("--user-email", "alice@example.com", "--token", "wrong"), 4, "Bad authorization token"),
        (("--user-email", "alice@example.com", "-o", "Nowhere"), 3, "Organization not found"),
    ],
)
def test_a_reset_that_is_refused_says_why(
    alice: Alice, options: tuple[str, ...], code: int, message: str
) -> None:
    ended = alice.reset(*options)

    assert (ended.code, ended.out) == (code, "")
    assert f"Error: {message}" in ended.err


@pytest.mark.parametrize(
    "options", [("--send-email",), ("--user-email", "a@b.c", "--user-id", "0" * 32)]
)
def test_a_reset_is_of_exactly_one_user(alice: Alice, options: tuple[str, ...]) -> None:
    ended = alice.reset(*options)

    assert ended.code == 2
    assert "Give either --user-email or --user-id" in ended.err


@pytest.mark.parametrize(
    ("status", "last"),
    [
        ("NOT_SENT_AS_REQUESTED", None),
        ("SENT_AS_REQUESTED", "An email with the reset URL has been sent to a@b.c"),
        ("SERVER_UNAVAILABLE", "Email sending to a@b.c has failed (error: SERVER_UNAVAILABLE)"),
        ("A_NEWER_ONE", "Email sending to a@b.c has failed (error: A_NEWER_ONE)"),
    ],
)
def test_a_mail_that_was_not_sent_is_no_failure(
    shell: Shell, status: str, last: str | None
) -> None:
    body = json.dumps(
        {
            "user_id": "0" * 32,
            "user_email": "a@b.c",
            "totp_reset_url": "parsec3://h/Org?a=totp_reset&p=x",
            "totp_reset_url_as_http_redirection": "https://h/redirect/Org?a=totp_reset&p=x",
            "email_sent_status": status,
        }
    ).encode()
    with RawServer([says(http(body=body, content_type="application/json"))]) as raw:
        ended = shell.run(
            "user", "totp-reset", "-a", raw.addr.url, "-t", "t", "-o", "Org",
            "--user-email", "a@b.c", "--send-email",
        )  # fmt: skip

    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"TOTP reset for user {'0' * 32}",
        "Reset URL: parsec3://h/Org?a=totp_reset&p=x",
        *([last] if last else []),
    ]
