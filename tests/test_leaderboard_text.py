"""The leaderboard in writing: `chartgen leaderboard` as a table, a list, Markdown and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, Published
from chartgen.evidence.store import keep
from chartgen.market.leaderboard import Row, by_machine, leaderboard, row_data
from chartgen.market.leaderboard_text import leaderboard_markdown
from chartgen.release.record import Release
from tests.markets import Market
from tests.page_markets import STEADY, TWO_SPEEDS, bench, market, measured_market, release_of
from tests.specs import write_spec

# Ten runs each, the quick ones by ten tokens/s above the others: 2605.48 / 10 is 260.5.
SLOW, QUICK = STEADY, tuple(rate + 10 for rate in STEADY)
# Means of the runs above and below 200, by hand.
FAST_MEAN, SLOW_MEAN = 1330 / 6, 289 / 4
# Titles of the profiles `olares-one`, `rtx-4090` and `dgx-spark`.
ONE, OTHER = "Olares One (RTX 5090M 24 GB)", "GeForce RTX 4090 (24 GB)"
SPARK = "DGX Spark (GB10, 128 GB unified)"
POST = "https://example.com/post"


def rows(found: Market) -> dict[str, Row]:
    return {row.app: row for row in leaderboard(found.catalog(), found.read)}


def elsewhere(name: str, day: int, machine: str) -> tuple[Release, dict[str, bytes]]:
    return release_of(name, "1.0.0", day, {"hardware": machine, "title": name.capitalize()})


def test_apps_of_different_machines_are_not_ranked_with_each_other() -> None:
    found = market().grown(
        elsewhere("quick", 20, "rtx-4090"),
        elsewhere("slow", 21, "rtx-4090"),
        elsewhere("zebra", 22, "dgx-spark"),
    )
    found = found.measured(
        bench("slow", "1.0.0", SLOW, hardware="rtx-4090"),
        bench("quick", "1.0.0", QUICK, hardware="rtx-4090"),
        bench("vision", "1.0.1", [5.0] * 10),
    )
    groups = by_machine(leaderboard(found.catalog(), found.read))
    # The machine of the market is first, the others by their titles.
    assert [machine for machine, _ in groups] == [ONE, SPARK, OTHER]
    assert groups[0][1][0].app == "vision"
    assert [row.app for row in groups[2][1]] == ["quick", "slow"]
    assert {row.machine for _, members in groups for row in members} == {ONE, SPARK, OTHER}
    text = leaderboard_markdown(leaderboard(found.catalog(), found.read))
    heads = [line for line in text.splitlines() if line.startswith(("## ", "| App"))]
    assert heads[::2] == [f"## Made for {title}" for title in (ONE, SPARK, OTHER)]
    # One machine alone needs no heading.
    assert "Made for" not in leaderboard_markdown(leaderboard(market().catalog(), market().read))


@pytest.mark.parametrize(
    ("measurement", "told"),
    [
        (bench("vision", "", STEADY, source=POST), True),
        (bench("vision", "", (), published=Published(mean=249.3), source=POST), True),
        # Those are of something else than the app, or by chartgen.
        (bench("vision", "", STEADY, source=POST, trial="with another draft model"), False),
        (bench("vision", "", STEADY), False),
        (bench("vision", "1.0.0", STEADY, source=POST), False),
    ],
)
def test_a_publication_without_a_version_is_told_of_and_is_no_number(
    measurement: Measurement, told: bool
) -> None:
    row = rows(market().measured(measurement))["vision"]
    assert (row.speed, row.published_without_version) == (None, told)
    assert row_data(row)["tokens_per_second"] is None
    assert row_data(row)["published_without_version"] is told
    assert ("published without a version |" in leaderboard_markdown([row])) is told
    # Where the release has a number of its own, nothing is missing.
    both = market().measured(measurement, bench("vision", "1.0.1", STEADY))
    assert not rows(both)["vision"].published_without_version


def test_markdown_has_a_line_for_each_app_whatever_its_texts_say() -> None:
    text = leaderboard_markdown(leaderboard(measured_market().catalog(), measured_market().read))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows(measured_market()))
    columns = {line.replace("\\|", "").count("|") for line in lines}
    assert columns == {13}
    assert "<b>" not in text.replace("\\<b\\>", "")
    assert "two speeds: 222 / 72" in text


def test_a_publication_is_linked_in_markdown() -> None:
    found = market().measured(bench("vision", "1.0.1", STEADY, source=POST))
    assert f"[example.com](<{POST}>)" in leaderboard_markdown(
        leaderboard(found.catalog(), found.read)
    )


# The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    apps = tmp_path / "apps"
    write_spec(apps)
    write_spec(apps, {"name": "uneven", "title": "Uneven in its own special way"})
    write_spec(apps, {"name": "unmeasured", "title": "Unmeasured"})
    keep(apps, bench("smallapp", "1.2.3", STEADY, date="2026-11-20"))
    keep(apps, bench("uneven", "1.2.3", TWO_SPEEDS, source="https://example.com/post"))
    return tmp_path


def test_the_table_fits_80_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["APP", "VERSION", "TOKENS/S", "CONTEXT", "VISION", "TOOLS", "FROM"]
    assert lines[1].split() == ["Small", "App", "1.2.3+", "250.5", "-", "no", "no", "measured"]
    assert lines[2].split()[-7:] == ["222", "/", "72*", "-", "no", "no", "published"]
    assert lines[3].split()[-4:] == ["-", "no", "no", "-"]
    # What the marks mean belongs to the data, and to nobody else.
    assert lines[4:] == [
        "",
        "* two speeds, fast / slow, and no single number; placed by the slow one",
        "+ not released yet",
    ]
    assert shown.err == ""


def test_what_the_marks_mean_goes_where_the_table_goes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(folder / "apps", bench("unmeasured", "", STEADY, source=POST))
    assert main(["leaderboard", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].split() == ["Unmeasured", "1.2.3+", "-~", "-", "no", "no", "-"]
    assert lines[-1] == "~ published without a version, so of no release: see the app's page"


@pytest.mark.parametrize("width", [40, 57, 70])
def test_a_narrow_terminal_has_a_list_and_nothing_is_cut(
    width: int,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apps = folder / "apps"
    write_spec(apps, {"name": "unevener", "title": "Uneven in its own special man"})
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["leaderboard"]) == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    said = " ".join(text.split())
    assert (
        "Uneven in its own special way version 1.2.3+, two speeds: 222 / 72 tokens/s*, published, "
        "vision no, tools no, GPU memory"
    ) in said
    assert "Unmeasured version 1.2.3+, not measured, vision no" in said
    # No piece is torn apart.
    assert "two speeds: 222 / 72 tokens/s*" in text


def test_titles_are_cut_where_they_stay_different(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other columns: 7 + 9 + 7 + 6 + 5 + 9, with two cells before each.
    monkeypatch.setenv("COLUMNS", "67")
    assert main(["leaderboard"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("Uneven in i…  1.2.3+   222 / 72*")
    assert lines[3].startswith("Unmeasured    1.2.3+")


def test_apps_of_one_title_are_told_apart(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    write_spec(folder / "apps", {"name": "other", "title": "Unmeasured"})
    assert main(["leaderboard"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines[3:5]] == [
        "Unmeasured (other)",
        "Unmeasured (unmeasured)",
    ]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_each_machine_has_a_table_of_its_own(
    width: int,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    changes = {"name": "quick", "title": "Quick", "hardware": "rtx-4090"}
    write_spec(folder / "apps", changes)
    keep(folder / "apps", bench("quick", "1.2.3", QUICK, hardware="rtx-4090"))
    assert main(["leaderboard"]) == 0
    text = capsys.readouterr().out
    ours, _, theirs = text.partition(f"\n\nMade for {OTHER}\n")
    assert ours.startswith(f"Made for {ONE}\n")
    assert "Small App" in ours
    assert "260.5" in theirs
    assert "260.5" not in ours
    assert (text.count("TOKENS/S") == 2) is (width > 40)


def test_a_wide_terminal_has_all_columns(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["leaderboard"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "HARDWARE" in lines[0]
    assert "Olares One (RTX 5090M 24 GB)  2026-11-20" in lines[1]


@pytest.mark.parametrize("words", [["--json"], ["--format", "json"]])
def test_json_has_every_app(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", *words]) == 0
    apps = json.loads(capsys.readouterr().out)["apps"]
    assert [app["app"] for app in apps] == ["smallapp", "uneven", "unmeasured"]
    assert apps[1]["tokens_per_second"] is None
    assert apps[1]["two_speeds"] == {
        "fast": pytest.approx(FAST_MEAN),
        "slow": pytest.approx(SLOW_MEAN),
    }
    assert [app["released"] for app in apps] == [False] * 3


def test_markdown_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", "--format", "markdown"]) == 0
    assert "| Small App | 1.2.3 (not released) | 250.5 |" in capsys.readouterr().out


def test_a_spec_with_errors_is_told_of_and_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "apps" / "bad.yaml").write_text("name: [\n")
    assert main(["leaderboard", "--json"]) == 1
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert len(document["apps"]) == 3
    assert [found["file"] for found in document["findings"]] == ["apps/bad.yaml"]
    assert "apps/bad.yaml" in shown.err
    assert main(["leaderboard"]) == 1
    assert "250.5" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--json"], ["--format", "markdown"]])
def test_a_folder_that_is_no_market_is_refused_as_publish_does(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["publish", "-C", str(tmp_path), *(["--json"] if "--json" in words else [])]) == 1
    said = capsys.readouterr()
    assert "this is no market" in said.err
    assert main(["leaderboard", "-C", str(tmp_path), *words]) == 1
    assert capsys.readouterr() == said


def test_a_market_without_specs_is_refused_as_check_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "market.yaml").write_text("title: Small\n")
    assert main(["check", "-C", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert main(["leaderboard", "-C", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err + "\n"
    assert main(["leaderboard", "-C", str(tmp_path), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["apps"] == []
    assert [found["rule"] for found in document["findings"]] == ["market-empty"]
