"""Compression of the outgoing stream: zlib-stream, zstd-stream or none."""

import zlib
from collections.abc import Callable

Encoder = Callable[[str], bytes | str]

_ZSTD_START = bytes((0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38))  # magic, no options, a window of 128 KiB
_ZSTD_BLOCK = 128 * 1024


def plain() -> Encoder:
    return lambda text: text


def zlib_stream() -> Encoder:
    """One zlib context for the whole connection, flushed after every message."""
    context = zlib.compressobj(1)

    def encode(text: str) -> bytes:
        return context.compress(text.encode()) + context.flush(zlib.Z_SYNC_FLUSH)

    return encode


def zstd_stream() -> Encoder:
    """One endless zstd frame of stored blocks: every decoder reads it, and writing it needs no library."""
    start = _ZSTD_START

    def encode(text: str) -> bytes:
        nonlocal start
        raw = text.encode()
        blocks = [start]
        start = b""
        for at in range(0, len(raw), _ZSTD_BLOCK):
            block = raw[at : at + _ZSTD_BLOCK]
            blocks += ((len(block) << 3).to_bytes(3, "little"), block)
        return b"".join(blocks)

    return encode


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "": plain,
    "zlib-stream": zlib_stream,
    "zstd-stream": zstd_stream,
}
