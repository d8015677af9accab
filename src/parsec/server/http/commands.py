"""Which function answers which command; a command that is not listed is answered 415."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from parsec.protocol import ping as pings
from parsec.protocol.command import Reply, Request
from parsec.server.service import ping

Command: TypeAlias = Callable[[Any, Any], Awaitable[Reply]]
"""Takes the context of the request's family, and the request."""

COMMANDS: dict[type[Request[Any]], Command] = {}

DEBUG_COMMANDS: dict[type[Request[Any]], Command] = {
    pings.AnonymousServerPing: ping.anonymous_server_ping,
    pings.AnonymousPing: ping.anonymous_ping,
    pings.InvitedPing: ping.invited_ping,
    pings.Ping: ping.authenticated_ping,
}
"""Answered in debug mode only."""
