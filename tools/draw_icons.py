"""Draw the icons of the market's apps: `python tools/draw_icons.py [FOLDER]`.

One rounded tile with one glyph per app, 256x256 pixels, PNG without metadata. Nothing is random and
nothing is read, so one release of Pillow always writes the same bytes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 256
# Drawn four times as large and scaled down once: Pillow's shapes have hard edges.
SCALE = 4
FULL = SIDE * SCALE
CORNER = 56

Point = tuple[float, float]
Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)


class Canvas:
    """A tile to draw on, in units of the finished icon: (0, 0) to (256, 256)."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        self.top, self.bottom = top, bottom
        self.image = _gradient(top, bottom)
        self.draw = ImageDraw.Draw(self.image)

    def shade(self, y: float) -> Colour:
        """Return the tile's own colour at a height, to cut shapes out of a glyph."""
        return _between(self.top, self.bottom, y / SIDE)

    def polygon(self, points: Iterable[Point], colour: Colour = WHITE) -> None:
        """Fill a polygon."""
        self.draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=colour)

    def line(self, points: Iterable[Point], width: float, colour: Colour = WHITE) -> None:
        """Draw a line with round joints and ends."""
        path = [(x * SCALE, y * SCALE) for x, y in points]
        self.draw.line(path, fill=colour, width=round(width * SCALE), joint="curve")
        for x, y in path:
            self._disc(x, y, width * SCALE / 2, colour)

    def circle(self, centre: Point, radius: float, colour: Colour = WHITE) -> None:
        """Fill a circle."""
        self._disc(centre[0] * SCALE, centre[1] * SCALE, radius * SCALE, colour)

    def ring(self, centre: Point, radius: float, width: float, colour: Colour = WHITE) -> None:
        """Draw a circle's line; the radius is that of the line's middle."""
        x, y = centre[0] * SCALE, centre[1] * SCALE
        outer, thick = (radius + width / 2) * SCALE, round(width * SCALE)
        box = (x - outer, y - outer, x + outer, y + outer)
        self.draw.ellipse(box, outline=colour, width=thick)

    def bar(self, box: tuple[float, float, float, float], colour: Colour = WHITE) -> None:
        """Fill a rectangle whose short sides are half circles."""
        left, top, right, bottom = (value * SCALE for value in box)
        radius = min(right - left, bottom - top) / 2
        self.draw.rounded_rectangle((left, top, right, bottom), radius, fill=colour)

    def oval(
        self,
        centre: Point,
        across: float,
        along: float,
        turn: float = 0.0,
        colour: Colour = WHITE,
    ) -> None:
        """Fill an ellipse with two half axes, turned clockwise by degrees."""
        self.polygon(_ellipse(centre, across, along, turn), colour)

    def save(self, path: Path) -> None:
        """Write the finished icon."""
        mask = Image.new("L", (FULL, FULL), 0)
        box = (0, 0, FULL - 1, FULL - 1)
        ImageDraw.Draw(mask).rounded_rectangle(box, CORNER * SCALE, fill=255)
        tile = Image.new("RGBA", (FULL, FULL), (*self.bottom, 0))
        tile.paste(self.image, (0, 0), mask)
        small = tile.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        small.save(path, format="PNG", optimize=True)

    def _disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _between(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (
        round(a + (b - a) * min(max(share, 0.0), 1.0)) for a, b in zip(first, second, strict=True)
    )
    return red, green, blue


def _gradient(top: Colour, bottom: Colour) -> Image.Image:
    column = Image.new("RGB", (1, FULL))
    for y in range(FULL):
        column.putpixel((0, y), _between(top, bottom, y / (FULL - 1)))
    return column.resize((FULL, FULL), Image.Resampling.NEAREST)


def _ellipse(centre: Point, across: float, along: float, turn: float) -> Iterable[Point]:
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    for step in range(180):
        angle = math.radians(2 * step)
        x, y = across * math.cos(angle), along * math.sin(angle)
        yield centre[0] + x * cosine - y * sine, centre[1] + x * sine + y * cosine


def _arc(centre: Point, radius: float, first: float, last: float) -> list[Point]:
    """Return points on a circle from one angle to another, degrees clockwise from the right."""
    angles = [math.radians(first + (last - first) * step / 120) for step in range(121)]
    return [
        (centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle))
        for angle in angles
    ]


# A cut stone from the side: table, girdle, point.
GEM: tuple[Point, ...] = ((76, 46), (180, 46), (226, 108), (128, 222), (30, 108))


def gem(canvas: Canvas, width: float) -> None:
    """Draw the outline of a cut stone."""
    canvas.line([*GEM, GEM[0]], width)


def eye(canvas: Canvas, centre: Point, half: float, lid: Colour, iris: Colour) -> None:
    """Draw an eye: two arcs, an iris and a glint."""
    x, y = centre
    # Two circles of this radius, moved up and down, meet in the corners of the eye.
    rise = half * 0.62
    radius = (half**2 + rise**2) / (2 * rise)
    reach = math.degrees(math.asin(half / radius))
    lower = _arc((x, y + rise - radius), radius, 90 - reach, 90 + reach)
    upper = _arc((x, y - rise + radius), radius, 270 - reach, 270 + reach)
    canvas.polygon([*lower, *upper], lid)
    canvas.circle(centre, half * 0.46, iris)
    canvas.circle((x + half * 0.15, y - half * 0.16), half * 0.13, lid)


def gemma_vision(canvas: Canvas) -> None:
    """An eye in a gem."""
    gem(canvas, 14)
    eye(canvas, (128, 116), 56, WHITE, canvas.shade(116))


def gemma_vision_gguf(canvas: Canvas) -> None:
    """An eye in a gem, the other way round: a filled stone."""
    canvas.polygon(GEM)
    gem(canvas, 14)
    eye(canvas, (128, 116), 62, canvas.shade(116), WHITE)


def gemma_mtp(canvas: Canvas) -> None:
    """A gem with arrows that run ahead."""
    gem(canvas, 14)
    for x in (92, 128, 164):
        canvas.line([(x - 12, 82), (x + 12, 108), (x - 12, 134)], 14)


def gemma_dflash(canvas: Canvas) -> None:
    """Lightning in a gem."""
    gem(canvas, 14)
    canvas.polygon([(146, 64), (92, 132), (122, 132), (110, 182), (164, 112), (134, 112)])


def qwen_mtp(canvas: Canvas) -> None:
    """The letter Q around the sign for running ahead."""
    canvas.ring((126, 124), 82, 22)
    canvas.line([(164, 162), (208, 206)], 22)
    for x in (86, 124):
        canvas.polygon([(x, 88), (x + 38, 120), (x, 152)])


def bee(canvas: Canvas) -> None:
    """A bee from above."""
    dark = (58, 37, 4)
    for side in (-1, 1):
        canvas.oval((128 + side * 50, 106), 24, 50, side * 52, WHITE)
        canvas.line([(128 + side * 12, 66), (128 + side * 30, 42)], 8, dark)
    canvas.circle((128, 78), 27, dark)
    canvas.oval((128, 152), 43, 68, 0, dark)
    for y, half in ((126, 34), (158, 37), (189, 26)):
        canvas.bar((128 - half, y - 8, 128 + half, y + 8), (255, 205, 66))


def elastic_ring(canvas: Canvas) -> None:
    """One ring at three sizes: models that lie in each other."""
    for radius in (86, 59, 32):
        canvas.ring((214 - radius, 128), radius, 15)


def sound_wave(canvas: Canvas) -> None:
    """A speech bubble with the wave of a voice."""
    canvas.draw.rounded_rectangle(
        tuple(value * SCALE for value in (34, 50, 222, 184)), 40 * SCALE, fill=WHITE
    )
    canvas.polygon([(72, 176), (72, 222), (122, 180)])
    for x, half in ((68, 14), (98, 34), (128, 46), (158, 28), (188, 12)):
        canvas.bar((x - 8, 117 - half, x + 8, 117 + half), canvas.shade(117))


def note(canvas: Canvas) -> None:
    """Two quavers under one beam."""
    for x, y in ((86, 186), (178, 166)):
        canvas.oval((x, y), 31, 24, -20)
    canvas.bar((102, 70, 117, 188))
    canvas.bar((194, 50, 209, 168))
    canvas.polygon([(102, 70), (209, 46), (209, 82), (102, 106)])
    canvas.line([(109.5, 76), (201.5, 56)], 15)


# App name: top and bottom colour of the tile, glyph.
ICONS: dict[str, tuple[Colour, Colour, Callable[[Canvas], None]]] = {
    "vllmgemma426ba4bvisionone": ((74, 134, 245), (34, 66, 190), gemma_vision),
    "llamacppgemma426ba4bvisionone": ((38, 176, 168), (7, 98, 112), gemma_vision_gguf),
    "gemma426ba4bone": ((255, 138, 76), (206, 64, 24), gemma_mtp),
    "vllmgemma4dflashone": ((84, 92, 120), (30, 34, 54), gemma_dflash),
    "llamacppqwen36a3bone": ((142, 104, 248), (78, 42, 178), qwen_mtp),
    "llamacppqwen36beellamaone": ((255, 206, 72), (240, 156, 22), bee),
    "nemotronlabselastic30bnvfp4one": ((136, 200, 40), (66, 128, 8), elastic_ring),
    "omnivoiceone": ((248, 104, 140), (190, 34, 88), sound_wave),
    "acestepxlone": ((196, 84, 216), (112, 24, 140), note),
}


def main(folder: Path) -> None:
    """Write all icons into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (top, bottom, glyph) in ICONS.items():
        canvas = Canvas(top, bottom)
        glyph(canvas)
        canvas.save(folder / f"{name}.png")


if __name__ == "__main__":
    icons = Path(__file__).resolve().parent.parent / "apps" / "icons"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else icons)
