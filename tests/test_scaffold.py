"""What `init` and `new` write works as it is."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from chartgen.cli import main
from chartgen.document import read_document
from chartgen.errors import RefusedError
from chartgen.market.settings import MarketSettings, load_market
from chartgen.spec.load import parse_spec
from chartgen.spec.scaffold import (
    IMAGES,
    MODELINE,
    SCHEMA_FILE,
    Wishes,
    market_files,
    placeholder_icon,
    spec_text,
)
from chartgen.spec.schema import app_schema

ENGINES = ("vllm", "llamacpp", "sglang", "tabbyapi", "app")
DIGEST = "example.com/theroyallab/tabbyapi@sha256:" + 64 * "0"


def wishes(engine: str, **more: str) -> Wishes:
    image = None if engine in IMAGES else DIGEST
    return replace(Wishes("myapp", engine, image=image), **more)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_spec_is_valid(engine: str) -> None:
    text = spec_text(wishes(engine))
    document, findings = read_document(text.encode(), "spec")

    assert document is not None
    assert findings == ()
    assert parse_spec(document)[1] == ()
    assert list(Draft202012Validator(app_schema()).iter_errors(document.value)) == []
    assert text.startswith(MODELINE + "\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_every_line_of_a_new_spec_is_explained(engine: str) -> None:
    lines = spec_text(wishes(engine)).splitlines()

    for before, line in pairwise(lines):
        key, colon, _ = line.strip().partition(":")
        if colon and key not in {"kind", "1.0.0"} and not line.strip().startswith("#"):
            assert before.strip().startswith("# "), line
    assert max(map(len, lines)) <= 120


def test_what_is_said_stands_in_the_spec() -> None:
    said = wishes("vllm", model="owner/model", size="17GB", image="own/image:1", title="on: #1 {x}")
    document, _ = read_document(spec_text(said).encode(), "spec")

    assert document is not None
    assert document.value["title"] == "on: #1 {x}"
    assert document.value["engine"]["image"] == "own/image:1"
    assert document.value["engine"]["model"] == {"hf": "owner/model", "size": "17GB"}


@pytest.mark.parametrize(
    ("more", "file"),
    [({}, "Small-7B-Q4_K_M.gguf"), ({"file": "small.gguf"}, "small.gguf")],
)
def test_llamacpp_is_given_one_file(more: dict[str, str], file: str) -> None:
    said = wishes("llamacpp", model="owner/Small-7B-GGUF", **more)
    document, _ = read_document(spec_text(said).encode(), "spec")

    assert document is not None
    assert document.value["engine"]["model"]["file"] == file


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"name": "Upper"}, "no app name"),
        ({"name": "../x"}, "no app name"),
        ({"name": "system"}, "reserved"),
        ({"name": "ollama"}, "official"),
        ({"title": "x" * 31}, "31 bytes"),
        ({"model": "no-owner"}, "repository"),
        ({"image": "Not An Image"}, "image reference"),
        ({"model": "a/b", "size": "big"}, "file size"),
    ],
)
def test_a_wish_that_a_spec_cannot_hold_is_refused(more: dict[str, str], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        spec_text(wishes("vllm", **more))


def test_the_market_s_settings_are_valid(tmp_path: Path) -> None:
    for path, data in market_files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)

    settings, findings = load_market(tmp_path)

    assert findings == ()
    assert settings == MarketSettings.model_validate({})


def test_the_schema_of_a_market_is_the_current_one() -> None:
    assert json.loads(market_files()[SCHEMA_FILE]) == app_schema()


def pixels(png: bytes) -> list[bytes]:
    """Return the rows of palette indices of an 8-bit palette PNG without filters."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack(">I", png[at + 8 + size : at + 12 + size])
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = data
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"]
    width, height, depth, kind_of_color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height, depth, kind_of_color) == (256, 256, 8, 3)
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == 256 * 257
    rows = [raw[y * 257 : (y + 1) * 257] for y in range(256)]
    assert {row[0] for row in rows} == {0}
    return [row[1:] for row in rows]


def test_the_icon_is_a_mirrored_pattern_on_a_rounded_square() -> None:
    rows = pixels(placeholder_icon("myapp"))

    assert set(b"".join(rows)) == {0, 1, 2}
    assert all(row[:128] == row[:127:-1] for row in rows)
    assert rows[0][0] == rows[255][255] == 0
    assert rows[0][128] == rows[128][0] == 1


def test_the_icon_follows_from_the_name() -> None:
    assert placeholder_icon("myapp") == placeholder_icon("myapp")
    assert len({placeholder_icon(f"app{number}") for number in range(50)}) == 50


def test_from_an_empty_folder_to_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    for engine in ENGINES:
        image = [] if engine in IMAGES else ["--image", DIGEST]
        assert main(["new", f"my{engine}", "--engine", engine, *image]) == 0
    capsys.readouterr()

    assert main(["check", "--strict"]) == 0
    assert capsys.readouterr().out == "no findings\n"
    assert main(["build", "--platform", "modern", "--platform", "legacy"]) == 0

    made = sorted(path.name for path in tmp_path.glob("dist/*.tgz"))
    assert made == sorted(f"my{engine}-1.0.0.tgz" for engine in ENGINES)
    assert sorted(path.name for path in tmp_path.glob("dist/legacy/*.tgz")) == made


def test_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["init"])
    settings = tmp_path / "market" / "market.yaml"
    settings.write_text("title: Mine\n")
    icon = tmp_path / "apps" / "icons" / "myapp.png"
    icon.write_bytes(b"mine")
    assert main(["init"]) == 0
    assert main(["new", "myapp", "--engine", "vllm"]) == 0
    spec = (tmp_path / "apps" / "myapp.yaml").read_bytes()
    capsys.readouterr()

    assert main(["new", "myapp", "--engine", "app"]) == 1

    assert "apps/myapp.yaml is there already" in capsys.readouterr().err
    assert (tmp_path / "apps" / "myapp.yaml").read_bytes() == spec
    assert settings.read_text() == "title: Mine\n"
    assert icon.read_bytes() == b"mine"


def test_a_refused_name_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["new", "../evil", "--engine", "vllm"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_next_step_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    main(["init", "shop"])
    said = capsys.readouterr().err
    assert "cd shop\n" in said
    assert "chartgen new" in said

    main(["-C", "shop", "new", "myapp", "--engine", "vllm"])
    assert "chartgen build apps/myapp.yaml" in capsys.readouterr().err
