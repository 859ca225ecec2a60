"""A plan as a picture: one bar of the card with its parts, as SVG that needs nothing else.

Allowances are hatched, so that what is known and what is guessed can be told apart without colours.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from chartgen.memory.outcome import Plan
from chartgen.memory.parts import GIB
from chartgen.memory.report import Segment, segments

_WIDTH, _BAR, _TOP, _LINE = 720, 44, 34, 20
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
_HATCH = (
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#f5d9a8"/>'
    '<rect width="2" height="6" fill="#e69f00"/></pattern>'
)


def plan_svg(plan: Plan) -> str:
    """Return a plan as an SVG document."""
    parts = segments(plan)
    whole = max(plan.card, sum(part.size for part in parts), 1)
    title = f"{plan.app} on {plan.hardware.title}: {plan.verdict}"
    height = _TOP + _BAR + 30 + _LINE * len(parts)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(_description(plan, parts))}</desc>",
        f"<defs>{_HATCH}</defs>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-weight="bold">{escape(title)}</text>',
    ]
    room = _WIDTH - 20
    left = 0
    for part in parts:
        start, end = (round(10 + size * room / whole, 2) for size in (left, left + part.size))
        left += part.size
        drawn.append(
            f'<rect x="{start:g}" y="{_TOP}" width="{end - start:.2f}" height="{_BAR}" '
            f'fill="{_FILLS[part.kind]}" stroke="#ffffff" stroke-width="1"/>'
        )
    edge = round(10 + plan.card * room / whole, 2)
    drawn.append(
        f'<line x1="{edge:g}" y1="{_TOP - 6}" x2="{edge:g}" y2="{_TOP + _BAR + 6}" '
        'stroke="#000000" stroke-width="2"/>'
    )
    drawn += _legend(parts)
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _legend(parts: tuple[Segment, ...]) -> list[str]:
    drawn = []
    for number, part in enumerate(parts):
        y = _TOP + _BAR + 24 + _LINE * number
        drawn.append(
            f'<rect x="10" y="{y - 11}" width="14" height="14" fill="{_FILLS[part.kind]}"/>'
        )
        text = f"{part.title}: {part.size / GIB:.2f} GiB"
        drawn.append(f'<text x="32" y="{y}">{escape(text)}</text>')
    return drawn


def _description(plan: Plan, parts: tuple[Segment, ...]) -> str:
    listed = ", ".join(f"{part.title} {part.size / GIB:.2f} GiB" for part in parts)
    return f"GPU memory of {plan.card / GIB:.2f} GiB: {listed}"
