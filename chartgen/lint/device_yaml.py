"""YAML as an Olares device reads it, with the place of every key and value.

A device decodes with sigs.k8s.io/yaml, which is YAML 1.1 without dates and base-60 numbers: `yes`,
`on` and `y` are booleans, `017` is an octal number, of two equal keys the last one counts, and
only the first document is read. (Specs are read by `chartgen.document`, under stricter rules.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from chartgen.document import Document, Path, dotted_path
from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding

# Device-side files are texts of some pages; what exceeds this is a mistake or an attack.
MAX_BYTES = 1_000_000
MAX_DEPTH = 60
# Values, each alias counted as often as it is used.
MAX_VALUES = 100_000

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_START = frozenset("+-.0123456789")
# libyaml where PyYAML was built with it: ten times faster.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UnreadableError(Exception):
    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def read_device_yaml(data: bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """Parse a file's first document; None where a device could not read it either."""
    if len(data) > MAX_BYTES:
        message = f"the file has {len(data):,} bytes; at most {MAX_BYTES:,} are read"
        return None, (finding("chart-yaml-unreadable", Place(file), message),)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} is not UTF-8"
        return None, (finding("chart-yaml-unreadable", Place(file, line), message),)
    builder = _Builder(file)
    try:
        value = builder.document(text)
    except _UnreadableError as error:
        place = Place(file, error.line, error.column)
        return None, (finding("chart-yaml-unreadable", place, error.message),)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        message = f"the file is not YAML: {error.problem or error.context or 'it cannot be read'}"
        return None, (finding("chart-yaml-unreadable", place, message),)
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        message = "the file is not YAML: it holds a control character"
        return None, (finding("chart-yaml-unreadable", Place(file, line), message),)
    document = Document(file, value, builder.places, builder.key_places)
    return document, tuple(builder.findings)


def plain_value(text: str) -> Any:
    """Return what a scalar without quotes and tag means to a device."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    digits = text.replace("_", "")
    if _INTEGER.fullmatch(digits):
        return _integer(digits)
    if _FLOAT.fullmatch(digits):
        return float(digits)
    return text


def scalar_as_text(value: bool | float | str) -> str:
    """Return what a scalar becomes in a field of type string: `0.10` turns into `0.1`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)


def _integer(digits: str) -> int:
    sign = -1 if digits[0] == "-" else 1
    number = digits.lstrip("+-").lower()
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if number.startswith(prefix):
            return sign * int(number[2:], base)
    return sign * int(number, 8 if number[0] == "0" else 10)


class _Builder:
    """Turns the events of one document into values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, tuple[int, int]] = {}
        self.key_places: dict[Path, tuple[int, int]] = {}
        self.findings: list[Finding] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self, text: str) -> Any:
        loader = _Loader(text)
        try:
            events = iter(loader.get_event, None)
            next(events)  # the start of the stream
            if isinstance(next(events), yaml.StreamEndEvent):
                return None
            value = self._value(next(events), events, ())
            next(events)  # the end of the document: what stands there must be sound as well
            return value
        finally:
            loader.dispose()

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        self.places[path] = (line, column)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise _UnreadableError(f"nothing is anchored as &{event.anchor}", line, column)
            value, size = self._anchors[event.anchor]
            self._take(size, line, column)
            return value
        if len(path) > MAX_DEPTH:
            raise _UnreadableError(f"it nests deeper than {MAX_DEPTH} levels", line, column)
        before = self._count
        self._take(1, line, column)
        if isinstance(event, yaml.ScalarEvent):
            plain = not event.style and event.tag is None
            value = plain_value(event.value) if plain else event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._mapping(events, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before)
        return value

    def _take(self, count: int, line: int, column: int) -> None:
        self._count += count
        if self._count > MAX_VALUES:
            raise _UnreadableError(f"it holds more than {MAX_VALUES:,} values", line, column)

    def _sequence(self, events: Iterator[Any], path: Path) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._value(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[Any] = []
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            key = self._key(event, line, column)
            inner = (*path, key)
            if key in mapping:
                first = self.key_places[inner][0]
                message = f"{dotted_path(inner)} stands here again; line {first} has it already"
                place = Place(self.file, line, column, dotted_path(inner))
                self.findings.append(finding("chart-duplicate-key", place, message))
            self.key_places[inner] = (line, column)
            value = self._value(next(events), events, inner)
            if key == "<<" and not event.style:
                merged += value if isinstance(value, list) else [value]
            else:
                mapping[key] = value
        for source in merged:
            if isinstance(source, dict):
                mapping = {**source, **mapping}
        return mapping

    def _key(self, event: Any, line: int, column: int) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise _UnreadableError("a key is not a plain word", line, column)
        value = event.value if event.style else plain_value(event.value)
        if value is None:
            raise _UnreadableError("a key is missing", line, column)
        return scalar_as_text(value)
