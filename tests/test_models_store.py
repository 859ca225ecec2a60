"""Facts on disk: written and read back the same, with findings for what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chartgen.errors import UnreadableError
from chartgen.models.facts import Layer
from chartgen.models.files import model_file
from chartgen.models.store import (
    StoredModel,
    load_model,
    load_shelf,
    read_model,
    stored_facts,
)
from chartgen.models.store_text import model_text

FILE = "org--model.yaml"
SOUND = """\
hf: org/model
commit: "0123456789"
weight_bytes: 17000000000
config:
  model_type: llama
  num_hidden_layers: 2
  num_attention_heads: 32
  num_key_value_heads: 8
  hidden_size: 4096
  max_position_embeddings: 131072
source:
  config: config.json
  config.hidden_size: a blog
inferred: [weight_bytes]
"""
HEADER = """\
hf: org/model
file: small Q4.gguf
weight_bytes: 1000
gguf:
  general.architecture: llama
  llama.block_count: 2
  llama.context_length: 8192
  llama.embedding_length: 4096
  llama.attention.head_count: 32
  llama.attention.head_count_kv: 8
"""


def read(text: str, file: str = FILE) -> StoredModel:
    stored, findings = read_model(text.encode(), file)
    assert findings == ()
    assert stored is not None
    return stored


def test_a_config_is_read() -> None:
    found = stored_facts(read(SOUND))

    assert found.name == "org/model"
    assert found.layers == (Layer("full", 8, 128, 128),) * 2
    assert (found.weight_bytes, found.commit) == (17_000_000_000, "0123456789")
    assert found.inferred == {"weight_bytes"}
    assert found.missing == ()


def test_a_header_is_read() -> None:
    found = stored_facts(read(HEADER, "org--model--small-Q4.yaml"))

    assert found.name == "org/model:small Q4.gguf"
    assert found.layers == (Layer("full", 8, 128, 128),) * 2


def test_sources_are_those_of_the_nearest_group() -> None:
    found = stored_facts(read(SOUND))

    assert found.source("config.hidden_size") == "a blog"
    assert found.source("config.num_hidden_layers") == "config.json"
    assert found.source("weight_bytes") == ""


def test_what_is_not_understood_leaves_the_layers_open() -> None:
    found = stored_facts(read(SOUND + "unread: [config.compress_ratios]\n"))

    assert found.layers == ()
    assert found.missing == ("config.compress_ratios",)


def test_a_file_may_know_next_to_nothing() -> None:
    found = stored_facts(read("hf: org/model\n"))

    assert found.missing == ("config", "weight_bytes")


def test_missing_keys_of_a_header_are_named_in_it() -> None:
    text = HEADER.replace("  llama.block_count: 2\n", "")

    found = stored_facts(read(text, "org--model--small-Q4.yaml"))

    assert found.missing == ("gguf.llama.block_count",)


@pytest.mark.parametrize(
    ("line", "becomes", "rule", "place", "said"),
    [
        ("  hidden_size: 4096", "  hidden_sise: 4096", "spec-unknown-key", (9, 3), "hidden_sise"),
        ("  hidden_size: 4096", "  hidden_size: -1", "spec-value", (9, 16), "-1"),
        ("  hidden_size: 4096", "  hidden_size: wide", "spec-type", (9, 16), "'wide'"),
        ("  hidden_size: 4096", "  hidden_size: 4096.5", "spec-type", (9, 16), "4096.5"),
        ("  hidden_size: 4096", "  hidden_size: true", "spec-type", (9, 16), "true"),
        ("weight_bytes: 17000000000", "weight_bytes: 17GB", "spec-type", (3, 15), "17GB"),
        ("weight_bytes: 17000000000", "weight_bytes: -17", "spec-value", (3, 15), "-17"),
        ("weight_bytes: 17000000000", "weights: 17", "spec-unknown-key", (3, 1), "weights"),
        ("hf: org/model", "hf: model", "spec-value", (1, 5), "model"),
        ("hf: org/model", "hf: org/other", "model-file-name", (1, 5), "org--model.yaml"),
        ('commit: "0123456789"', "commit: main", "spec-value", (2, 9), "main"),
        ("  config: config.json", "  confik: config.json", "model-source", (12, 3), "confik"),
        ("inferred: [weight_bytes]", "inferred: [bytes]", "model-source", (14, 12), "bytes"),
        ("inferred: [weight_bytes]", "gguf: {}", "model-twice", (14, 1), "config and gguf"),
    ],
)
def test_what_is_wrong_is_found(
    line: str, becomes: str, rule: str, place: tuple[int, int], said: str
) -> None:
    assert f"{line}\n" in SOUND

    stored, findings = read_model(SOUND.replace(line, becomes).encode(), FILE)

    (found,) = [one for one in findings if one.rule == rule]
    assert (found.place.line, found.place.column) == place
    assert said in found.message
    assert (stored is None) == (rule != "model-source")


@pytest.mark.parametrize(
    ("line", "becomes", "rule", "column"),
    [
        ("  llama.block_count: 2", "  llama.blok_count: 2", "spec-unknown-key", 3),
        ("  llama.block_count: 2", "  gemma4.block_count: 2", "spec-unknown-key", 3),
        ("  llama.block_count: 2", "  llama.block_count: two", "spec-type", 22),
        ("  llama.block_count: 2", "  llama.block_count: [2]", "spec-type", 22),
        ("  llama.block_count: 2", "  llama.block_count: -2", "spec-type", 22),
    ],
)
def test_what_is_wrong_in_a_header_is_found(
    line: str, becomes: str, rule: str, column: int
) -> None:
    name = "org--model--small-Q4.yaml"

    stored, (found,) = read_model(HEADER.replace(line, becomes).encode(), name)

    assert stored is None
    assert (found.rule, found.place.line, found.place.column) == (rule, 6, column)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "spec-type"),
        (b"- a\n", "spec-type"),
        (b"hf: [\n", "yaml-syntax"),
        (b"hf: \xff\n", "yaml-encoding"),
        (b"hf: &a org/model\n", "yaml-alias"),
        (b"config: {}\n", "spec-missing-key"),
    ],
)
def test_what_is_no_such_file_is_found(data: bytes, rule: str) -> None:
    stored, findings = read_model(data, FILE)

    assert stored is None
    assert [one.rule for one in findings] == [rule]


def test_long_lists_and_texts_are_broken_and_read_back() -> None:
    stored = StoredModel.model_validate(
        {
            "hf": "org/model",
            "config": {"model_type": "x", "layer_types": ["sliding_attention"] * 60},
            "source": {"config": "a rather long story, which ends with: yes " * 5 + "no"},
        }
    )

    text = model_text(stored)

    assert max(map(len, text.splitlines())) <= 100
    assert read(text) == stored
    assert yaml.safe_load(text)["config"]["layer_types"] == ["sliding_attention"] * 60


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
COUNTS = st.integers(0, 1 << 40)
HEADERS = st.fixed_dictionaries(
    {"general.architecture": st.just("llama")},
    optional={
        "llama.block_count": COUNTS,
        "llama.attention.head_count_kv": st.lists(COUNTS, max_size=70),
        "llama.attention.sliding_window_pattern": st.lists(st.booleans(), max_size=70),
        "llama.rope.scaling.factor": st.floats(0.01, 1e6).map(lambda one: round(one, 6)),
        "llama.rope.scaling.type": WORDS,
    },
)
CONFIGS = st.fixed_dictionaries(
    {"model_type": WORDS},
    optional={
        "num_hidden_layers": st.integers(0, 4096),
        "layer_types": st.lists(WORDS, min_size=1, max_size=40).map(tuple),
        "attention_k_eq_v": st.booleans(),
        "vision_config": st.just({}),
        "rope_scaling": st.fixed_dictionaries({"factor": st.floats(0.01, 1e6)}).map(
            lambda one: {"factor": round(one["factor"], 6)}
        ),
    },
)


@given(
    st.fixed_dictionaries(
        {"hf": st.just("org/model")},
        optional={
            "commit": st.from_regex(r"[0-9a-f]{7,40}", fullmatch=True),
            "weight_bytes": st.integers(0, 1 << 50),
            "source": st.dictionaries(st.sampled_from(["hf", "commit"]), WORDS, max_size=2),
        },
    ),
    st.one_of(CONFIGS.map(lambda one: {"config": one}), HEADERS.map(lambda one: {"gguf": one})),
)
def test_what_is_written_is_read_back(head: dict[str, Any], body: dict[str, Any]) -> None:
    stored = StoredModel.model_validate({**head, **body})

    again, findings = read_model(model_text(stored).encode(), FILE)

    assert [one for one in findings if one.rule != "model-source"] == []
    assert again == stored
    assert model_text(again) == model_text(stored)


@pytest.mark.parametrize(
    ("hf", "file", "name"),
    [
        ("org/model", None, "org--model.yaml"),
        ("org/model", "a.Q4_K_M.gguf", "org--model--a.Q4_K_M.yaml"),
        ("org/model", "Q4/a b-00001-of-00002.gguf", "org--model--Q4-a-b-00001-of-00002.yaml"),
    ],
)
def test_files_are_named_by_repository_and_file(hf: str, file: str | None, name: str) -> None:
    assert model_file(hf, file) == name


def test_a_shelf_holds_what_is_sound(tmp_path: Path) -> None:
    folder = tmp_path / "apps"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / FILE).write_text(SOUND)
    (folder / "models" / "org--model--small-Q4.yaml").write_text(HEADER)
    (folder / "models" / "broken.yaml").write_text("hf: 1\n")

    shelf, findings = load_shelf(folder)

    assert set(shelf.models) == {("org/model", None), ("org/model", "small Q4.gguf")}
    assert shelf.find("org/model") is not None
    assert shelf.find("org/model", "other.gguf") is None
    assert [one.place.file for one in findings] == ["apps/models/broken.yaml"]
    assert load_model(folder, "org/model") == read(SOUND)
    assert load_model(folder, "org/other") is None


def test_a_file_of_a_megabyte_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / FILE).write_bytes(b"#" * 1_000_000)

    with pytest.raises(UnreadableError, match="is larger than"):
        load_shelf(tmp_path)


def test_an_empty_folder_is_an_empty_shelf(tmp_path: Path) -> None:
    assert load_shelf(tmp_path)[0].models == {}
