"""The exact words with which engines start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chartgen.engines import engine_start, engine_weights
from chartgen.engines.arguments import merged, words
from chartgen.spec.load import load_spec
from tests.specs import loaded, write_spec

LLAMACPP: dict[str, Any] = {
    "kind": "llamacpp",
    "image": "registry/fork:1.0",
    "context": 4096,
    "served_name": "small",
    "model": {"hf": "owner/repo", "file": "main.gguf", "size": "4GB"},
}


def test_vllm_starts_with_the_published_words(tmp_path: Path) -> None:
    spec = loaded(
        tmp_path,
        {
            "engine": {
                "served_name": "small",
                "context": 131072,
                "draft": {"hf": "owner/draft", "size": "1GB"},
                "args": {
                    "gpu-memory-utilization": 0.94,
                    "enable-prefix-caching": True,
                    "async-scheduling": False,
                    "limit-mm-per-prompt": {"image": 1},
                    "speculative-config": {"method": "mtp", "num_speculative_tokens": 3},
                },
            }
        },
    ).spec
    start = engine_start(spec)
    assert start.command == ("vllm", "serve", "owner/model")
    assert " ".join(start.args) == (
        "--served-model-name small --host 0.0.0.0 --port 8000 --max-model-len 131072 "
        "--gpu-memory-utilization 0.94 --enable-prefix-caching --no-async-scheduling "
        '--limit-mm-per-prompt {"image":1} --speculative-config '
        '{"model":"owner/draft","method":"mtp","num_speculative_tokens":3}'
    )


def test_a_draft_repository_that_only_the_arguments_name_is_fetched_too(tmp_path: Path) -> None:
    config = {"model": "owner/draft", "method": "mtp", "num_speculative_tokens": 2}
    spec = loaded(tmp_path, {"engine": {"args": {"speculative-config": config}}}).spec
    assert [(w.role, w.source.hf) for w in engine_weights(spec)] == [
        ("main", "owner/model"),
        ("draft", "owner/draft"),
    ]


def test_a_revision_is_passed_on(tmp_path: Path) -> None:
    model = {"hf": "owner/model", "revision": "refs/pr/2", "size": "1GB"}
    spec = loaded(tmp_path, {"engine": {"model": model}}).spec
    start = engine_start(spec)
    assert start.args[start.args.index("--revision") + 1] == "refs/pr/2"


def test_llamacpp_gets_paths_that_no_two_repositories_share(tmp_path: Path) -> None:
    engine = LLAMACPP | {
        "mmproj": {"hf": "other/repo", "file": "main.gguf"},
        "draft": {"hf": "owner/repo", "revision": "v2", "file": "main.gguf"},
    }
    spec = loaded(tmp_path, {"engine": engine}).spec
    start = engine_start(spec)
    assert start.command == ("/app/llama-server",)
    paths = [start.args[start.args.index(f) + 1] for f in ("--model", "--mmproj", "--model-draft")]
    assert paths == [
        "/models/models--owner--repo/at/main/main.gguf",
        "/models/models--other--repo/at/main/main.gguf",
        "/models/models--owner--repo/at/v2/main.gguf",
    ]
    assert len({w.source.identity for w in engine_weights(spec)}) == 3


def test_forks_spell_flags_their_own_way(tmp_path: Path) -> None:
    engine = LLAMACPP | {
        "binary": "llama-server",
        "spellings": {"draft": "mtp-head", "context": "-c"},
        "draft": {"hf": "owner/draft", "file": "head.gguf"},
        "args": {"-fa": "on", "spec-type": ["a", "b"], "cache-type-k": "q4_0"},
    }
    start = engine_start(loaded(tmp_path, {"engine": engine}).spec)
    text = " ".join(start.args)
    assert "--mtp-head /models/models--owner--draft/at/main/head.gguf" in text
    assert "-c 4096 -fa on --spec-type a,b --cache-type-k q4_0" in text


def test_sglang_and_tabbyapi_start(tmp_path: Path) -> None:
    model = {"hf": "owner/model", "size": "4GB"}
    sglang = {"kind": "sglang", "image": "lmsysorg/sglang:v0.5.17", "model": model, "context": 8192}
    start = engine_start(loaded(tmp_path, {"engine": sglang}).spec)
    assert start.command == ("python3", "-m", "sglang.launch_server")
    assert start.args[:2] == ("--model-path", "/models/models--owner--model/at/main")
    tabby = {"kind": "tabbyapi", "image": "registry/tabby:1", "model": model, "context": 8192}
    begun = engine_start(loaded(tmp_path, {"engine": tabby}).spec)
    config = begun.files["/app/config.yml"]
    assert 'model_dir: "/models/tabbyapi"' in config
    assert 'model_name: "smallapp"' in config
    assert "max_seq_len: 8192" in config


def test_an_app_finds_its_weights_in_the_environment(tmp_path: Path) -> None:
    engine = {
        "kind": "app",
        "image": "registry/app:1",
        "port": 7860,
        "command": ["serve", "--all"],
        "model": None,
        "models": {"voice-large": {"hf": "owner/voice", "size": "1GB"}},
    }
    start = engine_start(loaded(tmp_path, {"engine": engine}).spec)
    assert start.command == ("serve", "--all")
    assert start.env == {"MODEL_VOICE_LARGE": "/models/models--owner--voice/at/main"}


@pytest.mark.parametrize("digest", ["abc", "A" * 64, {"main.gguf": "x"}])
def test_a_digest_is_sixty_four_hex_digits(digest: object, tmp_path: Path) -> None:
    engine = LLAMACPP | {"model": {"hf": "owner/repo", "file": "main.gguf", "sha256": digest}}
    _, findings = load_spec(write_spec(tmp_path, {"engine": engine}))
    assert [(f.rule, f.place.path) for f in findings] == [("spec-value", "engine.model")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, ["--flag"]),
        (False, ["--no-flag"]),
        (None, []),
        (1, ["--flag", "1"]),
        ("on", ["--flag", "on"]),
        ("", ["--flag", ""]),
        ({"a": [1, {"b": None}]}, ["--flag", '{"a":[1,{"b":null}]}']),
        (["x", 2], ["--flag", "x", "2"]),
        ([{"a": 1}], ["--flag", '[{"a":1}]']),
    ],
)
def test_words_of_one_argument(value: object, expected: list[str]) -> None:
    assert list(words({"flag": value})) == expected


def test_an_argument_replaces_a_preset_whatever_its_spelling() -> None:
    assert merged({"max-model-len": 1, "port": 2}, {"max_model_len": 3, "x": 4}) == {
        "max_model_len": 3,
        "port": 2,
        "x": 4,
    }
