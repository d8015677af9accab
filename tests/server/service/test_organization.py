"""Bootstrap and what follows from it, on a database (server-core.md 5, 7)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parsec.crypto.keys import SigningKey
from parsec.data.certificates import SequesterAuthorityCertificate
from parsec.data.people import UserProfile
from parsec.protocol.certificate import CertificateGet, CertificateGetOk
from parsec.protocol.command import Reply, dump_request, load_reply
from parsec.protocol.organization import OrganizationBootstrap
from parsec.protocol.statuses import (
    InvalidCertificate,
    Ok,
    OrganizationAlreadyBootstrapped,
    RequireGreaterTimestamp,
)
from parsec.protocol.user import UserCreate
from tests.support.asgi import request
from tests.support.certificates import authority_key
from tests.support.newcomers import newcomer, papers
from tests.support.server_app import MSGPACK, Device, ServerApp, server_app

ROOT = SigningKey(bytes(range(32)))
EVERYTHING = CertificateGet(
    common_after=None, sequester_after=None, shamir_recovery_after=None, realm_after={}
)


@pytest.fixture
async def server() -> AsyncIterator[ServerApp]:
    async with server_app() as made:
        yield made


async def bootstrap(server: ServerApp, command: OrganizationBootstrap) -> Reply:
    answer = await request(server.app, "POST", "/anonymous/Org", MSGPACK, dump_request(command))
    reply = load_reply(OrganizationBootstrap, answer.body)
    assert isinstance(reply, Reply)
    return reply


async def prepared(server: ServerApp, **fields: Any) -> tuple[Device, OrganizationBootstrap]:
    """The first device of an organization that waits to be sequestered, and how it asks."""
    address = await server.create("Org")
    person = newcomer("alice", UserProfile.ADMIN)
    timestamp = server.clock()
    certificates = papers(person, author=None, timestamp=timestamp)
    authority = SequesterAuthorityCertificate(
        timestamp=timestamp, verify_key_der=bytes(authority_key().verify_key)
    )
    values: dict[str, Any] = {
        "bootstrap_token": address.token,
        "root_verify_key": ROOT.verify_key,
        "sequester_authority_certificate": authority.sign(ROOT),
        **certificates.signed(ROOT),
    }
    device = Device(organization="Org", **vars(person))
    return device, OrganizationBootstrap(**values | fields)


async def certificates_of(server: ServerApp, device: Device) -> CertificateGetOk:
    reply = await server.reply(device, EVERYTHING)
    assert isinstance(reply, CertificateGetOk)
    return reply


async def test_the_user_is_told_before_the_device(server: ServerApp) -> None:
    alice, command = await prepared(server)

    await bootstrap(server, command)

    told = (await certificates_of(server, alice)).common_certificates
    assert told == [command.user_certificate, command.device_certificate]


async def test_the_authority_of_a_sequestered_organization_is_told(server: ServerApp) -> None:
    alice, command = await prepared(server)

    reply = await bootstrap(server, command)

    assert reply == Ok()
    assert (await certificates_of(server, alice)).sequester_certificates == [
        command.sequester_authority_certificate
    ]


async def test_a_refused_bootstrap_changes_nothing(server: ServerApp) -> None:
    _, broken = await prepared(server, user_certificate=b"")

    refused = await bootstrap(server, broken)

    answer = await server.admin("GET", "organizations/Org")
    assert refused == InvalidCertificate()
    assert answer.json["is_bootstrapped"] is False


async def test_of_two_who_begin_at_once_one_succeeds(server: ServerApp) -> None:
    _, command = await prepared(server)

    replies = await asyncio.gather(*(bootstrap(server, command) for _ in range(4)))

    assert sorted(map(str, replies)) == sorted(
        map(str, [Ok(), *[OrganizationAlreadyBootstrapped()] * 3])
    )


async def test_of_users_who_come_at_once_each_is_later_than_the_last(server: ServerApp) -> None:
    alice = await server.bootstrap("Org")
    timestamp = server.clock()
    commands = [
        UserCreate(
            **papers(newcomer(name), author=alice.device_id, timestamp=timestamp).signed(alice.key)
        )
        for name in ("bob", "carol", "dave")
    ]

    replies = await asyncio.gather(*(server.reply(alice, command) for command in commands))

    assert replies.count(Ok()) == 1
    assert replies.count(RequireGreaterTimestamp(strictly_greater_than=timestamp)) == 2
