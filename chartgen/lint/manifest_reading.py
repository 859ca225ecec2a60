"""OlaresManifest.yaml as a device reads it: rendered where it is old, decoded into its types."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from semver import Version

from chartgen.chart import Chart
from chartgen.document import Document
from chartgen.findings import Finding, Place
from chartgen.helm import HelmRenderError, render_text
from chartgen.lint.chart_files import MANIFEST, chart_file
from chartgen.lint.device_yaml import read_device_yaml
from chartgen.lint.manifest_braces import template_syntax
from chartgen.lint.manifest_types import UnknownKey, decode
from chartgen.lint.rules import finding
from chartgen.olares.constraint import lenient_version
from chartgen.olares.values import ADMIN, OWNER, manifest_values

# From this version on a manifest is decoded as it is written (oac, pipeline.go and resources.go).
MODERN = Version(0, 12, 0)

_VERSION_LINE = re.compile(r"^olaresManifest\.version\s*:\s*(.*)$", re.MULTILINE)
_VALUES_USED = re.compile(r"\.Values\.([A-Za-z_][\w.]*)")
_VALUES_GIVEN = frozenset({"admin", "bfl", "bfl.username", "isAdmin"})


@dataclass(frozen=True)
class Manifest:
    """One reading of a manifest: `data` has the device's names and types, nothing else."""

    document: Document
    data: Mapping[str, Any]
    unknown: tuple[UnknownKey, ...] = ()
    # Lines of the file by lines of the rendered text; None where nothing was rendered.
    lines: Mapping[int, int] | None = field(default=None, repr=False)

    def get(self, *path: str | int) -> Any:
        """Return the value at a path, None where any part of it is missing."""
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def text(self, *path: str | int) -> str:
        """Return the text at a path, empty where it is missing."""
        return self.get(*path) or ""

    def flag(self, *path: str | int) -> bool:
        """Return the switch at a path, off where it is missing."""
        return bool(self.get(*path))

    def items(self, *path: str | int) -> list[Any]:
        """Return the list at a path, empty where it is missing."""
        return list(self.get(*path) or ())

    def place(self, *path: str | int) -> Place:
        """Return where a value stands, or the nearest value around it."""
        place = self.document.place(path)
        if self.lines is None:
            return place
        return Place(place.file, self.lines.get(place.line, 0), 0, place.path)

    @property
    def name(self) -> str:
        """`metadata.name`."""
        return self.text("metadata", "name")

    @property
    def version(self) -> str:
        """`metadata.version`."""
        return self.text("metadata", "version")

    @property
    def api(self) -> str:
        """`apiVersion` in lower case; v1 where it is empty."""
        return self.text("apiVersion").strip().lower() or "v1"

    @cached_property
    def modern(self) -> bool:
        """Whether the manifest's own version is 0.12.0 or later."""
        return is_modern(self.text("olaresManifest.version"))

    @property
    def template_only(self) -> bool:
        """Whether only clones of the app are installed, with resources found at install."""
        return self.flag("options", "templateOnly")


def is_modern(version: str) -> bool:
    """Tell whether a manifest version is 0.12.0 or later; what is no version is not."""
    parsed = lenient_version(version)
    return parsed is not None and parsed >= MODERN


def read_manifests(chart: Chart) -> tuple[tuple[Manifest, ...], tuple[Finding, ...]]:
    """Read a chart's manifest: once, or as owner and as another user where it is a template.

    Returns no manifest where there is none or a device cannot read it. Raises MissingToolError
    where it has to be rendered and Helm's library is not installed.
    """
    data = chart.files.get(MANIFEST)
    if data is None:
        return (), ()
    file = chart_file(chart, MANIFEST)
    text = chart.text(MANIFEST)
    if text is None:
        return (), read_device_yaml(data, file)[1]
    version = _peek_version(text)
    if is_modern(version):
        found = template_syntax(text)
        if found:
            line, column, braces = found
            message = f"{braces} stands outside of any string"
            return (), (finding("manifest-template-syntax", Place(file, line, column), message),)
    if is_modern(version) or lenient_version(version) is None or "{{" not in text:
        manifest, findings = _read(data, file, None)
        return (manifest,) if manifest else (), findings
    return _read_rendered(text, file)


def _read_rendered(text: str, file: str) -> tuple[tuple[Manifest, ...], tuple[Finding, ...]]:
    manifests: list[Manifest] = []
    findings = list(_foreign_values(text, file))
    for owner, admin in ((ADMIN, ADMIN), (OWNER, ADMIN)):
        try:
            rendered = render_text(text, manifest_values(owner, admin), release="", namespace="")
        except HelmRenderError as error:
            place = Place(file, error.line, error.column)
            findings.append(finding("manifest-render-failed", place, str(error)))
            continue
        manifest, problems = _read(rendered.encode(), file, _same_lines(rendered, text))
        findings += problems
        if manifest:
            manifests.append(manifest)
    return tuple(manifests), tuple(findings)


def _read(
    data: bytes, file: str, lines: Mapping[int, int] | None
) -> tuple[Manifest | None, tuple[Finding, ...]]:
    document, findings = read_device_yaml(data, file)
    if document is None:
        return None, _moved(findings, lines)
    values, unknown, wrong = decode(document)
    return Manifest(document, values, unknown, lines), _moved((*findings, *wrong), lines)


def _moved(findings: Iterable[Finding], lines: Mapping[int, int] | None) -> tuple[Finding, ...]:
    """Point findings on a rendered text at the lines of its source."""
    if lines is None:
        return tuple(findings)
    return tuple(
        f.at(Place(f.place.file, lines.get(f.place.line, 0), 0, f.place.path)) for f in findings
    )


def _foreign_values(text: str, file: str) -> list[Finding]:
    """Report what a manifest refers to although an install renders it without."""
    findings = []
    for number, line in enumerate(text.split("\n"), start=1):
        for match in _VALUES_USED.finditer(line):
            if match[1] not in _VALUES_GIVEN:
                place = Place(file, number, match.start() + 1)
                findings.append(
                    finding("manifest-foreign-value", place, f"the manifest uses {match[0]}")
                )
    return findings


def _peek_version(text: str) -> str:
    """Return the manifest version as the device finds it before it can read the file."""
    match = _VERSION_LINE.search(text.removeprefix("\ufeff"))
    if match is None:
        return ""
    value = match[1].strip()
    if value[:1] in {'"', "'"}:
        return value[1:-1] if value[-1] == value[0] else value
    return value.partition(" #")[0].strip()


def _same_lines(rendered: str, source: str) -> dict[int, int]:
    """Map the lines of a rendered text to the lines of its source that read the same, once."""
    source_lines = source.split("\n")
    once = {line for line, count in Counter(source_lines).items() if count == 1}
    numbers = {line: number for number, line in enumerate(source_lines, 1) if line in once}
    return {
        number: numbers[line]
        for number, line in enumerate(rendered.split("\n"), start=1)
        if line in numbers
    }
