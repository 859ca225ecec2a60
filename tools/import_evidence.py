"""Write apps/evidence/ from what was published of the apps, or compare it with --check.

This is the only place where these numbers are typed. Nothing that is there is replaced. What a
publication does not tell stays empty: no date, and often no version. A measurement without a
version is never taken for one of the app as it is today.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chartgen.evidence.files import FOLDER, evidence_folder, evidence_name
from chartgen.evidence.record import Measurement, Published, Run, measurement_json
from chartgen.evidence.store import keep

APPS = Path(__file__).resolve().parent.parent / "apps"

_BLOG = "https://airelien.dev/en/posts"
OFFICE = f"{_BLOG}/gemma4-vision-vllm-office-workhorse-128k/"
VISION_MTP = f"{_BLOG}/gemma4-26b-vision-mtp-250-tps-vllm-021/"
QWEN_MTP = f"{_BLOG}/qwen36-35b-a3b-mtp-249-tps-new-champion/"
DFLASH_SWEEP = f"{_BLOG}/gemma4-dflash-nspec-sweep-blackwell-mobile/"
BEELLAMA = f"{_BLOG}/beellama-cpp-262k-blackwell-mobile/"

# Tags of the images as the publications name them.
_PREVIEW = "vllm/vllm-openai:tokenspeed-preview-x86_64-ubuntu2404"
_VLLM_021 = "vllm/vllm-openai:v0.21.0-cu129"
_VLLM_021_STABLE = "vllm/vllm-openai:v0.21.0-x86_64-cu129-ubuntu2404"
_LLAMA_MTP = "aamsellem/llama-cpp-mtp:master-ad27757"

_VISION = "vllmgemma426ba4bvisionone"
_VISION_GGUF = "llamacppgemma426ba4bvisionone"
_K = 1024

# Accepted of drafted tokens, as llama.cpp counted them for each run.
_QWEN_RUNS = (
    (253.73, 1454, 1634),
    (248.63, 1441, 1672),
    (251.65, 1448, 1653),
    (251.75, 1448, 1653),
    (250.43, 1446, 1657),
    (245.62, 1434, 1692),
    (248.14, 1440, 1672),
    (249.72, 1445, 1661),
    (249.78, 1444, 1663),
    (243.58, 1430, 1707),
)


def _requests(tokens: int) -> dict[str, Any]:
    return {"prompt": "a complete HTML page with a Space Invaders game", "max_tokens": tokens}


def _bench(app: str, version: str, source: str, **told: Any) -> Measurement:
    return Measurement("bench", app, version, hardware="olares-one", users=1, source=source, **told)


def _runs(rates: Sequence[float], *, first_cold: bool = False) -> tuple[Run, ...]:
    return tuple(Run(rate, cold=first_cold and at == 0) for at, rate in enumerate(rates))


def _gguf(version: str, mean: float, spread: float, note: str, **told: Any) -> Measurement:
    published = Published(mean, range=spread, runs=10)
    requests = _requests(2000)
    return _bench(
        _VISION_GGUF, version, OFFICE, published=published, note=note, settings=requests, **told
    )


MEASUREMENTS = (
    _bench(
        _VISION,
        "1.0.0",
        OFFICE,
        image=_PREVIEW,
        context=16 * _K,
        settings=_requests(2000),
        published=Published(135.97, 135.67, 136.23, 0.56, 10),
        note=f"{VISION_MTP} names 128K for the same number; the first publication says 16K",
    ),
    _bench(
        _VISION,
        "1.0.1",
        OFFICE,
        image=_PREVIEW,
        context=128 * _K,
        settings=_requests(2000),
        published=Published(135.85, 135.52, 136.06, 0.54, 10),
    ),
    _bench(
        _VISION,
        "1.0.5",
        VISION_MTP,
        image=_VLLM_021,
        context=64 * _K,
        settings=_requests(2500),
        runs=_runs(
            (250.35, 250.87, 252.97, 252.14, 249.51, 247.84, 252.48, 249.61, 248.61, 251.10)
        ),
        published=Published(250.54, 247.84, 252.97, 5.13, 10),
        accepted_tokens=25_920,
        drafted_tokens=29_997,
        note="measured on the way to this version, whose own context is 128K",
    ),
    _bench(
        _VISION,
        "1.0.5",
        VISION_MTP,
        image=_VLLM_021,
        context=128 * _K,
        settings=_requests(2500),
        runs=_runs(
            (212.41, 254.39, 251.89, 252.42, 250.74, 247.27, 249.58, 251.14, 253.27, 246.53),
            first_cold=True,
        ),
        published=Published(250.80, 246.53, 254.39, 7.86, 9),
    ),
    _bench(
        _VISION,
        "",
        OFFICE,
        trial="z-lab's DFlash draft model with images, at a context of 32K",
        image=_VLLM_021_STABLE,
        context=32 * _K,
        settings=_requests(2000),
        runs=_runs((218, 229, 62, 223, 215, 103, 62, 224, 62, 221)),
        published=Published(161.94, 61.66, 228.61, 167, 10, two_speeds=True),
        note="never released; the single runs were published without decimals",
    ),
    _gguf(
        "1.0.0",
        115.93,
        0.23,
        "cache in turbo3, speculation by n-grams; the context is not told",
    ),
    _gguf("1.0.1", 116.20, 0.15, "cache in turbo3; the context is not told"),
    _gguf("1.0.2", 123.97, 0.22, "cache in q8_0; the context is not told"),
    _gguf("1.0.3", 121.81, 0.26, "cache in q4_0, one request at a time", context=128 * _K),
    _bench(
        "llamacppqwen36a3bone",
        "",
        QWEN_MTP,
        image=_LLAMA_MTP,
        context=32 * _K,
        settings=_requests(2000),
        runs=tuple(
            Run(rate, accepted_tokens=accepted, drafted_tokens=drafted)
            for rate, accepted, drafted in _QWEN_RUNS
        ),
        published=Published(249.30, range=10.15, runs=10),
        note="the version is not told; measured with a context of 32K",
    ),
    _bench(
        "vllmgemma4dflashone",
        "1.0.4",
        VISION_MTP,
        image=_PREVIEW,
        settings=_requests(2000),
        published=Published(224.00, two_speeds=True),
        note=(
            "of the quick phases only: about 60 tokens/s in the slow ones, and about 161 over a "
            f"long session; {DFLASH_SWEEP} names the version"
        ),
    ),
    _bench(
        "nemotronlabselastic30bnvfp4one",
        "",
        VISION_MTP,
        published=Published(182.14),
        note="the version is not told; measured with a nightly build of vLLM (change 40082)",
    ),
    _bench(
        "llamacppqwen36beellamaone",
        "",
        VISION_MTP,
        context=256 * _K,
        published=Published(107.54),
        note=f"neither version nor image is told; {BEELLAMA} gives 107 at the full context",
    ),
)


def files() -> dict[str, tuple[Measurement, bytes]]:
    """Return the measurements and their files by path below apps/."""
    found: dict[str, tuple[Measurement, bytes]] = {}
    for measurement in MEASUREMENTS:
        number = 1
        while True:
            name = evidence_name(measurement.version, measurement.kind, number)
            path = f"{evidence_folder(measurement.app)}/{name}"
            if path not in found:
                break
            number += 1
        found[path] = (measurement, measurement_json(measurement))
    return found


def differences(folder: Path = APPS) -> list[str]:
    """Return the paths that are missing below a folder of specs, or hold something else."""
    wanted = files()
    return sorted(
        path
        for path, (_, data) in wanted.items()
        if not (folder / path).is_file() or (folder / path).read_bytes() != data
    )


def main() -> int:
    """Write what is missing, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail on a difference")
    changed = differences()
    if parser.parse_args().check:
        print("\n".join(changed) or f"apps/{FOLDER} holds what was published")
        return 1 if changed else 0
    for path, (measurement, _) in files().items():
        if path in changed:
            if (APPS / path).exists():
                print(f"{path} holds something else, and is left as it is")
                return 1
            print(keep(APPS, measurement).relative_to(APPS).as_posix())
    return 0


if __name__ == "__main__":
    sys.exit(main())
