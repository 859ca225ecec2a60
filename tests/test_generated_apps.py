"""The pages of this repository's apps: what they show, and that they are made of nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chartgen.engines import engine_start
from chartgen.memory.plan import plans
from chartgen.spec.load import LoadedSpec, load_spec
from tools import generate
from tools.app_pages import FOLDER, app_files

ROOT = Path(__file__).resolve().parent.parent
MADE = app_files(ROOT)


def specs() -> list[LoadedSpec]:
    """All apps of this repository that can be planned."""
    loaded = [load_spec(path)[0] for path in sorted((ROOT / "apps").glob("*.yaml"))]
    return [item for item in loaded if item is not None and plans(item.spec)]


SPECS = specs()


def page_of(loaded: LoadedSpec) -> str:
    return MADE[f"{FOLDER}/{loaded.path.stem}.md"].decode()


def test_every_planned_app_has_a_page_and_a_picture() -> None:
    names = {f"{FOLDER}/{item.path.stem}{suffix}" for item in SPECS for suffix in (".md", ".svg")}
    assert len(SPECS) > 5
    assert set(MADE) == names | {f"{FOLDER}/index.md"}


@pytest.mark.parametrize("loaded", SPECS, ids=lambda item: item.spec.name)
def test_a_page_has_the_exact_command(loaded: LoadedSpec) -> None:
    (block,) = re.findall(r"```sh\n(.*?)```", page_of(loaded), re.DOTALL)
    shown = subprocess.run(
        ["sh", "-c", f'printf "%s\\0" {block}'], capture_output=True, text=True, check=True
    )
    start = engine_start(loaded.spec)
    assert shown.stdout.split("\0")[:-1] == [*start.command, *start.args]


@pytest.mark.parametrize("loaded", SPECS, ids=lambda item: item.spec.name)
def test_a_page_has_the_plan_and_says_where_every_number_is_from(loaded: LoadedSpec) -> None:
    page = page_of(loaded)
    table = page[page.index("Part  ") : page.index("\n[W")]
    parts = re.findall(r"^(\w.*?) {2,}[-\d,]+  \w+$", table, re.MULTILINE)
    sourced = r"^- (.*?) \((?:exact|published|allowance|measured)\): \S"
    named = re.findall(sourced, page, re.MULTILINE)
    assert "Weights" in parts
    assert [part for part in parts if part != "KV cache, spare"] == named
    assert page.count("```text") == 2
    assert f"]({loaded.path.stem}.svg)" in page


def test_the_index_says_the_same_as_the_pages() -> None:
    index = MADE[f"{FOLDER}/index.md"].decode()
    for loaded in SPECS:
        (row,) = re.findall(rf"^\|.*\({loaded.path.stem}\.md\).*\|$", index, re.MULTILINE)
        cells = [cell.strip() for cell in row.split("|")][1:-1]
        page = page_of(loaded)
        assert f"{cells[2]} tokens need" in page.replace("\n", " ")
        assert f"Longest context that fits: {cells[5]}" in page
        assert f"there: {cells[6]}." in page
        assert re.search(rf"^KV cache, spare +{cells[4]} ", page, re.MULTILINE)
    assert "`apps/omnivoice-tts.yaml`" in index


def test_what_is_waived_stands_with_its_reason() -> None:
    waived = [item for item in SPECS if item.spec.waive]
    assert waived
    for loaded in waived:
        for waiver in loaded.spec.waive:
            assert waiver.reason in page_of(loaded)


def test_pages_are_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys, hashlib, pathlib; from tools.app_pages import app_files; "
        "made = app_files(pathlib.Path('.')); "
        "print(hashlib.sha256(repr(sorted(made.items())).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "COLUMNS": columns},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, columns in (("1", "40"), ("2", "200"))
    }
    assert len(found) == 1


def test_a_spec_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for name in ("apps", "market"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "apps" / "gemma4-vision.yaml").write_text("name: [")
    with pytest.raises(ValueError, match="gemma4-vision"):
        app_files(tmp_path)


def test_a_page_without_its_app_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    old = [tmp_path / FOLDER / f"gone.{suffix}" for suffix in ("md", "svg")]
    for path in old:
        path.write_text("an app that is no more")
    capsys.readouterr()

    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert capsys.readouterr().out.splitlines() == [
        f"{FOLDER}/gone.md is left over",
        f"{FOLDER}/gone.svg is left over",
    ]
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    assert generate.main() == 0
    assert not any(path.exists() for path in old)


@pytest.mark.parametrize("loaded", SPECS, ids=lambda item: item.spec.name)
def test_a_picture_has_the_figures_of_the_table(loaded: LoadedSpec) -> None:
    picture = ET.fromstring(MADE[f"{FOLDER}/{loaded.path.stem}.svg"])
    space = "{http://www.w3.org/2000/svg}"
    page = page_of(loaded)
    legend = list(picture.iter(f"{space}text"))[1:]
    for text in legend:
        size = next(text.iter(f"{space}tspan")).text or ""
        pattern = rf"^{re.escape(text.text or '')} +{size.removesuffix(' MiB')} "
        assert re.search(pattern, page, re.MULTILINE), pattern


def test_pictures_follow_light_and_dark() -> None:
    picture = MADE[f"{FOLDER}/gemma4-vision.svg"].decode()
    (dark,) = re.findall(r"<style>@media \(prefers-color-scheme: dark\) {(.*)}</style>", picture)
    for name in re.findall(r"\.(\w+) {", dark):
        assert re.search(rf'class="[^"]*\b{name}\b', picture), name
    ground = '<rect class="ground"'
    assert picture.index(ground) < picture.index("<text") < picture.index('class="part')
