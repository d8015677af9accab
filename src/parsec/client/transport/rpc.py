"""Sends the commands of the protocol to a server and reads its replies."""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from parsec.client.failure import HttpRefusal, InvalidAnswer
from parsec.client.step import Caller
from parsec.client.transport.http import Answer, Http
from parsec.client.transport.refusals import refusal
from parsec.data.address import (
    AsyncEnrollmentAddr,
    InvitationAddr,
    OrganizationAddr,
    ServerAddr,
    TOTPResetAddr,
)
from parsec.data.device_file import DeviceFile
from parsec.data.instant import Instant
from parsec.data.local_device import LocalDevice
from parsec.data.people import OrganizationID
from parsec.protocol.authentication import device_authorization, invitation_authorization
from parsec.protocol.certificate import CertificateGet
from parsec.protocol.command import Family, Request, UnknownStatus, dump_request, load_reply
from parsec.protocol.versions import API_VERSION
from parsec.wire.msgpack import MalformedError
from parsec.wire.url import encode_segment

R = TypeVar("R")

AnyCaller: TypeAlias = Caller | OrganizationAddr | TOTPResetAddr | AsyncEnrollmentAddr | DeviceFile
"""Whoever can name a server; a device file can do so before it is opened."""

_MIB = 1024 * 1024
_REPLY_LIMIT = 64 * _MIB
_LARGEST_REPLIES: dict[type[Request[Any]], int] = {CertificateGet: 1024 * _MIB}
"""Of a huge organization, all certificates come in one reply."""

_CONTENT_TYPE = "application/msgpack"


class Transport:
    """Carries requests to servers, each once: what went wrong may have been carried out."""

    def __init__(
        self, http: Http, *, now: Callable[[], Instant], reply_limit: int = _REPLY_LIMIT
    ) -> None:
        self._http = http
        self._now = now
        self._reply_limit = reply_limit

    def send(self, caller: AnyCaller, request: Request[R]) -> R | UnknownStatus:
        """The reply to a request.

        Raises Offline (no answer: it may or may not have been carried out), HttpRefusal or
        InvalidAnswer.
        """
        server = _server(caller)
        answer = self._http.exchange(
            server,
            "POST",
            _route(request.FAMILY, caller),
            headers=self._headers(request.FAMILY, caller),
            body=dump_request(request),
            limit=_LARGEST_REPLIES.get(type(request), self._reply_limit),
        )
        if answer.status != 200:
            raise _for_caller(refusal(answer, netloc=server.netloc, now=self._now()), caller)
        return _reply(answer, request, server)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _headers(self, family: Family, caller: AnyCaller) -> dict[str, str]:
        headers = {"Api-Version": str(API_VERSION), "Content-Type": _CONTENT_TYPE}
        match family, caller:
            case ((Family.AUTHENTICATED | Family.TOS), LocalDevice()):
                headers["Authorization"] = device_authorization(
                    caller.device_id, caller.signing_key, now=self._now()
                )
            case Family.INVITED, InvitationAddr():
                headers["Authorization"] = invitation_authorization(caller.token)
            case ((Family.ANONYMOUS | Family.ANONYMOUS_SERVER), _):
                pass
            case _:
                raise TypeError(f"{type(caller).__name__} cannot call {family}")
        return headers


def _server(caller: AnyCaller) -> ServerAddr:
    match caller:
        case ServerAddr():
            return caller
        case LocalDevice() | DeviceFile():
            return caller.server_url
        case _:
            return caller.server


def _route(family: Family, caller: AnyCaller) -> str:
    match family:
        case Family.ANONYMOUS_SERVER:
            return "/anonymous_server"
        case Family.TOS:
            return f"/authenticated/{_organization(caller)}/tos"
        case Family.ANONYMOUS | Family.INVITED | Family.AUTHENTICATED:
            return f"/{family}/{_organization(caller)}"
        case _:
            raise TypeError(f"no route for {family}")


def _organization(caller: AnyCaller) -> str:
    if isinstance(caller, ServerAddr):
        raise TypeError("a server alone names no organization")
    organization_id: OrganizationID = caller.organization_id
    return encode_segment(organization_id)


def _for_caller(error: Exception, caller: AnyCaller) -> Exception:
    """The same error in the words of who called."""
    match caller, getattr(error, "status", None):
        case InvitationAddr(), 403:
            return HttpRefusal(403, "Invitation not found", hint="check the link")
        case LocalDevice(), 403:
            return HttpRefusal(403, str(error), hint="the server does not know this device")
        case ServerAddr(), 404:
            return _no_parsec_server(caller)
        case _:
            return error


def _reply(answer: Answer, request: Request[R], server: ServerAddr) -> R | UnknownStatus:
    if answer.media_type != _CONTENT_TYPE or answer.body is None:
        raise _no_parsec_server(server)
    try:
        return load_reply(type(request), answer.body)
    except MalformedError as error:
        raise InvalidAnswer(f"Server {server.netloc} sent a reply that cannot be read") from error


def _no_parsec_server(server: ServerAddr) -> InvalidAnswer:
    return InvalidAnswer(
        f"What answers at {server.netloc} is no Parsec server",
        hint="check the address, and whether a proxy or a login page is in between",
    )
