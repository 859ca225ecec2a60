"""Rollback: the content of an earlier release under a new, higher version.

Devices never go back to a lower version, so old content is published as something new. The chart
is taken from the earlier package itself, byte for byte but for the version and the change notes:
what was tested then is what runs again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from chartgen.chart import Chart
from chartgen.errors import RefusedError
from chartgen.package.read import read_package
from chartgen.package.write import pack, package_name
from chartgen.release.ledger import Ledger
from chartgen.release.plan import PLATFORM_FOLDERS
from chartgen.release.record import PackageRecord, Release
from chartgen.release.restated import with_version
from chartgen.release.versions import bumped


def rollback(
    ledger: Ledger,
    name: str,
    read_file: Callable[[str], bytes],
    *,
    to: str | None,
    date: str,
) -> tuple[Release, dict[str, bytes]]:
    """Return a release with the content of an earlier one, and its files.

    `to` names the earlier version, by default the one before the newest. Raises RefusedError
    where there is no such release.
    """
    history = [release for release in ledger.history(name) if release.kind == "release"]
    latest = ledger.latest(name)
    if latest is None or not history:
        raise RefusedError(f"{name} was never released")
    if latest.kind == "retired":
        raise RefusedError(f"{name} was retired on {latest.date[:10]}; its name is reserved")
    earlier = history[:-1]
    if to is not None:
        earlier = [release for release in earlier if release.version == to]
    if not earlier:
        known = ", ".join(release.version for release in history[:-1]) or "none"
        raise RefusedError(f"{name} has no such earlier release; there are: {known}")
    target = earlier[-1]
    version = bumped(latest.version, "patch")
    note = f"Back to the content of {target.version}"
    files: dict[str, bytes] = {}
    packages = []
    for record in target.packages:
        chart = read_package(read_file(record.file), record.file)
        moved = _moved(chart, target.version, version, note)
        data = pack(moved)
        path = f"{PLATFORM_FOLDERS[record.platform]}/{package_name(name, version)}"
        files[path] = data
        digest = hashlib.sha256(data).hexdigest()
        packages.append(
            PackageRecord(record.platform, path, digest, moved.content_digest(), len(data))
        )
    settings = dict(target.settings) | {"version": version}
    settings["changes"] = {version: [note]} | dict(settings.get("changes") or {})
    release = Release(
        0,
        "",
        "release",
        name,
        version,
        date,
        (note,),
        tuple(packages),
        target.icon,
        settings,
        workload=target.workload,
    )
    return release, files


def _moved(chart: Chart, old: str, new: str, note: str) -> Chart:
    moved = with_version(chart, new, note)
    if moved.files["Chart.yaml"] == chart.files["Chart.yaml"]:
        raise RefusedError(f"{chart.origin}: Chart.yaml does not state version {old}")
    return moved
