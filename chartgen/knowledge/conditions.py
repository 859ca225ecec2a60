"""Conditions of knowledge rules: a small language of comparisons, read from YAML.

A condition compares one subject (an argument, a variable, a fact of the model) with a value:

| written                  | holds where the subject is                                       |
|--------------------------|------------------------------------------------------------------|
| `fp8`, `4`, `true`       | that (text in any case)                                          |
| `[ngram, suffix]`        | one of these                                                     |
| `{not: ...}`             | given, and none of these                                         |
| `{given: false}`         | absent (`true`: given)                                           |
| `{above: 4}`             | a number above (`below`, `at-least`, `at-most` likewise)         |
| `{matches: pattern}`     | text that the regular expression matches as a whole              |
| `{holds: draft-mtp}`     | a list, or text with commas, one member of which is the word     |
| `{keys-beyond: [image]}` | an object, also as JSON text, with a key that is none of these    |

A value that begins with `=` names another subject, which is looked up first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Subjects = Mapping[str, Any]
"""What a spec says, by name: `kv-cache-dtype`, `speculative-config.method`, `model.family`."""


def holds(condition: Mapping[str, Any], subjects: Subjects) -> bool:
    """Tell whether all comparisons of a condition hold."""
    return all(_compares(wanted, name, subjects) for name, wanted in condition.items())


def _compares(wanted: Any, name: str, subjects: Subjects) -> bool:
    actual = subjects.get(name)
    if isinstance(wanted, Mapping):
        return all(
            _OPERATORS[operator](actual, _resolved(value, subjects))
            for operator, value in wanted.items()
        )
    return _is_one_of(actual, _resolved(wanted, subjects))


def _resolved(value: Any, subjects: Subjects) -> Any:
    if isinstance(value, list):
        return [_resolved(item, subjects) for item in value]
    if isinstance(value, str) and value.startswith("="):
        return subjects.get(value[1:])
    return value


def _is_one_of(actual: Any, wanted: Any) -> bool:
    options = wanted if isinstance(wanted, list) else [wanted]
    return actual is not None and any(_same(actual, option) for option in options)


def _same(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, bool) or isinstance(wanted, bool):
        return actual is wanted
    if isinstance(actual, str) and isinstance(wanted, str):
        return actual.casefold() == wanted.casefold()
    return bool(actual == wanted)


def _is_other(actual: Any, wanted: Any) -> bool:
    known = any(item is not None for item in (wanted if isinstance(wanted, list) else [wanted]))
    return actual is not None and known and not _is_one_of(actual, wanted)


def _is_given(actual: Any, wanted: Any) -> bool:
    return (actual is not None) is wanted


def _matches(actual: Any, wanted: Any) -> bool:
    return isinstance(actual, str) and re.fullmatch(wanted, actual, re.IGNORECASE) is not None


def _holds_word(actual: Any, wanted: Any) -> bool:
    members = actual.split(",") if isinstance(actual, str) else actual
    if not isinstance(members, (list, tuple)):
        return False
    words = [item.strip() if isinstance(item, str) else item for item in members]
    return any(_is_one_of(word, wanted) for word in words)


def _keys_beyond(actual: Any, wanted: Any) -> bool:
    if isinstance(actual, str):
        try:
            actual = json.loads(actual)
        except (ValueError, RecursionError):
            return False
    return isinstance(actual, Mapping) and not set(actual) <= set(wanted)


def _number(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def compared(actual: Any, wanted: Any) -> bool:
        numbers = [
            item
            for item in (actual, wanted)
            if isinstance(item, (int, float)) and not isinstance(item, bool)
        ]
        return len(numbers) == 2 and compare(numbers[0], numbers[1])

    return compared


_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "not": _is_other,
    "given": _is_given,
    "matches": _matches,
    "holds": _holds_word,
    "keys-beyond": _keys_beyond,
    "above": _number(lambda actual, wanted: actual > wanted),
    "below": _number(lambda actual, wanted: actual < wanted),
    "at-least": _number(lambda actual, wanted: actual >= wanted),
    "at-most": _number(lambda actual, wanted: actual <= wanted),
}
OPERATORS = frozenset(_OPERATORS)
