"""The frame of signed and encrypted data: a zero byte for the format, then Zstandard.

`wire.md` 3.8. Frames on the wire carry no content size, so a reader has to bring its own limit,
which is also what stops a small frame from expanding to gigabytes.
"""

import threading

import zstandard

from parsec.wire.msgpack import MalformedError

MANIFEST_LIMIT = 64 << 20
DEFAULT_LIMIT = 1 << 20
"""Most bytes that a frame may hold, uncompressed: for manifests, and for anything else."""

_FORMAT = b"\x00"
_SMALL = 4096
_STEP = 64
_MAX_FRAMES = 16


def dump_frame(payload: bytes) -> bytes:
    """Compress a payload and put the format byte in front."""
    return _FORMAT + _kept.compressor.compress(payload)


def load_frame(data: bytes, *, limit: int = DEFAULT_LIMIT) -> bytes:
    """The payload of a frame. Raises MalformedError, also for one above `limit` bytes."""
    if data[:1] != _FORMAT:
        raise MalformedError("unknown format of a frame")
    compressed = data[1:]
    try:
        announced = zstandard.get_frame_parameters(compressed).content_size
        if announced == 0:
            # The library would not look at what follows.
            return _load_slowly(compressed, limit)
        if announced > limit and announced != zstandard.CONTENTSIZE_UNKNOWN:
            raise MalformedError("frame expands too much")
        return _kept.decompressor.decompress(
            compressed, max_output_size=_guess(compressed, limit), allow_extra_data=False
        )
    except zstandard.ZstdError:
        return _load_slowly(compressed, limit)


def _guess(compressed: bytes, limit: int) -> int:
    # The whole size is allocated beforehand; nearly all frames are certificates of some 200 bytes.
    return _SMALL if len(compressed) * 4 < _SMALL else limit


def _load_slowly(compressed: bytes, limit: int) -> bytes:
    """Any series of a few frames, fed in small steps: none expands far beyond the limit."""
    payload = bytearray()
    for _ in range(_MAX_FRAMES):
        rest = _load_next(compressed, payload, limit)
        if not rest:
            return bytes(payload)
        compressed = rest
    raise MalformedError("too many frames in a row")


def _load_next(compressed: bytes, payload: bytearray, limit: int) -> bytes:
    """Add what the next frame holds to the payload; what follows it is left."""
    reader = zstandard.ZstdDecompressor().decompressobj()
    at = 0
    while at < len(compressed) and not reader.eof:
        payload += _decompress(reader, compressed[at : at + _STEP])
        at += _STEP
        if len(payload) > limit:
            raise MalformedError("frame expands too much")
    if not reader.eof:
        raise MalformedError("frame is truncated")
    return reader.unused_data + compressed[at:]


def _decompress(reader: "zstandard.ZstdDecompressionObj", step: bytes) -> bytes:
    try:
        return reader.decompress(step)
    except zstandard.ZstdError:
        raise MalformedError("frame is not Zstandard") from None


class _Kept(threading.local):
    # Contexts are worth keeping, and may not be shared between threads.
    def __init__(self) -> None:
        # Without content size, because official writers announce none either.
        self.compressor = zstandard.ZstdCompressor(write_content_size=False)
        self.decompressor = zstandard.ZstdDecompressor()


_kept = _Kept()
