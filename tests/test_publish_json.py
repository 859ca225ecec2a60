"""`publish --json` prints exactly one JSON document on stdout, whatever comes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from chartgen.findings import Place
from chartgen.lint.rules import finding
from chartgen.market import replay
from chartgen.market.device.verify import VerifyReport
from tests.specs import write_spec

pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
Capture = pytest.CaptureFixture[str]
URL = "url: https://market.example.org\n"


@pytest.fixture
def market(tmp_path: Path) -> Path:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "market.yaml").write_text(URL)
    write_spec(tmp_path / "apps")
    return tmp_path


def published(market: Path, capsys: Capture, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the one document of a publish."""
    capsys.readouterr()
    code = main(["publish", "-C", str(market), "--json", *words])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, document


def test_released_and_then_nothing_changed(market: Path, capsys: Capture) -> None:
    code, document = published(market, capsys)
    assert code == 0
    assert document == {
        "releases": [{"name": "smallapp", "version": "1.2.3", "changes": ["First release"]}],
        "folder": "dist/site",
        "changed": True,
        "faults": 0,
    }
    code, document = published(market, capsys)
    assert (code, document["releases"], document["changed"]) == (0, [], False)


def test_nothing_to_publish(market: Path, capsys: Capture) -> None:
    (market / "apps" / "smallapp.yaml").unlink()
    assert published(market, capsys) == (0, {"releases": [], "changed": False})


def test_a_dry_run(market: Path, capsys: Capture) -> None:
    code, document = published(market, capsys, "--dry-run")
    assert code == 0
    assert document["releases"][0]["version"] == "1.2.3"
    assert document["would"]["folder"] == "dist/site"
    assert not (market / "dist" / "site").exists()


def test_a_refusal_holds_its_findings(market: Path, capsys: Capture) -> None:
    published(market, capsys)
    write_spec(market / "apps", {"engine": {"context": 4096}})
    code, document = published(market, capsys)
    assert (code, document["releases"]) == (1, [])
    (found,) = document["findings"]
    assert (found["rule"], found["file"]) == ("bump-needed", "apps/smallapp.yaml")
    assert document["refused"] == 1
    assert "chartgen bump smallapp patch" in found["remedy"]


def test_a_failed_verification_holds_its_findings(
    market: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = finding("market-ahead", Place("/api/v1/appstore/info"), "smallapp is ahead")
    report = VerifyReport("https://market.example.org", True, (), (fault,), 1, 1)
    monkeypatch.setattr(replay, "verify_site", lambda *_, **__: report)
    code, document = published(market, capsys)
    assert code == 4
    assert document["releases"][0]["name"] == "smallapp"
    assert document["faults"] == 1
    assert [item["rule"] for item in document["findings"]] == ["market-ahead"]


def test_a_bad_market_file_is_told_with_its_place(market: Path, capsys: Capture) -> None:
    (market / "market" / "market.yaml").write_text("title: My Market\n")
    code, document = published(market, capsys)
    assert code == 1
    assert document["error"]
    (found,) = document["findings"]
    assert (found["file"], found["line"], found["column"]) == ("market/market.yaml", 1, 8)


@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [("market", 1, "chartgen init"), ("checks", 5, "chartgen[check]"), ("target", 1, "TOKEN")],
)
def test_a_step_that_cannot_be_taken(
    spoil: str,
    code: int,
    word: str,
    market: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if spoil == "market":
        (market / "market" / "market.yaml").unlink()
    elif spoil == "checks":
        monkeypatch.setitem(sys.modules, "helm_python", None)
    else:
        text = f"{URL}publish: {{cloudflare: {{worker: a, domain: market.example.org}}}}\n"
        (market / "market" / "market.yaml").write_text(text)
        monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
        monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID", raising=False)
    found, document = published(market, capsys)
    assert found == code
    assert word in document["error"]
    assert document["findings"] == []


def test_a_publish_that_is_stopped(
    market: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("chartgen.release.workspace.read_workspace", interrupt)
    assert published(market, capsys) == (130, {"error": "interrupted", "findings": []})
