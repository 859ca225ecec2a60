"""JSON with one spelling: equal values give equal bytes, here and in the market's Worker.

Keys are sorted, nothing is padded, and characters stand as they are, but for halves of surrogate
pairs, which UTF-8 cannot hold: they are escaped, as ECMAScript's JSON.stringify does it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def json_text(value: Any) -> str:
    """Write plain data as JSON. Raises TypeError or ValueError for what JSON does not know."""
    text = json.dumps(
        value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def object_text(members: Iterable[tuple[str, str]]) -> str:
    """Write an object of which every value is JSON text already, in the order given."""
    return "{" + ",".join(f"{json_text(key)}:{text}" for key, text in members) + "}"


def list_text(items: Iterable[str]) -> str:
    """Write a list of which every item is JSON text already."""
    return "[" + ",".join(items) + "]"
