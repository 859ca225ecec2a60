"""What a measurement says besides its numbers: machine, date, digests; and the key to ask with."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from chartgen.market.deploy.secret import Secret
    from chartgen.spec.load import LoadedSpec


def api_key() -> Secret | None:
    """Return the endpoint's API key from the environment, None where it needs none."""
    from chartgen.market.deploy.secret import Secret
    from chartgen.measure.faults import KEY_VARIABLE

    value = os.environ.get(KEY_VARIABLE, "").strip()
    return Secret(value, KEY_VARIABLE) if value else None


def machine_of(loaded: LoadedSpec, folder: Path, asked: str | None) -> str:
    """Return the hardware profile that is measured: the one asked for, else the spec's or market's.

    Raises click.UsageError for a name that is no profile.
    """
    from chartgen.hardware import hardware_profiles
    from chartgen.market.settings import load_market

    if asked is not None and asked not in hardware_profiles():
        known = ", ".join(hardware_profiles())
        raise click.UsageError(f"No hardware is named {asked!r}. Known: {known}.")
    if asked is not None:
        return asked
    market, _ = load_market(folder)
    return loaded.spec.hardware or (market.hardware if market is not None else "olares-one")


def content_digests(loaded: LoadedSpec, folder: Path) -> dict[str, str]:
    """Return the content digest of the app's chart for each platform, none where it has errors."""
    from chartgen.check import check_app
    from chartgen.market.settings import load_market

    market, _ = load_market(folder)
    if market is None:
        return {}
    charts = check_app(loaded, market).charts
    return {platform: chart.content_digest() for platform, chart in sorted(charts.items())}


def today() -> str:
    """Return the date (UTC) as YYYY-MM-DD."""
    return datetime.now(UTC).strftime("%Y-%m-%d")
