"""A plan as JSON: sizes in bytes under names that say so, certainties as words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chartgen.memory.grid import Step
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import Part
from chartgen.memory.suggest import Suggestion


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as a JSON document."""
    return {
        "app": plan.app,
        "engine": plan.engine,
        "release": plan.release or None,
        "release_exact": plan.release_exact,
        "hardware": plan.hardware.name,
        "card_bytes": plan.card,
        "budget_bytes": plan.budget,
        "budget_by": plan.budget_by,
        "settings": dict(plan.settings),
        "parts": [_part(part, inside=True) for part in plan.parts]
        + [_part(part, inside=False) for part in plan.outside],
        "context": plan.context,
        "native_context": plan.native_context,
        "kv_needed_bytes": plan.kv_needed,
        "kv_available_bytes": plan.kv_available,
        "kv_available_certainty": plan.available_certainty,
        "spare_bytes": plan.spare,
        "longest_context": plan.longest,
        "requests_at_once": round(plan.requests, 3) if plan.requests is not None else None,
        "verdict": plan.verdict,
        "refusal": plan.refusal or None,
        "missing": list(plan.missing),
        "notes": list(plan.notes),
    }


def grid_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return a grid as a list of objects, without repeating whole plans."""
    return [
        {
            "change": step.what,
            "to": step.value,
            "asked": step.asked,
            "kv_needed_bytes": step.plan.kv_needed,
            "kv_available_bytes": step.plan.kv_available,
            "longest_context": step.plan.longest,
            "requests_at_once": (
                round(step.plan.requests, 3) if step.plan.requests is not None else None
            ),
            "verdict": step.plan.verdict,
            "refusal": step.plan.refusal or None,
        }
        for step in steps
    ]


def suggestions_json(found: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """Return suggestions as a list of objects."""
    return [
        {
            "changes": [{"where": place, "value": value} for place, value in item.changes],
            "cost": item.cost,
            "verdict": item.plan.verdict,
            "longest_context": item.plan.longest,
        }
        for item in found
    ]


def _part(part: Part, *, inside: bool) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "bytes": part.size,
        "certainty": part.certainty,
        "source": part.source,
        "inside_budget": inside,
    }
