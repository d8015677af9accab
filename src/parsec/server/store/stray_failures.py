"""Wrong codes for keys that were never created: in memory, the oldest forgotten first.

Whoever wants can name another such key each time, so they must not fill the database. What is
forgotten makes a key answer as it did at first; a flood that makes it so is the business of the
limits on addresses.
"""

from parsec.data.ids import TOTPOpaqueKeyID, UserID
from parsec.data.people import OrganizationID
from parsec.server.records import Failures

LIMIT = 16_384
"""How many keys are remembered; a few megabytes."""


class StrayFailures:
    """The wrong codes in a row of each key that somebody made up."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        # From the one that failed longest ago to the one that failed last.
        self._failures: dict[tuple[OrganizationID, UserID, TOTPOpaqueKeyID], Failures] = {}

    def failures(
        self, organization_id: OrganizationID, user_id: UserID, opaque_key_id: TOTPOpaqueKeyID
    ) -> Failures:
        """Those of one key."""
        return self._failures.get((organization_id, user_id, opaque_key_id), Failures())

    def set_failures(
        self,
        organization_id: OrganizationID,
        user_id: UserID,
        opaque_key_id: TOTPOpaqueKeyID,
        failures: Failures,
    ) -> None:
        """Remember those of one key."""
        name = (organization_id, user_id, opaque_key_id)
        self._failures.pop(name, None)
        self._failures[name] = failures
        if len(self._failures) > self._limit:
            del self._failures[next(iter(self._failures))]

    def forget(self, organization_id: OrganizationID, user_id: UserID) -> None:
        """Let no key of a user wait any more, as a reset does for the real ones."""
        for name in [name for name in self._failures if name[:2] == (organization_id, user_id)]:
            del self._failures[name]
