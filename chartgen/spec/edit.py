"""Edits of a spec's text that leave everything else as its author wrote it.

A YAML writer would reformat lines that nobody touched. So the text is parsed only to learn where
each key and value stands, and the wanted characters are exchanged in place: line endings,
comments, quotes, indentation, blank lines, flow style and a missing last newline stay. Each edit
is read back and compared with what it should mean before it is handed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from chartgen.document import Path, dotted_path, read_document, scalar_text, scalar_value
from chartgen.errors import RefusedError
from chartgen.resources import yaml_loader

Scalar = bool | int | float | str | None

_STEP = "  "
_BOM = "\ufeff"
# What a plain scalar begins with here: a letter or a digit, never an indicator of YAML.
_PLAIN_START = re.compile(r"[^\W_]")
# Numbers of YAML 1.2 (core schema, §10.3.2) that chartgen and YAML 1.1 take for text, or do not.
_CORE_NUMBER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
_FLOW_INDICATOR = re.compile(r"[,\[\]{}]")
# JSON escapes what is below U+0020; YAML also wants these escaped in double quotes.
_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class _Node:
    """One value in the text: from `start` up to `end`, in characters.

    `style` is that of a scalar (empty for a plain one), or `block` or `flow`. `entries` holds a
    mapping's keys and values, `items` a list's values.
    """

    start: int
    end: int
    column: int
    style: str
    entries: tuple[tuple[_Node, str, _Node], ...] = ()
    items: tuple[_Node, ...] = ()
    in_flow: bool = False


def set_version(text: str, version: str) -> str:
    """Return the spec's text with another version. Raises RefusedError like `set_scalar`."""
    return set_scalar(text, ("version",), version)


def set_scalar(text: str, path: Path, value: Scalar) -> str:
    """Return the spec's text with another scalar at a path that exists.

    Quotes stay where the new value can stand between them. Raises RefusedError where the text is
    no YAML that chartgen reads, the path does not exist, or a list or mapping stands there.
    """
    mark, body = _split_mark(text)
    wanted = _read(body)
    parent, last = _parent(wanted, path)
    if isinstance(parent[last], (dict, list)):
        raise RefusedError(f"{dotted_path(path)} is no single value; edit it by hand")
    node = _find(_tree(body), path)
    parent[last] = value
    return mark + _verified(_replaced(body, node, value), wanted)


def add_change_note(text: str, version: str, notes: Sequence[str]) -> str:
    """Return the spec's text with the notes of a version in front of those of older ones.

    The key `changes` is made where it is absent. Raises RefusedError where the version has notes
    already, `changes` is no mapping, or the text is no YAML that chartgen reads.
    """
    mark, body = _split_mark(text)
    wanted = _read(body)
    changes = wanted.get("changes")
    if changes is not None and not isinstance(changes, dict):
        raise RefusedError("changes is no mapping of versions to notes; mend it by hand")
    if version in (changes or {}):
        raise RefusedError(f"changes has notes for {version} already; edit them by hand")
    tree = _tree(body)
    # The order of a mapping counts too: the newest version stands first.
    added = {version: list(notes)} | (changes or {})
    if tree.style == "flow" and "changes" not in wanted:
        wanted = {"changes": added} | wanted
    else:
        wanted["changes"] = added
    known = {key: (key_node, value) for key_node, key, value in tree.entries}
    if "changes" in known:
        edited = _in_changes(body, *known["changes"], version, notes)
    else:
        edited = _new_changes(body, tree, version, notes)
    return mark + _verified(edited, wanted)


def _split_mark(text: str) -> tuple[str, str]:
    """Split a byte order mark off: positions count without it."""
    return (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)


def _read(text: str) -> dict[str, Any]:
    document, findings = read_document(text.encode("utf-8", "surrogatepass"), "")
    if document is None or findings:
        place = findings[0].place
        raise RefusedError(
            f"line {place.line}: {findings[0].message}; mend it first, see `chartgen check`"
        )
    if not isinstance(document.value, dict):
        raise RefusedError("the file holds no mapping of keys to values")
    return document.value


def _parent(value: Any, path: Path) -> tuple[Any, str | int]:
    for part in path[:-1]:
        value = _member(value, part, path)
    _member(value, path[-1], path)
    return value, path[-1]


def _member(value: Any, part: str | int, path: Path) -> Any:
    known = (
        isinstance(part, int) and part < len(value)
        if isinstance(value, list)
        else isinstance(value, dict) and part in value
    )
    if not known:
        raise RefusedError(f"{dotted_path(path)} does not stand in the file")
    return value[part]


def _verified(text: str, wanted: Any) -> str:
    """Return the edited text if it means exactly what is wanted."""
    document, findings = read_document(text.encode("utf-8", "surrogatepass"), "")
    if document is None or findings or _exact(document.value) != _exact(wanted):
        raise RefusedError(
            "the change cannot be made without touching other lines; make it by hand "
            "(a file that ends in a block of text needs a last newline)"
        )
    return text


def _exact(value: Any) -> str:
    """Write a value so that 1, 1.0 and true differ, and so do two orders of keys."""
    return json.dumps(value)


def _tree(text: str) -> _Node:
    loader = yaml_loader(text)
    try:
        events = iter(loader.get_event, None)
        first = next(event for event in events if isinstance(event, yaml.NodeEvent))
        return _node(first, events, in_flow=False)
    finally:
        loader.dispose()


def _node(event: Any, events: Iterator[Any], *, in_flow: bool) -> _Node:
    start, column, end = event.start_mark.index, event.start_mark.column, event.end_mark.index
    if isinstance(event, yaml.ScalarEvent):
        return _Node(start, end, column, event.style or "", in_flow=in_flow)
    flow = bool(event.flow_style)
    entries: list[tuple[_Node, str, _Node]] = []
    items: list[_Node] = []
    for inner in events:
        end = inner.end_mark.index
        if isinstance(inner, yaml.CollectionEndEvent):
            break
        node = _node(inner, events, in_flow=flow)
        if isinstance(event, yaml.SequenceStartEvent):
            items.append(node)
        else:
            entries.append((node, inner.value, _node(next(events), events, in_flow=flow)))
    style = "flow" if flow else "block"
    return _Node(start, end, column, style, tuple(entries), tuple(items), in_flow)


def _find(node: _Node, path: Path) -> _Node:
    for part in path:
        if isinstance(part, int):
            node = node.items[part]
        else:
            node = next(value for _, key, value in node.entries if key == part)
    return node


def _replaced(text: str, node: _Node, value: Scalar) -> str:
    if node.style in ("|", ">"):
        return _replaced_block(text, node, value)
    written = written_scalar(value, node.style, in_flow=node.in_flow)
    if node.start == node.end:
        # Nothing stands there yet; the place is that of the colon or dash, or behind it.
        before = text[: node.start].rstrip(" ")
        space = " " if before == text[: node.start] else ""
        return text[: node.start] + space + written + _gap(text, node.end) + text[node.end :]
    return text[: node.start] + written + text[node.end :]


def _gap(text: str, at: int) -> str:
    """Return a space where a comment would otherwise touch the value before it."""
    return " " if text[at : at + 1] == "#" else ""


def _replaced_block(text: str, node: _Node, value: Scalar) -> str:
    """Put a value on the line of a block's header, keep its comment, and drop its lines."""
    block = text[node.start : node.end]
    header = re.match(r"[|>][0-9+-]*", block)
    assert header is not None
    first = re.match(r"[^\r\n]*", block)
    assert first is not None
    body = block[first.end() :]
    # The last line break of the block goes on ending the line, and blank lines after it stay.
    ending = body[len(body.rstrip(" \t\r\n")) :].lstrip(" \t")
    comment = block[header.end() : first.end()]
    written = written_scalar(value, '"') if isinstance(value, str) else _plain(value)
    return text[: node.start] + written + comment + ending + text[node.end :]


def _in_changes(text: str, key: _Node, changes: _Node, version: str, notes: Sequence[str]) -> str:
    if changes.style == "flow":
        return _into_flow(text, changes, f"{version}: {_flow_list(notes)}", bool(changes.entries))
    newline = _newline(text)
    if changes.entries:
        first, _, value = changes.entries[0]
        start = _line_start(text, first.start)
        offset = value.column - first.column if value.items and value.style == "block" else 2
        indent = text[start : first.start]
        lines = _note_lines(version, notes, indent, " " * max(offset, 0))
        return text[:start] + "".join(line + newline for line in lines) + text[start:]
    # `changes:` without a value, or with null: the notes go below its line.
    kept = text[: changes.start]
    if changes.end > changes.start:
        kept = kept.rstrip(" ")
    rest = text[changes.end :]
    line_end = re.match(r"[^\r\n]*", rest)
    assert line_end is not None
    below = rest[line_end.end() :]
    indent = " " * key.column + _STEP
    lines = _note_lines(version, notes, indent, _STEP)
    return kept + line_end[0] + "".join(newline + line for line in lines) + below


def _new_changes(text: str, tree: _Node, version: str, notes: Sequence[str]) -> str:
    if tree.style == "flow":
        entry = f"changes: {{{version}: {_flow_list(notes)}}}"
        return _into_flow(text, tree, entry, bool(tree.entries))
    newline = _newline(text)
    indent = " " * tree.column
    lines = [f"{indent}changes:", *_note_lines(version, notes, indent + _STEP, _STEP)]
    # `...` and what stands behind it end the document.
    stop = re.search(r"(?m)^\.\.\.([ \t\r\n]|\Z)", text[tree.end :])
    at = tree.end + stop.start() if stop is not None else len(text)
    before, after = text[:at], text[at:]
    if before.endswith(("\n", "\r")):
        return before + "".join(line + newline for line in lines) + after
    return before + "".join(newline + line for line in lines) + after


def _note_lines(version: str, notes: Sequence[str], indent: str, offset: str) -> list[str]:
    if not notes:
        return [f"{indent}{version}: []"]
    listed = [f"{indent}{offset}- {written_scalar(note)}" for note in notes]
    return [f"{indent}{version}:", *listed]


def _flow_list(notes: Sequence[str]) -> str:
    return f"[{', '.join(_double_quoted(note) for note in notes)}]"


def _into_flow(text: str, node: _Node, entry: str, more: bool) -> str:
    """Put an entry first into a flow mapping."""
    at = node.start + 1
    return text[:at] + entry + (", " if more else "") + text[at:]


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _newline(text: str) -> str:
    """Return the line ending that the text uses first."""
    found = re.search(r"\r\n|\r|\n", text)
    return found[0] if found else "\n"


def written_scalar(value: Scalar, style: str = "", *, in_flow: bool = False) -> str:
    """Write a scalar as YAML, between the quotes of `style` where it can stand between them.

    Without a style it is written plain where every YAML reader gives the same value back.
    """
    if not isinstance(value, str):
        return _plain(value)
    if style == "'" and _single_line(value):
        doubled = value.replace("'", "''")
        return f"'{doubled}'"
    if style == "" and _is_plain(value, in_flow=in_flow):
        return value
    return _double_quoted(value)


def _plain(value: bool | float | None) -> str:
    return "null" if value is None else scalar_text(value)


def _single_line(text: str) -> bool:
    return text.isprintable() and not _NOT_PRINTABLE.search(text)


def _is_plain(text: str, *, in_flow: bool) -> bool:
    """Tell whether a text without quotes is this text to chartgen and to other YAML readers."""
    if not _single_line(text) or text != text.strip() or scalar_value(text) != text:
        return False
    if _CORE_NUMBER.fullmatch(text):
        return False
    if not _PLAIN_START.match(text) or ": " in text or " #" in text or text.endswith(":"):
        return False
    if in_flow and (_FLOW_INDICATOR.search(text) or ":" in text):
        return False
    # YAML 1.1 readers take `on` for a boolean and 2026-01-31 for a date.
    resolver: Any = yaml.SafeLoader("")
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    return bool(tag == "tag:yaml.org,2002:str")


def _double_quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)
