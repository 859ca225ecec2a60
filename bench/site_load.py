"""Builds the site of a market that `bench.site` measures, in a process of its own.

`python -m bench.site_load write ROOT FOLDER SIZE...` makes the markets: a ledger for each size, and
the charts of the market in ROOT, of which all packages are copies under other names.
`python -m bench.site_load build FOLDER SIZE` builds one site and prints what that cost as JSON.

Ten thousand packages are a gigabyte. So none is kept: each is made when it is read, and what that
takes is not counted. What stays in memory of it are the charts that they are copies of.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from bench.measure import PEAK_UNITS_PER_MIB, Cost
from bench.worker_market import renamed
from chartgen.chart import Chart
from chartgen.check import CheckedApp
from chartgen.market.catalog import build_catalog
from chartgen.market.layout import MARKET_FILE
from chartgen.market.page import page_files
from chartgen.market.settings import load_market
from chartgen.market.site import Site, build_site
from chartgen.olares.names import app_id
from chartgen.package.read import read_package
from chartgen.package.write import pack, package_name
from chartgen.release.ledger import ICONS, LEDGER, Ledger, chained, read_ledger
from chartgen.release.plan import PLATFORM_FOLDERS
from chartgen.release.record import PackageRecord, Release, release_line
from chartgen.release.workspace import read_workspace
from chartgen.spec.load import icon_file

_DATE = "2026-11-21T18:00:00Z"
# Names have at most 30 characters (olares-manifest 2.1), of which five are the number.
_NAME_STEM, _DIGITS = 25, 5
SOURCES = "sources"


def write_markets(root: Path, folder: Path, sizes: list[int]) -> None:
    """Write a market for each size below `folder`, and the charts that their apps copy."""
    workspace = read_workspace(root)
    apps = [app for app in workspace.apps if app.charts]
    for index, app in enumerate(apps):
        source = folder / SOURCES / str(index)
        source.mkdir(parents=True)
        for platform, chart in app.charts.items():
            (source / f"{platform}.tgz").write_bytes(pack(chart))
        icon = icon_file(app.loaded.spec)
        if icon is not None:
            (source / "icon.png").write_bytes(app.loaded.files[icon])
    copies = Copies(folder / SOURCES)
    stems = [app.loaded.spec.name[:_NAME_STEM] for app in apps]
    releases = [
        _release(apps[number % len(apps)], name, copies)
        for number, name in itertools.islice(_names(stems), max(sizes))
    ]
    lines = [release_line(release) for release in chained(Ledger(), releases)]
    for size in sizes:
        market = folder / str(size)
        (market / LEDGER).parent.mkdir(parents=True)
        (market / LEDGER).write_bytes(b"".join(lines[:size]))
        shutil.copy(root / MARKET_FILE, market / MARKET_FILE)


def _release(app: CheckedApp, name: str, copies: Copies) -> Release:
    """Return the first release of a copy of an app."""
    spec, packages, icon = app.loaded.spec, [], ""
    for platform in app.charts:
        path = f"{PLATFORM_FOLDERS[platform]}/{package_name(name, spec.version)}"
        data = copies.package(platform, name)
        digest = hashlib.sha256(data).hexdigest()
        packages.append(PackageRecord(platform, path, digest, digest, len(data)))
    if icon_file(spec) is not None:
        icon = f"{name}-{hashlib.sha256(copies.icon(name)).hexdigest()[:8]}.png"
    return Release(
        serial=0,
        previous="",
        kind="release",
        name=name,
        version=spec.version,
        date=_DATE,
        changes=("First release",),
        packages=tuple(packages),
        icon=icon,
        settings=app.loaded.document.value,
    )


def _names(stems: list[str]) -> Iterator[tuple[int, str]]:
    """Yield numbers and names of apps, without those that a device would take for others."""
    taken = set()
    for number in range(10**_DIGITS):
        name = f"{stems[number % len(stems)]}{number:0{_DIGITS}d}"
        if app_id(name) not in taken:
            taken.add(app_id(name))
            yield number, name


@dataclass
class Copies:
    """Packages and icons of a market, made of a few charts when they are asked for.

    `cpu_seconds` and `wall_seconds` are what the making took so far.
    """

    sources: Path
    cpu_seconds: float = 0
    wall_seconds: float = 0
    charts: dict[Path, Chart] = field(default_factory=dict)

    @cached_property
    def count(self) -> int:
        """Return the number of charts that all apps are copies of."""
        return len(list(self.sources.iterdir()))

    def read(self, path: str) -> bytes:
        """Return a file by its path below `market/releases`."""
        cpu, wall = time.process_time(), time.perf_counter()
        folder, _, file = path.rpartition("/")
        name = file.rpartition("-")[0]
        if folder == ICONS:
            data = self.icon(name)
        else:
            platforms = {place: platform for platform, place in PLATFORM_FOLDERS.items()}
            data = self.package(platforms[folder], name)
        self.cpu_seconds += time.process_time() - cpu
        self.wall_seconds += time.perf_counter() - wall
        return data

    def package(self, platform: str, name: str) -> bytes:
        """Return the package of an app for a platform."""
        path = self._source(name) / f"{platform}.tgz"
        if path not in self.charts:
            self.charts[path] = read_package(path.read_bytes(), path.name)
        return pack(renamed(self.charts[path], name))

    def icon(self, name: str) -> bytes:
        """Return the icon of an app."""
        return (self._source(name) / "icon.png").read_bytes()

    def _source(self, name: str) -> Path:
        return self.sources / str(int(name[-_DIGITS:]) % self.count)


def built(folder: Path, size: int) -> tuple[Site, Cost]:
    """Build the site of a market that `write_markets` wrote; return it and what it took."""
    copies = Copies(folder / SOURCES)
    market, findings = load_market(folder / str(size))
    if market is None:
        raise ValueError(f"market.yaml has errors: {findings}")
    cpu, wall = time.process_time(), time.perf_counter()
    catalog = build_catalog(market, read_ledger(folder / str(size)), copies.read)
    site = build_site(catalog, copies.read, page_files(catalog, copies.read))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / PEAK_UNITS_PER_MIB
    return site, Cost(cpu - copies.cpu_seconds, wall - copies.wall_seconds, peak)


def main() -> int:
    """Do what the command line says."""
    what, *words = sys.argv[1:]
    if what == "write":
        root, folder, *sizes = words
        write_markets(Path(root), Path(folder), [int(size) for size in sizes])
        return 0
    folder, size = words
    _, cost = built(Path(folder), int(size))
    sys.stdout.write(json.dumps(asdict(cost)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
