"""A chart under another version: all that a version stands in, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chartgen.chart import Chart
from chartgen.document import read_document
from chartgen.errors import RefusedError
from chartgen.yaml_text import yaml_text

_MANIFEST = "OlaresManifest.yaml"


def with_version(chart: Chart, version: str, notes: str) -> Chart:
    """Return a chart with another version and other change notes.

    Raises RefusedError where Chart.yaml or a manifest cannot be read.
    """
    files = dict(chart.files)
    for path, data in chart.files.items():
        if path == "Chart.yaml" or path == _MANIFEST or path.endswith(f"/{_MANIFEST}"):
            document, findings = read_document(data, path)
            if document is None or findings:
                raise RefusedError(f"{chart.origin}: {path} cannot be read; roll back by hand")
            files[path] = yaml_text(_moved(document.value, version, notes)).encode()
    return Chart(chart.name, files, chart.origin)


def _moved(value: Any, version: str, notes: str) -> Any:
    """Return a Chart.yaml or manifest with another version and other change notes."""
    if not isinstance(value, Mapping):
        return value
    moved = dict(value)
    for key in ("version", "appVersion", "versionName"):
        if key in moved and re.fullmatch(r"\d+\.\d+\.\d+", str(moved[key])):
            moved[key] = version
    if "upgradeDescription" in moved:
        moved["upgradeDescription"] = notes
    for part in ("metadata", "spec"):
        if part in moved:
            moved[part] = _moved(moved[part], version, notes)
    return moved
