"""The topics in which certificates are ordered (`data-types.md` 2.1)."""

import enum
from typing import NamedTuple, TypeAlias

from parsec.data.ids import VlobID


class Topic(enum.StrEnum):
    """The topics of which an organization has one."""

    SEQUESTER = "sequester"
    COMMON = "common"
    SHAMIR_RECOVERY = "shamir_recovery"


TopicID: TypeAlias = Topic | VlobID
"""Any topic; each realm is one."""


class TopicCertificate(NamedTuple):
    """A signed certificate and the topic in which the server delivered it."""

    topic: TopicID
    signed: bytes
