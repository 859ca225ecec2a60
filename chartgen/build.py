"""Building: check, render, package, and write what changed into a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartgen.check_record import (
    InputsNow,
    file_digest,
    finding_entries,
    findings_of,
    maker,
    read_record,
    spec_inputs,
    write_record,
)
from chartgen.files import write_atomically
from chartgen.findings import Finding, in_order

if TYPE_CHECKING:
    from chartgen.spec.load import LoadedSpec

# What was built from what, so that a second build has nothing to do. Safe to delete.
RECORD = ".built.json"
State = Literal["built", "unchanged", "failed"]


@dataclass(frozen=True)
class BuildResult:
    """One package of a build, or the reason why there is none (then `package` is None)."""

    spec_file: str
    name: str
    version: str
    platform: str
    package: Path | None
    size_bytes: int
    digest: str
    state: State


@dataclass(frozen=True)
class BuildReport:
    """What a build did; `unreadable` tells that a file could not even be parsed."""

    results: tuple[BuildResult, ...]
    findings: tuple[Finding, ...]
    unreadable: bool


def build_specs(
    folder: Path,
    paths: Sequence[Path],
    *,
    platforms: tuple[str, ...],
    output: Path,
    dry_run: bool = False,
    on_progress: Callable[[str], object] = str,
) -> BuildReport:
    """Build the packages of specs, each for every platform asked for that it supports.

    Modern packages go to `output`, legacy ones to `output/legacy`. An app with errors is not
    written, the others are. Raises UnreadableError where a spec cannot be opened.
    """
    record = read_record(output / RECORD)
    made_by, now = maker(), InputsNow(folder)
    results: list[BuildResult] = []
    findings: list[Finding] = []
    fresh: list[Path] = []
    entries: dict[str, Any] = {}
    for path in paths:
        key = f"{path.as_posix()} {','.join(platforms)}"
        kept = _kept(record.get(key), made_by, now, path, output)
        if kept is None:
            fresh.append(path)
            continue
        on_progress(path.name)
        entries[key] = record[key]
        results += kept.results
        findings += kept.findings
    unreadable = False
    if fresh:
        made, unreadable = _build(
            folder, fresh, platforms, output, dry_run, on_progress, made_by, entries
        )
        results += made.results
        findings += made.findings
    if not dry_run and (fresh or entries != record):
        write_record(output / RECORD, record | entries)
    order = {path.as_posix(): index for index, path in enumerate(paths)}
    results.sort(key=lambda item: (order.get(item.spec_file, 0), item.platform != "modern"))
    return BuildReport(tuple(results), in_order(findings), unreadable)


def _build(
    folder: Path,
    paths: Sequence[Path],
    platforms: tuple[str, ...],
    output: Path,
    dry_run: bool,
    on_progress: Callable[[str], object],
    made_by: str,
    entries: dict[str, Any],
) -> tuple[BuildReport, bool]:
    # Only now: an unchanged market needs neither pydantic nor Helm.
    from chartgen.check import check_paths
    from chartgen.package.write import pack, package_name

    results: list[BuildResult] = []
    findings: list[Finding] = []
    unreadable = False
    # Two specs of one name would write one package in turns; the first one keeps the name.
    owners = {
        package["name"]: key.rpartition(" ")[0]
        for key, entry in entries.items()
        for package in entry["packages"]
    }
    for path in paths:
        report = check_paths(folder, [path], platforms)
        unreadable = unreadable or report.unreadable
        findings += report.findings
        on_progress(path.name)
        taken = [_name_taken(app.loaded, owners) for app in report.apps]
        findings += [item for item in taken if item is not None]
        if not report.apps or not report.apps[0].sound or any(taken):
            name = report.apps[0].loaded.spec.name if report.apps else path.stem
            number = report.apps[0].loaded.spec.version if report.apps else ""
            results.append(
                BuildResult(path.as_posix(), name, number, platforms[0], None, 0, "", "failed")
            )
            continue
        app = report.apps[0]
        packages = []
        for platform, chart in app.charts.items():
            data = pack(chart)
            name = package_name(app.loaded.spec.name, app.loaded.spec.version)
            target = output / name if platform == "modern" else output / platform / name
            digest = hashlib.sha256(data).hexdigest()
            if not dry_run:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(target, data)
            result = BuildResult(
                path.as_posix(),
                app.loaded.spec.name,
                app.loaded.spec.version,
                platform,
                target,
                len(data),
                digest,
                "built",
            )
            results.append(result)
            packages.append(_package_entry(result, output))
        if packages:
            entries[f"{path.as_posix()} {','.join(platforms)}"] = {
                "maker": made_by,
                "inputs": spec_inputs(
                    folder, path, app.loaded.files, app.loaded.absent, app.loaded.folders
                ),
                "packages": packages,
                "findings": finding_entries(report.findings),
            }
    return BuildReport(tuple(results), in_order(findings), unreadable), unreadable


def _name_taken(loaded: LoadedSpec, owners: dict[str, str]) -> Finding | None:
    """Return a finding where another spec of this build has the name; else claim it."""
    owner = owners.setdefault(loaded.spec.name, loaded.file)
    if owner == loaded.file:
        return None
    from chartgen.lint.rules import finding

    message = f"the name {loaded.spec.name!r} is also that of {owner}"
    return finding("app-name-taken", loaded.place("name"), message)


def _package_entry(result: BuildResult, output: Path) -> dict[str, Any]:
    assert result.package is not None
    return {
        "name": result.name,
        "version": result.version,
        "platform": result.platform,
        "package": result.package.relative_to(output).as_posix(),
        "size_bytes": result.size_bytes,
        "digest": result.digest,
    }


def _kept(entry: Any, made_by: str, now: InputsNow, path: Path, output: Path) -> BuildReport | None:
    """Return a former build whose inputs and packages are as they were, else None."""
    try:
        if entry is None or entry["maker"] != made_by or not now.are(entry["inputs"]):
            return None
        packages = entry["packages"]
        if any(file_digest(output / item["package"]) != item["digest"] for item in packages):
            return None
        results = tuple(_kept_package(item, path, output) for item in packages)
        return BuildReport(results, findings_of(entry["findings"]), unreadable=False)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _kept_package(item: Mapping[str, Any], path: Path, output: Path) -> BuildResult:
    return BuildResult(
        path.as_posix(),
        item["name"],
        item["version"],
        item["platform"],
        output / item["package"],
        item["size_bytes"],
        item["digest"],
        "unchanged",
    )
