"""`bench --json` and `smoke --json` print exactly one document on stdout, whatever comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Run
from tests.scripted_engine import Script, ScriptedEngine
from tests.specs import write_spec

pytestmark = pytest.mark.loopback
Capture = pytest.CaptureFixture[str]
BOTH = pytest.mark.parametrize("command", ["bench", "smoke"])
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)
    write_spec(tmp_path / "apps", {"engine": {"context": 4096}})
    return tmp_path


def told(market: Path, capsys: Capture, command: str, *words: str) -> tuple[int, dict[str, Any]]:
    """Return the exit code and the one document; what the person sees has the error, too."""
    capsys.readouterr()
    code = main(["-C", str(market), command, "--json", *words])
    out, err = capsys.readouterr()
    document: dict[str, Any] = json.loads(out)
    assert code == 0 or document["error"] in err
    return code, document


@BOTH
@pytest.mark.parametrize(
    ("url", "code", "words"),
    [(NOBODY, 4, "nothing listens there"), ("no address", 1, "neither spaces")],
)
def test_an_address_where_nothing_is(
    command: str, url: str, code: int, words: str, market: Path, capsys: Capture
) -> None:
    found, document = told(market, capsys, command, "smallapp", url)
    assert found == code
    assert document.keys() == {"error", "findings"}
    assert words in document["error"]
    assert document["findings"] == []


@BOTH
def test_a_key_that_is_wanted(command: str, market: Path, capsys: Capture) -> None:
    with ScriptedEngine(api_key="wanted") as engine:
        code, document = told(market, capsys, command, "smallapp", engine.url)
    assert code == 4
    assert "HTTP 401" in document["error"]


def test_a_model_that_is_not_served(market: Path, capsys: Capture) -> None:
    with ScriptedEngine(models=("other",)) as engine:
        code, document = told(market, capsys, "bench", "smallapp", engine.url)
    assert code == 4
    assert "serves no model 'smallapp', only other" in document["error"]


@BOTH
@pytest.mark.parametrize(
    ("text", "rule"), [("name: [", "yaml-syntax"), ("name: smallapp\n", "spec-missing-key")]
)
def test_a_spec_that_cannot_be_used(
    command: str, text: str, rule: str, market: Path, capsys: Capture
) -> None:
    (market / "apps" / "bad.yaml").write_text(text)
    code, document = told(market, capsys, command, "apps/bad.yaml", NOBODY)
    assert code == 3
    assert document["error"].startswith("apps/bad.yaml: ")
    assert rule in {found["rule"] for found in document["findings"]}
    assert {found["file"] for found in document["findings"]} == {"apps/bad.yaml"}


@BOTH
@pytest.mark.parametrize(("word", "code"), [("nonesuch", 1), ("apps/nonesuch.yaml", 3)])
def test_a_spec_that_is_not_there(
    command: str, word: str, code: int, market: Path, capsys: Capture
) -> None:
    found, document = told(market, capsys, command, word, NOBODY)
    assert found == code
    assert word in document["error"]


def test_an_app_without_chat(market: Path, capsys: Capture) -> None:
    change = {"kind": "app", "image": "a/b:1", "port": 80, "model": None, "context": None}
    write_spec(market / "apps", {"engine": change})
    code, document = told(market, capsys, "bench", "smallapp", NOBODY)
    assert code == 1
    assert "no chat completions" in document["error"]


def test_a_bench_that_breaks_tells_its_runs_and_the_error(market: Path, capsys: Capture) -> None:
    with ScriptedEngine(Script(), Script(), Script(status=500)) as engine:
        code, document = told(market, capsys, "bench", "smallapp", engine.url)
    assert code == 4
    assert document["finished"] is False
    assert len(document["runs"]) == 2
    assert "HTTP 500" in document["error"]


def test_a_bench_that_breaks_at_once(market: Path, capsys: Capture) -> None:
    with ScriptedEngine(Script(status=500)) as engine:
        code, document = told(market, capsys, "bench", "smallapp", engine.url)
    assert code == 4
    assert document.keys() == {"error", "findings"}


@BOTH
def test_a_command_stopped_before_it_has_anything(
    command: str, market: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chartgen.measure.connection.Connection.get", interrupt)
    code, document = told(market, capsys, command, "smallapp", NOBODY)
    assert code == 130
    assert document["error"] == "interrupted"


def test_a_bench_that_ends_has_no_error(market: Path, capsys: Capture) -> None:
    with ScriptedEngine(Script(tokens=None, rate=6000)) as engine:
        given = ("smallapp", engine.url, "--no-save", "--runs", "1", "--max-tokens", "100")
        code, document = told(market, capsys, "bench", *given)
    assert (code, document["finished"]) == (0, True)
    assert "error" not in document


def test_runs_that_cannot_be_written_down_are_shown(
    market: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (market / "apps" / "evidence").write_text("in the way")
    monkeypatch.setattr("chartgen.measure.runs.timed_run", lambda *_, **__: Run(100.0))
    with ScriptedEngine() as engine:
        code, document = told(market, capsys, "bench", "smallapp", engine.url)
    assert code == 1
    assert len(document["runs"]) == 11
    assert document["evidence"] is None
