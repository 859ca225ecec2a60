"""Checks of the exact engine arguments against the exact engine release in the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from chartgen.engines import engine_facts, engine_start
from chartgen.engines.arguments import flag, normal
from chartgen.engines.command_line import judge
from chartgen.engines.problem import Problem
from chartgen.engines.release import EngineRelease
from chartgen.engines.table import (
    EngineTable,
    env_history,
    history,
    name_history,
    table_releases,
)
from chartgen.findings import Finding, Place, Severity
from chartgen.lint.arguments import argument_findings
from chartgen.lint.rules import finding
from chartgen.spec.load import LoadedSpec

_RULES: Mapping[str, str] = {
    "unknown": "engine-argument-unknown",
    "removed": "engine-argument-removed",
    "value-missing": "engine-argument-value-missing",
    "value-unexpected": "engine-argument-value-unexpected",
    "value-type": "engine-argument-value",
    "value-choice": "engine-argument-value",
    "value-range": "engine-argument-value",
    "json-broken": "engine-argument-json",
    "json-key": "engine-argument-json",
    "json-value": "engine-argument-json",
    "name-unknown": "engine-argument-name",
    "requires": "engine-argument-requires",
    "abbreviation": "engine-argument-abbreviated",
    "misread": "engine-argument-misread",
    "ignored": "engine-argument-ignored",
    "repeated": "engine-argument-repeated",
    "deprecated": "engine-argument-deprecated",
}
# Said by `argument_findings` for every release, in words that need no table.
_SAID_WITHOUT_TABLE = frozenset({"json-broken", "repeated", "value-type"})
# Variables of the engines themselves; others belong to CUDA, Python or the system.
_OWN_VARIABLES: Mapping[str, str] = {"vllm": "VLLM_", "llamacpp": "LLAMA_ARG_"}
# A list of choices longer than this hides the sentence around it.
_MOST_CHOICES = 12


def table_findings(
    loaded: LoadedSpec, table: EngineTable, release: EngineRelease
) -> Iterator[Finding]:
    """Yield what the engine's own parser and its later checks would say of the arguments.

    Where the release is not known exactly, errors become warnings.
    """
    said = {item.place.line for item in argument_findings(loaded)}
    for problem in judge(table, _words(loaded)):
        place = _place(loaded, problem)
        if problem.kind in _SAID_WITHOUT_TABLE and place.line in said:
            continue
        message = _MESSAGES[problem.kind](problem, table)
        remedy = _remedy(problem)
        yield softened(finding(_RULES[problem.kind], place, message, remedy), release)
    yield from (softened(item, release) for item in _variables(loaded, table))


def softened(item: Finding, release: EngineRelease) -> Finding:
    """Make an error a warning where the release it is judged by is only the nearest one."""
    if release.exact or item.severity is not Severity.ERROR:
        return item
    return replace(item, severity=Severity.WARNING)


def _words(loaded: LoadedSpec) -> tuple[str, ...]:
    start = engine_start(loaded.spec)
    if loaded.spec.engine.kind == "vllm":
        # `vllm serve MODEL`: the parser sees the model's name, too.
        return (*start.command[2:], *start.args)
    return start.args


def _place(loaded: LoadedSpec, problem: Problem) -> Place:
    """Return where the spec says what a problem is about."""
    wanted = normal(problem.spelling).partition("=")[0].partition(".")[0]
    keys = list(loaded.spec.engine.args)
    # Of two spellings the second is the one too many.
    for key in reversed(keys) if problem.kind == "repeated" else keys:
        name = normal(key).partition(".")[0]
        if wanted in {name, f"no-{name}"} or flag(key) == problem.spelling:
            whole = problem.kind in {"unknown", "removed", "abbreviation", "repeated", "requires"}
            return loaded.place("engine", "args", key, key=whole)
    field = engine_start(loaded.spec).presets.get(wanted, "")
    if field:
        return loaded.place(*field.split("."))
    return loaded.place("engine", "args", key=True)


def _unknown(problem: Problem, table: EngineTable) -> str:
    first, last = history(table.kind, problem.spelling)
    message = f"{_engine(table)} does not know {problem.spelling}"
    if first is not None and last is not None:
        if _position(table, first) > _position(table, table.release):
            return f"{message}, which {first} added"
        return f"{message}; {last} was the last release that did"
    return message


def _position(table: EngineTable, release: str) -> int:
    return table_releases(table.kind).index(release)


def _engine(table: EngineTable) -> str:
    return f"{engine_facts(table.kind).title} {table.release}"


def _value(problem: Problem, table: EngineTable) -> str:
    shown = problem.value or "an empty text"
    return f"{problem.spelling} takes {_wanted(problem)} in {_engine(table)}, not {shown}"


def _wanted(problem: Problem) -> str:
    choices = problem.detail.count(", ") + 1
    if choices > _MOST_CHOICES:
        return f"one of {choices} words"
    return problem.detail or "another value"


def _json(problem: Problem, table: EngineTable) -> str:
    if problem.kind == "json-broken":
        return f"the value of {problem.spelling} is no JSON: {problem.detail}"
    where = f"{problem.spelling}, {problem.path}"
    if problem.kind == "json-key":
        return f"{where}: {_engine(table)} knows no such key"
    return f"{where}: {_engine(table)} takes {_wanted(problem)}, not {problem.value}"


def _name(problem: Problem, table: EngineTable) -> str:
    first, last = name_history(table.kind, problem.detail, problem.value)
    message = f"{_engine(table)} has no {problem.detail.replace('-', ' ')} {problem.value!r}"
    if first is None or last is None:
        return message
    if _position(table, first) > _position(table, table.release):
        return f"{message}; {first} added it"
    return f"{message}; {last} was the last release that had it"


_MESSAGES: Mapping[str, Callable[[Problem, EngineTable], str]] = {
    "unknown": _unknown,
    "removed": lambda p, t: f"{_engine(t)} has dropped {p.spelling}",
    "value-missing": lambda p, t: f"{p.spelling} needs {p.detail} in {_engine(t)}",
    "value-unexpected": lambda p, t: (
        f"{p.spelling} takes no value in {_engine(t)}, and has {p.value}"
        if p.spelling
        else f"{_engine(t)} knows no word {p.value!r} by itself"
    ),
    "value-type": _value,
    "value-choice": _value,
    "value-range": _value,
    "json-broken": _json,
    "json-key": _json,
    "json-value": _json,
    "name-unknown": _name,
    "requires": lambda p, t: f"{p.spelling} needs {p.detail} beside it in {_engine(t)}",
    "abbreviation": lambda p, _: f"{p.spelling} is only the beginning of {p.nearest}",
    "misread": lambda p, t: f"{_engine(t)} reads {p.value} of {p.spelling} as {p.detail}",
    "ignored": lambda p, t: f"{p.spelling}, {p.path}: {_engine(t)} ignores this key",
    "repeated": lambda p, _: f"{p.spelling} is also given as {p.detail}",
    "deprecated": lambda p, t: (
        f"{p.value or p.spelling} is an old name in {_engine(t)}"
        if p.value
        else f"{p.spelling} is deprecated in {_engine(t)}"
    ),
}


def _remedy(problem: Problem) -> str:
    if problem.successor:
        return f"Write {problem.successor} instead."
    if problem.nearest:
        return f"Did you mean {problem.nearest}?"
    return ""


def _variables(loaded: LoadedSpec, table: EngineTable) -> Iterator[Finding]:
    prefix = _OWN_VARIABLES.get(table.kind)
    for name in loaded.spec.env if prefix is not None and table.env else ():
        if not name.startswith(prefix or "") or name in table.env:
            continue
        first, last = env_history(table.kind, name)
        message = f"{_engine(table)} does not read {name}"
        if last is not None and first is not None:
            later = _position(table, first) > _position(table, table.release)
            message += f"; {first} added it" if later else f"; {last} was the last that did"
        yield finding("engine-env-unread", loaded.place("env", name, key=True), message)
