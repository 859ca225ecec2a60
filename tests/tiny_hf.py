"""The tiny model of the tests as vLLM and Transformers read it: a folder as on Hugging Face.

`python -m tests.tiny_hf FOLDER` writes one, to try an engine by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests import tiny_model

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def write_tiny_hf(folder: Path, *, seed: int = 1) -> Path:
    """Write the model, of 1 MB; the same bytes for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in (
        ("config.json", _config()),
        ("tokenizer.json", _tokenizer()),
        ("tokenizer_config.json", _tokenizer_config()),
    ):
        (folder / name).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(_safetensors(seed))
    return folder


def _config() -> dict[str, Any]:
    names = list(tiny_model.vocabulary())
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": tiny_model.WIDTH,
        "intermediate_size": tiny_model.FEED_FORWARD,
        "num_hidden_layers": tiny_model.LAYERS,
        "num_attention_heads": tiny_model.HEADS,
        "num_key_value_heads": tiny_model.KV_HEADS,
        "head_dim": tiny_model.HEAD_WIDTH,
        "hidden_act": "silu",
        "max_position_embeddings": tiny_model.TRAINED_CONTEXT,
        "rms_norm_eps": tiny_model.NORM_EPSILON,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "vocab_size": len(names),
        "bos_token_id": names.index(tiny_model.BEGIN),
        "eos_token_id": names.index(tiny_model.END),
    }


def _tokenizer() -> dict[str, Any]:
    """Return the tokenizer in the way of Llama 2: spaces are bars, what is no letter is bytes."""
    tokens = tiny_model.vocabulary()
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": at, "content": name, "special": True, **special}
            for at, (name, kind) in enumerate(tokens.items())
            if kind in ("unknown", "control")
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": tiny_model.UNKNOWN,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {name: at for at, name in enumerate(tokens)},
            "merges": [],
        },
    }


def _tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tiny_model.BEGIN,
        "eos_token": tiny_model.END,
        "unk_token": tiny_model.UNKNOWN,
        "clean_up_tokenization_spaces": False,
        "model_max_length": tiny_model.TRAINED_CONTEXT,
        "chat_template": tiny_model.TEMPLATE,
    }


def _safetensors(seed: int) -> bytes:
    """Return the weights as safetensors: the length of a JSON header, the header, the numbers."""
    header: dict[str, Any] = {}
    data = bytearray()
    for name, values in tiny_model.weights(seed).items():
        stored = values.astype("<f4").tobytes()
        place = [len(data), len(data) + len(stored)]
        header[_hf_name(name)] = {"dtype": "F32", "shape": values.shape, "data_offsets": place}
        data += stored
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + bytes(data)


def _hf_name(name: str) -> str:
    """Return what Transformers calls a tensor of llama.cpp."""
    parts = name.split(".")
    if parts[0] != "blk":
        return f"{_OUTSIDE[parts[0]]}.weight"
    return f"model.layers.{parts[1]}.{_LAYER[parts[2]]}.weight"


if __name__ == "__main__":
    write_tiny_hf(Path(sys.argv[1]))
