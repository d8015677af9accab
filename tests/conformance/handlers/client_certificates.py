"""Answers of the server, given one after the other to the ledger of one device."""

from typing import Any

from parsec.client.rules.certificates import InvalidCertificate, Ledger, integrate
from parsec.crypto.keys import VerifyKey
from parsec.data.ids import UserID, VlobID
from parsec.data.people import UserProfile
from parsec.data.topics import TopicID
from parsec.protocol.certificate import CertificateGetOk
from tests.conformance.registry import Vector, handles


@handles("client-certificates")
def certificates(vector: Vector, document: dict[str, Any]) -> None:
    ledger = Ledger.empty(
        UserID.parse(vector["viewer"]["user_id"]),
        VerifyKey(bytes.fromhex(document["actors"]["root_verify_key_hex"])),
        UserProfile(vector["viewer"]["initial_profile"]),
    )
    for batch, expected in zip(vector["batches"], vector["expected"], strict=True):
        ledger, outcome = _poll(ledger, _answer(batch, document["certificates"]))
        assert outcome == expected


def _poll(ledger: Ledger, answer: CertificateGetOk) -> tuple[Ledger, dict[str, Any]]:
    try:
        integration = integrate(ledger, answer)
    except InvalidCertificate as error:
        return ledger, {"error": error.fault.value, "at": [*_place(error.topic), error.index]}
    if integration.must_refetch:
        assert integration.ledger.is_empty
        return integration.ledger, {"switched": True}
    return integration.ledger, {"added": len(integration.accepted)}


def _answer(batch: dict[str, Any], signed_hex: dict[str, str]) -> CertificateGetOk:
    def signed(names: list[str]) -> list[bytes]:
        return [bytes.fromhex(signed_hex[name]) for name in names]

    return CertificateGetOk(
        common_certificates=signed(batch.get("common", [])),
        sequester_certificates=signed(batch.get("sequester", [])),
        shamir_recovery_certificates=signed(batch.get("shamir_recovery", [])),
        realm_certificates={
            VlobID.parse(realm_id): signed(names)
            for realm_id, names in batch.get("realm", {}).items()
        },
    )


def _place(topic: TopicID) -> list[str]:
    return ["realm", topic.hex()] if isinstance(topic, VlobID) else [topic.value]
