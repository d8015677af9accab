"""The commands about shared recoveries, as machines send them and as their models take them."""

from typing import TypeVar

import msgspec

from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import SigningKey
from parsec.data.certificates import (
    Certificate,
    ShamirRecoveryBriefCertificate,
    ShamirRecoveryDeletionCertificate,
    ShamirRecoveryShareCertificate,
)
from parsec.data.ids import AccessToken, DeviceID, UserID
from parsec.data.instant import Instant
from parsec.protocol import shamir as wire
from parsec.server.service import shamir as service
from tests.server.machines.model_shamir import (
    DeletionPapers,
    Recoveries,
    SetupPapers,
    ciphered,
)
from tests.server.machines.serial import Asked
from tests.server.machines.stage import Story, answer

NOBODY = "Nobody"
_NOBODY = UserID(b"nobody is that !")
_OTHER_KEY = SigningKey.generate(system_entropy)
_OTHER_DEVICE = DeviceID.generate(system_entropy)

Signed = TypeVar("Signed", bound=Certificate)


class ShamirRequests:
    """Those of the people of a story. Each is dated when it is made."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def set_up(self, papers: SetupPapers, server: int) -> Asked[Recoveries]:
        now, author = self.story.at(server), self.story.members[papers.author]
        total = sum(shares for _, shares in papers.shares)
        brief = ShamirRecoveryBriefCertificate(
            author=author.device_id,
            timestamp=Instant(papers.dated),
            user_id=_NOBODY if papers.flaw == "user" else author.user_id,
            threshold=total + 1 if papers.flaw == "threshold" else papers.threshold,
            per_recipient_shares={self._id(name): shares for name, shares in papers.shares},
        )
        request = wire.ShamirRecoverySetup(
            ciphered_data=ciphered(papers.author, papers.dated),
            reveal_token=AccessToken(papers.secret),
            shamir_recovery_brief_certificate=self._signed(brief, papers.author, papers.flaw),
            shamir_recovery_share_certificates=[
                self._share(papers, name, flaw) for name, flaw in papers.certificates
            ],
        )
        return Asked(
            ("set up", papers, now),
            lambda model, _: model.set_up(papers, now),
            lambda: answer(
                service.shamir_recovery_setup(self.story.device(papers.author, server), request)
            ),
        )

    def _share(self, papers: SetupPapers, recipient: str, flaw: str) -> bytes:
        author = self.story.members[papers.author]
        share = ShamirRecoveryShareCertificate(
            author=author.device_id,
            timestamp=Instant(papers.dated + 1 if flaw == "date" else papers.dated),
            user_id=_NOBODY if flaw == "user" else author.user_id,
            recipient=self._id(recipient),
            ciphered_share=b"share",
        )
        return self._signed(share, papers.author, flaw)

    def delete(self, papers: DeletionPapers, server: int) -> Asked[Recoveries]:
        now, author = self.story.at(server), self.story.members[papers.author]
        deletion = ShamirRecoveryDeletionCertificate(
            author=author.device_id,
            timestamp=Instant(papers.dated),
            setup_to_delete_timestamp=Instant(papers.setup),
            setup_to_delete_user_id=self._id(papers.owner),
            share_recipients=frozenset(self._id(name) for name in papers.recipients),
        )
        request = wire.ShamirRecoveryDelete(
            shamir_recovery_deletion_certificate=self._signed(deletion, papers.author, papers.flaw)
        )
        return Asked(
            ("delete", papers, now),
            lambda model, _: model.delete(papers, now),
            lambda: answer(
                service.shamir_recovery_delete(self.story.device(papers.author, server), request)
            ),
        )

    def reveal(self, token: AccessToken, secret: bytes, server: int) -> Asked[Recoveries]:
        now = self.story.at(server)
        request = wire.InviteShamirRecoveryReveal(reveal_token=AccessToken(secret))
        return Asked(
            ("reveal", token, secret, now),
            lambda model, _: model.reveal(token, secret, now),
            lambda: answer(
                service.invite_shamir_recovery_reveal(self.story.claimer(token, server), request)
            ),
        )

    def _signed(self, certificate: Signed, author: str, flaw: str) -> bytes:
        if flaw == "author":
            certificate = msgspec.structs.replace(certificate, author=_OTHER_DEVICE)
        key = _OTHER_KEY if flaw == "signature" else self.story.members[author].key
        return certificate.sign(key)

    def _id(self, name: str) -> UserID:
        return _NOBODY if name == NOBODY else self.story.members[name].user_id
