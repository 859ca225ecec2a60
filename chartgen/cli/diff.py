"""`chartgen diff`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED
from chartgen.cli.options import command

if TYPE_CHECKING:
    from chartgen.release.plan import AppState

_WORDS = {
    "new": "never released",
    "ready": "the next publish releases it",
    "changed": "changed; needs a bump",
    "behind": "below the released version",
    "retired": "retired",
    "unsound": "has errors",
    "unchanged": "unchanged",
}


@command("diff")
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option("--files", is_flag=True, help="Also show the difference of the chart's files.")
def diff(console: Console, apps: tuple[str, ...], files: bool) -> int:
    """Show what changed since the last release.

    First the settings in the words of the spec, then what the app asks of a device, then the
    files. APP is an app's name or the path of its spec; without any all apps.
    """
    from chartgen.cli.findings import report_text
    from chartgen.cli.spec_words import spec_paths
    from chartgen.findings import Severity
    from chartgen.release.plan import app_state, state_findings
    from chartgen.release.workspace import read_workspace

    folder = console.settings.folder
    workspace = read_workspace(folder, spec_paths(folder, apps))
    states = [app_state(app, workspace.ledger, workspace.read_file) for app in workspace.apps]
    lost = state_findings(states, workspace.ledger, whole=workspace.whole)
    if console.settings.json:
        console.data(json.dumps({"apps": [_document(state) for state in states]}, indent=2) + "\n")
    else:
        shown = [state for state in states if state.state != "unchanged"]
        console.data("\n".join(_text(state, files=files) for state in shown))
        if not shown and not lost:
            console.note("nothing changed since the last releases")
    errors = [i for i in (*workspace.findings, *lost) if i.severity is Severity.ERROR]
    if errors:
        console.report(report_text(console, "text", errors, on_stdout=False))
    return REFUSED if errors else DONE


def _text(state: AppState, *, files: bool) -> str:
    version = state.app.loaded.spec.version
    if state.latest is not None and state.latest.version != version:
        version = f"{state.latest.version} → {version}"
    lines = [f"{state.name} {version}: {_WORDS[state.state]}"]
    difference = state.difference
    if difference is not None:
        if not difference.settings:
            lines.append(f"  {difference.cause}")
        lines += [f"  {change}" for change in difference.settings]
        lines += [f"  asks: {change}" for change in difference.demands]
        lines += [] if difference.version_only else [f"  {name}" for name in difference.files]
        if files:
            lines += [f"    {line}" for line in difference.texts]
    return "\n".join(lines) + "\n"


def _document(state: AppState) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": state.name,
        "version": state.app.loaded.spec.version,
        "released": state.latest.version if state.latest is not None else None,
        "state": state.state,
    }
    difference = state.difference
    if difference is not None:
        for part in ("settings", "demands"):
            document[part] = [
                {"what": change.what, "before": change.before, "after": change.after}
                for change in getattr(difference, part)
            ]
        document["files"] = list(difference.files)
        document["shared"] = difference.shared
        document["cause"] = difference.cause
        document["version_only"] = difference.version_only
    return document
