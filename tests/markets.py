"""Markets for tests: a ledger and its files, with real packages, in memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from chartgen.evidence.files import evidence_name
from chartgen.evidence.record import Measurement, measurement_json
from chartgen.market.catalog import Catalog, build_catalog
from chartgen.market.evidence import AppEvidence, Beside
from chartgen.market.settings import MarketSettings
from chartgen.market.site import Site, SiteFile, build_site
from chartgen.package.write import pack, package_name
from chartgen.release.ledger import Ledger, chained, parse_ledger
from chartgen.release.record import PackageRecord, Release, release_line
from tests.specs import chart, png

FOLDERS = {"modern": "packages", "legacy": "packages/legacy"}
BOTH = ("modern", "legacy")
SETTINGS = MarketSettings.model_validate(
    {
        "title": "Sample",
        "url": "https://market.example.com",
        "developer": "somebody",
        "categories": [{"name": "Models", "titles": {"zh-CN": "模型"}}, "Developer"],
    }
)
# What a text may hold: what YAML, JSON, Go templates and HTML each read as something else.
AWKWARD = 'on: "{{ .Values.x }}" \\n\u2028 <b>&amp;</b> \U0001f600 $(x) #'


@dataclass(frozen=True)
class Market:
    """A market as it lies on disk, but in memory."""

    settings: MarketSettings
    ledger: Ledger
    files: Mapping[str, bytes]
    beside: Beside = field(default_factory=Beside)

    def read(self, path: str) -> bytes:
        return self.files[path]

    def catalog(self) -> Catalog:
        return build_catalog(self.settings, self.ledger, self.read, beside=self.beside)

    def site(self, pages: Mapping[str, SiteFile] | None = None) -> Site:
        return build_site(self.catalog(), self.read, pages)

    def with_settings(self, **changes: Any) -> Market:
        data = self.settings.model_dump() | changes
        return replace(self, settings=MarketSettings.model_validate(data))

    def measured(self, *measurements: Measurement) -> Market:
        """The market with evidence beside its specs, in the order given."""
        files: dict[str, list[tuple[str, bytes]]] = {}
        for found in measurements:
            kept = files.setdefault(found.app, [])
            name = evidence_name(found.version, found.kind, len(kept) + 1)
            kept.append((name, measurement_json(found)))
        evidence = {app: AppEvidence(app, tuple(kept)) for app, kept in files.items()}
        return replace(self, beside=Beside(evidence))

    def grown(self, *releases: tuple[Release, Mapping[str, bytes]]) -> Market:
        """The market after further lines of the ledger."""
        lines = chained(self.ledger, [line for line, _ in releases])
        ledger = parse_ledger(self.ledger.data + b"".join(release_line(line) for line in lines))
        files = dict(self.files)
        for _, made in releases:
            files |= made
        return replace(self, ledger=ledger, files=files)


EMPTY = Market(SETTINGS, Ledger(), {})


def date(day: int) -> str:
    return f"2026-11-{day:02}T18:00:00Z"


def released(
    name: str,
    version: str,
    day: int = 1,
    platforms: Sequence[str] = BOTH,
    notes: Sequence[str] = ("A change",),
    **spec: Any,
) -> tuple[Release, dict[str, bytes]]:
    """A release of the small app under another name, with a merge patch applied to its spec."""
    changes = {"name": name, "version": version, "changes": {version: list(notes)}, **spec}
    files: dict[str, bytes] = {}
    packages = []
    with tempfile.TemporaryDirectory() as folder:
        for platform in platforms:
            made = chart(Path(folder), changes, platform)
            data = pack(made)
            path = f"{FOLDERS[platform]}/{package_name(name, version)}"
            digest = hashlib.sha256(data).hexdigest()
            packages.append(PackageRecord(platform, path, digest, made.content_digest(), len(data)))
            files[path] = data
    icon = f"{name}-{hashlib.sha256(png()).hexdigest()[:8]}.png"
    files[f"icons/{icon}"] = png()
    line = Release(
        0,
        "",
        "release",
        name,
        version,
        date(day),
        tuple(notes),
        tuple(packages),
        icon,
        {"name": name, "version": version},
    )
    return line, files


def retired(
    name: str, version: str, day: int = 9, reason: str = "Not maintained any more"
) -> tuple[Release, dict[str, bytes]]:
    return Release(0, "", "retired", name, version, date(day), reason=reason), {}


@cache
def sample() -> Market:
    """Six apps with all that may happen to them.

    `alpha` has no legacy package since its second version, `beta` two languages and awkward texts,
    `gamma` a legacy package only, `delta` a modern one only and is retired, `epsilon` is retired
    with both, `zeta` has a version as long as a device takes.
    """
    return EMPTY.grown(
        released("alpha", "1.0.0", 1),
        released("alpha", "1.1.0", 2, ("modern",), ("Faster", "Smaller")),
        released(
            "beta",
            "0.3.0",
            2,
            title="Beta",
            summary=AWKWARD,
            about=f"First line\n\n{AWKWARD}",
            categories=["Models", "Wörkspace"],
            i18n={"zh-CN": {"title": "贝塔", "summary": "一个小应用"}},
        ),
        released("gamma", "0.1.0", 3, ("legacy",)),
        released("delta", "2.0.0", 3, ("modern",), categories=["Gone"]),
        released("epsilon", "1.0.0", 4),
        retired("delta", "2.0.0", 5),
        retired("epsilon", "1.0.0", 6),
        released("alpha", "1.1.1", 7, ("modern",)),
        released("zeta", "1000.20000.30000", 8, categories=["Developer"]),
    )


@cache
def sample_site() -> Site:
    return sample().site()
