"""Judging a command line and the environment as llama.cpp's own parser would.

Follows common_params_parse_ex of llama.cpp (b8000 to b11434, common/arg.cpp): no `=`, no
abbreviations, the word behind an option is its value whatever it looks like, and `_` means `-` in
words that begin with two dashes. tests/engines/verdicts-llamacpp-b11434.json holds verdicts of
the program itself.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from chartgen.engines.json_value import out_of_bounds
from chartgen.engines.problem import TOO_DEEP, Kind, Problem, nearest
from chartgen.engines.table import EngineTable, Option, later_successor

# common_arg_utils::is_truthy and is_falsey.
YES = frozenset({"on", "enabled", "true", "1"})
NO = frozenset({"off", "disabled", "false", "0"})
# std::stoi reads an int; other widths stand as `limits` in the table.
INT = {"minimum": -(2**31), "maximum": 2**31 - 1}
_WHOLE = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)")
_REAL = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?"
    r"|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan(?:\([A-Za-z0-9_]*\))?))",
    re.IGNORECASE | re.ASCII,
)
# FLT_MIN: strtof reports anything between zero and it as out of range.
_SMALLEST = struct.unpack("<f", b"\x00\x00\x80\x00")[0]


def judge_words(table: EngineTable, words: Sequence[str]) -> Iterator[Problem]:
    """Yield all that is to be said of the words after the program's name."""
    seen: dict[str, str] = {}
    at = 0
    after_unknown = False
    while at < len(words):
        word = words[at]
        at += 1
        if after_unknown and not word.startswith("-"):
            continue  # most likely the value of the unknown option
        name = word.replace("_", "-") if word.startswith("--") else word
        option = table.options.get(name)
        after_unknown = option is None
        if option is None:
            yield _unknown(table, word, name)
            continue
        earlier = seen.get(option.name)
        if earlier is not None and not option.appends:
            yield Problem("repeated", word, detail=earlier)
        seen[option.name] = word
        count = 0 if name in option.negations else option.least
        values = words[at : at + count]
        at += count
        if len(values) < count:
            wanted = "a value" if count == 1 else f"{count} values"
            yield Problem("value-missing", word, detail=wanted)
            continue
        yield from _old(table, option, name)
        for value in values:
            yield from _value(table, option, word, value)


def judge_variables(table: EngineTable, variables: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with the values of variables that stand for options.

    `spelling` is the variable's name. Names that this build does not read are not judged.
    """
    by_env: dict[str, Option] = {}
    for option in table.options.values():
        if option.env:
            by_env[option.env] = option
    for name in sorted(variables):
        found = by_env.get(name)
        if found is None or found.least > 1:
            continue
        value = variables[name]
        if found.value == "none":
            if value in YES:
                yield from _old(table, found, name)
            elif value not in NO:
                yield Problem("misread", name, value, "not set; only on, enabled, true and 1 are")
        elif found.value == "switch":
            # LLAMA_ARG_NO_X wins over LLAMA_ARG_X, which then is not read.
            negative = name.replace("LLAMA_ARG_", "LLAMA_ARG_NO_")
            if negative not in variables and value not in YES | NO:
                yield Problem("value-choice", name, value, "one of on, off, true, false, 1, 0")
        else:
            yield from _old(table, found, name)
            yield from _value(table, found, name, value)


def _unknown(table: EngineTable, word: str, name: str) -> Problem:
    if not name.startswith("-"):
        return Problem("value-unexpected", "", word, "no further word")
    bare, equals, _ = name.partition("=")
    if equals and bare in table.options:
        return Problem("unknown", word, detail="no value behind =", successor=f"{bare} VALUE")
    successor = table.successors.get("option", {}).get(name, "")
    return Problem(
        "unknown", word, nearest=nearest(bare, sorted(table.options)), successor=successor
    )


def _old(table: EngineTable, option: Option, spelling: str) -> Iterator[Problem]:
    if option.state != "current":
        kind: Kind = "removed" if option.state == "removed" else "deprecated"
        # What a build recommends for --no-mmap is what it recommends for --mmap.
        negated = spelling in option.negations
        successor = later_successor(table.kind, spelling) if negated else option.replaced_by
        yield Problem(kind, spelling, successor=successor)


def _value(table: EngineTable, option: Option, spelling: str, value: str) -> Iterator[Problem]:
    """Yield what is wrong with one value, and where it is read otherwise than it looks."""
    match option.value:
        case "int":
            yield from _whole(option, spelling, value)
        case "int-or-word":
            if value not in option.choices:
                yield from _whole(option, spelling, value, option.choices)
        case "float":
            yield from _real(option, spelling, value)
        case "json":
            yield from _json(spelling, value)
        case "list":
            for item in value.split(","):
                yield from _choice(table, option, spelling, item)
                if item == "none":
                    break
        case _:
            if option.choices:
                yield from _choice(table, option, spelling, value)
            elif value in table.options:
                detail = f"{value} as the value of {spelling}"
                yield Problem("misread", spelling, value, detail)


def _whole(
    option: Option, spelling: str, value: str, words: Sequence[str] = ()
) -> Iterator[Problem]:
    """Follow std::stoi, which stops at the first character that is no digit."""
    match = _WHOLE.match(value)
    if match is None:
        wanted = " or ".join(["a whole number", *words])
        yield Problem("value-type", spelling, value, wanted)
        return
    number = int(match[1])
    bounds = {**INT, **option.limits}
    broken = out_of_bounds(bounds, number)
    if "not" in option.limits and number == option.limits["not"]["const"]:
        broken = f"anything but {number}"
    if broken:
        yield Problem("value-range", spelling, value, broken)
    elif value[match.end() :]:
        yield Problem("misread", spelling, value, str(number))


def _real(option: Option, spelling: str, value: str) -> Iterator[Problem]:
    """Follow std::stof, which knows hexadecimal numbers, inf and nan."""
    match = _REAL.match(value)
    if match is None:
        yield Problem("value-type", spelling, value, "a number")
        return
    text = match[1].lower()
    number = float.fromhex(text) if "x" in text else float(text.partition("(")[0])
    infinite = "inf" in text or "nan" in text
    try:
        single = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        single = math.inf
    too_large = math.isinf(single) and not infinite
    too_small = number == 0 and re.search(r"[1-9a-f]", text.partition("p")[0]) is not None
    too_small = (too_small and "e" not in text) or 0 < abs(number) < _SMALLEST
    broken = "a number that fits a float" if too_large or too_small else ""
    broken = broken or out_of_bounds(option.limits, single)
    if broken:
        yield Problem("value-range", spelling, value, broken)
    elif value[match.end() :]:
        yield Problem("misread", spelling, value, match[1])


def _choice(table: EngineTable, option: Option, spelling: str, value: str) -> Iterator[Problem]:
    if value in option.choices:
        return
    detail = "one of " + ", ".join(option.choices)
    successor = table.successors.get(option.name, {}).get(value, "")
    similar = nearest(value, option.choices)
    yield Problem("value-choice", spelling, value, detail, nearest=similar, successor=successor)


def _json(spelling: str, value: str) -> Iterator[Problem]:
    try:
        json.loads(value, parse_constant=_no_constant)
    except RecursionError:
        yield Problem("json-broken", spelling, value, TOO_DEEP)
    except ValueError as problem:
        yield Problem("json-broken", spelling, value, str(problem))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
