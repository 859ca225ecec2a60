"""Writing YAML that means the same to Helm, to Go and to every YAML reader.

Three readers see a chart's text one after the other: Go's template engine, a YAML 1.1 parser and
Kubernetes' typed decoder. So every string is written between double quotes (a bare `on` would be
a boolean), an opening brace after another one is written `\\x7b` (Go's template engine would take
`{{` for an action), and all that is not printable is escaped. Long texts stand in literal blocks
where a block says exactly the same.

`Helm` marks the few places where a Go template is meant: chartgen's own templates make them,
spec text never becomes one (design §7.4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Words that YAML 1.1 or 1.2 reads as something other than text (yaml.org/type/bool.html, null).
_WORDS = ("y", "yes", "n", "no", "true", "false", "on", "off", "null")
_RESERVED = frozenset({form for word in _WORDS for form in (word, word.title(), word.upper())})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Helm:
    """A piece of Go template text, such as `{{ .Values.userspace.appData }}/models`.

    `bare` leaves the quotes away where a number is meant.
    """

    text: str
    bare: bool = False

    def __add__(self, literal: str) -> Helm:
        return Helm(self.text + quoted(literal)[1:-1], self.bare)


@dataclass(frozen=True, slots=True)
class When:
    """A list item or mapping entry that is only there where a Go template condition holds."""

    condition: str
    value: Any


def quoted(text: str) -> str:
    """Write a text between double quotes so that Go templates and YAML give the same text back."""
    out = ['"']
    previous = ""
    for char in text:
        if char == "{" and previous == "{":
            out.append("\\x7b")
        elif char in _ESCAPED:
            out.append(_ESCAPED[char])
        elif char.isprintable() and char != "\ufeff":
            out.append(char)
        else:
            code = ord(char)
            if code <= 0xFF:
                out.append(f"\\x{code:02x}")
            elif code <= 0xFFFF:
                out.append(f"\\u{code:04x}")
            else:
                out.append(f"\\U{code:08x}")
        previous = char
    out.append('"')
    return "".join(out)


def yaml_text(value: Any) -> str:
    """Write a mapping or list as a YAML document (or Go template of one)."""
    return "".join(f"{line}\n" for line in _lines(value, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _entry(key, inner, indent)
    else:
        for inner in value:
            yield from _item(inner, indent)


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, When):
        yield f"{indent}{{{{- if {value.condition} }}}}"
        yield from _entry(key, value.value, indent)
        yield f"{indent}{{{{- end }}}}"
        return
    head = f"{indent}{_key(key)}:"
    if _is_nested(value):
        yield head
        # Kubernetes style: a list stands at the column of its key.
        yield from _lines(value, indent if isinstance(value, (list, tuple)) else indent + _INDENT)
    elif isinstance(value, str) and _fits_block(value):
        yield f"{head} {_block_header(value)}"
        yield from _block_lines(value, indent + _INDENT)
    else:
        yield f"{head} {_inline(value)}"


def _item(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, When):
        yield f"{indent}{{{{- if {value.condition} }}}}"
        yield from _item(value.value, indent)
        yield f"{indent}{{{{- end }}}}"
        return
    if _is_nested(value):
        inner = list(_lines(value, indent + _INDENT))
        first = inner[0]
        if first.startswith(f"{indent}{_INDENT}{{{{-"):
            # A guarded first entry cannot share the dash's line.
            raise ValueError("the first entry of a list item cannot be conditional")
        yield f"{indent}- {first[len(indent) + len(_INDENT) :]}"
        yield from inner[1:]
    elif isinstance(value, str) and _fits_block(value):
        yield f"{indent}- {_block_header(value)}"
        yield from _block_lines(value, indent + _INDENT)
    else:
        yield f"{indent}- {_inline(value)}"


def _is_nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and len(value) > 0


def _key(key: str) -> str:
    if _PLAIN_KEY.fullmatch(key) and key not in _RESERVED:
        return key
    return quoted(key)


def _inline(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return json.dumps(value)
    if isinstance(value, Helm):
        return value.text if value.bare else f'"{value.text}"'
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    return quoted(value)


def _fits_block(text: str) -> bool:
    """Tell whether a literal block says exactly this text, and is nicer to read."""
    body = text.removesuffix("\n")
    if "\n" not in body or body.endswith("\n") or "{{" in text:
        return False
    lines = body.split("\n")
    if not lines[0] or lines[0][0] in " \t":
        return False
    return all(
        all(char.isprintable() and char != "\ufeff" for char in line.replace("\t", " "))
        and (line == "" or line[-1] not in " \t")
        and line[:1] != "\t"
        for line in lines
    )


def _block_header(text: str) -> str:
    return "|" if text.endswith("\n") else "|-"


def _block_lines(text: str, indent: str) -> Iterator[str]:
    body = text.removesuffix("\n")
    for line in body.split("\n"):
        yield f"{indent}{line}" if line else ""
