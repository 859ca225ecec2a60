"""Checks across the fields of a spec, waivers, and checks between the apps of a market."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.lint.rules import rule_book
from chartgen.lint.spec import apply_waivers, market_checks, spec_checks
from chartgen.spec.load import load_spec
from tests.specs import MARKET, OLARES_ONE, loaded, png, write_spec

LLAMACPP = {"kind": "llamacpp", "image": "registry/fork:1.0", "model": {"hf": "a/b", "file": "x"}}
APP = {"kind": "app", "image": "registry/app:1.0", "port": 7860, "model": None}
DRAFT = {"draft": {"hf": "a/b", "size": "1GB"}}
# The MD5 of both names begins with the same eight digits; found by counting up.
TWINS = ("app60151", "app143334")
LARGE = {"engine": {"model": {"size": "30GB"}}}


def rules(folder: Path, changes: dict[str, Any] | None = None) -> set[str]:
    return {item.rule for item in spec_checks(loaded(folder, changes), MARKET, OLARES_ONE)}


def test_a_sound_spec_has_no_findings(tmp_path: Path) -> None:
    assert rules(tmp_path) == set()


@pytest.mark.parametrize(
    ("changes", "rule", "path"),
    [
        ({"name": "kubernetes"}, "app-name-reserved", "name"),
        ({"name": "ollama"}, "app-name-official", "name"),
        (
            {"entrances": [{"name": "a"}, {"name": "a", "title": "B"}]},
            "entrance-twice",
            "entrances[1].name",
        ),
        ({"categories": ["AI", "Fun", "AI"]}, "category-twice", "categories[2]"),
        ({"entrances": [{"port": 1234}]}, "entrance-port", "entrances[0].port"),
        (
            {"steps": [{"name": "s", "image": "a/b:1", "mounts": {"nowhere": "/x"}}]},
            "mount-unknown",
            "steps[0].mounts.nowhere",
        ),
        (
            {"storage": {"a": {"kind": "scratch", "mount": "/models/"}}},
            "mount-twice",
            "storage.a.mount",
        ),
        ({"engine": {"image": "vllm/vllm-openai"}}, "image-tag-missing", "engine.image"),
        ({"engine": {"image": "host:5000/vllm"}}, "image-tag-missing", "engine.image"),
        ({"engine": {"image": "vllm/vllm:latest"}}, "image-floating", "engine.image"),
        ({"engine": {"image": "vllm/vllm:cu129-nightly-x86_64"}}, "image-floating", "engine.image"),
        (
            {"steps": [{"name": "s", "image": "alpine:3.20", "root": True}]},
            "step-root-image",
            "steps[0].root",
        ),
        ({"engine": {"setup": {"pip": ["torch"]}}}, "setup-unpinned", "engine.setup.pip[0]"),
        (
            {"storage": {"a": {"kind": "external", "mount": "/x"}}},
            "platform-unsupported",
            "storage.a.kind",
        ),
        ({"fetch": {"store": "shared"}}, "platform-unsupported", "fetch.store"),
        ({"gpu": {"modes": {"tpu": {}}}}, "accelerator-unknown", "gpu.modes.tpu"),
        (
            {"gpu": {"modes": {"strix-halo": {}}}},
            "accelerator-former",
            "gpu.modes.strix-halo",
        ),
        ({"gpu": {"memory": "4Gi..8Gi"}}, "gpu-memory-range", "gpu.memory"),
        ({"gpu": {"memory": "40Gi"}}, "gpu-memory-over-card", "gpu.memory"),
        ({"resources": {"memory": "200Gi"}}, "memory-over-host", "resources.memory"),
        ({"resources": {"cpu": 64}}, "memory-over-host", "resources.cpu"),
        ({"engine": LLAMACPP, "fetch": "engine"}, "fetch-unsupported", "fetch"),
        (
            {"engine": {"model": {"size": "30GB"}}, "fetch": "engine"},
            "fetch-over-install-limit",
            "",
        ),
        ({"engine": {"model": {"size": "30GB"}}, "fetch": "step"}, "fetch-over-pending-limit", ""),
        (
            {"engine": {"model": {"hf": "a/b", "size": None}}},
            "weights-size-missing",
            "engine.model",
        ),
        ({"summary": "with {contxt}"}, "text-placeholder", "summary"),
        ({"version": "2.0.0"}, "changes-missing", "changes"),
        ({"hardware": "abacus"}, "hardware-unknown", "hardware"),
        (
            {"engine": {"args": {"max-num-seqs": 1, "max_num_seqs": 2}}},
            "argument-twice",
            "engine.args.max_num_seqs",
        ),
        (
            {"engine": {"args": {"speculative-config": {}, "speculative-config.method": "mtp"}}},
            "argument-twice",
            "engine.args.speculative-config.method",
        ),
        (
            {"engine": {"args": {"max-model-len": 1}}},
            "argument-preset",
            "engine.args.max-model-len",
        ),
        (
            {"engine": {"args": {"limit-mm-per-prompt": '{"image": 1'}}},
            "argument-json",
            "engine.args.limit-mm-per-prompt",
        ),
        (
            {"engine": {"args": {"limit-mm-per-prompt": "'{\"image\": 1}'"}}},
            "argument-json",
            "engine.args.limit-mm-per-prompt",
        ),
        (
            {"engine": {"args": {"limit-mm-per-prompt": "image=1"}}},
            "argument-json",
            "engine.args.limit-mm-per-prompt",
        ),
        (
            {"engine": DRAFT | {"args": {"speculative-config": {"model": "c/d", "method": "mtp"}}}},
            "argument-preset",
            "engine.args.speculative-config",
        ),
        (
            {"engine": DRAFT | {"args": {"speculative-config": '{"method": '}}},
            "argument-json",
            "engine.args.speculative-config",
        ),
        (
            {"engine": APP | {"setup": {"pip": ["a==1"]}}},
            "app-command-missing",
            "engine",
        ),
    ],
)
def test_each_fault_is_found_at_its_place(
    changes: dict[str, Any], rule: str, path: str, tmp_path: Path
) -> None:
    hardware = None if rule == "hardware-unknown" else OLARES_ONE
    found = [f for f in spec_checks(loaded(tmp_path, changes), MARKET, hardware) if f.rule == rule]
    assert len(found) == 1
    assert found[0].place.line > 0
    assert found[0].remedy
    if path:
        assert found[0].place.path == path


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.21.0-cu129",
        "vllm/vllm-openai:nightly-1acd67a795ebccdf9b9db7697ae9082058301657",
        "aamsellem/llama-cpp-mtp:master-ad27757",
        "vllm/vllm-openai:latest@sha256:" + "a" * 64,
        "vllm/vllm-openai:tokenspeed-preview-x86_64-ubuntu2404",
        "host:5000/team/app:1.0",
    ],
)
def test_a_tag_that_holds_still_is_no_fault(image: str, tmp_path: Path) -> None:
    found = rules(tmp_path, {"engine": {"image": image}})
    assert found.isdisjoint({"image-floating", "image-tag-missing"})


def test_texts_that_only_look_like_json_are_left_alone(tmp_path: Path) -> None:
    arguments = {"chat-template": "{{ messages }}", "other": "{% if x %}", "third": "[a-z]+"}
    assert "argument-json" not in rules(tmp_path, {"engine": {"args": arguments}})


def test_an_image_reference_is_read_in_linear_time(tmp_path: Path) -> None:
    path = write_spec(tmp_path, {"engine": {"image": "a" + ".a" * 40 + "!"}})
    _, findings = load_spec(path)
    assert [f.rule for f in findings] == ["spec-image"]


def test_icons_must_be_square_pictures_of_the_right_size(tmp_path: Path) -> None:
    path = write_spec(tmp_path)
    for data in (png(128, 128), b"not a picture", b"\x89PNG\r\n\x1a\n"):
        (tmp_path / "icons" / "smallapp.png").write_bytes(data)
        app, _ = load_spec(path)
        assert app is not None
        assert {f.rule for f in spec_checks(app, MARKET, OLARES_ONE)} == {"spec-icon"}


def test_a_waiver_drops_a_finding_and_must_be_of_use(tmp_path: Path) -> None:
    waive = [
        {"rule": "image-floating", "reason": "there is no release that serves it"},
        {"rule": "setup-unpinned", "reason": "nothing is installed here at all"},
        {"rule": "no-such-rule", "reason": "a rule that never existed"},
    ]
    spec = loaded(tmp_path, {"engine": {"image": "a/b:latest"}, "waive": waive})
    stand, waived = apply_waivers(spec, spec_checks(spec, MARKET, OLARES_ONE))
    assert [f.rule for f in waived] == ["image-floating"]
    assert [f.rule for f in stand] == ["waiver-unused", "waiver-unknown"]


def test_two_apps_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = loaded(tmp_path / "a"), loaded(tmp_path / "b")
    (found,) = market_checks([first, second])
    assert found.rule == "app-name-taken"
    assert found.place.file == second.file
    assert f"{first.file}:1:7" in found.message


def test_two_names_with_one_id_are_both_placed(tmp_path: Path) -> None:
    first, second = (loaded(tmp_path, {"name": name}) for name in TWINS)
    (found,) = market_checks([first, second])
    assert found.rule == "app-id-taken"
    assert found.place.file == second.file
    assert f"{first.file}:1:7" in found.message


def test_every_rule_explains_itself() -> None:
    for rule in rule_book().values():
        about = {"file", "spec", "engine", "chart", "manifest", "template", "rendered", "market"}
        assert rule.about in about, rule.id
        assert min(len(rule.title), len(rule.why), len(rule.fix), len(rule.source)) > 3, rule.id
