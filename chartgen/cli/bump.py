"""`chartgen bump`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED
from chartgen.cli.options import command

BUMP_NAMES = ("patch", "minor", "major")


@command("bump")
@click.argument("words", nargs=-1, required=True, metavar="[SPEC]... patch|minor|major|X.Y.Z")
@click.option("-m", "--message", "notes", multiple=True, help="A change note; may be repeated.")
@click.option("-n", "--dry-run", is_flag=True, help="Write nothing, only say what would be.")
def bump(console: Console, words: tuple[str, ...], notes: tuple[str, ...], dry_run: bool) -> int:
    """Raise the versions of specs.

    The last word says how: patch, minor, major, or an exact version. Without SPECs all apps whose
    content changed since their last release are raised. Comments and layout of the files stay.
    """
    from chartgen.cli.findings import report_text
    from chartgen.document import read_document
    from chartgen.files import write_atomically
    from chartgen.findings import has_errors
    from chartgen.release.plan import app_state, bump_edit
    from chartgen.release.workspace import read_workspace

    *specs, how = words
    if how not in BUMP_NAMES and not re.fullmatch(r"[0-9]+(\.[0-9]+){2}", how):
        raise click.UsageError(f"The last word is patch, minor, major or X.Y.Z, not {how!r}.")
    folder = console.settings.folder
    workspace = read_workspace(folder, [Path(spec) for spec in specs] or None)
    if has_errors(workspace.findings):
        console.report(report_text(console, "text", workspace.findings, on_stdout=False))
        return REFUSED
    raised = []
    for app in workspace.apps:
        state = app_state(app, workspace.ledger, workspace.read_file)
        if not specs and state.state != "changed":
            continue
        edit = bump_edit(state, how, notes, propose=state.difference is not None)
        document, _ = read_document(edit.text.encode(), app.loaded.file)
        version = str(document.value["version"]) if document is not None else ""
        if not dry_run:
            write_atomically(edit.path, edit.text.encode())
        before = app.loaded.spec.version
        raised.append({"name": state.name, "from": before, "to": version})
        console.note(f"{app.loaded.file}: {before} → {version}")
    if console.settings.json:
        console.data(json.dumps({"bumped": raised}, indent=2) + "\n")
    if not raised:
        console.note("nothing to bump: no app changed since its last release")
    return DONE
