"""A message that comes back, where the server runs in debug mode."""

from typing import ClassVar, TypeAlias

from parsec.protocol.command import Family, Reply, Request


class AnonymousServerPingOk(Reply, frozen=True, kw_only=True, tag="ok"):
    pong: str


AnonymousServerPingReply: TypeAlias = AnonymousServerPingOk


class AnonymousServerPing(Request[AnonymousServerPingReply], frozen=True, kw_only=True, tag="ping"):
    """Connectivity check."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS_SERVER

    ping: str


class AnonymousPingOk(Reply, frozen=True, kw_only=True, tag="ok"):
    pong: str


AnonymousPingReply: TypeAlias = AnonymousPingOk


class AnonymousPing(Request[AnonymousPingReply], frozen=True, kw_only=True, tag="ping"):
    """Connectivity check."""

    FAMILY: ClassVar[Family] = Family.ANONYMOUS

    ping: str


class InvitedPingOk(Reply, frozen=True, kw_only=True, tag="ok"):
    pong: str


InvitedPingReply: TypeAlias = InvitedPingOk


class InvitedPing(Request[InvitedPingReply], frozen=True, kw_only=True, tag="ping"):
    """Connectivity check."""

    FAMILY: ClassVar[Family] = Family.INVITED

    ping: str


class PingOk(Reply, frozen=True, kw_only=True, tag="ok"):
    pong: str


PingReply: TypeAlias = PingOk


class Ping(Request[PingReply], frozen=True, kw_only=True, tag="ping"):
    """Connectivity check."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED

    ping: str


class AccountPingOk(Reply, frozen=True, kw_only=True, tag="ok"):
    pong: str


AccountPingReply: TypeAlias = AccountPingOk


class AccountPing(Request[AccountPingReply], frozen=True, kw_only=True, tag="ping"):
    """Connectivity check."""

    FAMILY: ClassVar[Family] = Family.AUTHENTICATED_ACCOUNT

    ping: str
