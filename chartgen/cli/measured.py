"""What is measured, and what a measurement says besides its numbers: machine, date, digests."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chartgen.cli.exit_codes import UNREADABLE
from chartgen.errors import ChartgenError, FindingsError

if TYPE_CHECKING:
    from chartgen.market.deploy.secret import Secret
    from chartgen.spec.load import LoadedSpec


class UnusableSpecError(FindingsError):
    """A spec that cannot be loaded, for the reasons in `findings`."""

    exit_code = UNREADABLE


def measured_spec(folder: Path, word: str) -> LoadedSpec:
    """Return the spec that a word names by its path or its app; relative paths are of `folder`.

    Its icon and the files of its texts may be missing. Raises click.UsageError where several specs
    are of that app, RefusedError where none is, UnreadableError for a file that cannot be opened
    and UnusableSpecError for one that holds no valid spec.
    """
    from chartgen.cli.spec_words import spec_paths
    from chartgen.spec.load import load_spec

    paths = spec_paths(folder, [word]) or []
    if len(paths) != 1:
        listed = ", ".join(path.as_posix() for path in paths)
        raise click.UsageError(f"Several specs are of {word}: {listed}. Name one of them.")
    file = paths[0].as_posix()
    loaded, findings = load_spec(folder / file, shown_as=file, only_run=True)
    if loaded is None:
        raise UnusableSpecError(f"{file}: the spec cannot be used; nothing was asked", findings)
    return loaded


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
    from chartgen.market.settings import load_market, own_machine

    if asked is not None and asked not in hardware_profiles():
        known = ", ".join(hardware_profiles())
        raise click.UsageError(
            f"No hardware is named {asked!r}. Known: {known}. On another machine measure with "
            "--no-save, so that no number is kept under the name of one of these."
        )
    if asked is not None:
        return asked
    market, _ = load_market(folder)
    return own_machine(loaded.spec, market)


def content_digests(loaded: LoadedSpec, folder: Path) -> dict[str, str]:
    """Return the content digest of the app's chart for each platform, none where it has errors."""
    from chartgen.check import check_app, ledger_or_none
    from chartgen.market.settings import load_market
    from chartgen.spec.load import named_files

    market, _ = load_market(folder)
    if market is None or any(name not in loaded.files for _, name, _ in named_files(loaded.spec)):
        return {}
    latest = ledger_or_none(folder).latest(loaded.spec.name)
    charts = check_app(loaded, market, latest=latest).charts
    return {platform: chart.content_digest() for platform, chart in sorted(charts.items())}


def today() -> str:
    """Return the date (UTC) as YYYY-MM-DD."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def gain_note(folder: Path, loaded: LoadedSpec, kept: Path) -> str:
    """Return what a bench just kept adds to change notes that were written before it.

    Empty where it adds nothing, and where the spec or the ledger cannot be read again: the bench
    itself is done and kept.
    """
    from chartgen.release.gain import untold_gain
    from chartgen.release.ledger import read_ledger
    from chartgen.spec.load import load_spec

    try:
        again, _ = load_spec(loaded.path, shown_as=loaded.file, only_run=True)
        if again is None:
            return ""
        machine = machine_of(again, folder, None)
        return untold_gain(again, read_ledger(folder), kept.name, machine)
    except ChartgenError:
        return ""
