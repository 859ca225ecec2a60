"""GGUF files made by hand, after ggml's docs/gguf.md."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

UINT32, INT32, FLOAT32, BOOL, TEXT, ARRAY, UINT64 = 4, 5, 6, 7, 8, 9, 10
PACKING = {UINT32: "I", INT32: "i", FLOAT32: "f", BOOL: "?", UINT64: "Q"}


@dataclass(frozen=True)
class Made:
    """A tensor to write: name, shape, number of its type, offset and bytes of its data."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    length: int


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def kind_of(value: Any) -> int:
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return UINT32 if value >= 0 else INT32
    return FLOAT32 if isinstance(value, float) else TEXT


def packed(kind: int, value: Any) -> bytes:
    return text(value) if kind == TEXT else struct.pack(f"<{PACKING[kind]}", value)


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, (list, tuple)):
        kind = kind_of(value[0]) if value else UINT32
        items = b"".join(packed(kind, item) for item in value)
        return text(key) + struct.pack("<IIQ", ARRAY, kind, len(value)) + items
    kind = kind_of(value)
    return text(key) + struct.pack("<I", kind) + packed(kind, value)


def tensor(made: Made) -> bytes:
    shape = struct.pack(f"<{len(made.shape)}Q", *made.shape)
    rest = struct.pack("<IQ", made.type, made.offset)
    return text(made.name) + struct.pack("<I", len(made.shape)) + shape + rest


def gguf(
    values: Mapping[str, Any], tensors: Sequence[Made] = (), *, version: int = 3, pad: int = 32
) -> bytes:
    """A whole file, with zeros for weights."""
    data = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(values))
    data += b"".join(entry(key, value) for key, value in values.items())
    data += b"".join(tensor(made) for made in tensors)
    data += bytes(-len(data) % pad)
    return data + bytes(max((made.offset + made.length for made in tensors), default=0))


GEMMA = {
    "general.architecture": "gemma4",
    "gemma4.block_count": 6,
    "gemma4.context_length": 262144,
    "gemma4.embedding_length": 2816,
    "gemma4.attention.head_count": 16,
    "gemma4.attention.head_count_kv": [8, 8, 8, 8, 8, 2],
    "gemma4.attention.key_length": 512,
    "gemma4.attention.value_length": 512,
    "gemma4.attention.key_length_swa": 256,
    "gemma4.attention.value_length_swa": 256,
    "gemma4.attention.sliding_window": 1024,
    "gemma4.attention.sliding_window_pattern": [True] * 5 + [False],
    "tokenizer.ggml.tokens": ["<pad>", "a", "b"],
}
# A row of 256 values is 144 bytes in Q4_K and 1024 in F32.
WEIGHTS = (
    Made("token_embd.weight", (256, 3), 12, 0, 432),
    Made("output_norm.weight", (256,), 0, 448, 1024),
)
