"""YAML documents as plain values, with the place of every key and value.

The reader is made for input that may be hostile or half-typed: size and depth are bounded,
aliases and foreign tags are refused, and every fault becomes a finding with a place.

Scalars follow one rule so that text arrives as it was written (design §7.4): a plain scalar is a
number, a boolean or null only in its canonical spelling (`131072`, `0.94`, `true`, `null`);
whatever is spelt otherwise (`1e3`, `0x10`, `1.50`, `on`, `yes`, `12:30`) stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.resources import yaml_loader

Path = tuple[str | int, ...]
Value = Any

# A spec is a page or two of text; a megabyte of YAML is a mistake or an attack.
MAX_BYTES = 1_000_000
# The deepest sound value (an argument with nested JSON) has about ten levels.
MAX_DEPTH = 40

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NULLS = frozenset({"", "~", "null"})
_BOOLEANS = {"true": True, "false": False}
_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:str", "!"})
_FRAME = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)


@dataclass(frozen=True)
class Document:
    """One parsed YAML document.

    `value` holds dicts, lists, str, int, float, bool and None. `places` maps the path of every
    value to its line and column (from 1), `key_places` that of every mapping key.
    """

    file: str
    value: Value
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    key_places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return the place of a value, or of the nearest enclosing value that stands in the file.

        With `key` the place of the mapping key is preferred.
        """
        dotted = dotted_path(path)
        if key and path in self.key_places:
            return Place(self.file, *self.key_places[path], dotted)
        for length in range(len(path), -1, -1):
            known = path[:length]
            if known in self.places:
                table = self.places if length == len(path) else self.key_places
                line, column = table.get(known, self.places[known])
                return Place(self.file, line, column, dotted)
        return Place(self.file, 1, 1, dotted)


def dotted_path(path: Path) -> str:
    """Write a path as `engine.args.max-num-seqs` or `entrances[0].port`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def scalar_value(text: str) -> Value:
    """Return the value of a plain scalar (see the module's rule on canonical spellings)."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if repr(number) == text:
            return number
    return text


def scalar_text(value: float | str) -> str:
    """Return the characters that a scalar was written with: the inverse of `scalar_value`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


@dataclass
class _FaultError(Exception):
    finding: Finding


class _Builder:
    """Turns parser events into values, one document at a time."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, tuple[int, int]] = {}
        self.key_places: dict[Path, tuple[int, int]] = {}
        self.findings: list[Finding] = []

    def document(self, events: Iterator[yaml.Event]) -> Value:
        return self._value(next(events), events, ())

    def _fault(self, rule: str, event: yaml.Event, path: Path, message: str) -> _FaultError:
        place = Place(self.file, *_line_column_of(event), dotted_path(path))
        return _FaultError(finding(rule, place, message))

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: Path) -> Value:
        self.places[path] = _line_column_of(event)
        if isinstance(event, yaml.AliasEvent):
            raise self._fault("yaml-alias", event, path, f"alias *{event.anchor} is not read")
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.anchor is not None:
            raise self._fault("yaml-alias", event, path, f"anchor &{event.anchor} is not read")
        if event.tag is not None and event.tag not in _PLAIN_TAGS:
            raise self._fault("yaml-tag", event, path, f"tag {event.tag} is not read")
        if len(path) > MAX_DEPTH:
            message = f"the file nests deeper than {MAX_DEPTH} levels"
            raise self._fault("yaml-depth", event, path, message)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, path)
        return self._mapping(events, path)

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Value:
        if not event.value.isascii() and _SURROGATE.search(event.value):
            message = "an escape such as \\ud800 stands for half a character"
            raise self._fault("yaml-encoding", event, path, message)
        # libyaml gives plain scalars the style "", the pure parser None.
        return scalar_value(event.value) if not event.style and not event.tag else event.value

    def _sequence(self, events: Iterator[yaml.Event], path: Path) -> list[Value]:
        items: list[Value] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: Path) -> dict[str, Value]:
        mapping: dict[str, Value] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                raise self._fault("yaml-key", event, path, "a key is not a plain word")
            self._scalar(event, path)
            key = event.value
            inner = (*path, key)
            if key in mapping:
                first, _ = self.key_places[inner]
                message = f"key {key!r} stands here again; it was first set in line {first}"
                fault = self._fault("yaml-duplicate-key", event, inner, message)
                self.findings.append(fault.finding)
            self.key_places[inner] = _line_column_of(event)
            mapping[key] = self._value(next(events), events, inner)
        return mapping


def _line_column_of(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None
    return mark.line + 1, mark.column + 1


def read_document(data: bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Parse one YAML document.

    Returns the document, or None where nothing could be built, and the findings.
    """
    start = Place(file, 1, 1)
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        return None, (finding("yaml-size", start, message),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = _line_column(data[: error.start])
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return None, (finding("yaml-encoding", Place(file, line, column), message),)
    builder = _Builder(file)
    try:
        events = _events(text)
        value = builder.document(events) if next(events, None) is not None else None
        extra = next((e for e in events if isinstance(e, yaml.DocumentStartEvent)), None)
        if extra is not None:
            place = Place(file, *_line_column_of(extra))
            raise _FaultError(finding("yaml-documents", place, "a second document begins here"))
    except _FaultError as fault:
        return None, (*builder.findings, fault.finding)
    except yaml.MarkedYAMLError as error:
        return None, (*builder.findings, _syntax_finding(error, file, text))
    except yaml.reader.ReaderError as error:
        line, column = _line_column(text.encode()[: error.position])
        message = "a control character stands here that YAML does not allow"
        return None, (finding("yaml-syntax", Place(file, line, column), message),)
    document = Document(file, value, builder.places, builder.key_places)
    return document, tuple(builder.findings)


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield the events from the first document on; nothing for an empty stream."""
    loader = yaml_loader(text)
    try:
        for event in iter(loader.get_event, None):
            if not isinstance(event, _FRAME):
                yield event
    finally:
        loader.dispose()


def _line_column(before: bytes) -> tuple[int, int]:
    lines = before.decode("utf-8", "replace").split("\n")
    return len(lines), len(lines[-1]) + 1


def _syntax_finding(error: yaml.MarkedYAMLError, file: str, text: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    column = mark.column + 1 if mark else 1
    lines = text.split("\n")
    around = lines[line - 1] if line <= len(lines) else ""
    indent = around[: len(around) - len(around.lstrip())]
    if "\t" in indent:
        place = Place(file, line, around.index("\t") + 1)
        return finding("yaml-tab", place, "the line is indented with a tab")
    problem = error.problem or "the text is not YAML"
    context = f" {error.context}" if error.context else ""
    return finding("yaml-syntax", Place(file, line, column), f"{problem}{context}")
