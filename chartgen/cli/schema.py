"""`chartgen schema`."""

from __future__ import annotations

from pathlib import Path

import click

from chartgen.cli.console import Console
from chartgen.cli.options import command


@command("schema")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there, for example to schema/app.schema.json.",
)
def schema(console: Console, output: Path | None) -> None:
    """Print the JSON Schema of a spec.

    Editors that know YAML complete and check a spec by it, when its first line says so:
    `# yaml-language-server: $schema=../schema/app.schema.json`.
    """
    from chartgen.spec.schema import schema_text

    if output is None:
        console.data(schema_text())
        return
    from chartgen.cli.writing import make_folder
    from chartgen.files import write_atomically

    target = console.settings.folder / output
    make_folder(target.parent)
    write_atomically(target, schema_text().encode())
    console.note(f"wrote {output}")
