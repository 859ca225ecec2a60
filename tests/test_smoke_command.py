"""`chartgen smoke` from the command line: what it prints, returns and keeps."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.evidence.record import Measurement, parse_measurement
from tests.hanging import hanging
from tests.scripted_engine import Script
from tests.smoking import CONTEXT, answering, call, engine, refused, said
from tests.specs import write_spec

pytestmark = pytest.mark.loopback
ENGINE = {
    "context": CONTEXT,
    "args": {
        "limit-mm-per-prompt": {"image": 1},
        "enable-auto-tool-choice": True,
        "tool-call-parser": "hermes",
    },
}


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CHARTGEN_API_KEY", raising=False)
    return write_spec(tmp_path / "apps", {"engine": ENGINE})


def kept(spec: Path) -> list[Measurement]:
    """Return the evidence beside a spec."""
    files = sorted(spec.parent.glob("evidence/*/*.json"))
    found = [parse_measurement(file.read_bytes()) for file in files]
    assert all(isinstance(one, Measurement) for one in found), found
    return [one for one in found if isinstance(one, Measurement)]


def smoke(spec: Path, url: str, *more: str) -> int:
    return main(["-C", str(spec.parent.parent), "smoke", str(spec), url, *more])


def test_table_goes_to_stdout_and_evidence_is_kept(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine() as server:
        assert smoke(spec, server.url) == 0
    out, err = capsys.readouterr()
    rows = [line.split()[:2] for line in out.splitlines() if not line.startswith(" ")]
    assert ["vision", "passed"] in rows
    assert ["speech", "skipped"] in rows
    assert max(map(len, out.splitlines())) <= 80
    assert "7 passed, 3 skipped" in err
    (evidence,) = kept(spec)
    assert (evidence.kind, evidence.app, evidence.version) == ("smoke", "smallapp", "1.2.3")
    assert evidence.engine == "vLLM 0.21.0"
    assert evidence.hardware == "olares-one"
    assert evidence.context == CONTEXT
    assert set(evidence.content) == {"modern", "legacy"}
    assert [check.name for check in evidence.checks] == [row[0] for row in rows]


def test_json_is_one_document(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answering(tools=refused(400, "no tool parser"))
    with engine(answer=answer) as server:
        assert smoke(spec, server.url, "--json") == 4
    document: Any = json.loads(capsys.readouterr().out)
    assert document["passed"] is False
    tools = next(check for check in document["checks"] if check["name"] == "tools")
    assert tools == {"name": "tools", "outcome": "failed", "detail": "HTTP 400: no tool parser"}
    assert Path(document["evidence"]).is_file()


def test_second_test_gets_a_file_of_its_own(spec: Path) -> None:
    with engine() as server:
        smoke(spec, server.url)
        first = (spec.parent / "evidence/smallapp/1.2.3-smoke-1.json").read_bytes()
        smoke(spec, server.url, "--hardware", "rtx-4090")
    assert (spec.parent / "evidence/smallapp/1.2.3-smoke-1.json").read_bytes() == first
    assert [one.hardware for one in kept(spec)] == ["olares-one", "rtx-4090"]


@pytest.mark.parametrize(
    ("more", "options", "code"),
    [
        ({}, ["--no-save"], 0),
        ({"models": ("other",)}, [], 4),
        ({"answer": answering(streaming=Script(fault="end", fault_after=2))}, [], 4),
        ({"api_key": "wanted"}, [], 4),
        ({"answer": answering(tools=refused(401, "who is it?"))}, [], 4),
        ({"answer": answering(tools=Script(status=502, body="<html>"))}, [], 4),
        ({"healthy": False}, [], 4),
    ],
    ids=["not wanted", "another model", "broken", "not let in", "login", "proxy", "unhealthy"],
)
def test_nothing_is_kept(spec: Path, more: dict[str, Any], options: list[str], code: int) -> None:
    with engine(**more) as server:
        assert smoke(spec, server.url, *options) == code
    assert not (spec.parent / "evidence").exists()


def test_why_nothing_is_kept(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = answering(tools=refused(401, "who is it?"), vision=Script(status=502))
    with engine(answer=answer) as server:
        smoke(spec, server.url)
    err = capsys.readouterr().err
    assert "nothing is kept as evidence: no whole answer of the app came for vision, tools" in err


def test_key_is_sent_and_never_shown(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = "a-key-of-this-test"
    monkeypatch.setenv("CHARTGEN_API_KEY", key)
    answer = answering(
        vision=refused(400, f"key {key} may not see"), text=said(f"{'p' * 50} {key}")
    )
    with engine(api_key=key, answer=answer) as server:
        assert smoke(spec, server.url) == 4
    assert {one.headers["authorization"] for one in server.asked} == {f"Bearer {key}"}
    out, err = capsys.readouterr()
    assert "may not see" in out
    assert key[:8] not in out + err
    assert len(kept(spec)) == 1
    assert key not in "".join(file.read_text() for file in spec.parent.rglob("*.json"))


@pytest.mark.parametrize("seconds", ["nan", "inf", "0.5", "86401"])
def test_time_that_is_none(spec: Path, seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke(spec, "http://127.0.0.1:9", "--timeout", seconds) == 2
    assert "--timeout" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://127.0.0.1:9", 4, "nothing listens there"),
        ("not an address", 1, "neither spaces"),
        ("ftp://127.0.0.1", 1, "no address of an endpoint"),
    ],
)
def test_address_that_is_none(
    spec: Path, url: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert smoke(spec, url) == code
    assert words in capsys.readouterr().err


def test_hardware_that_nobody_knows(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smoke(spec, "http://127.0.0.1:9", "--hardware", "toaster") == 2
    assert "toaster" in capsys.readouterr().err


def test_outcome_that_cannot_be_kept_is_shown(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec.parent / "evidence").write_text("in the way")
    with engine() as server:
        assert smoke(spec, server.url) == 1
    out, err = capsys.readouterr()
    assert out.startswith("health")
    assert "cannot be made" in err


def test_engine_is_asked_for_its_version_before_the_checks(spec: Path) -> None:
    with engine() as server:
        smoke(spec, server.url)
        paths = [one.path for one in server.asked]
        assert paths.index("/version") < paths.index("/health")
        server.asked.clear()
        smoke(spec, server.url, "--no-save")
    assert "/version" not in [one.path for one in server.asked]


def test_endpoint_that_never_answers_is_left_in_time(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    with hanging() as url:
        assert smoke(spec, url, "--timeout", "1") == 4
    assert time.monotonic() - began < 10
    assert "/v1/models" in capsys.readouterr().err


def interrupt(*_: object) -> Any:
    raise KeyboardInterrupt


def test_interrupted_while_the_version_is_asked_for(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chartgen.measure.endpoint.engine_version", interrupt)
    with engine() as server:
        assert smoke(spec, server.url) == 130
        assert smoke(spec, server.url, "--json") == 130
    out, err = capsys.readouterr()
    assert "stopped: before the first check; nothing is kept" in err
    document = json.loads(out)
    assert (document["finished"], document["passed"], document["checks"]) == (False, False, [])


def test_interrupted_while_it_is_kept(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chartgen.evidence.store.keep", interrupt)
    with engine() as server:
        assert smoke(spec, server.url) == 130
    out, err = capsys.readouterr()
    assert [line for line in out.splitlines() if line.startswith("tools      passed")]
    assert "these checks were done before" in err


def test_names_that_nothing_can_write_down_are_kept_without(spec: Path) -> None:
    lone = call(arguments=r'{"door": "north", "\ud800": "\u202e"}')
    with engine(answer=answering(tools=Script(message=lone))) as server:
        assert smoke(spec, server.url) == 0
    (evidence,) = kept(spec)
    tools = next(check for check in evidence.checks if check.name == "tools")
    assert tools.detail.startswith("read_code(door='north', ='')")


def test_interrupted_test_shows_what_was_done(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(request: Any) -> Script:
        return Script(message={"content": "hello"})

    with engine(answer=answer) as server:
        import chartgen.measure.smoke as module

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "check_streaming", interrupt)
            assert smoke(spec, server.url) == 130
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["health", "models", "text"]
    assert "nothing is kept" in err
    assert not (spec.parent / "evidence").exists()
