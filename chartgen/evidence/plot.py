"""The runs of a series as bars: for a terminal, and as SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from chartgen.evidence.figures import rate_text
from chartgen.evidence.record import Run
from chartgen.evidence.statistics import summarise

# Eighths of a cell (Unicode, Block Elements).
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_LEAST_BAR = 8

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 240, 52, 12, 36, 34
# Colours that stay apart for colour-blind eyes (Okabe and Ito, 2008) on white and on black.
_FILLS = {"F": "#0072b2", "S": "#e69f00", "cold": "#999999", "": "#0072b2"}
_WORDS = {"F": "fast", "S": "slow", "cold": "cold", "": ""}
_FONT = 'font-family="sans-serif" font-size="12"'


def runs_text(runs: Sequence[Run], *, width: int, unicode: bool, labels: Sequence[str] = ()) -> str:
    """Return a line for each run: its label, tokens/s, a bar from zero on, its group.

    Without `labels` that is its number or `cold`; without `unicode` bars are made of `#`. Lines
    are at most `width` cells wide.
    """
    groups, labels = _groups(runs), labels or _labels(runs)
    rates = [run.tokens_per_second for run in runs]
    numbers = [rate_text(rate) for rate in rates]
    margin, column = max(map(len, labels), default=0), max(map(len, numbers), default=0)
    words = max((len(_WORDS[group]) for group in groups if group != "cold"), default=0)
    room = max(_LEAST_BAR, width - margin - column - words - 4)
    most = max(rates, default=0.0) or 1.0
    lines = []
    for label, rate, number, group in zip(labels, rates, numbers, groups, strict=True):
        bar = _bar(rate / most * room, unicode).ljust(room)
        word = "" if group == "cold" else _WORDS[group]
        lines.append(f"{label:>{margin}}  {number:>{column}} {bar} {word}".rstrip())
    return "".join(f"{line}\n" for line in lines)


def runs_svg(runs: Sequence[Run], title: str, *, labels: Sequence[str] = ()) -> str:
    """Return the runs as an SVG document: a bar for each in their order, from zero on."""
    return runs_figure(runs, title, document=True, labels=labels)


def runs_figure(
    runs: Sequence[Run], title: str, *, document: bool = False, labels: Sequence[str] = ()
) -> str:
    """Return the runs as an `<svg>` element, for a page or (`document`) as a file of its own.

    A file has a white ground; in a page texts have the page's colour. Without `labels` bars have
    their numbers, or `cold`.
    """
    groups, labels = _groups(runs), labels or _labels(runs)
    rates = [run.tokens_per_second for run in runs]
    most = max(rates, default=0.0) or 1.0
    name = ' xmlns="http://www.w3.org/2000/svg"' if document else ""
    ink = "#222222" if document else "currentColor"
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    drawn = [
        f'<svg{name} {size} role="img" {_FONT} fill="{ink}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_description(runs, groups))}</desc>",
    ]
    if document:
        drawn.append(f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>')
    drawn.append(f'<text x="{_LEFT}" y="20" font-weight="bold">{escape(title)}</text>')
    drawn += _axis(most, ink)
    step = (_WIDTH - _LEFT - _RIGHT) / max(1, len(rates))
    for at, (label, rate, group) in enumerate(zip(labels, rates, groups, strict=True)):
        drawn += _column(at, label, rate, group, most, step)
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _groups(runs: Sequence[Run]) -> list[str]:
    """Return `F`, `S`, `cold` or nothing for each run."""
    summary = summarise(runs)
    speeds = summary.speeds if summary is not None else None
    letters = iter(speeds.sequence if speeds is not None else "")
    return ["cold" if run.cold else next(letters, "") for run in runs]


def _labels(runs: Sequence[Run]) -> list[str]:
    """Return the number of each run that counts, from 1, and `cold` for the others."""
    numbers = iter(range(1, len(runs) + 1))
    return ["cold" if run.cold else str(next(numbers)) for run in runs]


def _bar(cells: float, unicode: bool) -> str:
    if not unicode:
        return "#" * round(cells)
    eighths = round(cells * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def _axis(most: float, ink: str) -> list[str]:
    bottom, top = _HEIGHT - _BOTTOM, _TOP + 8
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        drawn.append(
            f'<line x1="{_LEFT}" y1="{y:g}" x2="{_WIDTH - _RIGHT}" y2="{y:g}" stroke="{ink}" '
            f'stroke-opacity="{0.6 if share == 0 else 0.2:g}"/>'
        )
        label = rate_text(share * most)
        drawn.append(f'<text x="{_LEFT - 6}" y="{y + 4:g}" text-anchor="end">{label}</text>')
    drawn.append(f'<text x="{_LEFT}" y="{_HEIGHT - 4}">tokens/s, run by run</text>')
    return drawn


def _column(at: int, label: str, rate: float, group: str, most: float, step: float) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    height = (bottom - _TOP - 8) * rate / most
    left, width = _LEFT + step * (at + 0.15), step * 0.7
    name = "cold run" if group == "cold" else f"run {label}"
    word = f" ({_WORDS[group]})" if group in ("F", "S") else ""
    # An outline in dashes tells slow and cold runs from the others without a colour.
    outline = ' stroke="currentColor" stroke-dasharray="3 2"' if group in ("S", "cold") else ""
    bar = (
        f'<rect x="{left:.1f}" y="{bottom - height:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" fill="{_FILLS[group]}"{outline}>'
        f"<title>{name}: {rate_text(rate)} tokens/s{word}</title></rect>"
    )
    drawn = [bar]
    # Numbers that would run into each other say nothing; the titles have them all.
    if step >= 30:
        middle = left + width / 2
        drawn.append(
            f'<text x="{middle:.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>'
        )
    return drawn


def _description(runs: Sequence[Run], groups: Sequence[str]) -> str:
    listed = ", ".join(
        rate_text(run.tokens_per_second) + (f" ({_WORDS[group]})" if group else "")
        for run, group in zip(runs, groups, strict=True)
    )
    return f"Tokens per second of {len(runs)} runs: {listed}"
