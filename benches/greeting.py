"""The dance of an invitation, from both sides' attempts to the last of its nine steps."""

import statistics
import time
from collections.abc import Sequence
from typing import Any, TypeVar

from benches.community import Community
from benches.load import OFFICIAL
from benches.report import Report
from parsec.crypto.entropy import system_entropy
from parsec.crypto.keys import HashDigest, PrivateKey
from parsec.data.people import EmailAddress
from parsec.protocol import greeting as wire
from parsec.protocol.authentication import invitation_authorization
from parsec.protocol.command import Request, dump_request, load_reply
from parsec.protocol.invite import InviteNewUser, InviteNewUserOk

R = TypeVar("R")

_KEY = PrivateKey.generate(system_entropy).public_key
_NONCE = bytes(64)
_PAYLOAD = bytes(500)

CLAIMER_STEPS: Sequence[Any] = (
    wire.ClaimerStep0WaitPeer(public_key=_KEY),
    wire.ClaimerStep1SendHashedNonce(hashed_nonce=HashDigest.of(_NONCE)),
    wire.ClaimerStep2GetNonce(),
    wire.ClaimerStep3SendNonce(claimer_nonce=_NONCE),
    wire.ClaimerStep4SignifyTrust(),
    wire.ClaimerStep5WaitPeerTrust(),
    wire.ClaimerStep6SendPayload(claimer_payload=_PAYLOAD),
    wire.ClaimerStep7GetPayload(),
    wire.ClaimerStep8Acknowledge(),
)
GREETER_STEPS: Sequence[Any] = (
    wire.GreeterStep0WaitPeer(public_key=_KEY),
    wire.GreeterStep1GetHashedNonce(),
    wire.GreeterStep2SendNonce(greeter_nonce=_NONCE),
    wire.GreeterStep3GetNonce(),
    wire.GreeterStep4WaitPeerTrust(),
    wire.GreeterStep5SignifyTrust(),
    wire.GreeterStep6GetPayload(),
    wire.GreeterStep7SendPayload(greeter_payload=_PAYLOAD),
    wire.GreeterStep8WaitPeerAcknowledgment(),
)
REQUESTS = 2 + 3 * len(CLAIMER_STEPS)


def measure(communities: Sequence[Community], *, quick: bool) -> Report:
    rounds = 3 if quick else 15
    seconds: dict[str, list[float]] = {}
    computed: dict[str, list[float]] = {}
    for number in range(rounds):
        for community in communities:
            name, cpu = community.contestant.name, community.contestant.cpu()
            seconds.setdefault(name, []).append(dance(community, number))
            computed.setdefault(name, []).append(community.contestant.cpu() - cpu)
    report = Report(
        f"A greeting, {REQUESTS} requests one after the other", ["server", "ms", "CPU ms", "ratio"]
    )
    medians = {name: statistics.median(some) for name, some in seconds.items()}
    for name, median in medians.items():
        ratio = f"{medians[OFFICIAL] / median:.1f}×" if OFFICIAL in medians else "–"
        cpu_ms = statistics.fmean(computed[name]) * 1000
        report.add(name, f"{median * 1000:.0f}", f"{cpu_ms:.0f}", ratio)
    return report


def dance(community: Community, number: int) -> float:
    """Seconds that all the requests take."""
    email = EmailAddress(f"dancer{number}@example.com")
    made = community.call(InviteNewUser(claimer_email=email, send_email=False))
    assert isinstance(made, InviteNewUserOk), made
    authorization = invitation_authorization(made.token)

    def claimer(request: Request[R]) -> Any:
        headers = community.headers(community.admin) | {"Authorization": authorization}
        path = f"/invited/{community.organization}"
        return load_reply(type(request), community.post(path, dump_request(request), headers))

    start = time.perf_counter()
    begun = claimer(wire.InviteClaimerStartGreetingAttempt(greeter=community.admin.user_id))
    community.call(wire.InviteGreeterStartGreetingAttempt(token=made.token))
    attempt = begun.greeting_attempt
    for ours, theirs in zip(CLAIMER_STEPS, GREETER_STEPS, strict=True):
        # The first comes too early and asks again.
        step = wire.InviteClaimerStep(greeting_attempt=attempt, claimer_step=ours)
        claimer(step)
        greeter = wire.InviteGreeterStep(greeting_attempt=attempt, greeter_step=theirs)
        assert isinstance(community.call(greeter), wire.InviteGreeterStepOk)
        assert isinstance(claimer(step), wire.InviteClaimerStepOk)
    return time.perf_counter() - start
