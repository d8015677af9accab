"""Which versions of the API two sides can agree on (wire.md 1.7)."""

import re
from typing import NamedTuple, Self

_NUMBER = re.compile(r"\+?[0-9]+")
_LIMIT = 1 << 32


class ApiVersion(NamedTuple):
    """Sides that have the same `version` understand each other, whatever their revisions."""

    version: int
    revision: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<version>.<revision>`; raises ValueError."""
        version, _, revision = text.partition(".")
        if not (_NUMBER.fullmatch(version) and _NUMBER.fullmatch(revision)):
            raise ValueError("not a version of the API")
        if len(text) > 40 or int(version) >= _LIMIT or int(revision) >= _LIMIT:
            raise ValueError("a version of the API out of range")
        return cls(int(version), int(revision))

    def understands(self, other: "ApiVersion") -> bool:
        """Whether the two sides can talk."""
        return self.version == other.version

    def __str__(self) -> str:
        return f"{self.version}.{self.revision}"


API_VERSION = ApiVersion(5, 5)
"""What this program speaks."""
