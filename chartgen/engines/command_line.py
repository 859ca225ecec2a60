"""Judging the words of a command line as the engine's own parser would.

Follows argparse of Python 3.11 and 3.12 (`_parse_known_args`, `_get_values`), vLLM's
FlexibleArgumentParser (vllm 0.21.0, utils/argparse_utils.py) and what the server checks before it
loads a model. tests/engines/verdicts-*.json hold the real parsers' verdicts.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chartgen.engines.argument_value import NOTHING, Refused, read_value
from chartgen.engines.flexible_words import MissingValue, rewritten
from chartgen.engines.json_value import mismatches, out_of_bounds, value_mismatches
from chartgen.engines.llamacpp_words import judge_words
from chartgen.engines.problem import NOTES, Kind, Problem, nearest
from chartgen.engines.table import EngineTable, Option

__all__ = ["NOTES", "Kind", "Problem", "judge"]

# Subjects whose names are looked up in any case (vllm 0.21.0, config/attention.py:
# `AttentionBackendEnum[value.upper()]`; config/load.py and config/model.py lower theirs).
ANY_CASE = frozenset({"attention-backend", "load-format", "quantization"})
NUMBERS = frozenset({"int", "float", "human-int", "human-int-auto"})


def judge(table: EngineTable, words: Sequence[str]) -> tuple[Problem, ...]:
    """Return all that is to be said of the words after `vllm serve`, the model's name first.

    For engines without subcommands: of the words after the program's name.
    """
    if table.syntax == "llamacpp":
        return tuple(judge_words(table, words))
    return tuple(_argparse(table, words))


@dataclass(frozen=True, slots=True)
class _Given:
    """An option as it was spelt, with the words it got."""

    option: Option
    spelling: str
    words: tuple[str, ...]


def _argparse(table: EngineTable, words: Sequence[str]) -> Iterator[Problem]:
    flexible = table.syntax == "vllm"
    problems: list[Problem] = []
    if flexible:
        try:
            words = rewritten(table, words)
        except MissingValue as missing:
            spelling = str(missing)
            yield Problem("value-missing", spelling, detail="a value")
            return
    given = _matched(table, words, problems, flexible=flexible)
    yield from problems
    seen: dict[str, str] = {}
    values: dict[str, Any] = {}
    for item in given:
        option = item.option
        earlier = seen.get(option.name)
        if earlier is not None and not option.appends:
            yield Problem("repeated", item.spelling, detail=earlier)
        seen[option.name] = item.spelling
        yield from _old(table, item)
        value = yield from _values(table, item)
        values[option.name] = value
    yield from _together(table, seen, values)


def _old(table: EngineTable, item: _Given) -> Iterator[Problem]:
    if item.option.state == "current":
        return
    kind: Kind = "removed" if item.option.state == "removed" else "deprecated"
    successor = item.option.replaced_by or _successor(table, item.option.name)
    yield Problem(kind, item.spelling, successor=successor)


def _successor(table: EngineTable, name: str) -> str:
    found: str = table.successors.get("option", {}).get(f"--{name}", "")
    return found


def _matched(
    table: EngineTable, words: Sequence[str], problems: list[Problem], *, flexible: bool
) -> list[_Given]:
    """Return the options with their words, and add what argparse would refuse."""
    given: list[_Given] = []
    # The model may stand anywhere in newer argparse; SGLang takes no word of its own.
    free = 1 if flexible else 0
    at = 0
    only_words = False
    after_unknown = False
    while at < len(words):
        word = words[at]
        at += 1
        if only_words or not _is_option(table, word):
            if word == "--" and not only_words:
                only_words = True
            elif free:
                free -= 1
            elif not after_unknown:
                problems.append(Problem("value-unexpected", "", word, "no further word"))
            continue
        option, spelling, explicit = _found(table, word, problems)
        after_unknown = option is None
        if option is None:
            continue
        end = at
        while end < len(words) and (option.most is None or end - at < option.most):
            if words[end] == "--" or _is_option(table, words[end]):
                break
            end += 1
        if explicit is not None:
            # With "=" an option gets exactly that word, however many it may take.
            if option.most == 0:
                problems.append(Problem("value-unexpected", spelling, explicit, "no value"))
            elif option.least > 1:
                problems.append(_missing(option, spelling))
            else:
                given.append(_Given(option, spelling, (explicit,)))
            continue
        if end - at < option.least:
            problems.append(_missing(option, spelling))
            at = end
            continue
        given.append(_Given(option, spelling, tuple(words[at:end])))
        at = end
    return given


def _missing(option: Option, spelling: str) -> Problem:
    count = "a value" if option.least == 1 else f"{option.least} values"
    return Problem("value-missing", spelling, detail=count)


def _is_option(table: EngineTable, word: str) -> bool:
    """Tell whether argparse takes a word for an option (`_parse_optional`)."""
    if len(word) < 2 or word[0] != "-" or word == "--":
        return False
    if word in table.options or word.partition("=")[0] in table.options:
        return True
    if _number(word):
        return False
    return " " not in word or bool(_longer(table, word.partition("=")[0]))


def _number(word: str) -> bool:
    """Tell whether a word looks like a negative number (argparse: `^-\\d+$|^-\\d*\\.\\d+$`)."""
    whole, point, rest = word[1:].partition(".")
    if point:
        return rest.isdigit() and (whole == "" or whole.isdigit())
    return whole.isdigit()


def _found(
    table: EngineTable, word: str, problems: list[Problem]
) -> tuple[Option | None, str, str | None]:
    """Return the option of a word, its spelling, and the value after `=`."""
    if word in table.options:
        return table.options[word], word, None
    name, equals, rest = word.partition("=")
    explicit = rest if equals else None
    if equals and name in table.options:
        return table.options[name], name, explicit
    longer = _longer(table, name)
    if not name.startswith("--") and (short := table.options.get(name[:2])) is not None:
        # A value glued to a short option: -qawq.
        return short, name[:2], word[2:]
    if len(longer) == 1:
        problems.append(Problem("abbreviation", name, nearest=longer[0]))
        return table.options[longer[0]], longer[0], explicit
    if longer:
        problems.append(
            Problem(
                "unknown",
                name,
                explicit or "",
                "ambiguous",
                nearest=nearest(name, sorted(table.options)),
            )
        )
    else:
        similar = nearest(name, sorted(table.options))
        successor = _successor(table, name.lstrip("-"))
        problems.append(
            Problem("unknown", name, explicit or "", nearest=similar, successor=successor)
        )
    return None, name, explicit


def _longer(table: EngineTable, name: str) -> list[str]:
    """Return the spellings that begin with a word."""
    return [spelling for spelling in table.options if spelling.startswith(name)]


def _values(table: EngineTable, item: _Given) -> Generator[Problem, None, Any]:
    """Yield what is wrong with the words of an option, and return its last value."""
    option = item.option
    if option.most == 0:
        return item.spelling not in option.negations
    read: list[Any] = []
    for word in item.words:
        try:
            value = read_value(table, option, word)
        except Refused as refused:
            yield Problem(refused.kind, item.spelling, word, refused.detail)
            continue
        read.append(value)
        if option.nullable and word in ("", "None"):
            continue
        yield from _choice(item, word, value)
        # JSON's null for an argument that may be absent: as if it were not there.
        if option.schema and not (value is None and option.nullable and option.value == "json"):
            yield from _object(table, item, value)
        yield from _name(table, item, word, value)
    if read and len(read) == len(item.words) and option.limits:
        yield from _limits(table, item, read if option.most is None else read[-1])
    return read[-1] if read else NOTHING


def _choice(item: _Given, word: str, value: Any) -> Iterator[Problem]:
    option = item.option
    given = [value] if option.value != "list" else str(value).split(",")
    for text in map(str, given):
        if option.choices and text not in option.choices:
            similar = nearest(text, option.choices)
            detail = "one of " + ", ".join(option.choices)
            yield Problem("value-choice", item.spelling, word, detail, nearest=similar)


def _limits(table: EngineTable, item: _Given, value: Any) -> Iterator[Problem]:
    """Yield what the server will not take of a value that the parser took."""
    option = item.option
    if value is None and option.nullable:
        return
    if option.value in NUMBERS:
        for number in value if isinstance(value, list) else [value]:
            broken = out_of_bounds(option.limits, number)
            if broken:
                yield Problem("value-range", item.spelling, str(number), broken)
        return
    for wrong in value_mismatches(table.schemas, option.limits, value):
        kind: Kind = "value-choice" if option.value == "text" else wrong.kind
        yield Problem(kind, item.spelling, item.words[-1], wrong.detail, wrong.path)


def _object(table: EngineTable, item: _Given, value: Any) -> Iterator[Problem]:
    for wrong in mismatches(table.schemas, item.option.schema, value):
        shown = wrong.value if isinstance(wrong.value, str) else json.dumps(wrong.value)
        wanted = wrong.path.rpartition(".")[2] if wrong.kind != "json-value" else str(wrong.value)
        yield Problem(
            wrong.kind,
            item.spelling,
            shown,
            wrong.detail,
            wrong.path,
            nearest=nearest(wanted, wrong.known),
        )
    method = value.get("method") if isinstance(value, Mapping) else None
    successor = table.successors.get("speculative-method", {}).get(method or "", "")
    if item.option.schema == "SpeculativeConfig" and successor:
        yield Problem("deprecated", item.spelling, str(method), path="method", successor=successor)


def _name(table: EngineTable, item: _Given, word: str, value: Any) -> Iterator[Problem]:
    """Yield a name that the server will not find; the tool parser's is asked for separately."""
    subject = item.option.names
    known = table.names.get(subject)
    if not known or not isinstance(value, str) or value == "" or subject == "tool-call-parser":
        return
    in_lower = {name.lower() if subject in ANY_CASE else name: name for name in sorted(known)}
    wanted = value.lower() if subject in ANY_CASE else value
    if wanted in in_lower:
        return
    successor = table.successors.get(subject, {}).get(value, "")
    # `triton` is short for TRITON_ATTN and as near to TRITON_MLA.
    whole = wanted + "_attn"
    similar = in_lower.get(whole if whole in in_lower else nearest(wanted, list(in_lower)), "")
    yield Problem("name-unknown", item.spelling, word, subject, "", similar, successor)


def _together(
    table: EngineTable, seen: Mapping[str, str], values: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield what only the options together tell."""
    for name, other in table.requires.items():
        if values.get(name) is True and not values.get(other):
            yield Problem("requires", seen[name], detail=f"--{other}")
    # The server looks the tool parser up only with automatic tool choice (api_server.py).
    parser = values.get("tool-call-parser")
    known = table.names.get("tool-call-parser")
    asked = values.get("enable-auto-tool-choice") is True and "tool-parser-plugin" not in values
    if asked and parser and known and parser not in known:
        similar = nearest(parser, sorted(known))
        spelling = seen["tool-call-parser"]
        yield Problem("name-unknown", spelling, parser, "tool-call-parser", "", similar)
