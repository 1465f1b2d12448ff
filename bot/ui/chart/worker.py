"""Process that renders SVG to PNG: the renderer holds Python's lock, which would block the event loop.

Run as a script by `chart.py`. Frames on standard input and output: four bytes of length, then as many bytes. A reply
starts with `+` and the PNG, or `-` and an error. Exits at the end of input or after some idle minutes.
"""

from __future__ import annotations

import select
import struct
import sys
from pathlib import Path
from typing import BinaryIO

IDLE_S = 300.0
_FONTS = [str(path) for path in sorted((Path(__file__).parent / "fonts").glob("*.ttf"))]


def png(svg: str) -> bytes:
    """Render an SVG document. Raises ValueError when that fails."""
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, skip_system_fonts=True, font_files=_FONTS, font_family="DejaVu Sans"
        )
    )


def serve(requests: BinaryIO, answers: BinaryIO, idle_s: float = IDLE_S) -> None:
    """Answer requests until the input ends or none arrives for `idle_s` seconds."""
    while select.select([requests], [], [], idle_s)[0]:
        head = _exactly(requests, 4)
        if len(head) < 4:
            return
        text = _exactly(requests, struct.unpack(">I", head)[0])
        try:
            answer = b"+" + png(text.decode())
        except Exception as problem:  # an error in one image must not end the process
            answer = b"-" + str(problem).encode()
        answers.write(struct.pack(">I", len(answer)) + answer)
        answers.flush()


def _exactly(requests: BinaryIO, length: int) -> bytes:
    """So many bytes, or fewer at the end: a pipe gives at most what fits into it at once."""
    found = bytearray()
    while len(found) < length and (more := requests.read(length - len(found))):
        found += more
    return bytes(found)


if __name__ == "__main__":
    # Unbuffered: select does not see what is already in a buffer.
    with open(0, "rb", buffering=0, closefd=False) as requests_, open(1, "wb", closefd=False) as answers_:
        try:
            serve(requests_, answers_)
        except (KeyboardInterrupt, BrokenPipeError):
            sys.exit(0)
