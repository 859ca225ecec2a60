"""Typed-in context lengths and shares of accepted drafts, against settings and evidence."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from chartgen.evidence.record import Run
from chartgen.findings import Severity
from chartgen.lint.evidence import evidence_findings
from chartgen.spec.load import load_spec
from tests.test_evidence_checks import bench, findings, rules

APPS = Path(__file__).parent.parent / "apps"
K128: dict[str, Any] = {"engine": {"context": 131072}}


def of_context(folder: Path, text: str, **changes: Any) -> list[str]:
    """Return the rules that a text breaks in an app with a context of 128K."""
    return rules(folder, K128 | {"about": text} | changes)


@pytest.mark.parametrize(
    "text",
    [
        *("200K context", "a 200k-token context", "200K tokens of context", "200K ctx"),
        *("**200K** context window", "context of 200K", "context length: 204800", "context (200K)"),
        *("a context window of 200,000 tokens", "up to 200K context", "64K context"),
        *("1M context", "a context of 0.5M tokens", "A context of 4096 tokens", "16 384 context"),
        *("200K Kontext", "ein Kontext von 200K", "200K 上下文", "上下文长度 200K", "200K的上下文"),
        *("contexte de 200K", "200K de contexto", "200K コンテキスト"),
        "Fast: 200K context, natively multimodal",
        *(
            "context 2048",
            "a context of 2000 tokens",
            "| Context | 24 GB |\n| 200K context | yes |",
        ),
        *("It uses 128K. The model has 256K context.", "200K context, 24 GB"),
    ],
)
def test_a_context_that_is_not_the_app_s_is_named(text: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, K128 | {"about": text})
    assert (found.rule, found.severity) == ("context-contradicted", Severity.WARNING)
    assert "128K" in found.message
    assert "{context}" in found.remedy


@pytest.mark.parametrize(
    "text",
    [
        # The same, however it is written.
        *("128K context", "128k-token context", "131K context", "131,072 tokens of context"),
        *("context of 131072", "131.072 Token Kontext", "a context of 128,000 tokens"),
        *("0.13M context", "上下文长度 128K", "{context} context"),
        # Of something else.
        *("The model's native context is 256K", "256K native context", "trained on 32K context"),
        *("64K context before", "instead of a context of 64K", "context 64K → 128K"),
        *("Version 1.0.0 had a 16K context", "32K context per request", "not the 256K context"),
        "The model supports 256K context, of which this app uses 128K.",
        *(
            "Das Modell kann 256K Kontext, hier sind es 128K",
            "模型支持 256K 上下文，本应用使用 128K",
        ),
        *("The draft model has a context of 4096 tokens", "Images take 1,024 tokens of context"),
        *("With 32K context it needs 20 GiB, and more later", "slows down beyond 64K context"),
        *("| 32K context | 18 GiB |", "| Context 32K | 18 GB |"),
        *("Context 2026 edition", "in the context of 2024 models"),
        *("8192 tokens a batch", "4 contexts of 2 users", "a 24 GB card", "v200k context7"),
        *("context switch in 200 ms", "context-200k-model", "--cross-ctx 1024", "Llama-3-8B-200K"),
    ],
)
def test_what_is_no_contradiction_is_left_alone(text: str, tmp_path: Path) -> None:
    assert of_context(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("1M context", True),
        ("1,000,000 token context", True),
        ("1,048,576 token context", True),
        ("1000K context", True),
        ("1048K context", True),
        ("1,000 token context", False),
        ("2,000,000 token context", False),
        ("1,500,000 token context", False),
    ],
)
def test_a_million_is_written_in_several_ways(text: str, holds: bool, tmp_path: Path) -> None:
    changes = {"engine": {"context": 1_048_576}, "about": text}
    assert rules(tmp_path, changes) == ([] if holds else ["context-contradicted"])


def test_an_app_without_a_context_has_none_to_contradict(tmp_path: Path) -> None:
    assert rules(tmp_path, {"about": "200K context"}) == []


def test_change_notes_tell_of_what_was(tmp_path: Path) -> None:
    assert rules(tmp_path, K128 | {"changes": {"1.2.3": ["64K context"]}}) == []


def test_a_context_in_a_file_is_shown_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "about.md").write_text("First line\n\nIt has a 200K context.\n")
    (found,) = findings(tmp_path, K128 | {"about": {"from": "about.md"}})
    assert (found.place.line, found.place.column) == (3, 10)


ACCEPTANCES = (
    *("86.4 % of drafts accepted", "86.4% of the drafted tokens accepted", "86 % acceptance"),
    *("acceptance rate 86 %", "acceptance rate: 86.4 %", "Acceptance of about 85 %"),
    *("an acceptance rate of 86%", "over 80 % of drafts are accepted", "Akzeptanzrate 86 %"),
    *("86 % der Entwürfe angenommen", "接受率 86%", "86% 的接受率"),
)


@pytest.mark.parametrize("text", ACCEPTANCES)
def test_a_typed_acceptance_needs_evidence(text: str, tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"about": text})
    assert (found.rule, found.severity) == ("acceptance-unproven", Severity.WARNING)
    assert "no bench" in found.message
    assert "{acceptance}" in found.remedy
    # The known case: 25,920 of 29,997 are 86.4 %.
    bench(tmp_path, accepted_tokens=25_920, drafted_tokens=29_997)
    assert rules(tmp_path, {"about": text}) == []


@pytest.mark.parametrize("text", ACCEPTANCES)
def test_an_acceptance_that_was_not_measured_is_named(text: str, tmp_path: Path) -> None:
    runs = tuple(Run(rate, accepted_tokens=50, drafted_tokens=100) for rate in (250.0,) * 4)
    bench(tmp_path, runs=runs)
    (found,) = findings(tmp_path, {"about": text})
    assert found.rule == "acceptance-unproven"
    assert "50.0 %" in found.message


@pytest.mark.parametrize(
    "text",
    [
        *("84 % faster", "+86 %", "86 % of users", "acceptance of {acceptance}", "86 % GPU memory"),
        *("all 86 drafts accepted", "user acceptance testing", "It accepts 86 images"),
    ],
)
def test_other_percentages_are_left_alone(text: str, tmp_path: Path) -> None:
    assert "acceptance-unproven" not in rules(tmp_path, {"about": text})


@pytest.mark.parametrize("part", ["1 ", "128K ", "context ", "86 % ", "acceptance ", "1,", "a, "])
def test_the_time_grows_with_the_length_alone(part: str, tmp_path: Path) -> None:
    text = part * (100_000 // len(part))
    before = time.process_time()
    of_context(tmp_path, text)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("path", sorted(APPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_apps_of_this_repository_type_nothing(path: Path) -> None:
    loaded, _ = load_spec(path)
    assert loaded is not None
    found = {item.rule for item in evidence_findings(loaded, "olares-one")}
    assert found <= {"claim-untested", "evidence-stale", "text-without-evidence"}
