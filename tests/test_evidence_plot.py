"""Plots of runs: lines of a terminal, and SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from chartgen.evidence.plot import runs_figure, runs_svg, runs_text
from chartgen.evidence.record import Run

SVG = "{http://www.w3.org/2000/svg}"
PHASES = (218, 229, 62, 223, 215, 103, 62, 224, 62, 221)
RUNS = (Run(100.0, cold=True), *map(Run, map(float, PHASES)))


def test_lines_have_number_rate_bar_and_group() -> None:
    lines = runs_text(RUNS, width=50, unicode=False).splitlines()
    assert lines[0].split() == ["cold", "100.0", "#" * round(33 * 100 / 229)]
    assert lines[2].split() == ["2", "229.0", "#" * 33, "fast"]
    assert lines[3].split() == ["3", "62.0", "#" * round(33 * 62 / 229), "slow"]
    assert max(map(len, lines)) == 50


def test_bars_of_blocks_are_finer() -> None:
    lines = runs_text((Run(200.0), Run(101.0)), width=30, unicode=True).splitlines()
    assert lines[0] == f"1  200.0 {'█' * 20}"[:30]
    # 20 cells of room: 10.1 cells are ten and an eighth.
    assert lines[1] == f"2  101.0 {'█' * 10}▏"


@pytest.mark.parametrize("rates", [(), (0.0,), (0.0, 0.0), (5.0,)])
@pytest.mark.parametrize("width", [10, 80])
def test_any_series_can_be_drawn(rates: tuple[float, ...], width: int) -> None:
    runs = tuple(map(Run, rates))
    assert len(runs_text(runs, width=width, unicode=True).splitlines()) == len(rates)
    ET.fromstring(runs_svg(runs, "none"))


def test_svg_says_what_it_shows() -> None:
    root = ET.fromstring(runs_svg(RUNS, "a <b> & c"))
    assert root.findtext(f"{SVG}title") == "a <b> & c"
    described = root.findtext(f"{SVG}desc") or ""
    assert described.startswith("Tokens per second of 11 runs: 100.0 (cold), 218.0 (fast), 229.0")
    bars = [bar for bar in root.findall(f"{SVG}rect") if bar.find(f"{SVG}title") is not None]
    titles = [bar.findtext(f"{SVG}title") for bar in bars]
    assert titles[0] == "cold run: 100.0 tokens/s"
    assert titles[3] == "run 3: 62.0 tokens/s (slow)"
    heights = [float(bar.get("height", "")) for bar in bars]
    assert heights[1] / heights[2] == pytest.approx(218 / 229, abs=0.01)
    # Groups can be told apart without colours.
    dashed = [bar.get("stroke-dasharray") is not None for bar in bars]
    assert dashed == [True, *(rate < 200 for rate in PHASES)]


def test_a_figure_of_a_page_has_the_pages_colours() -> None:
    figure = runs_figure(RUNS, "title")
    assert figure.startswith("<svg viewBox=")
    assert 'fill="#ffffff"' not in figure
    assert "currentColor" in figure
