"""Where things stand in a market's folder. Light on purpose: an unchanged build needs no more."""

from __future__ import annotations

from pathlib import Path

from chartgen.errors import RefusedError

SPEC_FOLDER = "apps"
SPEC_SUFFIXES = (".yaml", ".yml")
MARKET_FILE = "market/market.yaml"


def check_market(folder: Path) -> None:
    """Raise RefusedError where a folder is no market."""
    if not (folder / MARKET_FILE).is_file():
        raise RefusedError(f"{MARKET_FILE} is missing: this is no market. Run `chartgen init`.")


def find_specs(folder: Path) -> tuple[Path, ...]:
    """Return the specs of a market relative to its folder, in the order of their names."""
    found = [
        path.relative_to(folder)
        for path in (folder / SPEC_FOLDER).glob("*")
        if path.suffix in SPEC_SUFFIXES and path.is_file()
    ]
    return tuple(sorted(found, key=lambda path: path.name))
