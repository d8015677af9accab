"""Terms of service."""

from typing import ClassVar, TypeAlias

from parsec.data.instant import Instant
from parsec.protocol.command import Family, Reply, Request
from parsec.protocol.statuses import NoTos, Ok, TosMismatch

TosAcceptReply: TypeAlias = Ok | NoTos | TosMismatch


class TosAccept(Request[TosAcceptReply], frozen=True, kw_only=True, tag="tos_accept"):
    """Accept the organization's terms of service."""

    FAMILY: ClassVar[Family] = Family.TOS

    tos_updated_on: Instant


class TosGetOk(Reply, frozen=True, kw_only=True, tag="ok"):
    per_locale_urls: dict[str, str]
    updated_on: Instant


TosGetReply: TypeAlias = TosGetOk | NoTos


class TosGet(
    Request[TosGetReply], frozen=True, kw_only=True, tag="tos_get", forbid_unknown_fields=True
):
    """Read the organization's terms of service."""

    FAMILY: ClassVar[Family] = Family.TOS
