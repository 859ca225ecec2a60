"""Checks on the text of a chart's templates: what they refer to and whether it will be there.

The device's lint scans the same files line by line (oac chartscan.go and appdata.go,
olares-manifest §3.3, L3, L4 and L8), but looks for `appdata` where a device injects `appData`, so
that its own check of storage never fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from chartgen.chart import Chart
from chartgen.findings import Finding, Place
from chartgen.lint.chart_files import chart_file, template_files
from chartgen.lint.device_yaml import read_device_yaml
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding
from chartgen.olares.values import AREAS

_COMMENT = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.DOTALL)
# Both `.Values.olaresEnv.NAME` and `index .Values.olaresEnv "NAME"`. Patterns that begin with a
# plain text are several times faster to search for.
_AREA = re.compile(r'\.Values\.userspace(?:\.([A-Za-z_]\w*)|\s+"([^"]+)")')
_VARIABLE = re.compile(r'\.Values\.olaresEnv(?:\.([A-Za-z_]\w*)|\s+"([^"]+)")')
# What makes do without a value.
_GUARD = re.compile(r"\b(?:default|coalesce|if|with|and|or|not|empty|ternary|dig|get)\b")
_EXTERNAL = re.compile(r"\.Values\.sharedlib\b")
_IMAGE = re.compile(r"image:(?<![\w-]image:).*\.Values\.(?!olaresEnv\b)([\w.]+)")
_OLARES_USER = re.compile(r"\bOLARES_USER")
# As the lint's scanner has them (oac chartscan.go): by document, the first `replicas:` of each.
_DOCUMENT_END = re.compile(r"^---\s*$", re.MULTILINE)
_WORKLOAD = re.compile(
    r"^[ \t]*kind:[ \t]*[\"']?(?:Deployment|StatefulSet)[\"']?[ \t\r]*$", re.MULTILINE
)
_REPLICAS = re.compile(r"^[ \t]*replicas:[ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE)
_COUNT = re.compile(
    r"\.Values\.workloads\.(\w+)\.replicaCount"
    r"|index\s+\.Values\.workloads\s+\"([^\"]+)\"\s*\)\s*\.replicaCount"
)


def check_templates(chart: Chart, manifest: Manifest) -> Iterator[Finding]:
    """Check what the templates and values of a chart refer to."""
    for path, text in template_files(chart):
        file = chart_file(chart, path)
        yield from _check_references(file, text, manifest)
        if path.endswith((".yaml", ".yml")):
            yield from _check_replicas(file, text, manifest)
    if manifest.api == "v3":
        yield from _check_user_variables(chart)
    yield from _check_values(chart, manifest)


def _check_references(file: str, source: str, manifest: Manifest) -> Iterator[Finding]:
    # Most of a chart is text without any reference, and the patterns are slow in comparison.
    if ".Values." not in source:
        return
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), source)
    seen: set[tuple[str, str]] = set()
    for rule, name, message, position in _faults(text, manifest):
        if (rule, name) not in seen:
            seen.add((rule, name))
            yield finding(rule, Place(file, text.count("\n", 0, position) + 1), message)


def _faults(text: str, manifest: Manifest) -> Iterator[tuple[str, str, str, int]]:
    """Yield rule, name, message and position of each reference that will come up empty."""
    for match in _AREA.finditer(text):
        area = match[1] or match[2]
        if area not in AREAS:
            message = f"no device injects .Values.userspace.{area}"
            yield "storage-unknown", area, message, match.start()
        elif not manifest.get("permission", area):
            message = f".Values.userspace.{area} is used without permission.{area}"
            yield "storage-not-permitted", area, message, match.start()
    if manifest.modern and not manifest.flag("permission", "externalData"):
        for match in _EXTERNAL.finditer(text):
            message = ".Values.sharedlib is used without permission.externalData"
            yield "storage-not-permitted", "sharedlib", message, match.start()
    declared = {env.get("envName") for env in manifest.items("envs")}
    for match in _VARIABLE.finditer(text):
        name = match[1] or match[2]
        if name not in declared and not _GUARD.search(_action(text, match.start())):
            message = f".Values.olaresEnv.{name} is used, but envs does not declare {name}"
            yield "env-undeclared", name, message, match.start()
    for match in _IMAGE.finditer(text):
        message = f"an image comes from .Values.{match[1]}"
        yield "image-from-values", match[1], message, match.start(1)


def _action(text: str, position: int) -> str:
    """Return the template action around a position."""
    start = max(text.rfind("{{", 0, position), 0)
    end = text.find("}}", position)
    return text[start : end if end >= 0 else len(text)]


def _check_replicas(file: str, text: str, manifest: Manifest) -> Iterator[Finding]:
    replicas = manifest.get("workloadReplicas")
    if replicas is None:
        return
    start = 0
    for end in [*(match.start() for match in _DOCUMENT_END.finditer(text)), len(text)]:
        document = text[start:end]
        found = _REPLICAS.search(document)
        if found and _WORKLOAD.search(document):
            place = Place(file, text.count("\n", 0, start + found.start(1)) + 1)
            count = _COUNT.search(found[1])
            name = (count[1] or count[2]) if count else ""
            if not count:
                yield finding("replicas-not-wired", place, f"replicas is {found[1]}")
            elif name not in replicas:
                message = f"replicas follows {name}, which workloadReplicas does not list"
                yield finding("replicas-not-wired", place, message)
        start = end


def _check_user_variables(chart: Chart) -> Iterator[Finding]:
    for path in chart.files:
        parts = path.split("/")
        template = len(parts) > 1 and parts[-2] == "templates"
        scanned = parts[-1] in {"values.yaml", "values.yml"} or (
            template and path.lower().endswith((".yaml", ".yml"))
        )
        text = (chart.text(path) or "") if scanned else ""
        found = _OLARES_USER.search(text) if "OLARES_USER" in text else None
        if found:
            place = Place(chart_file(chart, path), text.count("\n", 0, found.start()) + 1)
            yield finding("olares-user-in-chart", place, f"{path} names an OLARES_USER variable")


def _check_values(chart: Chart, manifest: Manifest) -> Iterator[Finding]:
    if "values.yaml" not in chart.files:
        return
    file = chart_file(chart, "values.yaml")
    document, problems = read_device_yaml(chart.files["values.yaml"], file)
    yield from problems
    replicas = manifest.get("workloadReplicas")
    if document is None or not replicas:
        return
    values = document.value if isinstance(document.value, Mapping) else {}
    workloads = values.get("workloads")
    for name in sorted(replicas):
        entry = workloads.get(name) if isinstance(workloads, Mapping) else None
        if not isinstance(entry, Mapping) or "replicaCount" not in entry:
            message = f"values.yaml lacks workloads.{name}.replicaCount"
            place = document.place(("workloads", name))
            yield finding("replica-count-missing", place, message)
