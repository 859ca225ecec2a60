"""Writing facts of a model as YAML that a person reads and a reader reads back the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chartgen.document import scalar_value
from chartgen.models.store import StoredModel
from chartgen.yaml_text import quoted

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*( [A-Za-z0-9_./()+;=-]+)*")
_SINGLE_SPACE = re.compile(r"(?<=[^ \\]) (?=[^ ])")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def model_text(stored: StoredModel) -> str:
    """Write a stored model, so that reading it gives the same again."""
    value = stored.model_dump(exclude_unset=True, exclude_none=True)
    if stored.gguf is not None:
        value["gguf"] = dict(stored.gguf)
    return "".join(_lines(value, ""))


def _lines(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, inner in value.items():
        head = f"{indent}{_scalar(key)}:"
        if isinstance(inner, Mapping) and inner:
            yield f"{head}\n"
            yield from _lines(inner, f"{indent}  ")
        elif isinstance(inner, Mapping):
            yield f"{head} {{}}\n"
        elif isinstance(inner, (list, tuple)):
            yield from _listed(head, indent, inner)
        else:
            yield f"{_folded(f'{head} {_scalar(inner)}', indent)}\n"


def _listed(head: str, indent: str, items: Iterable[Any]) -> Iterator[str]:
    """Write a list in brackets, over several lines where it is long."""
    words = [_scalar(item) for item in items]
    short = f"{head} [{', '.join(words)}]"
    if len(short) <= _WIDTH:
        yield f"{short}\n"
        return
    yield f"{head}\n"
    line = f"{indent}  [" + (words[0] if words else "")
    for word in words[1:]:
        if len(line) + len(word) + 3 > _WIDTH:
            yield f"{line},\n"
            line = f"{indent}   {word}"
        else:
            line += f", {word}"
    yield f"{line}]\n"


def _folded(line: str, indent: str) -> str:
    """Break a long quoted text at single spaces; between quotes YAML reads a break as a space."""
    lines: list[str] = []
    while len(line) > _WIDTH and line.endswith('"'):
        least = len(indent) + 2
        # Neither at the space behind the key, nor where two spaces meet.
        starts = [
            m.start() for m in _SINGLE_SPACE.finditer(line, line.index('"') if not lines else least)
        ]
        fitting = [at for at in starts if least < at <= _WIDTH]
        if not fitting:
            break
        lines.append(line[: fitting[-1]])
        line = f"{indent}  {line[fitting[-1] + 1 :]}"
    return "\n".join([*lines, line])


def _scalar(value: Any) -> str:
    """Write a scalar so that `chartgen.document`, and any YAML reader, reads the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _RESERVED
    return text if plain and scalar_value(text) == text else quoted(text)
