"""Carries requests to servers over HTTP."""

from parsec.client.transport.administration import AdminTransport, Json
from parsec.client.transport.http import USER_AGENT, Bounds, Http
from parsec.client.transport.rpc import AnyCaller, Transport

__all__ = ["USER_AGENT", "AdminTransport", "AnyCaller", "Bounds", "Http", "Json", "Transport"]
