"""A market's folder as a whole: its settings, specs and ledger, read; a publish, written.

Here disk meets the pure parts: everything that is decided, `chartgen.release.plan` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chartgen.check import CheckedApp, check_app
from chartgen.errors import FindingsError, RefusedError, UnreadableError
from chartgen.files import write_atomically
from chartgen.findings import Finding, has_errors, in_order
from chartgen.lint.spec import market_checks
from chartgen.market.layout import find_specs
from chartgen.market.settings import MarketSettings, load_market
from chartgen.release.ledger import RELEASES, Ledger, append, read_ledger, verify_packages
from chartgen.release.plan import PublishPlan
from chartgen.release.record import Release
from chartgen.spec.load import load_spec


@dataclass(frozen=True)
class Workspace:
    """A market read from disk.

    `apps` holds every spec that could be read, checked; `whole` tells that all of them could.
    """

    folder: Path
    market: MarketSettings
    apps: tuple[CheckedApp, ...]
    ledger: Ledger
    findings: tuple[Finding, ...]
    whole: bool = True

    def read_file(self, path: str) -> bytes:
        """Return a file below `market/releases`. Raises UnreadableError where it is missing."""
        return read_released(self.folder, path)


def read_released(folder: Path, path: str) -> bytes:
    """Return a file below a market's releases. Raises UnreadableError where it is missing."""
    try:
        return (folder / RELEASES / path).read_bytes()
    except OSError as error:
        raise UnreadableError(
            f"{RELEASES}/{path}: cannot be read ({error.strerror}); restore it from git"
        ) from error


def read_workspace(
    folder: Path,
    paths: Sequence[Path] | None = None,
    *,
    on_progress: Callable[[str], object] = str,
) -> Workspace:
    """Read and check a market; with `paths` only those of its specs.

    Raises UnreadableError where a file cannot be opened, FindingsError for a bad market.yaml,
    LedgerError for a damaged ledger.
    """
    market, findings = load_market(folder)
    if market is None:
        raise FindingsError("market/market.yaml has errors; nothing else was read", findings)
    ledger = read_ledger(folder)
    found = list(findings)
    apps = []
    wanted = find_specs(folder) if paths is None else paths
    for path in wanted:
        loaded, faults = load_spec(folder / path, shown_as=path.as_posix())
        if loaded is None:
            found += faults
        else:
            app = check_app(loaded, market, None, faults)
            apps.append(app)
            found += app.findings
        on_progress(path.name)
    found += market_checks([app.loaded for app in apps])
    whole = paths is None and len(apps) == len(wanted)
    return Workspace(folder, market, tuple(apps), ledger, in_order(found), whole)


def release_findings(workspace: Workspace) -> tuple[Finding, ...]:
    """Compare the files of all releases with the ledger."""
    return verify_packages(workspace.folder, workspace.ledger)


def write_publish(workspace: Workspace, plan: PublishPlan) -> Ledger:
    """Write a plan: the edits of specs, then the files of the releases, then the ledger.

    In this order a crash never leaves a ledger whose versions the specs do not know. Running the
    same command again finishes the job. Raises RefusedError where the plan has errors, LedgerError
    where somebody else published meanwhile.
    """
    if has_errors(plan.findings):
        raise RefusedError("the plan has errors; nothing was written")
    if read_ledger(workspace.folder).head != workspace.ledger.head:
        raise RefusedError("somebody else published meanwhile; run the command again")
    for edit in plan.edits:
        write_atomically(edit.path, edit.text.encode())
    return append(workspace.folder, workspace.ledger, plan.releases, plan.files)


def retirement(ledger: Ledger, name: str, reason: str, date: str) -> Release:
    """Return the line that retires an app.

    Raises RefusedError where it is not released, or where people are given no reason.
    """
    if not reason.strip():
        raise RefusedError("a retirement is for ever; say why, for the people who use the app")
    latest = ledger.latest(name)
    if latest is None:
        raise RefusedError(f"{name} was never released; there is nothing to retire")
    if latest.kind == "retired":
        raise RefusedError(f"{name} was retired on {latest.date[:10]}")
    return Release(0, "", "retired", name, latest.version, date, icon=latest.icon, reason=reason)
