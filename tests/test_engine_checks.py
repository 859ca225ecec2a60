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
OF_EVIDENCE = ("claim-untested", "evidence-stale", "text-without-evidence")


def findings_on(path: Path, market: MarketSettings = MARKET) -> tuple[Finding, ...]:
    """Return the findings but for those on what was measured, or never was."""
    loaded, faults = load_spec(path, shown_as=path.name)
    assert loaded is not None, faults
    found = check_app(loaded, market, (), faults).findings
    return tuple(item for item in found if item.rule not in OF_EVIDENCE)


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
    sequences, old_name = findings_on(apps / "gemma4-vision.yaml")
    assert (old_name.rule, old_name.severity) == ("engine-argument-deprecated", Severity.NOTE)
    assert "mtp" in old_name.remedy
    assert (sequences.rule, sequences.severity) == ("memory-sequences", Severity.NOTE)
    assert "1.32" in sequences.message


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
    by_rule = {item.rule: item for item in found if item.severity is Severity.ERROR}
    assert sorted(by_rule) == [
        "engine-argument-json",
        "engine-argument-name",
        "engine-model-unsupported",
    ]
    assert "0.21.0" in by_rule["engine-argument-json"].remedy
    assert "0.19.0" in by_rule["engine-argument-name"].remedy
    assert "0.19.0" in by_rule["engine-model-unsupported"].message
    assert [item.rule for item in found if item.severity is not Severity.ERROR] == [
        "memory-sequences"
    ]


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


def about(found: tuple[Finding, ...], path: Path) -> list[tuple[str, str]]:
    """Return the rule of each finding and the line it points at, notes on sequences left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        (item.rule, lines[item.place.line - 1].strip())
        for item in found
        if item.rule != "memory-sequences"
    ]


MTP = "speculative-config: {method: gemma4_mtp, num_speculative_tokens: 3}"
NEW = "speculative-config: {method: mtp, num_speculative_tokens: 3}"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # One mistake, one finding: what follows from it is not said as well.
        ({"max-num-seqs: 4": "max-num-seqs: many"}, ["engine-argument-value"]),
        ({"kv-cache-dtype: fp8": "kv-cache-dtype: q8_0"}, ["engine-argument-value"]),
        ({"kv-cache-dtype: fp8": "kv-cache-dtype: true"}, ["engine-argument-value-missing"]),
        ({"utilization: 0.94": "utilization: 1.5"}, ["engine-argument-value"]),
        ({"max-num-seqs: 4": "max-num-seqs: 4\n    max_num_seqs: 4"}, ["argument-twice"]),
        (
            {NEW: f"{NEW}\n    speculative-config.num_speculative_tokens: 2"},
            ["argument-twice"],
        ),
        (
            {NEW: f"{NEW}\n    -sc: {{method: mtp, num_speculative_tokens: 2}}"},
            ["engine-argument-repeated"],
        ),
        (
            {"max-num-seqs: 4": "max-num-seqs: 4\n    max-num-batched: 4096"},
            ["engine-argument-abbreviated"],
        ),
        ({"parser: gemma4": "parser: gemma5"}, ["engine-argument-name"]),
        ({"parser: gemma4": "parser: hermes"}, ["vllm-tool-parser-family"]),
        ({"v0.21.0-cu129": "v0.20.2", NEW: MTP}, ["engine-argument-json"]),
        ({"v0.21.0-cu129": "v0.20.2"}, ["vllm-gemma4-mtp-release"]),
        ({"batched-tokens: 8192": "batched-tokens: 2048"}, ["memory-refused"]),
        ({"caching: true": 'caching: "false"'}, ["engine-argument-value-unexpected"]),
        ({"{image: 1}": "{image: 1, vidoe: 0}"}, ["vllm-unknown-modality"]),
        ({"tokens: 8192": "tokens: [8192, 4096]"}, ["engine-argument-value-unexpected"]),
        ({"max-num-seqs: 4": "max-num-seqs: 4\n    model: a/b"}, ["argument-preset"]),
        ({"enable-prefix-caching: true": "max num seqs: 4"}, ["engine-argument-value-unexpected"]),
        ({"enable-prefix-caching: true": "compilation-config: '3'"}, ["argument-json"]),
        ({"enable-prefix-caching: true": "tensor-parallel-size: 2"}, ["vllm-more-than-one-gpu"]),
        ({"backend: triton_attn": "backend: flashinfer"}, ["vllm-flashinfer-heads"]),
        (
            {"method: mtp, num_speculative_tokens: 3": "method: ngram, num_speculative_tokens: 3"},
            ["vllm-draft-method", "vllm-ngram-varying-output"],
        ),
        ({"num_speculative_tokens": "num_spec_tokens"}, ["engine-argument-json"]),
        ({NEW: 'speculative-config: \'{"a":' + "[" * 9000 + "'"}, ["argument-json"]),
    ],
)
def test_one_mistake_gives_one_finding_at_its_line(
    apps: Path, changes: dict[str, str], expected: list[str]
) -> None:
    path = edited(apps, "gemma4-vision", (MTP, NEW), *changes.items())
    found = about(findings_on(path), path)
    assert [rule for rule, _ in found] == expected
    # The last line of what was written for a change is the faulty one.
    wanted = list(changes.values())[-1].splitlines()[-1].strip()
    if not wanted.startswith("v0."):
        assert wanted in found[0][1]


@pytest.mark.parametrize(
    ("argument", "message", "remedy"),
    [
        ("spec-method: mtp", "0.22.0 is the first release that does", "0.22.0 or a later"),
        ("swap-space: 4", "0.17.1 was the last release that did", "Remove it"),
        ("disable-log-requests: true", "0.33.0 does again", "--no-enable-log-requests"),
        ("attention-backend: triton", "'triton'", "TRITON_ATTN"),
        ("compilation-config: {level: 3}", "0.17.1 was the last", "Remove it"),
        ("compilation-config: {cudagraph_mode: FULLL}", "not FULLL", "full"),
    ],
)
def test_other_releases_are_named_where_one_lacks_something(
    apps: Path, argument: str, message: str, remedy: str
) -> None:
    path = edited(apps, "gemma4-vision", ("attention-backend: triton_attn", argument))
    found = [item for item in findings_on(path) if item.severity is Severity.ERROR]
    assert len(found) == 1
    assert message in found[0].message
    assert remedy in found[0].remedy


LLAMACPP = "ghcr.io/ggml-org/llama.cpp:server-cuda13"


@pytest.mark.parametrize(
    ("build", "changes", "expected"),
    [
        ("b8740", {"parallel: 1": "mlock: true"}, []),
        ("b11434", {"parallel: 1": "mlock: true"}, ["engine-argument-unknown"]),
        ("b11434", {"parallel: 1": "no-mmap: true"}, ["engine-argument-unknown"]),
        ("b10423", {"parallel: 1": "no-mmap: true"}, ["engine-argument-deprecated"]),
        ("b8740", {"parallel: 1": "thraeds: 3"}, ["engine-argument-unknown"]),
        ("b8740", {"cache-type-v: q4_0": "cache-type-v: turbo3"}, ["engine-argument-value"]),
        ("b8740", {"parallel: 1": "-np: 4"}, ["llamacpp-parallel-splits-context"]),
        ("b8740", {"parallel: 1": "spec-type: ngram-mod"}, ["llamacpp-ngram-with-mmproj"]),
        ("b8900", {"parallel: 1": "spec-type: ngram-mod"}, []),
        ("b8740", {'flash-attn: "on"': 'flash-attn: "off"'}, ["llamacpp-quantised-v-cache"]),
        ("b8740", {"OPT: 1": "OPT: 1, LLAMA_ARG_BATCH: 4K"}, ["engine-argument-misread"]),
        ("b8740", {"OPT: 1": "OPT: 1, LLAMA_ARG_BATCH: few"}, ["engine-argument-value"]),
        ("b8740", {"OPT: 1": "OPT: 1, LLAMA_ARG_NO_SUCH: 1"}, ["engine-env-unread"]),
        ("b8740", {"OPT: 1": "OPT: 1, LLAMA_ARG_THREADS: 4"}, ["engine-argument-repeated"]),
        (
            "b8740",
            {"    parallel: 1\n": "", "OPT: 1": "OPT: 1, LLAMA_ARG_N_PARALLEL: 4"},
            ["llamacpp-parallel-splits-context"],
        ),
    ],
)
def test_findings_on_builds_of_llamacpp(
    apps: Path, build: str, changes: dict[str, str], expected: list[str]
) -> None:
    image = ("aamsellem/llamacpp-atomic-mtp:0.1.0", f"{LLAMACPP}-{build}")
    path = edited(apps, "gemma4-vision-llamacpp", image, *changes.items())
    assert [rule for rule, _ in about(findings_on(path), path)] == expected


def test_what_a_build_recommends_for_no_mmap_is_not_mmap(apps: Path) -> None:
    image = ("aamsellem/llamacpp-atomic-mtp:0.1.0", f"{LLAMACPP}-b10423")
    path = edited(apps, "gemma4-vision-llamacpp", image, ("parallel: 1", "no-mmap: true"))
    (old,) = findings_on(path)
    assert "--load-mode none" in old.remedy


@pytest.mark.parametrize(
    ("image", "message", "path"),
    [
        ("vllm/vllm-openai:v0.34.0", "0.34.0, which has no table", "engine.image"),
        ("somebody/vllm:v0.21.0-mine", "a build of somebody's own", "engine.image"),
        ("somebody/vllm:x\n  release: newest", "'newest' does not tell", "engine.release"),
        ("somebody/vllm:x\n  fork: {base: newest}", "engine.fork does not", "engine.fork.base"),
    ],
)
def test_why_a_release_is_not_known_stands_where_it_was_told(
    apps: Path, image: str, message: str, path: str
) -> None:
    written = edited(apps, "gemma4-vision", ("vllm/vllm-openai:v0.21.0-cu129", image))
    (item,) = [one for one in findings_on(written) if one.rule == "engine-release-unknown"]
    assert message in item.message
    assert item.place.path == path
    assert item.remedy


def test_of_a_release_without_the_model_no_plan_is_made(apps: Path) -> None:
    changes = (("v0.21.0-cu129", "v0.11.2"), ("context: 131072", "context: 262144"))
    found = findings_on(edited(apps, "gemma4-vision", *changes))
    assert not [item for item in found if item.rule == "memory-refused"]
    assert [item for item in found if item.rule == "engine-model-unsupported"]


def test_flash_attention_takes_large_heads_on_data_centre_cards(apps: Path) -> None:
    changes = (("triton_attn", "flash_attn"), ("name: vllm", "hardware: h100-80gb\nname: vllm"))
    found = findings_on(edited(apps, "gemma4-vision", *changes))
    assert "vllm-attention-backend-heads" not in rules_of(found)
