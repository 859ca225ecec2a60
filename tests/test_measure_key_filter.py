"""A key that is a word of eight letters or more is taken out; a shorter one mangles nothing."""

from __future__ import annotations

import pytest

from chartgen.market.deploy.secret import Secret
from chartgen.measure.key_filter import KeyFilter

SENTENCE = "1,024 token of audio or text, none of it empty"


@pytest.mark.parametrize("key", ["token", "audio", "text", "none", "1", "7-lettr"])
def test_short_key_mangles_nothing(key: str) -> None:
    known = KeyFilter(Secret(key))
    assert known.text(f"{SENTENCE} {key}") == f"{SENTENCE} {key}"
    assert known.header("Audio/WAV") == "audio/wav"
    assert known.header("text/event-stream") == "text/event-stream"
    assert known.pieces([(1.0, SENTENCE.encode())]) == ((1.0, SENTENCE.encode()),)


def test_key_of_eight_letters_is_shown_nowhere() -> None:
    known = KeyFilter(Secret("8letters"))
    assert known.text("is 8letters wrong?") == "is [secret] wrong?"
    assert known.header("text/8LETTERS") == "text/[secret]"
    assert known.pieces([(1.0, b"a 8let"), (2.0, b"ters z")]) == (
        (1.0, b"a [secret]"),
        (2.0, b" z"),
    )
