"""Argument tables: what one release of an engine accepts, as its own parser and source say.

The tables are made by `make engine-tables` and shipped as `tables/<kind>.json`, all releases of an
engine in one file. Whatever holds for a run of releases is written once, with the span of that
run: `[first, last, what]`, both positions in `releases`, last -1 for "up to the newest".

    {"kind": "vllm", "syntax": "vllm",
     "releases": ["0.11.0", …],              ascending
     "skipped": {"0.12.1": "why its parser could not be built"},
     "options": {"max-model-len": [[0, -1, {"value": "human-int", …}]]},
     "schemas": {"CompilationConfig": {"mode": [[4, -1, {"type": "integer", …}]]}},
     "names": {"tool-call-parser": [[0, -1, "hermes mistral …"]]},
     "env": [[0, -1, "VLLM_CACHE_ROOT …"]],
     "traits": [[0, 5, "json-short-o"]],
     "requires": {"enable-auto-tool-choice": [[0, -1, "tool-call-parser"]]},
     "successors": {"option": {"--task": [[0, -1, "--runner"]]}}}

An option's fields have the names of `Option`; those at their defaults are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, cast

# What an option takes:
#   none           nothing: a bare flag
#   switch         nothing: a bare flag that also has negated spellings
#   int, float     one number, as Python's int() and float() read it (llama.cpp: std::stoi, stof)
#   int-or-word    an integer, or one of `choices` (llama.cpp's `--n-gpu-layers all`)
#   human-int      an integer, or a number with k, m, g, t (decimal) or K, M, G, T (binary)
#   human-int-auto the same, or "auto", or -1
#   text           anything; one of `choices` where there are some
#   word           one of `choices` in any case, with `-` for `_`
#   list           several of `choices` in one word, joined by commas (llama.cpp)
#   json           JSON of any kind; `schema` tells what the server makes of an object
#   config         a JSON object for the dataclass `schema`, judged while arguments are parsed
#   json-or-text   JSON if it stands in braces, else plain text
#   lora           `name=path`, or a JSON object with name and path (vLLM's --lora-modules)
Value = Literal[
    "none",
    "switch",
    "int",
    "float",
    "int-or-word",
    "human-int",
    "human-int-auto",
    "text",
    "word",
    "list",
    "json",
    "config",
    "json-or-text",
    "lora",
]
# `removed`: parsed only to say that it is gone (llama.cpp).
State = Literal["current", "deprecated", "removed"]
# Whose rules the words follow: vLLM's parser (argparse, `_` for `-`, dotted JSON keys), plain
# argparse, or llama.cpp's own loop (no `=`, no abbreviations).
Syntax = Literal["vllm", "argparse", "llamacpp"]
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a release.

    `name` is the main spelling without dashes in front. `spellings` has all that set it, hidden
    ones too, `negations` all that set it to false. It takes `least` to `most` words (None: no
    limit). `choices` is empty where any value goes. `nullable`: the words "" and "None" mean no
    value. `appends`: given twice, both count (else the last wins). `limits` is what the server
    asks of the value when it starts, as a schema like those of `EngineTable.schemas`: bounds of a
    number, closed words, the type of JSON (of a list where it takes several words).
    `schema` names the entry of `EngineTable.schemas` for the object it takes, `names` the entry of
    `EngineTable.names` its value is looked up in after parsing. `replaced_by` is the successor of a
    deprecated or removed option, with its dashes; `env` a variable that sets it too.
    """

    name: str
    spellings: tuple[str, ...]
    negations: tuple[str, ...] = ()
    value: Value = "text"
    least: int = 1
    most: int | None = 1
    choices: tuple[str, ...] = ()
    default: Any = None
    nullable: bool = False
    appends: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    schema: str = ""
    names: str = ""
    replaced_by: str = ""
    state: State = "current"
    env: str = ""


@dataclass(frozen=True, slots=True)
class EngineTable:
    """All arguments of one release of an engine.

    `options` is keyed by every spelling with its dashes, negations too. `schemas` has, per class,
    field name to a small subset of JSON Schema (`{"ref": "Class"}` for a nested one). `names` has
    what the server accepts after parsing, per subject: "tool-call-parser", "attention-backend",
    "speculative-method" and so on; a subject that is missing is one nobody looks up. `requires`
    tells which option an option needs. `successors` has, per subject ("option", "env", or one of
    `names`), what took the place of a name: one that is gone, or that is still valid but old.
    `traits` are habits of this release's parser (command_line).
    """

    kind: str
    release: str
    syntax: Syntax
    options: Mapping[str, Option]
    schemas: Mapping[str, Mapping[str, Any]]
    env: frozenset[str]
    names: Mapping[str, frozenset[str]]
    requires: Mapping[str, str]
    successors: Mapping[str, Mapping[str, str]]
    traits: frozenset[str]


def table_releases(kind: str) -> tuple[str, ...]:
    """Return the releases that have a table, ascending; none for an engine without tables."""
    data = _data(kind)
    return tuple(data["releases"]) if data else ()


def skipped_releases(kind: str) -> Mapping[str, str]:
    """Return the releases whose table could not be made, with the reason."""
    return dict(_data(kind).get("skipped", {}))


@cache
def engine_table(kind: str, release: str) -> EngineTable:
    """Return the table of a release.

    Raises:
        KeyError: there is none.
    """
    data = _data(kind)
    if not data or release not in data["releases"]:
        raise KeyError(f"no table for {kind} {release}")
    at = data["releases"].index(release)
    options: dict[str, Option] = {}
    for name, spans in data["options"].items():
        fields = _at(spans, at)
        if fields is not None:
            option = _option(name, fields)
            for spelling in (*option.spellings, *option.negations):
                options[spelling] = option
    schemas = {}
    for title, by_field in data.get("schemas", {}).items():
        present = _present(by_field, at)
        if present:
            schemas[title] = present
    names = {
        subject: words
        for subject, spans in data.get("names", {}).items()
        if (words := _words(spans, at))
    }
    successors = {
        subject: _present(by_name, at) for subject, by_name in data.get("successors", {}).items()
    }
    return EngineTable(
        kind=kind,
        release=release,
        syntax=data["syntax"],
        options=options,
        schemas=schemas,
        env=_words(data.get("env", ()), at),
        names=names,
        requires=_present(data.get("requires", {}), at),
        successors=successors,
        traits=_words(data.get("traits", ()), at),
    )


def spelling_around(kind: str, spelling: str, release: str) -> tuple[str | None, str | None]:
    """Return the last release before and the first after one that know a spelling."""
    return _around(kind, _spelling_spans(kind).get(spelling, ()), release)


def name_around(kind: str, subject: str, name: str, release: str) -> tuple[str | None, str | None]:
    """Return the last release before and the first after one that know a name."""
    spans = _data(kind).get("names", {}).get(subject, ())
    return _around(kind, (s for s in spans if name in s[2].split()), release)


def key_around(kind: str, title: str, key: str, release: str) -> tuple[str | None, str | None]:
    """Return the last release before and the first after one whose class has a key."""
    return _around(kind, _data(kind).get("schemas", {}).get(title, {}).get(key, ()), release)


def env_around(kind: str, variable: str, release: str) -> tuple[str | None, str | None]:
    """Return the last release before and the first after one that read a variable."""
    spans = _data(kind).get("env", ())
    return _around(kind, (s for s in spans if variable in s[2].split()), release)


def later_successor(kind: str, spelling: str) -> str:
    """Return what takes the place of a spelling in some release, empty where none is known."""
    spans = _data(kind).get("successors", {}).get("option", {}).get(spelling, ())
    return str(spans[-1][2]) if spans else ""


@cache
def _data(kind: str) -> dict[str, Any]:
    """Return the content of an engine's file, nothing where it has none."""
    path = files("chartgen.engines").joinpath("tables", f"{kind}.json")
    if not path.is_file():
        return {}
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def _holds(span: list[Any], at: int) -> bool:
    return bool(span[0] <= at and (span[1] == -1 or at <= span[1]))


def _at(spans: Iterable[list[Any]], at: int) -> Any:
    """Return what holds at a release, None for nothing."""
    return next((span[2] for span in spans if _holds(span, at)), None)


def _present(by_name: Mapping[str, list[list[Any]]], at: int) -> dict[str, Any]:
    """Return what holds at a release, by name."""
    found = {name: _at(spans, at) for name, spans in by_name.items()}
    return {name: value for name, value in found.items() if value is not None}


def _words(spans: Iterable[list[Any]], at: int) -> frozenset[str]:
    """Return all words of the spans that hold at a release."""
    return frozenset(word for span in spans if _holds(span, at) for word in span[2].split())


def _option(name: str, fields: Mapping[str, Any]) -> Option:
    value = fields.get("value", "text")
    bare = value in ("none", "switch")
    return Option(
        name,
        tuple(fields.get("spellings", (f"--{name}",))),
        tuple(fields.get("negations", ())),
        cast("Value", value),
        fields.get("least", 0 if bare else 1),
        fields.get("most", 0 if bare else 1),
        tuple(fields.get("choices", ())),
        fields.get("default"),
        fields.get("nullable", False),
        fields.get("appends", False),
        fields.get("limits", _EMPTY),
        fields.get("schema", ""),
        fields.get("names", ""),
        fields.get("replaced_by", ""),
        fields.get("state", "current"),
        fields.get("env", ""),
    )


@cache
def _spelling_spans(kind: str) -> Mapping[str, tuple[list[Any], ...]]:
    """Return the spans of each spelling."""
    found: dict[str, list[list[Any]]] = {}
    for name, spans in _data(kind).get("options", {}).items():
        for span in spans:
            for spelling in _spellings(name, span[2]):
                found.setdefault(spelling, []).append(span)
    return {spelling: tuple(spans) for spelling, spans in found.items()}


def _spellings(name: str, fields: Mapping[str, Any]) -> Iterator[str]:
    yield from fields.get("spellings", (f"--{name}",))
    yield from fields.get("negations", ())


def _around(kind: str, spans: Iterable[list[Any]], release: str) -> tuple[str | None, str | None]:
    releases = table_releases(kind)
    at = releases.index(release)
    last = len(releases) - 1
    pairs = [(first, end if end != -1 else last) for first, end, *_ in spans]
    before = [min(end, at - 1) for first, end in pairs if first < at]
    after = [max(first, at + 1) for first, end in pairs if end > at]
    return (
        releases[max(before)] if before else None,
        releases[min(after)] if after else None,
    )
