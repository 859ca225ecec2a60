"""Small plots for the web page, as SVG within it: bars from zero, without a word in them.

Colours come from the page's style sheet, so that they follow light and dark; what a plot shows
stands beside it in words. Bars stretch with the page, which letters must not do.
"""

from __future__ import annotations

from collections.abc import Sequence

from chartgen.evidence.record import Run
from chartgen.evidence.statistics import summarise
from chartgen.market.page_markdown import Html
from chartgen.market.speeds import Speed

# A drawing of 100 by 100, stretched to its place.
_SIZE = 100
# Part of each run's place that its bar takes.
_FILLED = 0.7
# More bars than this are no wider than a pixel on a telephone; of more runs the first are drawn.
MOST_BARS = 200


def runs_plot(runs: Sequence[Run], title: str) -> Html:
    """Return a bar for each run, in their order: cold, fast (or the only speed) or slow."""
    shown = runs[:MOST_BARS]
    most = max((run.tokens_per_second for run in shown), default=0) or 1
    summary = summarise(runs)
    speeds = summary.speeds if summary is not None else None
    edge = min(speeds.fast) if speeds is not None else 0
    place = _SIZE / max(len(shown), 1)
    bars = []
    for number, run in enumerate(shown):
        height = _SIZE * run.tokens_per_second / most
        kind = "cold" if run.cold else "fast" if run.tokens_per_second >= edge else "slow"
        left = (number + (1 - _FILLED) / 2) * place
        bars.append(_bar(kind, left, _SIZE - height, _FILLED * place, height))
    # The title is given by the page's own code: numbers and fixed words.
    return _svg("runs", bars, f' role="img" aria-label="{title}"')


def speed_bar(speed: Speed, most: float) -> Html:
    """Return a lying bar, or the two of a speed that has two; `most` is the highest of all."""
    rates = [("fast", speed.fast), ("slow", speed.slow)] if speed.two else [("fast", speed.mean)]
    place = _SIZE / len(rates)
    height = place if len(rates) == 1 else _FILLED * place
    bars = [
        _bar(kind, 0, number * place, _SIZE * (rate or 0) / (most or 1), height)
        for number, (kind, rate) in enumerate(rates)
    ]
    # The number stands beside it.
    return _svg("bar two" if speed.two else "bar", bars, ' aria-hidden="true"')


def _svg(kind: str, bars: Sequence[str], more: str) -> Html:
    view = f'viewBox="0 0 {_SIZE} {_SIZE}" preserveAspectRatio="none"'
    return Html(f'<svg class="{kind}" {view}{more}>{"".join(bars)}</svg>')


def _bar(kind: str, left: float, top: float, width: float, height: float) -> str:
    place = f'x="{left:.6g}" y="{top:.6g}" width="{width:.6g}" height="{height:.6g}"'
    return f'<rect class="{kind}" {place}/>'
