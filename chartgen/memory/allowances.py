"""Allowances: what cannot be known before a run, each with its source, from `allowances.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from chartgen.memory.parts import MIB, Part
from chartgen.resources import shipped_data


@cache
def allowance_data() -> Mapping[str, Any]:
    """Return all allowances by engine and name."""
    data: dict[str, Any] = shipped_data("chartgen.memory", "allowances.yaml")
    return data


def allowance(name: str, facts: Mapping[str, Any], size: float | None = None) -> Part:
    """Return an allowance as a part of a plan; without `size` (bytes) it has a fixed one."""
    amount = facts["mib"] * MIB if size is None else size
    source = " ".join(str(facts["source"]).split())
    return Part(name, facts["title"], round(amount), "allowance", source)
