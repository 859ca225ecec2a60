"""Checks on engine arguments that hold for every release: spellings, doubles, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from chartgen.engines import engine_facts, engine_start
from chartgen.engines.arguments import flag, normal
from chartgen.engines.problem import TOO_DEEP
from chartgen.engines.vllm import speculative_config
from chartgen.findings import Finding
from chartgen.lint.rules import finding
from chartgen.spec.engine import VllmEngine
from chartgen.spec.load import LoadedSpec


def argument_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    """Yield the findings on `engine.args`."""
    arguments = loaded.spec.engine.args
    presets = engine_start(loaded.spec).presets
    json_flags = engine_facts(loaded.spec.engine.kind).json_flags
    seen: dict[str, str] = {}
    for key, value in arguments.items():
        place = loaded.place("engine", "args", key, key=True)
        name = normal(key)
        if name in seen:
            message = f"{flag(key)} is also given as {flag(seen[name])}"
            yield finding("argument-twice", place, message)
        seen.setdefault(name, key)
        head = name.partition(".")[0]
        if "." in name and head in {normal(other) for other in arguments}:
            message = f"{flag(key)} is also part of {flag(head)}"
            yield finding("argument-twice", place, message)
        if name in presets and value is not None:
            field = presets[name]
            remedy = f"Write `{field}` instead." if field else "Remove it; chartgen sets it."
            message = f"{flag(key)} is set by chartgen"
            yield finding("argument-preset", place, message, remedy)
        if name == "speculative-config" and _names_the_draft_twice(loaded):
            message = f"{flag(key)} names a model, and engine.draft does too"
            remedy = "Remove `model` from the argument; chartgen puts the draft model there."
            yield finding("argument-preset", place, message, remedy)
        if problem := _json_problem(value, name in json_flags):
            message = f"the value of {flag(key)} is no JSON: {problem}"
            yield finding("argument-json", loaded.place("engine", "args", key), message)


def _names_the_draft_twice(loaded: LoadedSpec) -> bool:
    engine = loaded.spec.engine
    if not isinstance(engine, VllmEngine) or engine.draft is None:
        return False
    return "model" in (speculative_config(engine) or {})


def _json_problem(value: object, wants_object: bool) -> str:
    """Return what is wrong with a value that must be, or looks like, JSON; else nothing."""
    if isinstance(value, str):
        stripped = value.strip()
        looks_like_json = stripped.startswith(("{", '["', "[{"))
        template = stripped.startswith(("{{", "{%"))
        if not wants_object and (template or not looks_like_json):
            return ""
        if stripped[:1] == stripped[-1:] == "'" and len(stripped) > 1:
            return "it stands between quotes that no shell removes"
        try:
            value = json.loads(stripped)
        except RecursionError:
            return TOO_DEEP
        except ValueError as error:
            return str(error)
    if wants_object and value is not None and not isinstance(value, (Mapping, list)):
        return "an object is wanted"
    return ""
