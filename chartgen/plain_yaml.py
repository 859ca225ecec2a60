"""YAML that programs write, read fast: the documents that all readers read alike.

What a chart renders to is read by Go on a device. Having each document of each render read by
Helm took a third of a chart's lint; where nothing in a document is open to interpretation, this
reader gives the same in half that time. Whatever YAML 1.1, YAML 1.2 and Go's reader may see
differently (`yes`, `0x10`, `1.0`, `12:30`, a date, an anchor, a tag, a key that stands there
twice) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from yaml import YAMLError
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from chartgen.resources import yaml_loader

# Exact in a double, which is all that Go's JSON and JavaScript keep of a number.
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_WORD = re.compile(r"[A-Za-z_/][A-Za-z0-9_./:-]*")
_CONSTANTS = {"": None, "null": None, "true": True, "false": False}
# Words of YAML 1.1 (yaml.org/type/bool.html), in whatever case.
_LOADED_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# Line breaks of YAML 1.1 that are none in 1.2, and the mark that some readers skip.
_ODD = re.compile("[\x85\u2028\u2029\ufeff]")
_MERGE = "<<"
_MAX_DEPTH = 100


class UncertainError(ValueError):
    """A document that readers of YAML may see differently, or that none can read."""


def read_plain(text: str, tags: Mapping[str, Callable[[str], Any]] | None = None) -> Any:
    """Return the value of a document, None where it is empty.

    `tags` maps each local tag that may occur to a function from the tagged text to the value.
    Raises UncertainError.
    """
    if "\r" in text or (not text.isascii() and _ODD.search(text)):
        raise UncertainError("it holds a line break or a mark that some readers do not know")
    try:
        loader = yaml_loader(text)
        try:
            return _read(loader, tags or {})
        finally:
            loader.dispose()
    except (YAMLError, UnicodeError) as error:
        raise UncertainError(" ".join(str(error).split())) from error


def _read(loader: Any, tags: Mapping[str, Callable[[str], Any]]) -> Any:
    # A loop and no recursion: a hostile document may nest deeper than the stack reaches.
    documents: list[Any] = []
    inside: Any = documents
    outer: list[Any] = []
    key: str | None = None
    for event in iter(loader.get_event, None):
        kind = type(event)
        if kind is ScalarEvent:
            # libyaml gives plain scalars the style "", the pure parser None.
            if event.style and event.tag is None and event.anchor is None:
                value = event.value
            else:
                value = _scalar(event, tags)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor or event.tag or len(outer) == _MAX_DEPTH:
                raise _uncertain(event, "a collection has an anchor or a tag, or nests too deep")
            value = {} if kind is MappingStartEvent else []
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            inside = outer.pop()
            continue
        elif kind is AliasEvent:
            raise _uncertain(event, "an alias stands here")
        else:
            continue
        if isinstance(inside, list):
            inside.append(value)
        elif key is None:
            if not isinstance(value, str) or value in inside or value == _MERGE:
                raise _uncertain(event, "a key is no word of its own")
            key = value
            continue
        else:
            inside[key], key = value, None
        if kind is not ScalarEvent:
            outer.append(inside)
            inside = value
    if len(documents) > 1:
        raise UncertainError("there is more than one document")
    return documents[0] if documents else None


def _scalar(event: Any, tags: Mapping[str, Callable[[str], Any]]) -> Any:
    """Return the value of a scalar that is plain, or has a tag or an anchor."""
    if event.anchor:
        raise _uncertain(event, "a value has an anchor")
    text = event.value
    if event.tag:
        if event.tag not in tags:
            raise _uncertain(event, f"a value has the tag {event.tag}")
        return tags[event.tag](text)
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _WORD.fullmatch(text) and text.lower() not in _LOADED_WORDS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    raise _uncertain(event, f"{text!r} is not written in one way only")


def _uncertain(event: Any, problem: str) -> UncertainError:
    return UncertainError(f"line {event.start_mark.line + 1}: {problem}")
