"""Lint of a built chart: every rule of the device's own lint, and what devices and markets need.

The sources of the rules are listed in `rules_data/chart.yaml`; olares-manifest §3 names the files
of the device's lint (beclab/Olares, framework/oac) that each of them stands in.
"""

from __future__ import annotations

from chartgen.chart import Chart
from chartgen.errors import MissingToolError
from chartgen.findings import Finding, in_order
from chartgen.lint.layout import check_layout
from chartgen.lint.manifest import check_manifest
from chartgen.lint.manifest_reading import Manifest, read_manifests
from chartgen.lint.rendered import check_rendered, not_checked
from chartgen.lint.templates import check_templates
from chartgen.lint.translations import check_translations


def lint_chart(chart: Chart, *, render: bool = True) -> tuple[Finding, ...]:
    """Return all findings on a chart, whoever made it.

    With `render` the chart is rendered as devices and the market do and the objects are checked
    too. (A manifest that is a template is rendered in any case; it cannot be read otherwise.)
    Where the packages for that are not installed, one finding says which checks did not run.
    """
    findings: list[Finding] = []
    manifests: tuple[Manifest, ...] = ()
    try:
        manifests, problems = read_manifests(chart)
        findings += problems
    except MissingToolError as error:
        what = "the manifest, which has to be rendered, and all that depends on it"
        findings.append(not_checked(chart, what, error))
    # Files and templates are the same whoever installs the app; the administrator's reading, which
    # comes first, is the one with everything in it.
    manifest = manifests[0] if manifests else None
    findings += check_layout(chart, manifest)
    findings += check_translations(chart, manifest)
    for reading in manifests:
        findings += check_manifest(reading)
    if manifest is not None:
        findings += check_templates(chart, manifest)
    if render and manifest is not None:
        try:
            findings += check_rendered(chart, manifest)
        except MissingToolError as error:
            findings.append(not_checked(chart, "renders and all rendered objects", error))
    return in_order(findings)
