"""Memory plans: the known cases, other releases and cards, grids and suggestions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chartgen.hardware import hardware_profiles
from chartgen.memory.boot_log import measured_from_field, measured_from_log
from chartgen.memory.bump import bump_notes
from chartgen.memory.grid import grid
from chartgen.memory.inputs import Measured
from chartgen.memory.llamacpp_settings import LlamaRun
from chartgen.memory.parts import verdict
from chartgen.memory.plan import capped, plan, plan_input, planned, run_of, with_card, with_release
from chartgen.memory.suggest import suggest
from chartgen.models.facts import Drafter, Layer, ModelFacts, State
from chartgen.models.store import Shelf, load_shelf
from chartgen.render.patches import merge_patch
from chartgen.spec.load import load_spec
from tests.planning import (
    FULL,
    GEMMA,
    GGUF,
    LLAMA,
    LLAMA_SHELF,
    SHELF,
    TARGET,
    VISION,
    WINDOW,
    given,
)
from tests.specs import OLARES_ONE, write_spec

ROOT = Path(__file__).resolve().parent.parent
MIB = 2**20
GIB = 2**30
# What vLLM printed on an Olares One at 262144 tokens (market story 2).
REFUSAL = (
    "ValueError: To serve at least one request with the models's max seq len (262144), (3.38 GiB "
    "KV cache is needed, which is larger than the available KV cache memory (2.82 GiB). Based on "
    "the available memory, the estimated maximum model length is 203584. Try increasing"
)


def changed(**arguments: Any) -> dict[str, Any]:
    """Return the vision app with other arguments; `_` stands for `-`."""
    args = {key.replace("_", "-"): value for key, value in arguments.items()}
    return merge_patch(VISION, {"engine": {"args": args}})


# The known case: vLLM 0.21, 8192 batched tokens, utilisation 0.94 of 24463 MiB


def test_the_wall_at_262144(tmp_path: Path) -> None:
    found, _ = planned(given(tmp_path), 262144)
    # (262144 / 32 + 5 x (ceil(9215 / 16) + 1)) x 5 x 65536 bytes
    assert found.kv_needed == 3_629_711_360
    assert f"{found.kv_needed / GIB:.2f}" == "3.38"
    assert f"{(found.kv_available or 0) / GIB:.2f}" == "2.82"
    assert found.longest == 203_584
    assert found.verdict == "does not fit"


def test_131072_fits(tmp_path: Path) -> None:
    found = plan(given(tmp_path))
    assert found.kv_needed == 2_287_534_080
    assert found.verdict == "fits"
    assert found.requests == pytest.approx(1.32, abs=0.01)
    assert found.missing == ()


def test_the_sum_of_all_parts_is_the_card(tmp_path: Path) -> None:
    found = plan(given(tmp_path))
    inside = sum(part.size for part in found.parts)
    assert inside + (found.kv_available or 0) == found.budget
    assert found.budget + sum(part.size for part in found.outside) == found.card == 24463 * MIB


def test_what_is_exact_and_what_is_not(tmp_path: Path) -> None:
    certain = {part.name: part.certainty for part in plan(given(tmp_path)).parts}
    assert certain == {
        "weights": "published",
        "draft": "published",
        "workspaces": "allowance",
        "activation": "allowance",
        "sampler": "allowance",
        "graphs": "allowance",
        "encoder": "allowance",
    }


@pytest.mark.parametrize(
    ("utilisation", "context", "fits"),
    [(0.85, 16384, True), (0.85, 131072, False), (0.92, 131072, True)],
)
def test_known_starts_without_a_draft_model(
    utilisation: float, context: int, fits: bool, tmp_path: Path
) -> None:
    """Market story 1: 16K ran at 0.85, 128K did not fit there, and ran at 0.92."""
    spec = changed(gpu_memory_utilization=utilisation, speculative_config=None)
    spec = merge_patch(spec, {"engine": {"draft": None, "release": "0.20.2rc1"}})
    found, _ = planned(given(tmp_path, spec), context)
    assert (found.verdict != "does not fit") is fits


def test_known_starts_with_dflash(tmp_path: Path) -> None:
    """Market story 1: 16K ran at 0.92 with the DFlash drafter, 128K did not fit."""
    drafter = ModelFacts(
        "z-lab/d", "qwen3", "DFlash", layers=(Layer("full", 8, 128, 128),) * 5,
        drafter=Drafter("dflash", 8), weight_bytes=859_000_000,
    )  # fmt: skip
    shelf = Shelf({**SHELF.models, ("z-lab/d", None): drafter})
    spec = changed(
        gpu_memory_utilization=0.92,
        speculative_config={"method": "dflash", "num_speculative_tokens": 8},
    )
    spec = merge_patch(spec, {"engine": {"draft": {"hf": "z-lab/d"}, "release": "0.20.2rc1"}})
    source = given(tmp_path, spec, shelf=shelf)
    assert planned(source, 16384)[0].verdict == "fits"
    assert planned(source, 131072)[0].verdict == "does not fit"


# Measured values


def test_a_log_fixes_the_rest(tmp_path: Path) -> None:
    measured = measured_from_log(REFUSAL)
    assert measured is not None
    source = given(tmp_path, measured=measured)
    found, _ = planned(source, 262144)
    assert (found.longest, found.available_certainty) == (203_584, "measured")
    assert [part.certainty for part in found.parts] == ["published", "published", "measured"]
    higher = plan(given(tmp_path, changed(gpu_memory_utilization=0.92), measured=measured))
    assert higher.longest == 203_584, "the log was of these settings"


def test_a_measured_rest_moves_with_the_settings(tmp_path: Path) -> None:
    source = given(tmp_path, measured=Measured(round(2.8221 * GIB), "a log"))
    before, run = planned(source)
    assert run is not None
    after = plan(source, replace(run, utilisation=0.96))  # type: ignore[arg-type]
    assert before.kv_available is not None
    assert after.kv_available is not None
    # Two hundredths of 24463 MiB, up to a byte of rounding.
    more = after.kv_available - before.kv_available
    assert more == pytest.approx(0.02 * 24463 * MIB, abs=1)


@pytest.mark.parametrize(
    ("text", "gib"),
    [
        ("INFO Available KV cache memory: 11.67 GiB", 11.67),
        ("Available KV cache memory: 1.0 GiB\nAvailable KV cache memory: 2.5 GiB", 2.5),
        (REFUSAL, 2.82),
    ],
)
def test_logs(text: str, gib: float) -> None:
    measured = measured_from_log(text)
    assert measured is not None
    assert round(measured.kv_available / GIB, 2) == gib
    assert measured.kv_available <= gib * GIB


def test_a_log_that_says_nothing() -> None:
    assert measured_from_log("Model loading took 16.6 GiB") is None


def test_a_field() -> None:
    assert round(measured_from_field("2.82GiB").kv_available / GIB, 2) == 2.82
    assert measured_from_field("3000000000").kv_available == 3_000_000_000
    with pytest.raises(ValueError, match="file size"):
        measured_from_field("plenty")


# Another release: what an image bump says


def test_release_0_33_needs_more(tmp_path: Path) -> None:
    source = with_release(given(tmp_path), "0.33.0")
    found, _ = planned(source, 262144)
    # Two batches in flight: ceil((1023 + 2 x 8192) / 16) + 1 = 1089 blocks a windowed group.
    assert found.kv_needed == (8192 + 5 * 1089) * 5 * 65536
    assert f"{found.kv_needed / GIB:.2f}" == "4.16"
    # 121664 tokens need what 203584 needed on 0.21; one block (32 tokens) is held back since 0.29.
    assert found.longest == 121_664 - 32
    assert plan(source).verdict == "does not fit"


def test_release_0_33_reaches_121664_with_one_block_more(tmp_path: Path) -> None:
    measured = Measured(9247 * 5 * 65536 + 5 * 65536, "a log", release="0.21.0")
    source = with_release(given(tmp_path, measured=measured), "0.33.0")
    assert plan(source).longest == 121_664


def test_a_bump_is_explained(tmp_path: Path) -> None:
    notes = bump_notes(given(tmp_path), "0.33.0", 262144)
    assert notes[0] == ("262,144 tokens need 4.16 GiB on 0.33.0; they needed 3.38 GiB on 0.21.0.")
    assert any(note.startswith("0.26.0") and "in flight" in note for note in notes)
    assert not any(note.startswith("0.28.0") for note in notes), "nothing changed there"
    assert not any("recurrent" in note for note in notes), "Gemma 4 has no such layers"


def test_a_bump_that_changes_nothing_says_so(tmp_path: Path) -> None:
    assert len(bump_notes(given(tmp_path), "0.22.1")) == 2


def test_an_image_whose_release_is_not_known(tmp_path: Path) -> None:
    nightly = merge_patch(VISION, {"engine": {"image": "vllm/vllm-openai:nightly"}})
    found = plan(given(tmp_path, nightly))
    assert not found.release_exact
    assert found.kv_needed is not None


# Other cards


def test_what_a_card_of_32_gb_allows(tmp_path: Path) -> None:
    found = plan(with_card(given(tmp_path), hardware_profiles()["rtx-5090"]))
    assert found.longest == 262_144
    assert (found.requests or 0) > 4


def test_a_cap_is_a_smaller_card(tmp_path: Path) -> None:
    small = capped(given(tmp_path, merge_patch(VISION, {"gpu": {"memory": "23Gi"}})))
    assert small is not None
    assert small.hardware.gpu_memory_mib == 23552
    assert plan(small).verdict == "does not fit"


def test_profiles() -> None:
    cards = hardware_profiles()
    assert next(iter(cards)) == "olares-one"
    assert len(cards) >= 13
    assert {card.gpu_memory_mib // 1000 for card in cards.values()} >= {24, 32, 46, 81, 97, 124}
    assert [name for name, card in cards.items() if card.unified] == ["strix-halo", "dgx-spark"]
    assert all(len(card.source) > 20 for card in cards.values())
    sizes = [card.gpu_memory_mib for card in cards.values()][1:]
    assert sizes == sorted(sizes)


# Suggestions


def test_the_smallest_batch_that_makes_262144_fit(tmp_path: Path) -> None:
    first, *rest = suggest(given(tmp_path), 262144)
    # 1023 + 2337 = 210 x 16: the last batch whose windows take 211 blocks. The largest item, a
    # video of 2496 tokens, no longer fits into one batch.
    assert first.changes == (
        ("engine.args.max-num-batched-tokens", "2337"),
        ("engine.args.limit-mm-per-prompt.video", "0"),
    )
    assert first.plan.longest == 262_144
    assert "video" in first.cost
    assert [item.changes[0] for item in rest] == [
        ("hardware", "rtx-5090"),
        ("engine.context", "203584"),
    ]


def test_a_batch_that_a_video_does_not_fit_into_is_refused(tmp_path: Path) -> None:
    found = plan(given(tmp_path, changed(max_num_batched_tokens=2048)))
    assert "max_tokens_per_mm_item (2496)" in found.refusal
    assert found.verdict == "does not fit"
    limits = {"image": 1, "video": 0}
    spec = changed(max_num_batched_tokens=2048, limit_mm_per_prompt=limits)
    assert plan(given(tmp_path, spec)).verdict == "fits"


def test_suggestions_for_a_newer_release(tmp_path: Path) -> None:
    found = suggest(with_release(given(tmp_path), "0.33.0"))
    places = {item.changes[0][0]: item.changes[0][1] for item in found}
    # 131072 tokens leave 2 x B for windows: the same blocks as ceil((1023 + 2 B) / 16).
    assert int(places["engine.args.max-num-batched-tokens"]) < 8192
    assert places["engine.args.async-scheduling"] == "false"
    assert places["engine.args.gpu-memory-utilization"] == "0.95"
    assert all(item.plan.verdict in ("fits", "tight") for item in found)


def test_a_wide_cache_is_narrowed_first_where_nothing_else_suffices(tmp_path: Path) -> None:
    found = suggest(given(tmp_path, changed(kv_cache_dtype="auto")), 196608)
    assert found[0].changes == (("engine.args.kv-cache-dtype", "fp8"),)


def test_two_changes_where_one_does_not_suffice(tmp_path: Path) -> None:
    first = suggest(given(tmp_path, changed(kv_cache_dtype="auto")), 262144)[0]
    assert {place for place, _ in first.changes} >= {
        "engine.args.kv-cache-dtype",
        "engine.args.max-num-batched-tokens",
    }


def test_what_fits_needs_no_suggestions(tmp_path: Path) -> None:
    assert suggest(given(tmp_path)) == ()


# The grid


def test_the_grid_varies_one_thing_at_a_time(tmp_path: Path) -> None:
    rows = grid(given(tmp_path))
    by_kind: dict[str, list[str]] = {}
    for row in rows:
        by_kind.setdefault(row.what, []).append(row.value)
    assert by_kind["context"][-3:] == ["131072", "196608", "262144"]
    assert by_kind["sequences"] == ["2", "8"]
    assert by_kind["KV type"] == ["bfloat16"]
    assert by_kind["utilisation"] == ["0.92", "0.96"]
    assert by_kind["batch"] == ["2048", "4096", "16384"]
    assert by_kind["card"][0] == "rtx-5090"
    assert [row.value for row in rows if row.asked] == ["131072"]


def test_rows_of_the_grid_are_those_of_the_table(tmp_path: Path) -> None:
    """Longest contexts of Gemma 4 26B in 2.8221 GiB (engines 2.2)."""
    measured = Measured(9247 * 5 * 65536, "a log")
    rows = {(row.what, row.value): row.plan for row in grid(given(tmp_path, measured=measured))}
    assert rows["batch", "4096"].longest == 244_544
    wide = rows["KV type", "bfloat16"].kv_needed
    assert wide == 2 * 2_287_534_080


# llama.cpp


def test_llamacpp(tmp_path: Path) -> None:
    found = plan(given(tmp_path, LLAMA, shelf=LLAMA_SHELF))
    # 131072 x 20480 + 1536 x 204800 bytes (engines 3.3: 2.793 GiB)
    assert found.kv_needed == 131072 * 5 * 4096 + 1536 * 25 * 8192
    assert found.verdict == "fits"
    sizes = {part.name: part.size for part in found.parts}
    assert sizes["outputs"] == 512 * 262144 * 4, "older builds reserve logits for a whole ubatch"
    assert sizes["masks"] == 512 * 131072 * 6
    newer = plan(with_release(given(tmp_path, LLAMA, shelf=LLAMA_SHELF), "b11434"))
    sizes = {part.name: part.size for part in newer.parts}
    assert sizes["outputs"] == 1 * 262144 * 4
    assert sizes["masks"] == 512 * 131072 * 2


@pytest.mark.parametrize(
    ("args", "slots", "unified"),
    [
        ({"parallel": None}, 4, True),
        ({"parallel": 2}, 2, False),
        ({"parallel": None, "-np": 2, "kv-unified": True}, 2, True),
        ({"-np": 3, "parallel": None, "-kvu": True}, 3, True),
        ({"parallel": -1, "-no-kvu": True}, 4, False),
    ],
)
def test_slots_of_a_server(args: dict[str, Any], slots: int, unified: bool, tmp_path: Path) -> None:
    source = given(tmp_path, merge_patch(LLAMA, {"engine": {"args": args}}), shelf=LLAMA_SHELF)
    _, run = planned(source)
    assert run is not None
    assert (run.cache.slots, run.cache.unified) == (slots, unified)  # type: ignore[union-attr]


def test_full_windows_do_not_fit_and_the_way_out_is_named(tmp_path: Path) -> None:
    source = given(
        tmp_path, merge_patch(LLAMA, {"engine": {"args": {"swa-full": True}}}), shelf=LLAMA_SHELF
    )
    assert plan(source).verdict == "does not fit"
    assert suggest(source)[0].changes == (("engine.args.swa-full", "false"),)


def test_a_model_that_drafts_itself_has_a_second_cache(tmp_path: Path) -> None:
    """Qwen3.6-35B-A3B: 10 of 40 layers attend, and one more drafts, in f16 unless told."""
    state = State(conv_channels=8192, conv_kernel=4, shape=(32, 128, 128))
    full = Layer("full", 2, 256, 256)
    layers = (*(Layer("gated-delta", state=state),) * 3, full) * 10
    facts = replace(GEMMA, family="qwen35moe", layers=layers, mtp_layers=(full,), vision=None)
    args = {"spec-type": "draft-mtp", "spec-draft-n-max": 3}
    args |= {"cache-type-k": "q4_0", "cache-type-v": "q4_0"}
    source = given(
        tmp_path,
        merge_patch(LLAMA, {"engine": {"context": 262144, "args": args}}),
        shelf=Shelf({(GGUF, "g.gguf"): facts}),
    )
    kept = 10 * 262144 * 2 * 512 * 18 // 32
    drafts = 262144 * 2 * 512 * 2
    states = 30 * (1 + 3) * (3 * 8192 + 32 * 128 * 128) * 4
    assert plan(source).kv_needed == kept + drafts + states


def test_a_type_nobody_knows_is_asked_for_by_name(tmp_path: Path) -> None:
    args = {"cache-type-k": "turbo9"}
    source = given(tmp_path, merge_patch(LLAMA, {"engine": {"args": args}}), shelf=LLAMA_SHELF)
    found = plan(source)
    assert found.verdict == "unknown"
    assert any("turbo9" in name for name in found.missing)


# What is missing


def test_a_model_without_facts(tmp_path: Path) -> None:
    found = plan(given(tmp_path, shelf=Shelf({})))
    assert found.verdict == "unknown"
    assert found.missing == (f"facts of {TARGET}", "facts of google/gemma-4-26B-A4B-it-assistant")


def test_layers_that_nobody_could_read(tmp_path: Path) -> None:
    odd = replace(GEMMA, layers=(), missing=("config.layer_types",))
    found = plan(given(tmp_path, shelf=Shelf({**SHELF.models, (TARGET, None): odd})))
    assert found.verdict == "unknown"
    assert found.missing == (f"config.layer_types of {TARGET}",)


def test_weights_of_unknown_size(tmp_path: Path) -> None:
    light = replace(GEMMA, weight_bytes=None)
    spec = {**VISION, "engine": {**VISION["engine"], "model": {"hf": TARGET, "size": None}}}
    found = plan(given(tmp_path, spec, shelf=Shelf({**SHELF.models, (TARGET, None): light})))
    assert found.missing == (f"size of {TARGET}",)
    assert found.kv_available is None


def test_an_engine_that_is_not_planned(tmp_path: Path) -> None:
    engine = {"kind": "app", "image": "a/b:1", "port": 80, "model": None, "draft": None}
    engine |= {"args": None, "context": None, "command": ["run"]}
    found = plan(given(tmp_path, {"engine": engine}))
    assert found.verdict == "unknown"
    assert found.missing
    assert grid(given(tmp_path, {"engine": engine})) == ()
    assert suggest(given(tmp_path, {"engine": engine})) == ()


def test_a_release_before_all_knowledge(tmp_path: Path) -> None:
    found = plan(with_release(given(tmp_path), "0.6.0"))
    assert found.verdict == "unknown" or not found.release_exact


# Settings as people write them


@pytest.mark.parametrize(
    ("arguments", "batch"),
    [
        ({"max_num_batched_tokens": "4k"}, 4000),
        ({"max_num_batched_tokens": "4K"}, 4096),
        ({"max_num_batched_tokens": "plenty"}, 2048),
        ({"max_num_batched_tokens": None}, 2048),
    ],
)
def test_batches(arguments: dict[str, Any], batch: int, tmp_path: Path) -> None:
    _, run = planned(given(tmp_path, changed(**arguments)))
    assert run is not None
    assert run.kv.batched_tokens == batch  # type: ignore[union-attr]


def test_the_cache_given_in_bytes(tmp_path: Path) -> None:
    found = plan(given(tmp_path, changed(kv_cache_memory_bytes="3G")))
    assert (found.kv_available, found.available_certainty) == (3 * GIB, "exact")
    assert found.budget_by == "--kv-cache-memory-bytes"


def test_a_context_that_the_engine_chooses(tmp_path: Path) -> None:
    spec = merge_patch(changed(max_model_len="auto"), {"engine": {"context": None}})
    found = plan(given(tmp_path, spec))
    assert found.context == 203_584
    assert found.verdict != "does not fit"


def test_a_share_that_is_never_free(tmp_path: Path) -> None:
    found = plan(given(tmp_path, changed(gpu_memory_utilization=0.99)))
    assert found.verdict == "tight"
    assert any("free" in note for note in found.notes)


def test_windows_at_full_length(tmp_path: Path) -> None:
    spec = changed(disable_hybrid_kv_cache_manager=True)
    found, _ = planned(given(tmp_path, spec), 262144)
    # 262144 x (25 x 4096 + 5 x 2048) bytes in fp8 (engines 2.1: 27.5 GiB)
    assert found.kv_needed == 262144 * (25 * 4096 + 5 * 2048)


@pytest.mark.parametrize(
    ("spare", "budget", "word"),
    [(-1, 100, "does not fit"), (0, 100, "tight"), (2, 100, "tight"), (3, 100, "fits")],
)
def test_verdicts(spare: int, budget: int, word: str) -> None:
    assert verdict(spare, budget) == word


# The apps of this repository


@pytest.mark.parametrize("file", sorted((ROOT / "apps").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_app_of_this_market_fits(file: Path) -> None:
    loaded, _ = load_spec(file)
    assert loaded is not None
    shelf, findings = load_shelf(ROOT / "apps")
    assert findings == ()
    from chartgen.memory.plan import plan_input

    found = plan(plan_input(loaded.spec, shelf, hardware_profiles()["olares-one"]))
    planned_engine = loaded.spec.engine.kind in ("vllm", "llamacpp")
    assert found.verdict == ("fits" if planned_engine else "unknown")


def test_windows_and_full_layers_of_the_sample() -> None:
    assert (GEMMA.layers.count(WINDOW), GEMMA.layers.count(FULL)) == (25, 5)


def test_fewer_sequences_are_suggested_where_their_sampling_takes_the_room(tmp_path: Path) -> None:
    args = {"max-num-seqs": 256}
    found = suggest(given(tmp_path, merge_patch(VISION, {"engine": {"args": args}})))
    by_place = {item.changes[0][0]: item for item in found if len(item.changes) == 1}
    assert "engine.args.max-num-seqs" in by_place
    changed = int(dict(by_place["engine.args.max-num-seqs"].changes)["engine.args.max-num-seqs"])
    assert 4 <= changed < 256


def test_variables_of_llamacpp_count_where_no_argument_overrules_them(tmp_path: Path) -> None:
    changes = {"env": {"LLAMA_ARG_N_PARALLEL": "4", "LLAMA_ARG_CACHE_TYPE_K": "q8_0"}}
    engine = {
        "kind": "llamacpp",
        "image": "ghcr.io/ggml-org/llama.cpp:server-cuda13-b9101",
        "model": {"hf": "owner/model", "file": "model.gguf", "size": "4GB"},
        "context": 32768,
    }
    for args, slots in (({}, 4), ({"parallel": 2}, 2)):
        path = write_spec(tmp_path, {**changes, "engine": {**engine, "args": args}})
        loaded, faults = load_spec(path)
        assert loaded is not None, faults
        run = run_of(plan_input(loaded.spec, Shelf({}), OLARES_ONE))
        assert isinstance(run, LlamaRun)
        assert (run.cache.slots, run.cache.type_k.name) == (slots, "q8_0")
