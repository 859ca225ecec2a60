"""`chartgen new`."""

from __future__ import annotations

import click

from chartgen.cli.console import Console
from chartgen.cli.options import ENGINE_NAMES, command


@command("new")
@click.argument("name")
@click.option(
    "--engine",
    "engine",
    required=True,
    type=click.Choice(ENGINE_NAMES),
    help="What serves the model; `app` for anything that is no model server.",
)
@click.option("--model", metavar="OWNER/REPO", help="Hugging Face repository of the weights.")
@click.option("--file", "model_file", metavar="FILE", help="The one file wanted of it (a GGUF).")
@click.option("--size", metavar="SIZE", help="Size of what is downloaded, such as 17GB.")
@click.option("--image", help="Container image, with a fixed tag or a digest.")
@click.option("--title", help="Title in the market, at most 30 bytes; by default the name.")
def new(
    console: Console,
    name: str,
    engine: str,
    model: str | None,
    model_file: str | None,
    size: str | None,
    image: str | None,
    title: str | None,
) -> None:
    """Write the spec of a new app.

    Makes apps/NAME.yaml with every required key, and a placeholder icon. Without --model it names
    a small one, so that the spec builds as it is. NAME: 2 to 30 lower-case letters and digits,
    a letter first.
    """
    from chartgen.cli.writing import write_missing
    from chartgen.errors import RefusedError
    from chartgen.spec.scaffold import (
        IMAGES,
        Wishes,
        icon_path,
        placeholder_icon,
        spec_path,
        spec_text,
    )

    if image is None and engine not in IMAGES:
        raise click.UsageError(
            f"--engine {engine} needs --image: its makers publish no image with a fixed tag. Name "
            "one by its digest, as `docker buildx imagetools inspect IMAGE` prints it."
        )
    if model is None and (model_file or size):
        raise click.UsageError("--file and --size belong to a --model.")
    folder = console.settings.folder
    path = spec_path(name)
    if (folder / path).exists():
        raise RefusedError(f"{path} is there already; edit it, or choose another name")
    wishes = Wishes(name, engine, model, model_file, size, image, title)
    text = spec_text(wishes)
    files = {path: text.encode(), icon_path(name): placeholder_icon(name)}
    write_missing(folder, files).show(console)
    console.note(
        f"Next:\n  edit {path}; all keys: chartgen schema\n"
        f"  chartgen check {path}\n  chartgen build {path}"
    )
    if not (folder / "schema").is_dir():
        console.note("For an editor that completes keys: chartgen init")
