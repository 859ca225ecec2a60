"""What an option of llama.cpp takes, by the declaration's handler.

The type of the handler's parameters tells the kind of value, its body the words and bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# The largest number of C++'s float.
FLOAT_MAX = 3.4028234663852886e38
# Words that common_arg_utils takes for yes, no and automatic; the one to write comes first.
YES, NO, AUTO = (
    ("on", "enabled", "true", "1"),
    ("off", "disabled", "false", "0"),
    ("auto", "-1"),
)


@dataclass(slots=True)
class Declared:
    """One `add_opt` call that the server takes part in."""

    spellings: list[str]
    negations: list[str]
    hints: int
    help: str
    takes: list[str]
    body: str
    texts: list[str]
    env: str


@dataclass(slots=True)
class Tables:
    """What the rest of a build's source says about values."""

    kv_types: list[str] = field(default_factory=list)
    spec_types: list[str] = field(default_factory=list)
    reasoning_formats: list[str] = field(default_factory=list)
    architectures: list[str] = field(default_factory=list)
    chat_templates: list[str] = field(default_factory=list)
    env: set[str] = field(default_factory=set)


def option(declared: Declared, values: Tables) -> tuple[str, dict[str, Any]]:
    """Return the main spelling of an option, and its fields for the table."""
    long = [spelling for spelling in declared.spellings if spelling.startswith("--")]
    name = (long or declared.spellings)[0].lstrip("-")
    fields: dict[str, Any] = {}
    if declared.spellings != [f"--{name}"]:
        fields["spellings"] = declared.spellings
    if declared.negations:
        fields["negations"] = declared.negations
    fields |= _value(declared, values)
    if _appends(declared.body):
        fields["appends"] = True
    if "arg_removed" in declared.body:
        fields["state"] = "removed"
        fields["replaced_by"] = _successor(declared)
    elif "DEPRECATED" in declared.help or "is deprecated" in declared.help or _warns(declared):
        fields["state"] = "deprecated"
        if successor := _successor(declared):
            fields["replaced_by"] = successor
    if declared.env:
        fields["env"] = declared.env
    return name, fields


def _value(declared: Declared, values: Tables) -> dict[str, Any]:
    """Return what an option takes."""
    body = declared.body
    if declared.takes == []:
        return {"value": "none"}
    if declared.takes == ["bool"]:
        return {"value": "switch"}
    if declared.takes == ["int"]:
        return {"value": "int"} | _limits(body)
    if len(declared.takes) == 2:
        number = body.count("std :: stoi (") == 2
        return {"value": "int" if number else "text", "least": 2, "most": 2}
    if "kv_cache_type_from_str" in body:
        return {"choices": values.kv_types}
    if "common_speculative_types_from_names" in body or "parse_speculative_types" in body:
        return {"value": "list", "choices": values.spec_types}
    if "common_reasoning_format_from_name" in body:
        return {"choices": values.reasoning_formats}
    if "json :: parse ( value )" in body:
        return {"value": "json"}
    words = _compared(body)
    if words and "else { throw" in body:
        return {"choices": words}
    if words and "std :: stoi ( value )" in body:
        return {"value": "int-or-word", "choices": words}
    if re.search(r"std :: (stoul|stoull) \( value \)", body):
        # A minus is taken too, and wraps around.
        return {"value": "int", "limits": {"minimum": 1 - 2**64, "maximum": 2**64 - 1}}
    if "std :: stoi ( value )" in body:
        return {"value": "int"} | _limits(body)
    if re.search(r"std :: (stof|stod) \( (value|text)\b", body) and "string_split" not in body:
        return {"value": "float"} | _finite(body)
    return {}


def _finite(body: str) -> dict[str, Any]:
    """Return the bounds of a number that must be finite, in some cases above zero."""
    if "isfinite" not in body:
        return {}
    above = {"exclusiveMinimum": 0} if "<= 0.0f" in body else {"minimum": -FLOAT_MAX}
    return {"limits": above | {"maximum": FLOAT_MAX}}


def _compared(body: str) -> list[str]:
    """Return the words that a handler compares its value with, in its order."""
    words = re.findall(r'value == "([^"]*)"', body)
    for helper, accepted in (("is_truthy", YES), ("is_falsey", NO), ("is_autoy", AUTO)):
        if f"{helper} ( value )" in body:
            words.extend(accepted)
    preferred = [group[0] for group in (YES, NO, AUTO) if group[0] in words]
    return preferred + [word for word in words if word not in preferred and word]


def _limits(body: str) -> dict[str, Any]:
    """Return the bounds of a number that a handler throws at, as JSON Schema writes them."""
    match = re.search(r"if \( ([^{]*?) \) \{ throw", body)
    limits: dict[str, Any] = {}
    if match is None:
        return {}
    named = {"GGML_SCHED_PRIO_LOW": -1, "GGML_SCHED_PRIO_REALTIME": 3}
    for test in match[1].split(" || "):
        comparison = re.fullmatch(r"\w+ (<=|>=|<|>|==) (- )?(\w+)", test)
        if comparison is None:
            return {}
        sign, minus, text = comparison.groups()
        number = named[text] if text in named else int(text) * (-1 if minus else 1)
        if sign == "==":
            limits["not"] = {"const": number}
        else:
            key = {
                "<": "minimum",
                ">": "maximum",
                "<=": "exclusiveMinimum",
                ">=": "exclusiveMaximum",
            }
            limits[key[sign]] = number
    return {"limits": limits} if limits else {}


def _warns(declared: Declared) -> bool:
    """Tell whether the handler logs that this very option (not a part of its value) is old."""
    starts = tuple(f"DEPRECATED: {spelling}" for spelling in declared.spellings)
    return any(text.startswith(starts) for text in declared.texts)


def _appends(body: str) -> bool:
    """Tell whether a second value is added to the first one."""
    adds = re.search(r"push_back|emplace_back|\. insert \(", body) is not None
    replaces = ". clear ( )" in body and "static bool" not in body
    return adds and not replaces and "tensor_buft_overrides" not in body


def _successor(declared: Declared) -> str:
    """Return the options that a text says to use instead, with their dashes."""
    text = " ".join([declared.help, *declared.texts])
    own = {*declared.spellings, *declared.negations}
    if said := re.search(r"use (--[a-z-]+ [a-z]+) instead", text):
        return said[1]
    flags = re.findall(r"--[a-z][a-z0-9*-]*[a-z0-9*]", text.partition("use ")[2])
    return " or ".join(dict.fromkeys(flag for flag in flags if flag not in own))


def variables(declared: Declared) -> list[str]:
    """Return the variables that set an option; switches have a second, negative one."""
    if not declared.env:
        return []
    negative = declared.env.replace("LLAMA_ARG_", "LLAMA_ARG_NO_")
    return [declared.env, negative] if declared.negations else [declared.env]
