"""Which files of a speech server are sound."""

from __future__ import annotations

import struct

import pytest

from chartgen.evidence.record import Check
from tests.smoking import engine, run

pytestmark = pytest.mark.loopback
RATE = 24000
# The code of integer samples in an extended head (RFC 2361, appendix A).
INTEGERS = bytes.fromhex("0100000000001000800000aa00389b71")
FLOATS = struct.pack(f"<{RATE}f", *(at % 7 / 10 for at in range(RATE)))
SHORTS = struct.pack(f"<{RATE}h", *(at % 700 for at in range(RATE)))
SILENT_BYTES = b"\x80" * RATE


def sound(
    kind: int, bits: int, data: bytes, *, size: int | None = None, more: bytes = b""
) -> bytes:
    """Return a WAV file of one channel; `size` is what is stated, `more` follows the format."""
    each = bits // 8
    form = struct.pack("<HHIIHH", kind, 1, RATE, RATE * each, each, bits) + more
    stated = len(data) if size is None else size
    chunks = b"".join(
        name + struct.pack("<I", long) + body
        for name, long, body in (
            (b"fmt ", len(form), form),
            # A chunk of odd length is filled up.
            (b"LIST", 3, b"abc\0"),
            (b"data", stated, data),
        )
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def speech(body: bytes) -> Check:
    """Return what a smoke test says of a sound."""
    with engine(posts={"/v1/audio/speech": (200, "audio/wav", body)}) as server:
        return run(server.url)["speech"].check


@pytest.mark.parametrize(
    "body",
    [
        sound(1, 16, SHORTS),
        sound(3, 32, FLOATS),
        sound(0xFFFE, 16, SHORTS, more=struct.pack("<HHI", 22, 16, 4) + INTEGERS),
        sound(1, 16, SHORTS, size=0),
        sound(3, 32, FLOATS, size=0xFFFFFFFF),
        sound(1, 16, SHORTS, size=0x7FFFFFFF),
        sound(1, 16, SHORTS) + b"LIST" + struct.pack("<I", 999_999) + bytes(999_999),
    ],
    ids=["integers", "floats", "extended", "size 0", "size unknown", "size too large", "more"],
)
def test_a_second_of_sound(body: bytes) -> None:
    check = speech(body)
    assert check.outcome == "passed", check.detail
    assert check.detail.startswith("1.0 s of sound")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (sound(1, 8, SILENT_BYTES), "1.0 s of silence"),
        (sound(1, 16, b"", size=0), "only 0.00 s"),
        (sound(85, 16, SHORTS), "no WAV file"),
        (sound(1, 0, SHORTS), "no WAV file"),
        (sound(1, 16, SHORTS)[:30], "no WAV file"),
        (sound(1, 16, SHORTS).replace(b"data", b"dato"), "no WAV file"),
        (sound(1, 16, SHORTS).replace(b"fmt ", b"form"), "no WAV file"),
        (sound(1, 16, SHORTS).replace(b"WAVE", b"AVI "), "no WAV file"),
        (b"RIFF", "no WAV file"),
        (b"", "no WAV file"),
    ],
)
def test_what_is_no_sound(body: bytes, words: str) -> None:
    check = speech(body)
    assert check.outcome == "failed"
    assert words in check.detail
