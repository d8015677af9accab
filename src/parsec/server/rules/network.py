"""Which addresses belong to networks."""

import ipaddress
from collections.abc import Sequence

from parsec.server.settings import Network


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether one of the networks holds an address; what is none is nowhere."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A socket for both versions tells addresses of the older one so.
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
