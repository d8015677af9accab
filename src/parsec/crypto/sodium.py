"""libsodium, loaded when it is first used: who only looks at names and files needs none of it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nacl import bindings, exceptions
else:

    def __getattr__(name):
        if name not in ("bindings", "exceptions"):
            raise AttributeError(name)
        from nacl import bindings, exceptions

        globals().update(bindings=bindings, exceptions=exceptions)
        return globals()[name]


__all__ = ["bindings", "exceptions"]
