"""The JSON bodies of the administration's requests, and how wrong ones are told."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from parsec.data.ids import UserID
from parsec.data.people import EmailAddress, OrganizationID
from parsec.server.rules.organization import OrganizationChange

B = TypeVar("B")

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Urls = dict[_Text, _Text]


class CreateOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """What is absent is as the server's settings say."""

    organization_id: OrganizationID
    user_profile_outsider_allowed: bool | msgspec.UnsetType = msgspec.UNSET
    active_users_limit: _Count | msgspec.UnsetType | None = msgspec.UNSET
    realm_minimum_archiving_period_before_deletion: _Count | msgspec.UnsetType = msgspec.UNSET
    tos: _Urls | msgspec.UnsetType = msgspec.UNSET

    @property
    def change(self) -> OrganizationChange:
        minimum = self.realm_minimum_archiving_period_before_deletion
        return OrganizationChange(
            user_profile_outsider_allowed=self.user_profile_outsider_allowed,
            active_users_limit=self.active_users_limit,
            realm_minimum_archiving_period_before_deletion=minimum,
            tos_per_locale_urls=self.tos,
        )


class PatchOrganization(msgspec.Struct, frozen=True, kw_only=True):
    """What is absent stays as it is."""

    is_expired: bool | msgspec.UnsetType = msgspec.UNSET
    user_profile_outsider_allowed: bool | msgspec.UnsetType = msgspec.UNSET
    active_users_limit: _Count | msgspec.UnsetType | None = msgspec.UNSET
    realm_minimum_archiving_period_before_deletion: _Count | msgspec.UnsetType = msgspec.UNSET
    tos: _Urls | msgspec.UnsetType | None = msgspec.UNSET

    @property
    def change(self) -> OrganizationChange:
        minimum = self.realm_minimum_archiving_period_before_deletion
        return OrganizationChange(
            is_expired=self.is_expired,
            user_profile_outsider_allowed=self.user_profile_outsider_allowed,
            active_users_limit=self.active_users_limit,
            realm_minimum_archiving_period_before_deletion=minimum,
            tos_per_locale_urls=self.tos,
        )


class FreezeUser(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two names the user."""

    frozen: bool
    user_id: UserID | None = None
    user_email: EmailAddress | None = None


class ResetTotp(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two names the user."""

    user_id: UserID | None = None
    user_email: EmailAddress | None = None
    send_email: bool = False


class InvalidBody(Exception):
    """The body is not what the route takes; `detail` says where, in the words of OpenAPI tools."""

    def __init__(self, detail: list[dict[str, Any]]) -> None:
        super().__init__(str(detail))
        self.detail = detail


def load_body(kind: type[B], content_type: str, body: bytes) -> B:
    """Read a body of JSON. Raises InvalidBody."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidBody([_problem("model_attributes_type", [], "Input should be an object")])
    try:
        return msgspec.json.decode(body, type=kind, dec_hook=_read_text)
    except msgspec.ValidationError as error:
        raise InvalidBody([_explain(str(error))]) from None
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise InvalidBody([_problem("json_invalid", [], "JSON decode error")]) from None


def _read_text(kind: Any, value: object) -> object:
    if type(value) is not str:
        raise ValueError("Expected `str`")
    return kind.parse(value) if issubclass(kind, UserID) else kind(value)


_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?", re.DOTALL)


def _explain(error: str) -> dict[str, Any]:
    missing = _MISSING.match(error)
    if missing:
        return _problem("missing", [missing["name"]], "Field required")
    place = _PLACE.fullmatch(error)
    assert place is not None
    path = [part for part in re.split(r"[.\[\]]+", place["path"] or "") if part]
    return _problem("value_error", path, place["what"])


def _problem(kind: str, path: list[str], message: str) -> dict[str, Any]:
    return {"type": kind, "loc": ["body", *path], "msg": message}
