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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Words that YAML 1.1 or 1.2 reads as something other than text (yaml.org/type/bool.html, null).
_WORDS = ("y", "yes", "n", "no", "true", "false", "on", "off", "null")
_RESERVED = frozenset({form for word in _WORDS for form in (word, word.title(), word.upper())})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NEEDS_ESCAPE = re.compile(r"[\"\\]|\{\{")
_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_INDENT = "  "
# What a literal block would lose: a tab before a line, white space after one.
_LOST = ("\n\t", " \n", "\t\n")


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
    if text.isprintable() and not _NEEDS_ESCAPE.search(text):
        return f'"{text}"'
    out = ['"']
    previous = ""
    for char in text:
        if char == "{" and previous == "{":
            out.append("\\x7b")
        elif char in _ESCAPED:
            out.append(_ESCAPED[char])
        elif char.isprintable():
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
    out: list[str] = []
    _write(value, "", out)
    return "".join(f"{line}\n" for line in out)


def _write(value: Any, indent: str, out: list[str]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _write_entry(key, inner, indent, out)
    else:
        for inner in value:
            _write_item(inner, indent, out)


def _write_entry(key: str, value: Any, indent: str, out: list[str]) -> None:
    if isinstance(value, When):
        out.append(f"{indent}{{{{- if {value.condition} }}}}")
        _write_entry(key, value.value, indent, out)
        out.append(f"{indent}{{{{- end }}}}")
        return
    head = f"{indent}{_key(key)}:"
    if isinstance(value, str):
        out.append(f"{head} {_text(value, indent)}")
    elif _is_nested(value):
        out.append(head)
        # Kubernetes style: a list stands at the column of its key.
        _write(value, indent if isinstance(value, (list, tuple)) else indent + _INDENT, out)
    else:
        out.append(f"{head} {_inline(value)}")


def _write_item(value: Any, indent: str, out: list[str]) -> None:
    if isinstance(value, When):
        out.append(f"{indent}{{{{- if {value.condition} }}}}")
        _write_item(value.value, indent, out)
        out.append(f"{indent}{{{{- end }}}}")
    elif isinstance(value, str):
        out.append(f"{indent}- {_text(value, indent)}")
    elif _is_nested(value):
        first = len(out)
        inner = indent + _INDENT
        _write(value, inner, out)
        if out[first].startswith(f"{inner}{{{{-"):
            # A guarded first entry cannot share the dash's line.
            raise ValueError("the first entry of a list item cannot be conditional")
        out[first] = f"{indent}- {out[first][len(inner) :]}"
    else:
        out.append(f"{indent}- {_inline(value)}")


def _text(text: str, indent: str) -> str:
    """Write a text: between quotes, or as a literal block that is indented by one step more."""
    if not _fits_block(text):
        return quoted(text)
    header = "|" if text.endswith("\n") else "|-"
    lines = text.removesuffix("\n").split("\n")
    return "\n".join([header, *(f"{indent}{_INDENT}{line}" if line else "" for line in lines)])


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
    raise TypeError(f"{type(value).__name__} has no form in YAML")


def _fits_block(text: str) -> bool:
    """Tell whether a literal block says exactly this text, and is nicer to read."""
    body = text.removesuffix("\n")
    if "\n" not in body or body.endswith("\n") or "{{" in text:
        return False
    if body[0] in " \t\n" or any(edge in f"{body}\n" for edge in _LOST):
        return False
    return body.replace("\n", "").replace("\t", "").isprintable()
