"""Who is in an organization, and who is kept out of it (server-core.md 3.4, 6.5, 6.6)."""

from dataclasses import dataclass, replace

from tests.server.machines.serial import Told, told


@dataclass
class Person:
    name: str
    email: str
    profile: str = "STANDARD"
    is_frozen: bool = False
    revoked_on: int | None = None


@dataclass
class People:
    """The users of an organization by name, and the date of its last common certificate."""

    by_name: dict[str, Person]
    last_common: int

    def kept_out(self, name: str) -> Told | None:
        """What each command of a device is refused with."""
        person = self.by_name[name]
        if person.revoked_on is not None:
            return told("461")
        if person.is_frozen:
            return told("462")
        return None

    def administrators(self) -> list[str]:
        """Those who can be met, by label."""
        return sorted(
            name
            for name, person in self.by_name.items()
            if person.profile == "ADMIN" and self.kept_out(name) is None
        )

    def enrolled(self, email: str) -> bool:
        """Whether somebody has the address, and is not revoked."""
        return any(
            person.email == email and person.revoked_on is None for person in self.by_name.values()
        )

    def freeze(self, name: str, *, frozen: bool) -> Told:
        """Done by the administration."""
        if self.by_name[name].revoked_on is not None:
            return told("user_revoked")
        self.by_name[name].is_frozen = frozen
        return told("ok")

    def revoke(self, author: str, name: str, at: int) -> Told:
        """`at` is the date of the certificate."""
        if refused := self.kept_out(author):
            return refused
        if self.by_name[author].profile != "ADMIN":
            return told("author_not_allowed")
        if author == name:
            return told("invalid_certificate")
        if self.by_name[name].revoked_on is not None:
            last = self.last_common
            return told("user_already_revoked", last_common_certificate_timestamp=last)
        if at <= self.last_common:
            return told("require_greater_timestamp", strictly_greater_than=self.last_common)
        self.by_name[name].revoked_on = self.last_common = at
        return told("ok")

    def create(self, author: str, person: Person, at: int) -> Told:
        """Somebody new, by certificates of that date."""
        if refused := self.kept_out(author):
            return refused
        if self.by_name[author].profile != "ADMIN":
            return told("author_not_allowed")
        if at <= self.last_common:
            return told("require_greater_timestamp", strictly_greater_than=self.last_common)
        if self.enrolled(person.email):
            return told("human_handle_already_taken")
        self.by_name[person.name] = replace(person)
        self.last_common = at
        return told("ok")
