"""What can be said of the words of a command line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# What can be said of a word:
#   unknown           no option of this release has that spelling
#   value-missing     it takes a value and gets none
#   value-unexpected  it takes no value and gets one, or a word belongs to no option
#   value-type        the value has another type
#   value-choice      the value is none of the choices
#   value-range       the number is out of bounds
#   json-broken       the value is no JSON
#   json-key          the object has a key that this release does not know
#   json-value        a value in the object has the wrong type or is out of bounds
#   name-unknown      parsed, but the server knows no parser, backend, … of that name
#   requires          parsed, but it needs another option beside it
#   removed           parsed only to say that it is gone
#   ignored           the object has a key that this release does not know and does not mind
#   abbreviation      a beginning of a longer spelling, which only argparse understands
#   misread           parsed, but as something else than it looks (llama.cpp reads 128k as 128)
#   repeated          given before: the last one counts
#   deprecated        still valid
Kind = Literal[
    "unknown",
    "value-missing",
    "value-unexpected",
    "value-type",
    "value-choice",
    "value-range",
    "json-broken",
    "json-key",
    "json-value",
    "name-unknown",
    "requires",
    "removed",
    "abbreviation",
    "ignored",
    "misread",
    "repeated",
    "deprecated",
]
# Said of JSON that no reader follows to its end.
TOO_DEEP = "it is nested too deeply"
# Kinds with which the engine starts all the same.
NOTES: frozenset[Kind] = frozenset({"abbreviation", "ignored", "misread", "repeated", "deprecated"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to say of a command line.

    `spelling` is the option as it was given, `value` the word or JSON value in question, `detail`
    what was expected instead (for JSON: with `path`, the dotted place in the object), `nearest` the
    most similar known spelling or name, `successor` what took its place.
    """

    kind: Kind
    spelling: str
    value: str = ""
    detail: str = ""
    path: str = ""
    nearest: str = ""
    successor: str = ""

    @property
    def refused(self) -> bool:
        """Tell whether the engine does not start with it."""
        return self.kind not in NOTES


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the most similar spelling or name in any case, empty where none is similar."""
    in_lower = {word.lower(): word for word in reversed(known)}
    found = difflib.get_close_matches(name.lower(), list(in_lower)[::-1], n=1, cutoff=0.6)
    return in_lower[found[0]] if found else ""
