"""Checks of the exact engine arguments against the exact engine release in the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from chartgen.document import scalar_text
from chartgen.engines import engine_facts, engine_start
from chartgen.engines.arguments import flag, normal
from chartgen.engines.command_line import judge
from chartgen.engines.llamacpp_words import judge_variables
from chartgen.engines.problem import Problem
from chartgen.engines.release import EngineRelease, shown_release
from chartgen.engines.table import (
    EngineTable,
    Option,
    env_around,
    key_around,
    name_around,
    spelling_around,
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
# Subjects of names by the argument whose value they are.
_SUBJECTS: Mapping[str, str] = {
    "cache-type-k": "kv-cache-type",
    "cache-type-v": "kv-cache-type",
    "kv-cache-dtype": "kv-cache-dtype",
    "spec-type": "spec-type",
}
# Engines every release of which has a table.
_EVERY_RELEASE = frozenset({"vllm"})
# A list of choices longer than this hides the sentence around it.
_MOST_CHOICES = 12


def table_findings(
    loaded: LoadedSpec, table: EngineTable, release: EngineRelease
) -> Iterator[Finding]:
    """Yield what the engine's own parser and its later checks would say of the arguments.

    Where the release is not known exactly, errors become warnings.
    """
    found = _unsaid(loaded, table, judge(table, _words(loaded)))
    for problem in found:
        item = finding(
            _RULES[problem.kind],
            _place(loaded, table, problem),
            _message(loaded, problem, table),
            _remedy(loaded, problem, table),
        )
        yield softened(item, release)
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


def _unsaid(
    loaded: LoadedSpec, table: EngineTable, problems: tuple[Problem, ...]
) -> Iterator[Problem]:
    """Leave out what another finding says of the same mistake."""
    lines = {item.place.line for item in argument_findings(loaded)}
    twice = {
        normal(key).partition(".")[0]
        for key in loaded.spec.engine.args
        if loaded.place("engine", "args", key, key=True).line in lines
    }
    # A model that the arguments name, too, takes the place of the first word.
    own = engine_start(loaded.spec).command[2:]
    model = own if any(normal(key) == "model" for key in loaded.spec.engine.args) else ()
    stray = False
    abbreviated = {item.nearest for item in problems if item.kind == "abbreviation"}
    for problem in problems:
        if problem.kind == "value-unexpected" and not problem.spelling:
            # The value of a name that is none is left over, too.
            if problem.value in model or stray:
                continue
            stray = True
        if problem.kind == "repeated" and (
            problem.spelling in abbreviated or normal(problem.spelling) in twice
        ):
            continue
        whole = problem.kind == "json-value" and not problem.path
        said = problem.kind != "repeated" and (problem.kind in _SAID_WITHOUT_TABLE or whole)
        if said and _place(loaded, table, problem).line in lines:
            continue
        yield problem


def _key(loaded: LoadedSpec, table: EngineTable, problem: Problem) -> str | None:
    """Return the argument of the spec that a problem is about, None for one of a field."""
    arguments = loaded.spec.engine.args
    if not problem.spelling:
        return _taker(table, arguments, problem.value)
    bare = problem.spelling.partition("=")[0]
    wanted = normal(bare).partition(".")[0]
    option = table.options.get(bare)
    if problem.kind == "repeated":
        # Of two spellings the second is the one too many.
        arguments = dict(reversed(list(arguments.items())))
    keys = [key for key in arguments if flag(key) == problem.spelling]
    keys += [key for key in arguments if normal(key) in {wanted, f"no-{wanted}"}]
    keys += [key for key in arguments if f"no-{normal(key)}" == wanted]
    keys += [key for key in arguments if normal(key).partition(".")[0] == wanted]
    keys += [
        key for key in arguments if option is not None and table.options.get(flag(key)) is option
    ]
    if problem.path:
        # Of `config.level: 3` beside `config.mode: 0` the one that the path names.
        dotted = [key for key in keys if _path(key) and problem.path.startswith(_path(key))]
        keys = dotted or keys
    return keys[0] if keys else None


def _path(key: str) -> str:
    """Return the dotted path into an object that a key gives, empty for a whole argument."""
    return key.partition(".")[2].rstrip("+").replace("-", "_")


def _taker(table: EngineTable, arguments: Mapping[str, Any], word: str) -> str | None:
    """Return the argument that left over a word which no option took."""
    for key, value in arguments.items():
        if flag(key) == word:
            return key
        items = value if isinstance(value, (list, tuple)) else [value]
        option = _option(table, key)
        if option is None or option.most is None or len(items) <= option.most:
            continue
        if any(
            not isinstance(item, (bool, Mapping, list, tuple)) and scalar_text(item) == word
            for item in items
            if item is not None
        ):
            return key
    return None


def _place(loaded: LoadedSpec, table: EngineTable, problem: Problem) -> Place:
    """Return where the spec says what a problem is about."""
    key = _key(loaded, table, problem)
    if key is not None:
        whole = problem.kind in {"unknown", "removed", "abbreviation", "repeated", "requires"}
        inside = () if _path(key) else _inside(problem.path)
        unknown_key = problem.kind in {"json-key", "ignored"}
        return loaded.place("engine", "args", key, *inside, key=whole or unknown_key)
    wanted = normal(problem.spelling).partition("=")[0].partition(".")[0]
    field = engine_start(loaded.spec).presets.get(wanted, "")
    if field:
        return loaded.place(*field.split("."))
    return loaded.place("engine", "args", key=True)


def _inside(path: str) -> Iterator[str | int]:
    """Yield the steps of a path such as `a.b[0]`."""
    for step in filter(None, path.replace("[", ".[").split(".")):
        yield int(step[1:-1]) if step.startswith("[") else step


def _message(loaded: LoadedSpec, problem: Problem, table: EngineTable) -> str:
    if problem.kind == "value-unexpected" and not problem.spelling:
        key = _taker(table, loaded.spec.engine.args, problem.value)
        option = _option(table, key)
        if key is not None and option is not None:
            what = "no value" if option.most == 0 else "one value"
            more = "" if option.most == 0 else " as well"
            return f"{flag(key)} takes {what} in {_engine(table)}, and has {problem.value}{more}"
    message = _MESSAGES[problem.kind](problem, table)
    return message + _when(problem, table)


def _option(table: EngineTable, key: str | None) -> Option | None:
    return table.options.get(flag(key).replace("_", "-")) if key is not None else None


def _around(problem: Problem, table: EngineTable) -> tuple[str | None, str | None]:
    """Return the last release before and the first after that have what this one lacks."""
    kind, release = table.kind, table.release
    match problem.kind:
        case "unknown":
            return spelling_around(kind, problem.spelling, release)
        case "name-unknown":
            return name_around(kind, problem.detail, problem.value, release)
        case "json-key":
            return key_around(kind, problem.detail, problem.path.rpartition(".")[2], release)
        case "json-value" if problem.path == "method":
            return name_around(kind, "speculative-method", problem.value, release)
        case "value-choice":
            subject = _SUBJECTS.get(normal(problem.spelling), "")
            return name_around(kind, subject, problem.value, release)
    return None, None


def _when(problem: Problem, table: EngineTable) -> str:
    """Return which releases have it, as the end of a message."""
    return since_when(table.kind, *_around(problem, table))


def since_when(kind: str, before: str | None, after: str | None) -> str:
    """Return the end of a sentence on what a release lacks: who had it last, who has it first."""
    last = shown_release(kind, before) if before is not None else ""
    first = shown_release(kind, after) if after is not None else ""
    if kind not in _EVERY_RELEASE:
        # Between two builds with tables lie many without.
        said = (f"{last} still did" if last else "", f"{first} does" if first else "")
        return "".join(f"; {text}" for text in said if text)
    if first and last:
        return f"; {last} was the last that did, and {first} does again"
    if first:
        return f"; {first} is the first release that does"
    return f"; {last} was the last release that did" if last else ""


def _engine(table: EngineTable) -> str:
    return f"{engine_facts(table.kind).title} {shown_release(table.kind, table.release)}"


def _value(problem: Problem, table: EngineTable) -> str:
    shown = problem.value or "an empty text"
    if any(_around(problem, table)):
        return f"{_engine(table)} does not take {shown} for {problem.spelling}"
    return f"{problem.spelling} takes {_wanted(problem)} in {_engine(table)}, not {shown}"


def _wanted(problem: Problem) -> str:
    choices = problem.detail.count(", ") + 1
    if choices > _MOST_CHOICES:
        return f"one of {choices} words"
    return problem.detail or "another value"


def _json(problem: Problem, table: EngineTable) -> str:
    if problem.kind == "json-broken":
        return f"the value of {problem.spelling} is no JSON: {problem.detail}"
    where = f"{problem.spelling}, {problem.path}" if problem.path else problem.spelling
    if problem.kind == "json-key":
        return f"{where}: {_engine(table)} does not know this key"
    if any(_around(problem, table)):
        return f"{where}: {_engine(table)} does not take {problem.value}"
    return f"{where}: {_engine(table)} takes {_wanted(problem)}, not {problem.value}"


_MESSAGES: Mapping[str, Callable[[Problem, EngineTable], str]] = {
    "unknown": lambda p, t: f"{_engine(t)} does not know {p.spelling}",
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
    "name-unknown": lambda p, t: (
        f"{_engine(t)} does not have the {p.detail.replace('-', ' ')} {p.value!r}"
    ),
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


def _remedy(loaded: LoadedSpec, problem: Problem, table: EngineTable) -> str:
    """Return how to mend it where more can be said than the rule's own words."""
    if problem.successor:
        return f"Write {problem.successor} instead."
    if problem.kind == "value-unexpected" and not problem.spelling:
        key = _taker(table, loaded.spec.engine.args, problem.value)
        option = _option(table, key)
        if key is not None and option is None:
            return "Correct the spelling; the name of an argument has no blanks."
        return "Write a single value." if option is not None and option.most == 1 else ""
    if problem.kind == "abbreviation":
        return f"Write {problem.nearest}."
    before, after = _around(problem, table)
    if after is not None:
        first = shown_release(table.kind, after)
        return f"Take an image with {first} or a later release, or remove it."
    if before is not None:
        return f"Remove it, or stay with {shown_release(table.kind, before)}."
    key = _key(loaded, table, problem)
    if problem.kind == "unknown" and key is not None and loaded.spec.engine.args[key] is False:
        # `false` gives the flag with `no-` before its name, which this one does not have.
        option = _option(table, key)
        if option is not None:
            off = "off" in option.choices
            return f'Write `{key}: "off"`.' if off else f"Remove it; {flag(key)} has no negation."
    return f"Did you mean {problem.nearest}?" if problem.nearest else ""


def _variables(loaded: LoadedSpec, table: EngineTable) -> Iterator[Finding]:
    """Yield what the engine would make of its own variables."""
    prefix = _OWN_VARIABLES.get(table.kind)
    for name in loaded.spec.env if prefix is not None and table.env else ():
        if not name.startswith(prefix or "") or name in table.env:
            continue
        before, after = env_around(table.kind, name, table.release)
        successor = table.successors.get("env", {}).get(name, "")
        message = f"{_engine(table)} does not read {name}"
        message += since_when(table.kind, before, after)
        remedy = f"Write {successor} instead." if successor else ""
        place = loaded.place("env", name, key=True)
        yield finding("engine-env-unread", place, message, remedy)
    if table.syntax != "llamacpp":
        return
    plain = {name: item.value for name, item in loaded.spec.env.items() if item.value is not None}
    problems = tuple(judge_variables(table, plain))
    faulty = {problem.spelling for problem in problems}
    yield from _overruled(loaded, table, faulty)
    for problem in problems:
        place = loaded.place("env", problem.spelling)
        message = _MESSAGES[problem.kind](problem, table)
        remedy = _remedy(loaded, problem, table)
        yield finding(_RULES[problem.kind], place, message, remedy)


def _overruled(
    loaded: LoadedSpec, table: EngineTable, faulty: AbstractSet[str]
) -> Iterator[Finding]:
    """Yield variables that an argument overrules (llama.cpp b11434, common_params_parse_ex)."""
    given = {}
    for word in _words(loaded):
        option = table.options.get(word)
        if option is not None and option.env:
            given[option.env] = word
    for name in loaded.spec.env:
        if name in given and name not in faulty:
            message = f"{name} is overruled by {given[name]}, which is given, too"
            place = loaded.place("env", name, key=True)
            yield finding("engine-argument-repeated", place, message, f"Remove {name}.")
