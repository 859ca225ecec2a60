"""One line of the ledger: a release that was published, or the retirement of an app.

Each line holds a seal, the SHA-256 over the rest of it, and the seal of the line before. So a line
that was changed, dropped, or merged from two clones is noticed wherever it stands.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Kind = Literal["release", "retired"]
_FIELDS = frozenset(
    {
        "serial",
        "previous",
        "kind",
        "name",
        "version",
        "date",
        "changes",
        "packages",
        "icon",
        "settings",
        "reason",
        "seal",
    }
)


@dataclass(frozen=True, slots=True)
class PackageRecord:
    """One package of a release.

    `file` is relative to `market/releases/`, `sha256` that of the `.tgz`, `content_digest` that of
    the chart (`Chart.content_digest`), which a build without a bump is compared with.
    """

    platform: str
    file: str
    sha256: str
    content_digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """One (name, version) that was ever published; never changed, never reused.

    `serial` counts over the whole ledger from 1, `previous` is the seal of the line before.
    `date` is UTC, `2026-11-21T18:00:00Z`. `settings` is the spec as plain data, `workload` the
    digest of what it runs, which measurements have too (empty in lines of an earlier chartgen). A
    retirement has the kind `retired`, the version it freezes, no packages, and a `reason` for
    people.
    """

    serial: int
    previous: str
    kind: Kind
    name: str
    version: str
    date: str
    changes: tuple[str, ...] = ()
    packages: tuple[PackageRecord, ...] = ()
    icon: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    workload: str = ""

    @property
    def number(self) -> tuple[int, int, int]:
        """Return the version as three numbers, which compare as versions do."""
        major, minor, patch = (int(part) for part in self.version.split("."))
        return major, minor, patch

    def package(self, platform: str) -> PackageRecord | None:
        """Return the package for a platform, if the release has one."""
        return next((item for item in self.packages if item.platform == platform), None)


def release_line(release: Release) -> bytes:
    """Write a release as its line of the ledger: JSON, keys sorted, ending in a newline."""
    return f"{_json(_data(release) | {'seal': seal(release)})}\n".encode()


def seal(release: Release) -> str:
    """Return the SHA-256 over all that a line says, which the next line holds as `previous`."""
    return hashlib.sha256(_json(_data(release)).encode()).hexdigest()


def _data(release: Release) -> dict[str, Any]:
    # `asdict` copies all settings: it takes ten times as long as writing them.
    data = {item.name: getattr(release, item.name) for item in fields(release)}
    if not release.workload:
        # The seals of lines from before it was recorded are over what those lines say.
        del data["workload"]
    return data | {"packages": [asdict(package) for package in release.packages]}


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def parse_line(line: bytes) -> Release:
    """Read a line of the ledger.

    Raises ValueError where it is no such line: broken JSON, missing or unknown fields.
    """
    return parse_sealed(line)[0]


def parse_sealed(line: bytes) -> tuple[Release, str]:
    """Return what a line says, and its seal. Raises ValueError as `parse_line` does."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the line is no JSON ({error})") from None
    if not isinstance(data, dict) or data.keys() - {"workload"} != _FIELDS:
        raise ValueError("the line has not the fields of a release")
    sealed = data.pop("seal")
    try:
        packages = tuple(PackageRecord(**item) for item in data.pop("packages"))
        release = Release(**data | {"packages": packages, "changes": tuple(data["changes"])})
        _ = release.number
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"a field of the line has another type ({error})") from None
    if seal(release) != sealed:
        raise ValueError("the line was changed after it was written")
    if release.kind not in {"release", "retired"}:
        raise ValueError(f"a line is a release or a retirement, not {release.kind!r}")
    return release, sealed
