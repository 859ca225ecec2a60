"""What `check` says of the memory plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.findings import Finding, Severity
from chartgen.hardware import hardware_profiles
from chartgen.lint.memory import memory_findings
from chartgen.lint.rules import rule_book
from chartgen.memory.plan import plan, plan_input
from chartgen.models.beside import shelf_of
from chartgen.models.files import model_file
from chartgen.render.patches import merge_patch
from chartgen.spec.load import load_spec
from tests.planning import ASSISTANT, TARGET, VISION
from tests.specs import write_spec

ROOT = Path(__file__).resolve().parent.parent
ONE = hardware_profiles()["olares-one"]


def findings(
    folder: Path, changes: dict[str, Any], *, facts: bool = True, hardware: str = "olares-one"
) -> list[Finding]:
    """Return the findings on the vision app with changes, facts of its models beside it."""
    path = write_spec(folder, merge_patch(VISION, changes))
    if facts:
        (folder / "models").mkdir()
        for repository in (TARGET, ASSISTANT):
            name = model_file(repository)
            data = (ROOT / "apps" / "models" / name).read_bytes()
            (folder / "models" / name).write_bytes(data)
    loaded, faults = load_spec(path)
    assert loaded is not None, faults
    found = memory_findings(loaded, hardware_profiles()[hardware])
    # The vision app has more sequences than fit at full length: a test of its own.
    return [item for item in found if item.rule != "memory-sequences"]


def test_what_fits_says_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path, {}) == []


def test_too_long_a_context(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"engine": {"context": 262144}})
    assert (found.rule, found.severity) == ("memory-over-card", Severity.ERROR)
    assert found.place.path == "engine.context"
    assert found.place.line > 0
    for number in ("262,144", "3.38", "2.82", "203,584"):
        assert number in found.message
    assert "--suggest" in found.remedy


def test_almost_too_long_a_context(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"engine": {"context": 196608}, "gpu": {"memory": "24463Mi"}})
    assert (found.rule, found.severity) == ("memory-tight", Severity.WARNING)


def test_a_batch_that_the_engine_refuses(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"engine": {"args": {"max-num-batched-tokens": 2048}}})
    assert found.rule == "memory-refused"
    assert "2496" in found.message


def test_a_release_that_is_not_known_for_certain_only_warns(tmp_path: Path) -> None:
    image = "vllm/vllm-openai:nightly"
    found = findings(tmp_path, {"engine": {"context": 262144, "image": image}})
    assert [item.rule for item in found] == ["memory-over-card"]
    assert found[0].severity is Severity.WARNING


def test_a_cap_that_shrinks_the_share(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"gpu": {"memory": "23Gi"}})
    assert found.rule == "gpu-memory-below-plan"
    least = int(found.remedy.removeprefix("Ask for ").partition("Mi")[0])
    again = tmp_path / "again"
    assert findings(again, {"gpu": {"memory": f"{least}Mi"}}) == []


def test_a_cap_means_nothing_before_olares_1_12_6(tmp_path: Path) -> None:
    changes = {"gpu": {"memory": "23Gi"}, "platforms": ["legacy"]}
    assert findings(tmp_path, changes) == []


def test_more_than_the_plan_takes(tmp_path: Path) -> None:
    args = {"gpu-memory-utilization": 0.5, "kv-cache-memory-bytes": "3G"}
    changes = {"engine": {"args": args}, "gpu": {"memory": "80Gi"}}
    rules = [item.rule for item in findings(tmp_path, changes, hardware="h100-80gb")]
    assert rules == ["gpu-memory-above-plan"]


def test_without_facts_nothing_is_said(tmp_path: Path) -> None:
    assert findings(tmp_path, {"engine": {"context": 262144}}, facts=False) == []


@pytest.mark.parametrize("file", sorted((ROOT / "apps").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_apps_of_this_market_have_no_errors(file: Path) -> None:
    loaded, _ = load_spec(file)
    assert loaded is not None
    found = list(memory_findings(loaded, ONE))
    assert [item for item in found if item.severity is Severity.ERROR] == []


def test_a_smaller_card_is_named_with_its_figures() -> None:
    loaded, _ = load_spec(ROOT / "apps" / "gemma4-vision.yaml")
    assert loaded is not None
    small = replace(ONE, gpu_memory_mib=20000, title="A card of 20 GB")
    (found,) = memory_findings(loaded, small)
    assert "20,000 MiB of A card of 20 GB" in found.message


def test_all_rules_are_in_the_book() -> None:
    names = {
        "memory-over-card",
        "memory-tight",
        "memory-refused",
        "gpu-memory-below-plan",
        "gpu-memory-above-plan",
    }
    assert names <= set(rule_book())


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("max-num-seqs", "many"),
        ("max-num-seqs", 0),
        ("kv-cache-dtype", "q8_0"),
        ("kv-cache-dtype", True),
        ("gpu-memory-utilization", 1.5),
        ("max-num-batched-tokens", "8K9"),
    ],
)
def test_a_value_without_sense_gives_no_verdict(
    tmp_path: Path, argument: str, value: object
) -> None:
    """The checks of arguments say it; a plan with some other value would mislead."""
    changes = {"engine": {"context": 262144, "args": {argument: value}}}
    assert findings(tmp_path, changes) == []
    loaded, _ = load_spec(write_spec(tmp_path, merge_patch(VISION, changes)))
    assert loaded is not None
    found = plan(plan_input(loaded.spec, shelf_of(loaded), ONE))
    assert any(argument in missing for missing in found.missing)


def test_a_refusal_stands_at_the_argument_that_it_names(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, {"engine": {"args": {"max-num-batched-tokens": 2048}}})
    assert found.place.path == "engine.args.max-num-batched-tokens"


@pytest.mark.parametrize(("sequences", "said"), [(1, False), (2, True), (None, False)])
def test_more_sequences_than_the_cache_holds(
    tmp_path: Path, sequences: int | None, said: bool
) -> None:
    changes = {"engine": {"args": {"max-num-seqs": sequences}}}
    path = write_spec(tmp_path, merge_patch(VISION, changes))
    (tmp_path / "models").mkdir()
    for repository in (TARGET, ASSISTANT):
        name = model_file(repository)
        data = (ROOT / "apps" / "models" / name).read_bytes()
        (tmp_path / "models" / name).write_bytes(data)
    loaded, _ = load_spec(path)
    assert loaded is not None
    notes = [item for item in memory_findings(loaded, ONE) if item.rule == "memory-sequences"]
    assert [item.severity for item in notes] == [Severity.NOTE] * said


def test_what_a_context_beyond_the_model_s_own_costs(tmp_path: Path) -> None:
    found = findings(tmp_path, {"engine": {"context": 262144 + 32768}})
    (beyond,) = [item for item in found if item.rule == "memory-beyond-native"]
    # 1,024 blocks of 32 tokens in each of the 5 full layers, 65,536 bytes a block: 320 MiB.
    assert "32,768 tokens beyond" in beyond.message
    assert "320 MiB" in beyond.message
    assert beyond.severity is Severity.NOTE
