"""A way out whose mails are counted."""

from parsec.server.meter import Meter
from parsec.server.outbound.mailer import Envelope, Mailer, Outcome


class CountedMailer:
    """Stands in front of another one."""

    def __init__(self, mailer: Mailer, meter: Meter) -> None:
        self._mailer = mailer
        self._meter = meter

    async def send(self, envelope: Envelope, /) -> Outcome:
        """Never raises."""
        outcome = await self._mailer.send(envelope)
        self._meter.mail(outcome.name.lower())
        return outcome
