"""Compare chartgen's arithmetic of llama.cpp's cache with what a real server prints.

    python tools/oracle/llamacpp_kv.py SERVER BUILD [--out FILE]

SERVER is a `llama-server` binary (no GPU is needed), BUILD its release, such as b11434. Tiny models
with random numbers of bytes and real geometry are written with the package `gguf`, the server is
started on each with changing arguments, and the lines about its caches are kept in a golden file
that the ordinary tests read (tests/test_llamacpp_kv.py). Exits with 1 where they disagree.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chartgen.memory.llamacpp_kv import (
    CacheRefusal,
    LlamaLayer,
    LlamaSettings,
    cache_types,
    llama_cache,
)

GOLDEN = "tests/engines/kv-llamacpp-{}.json"
PORT = 18734
HIDDEN, FEED, HEADS, WORDS = 64, 64, 4, 268
_CACHE = re.compile(r"size = +([0-9.]+) MiB \( *(\d+) cells, +(\d+) layers, +(\d+)/(\d+) seqs\)")
_STATE = re.compile(
    r"size = +([0-9.]+) MiB \( *(\d+) cells, +(\d+) layers, +\d+ seqs +(\d+) rs_seq"
)


@dataclass
class Geometry:
    """A tiny model: its GGUF keys (without the architecture), tensors by name, and our layers."""

    architecture: str
    keys: Mapping[str, Any]
    tensors: Mapping[str, tuple[int, ...]]
    layers: Sequence[LlamaLayer]
    draft_layers: Sequence[LlamaLayer] = ()
    flags: Sequence[str] = field(default_factory=tuple)


def attention(prefix: str, heads: int, kv_heads: int, size: int) -> dict[str, tuple[int, ...]]:
    """Return the tensors of one attention layer, shapes as numpy has them."""
    return {
        f"{prefix}.attn_norm.weight": (HIDDEN,),
        f"{prefix}.attn_q.weight": (heads * size, HIDDEN),
        f"{prefix}.attn_k.weight": (kv_heads * size, HIDDEN),
        f"{prefix}.attn_v.weight": (kv_heads * size, HIDDEN),
        f"{prefix}.attn_output.weight": (HIDDEN, heads * size),
    }


def feed(prefix: str) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a dense feed-forward part."""
    return {
        f"{prefix}.ffn_norm.weight": (HIDDEN,),
        f"{prefix}.ffn_gate.weight": (FEED, HIDDEN),
        f"{prefix}.ffn_up.weight": (FEED, HIDDEN),
        f"{prefix}.ffn_down.weight": (HIDDEN, FEED),
    }


def frame() -> dict[str, tuple[int, ...]]:
    """Return the tensors outside of the layers."""
    return {"token_embd.weight": (WORDS, HIDDEN), "output_norm.weight": (HIDDEN,)}


def keys(blocks: int, size: int, **more: Any) -> dict[str, Any]:
    """Return the keys that all architectures have."""
    return {
        "context_length": 262144,
        "embedding_length": HIDDEN,
        "block_count": blocks,
        "feed_forward_length": FEED,
        "attention.head_count": HEADS,
        "attention.head_count_kv": 2,
        "attention.key_length": size,
        "attention.value_length": size,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.dimension_count": size,
    } | more


def plain(size: int) -> Geometry:
    """Return a llama with four layers of full attention."""
    tensors = frame()
    for at in range(4):
        tensors |= attention(f"blk.{at}", HEADS, 2, size) | feed(f"blk.{at}")
    layers = [LlamaLayer("attention", 2, size, size)] * 4
    return Geometry("llama", keys(4, size), tensors, layers)


def sliding() -> Geometry:
    """Return a gemma2: two windowed layers, two full ones, alternating."""
    tensors = frame()
    for at in range(4):
        name = f"blk.{at}"
        tensors |= attention(name, HEADS, 2, 64) | feed(name)
        tensors |= {f"{name}.post_attention_norm.weight": (HIDDEN,)}
        tensors |= {f"{name}.post_ffw_norm.weight": (HIDDEN,)}
    window, full = LlamaLayer("windowed", 2, 64, 64, 1024), LlamaLayer("attention", 2, 64, 64)
    more = {"attention.sliding_window": 1024}
    return Geometry("gemma2", keys(4, 64, **more), tensors, [window, full] * 2)


def unequal() -> Geometry:
    """Return a gemma4: heads of two sizes and numbers, the last two layers share their cache."""
    # Shared layers read the last windowed and the last full layer before them.
    pattern = [True, False] * 3
    counts = [8, 2] * 3
    tensors = frame() | {"rope_freqs.weight": (64,)}
    layers = []
    for at, windowed in enumerate(pattern):
        name, size = f"blk.{at}", 64 if windowed else 128
        tensors |= attention(name, HEADS * 2, counts[at], size) | feed(name)
        for part, length in (
            ("attn_q_norm", size),
            ("attn_k_norm", size),
            ("post_attention_norm", HIDDEN),
            ("post_ffw_norm", HIDDEN),
        ):
            tensors[f"{name}.{part}.weight"] = (length,)
        kind = "windowed" if windowed else "attention"
        if at < 4:
            layers.append(LlamaLayer(kind, counts[at], size, size, 512 if windowed else 0))
    more = {
        "attention.head_count": HEADS * 2,
        "attention.head_count_kv": counts,
        "attention.key_length_swa": 64,
        "attention.value_length_swa": 64,
        "attention.sliding_window": 512,
        "attention.sliding_window_pattern": pattern,
        "attention.shared_kv_layers": 2,
        "embedding_length_per_layer_input": 0,
        "rope.dimension_count_swa": 64,
    }
    return Geometry("gemma4", keys(6, 128, **more), tensors, layers)


def hybrid() -> Geometry:
    """Return a qwen35: three recurrent layers and one of attention, and a layer that drafts."""
    groups, states, ranks, kernel = 4, 64, 8, 4
    inner = ranks * states
    channels = 2 * groups * states + inner
    tensors = frame()
    for at in range(5):
        name = f"blk.{at}"
        tensors |= feed(name) | {f"{name}.post_attention_norm.weight": (HIDDEN,)}
        del tensors[f"{name}.ffn_norm.weight"]
        if at in (3, 4):
            tensors |= attention(name, HEADS, 2, 64)
            tensors[f"{name}.attn_q.weight"] = (HEADS * 64 * 2, HIDDEN)
            tensors |= {f"{name}.attn_{part}_norm.weight": (64,) for part in "qk"}
            continue
        tensors |= {
            f"{name}.attn_norm.weight": (HIDDEN,),
            f"{name}.attn_qkv.weight": (channels, HIDDEN),
            f"{name}.attn_gate.weight": (inner, HIDDEN),
            f"{name}.ssm_conv1d.weight": (channels, kernel),
            f"{name}.ssm_dt.bias": (ranks,),
            f"{name}.ssm_a": (ranks,),
            f"{name}.ssm_beta.weight": (ranks, HIDDEN),
            f"{name}.ssm_alpha.weight": (ranks, HIDDEN),
            f"{name}.ssm_norm.weight": (states,),
            f"{name}.ssm_out.weight": (HIDDEN, inner),
        }
    tensors |= {
        "blk.4.nextn.eh_proj.weight": (HIDDEN, 2 * HIDDEN),
        "blk.4.nextn.enorm.weight": (HIDDEN,),
        "blk.4.nextn.hnorm.weight": (HIDDEN,),
    }
    more = {
        "nextn_predict_layers": 1,
        "full_attention_interval": 4,
        "rope.dimension_sections": [8, 12, 12, 0],
        "ssm.conv_kernel": kernel,
        "ssm.inner_size": inner,
        "ssm.state_size": states,
        "ssm.time_step_rank": ranks,
        "ssm.group_count": groups,
    }
    # Convolution history and state of a gated delta net (src/llama-hparams.cpp, n_embd_r/_s).
    state = (kernel - 1) * channels + states * inner
    full = LlamaLayer("attention", 2, 64, 64)
    layers = [LlamaLayer("recurrent", state=state)] * 3 + [full]
    return Geometry("qwen35", keys(5, 64, **more), tensors, layers, draft_layers=[full])


def latent() -> Geometry:
    """Return a deepseek2: MLA, which keeps one compressed key per token."""
    rank, rope, value = 128, 32, 64
    tensors = frame()
    for at in range(3):
        name = f"blk.{at}"
        tensors |= feed(name) | {
            f"{name}.attn_norm.weight": (HIDDEN,),
            f"{name}.attn_kv_a_norm.weight": (rank,),
            f"{name}.attn_q_a_norm.weight": (64,),
            f"{name}.attn_q_a.weight": (64, HIDDEN),
            f"{name}.attn_q_b.weight": (HEADS * 96, 64),
            f"{name}.attn_kv_a_mqa.weight": (rank + rope, HIDDEN),
            f"{name}.attn_k_b.weight": (HEADS, rank, 64),
            f"{name}.attn_v_b.weight": (HEADS, value, rank),
            f"{name}.attn_output.weight": (HIDDEN, HEADS * value),
        }
    more = {
        "attention.head_count_kv": 1,
        "attention.key_length": rank + rope,
        "attention.value_length": rank,
        "attention.key_length_mla": 96,
        "attention.value_length_mla": value,
        "attention.kv_lora_rank": rank,
        "attention.q_lora_rank": 64,
        "rope.dimension_count": rope,
        "leading_dense_block_count": 3,
        "expert_feed_forward_length": FEED,
        "expert_shared_count": 1,
    }
    layers = [LlamaLayer("attention", 1, rank + rope, 0)] * 3
    return Geometry("deepseek2", keys(3, rank + rope, **more), tensors, layers)


GEOMETRIES = {
    "plain": lambda: plain(64),
    "small-heads": lambda: plain(16),
    "sliding": sliding,
    "unequal": unequal,
    "hybrid": hybrid,
    "latent": latent,
}


def write_model(path: Path, shape: Geometry) -> None:
    """Write a model with its tokenizer; all weights are nothing."""
    import gguf

    writer = gguf.GGUFWriter(str(path), shape.architecture)
    for key, value in shape.keys.items():
        name = f"{shape.architecture}.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += [f"word{at}" for at in range(WORDS - len(words))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words)
    writer.add_token_scores([0.0] * WORDS)
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * (WORDS - 259)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, size in shape.tensors.items():
        writer.add_tensor(name, np.zeros(size, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cases() -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Yield geometry, changes to the settings, and further words of the command line."""
    for name in ("plain", "sliding", "unequal", "hybrid", "latent"):
        for context in (4096, 5000, 32768):
            yield name, {"context": context, "slots": 1}, []
        yield name, {"context": 16384, "slots": 4, "unified": False}, []
        yield name, {"context": 16384, "slots": 3, "unified": False}, []
        yield name, {"context": 16384, "slots": 4, "unified": True}, []
        yield name, {"context": 8192, "slots": 1, "batch": 4096, "ubatch": 2048}, []
        yield name, {"context": 8192, "slots": 1, "batch": 256, "ubatch": 512}, []
        yield name, {"context": 8192, "slots": 1, "full_windows": True}, []
    for name in ("sliding", "unequal", "plain"):
        for kind in ("bf16", "f32", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"):
            yield name, {"context": 8192, "slots": 1, "type_k": kind, "type_v": kind}, []
        yield name, {"context": 8192, "slots": 1, "type_k": "q8_0", "type_v": "q4_0"}, []
    yield "unequal", {"context": 8192, "slots": 1, "flash_attention": False}, []
    yield "plain", {"context": 8192, "slots": 1, "flash_attention": False, "type_v": "q8_0"}, []
    for kind in ("q8_0", "q4_0"):
        yield "small-heads", {"context": 8192, "slots": 1, "type_k": kind, "type_v": kind}, []
    yield "small-heads", {"context": 8192, "slots": 1}, []
    yield "latent", {"context": 8192, "slots": 1, "type_k": "q8_0", "type_v": "q8_0"}, []
    for slots, unified in ((1, True), (2, False), (4, True)):
        settings = {"context": 16384, "slots": slots, "unified": unified, "type_k": "q8_0"}
        settings |= {"type_v": "q8_0", "rollback": 3}
        yield "hybrid", settings, ["--spec-type", "draft-mtp", "--spec-draft-n-max", "3"]


def settings_of(changes: Mapping[str, Any]) -> LlamaSettings:
    """Return the settings of a case; cache types are named in it."""
    types = cache_types()
    named = {key: types[changes.get(key, "f16")] for key in ("type_k", "type_v")}
    return LlamaSettings(**(dict(changes) | named))


def command_line(settings: LlamaSettings) -> list[str]:
    """Return the server's arguments for the settings."""
    words = ["-c", str(settings.context), "-np", str(settings.slots)]
    words += ["-kvu" if settings.unified else "-no-kvu"]
    words += ["-b", str(settings.batch), "-ub", str(settings.ubatch)]
    words += ["-ctk", settings.type_k.name, "-ctv", settings.type_v.name]
    words += ["-fa", "on" if settings.flash_attention else "off"]
    return words + (["--swa-full"] if settings.full_windows else [])


def started(server: str, model: Path, words: Sequence[str]) -> str:
    """Start the server, return all it says until it is ready or has ended, and stop it."""
    line = [server, "-m", str(model), "--host", "127.0.0.1", "--port", str(PORT), "-t", "1"]
    line += ["--no-warmup", "--fit", "off", "-lv", "4", "--no-webui", "--cache-ram", "0", *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    said = []
    for text in process.stdout:
        said.append(text)
        if "server is listening" in text or "all slots are idle" in text:
            break
    process.terminate()
    process.wait(30)
    return "".join(said)


def printed(log: str) -> dict[str, Any]:
    """Return what the log says: the caches in their order, or why it ended."""
    caches = [
        {"mib": float(m[1]), "cells": int(m[2]), "layers": int(m[3]), "streams": int(m[5])}
        for m in _CACHE.finditer(log)
    ]
    states = [
        {"mib": float(m[1]), "cells": int(m[2]), "layers": int(m[3]), "rollback": int(m[4])}
        for m in _STATE.finditer(log)
    ]
    slot = re.search(r"n_ctx_slot = (\d+)", log)
    problem = re.search(r"(?:[KV] cache type .* does not divide \S+|quantized V cache .*)", log)
    found: dict[str, Any] = {"caches": caches, "states": states}
    if slot is not None:
        found["per_slot"] = int(slot[1])
    elif problem is not None:
        found = {"refused": problem[0]}
    else:
        found = {"failed": log[-2000:]}
    return found


def main() -> int:
    """Run all cases, write the golden file, report disagreements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server")
    parser.add_argument("build")
    parser.add_argument("--out")
    options = parser.parse_args()
    shapes = {name: make() for name, make in GEOMETRIES.items()}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in shapes.items():
            write_model(Path(folder) / f"{name}.gguf", shape)
        for name, changes, more in cases():
            words = [*command_line(settings_of(changes)), *more]
            log = started(options.server, Path(folder) / f"{name}.gguf", words)
            result = {"geometry": name, "settings": changes, "printed": printed(log)}
            results.append(result)
            if "failed" in result["printed"]:
                print(name, changes, result["printed"]["failed"])
    data = {
        "build": options.build,
        "geometries": {
            name: {
                "layers": [asdict(layer) for layer in shape.layers],
                "draft_layers": [asdict(layer) for layer in shape.draft_layers],
            }
            for name, shape in shapes.items()
        },
        "cases": results,
    }
    out = Path(options.out or GOLDEN.format(options.build))
    out.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    wrong = [case for case in results if not agrees(shapes[case["geometry"]], case)]
    for case in wrong:
        print("differs:", json.dumps(case)[:600])
    print(f"{len(results)} cases, {len(wrong)} disagreements")
    return 1 if wrong else 0


def agrees(shape: Geometry, case: Mapping[str, Any]) -> bool:
    """Tell whether our figures are those that the server printed."""
    said = case["printed"]
    if "failed" in said:
        return False
    ours = llama_cache(shape.layers, settings_of(case["settings"]))
    if isinstance(ours, CacheRefusal) or "refused" in said:
        return isinstance(ours, CacheRefusal) and "refused" in said
    total = sum(part["mib"] for part in said["caches"] + said["states"])
    if case["settings"].get("rollback"):
        # The draft's own cache has the draft's types, f16 unless they are set.
        draft = settings_of({**case["settings"], "type_k": "f16", "type_v": "f16"})
        more = llama_cache(shape.draft_layers, draft)
        assert not isinstance(more, CacheRefusal)
        total -= more.total_bytes / 2**20
    return said["per_slot"] == ours.per_slot and abs(total - ours.total_bytes / 2**20) < 0.02


if __name__ == "__main__":
    sys.exit(main())
