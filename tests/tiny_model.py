"""What the tiny model of the tests is made of: random weights, and a few sentences by heart.

Attention and feed-forward layers are random and faint; the output layer names for each word the
one that follows. So the model talks for ever when it is talked to, calls a tool that it is shown,
and repeats what it was told. `tests.tiny_gguf` writes it for llama.cpp, `tests.tiny_hf` for vLLM.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

NAME = "tiny"
TRAINED_CONTEXT = 4096
WIDTH, LAYERS, HEADS, KV_HEADS, FEED_FORWARD = 128, 2, 4, 2, 128
HEAD_WIDTH = WIDTH // HEADS
NORM_EPSILON = 1e-5
UNKNOWN, BEGIN, END = "<unk>", "<s>", "</s>"
# How much louder the word that follows is than all others, and how loud the random layers are.
_LOUD, _FAINT = 4.0, 0.01

_TURNS = ("<|say|>", "<|call|>", "<|told|>")
_SPECIAL = ("<|user|>", "<|end|>", *_TURNS)
_ROUND = ("▁the", "▁door", "▁of", "▁a", "▁small", "▁house", "▁stays", "▁open", "▁and", "▁the")
_CALL = '{"name": "read_code", "arguments": {"door": "north"}}'
# Each turn begins with a sign that the chat template writes; the last one ends by itself.
_SAID = (
    ("<|say|>", "Hello,", *_ROUND),
    ("<|call|>", "<tool_call>\n", _CALL, "\n</tool_call>", END),
    ("<|told|>", "The▁code▁is▁7413.", END),
)
_LETTERS = tuple(chr(code) for code in range(33, 127))
# Tool calls look as those of Hermes and Qwen do, which llama.cpp recognises in a template.
TEMPLATE = (
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

Kind = Literal["unknown", "control", "byte", "normal"]


def vocabulary() -> dict[str, Kind]:
    """Return all tokens with their kinds, in the order of their numbers."""
    words = [word for line in _SAID for word in line if word not in (*_SPECIAL, END)]
    return {
        UNKNOWN: "unknown",
        BEGIN: "control",
        END: "control",
        **{f"<0x{byte:02X}>": "byte" for byte in range(256)},
        **dict.fromkeys(_SPECIAL, "control"),
        **dict.fromkeys((*words, *_LETTERS, "▁"), "normal"),
    }


def weights(seed: int) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the tensors by the names that llama.cpp has for them; the same for the same seed."""
    import numpy as np

    names = list(vocabulary())
    random = np.random.default_rng(seed)

    def faint(rows: int, columns: int) -> Any:
        return random.standard_normal((rows, columns)) * (_FAINT / columns**0.5)

    # Random directions of so many dimensions are nearly at right angles to each other.
    signs = random.standard_normal((len(names), WIDTH))
    signs /= np.linalg.norm(signs, axis=1, keepdims=True)
    follows = np.zeros_like(signs)
    for line in _SAID:
        for word, following in pairwise(line):
            follows[names.index(following)] += _LOUD * signs[names.index(word)]
    found: dict[str, Any] = {"token_embd.weight": signs}
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        found[f"{block}.attn_norm.weight"] = np.ones(WIDTH)
        found[f"{block}.attn_q.weight"] = faint(WIDTH, WIDTH)
        found[f"{block}.attn_k.weight"] = faint(HEAD_WIDTH * KV_HEADS, WIDTH)
        found[f"{block}.attn_v.weight"] = faint(HEAD_WIDTH * KV_HEADS, WIDTH)
        found[f"{block}.attn_output.weight"] = faint(WIDTH, WIDTH)
        found[f"{block}.ffn_norm.weight"] = np.ones(WIDTH)
        found[f"{block}.ffn_gate.weight"] = faint(FEED_FORWARD, WIDTH)
        found[f"{block}.ffn_up.weight"] = faint(FEED_FORWARD, WIDTH)
        found[f"{block}.ffn_down.weight"] = faint(WIDTH, FEED_FORWARD)
    found |= {"output_norm.weight": np.ones(WIDTH), "output.weight": follows}
    return {name: values.astype(np.float32) for name, values in found.items()}
