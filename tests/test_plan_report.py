"""Plans as text, JSON and picture, and the command that shows them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from chartgen.cli import main
from chartgen.memory.grid import grid
from chartgen.memory.plan import plan, planned
from chartgen.memory.plan_json import grid_json, plan_json, suggestions_json
from chartgen.memory.report import (
    GRID_HEAD,
    bar,
    grid_rows,
    plan_text,
    segments,
    sources_text,
    suggestions_text,
)
from chartgen.memory.suggest import suggest
from chartgen.memory.svg import plan_svg
from chartgen.models.store import Shelf
from chartgen.render.patches import merge_patch
from chartgen.terminal import display_width
from tests.planning import LLAMA, LLAMA_SHELF, VISION, given

ROOT = Path(__file__).resolve().parent.parent
Capture = pytest.CaptureFixture[str]
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(text: str) -> list[str]:
    assert text.endswith("\n")
    return text.splitlines()


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("context", [None, 262144])
def test_text_fits_its_width(width: int, context: int | None, tmp_path: Path) -> None:
    source = given(tmp_path)
    found, _ = planned(source, context)
    texts = [plan_text(found, width=width), sources_text(found, width=width)]
    texts.append(suggestions_text(suggest(source, context), context or 131072, width=width))
    for line in (line for text in texts for line in lines_of(text)):
        assert display_width(line) <= width, line


def test_plain_text_is_ascii_but_where_a_terminal_has_more(tmp_path: Path) -> None:
    found = plan(given(tmp_path))
    assert plan_text(found).isascii()
    assert not plan_text(found, unicode=True).isascii()


def test_text_says_what_counts(tmp_path: Path) -> None:
    text = plan_text(planned(given(tmp_path), 262144)[0])
    assert "262,144 tokens need 3.38 GiB of KV cache, 2.82 GiB are there: does not fit." in text
    assert "Longest context that fits: 203,584 tokens." in text
    assert "KV cache, too little" in text


def test_text_of_an_unknown_plan_asks_for_the_numbers(tmp_path: Path) -> None:
    text = plan_text(plan(given(tmp_path, shelf=Shelf({}))))
    assert "Unknown. Missing: facts of cyankiwi/gemma-4-26B-A4B-it-AWQ-4bit" in text


def test_the_bar_is_the_card(tmp_path: Path) -> None:
    found = plan(given(tmp_path))
    assert sum(part.size for part in segments(found)) == pytest.approx(found.card, abs=1)
    shown, *legend = bar(found, width=80)
    assert len(shown) == 80
    assert (shown[0], shown[-1]) == ("[", "]")
    # 16384 of 24463 MiB of weights, on 78 cells.
    assert shown.count("W") == round(78 * 16384 / 24463)
    assert legend[0].startswith("W weights")


def test_what_does_not_fit_sticks_out(tmp_path: Path) -> None:
    shown = bar(planned(given(tmp_path), 262144)[0])[0]
    assert shown.endswith(">")
    assert "|" in shown


def test_every_part_has_a_source(tmp_path: Path) -> None:
    for source in (given(tmp_path), given(tmp_path, LLAMA, shelf=LLAMA_SHELF)):
        found = plan(source)
        assert all(len(part.source) > 10 for part in (*found.parts, *found.outside))


def test_grid_rows_have_a_cell_for_each_head(tmp_path: Path) -> None:
    rows = grid_rows(grid(given(tmp_path)))
    assert {len(row) for row in rows} == {len(GRID_HEAD)}
    marked = [row for row in rows if row[1].endswith("*")]
    assert [row[:2] for row in marked] == [("context", "131072*")]


# JSON


def test_json_of_a_plan(tmp_path: Path) -> None:
    document = json.loads(json.dumps(plan_json(planned(given(tmp_path), 262144)[0])))
    assert document["kv_needed_bytes"] == 3_629_711_360
    assert document["longest_context"] == 203_584
    assert document["verdict"] == "does not fit"
    assert document["spare_bytes"] < 0
    assert document["missing"] == []
    assert {part["certainty"] for part in document["parts"]} == {
        "allowance",
        "exact",
        "published",
    }
    inside = sum(part["bytes"] for part in document["parts"] if part["inside_budget"])
    assert inside + document["kv_available_bytes"] == document["budget_bytes"]


def test_json_of_grid_and_suggestions(tmp_path: Path) -> None:
    source = given(tmp_path)
    rows = grid_json(grid(source))
    assert [row["to"] for row in rows if row["asked"]] == ["131072"]
    (first, *_) = suggestions_json(suggest(source, 262144))
    assert first["changes"][0] == {
        "where": "engine.args.max-num-batched-tokens",
        "value": "2337",
    }


# SVG


@pytest.mark.parametrize("context", [131072, 262144])
def test_svg_is_well_formed_and_says_all_parts(context: int, tmp_path: Path) -> None:
    found, _ = planned(given(tmp_path), context)
    root = ET.fromstring(plan_svg(found))
    assert root.tag == f"{SVG}svg"
    texts = [node.text or "" for node in root.iter(f"{SVG}text")]
    assert len(texts) == 1 + len(segments(found))
    width = float(root.attrib["width"])
    for rect in root.iter(f"{SVG}rect"):
        if rect.attrib.get("stroke"):
            assert float(rect.attrib["x"]) + float(rect.attrib["width"]) <= width - 9.9


def test_svg_of_awkward_names(tmp_path: Path) -> None:
    spec = merge_patch(VISION, {"title": "a"})
    found = plan(given(tmp_path, spec))
    from dataclasses import replace

    odd = replace(found, app='<a&b>"')
    assert "a&amp;b" in plan_svg(odd)
    ET.fromstring(plan_svg(odd))


def test_svg_loads_nothing(tmp_path: Path) -> None:
    drawn = plan_svg(plan(given(tmp_path)))
    assert drawn.count("http") == 1, "the name space alone"
    assert "script" not in drawn


# The command


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with this repository's vision app and the facts of all models."""
    shutil.copytree(ROOT / "apps", tmp_path / "apps")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/gemma4-vision.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "fits." in shown
    assert all(display_width(line) <= 80 for line in shown.splitlines())


def test_the_command_fails_where_it_does_not_fit(market: Path, capsys: Capture) -> None:
    words = ["plan", "apps/gemma4-vision.yaml", "--context", "262144", "--suggest"]
    assert main(words) == 1
    shown = capsys.readouterr().out
    assert "max-num-batched-tokens: 2337" in shown


def test_the_command_explains_an_image_bump(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/gemma4-vision.yaml", "--release", "0.33.0"]) == 1
    shown = capsys.readouterr().out
    assert "on 0.33.0; they needed 2.13 GiB on 0.21.0" in shown


def test_the_command_as_json(market: Path, capsys: Capture) -> None:
    words = ["plan", "apps/gemma4-vision.yaml", "--hardware", "rtx-5090", "--suggest", "--json"]
    assert main(words) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["hardware"] == "rtx-5090"
    assert document["suggestions"] == []
    assert document["grid"]


def test_the_command_draws(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/qwen36-35b-mtp.yaml", "--svg", "plan.svg"]) == 0
    ET.fromstring((market / "plan.svg").read_text(encoding="utf-8"))


def test_the_command_reads_a_log(market: Path, capsys: Capture) -> None:
    Path("boot.log").write_text("INFO Available KV cache memory: 4.00 GiB\n", encoding="utf-8")
    assert main(["plan", "apps/gemma4-vision.yaml", "--log", "boot.log"]) == 0
    assert "measured" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--hardware", "rtx-9999"], "rtx-5090"),
        (["--log", "empty.log"], "says nothing"),
        (["--context", "0"], "0"),
        (["--release", "newest"], "'newest' is no release"),
    ],
)
def test_wrong_words(words: list[str], hint: str, market: Path, capsys: Capture) -> None:
    Path("empty.log").write_text("", encoding="utf-8")
    assert main(["plan", "apps/gemma4-vision.yaml", *words]) == 2
    assert hint in capsys.readouterr().err


def test_a_spec_that_cannot_be_read(market: Path, capsys: Capture) -> None:
    Path("apps/broken.yaml").write_text("name: [", encoding="utf-8")
    assert main(["plan", "apps/broken.yaml"]) == 3


def test_a_log_that_is_not_there(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/gemma4-vision.yaml", "--log", "gone.log"]) == 3
    assert "gone.log" in capsys.readouterr().err


def test_an_app_is_planned_by_its_name(market: Path, capsys: Capture) -> None:
    assert main(["plan", "vllmgemma426ba4bvisionone"]) == 0
    assert "203,584" in capsys.readouterr().out
    assert main(["plan", "vllmgemma426ba4bvision"]) == 1
    assert "did you mean vllmgemma426ba4bvisionone" in capsys.readouterr().err


def test_without_facts_nothing_is_guessed_and_the_way_to_them_is_named(
    market: Path, capsys: Capture
) -> None:
    shutil.rmtree("apps/models")
    assert main(["plan", "apps/qwen36-35b-mtp.yaml", "--suggest"]) == 0
    shown = capsys.readouterr().out
    assert "--file Qwen3.6-35B-A3B-UD-Q3_K_XL.gguf" in shown
    for guessed in ("Logits", "KV cache", "fits", "Nothing has to change"):
        assert guessed not in shown


def test_unsound_facts_fail_and_those_of_other_apps_are_not_spoken_of(
    market: Path, capsys: Capture
) -> None:
    facts = market / "apps" / "models" / "cyankiwi--gemma-4-26B-A4B-it-AWQ-4bit.yaml"
    facts.write_text(facts.read_text("utf-8")[:700], encoding="utf-8")
    assert main(["plan", "apps/gemma4-vision.yaml"]) == 1
    assert facts.name in capsys.readouterr().err
    assert main(["plan", "apps/qwen36-35b-mtp.yaml"]) == 0
    assert facts.name not in capsys.readouterr().err


def test_an_engine_that_is_not_planned_has_no_table(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/omnivoice-tts.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "how the engine app uses GPU memory" in shown
    assert "MiB" not in shown


def test_a_release_older_than_all_is_named_with_the_oldest(market: Path, capsys: Capture) -> None:
    assert main(["plan", "apps/gemma4-vision.yaml", "--release", "0.5.0"]) == 0
    assert "vLLM 0.5.0, which is older than 0.11.0" in capsys.readouterr().out


def test_a_dotted_argument_is_not_broken_at_its_hyphens(tmp_path: Path) -> None:
    source = given(tmp_path)
    text = suggestions_text(suggest(source, 262144), 262144)
    assert "engine.args.limit-mm-per-prompt.video: 0" in text


def test_that_nothing_helps_is_not_told_as_if_nothing_were_needed() -> None:
    assert "Nothing that chartgen can change" in suggestions_text((), 4096, fits=False)
    assert "Nothing has to change" in suggestions_text((), 4096)
