"""`chartgen bump`."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED
from chartgen.cli.options import command

BUMP_NAMES = ("patch", "minor", "major")


@command("bump")
@click.argument("words", nargs=-1, required=True, metavar="[APP]... patch|minor|major|X.Y.Z")
@click.option("-m", "--message", "notes", multiple=True, help="A change note; may be repeated.")
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
def bump(console: Console, words: tuple[str, ...], notes: tuple[str, ...], dry_run: bool) -> int:
    """Raise the versions of specs.

    APP is an app's name or the path of its spec. The last word says how: patch, minor, major, or
    an exact version. Without APPs all whose content changed since their last release are raised.
    Comments and layout of the files stay.
    """
    from chartgen.cli.findings import report_text
    from chartgen.cli.spec_words import spec_paths
    from chartgen.files import write_atomically
    from chartgen.findings import has_errors
    from chartgen.release.plan import app_difference, app_state, bump_edit
    from chartgen.release.workspace import read_workspace

    *named, how = words
    if how not in BUMP_NAMES and not re.fullmatch(r"[0-9]+(\.[0-9]+){2}", how):
        raise click.UsageError(f"The last word is patch, minor, major or X.Y.Z, not {how!r}.")
    folder = console.settings.folder
    workspace = read_workspace(folder, spec_paths(folder, named))
    if has_errors(workspace.findings):
        console.report(report_text(console, "text", workspace.findings, on_stdout=False))
        return REFUSED
    raised: list[dict[str, str]] = []
    for app in workspace.apps:
        state = app_state(app, workspace.ledger, workspace.read_file)
        if not named and state.state == "behind" and state.latest is not None:
            console.note(
                f"{app.loaded.file}: left at {app.loaded.spec.version}, below the released "
                f"{state.latest.version}; to raise it: chartgen bump {state.name} {how}"
            )
        if not named and state.state != "changed":
            continue
        if state.state == "behind" and state.latest is not None:
            difference = app_difference(app, state.latest, workspace.read_file)
            state = replace(state, difference=difference)
        edit = bump_edit(state, how, notes, propose=state.difference is not None)
        if not dry_run:
            write_atomically(edit.path, edit.text.encode())
        raised.append({"name": state.name, "from": edit.before, "to": edit.after})
        verb = "would raise " if dry_run else ""
        console.note(f"{verb}{app.loaded.file}: version {edit.before} → {edit.after}")
    if console.settings.json:
        console.data(json.dumps({"bumped": raised}, indent=2) + "\n")
    if not raised:
        console.note("nothing to bump: no app changed since its last release")
    return DONE
