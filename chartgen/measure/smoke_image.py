"""A picture of one colour, made here: what a vision check shows to the model."""

from __future__ import annotations

import base64
import struct
import zlib

RED = (255, 0, 0)
SIDE_PIXELS = 64


def plain_png(colour: tuple[int, int, int] = RED, side: int = SIDE_PIXELS) -> bytes:
    """Return a square PNG of one colour, `side` pixels wide (PNG specification 1.2, §3, §4.1)."""
    # Width, height, 8 bits per channel, red-green-blue; compression, filter, interlace: none else.
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    row = b"\0" + bytes(colour) * side
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(row * side, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def data_url(png: bytes) -> str:
    """Return a PNG as the address that holds it, as chat requests take it."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
