"""What vLLM makes of its command line before argparse sees it.

Source: FlexibleArgumentParser.parse_args of vllm 0.11.0 to 0.33.0 (utils/argparse_utils.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from chartgen.engines.argument_value import Refused, human_int
from chartgen.engines.table import EngineTable


class MissingValue(ValueError):  # noqa: N818  # a verdict, not a failure
    """A dotted key, or --model or --config, stands last: its spelling."""


def rewritten(table: EngineTable, words: Sequence[str]) -> list[str]:
    """Return the words that argparse gets: dashes for underscores, one JSON for dotted keys.

    A configuration file (`--config FILE`) is not read.

    Raises:
        MissingValue: a word needs another one after it.
    """
    whole = _without_config(_model_first(list(words)))
    return _undotted(table, list(_dashed(table, whole)))


def _model_first(words: list[str]) -> list[str]:
    """Move the value of --model to the front, where `vllm serve` wants it."""
    for at, word in enumerate(words):
        if word == "--model":
            if at + 1 == len(words):
                raise MissingValue(word)
            return [words[at + 1], *words[:at], *words[at + 2 :]]
        if word.startswith("--model=") and word != "--model=":
            return [word.removeprefix("--model="), *words[:at], *words[at + 1 :]]
    return words


def _without_config(words: list[str]) -> list[str]:
    if "--config" not in words:
        return words
    at = words.index("--config")
    if at + 1 == len(words):
        raise MissingValue("--config")
    return words[:at] + words[at + 2 :]


def _dashed(table: EngineTable, words: list[str]) -> Iterator[str]:
    """Yield the words with `-` for `_` in names, and -O in its long form."""
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            first, dot, keys = name.partition(".")
            yield first.replace("_", "-") + dot + keys + equals + value
        elif word.startswith("-O") and word != "-O" and _glued(table, word):
            level = word[3:] if word[2] == "=" else word[2:]
            yield from _level(table, level)
        elif word == "-O" and following in {"0", "1", "2", "3"}:
            yield from _level(table, None)
        else:
            yield word


def _glued(table: EngineTable, word: str) -> bool:
    return "short-o-optimization" in table.traits or word[2] != "."


def _level(table: EngineTable, level: str | None) -> Iterator[str]:
    """Yield -O3 (or -O before a 3) as this release writes it."""
    if "short-o-optimization" in table.traits:
        yield "--optimization-level"
        if level is not None:
            yield level
    else:
        key = "-O.level" if "short-o-level" in table.traits else "-O.mode"
        yield key if level is None else f"{key}={level}"


def _undotted(table: EngineTable, words: list[str]) -> list[str]:
    """Return the words with one JSON object per option for its dotted keys, at the end."""
    objects: dict[str, dict[str, Any]] = {}
    rest: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        name, equals, value = word.partition("=")
        if not word.startswith("-") or "." not in name:
            rest.append(word)
            continue
        if not equals:
            if at == len(words):
                raise MissingValue(word)
            value = words[at]
            at += 1
        if name.endswith("+"):
            name = name[:-1]
            value = json.dumps(value.split(","))
        option, *keys = name.split(".")
        nested = _value(table, value)
        for key in reversed(keys):
            nested = {key: nested}
        _update(objects.setdefault(option, {}), nested)
    for option, found in objects.items():
        rest += [option, json.dumps(found)]
    return rest


def _value(table: EngineTable, text: str) -> Any:
    """Return the value of a dotted key: JSON, else a human-readable integer, else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if "human-dotted" in table.traits:
        try:
            return human_int(text)
        except Refused:
            pass
    return text


def _update(original: dict[str, Any], update: dict[str, Any]) -> None:
    for key, value in update.items():
        known = original.get(key)
        if isinstance(value, dict) and isinstance(known, dict):
            _update(known, value)
        elif isinstance(value, list) and isinstance(known, list):
            original[key] = known + value
        else:
            original[key] = value
