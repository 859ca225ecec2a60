"""A plan as text: a table of its parts, a bar, and grids, each at most as wide as asked.

Only values and strings; what prints them is the command line.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chartgen.engines.release import shown_release
from chartgen.memory.grid import Step
from chartgen.memory.outcome import Plan
from chartgen.memory.parts import GIB, Part, mib
from chartgen.memory.suggest import Suggestion

_TITLES = {"vllm": "vLLM", "llamacpp": "llama.cpp"}
# One letter per kind of segment where the terminal has no shades, and its shade where it has.
_SEGMENTS: dict[str, tuple[str, str]] = {
    "weights": ("W", "█"),
    "draft": ("D", "▓"),
    "mmproj": ("P", "▓"),
    "allowance": ("a", "▒"),
    "needed": ("K", "◆"),
    "spare": ("k", "◇"),
    "outside": (".", "·"),
}
_LEGEND = {
    "weights": "weights",
    "draft": "draft model",
    "mmproj": "projector",
    "allowance": "allowances",
    "needed": "KV cache needed",
    "spare": "KV cache spare",
    "outside": "outside",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the bar: its kind, a title, and bytes."""

    kind: str
    title: str
    size: int


def segments(plan: Plan) -> tuple[Segment, ...]:
    """Return the stretches of the card in order; together they are the card, or more than it."""
    found: list[Segment] = []
    for part in plan.parts:
        known = part.name in ("weights", "draft", "mmproj")
        found.append(Segment(part.name if known else "allowance", part.title, part.size))
    if plan.kv_needed is not None:
        found.append(Segment("needed", "KV cache, one full request", plan.kv_needed))
        spare = plan.spare or 0
        if spare > 0:
            found.append(Segment("spare", "KV cache, spare", spare))
    elif plan.kv_available is not None and plan.kv_available > 0:
        found.append(Segment("spare", "left for the KV cache", plan.kv_available))
    found += [Segment("outside", part.title, part.size) for part in plan.outside]
    return tuple(part for part in found if part.size > 0)


def rows(plan: Plan) -> Iterator[tuple[Part, bool]]:
    """Yield the parts in the order of the table, and whether each lies inside the budget."""
    for part in plan.parts:
        yield part, True
    if plan.kv_needed is not None:
        source = "the engine's own arithmetic, by release"
        yield Part("kv", "KV cache, one full request", plan.kv_needed, "exact", source), True
    for part in plan.outside:
        yield part, False


def plan_text(plan: Plan, *, width: int = 80, unicode: bool = False) -> str:
    """Return the whole plan as text."""
    lines = [*_head(plan, width)]
    if plan.parts:
        lines += ["", *_table(plan, width), "", *bar(plan, width=width, unicode=unicode)]
    lines += ["", *_result(plan, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(plan: Plan, width: int) -> Iterator[str]:
    release = shown_release(plan.engine, plan.release) or "of an unknown release"
    engine = f"{_TITLES.get(plan.engine, plan.engine)} {release}"
    yield from _wrapped(f"{plan.app} on {plan.hardware.title}, {engine}", width)
    if not plan.release_exact and plan.engine in _TITLES:
        told = f", as told by {plan.release_told_by}" if plan.release_told_by else ""
        yield from _wrapped(f"Planned like the nearest release that is known{told}.", width)
    settings = ", ".join(f"{name} {value}" for name, value in plan.settings)
    if settings:
        yield from _wrapped(settings[:1].upper() + settings[1:], width)


def _table(plan: Plan, width: int) -> Iterator[str]:
    numbers = 10
    first = max(12, width - numbers - 14)
    yield f"{'Part':<{first}}{'MiB':>{numbers}}  Certainty"
    for part, inside in rows(plan):
        if inside:
            yield _row(part.title, part.size, part.certainty, first, numbers)
    if plan.kv_available is not None and plan.kv_needed is not None:
        word = "spare" if plan.kv_available >= plan.kv_needed else "too little"
        size = plan.kv_available - plan.kv_needed
        yield _row(f"KV cache, {word}", size, plan.available_certainty, first, numbers)
    elif plan.kv_available is not None:
        title = "Left for the KV cache"
        yield _row(title, plan.kv_available, plan.available_certainty, first, numbers)
    yield _row(f"= {plan.budget_by}", plan.budget, "exact", first, numbers)
    for part, inside in rows(plan):
        if not inside:
            yield _row(part.title, part.size, part.certainty, first, numbers)
    yield _row("= card", plan.card, "", first, numbers)


def _row(title: str, size: int, word: str, first: int, numbers: int) -> str:
    title = title if len(title) < first else title[: first - 2] + "…"
    return f"{title:<{first}}{mib(size):>{numbers},}  {word}"


def bar(plan: Plan, *, width: int = 80, unicode: bool = False) -> list[str]:
    """Return a bar of the card and its legend; what does not fit sticks out behind a mark."""
    cells = max(20, width - 2)
    at = 1 if unicode else 0
    parts = segments(plan)
    whole = max(plan.card, sum(part.size for part in parts))
    text = ""
    done = 0
    for part in parts:
        done += part.size
        text += _SEGMENTS[part.kind][at] * (round(done * cells / whole) - len(text))
    text = text[:cells].ljust(cells)
    edge = round(plan.card * cells / whole)
    shown = f"[{text}]" if whole == plan.card else f"[{text[:edge]}|{text[edge + 1 :]}>"
    kinds = dict.fromkeys(part.kind for part in parts)
    # Bound by spaces that do not break: a sign stays beside its name.
    names = (f"{_SEGMENTS[kind][at]} {_LEGEND[kind]}".replace(" ", "\xa0") for kind in kinds)
    legend = textwrap.wrap("  ".join(names), width, break_long_words=False)
    return [shown, *(line.replace("\xa0", " ") for line in legend)]


def _result(plan: Plan, width: int) -> Iterator[str]:
    if plan.missing:
        yield from _wrapped(f"Unknown. Missing: {'; '.join(plan.missing)}.", width)
        models = [name.removeprefix("facts of ") for name in plan.missing if "facts of " in name]
        yield from ["Facts of a model are fetched by"] if models else []
        for repository, _, file in (model.partition(" ") for model in models):
            # Not wrapped: to be copied.
            yield f"  chartgen model fetch {repository}" + (f" --file {file}" if file else "")
        return
    if plan.refusal:
        yield from _wrapped(f"The engine does not start: {plan.refusal}", width)
    elif plan.kv_needed is not None and plan.kv_available is not None:
        text = (
            f"{plan.context:,} tokens need {plan.kv_needed / GIB:.2f} GiB of KV cache, "
            f"{max(0, plan.kv_available) / GIB:.2f} GiB are there: {plan.verdict}."
        )
        yield from _wrapped(text, width)
    if plan.longest is not None:
        native = plan.native_context
        beyond = native is not None and plan.longest >= native
        word = "the model's whole context" if beyond else "tokens"
        text = f"Longest context that fits: {plan.longest:,} ({word})."
        text = text if beyond else f"Longest context that fits: {plan.longest:,} tokens."
        if plan.requests is not None:
            text += f" Requests of full length at once: {plan.requests:.2f}."
        yield from _wrapped(text, width)
    for note in plan.notes:
        yield from _wrapped(f"Note: {note}.", width)


def sources_text(plan: Plan, *, width: int = 80) -> str:
    """Return where each number is from, one paragraph a part."""
    lines: list[str] = []
    for part, _ in rows(plan):
        lines += textwrap.wrap(
            f"{part.title} ({part.certainty}): {part.source}",
            width,
            subsequent_indent="  ",
            break_long_words=False,
        )
    return "\n".join(lines) + "\n"


def grid_rows(steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """Return the rows of a grid: what, value, needed, there, longest, at once, verdict."""
    found: list[tuple[str, ...]] = []
    for step in steps:
        plan = step.plan
        needed = "" if plan.kv_needed is None else f"{mib(plan.kv_needed):,}"
        there = "" if plan.kv_available is None else f"{mib(plan.kv_available):,}"
        longest = "" if plan.longest is None else f"{plan.longest:,}"
        once = "" if plan.requests is None else f"{plan.requests:.1f}"
        word = "refused" if plan.refusal else plan.verdict
        mark = "*" if step.asked else ""
        found.append((step.what, f"{step.value}{mark}", needed, there, longest, once, word))
    return found


GRID_HEAD = ("Change", "To", "KV needs", "has MiB", "Longest", "At once", "Verdict")
GRID_RIGHT = (1, 2, 3, 4, 5)


def suggestions_text(
    found: Sequence[Suggestion], context: int, *, fits: bool = True, width: int = 80
) -> str:
    """Return suggestions as text, each with its cost; `fits` says whether any was needed."""
    lines: list[str] = []
    for number, item in enumerate(found, 1):
        changes = ", ".join(f"{place}: {value}" for place, value in item.changes)
        lines += textwrap.wrap(
            f"{number}. {changes}",
            width,
            subsequent_indent="   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        verdict = f"{item.plan.verdict}, longest context {item.plan.longest or 0:,}"
        lines += textwrap.wrap(
            f"{item.cost} ({verdict})",
            width,
            initial_indent="   ",
            subsequent_indent="   ",
            break_long_words=False,
        )
    if not lines and not fits:
        return f"Nothing that chartgen can change makes a context of {context:,} fit.\n"
    if not lines:
        return f"Nothing has to change for a context of {context:,}.\n"
    return "\n".join([f"What would make a context of {context:,} fit:", *lines]) + "\n"


def notes_text(notes: Sequence[str], *, width: int = 80) -> str:
    """Return sentences as a list."""
    lines: list[str] = []
    for note in notes:
        lines += textwrap.wrap(
            note, width, initial_indent="- ", subsequent_indent="  ", break_long_words=False
        )
    return "\n".join(lines) + "\n"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False)
