"""What the administration may not do."""

import enum

from parsec.server.records import OrganizationRecord, UserRecord


class Objection(enum.Enum):
    """An HTTP status and the text of server-core.md 16."""

    ORGANIZATION_NOT_FOUND = 404, "Organization not found"
    ORGANIZATION_ALREADY_EXISTS = 400, "Organization already exists"
    USER_NOT_FOUND = 404, "User not found"
    USER_REVOKED = 404, "User has been revoked"
    USER_NOT_GIVEN = 400, "Missing either `user_id` or `user_email` field"
    USER_GIVEN_TWICE = 400, "Both `user_id` and `user_email` fields are provided"

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail


class Objected(Exception):
    """The administration's request cannot be done."""

    def __init__(self, objection: Objection) -> None:
        super().__init__(objection.detail)
        self.objection = objection


def check_found(organization: OrganizationRecord | None) -> OrganizationRecord:
    """Raises Objected."""
    if organization is None:
        raise Objected(Objection.ORGANIZATION_NOT_FOUND)
    return organization


def check_has_users(organization: OrganizationRecord | None) -> OrganizationRecord:
    """Who was not bootstrapped has no users, as if it did not exist. Raises Objected."""
    if organization is None or organization.bootstrapped_on is None:
        raise Objected(Objection.ORGANIZATION_NOT_FOUND)
    return organization


def check_may_create(organization: OrganizationRecord | None) -> None:
    """Only what was never bootstrapped may be overwritten. Raises Objected."""
    if organization is not None and organization.bootstrapped_on is not None:
        raise Objected(Objection.ORGANIZATION_ALREADY_EXISTS)


def check_names_one_user(user_id: object | None, user_email: object | None) -> None:
    """Raises Objected unless exactly one of them is given."""
    if user_id is None and user_email is None:
        raise Objected(Objection.USER_NOT_GIVEN)
    if user_id is not None and user_email is not None:
        raise Objected(Objection.USER_GIVEN_TWICE)


def check_active(user: UserRecord | None) -> UserRecord:
    """Raises Objected."""
    if user is None:
        raise Objected(Objection.USER_NOT_FOUND)
    if user.revoked_on is not None:
        raise Objected(Objection.USER_REVOKED)
    return user
