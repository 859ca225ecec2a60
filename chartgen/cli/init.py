"""`chartgen init`."""

from __future__ import annotations

from pathlib import Path

import click

from chartgen.cli.console import Console
from chartgen.cli.options import command


@command("init")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def init(console: Console, folder: Path | None) -> None:
    """Begin a market in a folder.

    FOLDER is by default the current one, and is made where it is missing. Files that are there
    already are kept.
    """
    from chartgen.cli.writing import make_folder, write_missing
    from chartgen.spec.scaffold import ICON_FOLDER, market_files

    target = console.settings.folder / (folder or Path())
    make_folder(target / ICON_FOLDER)
    write_missing(target, market_files()).show(console)
    steps = [
        "Next:",
        *([f"  cd {folder}"] if folder else []),
        "  edit market/market.yaml: the market's name and address",
        "  chartgen new NAME --engine vllm --model OWNER/REPO",
        "  chartgen build",
        "  chartgen serve: look at the market on this machine",
        "  chartgen publish: release the apps, and put the market where devices reach it",
        "After a change:",
        "  chartgen diff: what changed since the last release",
        "  chartgen publish --bump patch",
    ]
    console.note("\n".join(steps))
