"""Reading the arguments that decide memory: by any of their spellings, and never refusing one.

What is wrong with a value is said by the checks on arguments; here an unreadable one counts as not
given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chartgen.engines.arguments import normal

# Suffixes of vLLM's human-readable integers (vllm 0.21.0, engine/arg_utils.py human_readable_int).
_FACTORS = {
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "K": 2**10,
    "M": 2**20,
    "G": 2**30,
    "T": 2**40,
}
# A number of tokens or bytes beyond this is a slip of the pen.
_MOST = 2.0**50
_ON = frozenset({"on", "true", "1", "yes", "enabled"})
_OFF = frozenset({"off", "false", "0", "no", "disabled"})


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of a spec by their main names; a switch is True or False."""

    values: Mapping[str, Any]

    @classmethod
    def of(cls, arguments: Mapping[str, Any], aliases: Mapping[str, str]) -> Given:
        """Return arguments under their main names; the last of several spellings wins.

        `aliases` maps other spellings, without dashes, to main names; one of the form `!name` sets
        the switch `name` to false.
        """
        values: dict[str, Any] = {}
        for key, value in arguments.items():
            if value is None:
                continue
            name = aliases.get(normal(key), normal(key))
            if name.startswith("!"):
                values[name[1:]] = not _switch(value, default=True)
            elif name.startswith("no-") and isinstance(value, bool):
                values[name[3:]] = not value
            else:
                values[name] = value
        return cls(values)

    def whole(self, name: str) -> int | None:
        """Return an integer, plain or with one of vLLM's suffixes."""
        return whole(self.values.get(name))

    def unread(
        self, names: Iterable[str], read: Callable[[str], int | float | None]
    ) -> Iterator[str]:
        """Yield those of some arguments, with dashes, that are given and cannot be read."""
        for name in names:
            if self.values.get(name) is not None and read(name) is None:
                yield f"--{name}"

    def count(self, name: str) -> int | None:
        """Return an integer of at least one."""
        found = self.whole(name)
        return found if found is not None and found > 0 else None

    def share(self, name: str) -> float | None:
        """Return a number above nothing, up to one."""
        value = self.values.get(name)
        if isinstance(value, bool):
            return None
        try:
            number = float(value) if value is not None else 0.0
        except (TypeError, ValueError, OverflowError):
            return None
        return number if 0 < number <= 1 else None

    def text(self, name: str) -> str:
        """Return a word, in lower case; nothing where none is given."""
        value = self.values.get(name)
        return value.strip().lower() if isinstance(value, str) else ""

    def switch(self, name: str, *, default: bool = False) -> bool:
        """Return a switch, from a bare flag, its negation or a word such as `on`."""
        return _switch(self.values.get(name), default=default)

    def item(self, name: str) -> Mapping[str, Any]:
        """Return an object, given as such, as JSON text, or key by key with dots."""
        value = self.values.get(name)
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                value = None
        found = dict(value) if isinstance(value, Mapping) else {}
        for key, inner in self.values.items():
            head, _, tail = key.partition(".")
            if tail and head == name:
                found[tail.replace("-", "_")] = inner
        return found


def whole(value: Any) -> int | None:
    """Return a value as an integer, None where it is none or larger than any memory."""
    if isinstance(value, bool) or value is None:
        return None
    factor = 1
    if isinstance(value, str) and value.strip():
        text = value.strip()
        factor = _FACTORS.get(text[-1], 1)
        value = text[:-1] if factor > 1 else text
    try:
        number = float(value) * factor
    except (TypeError, ValueError, OverflowError):
        return None
    if not abs(number) < _MOST:
        return None
    return int(number) if factor > 1 or number == int(number) else None


def _switch(value: Any, *, default: bool) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if value is not None else ""
    return word in _ON or (word not in _OFF and default)
