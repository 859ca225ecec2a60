"""Markets for the tests of the web page: with engine settings, and with hostile texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from chartgen.evidence.record import Check, Measurement, Published, Run
from chartgen.evidence.statistics import LEAST_RUNS
from chartgen.market.page import page_files
from chartgen.release.record import Release
from chartgen.render.patches import merge_patch
from tests.markets import Market, released, sample
from tests.specs import SMALL

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
    stated = {"name": name, "version": version, **spec}
    return replace(line, settings=merge_patch(SMALL, stated)), files


@cache
def market() -> Market:
    """The sample market, with an app that sees, one of two versions, and one of hostile texts."""
    before = VISION_SPEC | {"engine": VISION_SPEC["engine"] | {"context": 16384}}
    return sample().grown(
        release_of("vision", "1.0.0", 10, before),
        release_of("vision", "1.0.1", 12, VISION_SPEC, notes=["Context of 128K"]),
        release_of("hostile", "1.0.0", 11, HOSTILE_SPEC, notes=[HOSTILE]),
    )


STEADY = (250.35, 250.87, 252.97, 252.14, 249.51, 247.84, 252.48, 249.61, 248.61, 251.10)
TWO_SPEEDS = (218, 229, 62, 223, 215, 103, 62, 224, 62, 221)


def bench(app: str, version: str, rates: Sequence[float], **more: Any) -> Measurement:
    """A bench on the machine of the market, with a run for each of the rates (tokens/s).

    A single rate is that of as many runs as a number takes.
    """
    runs = tuple(Run(float(rate)) for rate in rates) * (LEAST_RUNS if len(rates) == 1 else 1)
    given = {"hardware": "olares-one", "runs": runs, **more}
    return Measurement(kind="bench", app=app, version=version, **given)


def smoke(app: str, version: str, **outcomes: Any) -> Measurement:
    """A smoke test with the outcome of each check by its name."""
    checks = tuple(Check(name, outcome) for name, outcome in outcomes.items())
    return Measurement(kind="smoke", app=app, version=version, checks=checks)


@cache
def measured_market() -> Market:
    """The market with evidence: of two versions, of two speeds, of a trial, of hostile texts."""
    published = Published(mean=135.97, least=135.67, most=136.23, runs=10)
    post = "https://example.com/post"
    cold = (
        Run(212.41, cold=True),
        *(Run(rate, None, None, 2000, 40, 864, 1000) for rate in STEADY),
    )
    hostile = bench(
        "hostile",
        "1.0.0",
        STEADY,
        engine=HOSTILE[:900],
        hardware=HOSTILE[:900],
        note=HOSTILE[:900],
        source=f"https://example.com/{ATTACK}",
    )
    failed = Check("tools", "failed", HOSTILE[:900])
    return market().measured(
        bench("vision", "1.0.0", (), published=published, source=post, context=16384),
        bench("vision", "1.0.1", (), runs=cold, date="2026-11-20", engine="0.21.0", context=131072),
        bench("vision", "", TWO_SPEEDS, trial="with another draft model", context=32768),
        smoke("vision", "1.0.1", health="passed", vision="passed", tools="skipped"),
        bench("alpha", "1.1.1", TWO_SPEEDS, date="2026-11-20"),
        hostile,
        Measurement(
            "bench", "hostile", "", runs=(Run(1.0),), trial=HOSTILE[:900], source=HOSTILE[:900]
        ),
        Measurement("smoke", "hostile", "1.0.0", checks=(failed,)),
    )


@cache
def two_machines() -> Market:
    """The sample market with two apps for another machine: the faster one, and one unmeasured."""
    other = {"hardware": "rtx-4090"}
    grown = market().grown(
        release_of("quick", "1.0.0", 20, {**VISION_SPEC, **other, "title": "Quick"}),
        release_of("quiet", "1.0.0", 21, {**VISION_SPEC, **other, "title": "Quiet"}),
    )
    return grown.measured(
        bench("vision", "1.0.1", STEADY),
        bench("quick", "1.0.0", [rate + 10 for rate in STEADY], hardware="rtx-4090"),
        # A publication that names no version gives no release a number.
        bench("quiet", "", [777.0] * 10, source="https://example.com/post"),
    )


@cache
def pages() -> dict[str, str]:
    """The HTML pages of the market, by path."""
    return pages_of(market())


@cache
def measured_pages() -> dict[str, str]:
    """The HTML pages of the market with evidence, by path."""
    return pages_of(measured_market())


def pages_of(found: Market) -> dict[str, str]:
    """The HTML pages of a market, by path."""
    files = page_files(found.catalog(), found.read)
    return {p: f.data.decode() for p, f in files.items() if p.endswith(".html") and f.data}


@cache
def site_files() -> dict[str, tuple[bytes, str]]:
    """The whole site with evidence: path to bytes and type."""
    found = measured_market()
    site = found.site(page_files(found.catalog(), found.read))
    return {path: (site.content(path), file.content_type) for path, file in site.files.items()}
