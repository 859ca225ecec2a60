"""Reading one word as the value of an option, as the engine's parser would."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from chartgen.engines.problem import TOO_DEEP
from chartgen.engines.table import EngineTable, Option

# Stands for an option that may come without a value, and did.
NOTHING = object()
# Suffixes of human-readable integers (vllm 0.21.0, utils/argparse_utils.py:human_readable_int).
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_HUMAN = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT])")
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")')
_BARE_HUMAN = re.compile(r"\b\d+(?:\.\d+)?[kKmMgGtT]\b")
_BRACES = re.compile(r"\s*\{.*\}\s*\Z", re.DOTALL)


class Refused(ValueError):  # noqa: N818  # a verdict, not a failure
    """A word that is no value of its option: what kind of refusal, and what was expected."""

    def __init__(self, kind: Literal["value-type", "json-broken", "json-value"], detail: str):
        super().__init__(detail)
        self.kind: Literal["value-type", "json-broken", "json-value"] = kind
        self.detail = detail


def read_value(table: EngineTable, option: Option, word: str) -> Any:
    """Return the value of a word, None for no value.

    Raises:
        Refused: the word has another type.
    """
    if option.nullable and word in ("", "None"):
        return None
    match option.value:
        case "int":
            return _number(int, word, "a whole number")
        case "float":
            return _number(float, word, "a number")
        case "human-int":
            return human_int(word)
        case "human-int-auto":
            return -1 if word.strip().lower() in ("-1", "auto") else human_int(word)
        case "json":
            return _json(word)
        case "config":
            return _json(expanded(word) if "human-json" in table.traits else word)
        case "json-or-text":
            return _json(word) if _BRACES.match(word) else word
        case "word":
            return word.lower().replace("-", "_")
        case "lora":
            return _lora(word)
        case _:
            return word


def human_int(word: str) -> int:
    """Return the number of a word such as 1.5k (1500) or 128K (131072).

    Raises:
        Refused: it is none.
    """
    match = _HUMAN.fullmatch(word.strip())
    if match is None:
        return int(_number(int, word.strip(), "a whole number, or one with k, m, g, t, K, M, G, T"))
    number, suffix = match.groups()
    if suffix in _DECIMAL:
        return int(float(number) * _DECIMAL[suffix])
    if "." in number:
        raise Refused("value-type", f"no decimals before {suffix}; {number}{suffix.lower()}")
    return int(number) * _BINARY[suffix]


def expanded(text: str) -> str:
    """Return JSON with its bare human-readable integers written out (0.18 and later)."""
    parts = _QUOTED.split(text)
    for at in range(0, len(parts), 2):
        parts[at] = _BARE_HUMAN.sub(lambda match: str(human_int(match[0])), parts[at])
    return "".join(parts)


def _number(kind: type[int | float], word: str, wanted: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        raise Refused("value-type", wanted) from None


def _json(word: str) -> Any:
    try:
        return json.loads(word)
    except RecursionError:
        raise Refused("json-broken", TOO_DEEP) from None
    except ValueError as problem:
        raise Refused("json-broken", str(problem)) from None


def _lora(word: str) -> Any:
    """Read a LoRA module (vllm 0.21.0, entrypoints/openai/cli_args.py:LoRAParserAction)."""
    if "=" in word and "," not in word:
        return word.split("=")
    value = _json(word)
    known = {"name", "path", "base_model_name", "is_3d_lora_weight"}
    if not isinstance(value, dict) or not {"name", "path"} <= set(value) <= known:
        raise Refused("json-value", "an object with name and path")
    return value
