"""`chartgen check` and `chartgen build` on whole markets."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from chartgen.cli import main
from chartgen.terminal import display_width
from tests.specs import write_spec

Capture = pytest.CaptureFixture[str]
FLOATING = {"engine": {"image": "vllm/vllm-openai:latest"}}
NO_NOTES = {"changes": None}


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with one sound app in it."""
    monkeypatch.chdir(tmp_path)
    write_spec(tmp_path / "apps")
    return tmp_path


def packages(market: Path) -> list[str]:
    return sorted(path.relative_to(market).as_posix() for path in market.glob("dist/**/*.tgz"))


# check


def test_a_sound_market(market: Path, capsys: Capture) -> None:
    assert main(["check"]) == 0

    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("no findings\n", "")


@pytest.mark.parametrize("command", ["check", "build"])
def test_a_market_without_apps_says_how_to_make_one(
    command: str, market: Path, capsys: Capture
) -> None:
    shutil.rmtree(market / "apps")

    assert main([command]) == 1

    shown = capsys.readouterr()
    assert "market-empty" in shown.out + shown.err
    assert "chartgen new" in shown.out + shown.err


def test_a_finding_shows_its_line(market: Path, capsys: Capture) -> None:
    path = write_spec(market / "apps", FLOATING)
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if ":latest" in line)

    assert main(["check"]) == 1

    shown = capsys.readouterr().out
    assert f"apps/smallapp.yaml:{number}:" in shown
    assert lines[number - 1].strip() in shown
    assert "1 error in 1 file\n" in shown


def test_only_what_is_named_is_checked(market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", {"name": "otherapp"} | FLOATING)

    assert main(["check", "apps/smallapp.yaml"]) == 0
    assert main(["check", "apps/otherapp.yaml"]) == 1
    assert main(["check"]) == 1


def test_paths_count_from_the_market_s_folder(
    market: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_spec(market / "apps", FLOATING)
    monkeypatch.chdir("/")

    assert main(["-C", str(market), "check", "apps/smallapp.yaml", "--json"]) == 1

    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["file"] == "apps/smallapp.yaml"


def test_warnings_fail_only_when_asked(market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", NO_NOTES)

    assert main(["check"]) == 0
    assert main(["check", "--strict"]) == 1
    assert "changes-missing" in capsys.readouterr().out


def test_one_platform_only(market: Path, capsys: Capture) -> None:
    assert main(["check", "-v", "--platform", "legacy"]) == 0
    assert "(legacy)" in capsys.readouterr().err


def unpack(package: Path, folder: Path) -> None:
    """Write the files of a package into a folder, as `tar -x` does."""
    with tarfile.open(package) as archive:
        for member in archive:
            if data := archive.extractfile(member):
                (folder / member.name).parent.mkdir(parents=True, exist_ok=True)
                (folder / member.name).write_bytes(data.read())


def test_a_package_and_a_chart_folder_can_be_checked(market: Path, capsys: Capture) -> None:
    main(["build", "-q"])
    unpack(market / "dist" / "smallapp-1.2.3.tgz", market / "unpacked")

    assert main(["check", "dist/smallapp-1.2.3.tgz", "unpacked/smallapp"]) == 0
    assert capsys.readouterr().out == "no findings\n"


def test_a_finding_in_a_chart_folder_shows_its_line(market: Path, capsys: Capture) -> None:
    main(["build", "-q"])
    unpack(market / "dist" / "smallapp-1.2.3.tgz", market)
    manifest = market / "smallapp" / "OlaresManifest.yaml"
    manifest.write_text(manifest.read_text().replace("1.2.3", "1.2.4"))

    assert main(["check", "smallapp"]) == 1
    assert "1.2.4" in capsys.readouterr().out


@pytest.mark.parametrize("path", ["apps/absent.yaml", "absent.tgz", "absent"])
def test_a_path_that_is_not_there(path: str, market: Path, capsys: Capture) -> None:
    assert main(["check", path]) == 3
    assert path in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_every_format_names_the_rule(form: str, market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", FLOATING)

    assert main(["check", "--format", form]) == 1

    shown = capsys.readouterr()
    assert "image-floating" in shown.out
    assert shown.err == ""


# build


def test_a_build_only_counts_notes_unless_asked(market: Path, capsys: Capture) -> None:
    engine = {"args": {"speculative-config": {"method": "deepseek_mtp"}}}
    write_spec(market / "apps", {"engine": engine})
    assert main(["-C", str(market), "build"]) == 0
    told = capsys.readouterr().err
    assert "1 note; read with: chartgen check" in told
    assert "engine-argument-deprecated" not in told
    assert main(["-C", str(market), "build", "--verbose"]) == 0
    assert "engine-argument-deprecated" in capsys.readouterr().err


def test_packages_are_built_once(market: Path, capsys: Capture) -> None:
    assert main(["build"]) == 0
    first = capsys.readouterr()
    assert packages(market) == ["dist/smallapp-1.2.3.tgz"]
    assert first.out == ""
    assert "1 package built" in first.err

    assert main(["build"]) == 0
    assert capsys.readouterr().err == "nothing changed: 1 package up to date\n"


def test_legacy_packages_stand_apart(market: Path) -> None:
    assert main(["build", "--platform", "legacy", "--platform", "modern", "-o", "out"]) == 0

    made = sorted(path.relative_to(market).as_posix() for path in market.glob("out/**/*.tgz"))
    assert made == ["out/legacy/smallapp-1.2.3.tgz", "out/smallapp-1.2.3.tgz"]


def test_one_bad_app_does_not_stop_the_others(market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", {"name": "otherapp"} | FLOATING)

    assert main(["build"]) == 1

    shown = capsys.readouterr()
    assert packages(market) == ["dist/smallapp-1.2.3.tgz"]
    assert "image-floating" in shown.err
    assert "1 package built, 1 failed" in shown.err
    assert shown.out == ""


def test_a_file_that_is_no_yaml_has_its_own_code(market: Path) -> None:
    (market / "apps" / "broken.yaml").write_text("name: [")

    assert main(["build"]) == 3
    assert packages(market) == ["dist/smallapp-1.2.3.tgz"]


def test_a_dry_run_writes_nothing(market: Path, capsys: Capture) -> None:
    assert main(["build", "--dry-run"]) == 0

    assert not (market / "dist").exists()
    assert "1 package would be built" in capsys.readouterr().err


def test_json_tells_each_package(market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", {"name": "otherapp"} | FLOATING)

    assert main(["build", "--json"]) == 1

    document = json.loads(capsys.readouterr().out)
    told = {package["name"]: package for package in document["packages"]}
    small = told["smallapp"]
    assert (small["state"], small["package"]) == ("built", "dist/smallapp-1.2.3.tgz")
    assert small["size_bytes"] == (market / small["package"]).stat().st_size
    assert (told["otherapp"]["state"], told["otherapp"]["package"]) == ("failed", None)
    assert [finding["rule"] for finding in document["findings"]] == ["image-floating"]
    assert document["summary"]["errors"] == 1


def test_quiet_still_shows_errors(market: Path, capsys: Capture) -> None:
    write_spec(market / "apps", FLOATING | NO_NOTES)

    assert main(["build", "-q"]) == 1

    shown = capsys.readouterr().err
    assert "image-floating" in shown
    assert "changes-missing" not in shown


@pytest.mark.parametrize("path", ["apps", "dist/x.tgz"])
def test_only_specs_are_built(path: str, market: Path, capsys: Capture) -> None:
    assert main(["build", path]) == 2
    assert "chartgen check" in capsys.readouterr().err


def test_a_file_in_place_of_the_output_folder(market: Path, capsys: Capture) -> None:
    (market / "dist").write_text("")

    assert main(["build"]) == 1
    assert "dist: the folder cannot be made" in capsys.readouterr().err


def test_progress_is_for_terminals(
    market: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    main(["build"])
    assert "\r" not in capsys.readouterr().err

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    main(["build", "-o", "again"])
    assert "[1/1] smallapp.yaml" in screen.getvalue()


@pytest.mark.parametrize("width", [50, 80])
def test_the_table_fits(
    width: int, market: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_spec(market / "apps", {"name": "a" * 30, "version": "99999.99999.9999"})
    monkeypatch.setenv("COLUMNS", str(width))

    main(["build", "-n", "-o", "dist"])

    lines = capsys.readouterr().err.splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("App "))
    assert max(map(display_width, lines[head : head + 3])) <= width
