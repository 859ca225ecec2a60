"""Building: check, render, package, and write what changed into a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chartgen import __version__
from chartgen.files import write_atomically
from chartgen.findings import Finding, Place, Severity, in_order
from chartgen.resources import template_folder

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
    record = _read_record(output)
    maker = _maker()
    results: list[BuildResult] = []
    findings: list[Finding] = []
    fresh: list[Path] = []
    entries: dict[str, Any] = {}
    for path in paths:
        key = f"{path.as_posix()} {','.join(platforms)}"
        entry = record.get(key)
        if entry is not None and _holds(entry, maker, folder, output):
            on_progress(path.name)
            entries[key] = entry
            results += [_kept(item, path, output) for item in entry["packages"]]
            findings += [_finding(item) for item in entry["findings"]]
        else:
            fresh.append(path)
    unreadable = False
    if fresh:
        made, unreadable = _build(
            folder, fresh, platforms, output, dry_run, on_progress, maker, entries
        )
        results += made.results
        findings += made.findings
    if not dry_run and (fresh or entries != record):
        _write_record(output, record | entries)
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
    maker: str,
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
            inputs = {path.as_posix(): _file_digest(folder / path)}
            for relative in app.loaded.files:
                named = path.parent / relative
                inputs[named.as_posix()] = _file_digest(folder / named)
            inputs["market/market.yaml"] = _file_digest(folder / "market" / "market.yaml")
            entries[f"{path.as_posix()} {','.join(platforms)}"] = {
                "maker": maker,
                "inputs": dict(sorted(inputs.items())),
                "packages": packages,
                "findings": [_finding_entry(item) for item in report.findings],
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


def _maker() -> str:
    """Return a digest of everything but the specs that a package depends on."""
    digest = hashlib.sha256(__version__.encode())
    files = [
        file
        for top in (Path(__file__).parent, template_folder())
        for file in sorted(top.rglob("[!.]*"))
        if file.suffix != ".pyc" and file.is_file()
    ]
    for name in ("helm_python", "kubernetes_validate"):
        # Their versions would say the same, but take a sixth of an unchanged build to find.
        package = find_spec(name)
        if package is not None and package.origin is not None:
            files.append(Path(package.origin))
    # Sizes and times: enough to notice an edit or an update, and cheap.
    for file in files:
        facts = file.stat()
        digest.update(f"{file} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _holds(entry: Mapping[str, Any], maker: str, folder: Path, output: Path) -> bool:
    """Tell whether the inputs and the packages of a former build are as they were."""
    return (
        entry["maker"] == maker
        and all(_file_digest(folder / name) == was for name, was in entry["inputs"].items())
        and all(
            _file_digest(output / item["package"]) == item["digest"] for item in entry["packages"]
        )
    )


def _file_digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _read_record(output: Path) -> dict[str, Any]:
    try:
        record = json.loads((output / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write_record(output: Path, record: Mapping[str, Any]) -> None:
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, sort_keys=True, indent=1)
    write_atomically(output / RECORD, f"{text}\n".encode())


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


def _kept(item: Mapping[str, Any], path: Path, output: Path) -> BuildResult:
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


def _finding_entry(item: Finding) -> dict[str, Any]:
    place = item.place
    return {
        "rule": item.rule,
        "severity": item.severity.value,
        "place": [place.file, place.line, place.column, place.path],
        "message": item.message,
        "remedy": item.remedy,
    }


def _finding(entry: Mapping[str, Any]) -> Finding:
    return Finding(
        entry["rule"],
        Severity(entry["severity"]),
        Place(*entry["place"]),
        entry["message"],
        entry["remedy"],
    )
