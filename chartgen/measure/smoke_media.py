"""The checks of apps that are no chat models: vectors of texts, and speech."""

from __future__ import annotations

import io
import math
import wave
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
    try:
        with wave.open(io.BytesIO(reply.body)) as sound:
            # Servers that stream state more frames than they send; what came counts.
            frame = sound.getnchannels() * sound.getsampwidth()
            data = sound.readframes(sound.getnframes())
            seconds = len(data) / frame / sound.getframerate()
    except (wave.Error, EOFError, ZeroDivisionError):
        raise CheckFailedError("the sound is no WAV file, as it was asked for") from None
    if seconds < _LEAST_SECONDS:
        raise CheckFailedError(f"the sound is only {seconds:.2f} s long")
    if not any(data):
        raise CheckFailedError(f"{seconds:.1f} s of silence")
    return f"{seconds:.1f} s of sound after {reply.seconds:.1f} s"


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
