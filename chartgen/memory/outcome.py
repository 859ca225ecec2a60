"""Plan: what one app takes of one GPU, as a frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from chartgen.hardware import Hardware
from chartgen.memory.parts import Certainty, Part, Verdict


@dataclass(frozen=True, slots=True)
class Plan:
    """The memory plan of one app on one card; sizes are bytes, contexts tokens.

    `release_told_by` names what told the engine's release; where that is not exact, the arithmetic
    is that of the nearest one.

    `budget` is what the engine may use (`budget_by` tells why), `outside` what lies beyond it:
    driver, other processes, and what the settings leave unused. `parts` are inside the budget, the
    KV cache excepted. `kv_needed` is what one request of the full `context` needs by the engine's
    own arithmetic, `kv_available` what the parts leave for it, as certain as `available_certainty`
    says. `longest` is the longest context that fits, `requests` how many of the asked length run
    at once. `settings` are the arguments that decided, for people. `missing` names the numbers
    without which there is no verdict, `refusal` is why the engine would not start whatever the
    memory.
    """

    app: str
    engine: str
    release: str
    release_exact: bool
    release_told_by: str
    hardware: Hardware
    card: int
    budget: int
    budget_by: str
    outside: tuple[Part, ...]
    parts: tuple[Part, ...]
    context: int | None
    native_context: int | None
    kv_needed: int | None
    kv_available: int | None
    available_certainty: Certainty
    longest: int | None
    requests: float | None
    verdict: Verdict
    settings: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    refusal: str = ""
    notes: tuple[str, ...] = ()

    @property
    def spare(self) -> int | None:
        """What is left of the memory for the cache once one full request has its part."""
        if self.kv_needed is None or self.kv_available is None:
            return None
        return self.kv_available - self.kv_needed

    @property
    def taken(self) -> int:
        """What the app takes of the card in all, at least: parts, one full request, the driver."""
        inside = sum(part.size for part in self.parts)
        return inside + (self.kv_needed or 0)
