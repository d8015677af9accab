"""Whole greetings: each side is replayed with its secrets against what the other one sent."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from parsec.client.dialogue import ChooseSASCode
from parsec.client.flows.greeting import (
    Channel,
    GreetingFault,
    Joined,
    check_nonce,
    decrypted_payload,
    join_as_claimer,
    join_as_greeter,
    trust_as_claimer,
    trust_as_greeter,
)
from parsec.client.step import Ask, Call, Step
from parsec.crypto.entropy import Entropy
from parsec.crypto.keys import HashDigest, SecretKey
from parsec.crypto.sas import SASCode
from parsec.data import greeting as payloads
from parsec.data.ids import GreetingAttemptID
from parsec.protocol import greeting as wire
from parsec.protocol.command import Reply
from parsec.protocol.statuses import GreeterOrClaimer, Ok
from parsec.wire.frame import load_frame
from parsec.wire.msgpack import Reader, dump
from tests.conformance.registry import Vector, handles
from tests.support.flows import Clock, carry_out
from tests.support.lines import claimer_line, greeter_line

_PAYLOADS: dict[str, tuple[type[Any], type[Any]]] = {
    "user": (payloads.InviteUserData, payloads.InviteUserConfirmation),
    "device": (payloads.InviteDeviceData, payloads.InviteDeviceConfirmation),
    "shamir_recovery": (
        payloads.InviteShamirRecoveryData,
        payloads.InviteShamirRecoveryConfirmation,
    ),
}


@handles("client-greeting-transcripts")
def check_transcript(vector: Vector, _document: dict[str, Any]) -> None:
    if vector.get("fault"):
        _check_fault(vector)
        return
    _replay_claimer(vector)
    _replay_greeter(vector)


def _check_fault(vector: Vector) -> None:
    with pytest.raises(GreetingFault) as fault:
        _receive_faulty(vector)
    assert fault.value.reason.value == vector["expected"]["cancel_reason"]


def _receive_faulty(vector: Vector) -> None:
    if "hashed_nonce_hex" in vector:
        promised = HashDigest(bytes.fromhex(vector["hashed_nonce_hex"]))
        check_nonce(bytes.fromhex(vector["claimer_nonce_hex"]), promised)
        return
    by_claimer, by_greeter = _PAYLOADS[vector["kind"]]
    kind = by_claimer if vector["role"] == "greeter" else by_greeter
    key = SecretKey(bytes.fromhex(vector["shared_key_hex"]))
    decrypted_payload(bytes.fromhex(vector["payload_hex"]), key, kind)


def _replay_claimer(vector: Vector) -> None:
    secrets, expected = vector["secrets"], vector["expected"]
    means = Clock().means(_prepared(secrets["claimer_private_hex"], secrets["claimer_nonce_hex"]))
    peer = _Peer(vector, GreeterOrClaimer.CLAIMER, SASCode(expected["greeter_sas"]))

    joined = carry_out(join_as_claimer(claimer_line(), means), peer.answer)
    _check_joined(joined, expected)
    channel = carry_out(trust_as_claimer(joined), peer.answer)
    sent, received = _PAYLOADS[vector["kind"]]
    own = _payload(vector, "claimer", sent, channel)
    answer = carry_out(channel.send_first(own, received), peer.answer)

    assert _plain(answer) == _expected_plain(expected["greeter_payload_clear"])


def _replay_greeter(vector: Vector) -> None:
    secrets, expected = vector["secrets"], vector["expected"]
    means = Clock().means(_prepared(secrets["greeter_private_hex"], secrets["greeter_nonce_hex"]))
    peer = _Peer(vector, GreeterOrClaimer.GREETER, SASCode(expected["claimer_sas"]))

    joined = carry_out(join_as_greeter(greeter_line(), means), peer.answer)
    _check_joined(joined, expected)
    channel = carry_out(trust_as_greeter(joined), peer.answer)
    received, sent = _PAYLOADS[vector["kind"]]
    wish = carry_out(channel.receive_first(received), peer.answer)
    carry_out(channel.answer(_payload(vector, "greeter", sent, channel)), peer.answer)

    assert _plain(wish) == _expected_plain(expected["claimer_payload_clear"])


def _check_joined(joined: Joined, expected: dict[str, Any]) -> None:
    assert bytes(joined.key).hex() == expected["shared_key_hex"]
    assert joined.codes.claimer == expected["claimer_sas"]
    assert joined.codes.greeter == expected["greeter_sas"]


class _Peer:
    """Answers with the recorded steps of the peer, having compared ours with the recorded ones."""

    def __init__(self, vector: Vector, side: GreeterOrClaimer, code: SASCode) -> None:
        self._vector = vector
        self._side = side.value.lower()
        self._code = code
        self._key = SecretKey(bytes.fromhex(vector["expected"]["shared_key_hex"]))
        self._attempt = GreetingAttemptID(bytes.fromhex(vector["greeting_attempt"]))

    def answer(self, step: Step) -> Any:
        if isinstance(step, Call):
            return self._reply(step.request)
        if isinstance(step, Ask):
            assert isinstance(step.question, ChooseSASCode)
            assert self._code in step.question.choices
            return self._code
        return None

    def _reply(self, request: Any) -> Reply:
        match request:
            case wire.InviteClaimerStartGreetingAttempt():
                return wire.InviteClaimerStartGreetingAttemptOk(greeting_attempt=self._attempt)
            case wire.InviteGreeterStartGreetingAttempt():
                return wire.InviteGreeterStartGreetingAttemptOk(greeting_attempt=self._attempt)
            case wire.InviteClaimerStep():
                recorded = self._compared(request.claimer_step)
                return wire.InviteClaimerStepOk(
                    greeter_step=_read(recorded["greeter"], wire.GreeterStep)
                )
            case wire.InviteGreeterStep():
                recorded = self._compared(request.greeter_step)
                return wire.InviteGreeterStepOk(
                    claimer_step=_read(recorded["claimer"], wire.ClaimerStep)
                )
        return Ok()

    def _compared(self, step: Any) -> dict[str, Any]:
        ours = msgspec.msgpack.decode(dump(step))
        recorded: dict[str, Any] = next(
            pair for pair in self._vector["steps"] if pair[self._side]["step"] == ours["step"]
        )
        theirs = _expected_plain(recorded[self._side])
        for name in theirs.keys() & {"claimer_payload", "greeter_payload"}:
            # Encrypted under a nonce that nobody recorded as chosen: compare what is inside.
            ours[name] = self._opened(ours[name])
            theirs[name] = self._opened(theirs[name])
        assert ours == theirs
        return recorded

    def _opened(self, ciphertext: bytes) -> Any:
        return msgspec.msgpack.decode(load_frame(self._key.decrypt(ciphertext)))


def _payload(vector: Vector, side: str, kind: type[Any], channel: Channel) -> Any:
    recorded = next(pair[side] for pair in vector["steps"] if f"{side}_payload" in pair[side])
    return kind.decrypt(bytes.fromhex(recorded[f"{side}_payload"]["hex"]), channel.key)


def _prepared(private_hex: str, nonce_hex: str) -> Entropy:
    """The recorded private key, then the recorded nonce; what nobody recorded is all zeros."""
    recorded: Iterator[bytes] = iter([bytes.fromhex(private_hex), bytes.fromhex(nonce_hex)])

    def entropy(size: int) -> bytes:
        drawn = next(recorded, bytes(size))
        assert len(drawn) == size
        return drawn

    return entropy


def _read(recorded: dict[str, Any], kind: Any) -> Any:
    return Reader[Any](kind).load(msgspec.msgpack.encode(_expected_plain(recorded)))


def _plain(record: Any) -> Any:
    return msgspec.msgpack.decode(dump(record))


def _expected_plain(value: Any) -> Any:
    """The notation of the vector files as the plain values that MessagePack gives."""
    if isinstance(value, list):
        return [_expected_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    special: dict[str, Callable[[Any], Any]] = {
        "hex": bytes.fromhex,
        "uuid": lambda text: msgspec.msgpack.Ext(2, bytes.fromhex(text)),
        "us": lambda us: msgspec.msgpack.Ext(1, us.to_bytes(8, "big", signed=True)),
    }
    if len(value) == 1 and (name := next(iter(value))) in special:
        return special[name](value[name])
    return {key: _expected_plain(item) for key, item in value.items()}
