"""Vectors of addresses and of the route that redirects to them."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from parsec.crypto.keys import VerifyKey
from parsec.data.address import (
    ActionAddr,
    AddressError,
    AsyncEnrollmentAddr,
    InvitationAddr,
    InvitationType,
    OrganizationAddr,
    OrganizationBootstrapAddr,
    PKIEnrollmentAddr,
    ServerAddr,
    TOTPResetAddr,
    WorkspacePathAddr,
    parse_action,
)
from parsec.data.ids import AccessToken, UserID, VlobID
from parsec.data.people import OrganizationID
from parsec.server.rules.redirect import redirect_location
from tests.conformance.registry import Vector, handles
from tests.support.asgi import Answer, request
from tests.support.server_app import server_app

Addr: TypeAlias = ServerAddr | OrganizationAddr | ActionAddr


@handles("addr-build")
def check_written_address(vector: Vector, document: dict[str, Any]) -> None:
    address = _build(vector)

    assert address.url == vector["url"]
    assert address.http_redirection_url == vector["http_redirection_url"]
    if isinstance(address, ServerAddr):
        assert address.http_url == vector["http_url"]
        assert address.netloc == vector["netloc"]


@handles("addr-parse")
def check_read_address(vector: Vector, document: dict[str, Any]) -> None:
    parse = _PARSERS[vector["parser"]]
    options = {"allow_http_redirection": vector["allow_http_redirection"]}
    if vector["valid"]:
        address = parse(vector["url"], **options)
        assert address == _build({"kind": vector["kind"], **vector["decoded"]})
        assert address.url == vector["url_out"]
        return
    with pytest.raises(AddressError) as refusal:
        parse(vector["url"], **options)
    assert refusal.value.code == vector["error"]
    assert refusal.value.param == vector.get("param")


@handles("addr-redirect-route")
def check_redirection(vector: Vector, document: dict[str, Any]) -> None:
    path, _, query = vector["request_target"].partition("?")
    location = redirect_location(
        ServerAddr.parse(vector["server_addr"]),
        path.removeprefix("/redirect/"),
        query,
        web_app_base=vector["request_base"] if vector.get("web_app") else None,
    )

    assert vector["status"] == 302
    assert location == vector["location"]


@handles("server-redirect")
def check_answered_redirection(vector: Vector, document: dict[str, Any]) -> None:
    inputs, expected = vector["inputs"], vector["expected"]
    path, _, query = inputs["raw_path_and_query"].partition("?")
    base = f"http://{inputs['host_header']}/" if inputs["with_client_web_app"] else None
    location = redirect_location(
        ServerAddr.parse(inputs["server_addr"]),
        path.removeprefix("/redirect/"),
        query,
        web_app_base=base,
    )

    assert expected["status"] == 302
    assert location == expected["location"]
    if base is None:
        answer = asyncio.run(_answer(inputs["server_addr"], inputs["raw_path_and_query"]))
        assert (answer.status, answer.headers["location"]) == (302, location)


async def _answer(server_addr: str, target: str) -> Answer:
    """What the whole application says."""
    async with server_app(server_addr=ServerAddr.parse(server_addr)) as server:
        return await request(server.app, "GET", target)


def _build(parts: Vector) -> Addr:
    server = ServerAddr(hostname=parts["hostname"], port=parts["port"], use_ssl=parts["use_ssl"])
    if parts["kind"] == "server":
        return server
    kind, own_fields = _KINDS[parts["kind"]]
    return kind(
        server=server,
        organization_id=OrganizationID(parts["organization_id"]),
        **own_fields(parts),
    )


def _token(parts: Vector) -> AccessToken | None:
    return None if parts["token_hex"] is None else AccessToken.parse(parts["token_hex"])


_KINDS: dict[str, tuple[Callable[..., Addr], Callable[[Vector], dict[str, Any]]]] = {
    "organization": (
        OrganizationAddr,
        lambda parts: {
            "root_verify_key": VerifyKey(bytes.fromhex(parts["root_verify_key_hex"])),
        },
    ),
    "bootstrap": (OrganizationBootstrapAddr, lambda parts: {"token": _token(parts)}),
    "invitation": (
        InvitationAddr,
        lambda parts: {
            "type": InvitationType(parts["invitation_type"]),
            "token": _token(parts),
        },
    ),
    "totp_reset": (
        TOTPResetAddr,
        lambda parts: {"user_id": UserID.parse(parts["user_id"]), "token": _token(parts)},
    ),
    "workspace_path": (
        WorkspacePathAddr,
        lambda parts: {
            "workspace_id": VlobID.parse(parts["workspace_id"]),
            "key_index": parts["key_index"],
            "encrypted_path": bytes.fromhex(parts["encrypted_path_hex"]),
        },
    ),
    "async_enrollment": (AsyncEnrollmentAddr, lambda parts: {}),
    "pki_enrollment": (PKIEnrollmentAddr, lambda parts: {}),
}

_PARSERS: dict[str, Callable[..., Addr]] = {
    "server": ServerAddr.parse,
    "organization": OrganizationAddr.parse,
    "bootstrap": OrganizationBootstrapAddr.parse,
    "invitation": InvitationAddr.parse,
    "totp_reset": TOTPResetAddr.parse,
    "workspace_path": WorkspacePathAddr.parse,
    "async_enrollment": AsyncEnrollmentAddr.parse,
    "pki_enrollment": PKIEnrollmentAddr.parse,
    "action": parse_action,
}
