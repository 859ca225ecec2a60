"""A plan as a picture: one bar of the card with its parts, as SVG that needs nothing else.

Allowances are hatched, so that what is known and what is guessed can be told apart without colours.
The picture brings its own ground, and follows the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from chartgen.memory.outcome import Plan
from chartgen.memory.parts import mib
from chartgen.memory.report import Segment, segments

_WIDTH, _BAR, _TOP, _LINE = 720, 44, 34, 20
_LEFT, _RIGHT = 10, _WIDTH - 10
# Names of the legend stand beside a square, in two columns with room between them.
_SQUARE, _COLUMN, _GAP = 22, (_RIGHT - _LEFT) // 2, 20
# Colours that stay apart for colour-blind eyes (Okabe and Ito, 2008) on white and on black.
_FILLS = {
    "weights": "#0072b2",
    "draft": "#56b4e9",
    "mmproj": "#cc79a7",
    "allowance": "url(#hatch)",
    "needed": "#009e73",
    "spare": "#a6dbc9",
    "outside": "#c8c8c8",
}
_FONT = 'font-family="sans-serif" font-size="13"'
_GROUND, _INK = "#ffffff", "#1f2328"
# The attributes are those of a light page; a style sheet outranks them.
_DARK = (
    "<style>@media (prefers-color-scheme: dark) {"
    ".ground {fill: #0d1117} .ink {fill: #e6edf3} .part {stroke: #0d1117}"
    " .edge {stroke: #e6edf3} .outside {fill: #6e7681}}</style>"
)
_HATCH = (
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#f5d9a8"/>'
    '<rect width="2" height="6" fill="#e69f00"/></pattern>'
)


def plan_svg(plan: Plan) -> str:
    """Return a plan as an SVG document."""
    parts = segments(plan)
    title = f"{plan.app} on {plan.hardware.title}: {plan.verdict}"
    height = _TOP + _BAR + 30 + _LINE * (-(-len(parts) // 2))
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    card = f'<tspan x="{_RIGHT}" text-anchor="end">{mib(plan.card):,} MiB</tspan>'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {_FONT} fill="{_INK}">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_description(plan, parts))}</desc>",
        f"<defs>{_HATCH}</defs>{_DARK}",
        f'<rect class="ground" width="{_WIDTH}" height="{height}" fill="{_GROUND}"/>',
        f'<text class="ink" x="{_LEFT}" y="22" font-weight="bold">{escape(title)}{card}</text>',
        *_bar(plan, parts),
        *_legend(parts),
    ]
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _bar(plan: Plan, parts: tuple[Segment, ...]) -> Iterator[str]:
    """Yield the parts side by side, and a line where the card ends."""
    whole = max(plan.card, sum(part.size for part in parts), 1)
    left = 0
    for part in parts:
        start, end = (_across(size, whole) for size in (left, left + part.size))
        left += part.size
        yield (
            f'<rect class="part {part.kind}" x="{start:g}" y="{_TOP}" width="{end - start:.2f}" '
            f'height="{_BAR}" fill="{_FILLS[part.kind]}" stroke="{_GROUND}" stroke-width="1"/>'
        )
    edge = _across(plan.card, whole)
    yield (
        f'<line class="edge" x1="{edge:g}" y1="{_TOP - 6}" x2="{edge:g}" y2="{_TOP + _BAR + 6}" '
        f'stroke="{_INK}" stroke-width="2"/>'
    )


def _across(size: int, whole: int) -> float:
    return round(_LEFT + size * (_RIGHT - _LEFT) / whole, 2)


def _legend(parts: tuple[Segment, ...]) -> Iterator[str]:
    """Yield names and sizes in the order of the bar, the first half in the left column."""
    rows = -(-len(parts) // 2)
    for number, part in enumerate(parts):
        column, row = divmod(number, rows)
        x = _LEFT + column * (_COLUMN + _GAP // 2)
        y = _TOP + _BAR + 24 + _LINE * row
        yield (
            f'<rect class="{part.kind}" x="{x}" y="{y - 11}" width="14" height="14" '
            f'fill="{_FILLS[part.kind]}"/>'
        )
        end = x + _COLUMN - _GAP // 2
        yield (
            f'<text class="ink" x="{x + _SQUARE}" y="{y}">{escape(part.title)}'
            f'<tspan x="{end}" text-anchor="end">{mib(part.size):,} MiB</tspan></text>'
        )


def _description(plan: Plan, parts: tuple[Segment, ...]) -> str:
    listed = ", ".join(f"{part.title} {mib(part.size):,} MiB" for part in parts)
    return f"GPU memory of {mib(plan.card):,} MiB: {listed}"
