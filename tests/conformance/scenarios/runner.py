"""Plays the steps of one scenario and checks each answer."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from tests.conformance.scenarios.cast import Cast, Device, Organization
from tests.conformance.scenarios.http import Answer, EventStream, exchange
from tests.conformance.scenarios.matching import check
from tests.conformance.scenarios.server import ADMINISTRATION_TOKEN, ServerUnderTest
from tests.conformance.scenarios.values import Values
from tests.conformance.scenarios.wire import bearer_of_device, dump, load_address_parameter

Step: TypeAlias = dict[str, Any]

_API_VERSION = "5.5"
_NEXT_EVENT_S = 5.0
_IDLE_S = 0.5


def play(scenario: dict[str, Any], server: ServerUnderTest) -> None:
    """Raises AssertionError, which tells the step, at the first answer that differs."""
    run = _Run(scenario, server)
    with contextlib.closing(run):
        for number, step in enumerate(scenario["steps"]):
            try:
                run.play(step)
            except AssertionError as error:
                if step.get("optional") or step.get("level") == "may":
                    continue
                told = f"step {number} ({step['step']}, {step.get('note', 'no note')}): {error}"
                raise AssertionError(told) from error


class _Run:
    def __init__(self, scenario: dict[str, Any], server: ServerUnderTest) -> None:
        self._server = server
        self._cast = Cast(scenario)
        self._variables: dict[str, Any] = {"port": server.port}
        self._values = Values(self._cast, self._variables)
        self._streams: dict[str, EventStream] = {}
        self._kinds: dict[str, Callable[[Step], None]] = {
            "create_org": self._create_organization,
            "bootstrap": self._bootstrap,
            "setup_org": self._set_up_organization,
            "add_user": self._add_user,
            "add_device": self._add_device,
            "let": self._let,
            "sleep": lambda step: time.sleep(step["seconds"]),
            "rpc": self._rpc,
            "admin": self._admin,
            "sse_open": self._open_stream,
            "sse_next": self._next_event,
            "sse_idle": self._expect_idle,
            "sse_closed": self._expect_closed,
            "assert_equal": self._assert_equal,
            "decode_reset_url": self._decode_reset_url,
        }

    def close(self) -> None:
        for stream in self._streams.values():
            stream.close()

    def play(self, step: Step) -> None:
        expectation = self._server.expectation
        if expectation == "preferred":
            step = step.get("recommended_step", step)
        # Where the official storages differ and nothing else is said, PostgreSQL is followed.
        backend = "postgresql" if expectation == "preferred" else expectation
        if step.get("only", backend) != backend:
            return
        assert step["step"] in self._kinds, f"a step of unknown kind: {step['step']}"
        self._kinds[step["step"]](step)

    # --- What must succeed ---

    def _create_organization(self, step: Step) -> None:
        name, organization = self._organization(step)
        body = {"organization_id": organization.id} | self._values.of(step.get("config", {}))
        answer = self._administration("POST", "/administration/organizations", body)
        assert answer.status == 200, f"{answer.status} {answer.text}"
        query = parse_qs(urlsplit(answer.content["bootstrap_url"]).query)
        self._variables[f"bootstrap_token:{name}"] = load_address_parameter(query["p"][0])

    def _bootstrap(self, step: Step) -> None:
        name, organization = self._organization(step)
        timestamp = self._cast.now()
        device = self._cast.devices[step["device"]]
        request = {
            "cmd": "organization_bootstrap",
            "bootstrap_token": self._variables[f"bootstrap_token:{name}"],
            "root_verify_key": bytes(organization.root_key.verify_key),
            "sequester_authority_certificate": None,
            **self._user_certificates(device, by=f"root:{name}", author=None, at=timestamp),
            **self._device_certificates(device, by=f"root:{name}", author=None, at=timestamp),
        }
        self._succeed("anonymous", organization, request, None)
        self._variables[f"bootstrapped_on:{name}"] = timestamp
        self._variables[f"created_on:{step['device']}"] = timestamp

    def _set_up_organization(self, step: Step) -> None:
        self._create_organization(step)
        self._bootstrap(step)

    def _add_user(self, step: Step) -> None:
        device, by, timestamp = self._cast.devices[step["device"]], step["by"], self._cast.now()
        author = self._cast.devices[by].id
        request = {
            "cmd": "user_create",
            **self._user_certificates(device, by=by, author=author, at=timestamp),
            **self._device_certificates(device, by=by, author=author, at=timestamp),
        }
        self._succeed("authenticated", self._organization(step)[1], request, by)
        self._variables[f"created_on:{step['device']}"] = timestamp

    def _add_device(self, step: Step) -> None:
        device, by, timestamp = self._cast.devices[step["device"]], step["by"], self._cast.now()
        author = self._cast.devices[by].id
        request = {
            "cmd": "device_create",
            **self._device_certificates(device, by=by, author=author, at=timestamp),
        }
        self._succeed("authenticated", self._organization(step)[1], request, by)
        self._variables[f"created_on:{step['device']}"] = timestamp

    def _user_certificates(
        self, device: Device, *, by: str, author: Any, at: Any
    ) -> dict[str, bytes]:
        return {
            name: self._cast.user_certificate(
                device.user, by=by, author=author, timestamp=at, redacted=redacted
            )
            for name, redacted in [
                ("user_certificate", False),
                ("redacted_user_certificate", True),
            ]
        }

    def _device_certificates(
        self, device: Device, *, by: str, author: Any, at: Any
    ) -> dict[str, bytes]:
        return {
            name: self._cast.device_certificate(
                device, by=by, author=author, timestamp=at, redacted=redacted
            )
            for name, redacted in [
                ("device_certificate", False),
                ("redacted_device_certificate", True),
            ]
        }

    def _succeed(
        self, family: str, organization: Organization, request: dict[str, Any], by: str | None
    ) -> None:
        answer = exchange(
            self._server.endpoint,
            "POST",
            f"/{family}/{organization.id}",
            {
                "Api-Version": _API_VERSION,
                "Content-Type": "application/msgpack",
                "Authorization": self._device_bearer({"as": by}) if by else None,
            },
            dump(request),
        )
        content = answer.content
        assert answer.status == 200, f"{answer.status} {answer.text}"
        assert content == {"status": "ok"}, f"{request['cmd']}: {content!r}"

    # --- Requests ---

    def _rpc(self, step: Step) -> None:
        headers = {
            "Api-Version": step.get("api", _API_VERSION),
            "Content-Type": "application/msgpack",
            "Authorization": self._authorization(step),
        }
        body = self._values.of(step["raw"]) if "raw" in step else self._request(step["req"])
        answer = exchange(
            self._server.endpoint,
            step.get("method", "POST"),
            self._rpc_target(step),
            headers | self._values.of(step.get("headers", {})),
            body,
        )
        self._judge(step, answer, answer.content)

    def _rpc_target(self, step: Step) -> str:
        match step["family"]:
            case "anonymous_server" | "authenticated_account" as family:
                return f"/{family}"
            case "tos":
                return f"/authenticated/{self._organization_path(step)}/tos"
            case family:
                return f"/{family}/{self._organization_path(step)}"

    def _request(self, written: Any) -> bytes:
        return dump(self._values.of(written))

    def _admin(self, step: Step) -> None:
        path = step["path"].replace("{org}", quote(self._organization(step)[1].id))
        if "query" in step:
            path += "?" + urlencode(self._values.of(step["query"]))
        answer = self._administration(
            step["method"],
            path,
            self._values.of(step.get("json")),
            raw=self._values.of(step.get("raw")),
            headers=self._values.of(step.get("headers", {})),
            authorization=step.get("authorization", f"Bearer {ADMINISTRATION_TOKEN}"),
        )
        self._judge(step, answer, answer.content)

    def _administration(
        self,
        method: str,
        path: str,
        body: Any,
        *,
        raw: str | bytes | None = None,
        headers: dict[str, str | None] | None = None,
        authorization: str | None = f"Bearer {ADMINISTRATION_TOKEN}",
    ) -> Answer:
        given: dict[str, str | None] = {"Authorization": authorization}
        content = b""
        if raw is not None:
            content = raw.encode() if isinstance(raw, str) else raw
        elif body is not None:
            given["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return exchange(self._server.endpoint, method, path, given | (headers or {}), content)

    def _authorization(self, step: Step) -> str | None:
        if "token" in step:
            token = self._values.of(step["token"])
            return f"Bearer {token.hex() if isinstance(token, bytes) else token}"
        return self._device_bearer(step) if "as" in step else None

    def _device_bearer(self, step: Step) -> str:
        seconds = int(time.time()) + step.get("token_plus_s", 0)
        signed_by = self._cast.devices[step.get("token_signed_by", step["as"])]
        device = self._cast.devices[step["as"]]
        return f"Bearer {bearer_of_device(device.id, seconds, signed_by.signing_key)}"

    # --- Events ---

    def _open_stream(self, step: Step) -> None:
        last = self._values.of(step.get("last_event_id"))
        headers = {
            "Api-Version": step.get("api", _API_VERSION),
            "Accept": "text/event-stream",
            "Authorization": self._authorization(step),
            "Last-Event-Id": last,
        }
        stream = EventStream(
            self._server.endpoint,
            f"/authenticated/{self._organization_path(step)}/events",
            headers | self._values.of(step.get("headers", {})),
        )
        former = self._streams.pop(step["name"], None)
        if former is not None:
            former.close()
        self._streams[step["name"]] = stream
        self._judge(step, stream.answer, stream.answer.content)

    def _next_event(self, step: Step) -> None:
        stream = self._streams[step["name"]]
        message = stream.next(step.get("timeout_s", _NEXT_EVENT_S))
        assert message is not None, "expected an event, found the end of the stream"
        self._judge(step, stream.answer, message)

    def _expect_idle(self, step: Step) -> None:
        self._streams[step["name"]].check_idle(step.get("seconds", _IDLE_S))

    def _expect_closed(self, step: Step) -> None:
        self._streams[step["name"]].check_closed(step.get("timeout_s", _NEXT_EVENT_S))

    # --- Variables ---

    def _let(self, step: Step) -> None:
        for name, written in step["vars"].items():
            self._variables[name] = self._values.of(written)

    def _assert_equal(self, step: Step) -> None:
        equal = self._variables[step["a"]] == self._variables[step["b"]]
        assert equal is not step.get("different", False), f"{step['a']}, {step['b']}: {equal}"

    def _decode_reset_url(self, step: Step) -> None:
        url = urlsplit(self._variables[step["url"]])
        user, token = load_address_parameter(parse_qs(url.query)["p"][0])
        if "save_user" in step:
            self._variables[step["save_user"]] = user
        if "save_token" in step:
            self._variables[step["save_token"]] = token

    # --- Judgement ---

    def _judge(self, step: Step, answer: Answer, content: Any) -> None:
        for name, path in step.get("save", {}).items():
            self._save(name, path, content)
        expected = self._expected(step)
        if expected is None:
            return
        if "http" in expected:
            told = f"expected HTTP {expected['http']}, found {answer.status}"
            assert answer.status == expected["http"], f"{told}: {content or answer.text!r:.500}"
        for name, value in expected.get("headers", {}).items():
            found = answer.headers.get(name.lower())
            assert found == value, f"header {name}: expected {value!r}, found {found!r}"
        for part in ("rep", "json"):
            if part in expected:
                check(expected[part], content, self._values, part)
        if "text" in expected:
            check(expected["text"], answer.text, self._values, "text")
        unknown = expected.keys() - {"http", "headers", "rep", "json", "text"}
        assert not unknown, f"expectations of unknown kind: {unknown}"

    def _expected(self, step: Step) -> dict[str, Any] | None:
        expected: dict[str, Any] | None = step.get("expect")
        if expected is None:
            return None
        preferred = self._server.expectation == "preferred"
        for better in (step.get("recommended"), expected.get("recommended")):
            if preferred and better is not None:
                return dict(better)
        if "preferred" in expected:
            backend = expected["preferred"] if preferred else self._server.expectation
            expected = expected[backend]
        assert expected is not None
        kept = {key: value for key, value in expected.items() if key != "recommended"}
        # A failure of the official server documents a defect; any other answer is a better one.
        return None if preferred and kept.get("http") == 500 else kept

    def _save(self, name: str, path: str, content: Any) -> None:
        value = content
        for part in path.split("."):
            try:
                value = value[int(part)] if isinstance(value, list) else value[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise AssertionError(f"expected {path} in the answer, found {content!r}") from None
        self._variables[name] = value

    def _organization(self, step: Step) -> tuple[str, Organization]:
        name = step.get("org", self._cast.main_organization)
        return name, self._cast.organizations[name]

    def _organization_path(self, step: Step) -> str:
        if "org_raw" in step:
            return str(step["org_raw"])
        return quote(self._organization(step)[1].id)
