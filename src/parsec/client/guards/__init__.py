"""Guards: where the keys of device files come from."""

from parsec.client.guards.prepared import PreparedGuard
from parsec.client.protection import Guard, ProtectionFields

__all__ = ["Guard", "PreparedGuard", "ProtectionFields"]
