"""What `chartgen init` and `chartgen new` write: files that work as they are, with comments."""

from __future__ import annotations

import hashlib
import re
import struct
import textwrap
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from chartgen.document import read_document
from chartgen.errors import RefusedError
from chartgen.market.layout import MARKET_FILE
from chartgen.market.settings import MarketSettings
from chartgen.olares.names import RESERVED_APP_IDS, RESERVED_FOLDERS, official_apps
from chartgen.spec.app import AppSpec
from chartgen.spec.edit import written_scalar
from chartgen.spec.engine import AppEngine, EngineBase
from chartgen.spec.load import parse_spec
from chartgen.spec.schema import market_schema_text, schema_text
from chartgen.spec.sources import DOWNLOADER_IMAGE, ModelSource

APP_FOLDER = "apps"
ICON_FOLDER = "apps/icons"
SCHEMA_FILE = "schema/app.schema.json"
MARKET_SCHEMA_FILE = "schema/market.schema.json"
MODELINE = f"# yaml-language-server: $schema=../{SCHEMA_FILE}"

# Releases that public charts run (engines 5). TabbyAPI's makers publish `latest` only
# (theroyallab/tabbyAPI, .github/workflows/docker-image.yml), so it has no entry.
IMAGES: Mapping[str, str] = {
    "vllm": "vllm/vllm-openai:v0.21.0-cu129",
    "llamacpp": "beclab/ggml-org-llama.cpp:server-cuda12-b9879",
    "sglang": "lmsysorg/sglang:v0.5.17-cu130",
    "app": DOWNLOADER_IMAGE,
}
_WIDTH = 100
_ICON_SIDE = 256
_ICON_CORNER = 48


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person says about a new app; `file` and `size` belong to `model`."""

    name: str
    engine: str
    model: str | None = None
    file: str | None = None
    size: str | None = None
    image: str | None = None
    title: str | None = None


# Small and free models, so that a first spec builds and starts on any card.
_MODELS: Mapping[str, tuple[str, str | None, str, str | None]] = {
    # Repository, file, size, revision.
    "vllm": ("Qwen/Qwen3-0.6B", None, "1.6GB", None),
    "llamacpp": ("Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf", "640MB", None),
    "sglang": ("Qwen/Qwen3-0.6B", None, "1.6GB", None),
    "tabbyapi": ("turboderp/Qwen3.5-35B-A3B-exl3", None, "19GB", "4.09bpw"),
}
_ARGUMENTS: Mapping[str, str] = {
    "vllm": "{max-num-seqs: 8, gpu-memory-utilization: 0.9}",
    "llamacpp": "{n-gpu-layers: 99, parallel: 2, kv-unified: true}",
    "sglang": "{mem-fraction-static: 0.85}",
}


def spec_path(name: str) -> str:
    """Return where the spec of a new app stands, relative to the market's folder."""
    return f"{APP_FOLDER}/{name}.yaml"


def icon_path(name: str) -> str:
    """Return where the icon of a new app stands, relative to the market's folder."""
    return f"{ICON_FOLDER}/{name}.png"


def market_files() -> dict[str, bytes]:
    """Return the files of a new market by their path in its folder."""
    texts = {
        MARKET_FILE: _market_text(),
        ".gitignore": "/dist/\n",
        SCHEMA_FILE: schema_text(),
        MARKET_SCHEMA_FILE: market_schema_text(),
        "README.md": _README,
    }
    return {path: text.encode() for path, text in texts.items()}


def spec_text(wishes: Wishes) -> str:
    """Return the spec of a new app.

    Raises RefusedError where a wish is nothing that a spec may hold, such as a name that a device
    refuses.
    """
    name = wishes.name
    if name in RESERVED_FOLDERS | RESERVED_APP_IDS:
        raise RefusedError(f"the name {name!r} is reserved by Olares; choose another")
    if name in official_apps():
        raise RefusedError(f"{name!r} is an app of the official market; choose another name")
    text = _spec(wishes)
    document, findings = read_document(text.encode(), name)
    if document is not None and not findings:
        _, findings = parse_spec(document)
    if findings:
        reasons = (f"{item.message}. {item.remedy}" for item in findings)
        raise RefusedError("\n".join(reasons))
    return text


def _spec(wishes: Wishes) -> str:
    title = wishes.title or wishes.name[:1].upper() + wishes.name[1:]
    serves = wishes.engine != "app"
    summary = "{model} on {engine}, {context} context" if serves else "What the app does, in a line"
    parts = [
        f"{MODELINE}\n",
        _line(AppSpec, "name", written_scalar(wishes.name)),
        _line(AppSpec, "version", "1.0.0"),
        _line(AppSpec, "title", written_scalar(title)),
        _line(AppSpec, "summary", written_scalar(summary, '"')),
        _line(AppSpec, "categories", "[AI]"),
        "\n",
        _line(AppSpec, "engine", ""),
        *_engine(wishes),
        "\n",
        *_resources(wishes),
        "\n",
        _line(AppSpec, "changes", ""),
        "  1.0.0:\n    - First release\n",
    ]
    return "".join(parts)


def _engine(wishes: Wishes) -> list[str]:
    image = wishes.image or IMAGES.get(wishes.engine, "")
    parts = [
        f"  kind: {wishes.engine}\n",
        _line(EngineBase, "image", written_scalar(image), "  "),
    ]
    if wishes.model is not None or wishes.engine in _MODELS:
        parts += _model(wishes)
    if wishes.engine == "app":
        parts += [
            _line(AppEngine, "port", "8000", "  "),
            _line(AppEngine, "run", "exec python3 -m http.server 8000", "  "),
            _line(AppEngine, "health", "/", "  "),
            _line(AppEngine, "startup_seconds", "60", "  "),
        ]
    else:
        parts.append(_line(EngineBase, "context", "32768", "  "))
    if wishes.engine in _ARGUMENTS:
        parts.append(_line(EngineBase, "args", _ARGUMENTS[wishes.engine], "  "))
    return parts


def _model(wishes: Wishes) -> list[str]:
    repository, file, size, revision = (
        _MODELS[wishes.engine]
        if wishes.model is None
        else (wishes.model, wishes.file, wishes.size, None)
    )
    if wishes.engine == "llamacpp" and file is None:
        file = _likely_gguf(repository)
    parts = [
        _line(EngineBase, "model", "", "  "),
        _line(ModelSource, "hf", written_scalar(repository), "    "),
    ]
    if revision is not None:
        parts.append(_line(ModelSource, "revision", written_scalar(revision), "    "))
    if file is not None:
        parts.append(_line(ModelSource, "file", written_scalar(file), "    "))
    if size is not None:
        parts.append(_line(ModelSource, "size", written_scalar(size), "    "))
    else:
        parts.append(_comment(ModelSource, "size", "    ") + "    # size: 17GB\n")
    return parts


def _likely_gguf(repository: str) -> str:
    """Guess the name of a GGUF: nearly all repositories name it after themselves."""
    model = re.sub(r"-gguf$", "", repository.rpartition("/")[2], flags=re.IGNORECASE)
    return f"{model}-Q4_K_M.gguf"


def _resources(wishes: Wishes) -> list[str]:
    if wishes.engine == "app" and wishes.model is None:
        return [_line(AppSpec, "resources", "{cpu: 100m..1, memory: 256Mi..1Gi, disk: 1Gi..2Gi}")]
    small = wishes.model is None and wishes.engine != "tabbyapi"
    disk = "6Gi..12Gi" if small else "40Gi..60Gi"
    return [
        _line(AppSpec, "resources", f"{{cpu: 2..8, memory: 8Gi..16Gi, disk: {disk}}}"),
        _line(AppSpec, "gpu", f"{{memory: {'8Gi' if small else '22Gi'}}}"),
    ]


def _market_text() -> str:
    modeline = f"# yaml-language-server: $schema=../{MARKET_SCHEMA_FILE}\n"
    values = {"title": "Market", "url": "https://market.example.com", "developer": "unknown"}
    return modeline + "".join(_line(MarketSettings, key, value) for key, value in values.items())


def _line(model: type[BaseModel], key: str, value: str, indent: str = "") -> str:
    """Return a key with its meaning above it; without a value it opens a mapping."""
    ending = f" {value}" if value else ""
    return f"{_comment(model, key, indent)}{indent}{key}:{ending}\n"


def _comment(model: type[BaseModel], key: str, indent: str) -> str:
    meaning = model.model_fields[key].description or ""
    head = f"{indent}# "
    lines = textwrap.wrap(meaning, _WIDTH, initial_indent=head, subsequent_indent=head)
    return "".join(f"{line}\n" for line in lines)


def placeholder_icon(name: str) -> bytes:
    """Return a PNG of 256x256 pixels: a coloured square with a pattern that the name decides."""
    digest = hashlib.sha256(name.encode()).digest()
    # Each channel between 40 and 167: dark enough for the white pattern on it.
    color = bytes(40 + byte % 128 for byte in digest[:3])
    rows = b"".join(
        b"\0" + bytes(_pixel(x, y, digest) for x in range(_ICON_SIDE)) for y in range(_ICON_SIDE)
    )
    # 8 bits a pixel into a palette of three: nothing, colour, white (PNG, third edition, §11.2).
    header = struct.pack(">IIBBBBB", _ICON_SIDE, _ICON_SIDE, 8, 3, 0, 0, 0)
    palette = bytes(3) + color + b"\xff\xff\xff"
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"tRNS", b"\0\xff\xff")]
    chunks += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _pixel(x: int, y: int, digest: bytes) -> int:
    """Return the palette's index at a place: rounded corners, and five by five mirrored fields."""
    corner = _ICON_CORNER
    far_x = max(corner - x, x - (_ICON_SIDE - 1 - corner), 0)
    far_y = max(corner - y, y - (_ICON_SIDE - 1 - corner), 0)
    if far_x**2 + far_y**2 > corner**2:
        return 0
    column, row = (x - 48) // 32, (y - 48) // 32
    if not (0 <= column < 5 and 0 <= row < 5):
        return 1
    return 2 if digest[3 + 3 * row + min(column, 4 - column)] % 2 else 1


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_README = """\
# A market of apps for Olares

Each app is one file in `apps/`; `chartgen` makes a tested chart of it.

    chartgen new NAME --engine vllm --model OWNER/REPO    a new app
    chartgen check                                        all findings
    chartgen build                                        packages in dist/
    chartgen diff                                         what changed since the last release
    chartgen serve                                        the market on this machine
    chartgen publish --bump patch                         release what changed, and deliver it
    chartgen verify URL                                   what a device makes of the market
    chartgen rules                                        every rule with its reason

`market/market.yaml` holds what all apps share, `market/releases/` what was published: commit both,
and change nothing in the latter. `schema/app.schema.json` lets an editor complete and check specs;
after an update of chartgen, refresh it with `chartgen schema -o schema/app.schema.json`.
"""
