"""The settings of an app as a table: the spec's own names and values, grouped for reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chartgen.document import scalar_text
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import EngineBase
from chartgen.spec.workload import Resources

# Shown elsewhere on the page, in words or as a link.
_NOT_SETTINGS = frozenset(
    {
        "name",
        "version",
        "title",
        "summary",
        "about",
        "categories",
        "icon",
        "developer",
        "submitter",
        "website",
        "source",
        "docs",
        "license",
        "featured_image",
        "i18n",
        "changes",
        "waive",
    }
)
# Title of a group, where its settings stand in a spec, and their order where the spec has one.
_GROUPS = (
    ("Engine", ("engine",), ("kind", *EngineBase.model_fields)),
    ("Arguments", ("engine", "args"), ()),
    ("Environment", ("env",), ()),
    ("Resources", ("resources",), tuple(Resources.model_fields)),
    ("GPU", ("gpu",), ()),
)
# Characters and lines from which a value stands in a block of its own.
_LONG_VALUE, _MANY_LINES = 400, 6


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; a `long` value needs a block of its own."""

    name: str
    value: str
    long: bool


def setting_groups(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[Setting, ...]]]:
    """Yield titles of groups and their settings, in the order of the spec's reference."""
    taken = {path for _, path, _ in _GROUPS}
    for title, path, order in _GROUPS:
        value: Any = settings
        for part in path:
            value = _mapping(value).get(part)
        kept = {name: v for name, v in _mapping(value).items() if (*path, name) not in taken}
        if kept:
            yield title, _in_order(kept, order)
    others = {
        name: value
        for name, value in settings.items()
        if name not in _NOT_SETTINGS and (name,) not in taken and value not in (None, {}, [])
    }
    if others:
        yield "Others", _in_order(others, tuple(AppSpec.model_fields))


def _in_order(settings: Mapping[str, Any], order: tuple[str, ...]) -> tuple[Setting, ...]:
    names = [name for name in order if name in settings]
    names += sorted(settings.keys() - set(names))
    return tuple(_setting(name, settings[name]) for name in names)


def _setting(name: str, value: Any) -> Setting:
    text = _value_text(value)
    long = len(text) > _LONG_VALUE or text.count("\n") > _MANY_LINES
    return Setting(name=name, value=text, long=long)


def _value_text(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, (str, int, float)):
        return scalar_text(value)
    if isinstance(value, Mapping) and value and not any(map(_nested, value.values())):
        # Sources of weights and the like: short words that need no braces.
        return "\n".join(f"{name}: {_value_text(inner)}" for name, inner in value.items())
    if isinstance(value, list) and value and not any(map(_nested, value)):
        return ", ".join(_value_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _nested(value: Any) -> bool:
    return isinstance(value, (Mapping, list))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
