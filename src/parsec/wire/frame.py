"""The frame of signed and encrypted data: a zero byte for the format, then Zstandard.

`wire.md` 3.8. Frames on the wire carry no content size, so a reader has to bring its own limit,
which is also what stops a small frame from expanding to gigabytes.
"""

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from parsec.wire.msgpack import MalformedError

if TYPE_CHECKING:
    import zstandard

MANIFEST_LIMIT = 64 << 20
DEFAULT_LIMIT = 1 << 20
"""Most bytes that a frame may hold, uncompressed: for manifests, and for anything else."""

_FORMAT = b"\x00"
_MAX_FRAMES = 16
"""Several Zstandard frames in a row are one text; nobody writes them, and each costs time."""


def dump_frame(payload: bytes) -> bytes:
    """Compress a payload and put the format byte in front."""
    return _FORMAT + _kept.compressor.compress(payload)


def load_frame(data: bytes, *, limit: int = DEFAULT_LIMIT) -> bytes:
    """The payload of a frame. Raises MalformedError, also for one above `limit` bytes."""
    if data[:1] != _FORMAT:
        raise MalformedError("unknown format of a frame")
    compressed, payload = data[1:], bytearray()
    for _ in range(_MAX_FRAMES):
        compressed = _load_next(compressed, payload, limit)
        if not compressed:
            return bytes(payload)
    raise MalformedError("too many frames in a row")


def _load_next(compressed: bytes, payload: bytearray, limit: int) -> bytes:
    """Add what the next frame holds to the payload, and give back what follows the frame."""
    from zstandard import ZstdError

    # Decompressing in one call would let the frame decide how much memory that takes, and the
    # library would not tell whether something follows. A byte expands to 32 KiB at most.
    step = max(64, limit >> 15)
    reader = _kept.decompressor.decompressobj()
    at = 0
    while at < len(compressed) and not reader.eof:
        try:
            payload += reader.decompress(compressed[at : at + step])
        except ZstdError:
            raise MalformedError("frame is not Zstandard") from None
        if len(payload) > limit:
            raise MalformedError("frame expands too much")
        at += step
    if not reader.eof:
        raise MalformedError("frame is truncated")
    return reader.unused_data + compressed[at:]


class _Kept(threading.local):
    # Contexts are worth keeping, and may not be shared between threads. The library is loaded when
    # it is used, as it takes longer than a small command.
    @cached_property
    def compressor(self) -> "zstandard.ZstdCompressor":
        import zstandard

        # Without content size, because official writers announce none either.
        return zstandard.ZstdCompressor(write_content_size=False)

    @cached_property
    def decompressor(self) -> "zstandard.ZstdDecompressor":
        import zstandard

        return zstandard.ZstdDecompressor()


_kept = _Kept()
