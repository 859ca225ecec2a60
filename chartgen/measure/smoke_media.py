"""The checks of apps that are no chat models: vectors of texts, and speech."""

from __future__ import annotations

import math
import struct
from typing import Any

from chartgen.measure.smoke_asking import Asking, CheckFailedError

EMBEDDINGS = "/v1/embeddings"
SPEECH = "/v1/audio/speech"
_TEXTS = ["The door is open.", "Seven red apples lie on the table."]
_SENTENCE = "Hello, this is a short test."
# A name that OpenAI's clients send by default, so servers of this API take it for any voice.
_VOICE = "alloy"
# The shortest sentence that is said takes longer.
_LEAST_SECONDS = 0.3
# The kinds of WAV files whose sound is plain samples: integers, floats, and those that say which of
# the two in an extension (Microsoft's mmreg.h: WAVE_FORMAT_PCM, _IEEE_FLOAT, _EXTENSIBLE).
_SAMPLES = (1, 3, 0xFFFE)
# What servers state that write the head of a sound before they know its end.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


def check_embedding(asking: Asking) -> str:
    """Two texts get two different vectors of one length."""
    reply = asking.post(EMBEDDINGS, {"input": _TEXTS})
    document = reply.json()
    data = document.get("data") if isinstance(document, dict) else None
    entries = data if isinstance(data, list) else []
    given = [entry.get("embedding") for entry in entries if isinstance(entry, dict)]
    if len(given) != len(_TEXTS):
        raise CheckFailedError(f"2 texts got {len(given)} vectors: {asking.words(reply)}")
    first, second = map(_vector, given)
    if len(first) != len(second):
        raise CheckFailedError(f"the vectors have {len(first):,} and {len(second):,} numbers")
    if first == second:
        raise CheckFailedError("two different texts got the same vector")
    return f"2 vectors of {len(first):,} numbers"


def check_speech(asking: Asking) -> str:
    """A sentence becomes a sound of some length."""
    reply = asking.post(SPEECH, {"input": _SENTENCE, "voice": _VOICE, "response_format": "wav"})
    if not reply.media_type.startswith("audio/"):
        raise CheckFailedError(f"the answer is no sound but {asking.words(reply)}")
    sound = _wav(reply.body)
    if sound is None:
        raise CheckFailedError("the sound is no WAV file, as it was asked for")
    rate, data = sound
    # Servers that stream state more than they send; what came counts.
    seconds = len(data) / rate
    if seconds < _LEAST_SECONDS:
        raise CheckFailedError(f"the sound is only {seconds:.2f} s long")
    # Samples of 8 bits have their zero at 128.
    if data.count(data[0]) == len(data):
        raise CheckFailedError(f"{seconds:.1f} s of silence")
    return f"{seconds:.1f} s of sound after {reply.seconds:.1f} s"


def _wav(body: bytes) -> tuple[int, bytes] | None:
    """Return the bytes per second and the samples of a WAV file, None for anything else."""
    if body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        return None
    at, rate = 12, 0
    while at + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(body):
            kind, rate = struct.unpack_from("<H6xI", body, at)
            if kind not in _SAMPLES:
                return None
        elif name == b"data":
            end = len(body) if size in _UNKNOWN_SIZES else at + size
            return (rate, body[at:end]) if rate else None
        # Each chunk begins at an even place.
        at += size + size % 2
    return None


def _vector(value: Any) -> list[float]:
    numbers = [_number(given) for given in value] if isinstance(value, list) else []
    if not any(numbers) or not all(map(math.isfinite, numbers)):
        raise CheckFailedError("a vector is empty, has only zeros, or something that is no number")
    return numbers


def _number(value: Any) -> float:
    """Return a number of a vector, one that is not finite for what is none or too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
