"""A tiny model as llama.cpp reads it: random weights, and by heart what a smoke test needs to hear.

Attention and feed-forward layers are random and faint; the output layer names for each word the
one that follows. So the model talks for ever when it is talked to, calls a tool that it is shown,
and repeats what it was told. `python -m tests.tiny_gguf FILE` writes one, to try an engine by hand.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

TRAINED_CONTEXT = 4096
_WIDTH, _LAYERS, _HEADS, _KV_HEADS, _FEED_FORWARD = 128, 2, 4, 2, 128
_HEAD_WIDTH = _WIDTH // _HEADS
# How much louder the word that follows is than all others, and how loud the random layers are.
_LOUD, _FAINT = 4.0, 0.01

_TURNS = ("<|say|>", "<|call|>", "<|told|>")
_SPECIAL = ("<|user|>", "<|end|>", *_TURNS)
_ROUND = ("▁the", "▁door", "▁of", "▁a", "▁small", "▁house", "▁stays", "▁open", "▁and", "▁the")
_CALL = '{"name": "read_code", "arguments": {"door": "north"}}'
# Each turn begins with a sign that the chat template writes; the last one ends by itself.
_SAID = (
    ("<|say|>", "Hello,", *_ROUND),
    ("<|call|>", "<tool_call>\n", _CALL, "\n</tool_call>", "</s>"),
    ("<|told|>", "The▁code▁is▁7413.", "</s>"),
)
_LETTERS = tuple(chr(code) for code in range(33, 127))
# Tool calls look as those of Hermes and Qwen do, which llama.cpp recognises in a template.
_TEMPLATE = (
    "{%- if tools %}<|user|>Tools: {{ tools | tojson }}<|end|>{% endif -%}"
    "{%- for message in messages %}"
    "{{ '<|say|>' if message.role == 'assistant' else '<|user|>' }}{{ message.content or '' }}"
    "{%- for call in message.tool_calls or [] %}"
    "<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "\n</tool_call>"
    "{%- endfor %}"
    "<|end|>"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{%- if messages[-1].role == 'tool' %}<|told|>"
    "{%- elif tools %}<|call|>"
    "{%- else %}<|say|>"
    "{%- endif %}"
    "{%- endif %}"
)


def write_tiny_gguf(path: Path, *, seed: int = 1) -> Path:
    """Write the model, of 1 MB; the same bytes for the same seed."""
    import gguf
    import numpy as np

    kinds = gguf.TokenType
    words = [word for word in dict.fromkeys(w for line in _SAID for w in line) if word != "</s>"]
    words = [word for word in words if word not in _SPECIAL]
    tokens = [
        ("<unk>", kinds.UNKNOWN),
        ("<s>", kinds.CONTROL),
        ("</s>", kinds.CONTROL),
        *((f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)),
        *((word, kinds.CONTROL) for word in _SPECIAL),
        *((word, kinds.NORMAL) for word in (*words, *_LETTERS, "▁")),
    ]
    names = [name for name, _ in tokens]

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(TRAINED_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_KV_HEADS)
    writer.add_rope_dimension_count(_HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(names)
    writer.add_token_scores([-float(at) for at in range(len(tokens))])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_TEMPLATE)
    for name, values in _tensors(names, np.random.default_rng(seed)):
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(names: list[str], random: np.random.Generator) -> list[tuple[str, Any]]:
    import numpy as np

    def faint(rows: int, columns: int) -> Any:
        return random.standard_normal((rows, columns)) * (_FAINT / columns**0.5)

    # Random directions of so many dimensions are nearly at right angles to each other.
    signs = random.standard_normal((len(names), _WIDTH))
    signs /= np.linalg.norm(signs, axis=1, keepdims=True)
    follows = np.zeros_like(signs)
    for line in _SAID:
        for word, following in pairwise(line):
            follows[names.index(following)] += _LOUD * signs[names.index(word)]
    found: list[tuple[str, Any]] = [("token_embd.weight", signs)]
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        found += [
            (f"{block}.attn_norm.weight", np.ones(_WIDTH)),
            (f"{block}.attn_q.weight", faint(_WIDTH, _WIDTH)),
            (f"{block}.attn_k.weight", faint(_HEAD_WIDTH * _KV_HEADS, _WIDTH)),
            (f"{block}.attn_v.weight", faint(_HEAD_WIDTH * _KV_HEADS, _WIDTH)),
            (f"{block}.attn_output.weight", faint(_WIDTH, _WIDTH)),
            (f"{block}.ffn_norm.weight", np.ones(_WIDTH)),
            (f"{block}.ffn_gate.weight", faint(_FEED_FORWARD, _WIDTH)),
            (f"{block}.ffn_up.weight", faint(_FEED_FORWARD, _WIDTH)),
            (f"{block}.ffn_down.weight", faint(_WIDTH, _FEED_FORWARD)),
        ]
    return [*found, ("output_norm.weight", np.ones(_WIDTH)), ("output.weight", follows)]


if __name__ == "__main__":
    write_tiny_gguf(Path(sys.argv[1]))
