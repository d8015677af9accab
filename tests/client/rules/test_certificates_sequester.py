"""A server that lies about the sequester authority is caught, at the place of the lie."""

import pytest

from parsec.client.rules.certificates import Fault, Gap, InvalidCertificate, integrate
from parsec.data.topics import Topic
from tests.support.certificates import (
    answer,
    authority,
    brief,
    empty_ledger,
    five_people,
    revoked_service,
    role,
    service,
    user,
)


def refused(sequester: list[bytes]) -> tuple[Fault, int]:
    """Why and where certificates of the topic are refused."""
    with pytest.raises(InvalidCertificate) as caught:
        integrate(empty_ledger(), answer(sequester=sequester))
    assert caught.value.topic is Topic.SEQUESTER
    return caught.value.fault, caught.value.index


def test_honest_server() -> None:
    sequester = [authority(1), service("one", 2), service("two", 3), revoked_service("one", 4)]

    integration = integrate(empty_ledger(), answer(sequester=sequester, common=five_people()))

    assert len(integration.accepted) == 14
    assert not integration.warnings


def test_authority_not_signed_by_the_root_key() -> None:
    assert refused([authority(1, signer="mallory@pc1")]) == (Fault.CORRUPTED, 0)


def test_authority_without_a_key() -> None:
    assert refused([authority(1, key_der=b"no DER")]) == (Fault.CORRUPTED, 0)


@pytest.mark.parametrize("certificate", [service("one", 1), revoked_service("one", 1)])
def test_service_without_authority(certificate: bytes) -> None:
    assert refused([certificate]) == (Fault.CORRUPTED, 0)


def test_authority_after_other_certificates() -> None:
    ledger = integrate(empty_ledger(), answer(common=five_people())).ledger

    with pytest.raises(InvalidCertificate) as caught:
        integrate(ledger, answer(sequester=[authority(1)]))

    assert caught.value.fault is Fault.SEQUESTER_AUTHORITY_MUST_BE_FIRST


def test_second_authority() -> None:
    assert refused([authority(1), authority(2)]) == (Fault.CORRUPTED, 1)


def test_authority_of_another_time_than_the_first_user() -> None:
    with pytest.raises(InvalidCertificate) as caught:
        integrate(empty_ledger(), answer(sequester=[authority(0)], common=five_people()))

    assert caught.value.fault is Fault.ROOT_SIGNATURE_TIMESTAMP_MISMATCH
    assert (caught.value.topic, caught.value.index) == (Topic.COMMON, 0)


def test_service_signed_by_another_authority() -> None:
    assert refused([authority(1), service("one", 2, signer="other")]) == (Fault.CORRUPTED, 1)


def test_service_without_a_key() -> None:
    assert refused([authority(1), service("one", 2, key_der=b"no DER")]) == (Fault.CORRUPTED, 1)


@pytest.mark.parametrize(
    "certificate",
    [
        user("erin", 2, by="alice@pc1"),
        role("r", "alice", None, 2, by="alice@pc1"),
        brief(2, by="bob@pc1", weights={"alice": 1}),
        b"",
    ],
)
def test_certificate_of_another_topic(certificate: bytes) -> None:
    assert refused([authority(1), certificate]) == (Fault.CORRUPTED, 1)


@pytest.mark.parametrize("t", [0, 1])
@pytest.mark.parametrize("kind", [service, revoked_service])
def test_certificate_not_later_than_the_last(kind: object, t: float) -> None:
    certificate = service("one", t) if kind is service else revoked_service("one", t)

    assert refused([authority(1), certificate]) == (Fault.INVALID_TIMESTAMP, 1)


def test_service_given_twice() -> None:
    assert refused([authority(1), service("one", 2), service("one", 3)]) == (
        Fault.CONTENT_ALREADY_EXISTS,
        2,
    )


def test_service_given_again_after_its_revocation() -> None:
    sequester = [authority(1), service("one", 2), revoked_service("one", 3), service("one", 4)]

    assert refused(sequester) == (Fault.CONTENT_ALREADY_EXISTS, 3)


def test_service_revoked_twice() -> None:
    sequester = [
        authority(1),
        service("one", 2),
        revoked_service("one", 3),
        revoked_service("one", 4),
    ]

    assert refused(sequester) == (Fault.SEQUESTER_SERVICE_ALREADY_REVOKED, 3)


def test_revocation_of_an_unknown_service_is_strange() -> None:
    integration = integrate(
        empty_ledger(), answer(sequester=[authority(1), revoked_service("one", 2)])
    )

    assert [(warning.gap, warning.index) for warning in integration.warnings] == [
        (Gap.UNKNOWN_SERVICE_REVOKED, 1)
    ]
