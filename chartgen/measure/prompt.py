"""What is asked of a model, and how a prompt is made as long as wanted."""

from __future__ import annotations

import random
from functools import cache
from importlib.resources import files
from typing import Any

from chartgen.measure.smoke_image import data_url, plain_png

# Words that tokenizers of English have whole, so that one of them with its space is about a token.
_WORDS = (
    *("river", "mountain", "window", "garden", "engine", "letter", "winter", "market"),
    *("silver", "forest", "morning", "bridge", "paper", "travel", "number", "station"),
    *("music", "summer", "island", "story", "doctor", "village", "kitchen", "planet"),
)


@cache
def game_prompt() -> str:
    """Return the shipped prompt: it asks for one whole HTML game, some 2,500 tokens or more."""
    return files("chartgen.measure").joinpath("prompt.txt").read_text(encoding="utf-8").strip()


def filler(words: int, seed: int) -> str:
    """Return text of so many words, different for each seed.

    An engine that keeps the prefixes of earlier prompts (prefix caching) would otherwise read a
    long prompt only once, and the later runs would measure its memory.
    """
    source = random.Random(seed)  # noqa: S311 - no secret: a seed has to give the same text again
    return " ".join(source.choice(_WORDS) for _ in range(words))


def messages(prompt: str, *, fill_words: int = 0, seed: int = 0, image: bool = False) -> list[Any]:
    """Return the messages of a request: the filler before the question, the picture with it."""
    text = prompt
    if fill_words:
        text = (
            f"Notes {seed} that have nothing to do with the task:\n\n"
            f"{filler(fill_words, seed)}\n\nEnd of the notes. The task:\n\n{prompt}"
        )
    if not image:
        return [{"role": "user", "content": text}]
    picture = {"type": "image_url", "image_url": {"url": data_url(plain_png())}}
    return [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]
