"""Types of JSON values as Go decodes them into a struct, and what does not fit them.

`null` fits every type and leaves it empty; unknown fields are ignored; a number with a fraction
or an exponent is no integer (encoding/json of Go).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chartgen.market.device.faults import shown

_INT64 = range(-(2**63), 2**63)
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
NANO_DIGITS = 9
# A list of 10,000 apps has some three million values. Each takes up to 70 bytes in memory, even
# where it takes three in the answer.
MAX_VALUES = 10_000_000


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that does not fit; `at` is its path."""

    at: str
    value: Any
    wanted: str

    def __str__(self) -> str:
        return f"the value is {shown(self.value)}, and {self.wanted} is wanted"


class Wire(Protocol):
    """A type."""

    def misfits(self, value: Any, at: str = "", /) -> Iterator[Misfit]:
        """Yield what does not fit, one by one."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parts."""

    wanted: str
    fits: Callable[[Any], bool]

    def misfits(self, value: Any, at: str = "") -> Iterator[Misfit]:
        """Yield the value if it does not fit."""
        if value is not None and not self.fits(value):
            yield Misfit(at, value, self.wanted)


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one type."""

    item: Wire

    def misfits(self, value: Any, at: str = "") -> Iterator[Misfit]:
        """Yield what does not fit."""
        if value is None:
            return
        if not isinstance(value, list):
            yield Misfit(at, value, "a list")
            return
        for index, inner in enumerate(value):
            yield from self.item.misfits(inner, f"{at}[{index}]")


@dataclass(frozen=True, slots=True)
class MapOf:
    """A map from texts to values of one type."""

    item: Wire

    def misfits(self, value: Any, at: str = "") -> Iterator[Misfit]:
        """Yield what does not fit."""
        if value is None:
            return
        if not isinstance(value, dict):
            yield Misfit(at, value, "a map")
            return
        for key, inner in value.items():
            yield from self.item.misfits(inner, _joined(at, key))


@dataclass(frozen=True, slots=True)
class Struct:
    """A map with known fields; any of them may be missing."""

    fields: Mapping[str, Wire]

    def misfits(self, value: Any, at: str = "") -> Iterator[Misfit]:
        """Yield what does not fit."""
        if value is None:
            return
        if not isinstance(value, dict):
            yield Misfit(at, value, "a map")
            return
        for name, wire in self.fields.items():
            if name in value:
                yield from wire.misfits(value[name], _joined(at, name))


def _joined(at: str, key: str) -> str:
    return f"{at}.{key[:80]}" if at else key[:80]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _INT64


def is_rfc3339(value: Any) -> bool:
    """Tell whether a value is a time as Go's `time.Time` takes it."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(f"{value[:19]}+00:00")
    except ValueError:
        return False
    return True


def fraction_digits(time: str) -> int:
    """Return the number of fractional digits of a time in RFC 3339."""
    match = _RFC3339.fullmatch(time)
    return len(match["fraction"] or ".") - 1 if match else 0


STRING = Scalar("a text", lambda value: isinstance(value, str))
INTEGER = Scalar("a whole number", _is_integer)
NUMBER = Scalar("a number", _is_number)
BOOLEAN = Scalar("true or false", lambda value: isinstance(value, bool))
TIME = Scalar("a time in RFC 3339", is_rfc3339)
STRING_OR_MAP = Scalar("a text or a map", lambda value: isinstance(value, (str, dict)))
ANY = Scalar("anything", lambda _: True)
MAP = MapOf(ANY)
LIST = ListOf(ANY)
STRINGS = ListOf(STRING)


def parse_json(body: bytes) -> Any:
    """Return JSON as Go reads it: UTF-8 without a mark, no NaN, no infinity.

    Raises ValueError where it is none, is nested too deep, or may hold too many values.
    """
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise ValueError(f"it holds more than {MAX_VALUES:,} values")
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
