"""Markets for the tests of the web page: with engine settings, and with hostile texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from chartgen.market.page import page_files
from chartgen.release.record import Release
from tests.markets import Market, released, sample

LONG_WORD = "Donaudampfschifffahrt" * 20
ATTACK = "<script>document.title='owned'</script>"
# Tags, quotes, template text, right-to-left override, an Arabic word, emoji, an unbroken word.
HOSTILE = (
    f"{ATTACK}\"'><img src=x onerror=alert(1)> {{{{ 7 }}}} {{% x %}} "
    f"\u202edlrow مرحبا 🦙 {LONG_WORD}"
)
VISION_SPEC: dict[str, Any] = {
    "title": "Vision",
    "summary": "Sees and calls tools, {context} context",
    "engine": {
        "kind": "vllm",
        "image": "vllm/vllm-openai:v0.21.0",
        "context": 131072,
        "args": {
            "limit-mm-per-prompt": {"image": 1},
            "enable-auto-tool-choice": True,
            "tool-call-parser": "gemma4",
            "kv-cache-dtype": "fp8",
        },
    },
    "categories": ["Models"],
    "gpu": {"memory": "23Gi"},
}
HOSTILE_SPEC: dict[str, Any] = {
    "title": "<b>\"&'{{ x }}</b>🦙",
    "summary": HOSTILE,
    "about": f"# {HOSTILE}\n\n### Two\n\n[x](javascript:alert(1)) ![alt]({ATTACK})\n\n"
    f"| a | b |\n|---|:-:|\n| {LONG_WORD} | {LONG_WORD} |\n\n```\n{HOSTILE}\n```\n\n{ATTACK}\n",
    "developer": HOSTILE,
    "categories": ["<i>x</i>", "مرحبا", LONG_WORD],
    "website": f"https://example.com/?q={ATTACK}",
    "license": [{"text": HOSTILE, "url": "javascript:alert(1)"}],
    "engine": {"args": {"served-model-name": HOSTILE, "seed": LONG_WORD}},
    "env": {"X_TEXT": HOSTILE, "X_ASKED": {"ask": HOSTILE, "description": HOSTILE}},
    "i18n": {"ar": {"title": "مرحبا", "summary": HOSTILE, "about": HOSTILE}},
}


def release_of(
    name: str, version: str, day: int, spec: Mapping[str, Any], **more: Any
) -> tuple[Release, dict[str, bytes]]:
    """A release whose line in the ledger holds the settings of its spec, as published ones do."""
    line, files = released(name, version, day, **{**spec, **more})
    return replace(line, settings={"name": name, "version": version, **spec}), files


@cache
def market() -> Market:
    """The sample market, with an app that sees, one of two versions, and one of hostile texts."""
    before = VISION_SPEC | {"engine": VISION_SPEC["engine"] | {"context": 16384}}
    return sample().grown(
        release_of("vision", "1.0.0", 10, before),
        release_of("vision", "1.0.1", 12, VISION_SPEC, notes=["Context of 128K"]),
        release_of("hostile", "1.0.0", 11, HOSTILE_SPEC, notes=[HOSTILE]),
    )


@cache
def pages() -> dict[str, str]:
    """The HTML pages of the market, by path."""
    files = page_files(market().catalog(), market().read)
    return {p: f.data.decode() for p, f in files.items() if p.endswith(".html") and f.data}


@cache
def site_files() -> dict[str, tuple[bytes, str]]:
    """The whole site: path to bytes and type."""
    catalog = market().catalog()
    site = market().site(page_files(catalog, market().read))
    return {path: (site.content(path), file.content_type) for path, file in site.files.items()}
