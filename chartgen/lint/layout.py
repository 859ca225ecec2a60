"""Checks on the files of a chart: which there are, how large, and whether names agree.

The device's lint has the required files and the agreement of names and versions in oac
internal/chartfolder/folder.go (olares-manifest §3.3, L1 and L2); the market's demands on names,
versions and size are those of market-protocol-v1 §6.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any

from chartgen.chart import Chart
from chartgen.document import Document
from chartgen.findings import Finding, Place
from chartgen.lint.chart_files import MANIFEST, chart_file
from chartgen.lint.device_yaml import read_device_yaml, scalar_as_text
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding
from chartgen.olares.constraint import parse_constraint
from chartgen.olares.names import (
    APP_NAME,
    APP_VERSION,
    FOLDER_NAME,
    MAX_APP_VERSION,
    RESERVED_FOLDERS,
    official_apps,
)
from chartgen.package import tar

# A device gives download and render of a chart three seconds in all (market-protocol-v1 §2.8).
MAX_PACKED_BYTES = 1024 * 1024
# What Helm takes for the cluster's version where none is asked, as in the device's lint (helm v3
# pkg/chartutil/capabilities.go).
_LINT_KUBERNETES = "1.20.0"
_REQUIRED = ("Chart.yaml", "values.yaml", MANIFEST)
# What editors, archivers and version control leave behind.
_STRAY = re.compile(
    r"(?:.*/)?(?:\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini|[^/]*~|[^/]*\.(?:orig|rej|swp|bak)"
    r"|\.git/.*|__MACOSX/.*|__pycache__/.*|\.env(?:\.[^/]*)?)"
)
# Tokens of model hubs and code hosts by their fixed prefixes, and private keys.
_SECRET = re.compile(
    rb"\b(hf_[A-Za-z0-9]{30,}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})\b"
    rb"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
)
# One of these is in every secret; looking for them is far cheaper than the pattern.
_SECRET_MARKS = (
    b"hf_",
    b"ghp_",
    b"gho_",
    b"ghu_",
    b"ghs_",
    b"ghr_",
    b"github_pat_",
    b"PRIVATE KEY-",
)


def check_layout(chart: Chart, manifest: Manifest | None) -> Iterator[Finding]:
    """Check files, names, versions and size. `manifest` is None where it cannot be read."""
    for path in _REQUIRED:
        if path not in chart.files:
            place = Place(chart_file(chart, path))
            yield finding("chart-file-missing", place, f"the chart has no {path}")
    for name in _subcharts(manifest) if manifest is not None else ():
        if f"{name}/Chart.yaml" not in chart.files:
            place = Place(chart_file(chart, f"{name}/Chart.yaml"))
            message = f"spec.subCharts names {name}, the chart has no {name}/Chart.yaml"
            yield finding("chart-file-missing", place, message)
    if not any(path.startswith("templates/") for path in chart.files):
        place = Place(chart_file(chart, "templates"))
        yield finding("chart-file-missing", place, "the chart has no folder templates")
    document: Document | None = None
    if "Chart.yaml" in chart.files:
        file = chart_file(chart, "Chart.yaml")
        document, problems = read_device_yaml(chart.files["Chart.yaml"], file)
        yield from problems
    yield from _check_name(chart, document, manifest)
    yield from _check_version(document, manifest)
    yield from _check_content(chart)


def _subcharts(manifest: Manifest) -> list[str]:
    """Return the names of the charts that a v2 app is installed from."""
    entries = manifest.items("spec", "subCharts") if manifest.api == "v2" else []
    return [name for entry in entries if (name := entry.get("name") or "")]


def _check_name(
    chart: Chart, document: Document | None, manifest: Manifest | None
) -> Iterator[Finding]:
    folder = Place(chart_file(chart, ""))
    name = chart.name
    if not FOLDER_NAME.fullmatch(name):
        message = f"the chart is called {name!r}, not 1 to 30 small letters and digits"
        yield finding("chart-name", folder, message)
    elif not APP_NAME.fullmatch(name):
        yield finding("chart-name-digit", folder, f"the name {name} does not begin with a letter")
    if name.lower() in RESERVED_FOLDERS:
        yield finding("chart-name-reserved", folder, f"{name} is a reserved name")
    elif name in official_apps():
        yield finding("chart-name-official", folder, f"{name} is an app of the official market")
    if document is not None:
        yield from _check_fields(document)
        if _field(document, "name") not in {"", name}:
            message = f"Chart.yaml says name {_field(document, 'name')}, the folder is {name}"
            yield finding("chart-name-differs", document.place(("name",)), message)
    if manifest is not None and manifest.name not in {"", name}:
        message = f"{MANIFEST} says name {manifest.name}, the folder is {name}"
        yield finding("chart-name-differs", manifest.place("metadata", "name"), message)


def _check_fields(document: Document) -> Iterator[Finding]:
    if not isinstance(document.value, dict):
        yield finding("chart-field-missing", document.place(()), "Chart.yaml holds no mapping")
        return
    for field in ("apiVersion", "name", "version"):
        if not _field(document, field):
            place = document.place((field,))
            yield finding("chart-field-missing", place, f"Chart.yaml lacks {field}")
    wanted = _field(document, "kubeVersion")
    if wanted and not _allows(wanted, _LINT_KUBERNETES):
        message = f"kubeVersion {wanted!r} does not let in {_LINT_KUBERNETES}"
        yield finding("kube-version", document.place(("kubeVersion",)), message)


def _allows(constraint: str, version: str) -> bool:
    """Tell whether a range of versions lets a version in; what is no range lets none in."""
    try:
        return parse_constraint(constraint).allows(version)
    except ValueError:
        return False


def _check_version(document: Document | None, manifest: Manifest | None) -> Iterator[Finding]:
    packed = _field(document, "version") if document is not None else ""
    if manifest is not None and manifest.version:
        version = manifest.version
        place = manifest.place("metadata", "version")
        if packed and packed != version:
            message = f"{MANIFEST} has version {version}, Chart.yaml has {packed}"
            yield finding("chart-version-differs", place, message)
        if not APP_VERSION.fullmatch(version) or len(version) > MAX_APP_VERSION:
            message = (
                f"version {version!r} is not X.Y.Z in digits without leading zeros, "
                f"at most {MAX_APP_VERSION} characters"
            )
            yield finding("chart-version", place, message)
    if document is not None and manifest is not None:
        app_version = _field(document, "appVersion")
        version_name = manifest.text("spec", "versionName")
        if app_version != version_name:
            message = (
                f"spec.versionName is {version_name or 'missing'}, "
                f"appVersion in Chart.yaml is {app_version or 'missing'}"
            )
            place = manifest.place("spec", "versionName")
            yield finding("version-name-differs", place, message)


def _check_content(chart: Chart) -> Iterator[Finding]:
    for path, data in chart.files.items():
        place = Place(chart_file(chart, path))
        if _STRAY.fullmatch(path):
            yield finding("stray-file", place, f"{path} does not belong into a chart")
        found = _SECRET.search(data) if any(mark in data for mark in _SECRET_MARKS) else None
        if found:
            line = data.count(b"\n", 0, found.start()) + 1
            what = "a private key" if found[1] is None else f"a token {found[1][:4].decode()}…"
            message = f"{path} holds {what}"
            yield finding("secret-in-chart", Place(place.file, line), message)
    # Compression only shrinks what is checked here, so that small charts need none.
    if sum(map(len, chart.files.values())) > MAX_PACKED_BYTES:
        size = len(gzip.compress(tar.encode(chart.files), mtime=0))
        if size > MAX_PACKED_BYTES:
            message = f"the package has {size:,} bytes, more than {MAX_PACKED_BYTES:,}"
            yield finding("chart-too-large", Place(chart_file(chart, "")), message)


def _field(document: Document, name: str) -> str:
    value: Any = document.value.get(name) if isinstance(document.value, dict) else None
    if value is None or isinstance(value, dict | list):
        return ""
    return scalar_as_text(value)
