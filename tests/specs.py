"""Specs for tests: the smallest sound one, written with changes where a test wants them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

from chartgen.chart import Chart
from chartgen.hardware import Hardware, hardware_profiles
from chartgen.market.settings import MarketSettings
from chartgen.olares.platform import PLATFORMS
from chartgen.render.chart import render_chart
from chartgen.render.patches import merge_patch
from chartgen.spec.load import LoadedSpec, load_spec
from chartgen.yaml_text import yaml_text

MARKET = MarketSettings(url="https://market.example.com", developer="somebody")
OLARES_ONE: Hardware = hardware_profiles()["olares-one"]
SMALL: dict[str, Any] = {
    "name": "smallapp",
    "version": "1.2.3",
    "title": "Small App",
    "summary": "A small app",
    "engine": {
        "kind": "vllm",
        "image": "vllm/vllm-openai:v0.21.0",
        "model": {"hf": "owner/model", "size": "4GB"},
    },
    "resources": {"cpu": "2..4", "memory": "8Gi..16Gi", "disk": "10Gi..20Gi"},
    "gpu": {"memory": "8Gi"},
    "changes": {"1.2.3": ["First release"]},
}


def png(width: int = 256, height: int = 256) -> bytes:
    """Return a black picture of the given size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + bytes(width)) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write_spec(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write the small spec with a merge patch applied, and its icon; return the spec's path."""
    value = merge_patch(SMALL, changes or {})
    icon = folder / "icons" / f"{value['name']}.png"
    icon.parent.mkdir(parents=True, exist_ok=True)
    icon.write_bytes(png())
    path = folder / f"{value['name']}.yaml"
    path.write_text(yaml_text(value), encoding="utf-8")
    return path


def loaded(folder: Path, changes: dict[str, Any] | None = None) -> LoadedSpec:
    """Return the small spec, loaded, with a merge patch applied."""
    result, findings = load_spec(write_spec(folder, changes))
    assert result is not None, findings
    return result


def chart(folder: Path, changes: dict[str, Any] | None = None, platform: str = "modern") -> Chart:
    """Return the small spec's chart with a merge patch applied to the spec."""
    result, findings = render_chart(
        loaded(folder, changes), PLATFORMS[platform], OLARES_ONE, MARKET
    )
    assert result is not None, findings
    return result
