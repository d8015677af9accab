"""Challenges of the smartcard web service."""

from typing import ClassVar, TypeAlias

from parsec.protocol.command import U64, Family, Reply, Request
from parsec.protocol.statuses import (
    InvalidScwsServiceChallengeSignature,
    InvalidWebApplicationChallengePayload,
    NotAvailable,
    UnknownScwsServiceChallengeKeyId,
)


class ScwsServiceMutualChallengesOk(Reply, frozen=True, kw_only=True, tag="ok"):
    web_application_challenge_signature: bytes


ScwsServiceMutualChallengesReply: TypeAlias = (
    ScwsServiceMutualChallengesOk
    | NotAvailable
    | UnknownScwsServiceChallengeKeyId
    | InvalidScwsServiceChallengeSignature
    | InvalidWebApplicationChallengePayload
)


class ScwsServiceMutualChallenges(
    Request[ScwsServiceMutualChallengesReply],
    frozen=True,
    kw_only=True,
    tag="scws_service_mutual_challenges",
):
    """Server side of the mutual authentication between a web page and the smartcard service."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    scws_service_challenge_payload: bytes
    scws_service_challenge_signature: bytes
    scws_service_challenge_key_id: U64
    web_application_challenge_payload: bytes
