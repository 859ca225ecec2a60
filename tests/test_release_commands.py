"""`diff`, `bump`, `rollback` and `retire` as a person meets them: names, words, dry runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, Run
from chartgen.evidence.store import keep
from chartgen.evidence.workload import workload_digest
from chartgen.release.ledger import LEDGER, read_ledger
from chartgen.spec.load import load_spec
from tests.specs import png, write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def market(tmp_path: Path, capsys: Capture) -> Path:
    """A market with two published apps; the spec of one is not named like its app."""
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "market.yaml").write_text("url: https://market.example.com\n")
    write_spec(tmp_path / "apps")
    other = write_spec(tmp_path / "apps", {"name": "otherapp", "title": "Other"})
    other.rename(tmp_path / "apps" / "second.yaml")
    assert run(tmp_path, "publish", "--no-verify") == 0
    capsys.readouterr()
    return tmp_path


def run(market: Path, command: str, *words: str) -> int:
    return main([command, "-C", str(market), *words])


def spec(market: Path) -> str:
    return (market / "apps" / "smallapp.yaml").read_text()


def change(market: Path, **changes: Any) -> None:
    write_spec(market / "apps", {"engine": {"context": 4096}} | changes)


@pytest.mark.parametrize("word", ["smallapp", "apps/smallapp.yaml"])
def test_an_app_goes_by_its_name_or_its_spec(word: str, market: Path, capsys: Capture) -> None:
    change(market)
    assert run(market, "diff", word) == 0
    assert "context added: 4096" in capsys.readouterr().out
    assert run(market, "bump", word, "minor") == 0
    assert 'version: "1.3.0"' in spec(market)


def test_several_apps_are_bumped_by_name(market: Path, capsys: Capture) -> None:
    assert run(market, "bump", "otherapp", "smallapp", "patch", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "bumped": [
            {"name": "otherapp", "from": "1.2.3", "to": "1.2.4"},
            {"name": "smallapp", "from": "1.2.3", "to": "1.2.4"},
        ]
    }
    assert '"1.2.4"' in (market / "apps" / "second.yaml").read_text()


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("smalapp", "did you mean smallapp?"),
        ("other", "did you mean otherapp?"),
        ("secnd", "did you mean apps/second.yaml?"),
        ("zzzz", "there are: otherapp, smallapp"),
    ],
)
@pytest.mark.parametrize("command", ["diff", "bump"])
def test_a_word_that_is_neither_comes_with_the_nearest_name(
    command: str, word: str, hint: str, market: Path, capsys: Capture
) -> None:
    words = [word, "patch"] if command == "bump" else [word]
    assert run(market, command, *words) == 1
    told = capsys.readouterr().err
    assert f"{word!r} is neither a spec nor the name of an app" in told
    assert hint in told


def test_a_spec_that_is_not_there_is_named(market: Path, capsys: Capture) -> None:
    assert run(market, "diff", "apps/none.yaml") == 3
    assert "apps/none.yaml" in capsys.readouterr().err


def test_dry_runs_speak_of_what_would_be(market: Path, capsys: Capture) -> None:
    change(market)
    before = spec(market), (market / LEDGER).read_bytes()
    assert run(market, "bump", "-n", "patch") == 0
    assert "would raise apps/smallapp.yaml: version 1.2.3 → 1.2.4" in capsys.readouterr().err
    assert run(market, "publish", "-n", "--bump", "patch") == 0
    told = capsys.readouterr().err
    assert "would raise apps/smallapp.yaml: version 1.2.3 → 1.2.4" in told
    assert "would release smallapp 1.2.4" in told
    assert run(market, "retire", "-n", "smallapp", "-m", "Replaced by otherapp") == 0
    assert capsys.readouterr().err == (
        "would retire smallapp at 1.2.3; its name would stay reserved\n"
    )
    assert (spec(market), (market / LEDGER).read_bytes()) == before


def test_a_publish_names_the_versions_that_it_raises(market: Path, capsys: Capture) -> None:
    change(market)
    assert run(market, "publish", "--bump", "patch", "--no-verify") == 0
    told = capsys.readouterr().err
    assert "\napps/smallapp.yaml: version 1.2.3 → 1.2.4\n" in f"\n{told}"


def test_a_rollback_that_is_only_tried_says_so(market: Path, capsys: Capture) -> None:
    change(market)
    assert run(market, "publish", "--bump", "patch", "--no-verify", "-q") == 0
    before = (market / LEDGER).read_bytes()
    capsys.readouterr()
    assert run(market, "rollback", "-n", "smallapp") == 0
    assert capsys.readouterr().err == (
        "would release smallapp 1.2.5: back to the content of 1.2.3\n"
    )
    assert (market / LEDGER).read_bytes() == before
    assert run(market, "rollback", "smallapp") == 0
    assert "would" not in capsys.readouterr().err


def test_after_a_rollback_the_remedy_works_as_it_is_written(market: Path, capsys: Capture) -> None:
    change(market)
    assert run(market, "publish", "--bump", "patch", "--no-verify") == 0
    assert run(market, "rollback", "smallapp") == 0
    capsys.readouterr()
    assert run(market, "bump", "patch") == 0
    told = capsys.readouterr().err
    assert "left at 1.2.4, below the released 1.2.5" in told
    assert "chartgen bump smallapp patch" in told
    assert '"1.2.4"' in spec(market)
    assert run(market, "publish", "--no-verify") == 0
    remedy = capsys.readouterr().err
    assert "`chartgen bump smallapp patch`" in " ".join(remedy.split())
    assert run(market, "bump", "smallapp", "patch") == 0
    assert run(market, "publish", "--no-verify") == 0
    (line,) = read_ledger(market).history("smallapp")[-1:]
    assert (line.version, line.changes) == ("1.2.6", ("Context added: 4096",))


def test_a_later_bench_does_not_lock_an_app_whose_notes_are_final(
    market: Path, capsys: Capture
) -> None:
    change(market, version="1.2.4", changes={"1.2.4": ["Now 262.4 tokens/s, {something}"]})
    assert run(market, "publish", "--no-verify") == 0
    app, _ = load_spec(market / "apps" / "smallapp.yaml")
    assert app is not None
    keep(
        market / "apps",
        Measurement(
            "bench",
            "smallapp",
            "1.2.4",
            workload=workload_digest(app),
            hardware="olares-one",
            runs=(Run(250.0),) * 4,
        ),
    )
    assert run(market, "check") == 0
    assert run(market, "bump", "smallapp", "patch") == 0
    assert '"1.2.5"' in spec(market)
    assert run(market, "publish", "--no-verify") == 0


def test_a_mere_bump_is_said_to_be_one(market: Path, capsys: Capture) -> None:
    assert run(market, "bump", "smallapp", "patch", "-m", "A note") == 0
    capsys.readouterr()
    assert run(market, "diff") == 0
    assert capsys.readouterr().out == (
        "smallapp 1.2.3 → 1.2.4: the next publish releases it\n  only the version changed\n"
    )
    assert run(market, "diff", "--json", "smallapp") == 0
    (app,) = json.loads(capsys.readouterr().out)["apps"]
    assert (app["version_only"], app["shared"]) == (True, False)


def test_a_bump_of_a_changed_app_is_no_mere_bump(market: Path, capsys: Capture) -> None:
    change(market, version="1.2.4")
    assert run(market, "diff") == 0
    told = capsys.readouterr().out
    assert "only the version" not in told
    assert "context added: 4096" in told


def cause(market: Path, capsys: Capture) -> str:
    """What `diff` and a refused publish both say of the one app that is named smallapp."""
    assert run(market, "diff", "smallapp", "--json") == 0
    (app,) = json.loads(capsys.readouterr().out)["apps"]
    assert run(market, "publish", "--json") == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    (message,) = (f["message"] for f in found if "smallapp 1.2.3" in f["message"])
    assert message == f"smallapp 1.2.3 is released with other content: {app['cause']}"
    return str(app["cause"])


def test_a_change_of_shared_things_is_not_put_on_the_spec(market: Path, capsys: Capture) -> None:
    settings = "url: https://market.example.com\ndeveloper: somebody\n"
    (market / "market" / "market.yaml").write_text(settings)
    told = cause(market, capsys)
    assert told == "chartgen's templates or market.yaml changed, not this spec"


def test_an_icon_that_changed_is_named(market: Path, capsys: Capture) -> None:
    picture = png()
    (market / "apps" / "icons" / "smallapp.png").write_bytes(picture + b"\0")
    assert cause(market, capsys) == "icons/smallapp.png changed, not the spec"
    assert run(market, "publish", "--bump", "patch", "--no-verify") == 0
    assert read_ledger(market).releases[-1].changes == ("New icon",)


def test_files_that_a_spec_names_are_named_as_a_possible_cause(
    market: Path, capsys: Capture
) -> None:
    text = market / "apps" / "about.md"
    text.write_text("First\n")
    write_spec(market / "apps", {"name": "thirdapp", "about": {"from": "about.md"}})
    assert run(market, "publish", "--no-verify") == 0
    text.write_text("Second\n")
    capsys.readouterr()
    assert run(market, "diff") == 0
    assert "a file that the spec names (about.md)" in capsys.readouterr().out
