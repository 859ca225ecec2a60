"""Engine arguments: from the spec's map of flag to value to an exact argument list."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from chartgen.document import scalar_text


def flag(key: str) -> str:
    """Return the flag of a key: `max-num-seqs` is `--max-num-seqs`, `-fa` stays as it is."""
    return key if key.startswith("-") else f"--{key}"


def normal(key: str) -> str:
    """Return the spelling under which two keys mean one flag (vLLM and llama.cpp take `_`)."""
    return key.lstrip("-").replace("_", "-")


def compact_json(value: Any) -> str:
    """Write a value as JSON without spaces, keys in the order they were given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def words(arguments: Mapping[str, Any], *, list_separator: str | None = None) -> Iterator[str]:
    """Yield the words of a command line.

    `true` gives the bare flag, `false` the flag with `no-` before its name, null nothing, an
    object (or a list that holds one) compact JSON. A list of scalars gives one word each, or one
    joined word where the engine wants `list_separator`.
    """
    for key, value in arguments.items():
        if value is None:
            continue
        name = flag(key)
        if value is True:
            yield name
        elif value is False:
            yield f"--no-{normal(key)}"
        elif isinstance(value, Mapping):
            yield from (name, compact_json(value))
        elif isinstance(value, (list, tuple)):
            if any(isinstance(item, (Mapping, list, tuple)) for item in value):
                yield from (name, compact_json(value))
            elif list_separator is not None:
                yield from (name, list_separator.join(scalar_text(item) for item in value))
            else:
                yield name
                yield from (scalar_text(item) for item in value)
        else:
            yield from (name, scalar_text(value))


def merged(presets: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return presets overlaid by the spec's arguments, presets first, whatever their spelling."""
    own = {normal(key): key for key in arguments}
    result: dict[str, Any] = {}
    for key, value in presets.items():
        if normal(key) in own:
            result[own[normal(key)]] = arguments[own[normal(key)]]
        else:
            result[key] = value
    for key, value in arguments.items():
        result.setdefault(key, value)
    return result
