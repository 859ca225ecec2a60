"""What an engine's own log says of its memory, to be kept as a measured value of a spec."""

from __future__ import annotations

import re

from chartgen.memory.inputs import Measured
from chartgen.memory.parts import GIB
from chartgen.quantity import parse_file_size

# vLLM 0.11 to 0.33: the line of a start that went well (v1/worker/gpu_worker.py), and the error of
# one that did not (v1/core/kv_cache_utils.py), whose wording changed in between.
_LINE = re.compile(r"Available KV cache memory: ([0-9]+(?:\.[0-9]+)?) GiB")
_ERROR = re.compile(r"available KV cache memory \(([0-9]+(?:\.[0-9]+)?) GiB\)")
_ESTIMATE = re.compile(r"estimated maximum model length is ([0-9]+)")


def measured_from_log(text: str) -> Measured | None:
    """Return what a log of vLLM says is left for the KV cache, None where it says nothing.

    The number is rounded to two digits; half of the last one is taken off, so that a plan never
    promises more than there was. Where the log also names the longest context, that says more.
    Of several starts in one log the last one counts.
    """
    found = [*_LINE.finditer(text), *_ERROR.finditer(text)]
    if not found:
        return None
    last = max(found, key=lambda match: match.start())
    estimate = _ESTIMATE.search(text, last.end())
    return Measured(
        _at_least(float(last[1])), f"the log: {last[0]}", int(estimate[1]) if estimate else 0
    )


def measured_from_field(text: str) -> Measured:
    """Return the value of a field such as `2.82GiB`; raises ValueError for anything else."""
    size = parse_file_size(text)
    rounded = re.fullmatch(r"([0-9]+\.[0-9]{2})\s*GiB", text.strip())
    return Measured(_at_least(float(rounded[1])) if rounded else size, f"measured: {text.strip()}")


def _at_least(gib: float) -> int:
    """Return the least number of bytes that is printed as this many GiB with two digits."""
    return max(0, round((gib - 0.005) * GIB) + 1)
