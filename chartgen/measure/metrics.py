"""What an engine's /metrics says of drafted tokens, in the text format of Prometheus.

Names: vllm/v1/spec_decode/metrics.py of vLLM 0.21.0 (the same in 0.33.0), tools/server of
llama.cpp b11434. They are there only where speculative decoding is on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

# A sample: name, labels (whose values may hold anything, quotes and braces escaped or not), value;
# a time stamp may follow.
_SAMPLE = re.compile(
    r'(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})?[ \t]+(?P<value>\S+)'
)
_DRAFTED = ("vllm:spec_decode_num_draft_tokens", "llamacpp:spec_decode_num_draft_tokens")
_ACCEPTED = ("vllm:spec_decode_num_accepted_tokens", "llamacpp:spec_decode_num_accepted_tokens")
# More than any engine has ever drafted; beyond it a float no longer tells single tokens apart.
_MOST_TOKENS = 1e15
_RUNNING = ("vllm:num_requests_running", "llamacpp:requests_processing")


@dataclass(frozen=True, slots=True)
class Drafts:
    """Tokens that were drafted, and how many of them were accepted."""

    drafted: int
    accepted: int

    @property
    def acceptance(self) -> float | None:
        """Return the share that was accepted, 0 to 1; None where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else None


def samples(text: str) -> Iterator[tuple[str, float]]:
    """Yield name and value of each sample; what is no sample is passed over."""
    for line in text.splitlines():
        found = _SAMPLE.match(line)
        if found is not None:
            try:
                value = float(found["value"])
            except ValueError:
                continue
            if math.isfinite(value):
                yield found["name"], value


def draft_counters(text: str) -> Drafts | None:
    """Return the counters since the engine's start, summed over its replicas and models.

    None where the engine counts no drafts. The times at which counters were made (`…_created`)
    and the counts by position have other names and are not taken.
    """
    drafted, accepted = _sum(text, _DRAFTED), _sum(text, _ACCEPTED)
    if drafted is None or accepted is None or max(drafted, accepted) > _MOST_TOKENS:
        return None
    return Drafts(int(drafted), int(accepted))


def drafts_between(before: Drafts | None, after: Drafts | None) -> Drafts | None:
    """Return what was drafted between two readings.

    None where one is missing or where counters went back, which tells that the engine was started
    anew in between.
    """
    if before is None or after is None:
        return None
    drafted, accepted = after.drafted - before.drafted, after.accepted - before.accepted
    return Drafts(drafted, accepted) if 0 <= accepted <= drafted else None


def running_requests(text: str) -> int | None:
    """Return how many requests the engine works on, None where it does not say."""
    found = _sum(text, _RUNNING)
    return None if found is None else int(found)


def _sum(text: str, names: tuple[str, ...]) -> float | None:
    wanted = {*names, *(f"{name}_total" for name in names)}
    found = [value for name, value in samples(text) if name in wanted]
    return sum(found) if found else None
