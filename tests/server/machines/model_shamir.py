"""Shared recoveries, as the specification has them (server-core.md 4.1, 11)."""

from dataclasses import dataclass, field

from tests.server.machines.model_invite import Invitations, Setup
from tests.server.machines.serial import Told, told

SECOND = 1_000_000


@dataclass(frozen=True)
class SetupPapers:
    """What an author signs, and what is wrong with it."""

    author: str
    dated: int
    threshold: int
    shares: tuple[tuple[str, int], ...]
    certificates: tuple[tuple[str, str], ...]
    """The recipient of each, and its flaw: none, or `signature`, `author`, `user`, `date`."""
    flaw: str = ""
    """That of the brief: none, or `signature`, `author`, `user`, `threshold`."""
    secret: bytes = b""
    """The token of the reveal."""


@dataclass(frozen=True)
class DeletionPapers:
    author: str
    dated: int
    owner: str
    setup: int
    recipients: frozenset[str]
    flaw: str = ""
    """None, or `signature`, `author`."""


@dataclass
class Recoveries(Invitations):
    last_shamir: int | None = None
    secrets: dict[tuple[str, int], bytes] = field(default_factory=dict)

    # --- Set-up and deletion ---

    def set_up(self, papers: SetupPapers, now: int) -> Told:
        author, shares = papers.author, dict(papers.shares)
        if refused := self.people.kept_out(author):
            return refused
        if self.active_setup(author) is not None:
            last = self.last_shamir
            return told("shamir_recovery_already_exists", last_shamir_certificate_timestamp=last)
        if papers.flaw in ("signature", "author", "threshold"):
            return told("invalid_certificate_brief_corrupted")
        if early_or_late := _out_of_ballpark(papers.dated, now):
            return early_or_late
        if papers.flaw == "user":
            return told("invalid_certificate_user_id_must_be_self")
        if len(papers.certificates) != len(shares):
            return told("invalid_certificate_missing_share_for_recipient")
        taken: set[str] = set()
        for recipient, flaw in papers.certificates:
            if flaw in ("signature", "author", "user"):
                return told("invalid_certificate_share_corrupted")
            if flaw == "date":
                return told("invalid_certificate_share_inconsistent_timestamp")
            if recipient not in shares:
                return told("invalid_certificate_share_recipient_not_in_brief")
            if recipient in taken:
                return told("invalid_certificate_duplicate_share_for_recipient")
            if recipient == author:
                return told("invalid_certificate_author_included_as_recipient")
            taken.add(recipient)
        if refused := self._recipients_refused([one for one, _ in papers.certificates]):
            return refused
        if older := self._not_newer(papers.dated):
            return older
        self.last_shamir = papers.dated
        self.setups[author, papers.dated] = Setup(
            author, papers.dated, shares, threshold=papers.threshold
        )
        self.secrets[author, papers.dated] = papers.secret
        return told("ok")

    def _recipients_refused(self, recipients: list[str]) -> Told | None:
        for recipient in recipients:
            if recipient not in self.people.by_name:
                return told("recipient_not_found")
            if self.people.by_name[recipient].revoked_on is not None:
                last = self.people.last_common
                return told("revoked_recipient", last_common_certificate_timestamp=last)
        return None

    def delete(self, papers: DeletionPapers, now: int) -> Told:
        if refused := self.people.kept_out(papers.author):
            return refused
        if papers.flaw:
            return told("invalid_certificate_corrupted")
        if early_or_late := _out_of_ballpark(papers.dated, now):
            return early_or_late
        if papers.owner != papers.author:
            return told("invalid_certificate_user_id_must_be_self")
        setup = self.setups.get((papers.author, papers.setup))
        if setup is None:
            return told("shamir_recovery_not_found")
        if papers.recipients != set(setup.shares):
            return told("recipients_mismatch")
        if setup.is_deleted:
            last = self.last_shamir
            return told("shamir_recovery_already_deleted", last_shamir_certificate_timestamp=last)
        if older := self._not_newer(papers.dated):
            return older
        self.last_shamir = papers.dated
        setup.is_deleted = True
        return told("ok")

    def _not_newer(self, dated: int) -> Told | None:
        last = max(self.people.last_common, self.last_shamir or 0)
        if dated <= last:
            return told("require_greater_timestamp", strictly_greater_than=last)
        return None

    # --- Reveal ---

    def reveal(self, token: bytes, secret: bytes, now: int) -> Told:
        if gone := self.gone(token, now):
            return gone
        invitation = self.by_token[token]
        if invitation.claimer is None or invitation.setup is None:
            return told("bad_invitation_type")
        if self.secrets[invitation.claimer, invitation.setup] != secret:
            return told("bad_reveal_token")
        return told("ok", ciphered_data=ciphered(invitation.claimer, invitation.setup))


def ciphered(owner: str, dated: int) -> bytes:
    """What is revealed of a set-up."""
    return f"{owner} {dated}".encode()


def _out_of_ballpark(dated: int, now: int) -> Told | None:
    if -300 * SECOND < now - dated < 320 * SECOND:
        return None
    return told(
        "timestamp_out_of_ballpark",
        ballpark_client_early_offset=300.0,
        ballpark_client_late_offset=320.0,
        client_timestamp=dated,
        server_timestamp=now,
    )
