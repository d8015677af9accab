"""What a server recommends, and the one-time codes of a client."""

from typing import Any

import pytest

from parsec.crypto.totp import base32_secret, time_step, totp_code
from parsec.data.address import AddressError, TOTPResetAddr
from parsec.data.advisory import Advisory, Primary, Protection
from parsec.data.instant import Instant
from tests.conformance.registry import Vector, handles


@handles("client-advisory")
def check_advisory(vector: Vector, _document: dict[str, Any]) -> None:
    expected = vector["expected"]
    if "string" not in vector:
        protection = Protection(Primary(vector["device_primary"]), vector["device_has_totp"])
        assert Advisory.parse(vector["advisory"]).decide(protection).value == expected["decision"]
    elif "error" in expected:
        with pytest.raises(ValueError):
            Protection.parse(vector["string"])
        assert Advisory.parse([vector["string"]]) == Advisory()
    else:
        parsed = Protection.parse(vector["string"])
        assert (parsed.primary.value, parsed.with_totp) == (
            expected["primary"],
            expected["with_totp"],
        )
        assert str(parsed) == vector["string"]


@handles("client-totp")
def check_totp(vector: Vector, _document: dict[str, Any]) -> None:
    if "url" in vector:
        _check_reset_address(vector)
        return
    secret = bytes.fromhex(vector["secret_hex"])
    if "unix_time" in vector:
        now = Instant.from_seconds(vector["unix_time"])
        assert base32_secret(secret) == vector["expected"]["base32"]
        assert totp_code(secret, time_step(now)) == vector["expected"]["code"]
    else:
        # Our own label differs: only the secret in it matters.
        assert f"secret={base32_secret(secret)}&" in vector["expected"]["uri_of_official_client"]


def _check_reset_address(vector: Vector) -> None:
    expected = vector["expected"]
    if "error" in expected:
        with pytest.raises(AddressError):
            TOTPResetAddr.parse(vector["url"])
        return
    for url in (vector["url"], vector["http_url"]):
        addr = TOTPResetAddr.parse(url)
        assert addr.server.url == expected["server"]
        assert addr.organization_id == expected["organization_id"]
        assert addr.user_id.hex() == expected["user_id"]
        assert addr.token.hex() == expected["token_hex"]
        assert addr.url == vector["url"]
