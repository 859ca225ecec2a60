"""A market's folder as a whole: its settings, specs and ledger, read; a publish, written.

Here disk meets the pure parts: everything that is decided, `chartgen.release.plan` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chartgen.check import CheckedApp, check_app
from chartgen.check_record import (
    InputsNow,
    RecordedCheck,
    check_entry,
    maker,
    read_record,
    recorded_check,
    spec_inputs,
    write_record,
)
from chartgen.errors import FindingsError, RefusedError, UnreadableError
from chartgen.files import write_atomically
from chartgen.findings import Finding, has_errors, in_order
from chartgen.lint.spec import market_checks
from chartgen.market.layout import MARKET_FILE, find_specs
from chartgen.market.settings import MarketSettings, load_market
from chartgen.olares.names import app_id
from chartgen.release.ledger import LEDGER, RELEASES, Ledger, append, read_ledger, verify_packages
from chartgen.release.plan import PublishPlan, content_digests
from chartgen.release.record import Release
from chartgen.spec.load import load_spec

# What the last publish found in the specs. Safe to delete.
CHECKS = "dist/.checked.json"


@dataclass(frozen=True)
class Workspace:
    """A market read from disk.

    `apps` holds every spec that could be read, checked; `whole` tells that all of them could.
    `unchanged` holds those of which the record of earlier checks says that they are what was
    released last: they are not in `apps`. `checks` are the entries for that record, `made_by` the
    chartgen that they are of.
    """

    folder: Path
    market: MarketSettings
    apps: tuple[CheckedApp, ...]
    ledger: Ledger
    findings: tuple[Finding, ...]
    whole: bool = True
    unchanged: tuple[RecordedCheck, ...] = ()
    checks: Mapping[str, Any] = field(default_factory=dict)
    made_by: str = ""

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Return what stands and what was waived."""
        checked = [item for app in self.apps for item in app.waived]
        remembered = [item for app in self.unchanged for item in app.waived]
        return (*self.findings, *checked, *remembered)

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
    remember: bool = False,
) -> Workspace:
    """Read and check a market; with `paths` only those of its specs.

    With `remember` a spec is not checked again that an earlier check found to be what is released
    now, and of which nothing changed since; `keep_checks` is what remembers.

    Raises UnreadableError where a file cannot be opened, FindingsError for a bad market.yaml,
    LedgerError for a damaged ledger.
    """
    now = InputsNow(folder)
    now.digest(MARKET_FILE)
    market, findings = load_market(folder)
    if market is None:
        raise FindingsError("market/market.yaml has errors; nothing else was read", findings)
    ledger = read_ledger(folder)
    wanted = find_specs(folder) if paths is None else paths
    made_by = maker() if remember else ""
    record = read_record(folder / CHECKS) if remember else {}
    known = _unchanged(wanted, record, made_by, now, ledger)
    found = list(findings)
    apps: list[CheckedApp] = []
    checks: dict[str, Any] = {}
    for path in wanted:
        file = path.as_posix()
        if file in known:
            found += known[file].findings
            checks[file] = record[file]
            on_progress(path.name)
            continue
        now.digest(file)
        loaded, faults = load_spec(folder / path, shown_as=file)
        if loaded is None:
            found += faults
        else:
            app = check_app(loaded, market, None, faults, ledger.latest(loaded.spec.name))
            apps.append(app)
            found += app.findings
            inputs = spec_inputs(folder, path, loaded.files, loaded.absent, loaded.folders)
            # What was edited while it was read is left to the next check.
            if remember and app.sound and all(now.digest(name) == inputs[name] for name in inputs):
                checks[file] = check_entry(_recorded(app), made_by, inputs)
        on_progress(path.name)
    if _names_clash((*(app.name for app in apps), *(item.name for item in known.values()))):
        if known:
            # Rare, and an error: the specs themselves say best which is whose.
            plain = read_workspace(folder, paths, on_progress=on_progress)
            return replace(plain, made_by=made_by)
        found += market_checks([app.loaded for app in apps])
    whole = paths is None and len(apps) + len(known) == len(wanted)
    return Workspace(
        folder=folder,
        market=market,
        apps=tuple(apps),
        ledger=ledger,
        findings=in_order(found),
        whole=whole,
        unchanged=tuple(known.values()),
        checks=checks,
        made_by=made_by,
    )


def _unchanged(
    paths: Sequence[Path],
    record: Mapping[str, Any],
    made_by: str,
    now: InputsNow,
    ledger: Ledger,
) -> dict[str, RecordedCheck]:
    """Return what is recorded of the specs that are what was released last, by their paths."""
    known = {}
    for path in paths:
        check = recorded_check(path.as_posix(), record, made_by, now)
        latest = None if check is None else ledger.latest(check.name)
        if (
            check is not None
            and latest is not None
            and latest.kind == "release"
            and latest.version == check.version
            and content_digests(latest) == check.digests
        ):
            known[check.file] = check
    return known


def _recorded(app: CheckedApp) -> RecordedCheck:
    digests = {platform: chart.content_digest() for platform, chart in app.charts.items()}
    return RecordedCheck(app.loaded.file, app.name, app.version, digests, app.findings, app.waived)


def _names_clash(names: Sequence[str]) -> bool:
    """Tell whether two apps are one to a device, by name or by id."""
    return len({app_id(name) for name in names}) < len(names)


def keep_checks(workspace: Workspace) -> None:
    """Remember the checks of a workspace that was read with `remember`.

    Raises ChartgenError where the record cannot be written.
    """
    path = workspace.folder / CHECKS
    if workspace.checks != read_record(path):
        write_record(path, workspace.checks)


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
    if not _is_on_disk(workspace.folder, workspace.ledger):
        raise RefusedError("somebody else published meanwhile; run the command again")
    for edit in plan.edits:
        write_atomically(edit.path, edit.text.encode())
    return append(workspace.folder, workspace.ledger, plan.releases, plan.files)


def _is_on_disk(folder: Path, ledger: Ledger) -> bool:
    """Tell whether the ledger on disk is the one given. Equal bytes need not be read again."""
    path = folder / LEDGER
    same = path.is_file() and path.read_bytes() == ledger.data
    return same or read_ledger(folder).head == ledger.head


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
