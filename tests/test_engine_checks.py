"""Checks of engine settings against the exact release: the findings on the apps and on bad ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from chartgen.check import check_app
from chartgen.findings import Finding, Severity
from chartgen.market.settings import MarketSettings
from chartgen.spec.load import load_spec
from tests.specs import MARKET, write_spec

APPS = Path(__file__).parent.parent / "apps"


def findings_on(path: Path, market: MarketSettings = MARKET) -> tuple[Finding, ...]:
    loaded, faults = load_spec(path, shown_as=path.name)
    assert loaded is not None, faults
    return check_app(loaded, market, (), faults).findings


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("market") / "apps"
    shutil.copytree(APPS, folder)
    yield folder


def edited(apps: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Write a copy of an app with some of its text exchanged."""
    text = (apps / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = apps / "copy.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rules_of(found: tuple[Finding, ...]) -> list[str]:
    return [item.rule for item in found]


@pytest.mark.parametrize("spec", sorted(APPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_apps_have_nothing_worse_than_notes(spec: Path) -> None:
    found = findings_on(spec)
    assert [item for item in found if item.severity is not Severity.NOTE] == []


def test_the_published_arguments_stay_valid_with_a_note_on_the_old_name(apps: Path) -> None:
    (only,) = findings_on(apps / "gemma4-vision.yaml")
    assert (only.rule, only.severity) == ("engine-argument-deprecated", Severity.NOTE)
    assert "mtp" in only.remedy


def test_a_wrong_copy_yields_exactly_its_faults(apps: Path) -> None:
    path = edited(
        apps,
        "gemma4-vision",
        ("attention-backend: triton_attn", "attention-backend: flash_attn"),
        ("context: 131072", "context: 262144"),
        ("max-num-seqs: 4", "max-num-sequs: 4"),
        ("limit-mm-per-prompt: {image: 1}", "limit-mm-per-prompt: '{\"image\": 1'"),
        ("enable-prefix-caching: true", "swap-space: 4"),
        ("method: gemma4_mtp", "method: mtp"),
    )
    found = {item.rule: item for item in findings_on(path)}
    assert sorted(found) == [
        "argument-json",
        "engine-argument-unknown",
        "memory-over-card",
        "vllm-attention-backend-heads",
    ]
    unknown = [item for item in findings_on(path) if item.rule == "engine-argument-unknown"]
    assert [item.severity for item in unknown] == [Severity.ERROR] * 2
    assert "--max-num-seqs" in unknown[0].remedy
    assert "--swap-space" in unknown[1].message
    assert "was the last release that did" in unknown[1].message


def test_a_context_that_does_not_fit_is_told_with_the_longest_that_does(apps: Path) -> None:
    found = findings_on(edited(apps, "gemma4-vision", ("context: 131072", "context: 262144")))
    (too_long,) = [item for item in found if item.severity is Severity.ERROR]
    assert too_long.rule == "memory-over-card"
    assert "3.38 GiB" in too_long.message
    assert "203,584" in too_long.message


def test_an_image_before_the_model_is_told_with_the_first_release_that_has_it(apps: Path) -> None:
    image = ("v0.21.0-cu129", "v0.18.1-cu129")
    found = findings_on(edited(apps, "gemma4-vision", image))
    by_rule = {item.rule: item for item in found}
    assert sorted(by_rule) == [
        "engine-argument-json",
        "engine-argument-name",
        "engine-model-unsupported",
    ]
    assert "gemma4_mtp" in by_rule["engine-argument-json"].message
    assert "0.19.0" in by_rule["engine-model-unsupported"].message
    assert all(item.severity is Severity.ERROR for item in found)


def test_a_release_that_cannot_be_told_makes_errors_warnings(apps: Path) -> None:
    path = edited(
        apps,
        "gemma4-vision",
        ("v0.21.0-cu129", "cu129-nightly-0123456789012345678901234567890123456789"),
        ("max-num-seqs: 4", "max-num-sequs: 4"),
    )
    found = {item.rule: item for item in findings_on(path)}
    assert found["engine-argument-unknown"].severity is Severity.WARNING
    assert found["engine-release-unknown"].severity is Severity.NOTE


def test_a_model_of_which_nothing_is_known_gives_no_verdict(tmp_path: Path) -> None:
    found = findings_on(write_spec(tmp_path))
    assert found == ()


def test_a_variable_that_the_release_dropped(tmp_path: Path) -> None:
    path = write_spec(tmp_path, {"env": {"VLLM_ATTENTION_BACKEND": "FLASHINFER", "OTHER": "1"}})
    (only,) = findings_on(path)
    assert only.rule == "engine-env-unread"
    assert "VLLM_ATTENTION_BACKEND" in only.message


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"max-num-seq": 4}, "engine-argument-abbreviated"),
        ({"max-num-seqs": "many"}, "engine-argument-value"),
        ({"dtype": "int3"}, "engine-argument-value"),
        ({"max-num-seqs": True}, "engine-argument-value-missing"),
        ({"enable-prefix-caching": 3}, "engine-argument-value-unexpected"),
        ({"compilation-config": {"no_such_key": 1}}, "engine-argument-json"),
        ({"speculative-config": {"method": "no_such"}}, "engine-argument-json"),
        ({"reasoning-parser": "gemini"}, "engine-argument-name"),
        ({"enable-auto-tool-choice": True}, "engine-argument-requires"),
        ({"-sc": {"method": "ngram"}, "speculative-config": {"method": "ngram"}}, "repeated"),
    ],
)
def test_findings_on_arguments(tmp_path: Path, arguments: dict[str, object], rule: str) -> None:
    path = write_spec(tmp_path, {"engine": {"args": arguments}})
    found = findings_on(path)
    assert any(rule in item.rule for item in found), rules_of(found)
    assert all(item.place.line > 1 and item.message and item.remedy for item in found)
