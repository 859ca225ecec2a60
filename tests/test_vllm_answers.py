"""vLLM's own answers, as `make oracle` recorded them, heard by `smoke` and `bench`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from chartgen.cli import main
from tests.recorded_engine import Answers, replaying
from tests.specs import write_spec
from tests.tiny_model import NAME, TRAINED_CONTEXT
from tests.vllm_server import ANSWERED, ROOT, SPEC

pytestmark = pytest.mark.loopback
RELEASE = "0.32.0"
FILE = ROOT / "tests" / "engines" / f"answers-vllm-{RELEASE}.json"
METRICS, STREAM = "GET /metrics", "POST /v1/chat/completions, streamed"


@pytest.fixture
def recorded() -> dict[str, Answers]:
    found: dict[str, Answers] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def heard(
    what: str,
    recorded: dict[str, Answers],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    *options: str,
) -> tuple[int, Any]:
    """Run a command against recorded answers; return its exit code and its document."""
    spec = str(write_spec(folder / "apps", {"engine": SPEC}))
    with replaying(recorded[what]) as url:
        words = [
            "-C",
            str(folder),
            what.split(maxsplit=1)[0],
            spec,
            url,
            "--no-save",
            "--json",
            *options,
        ]
        code = main(words)
    return code, json.loads(capsys.readouterr().out)


def usages(streams: list[dict[str, Any]]) -> list[int]:
    """Return the last count of completion tokens in each stream."""
    return [int(re.findall(r'"completion_tokens":([0-9]+)', s["body"])[-1]) for s in streams]


def counted(page: dict[str, Any], what: str) -> int:
    """Return a counter of a page of metrics."""
    found = re.search(
        rf"^vllm:spec_decode_num_{what}_tokens_total{{.*}} (\S+)$", page["body"], re.MULTILINE
    )
    assert found is not None
    return int(float(found[1]))


def test_smoke_understands_all_answers(
    recorded: dict[str, Answers], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = heard("smoke", recorded, tmp_path, capsys)
    checks = {check["name"]: check for check in document["checks"]}
    assert code == 0, checks
    passed = [name for name, check in checks.items() if check["outcome"] == "passed"]
    assert passed == ["health", "models", "text", "streaming", "tools", "context"]
    assert NAME in checks["models"]["detail"]
    assert "7413" in checks["tools"]["detail"]
    assert f"{TRAINED_CONTEXT} tokens" in checks["context"]["detail"]


def test_smoke_names_the_options_that_tools_need(
    recorded: dict[str, Answers], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = heard("smoke without tools", recorded, tmp_path, capsys)
    (failed,) = [check for check in document["checks"] if check["outcome"] == "failed"]
    assert code == 4
    assert failed["name"] == "tools"
    assert "HTTP 400" in failed["detail"]
    assert "--enable-auto-tool-choice" in failed["detail"]


def test_bench_counts_tokens_as_the_engine_does(
    recorded: dict[str, Answers], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = heard("bench", recorded, tmp_path, capsys, *ANSWERED)
    assert code == 0
    assert document["engine"].startswith(f"vLLM {RELEASE}")
    told = [run["completion_tokens"] for run in document["runs"]]
    assert told == usages(recorded["bench"][STREAM])
    assert len(told) == 5


def test_bench_counts_drafts_as_the_engine_does(
    recorded: dict[str, Answers], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = heard("bench", recorded, tmp_path, capsys, *ANSWERED)
    pages = recorded["bench"][METRICS]
    drafted = counted(pages[-1], "draft") - counted(pages[0], "draft")
    accepted = counted(pages[-1], "accepted") - counted(pages[0], "accepted")
    assert drafted >= accepted > 0
    assert sum(run["drafted_tokens"] for run in document["runs"]) == drafted
    assert sum(run["accepted_tokens"] for run in document["runs"]) == accepted
