"""Renders a chart in every way that a device does and checks what comes out.

The device's lint renders once per accelerator mode with made-up values and, to find fixed names,
for two releases and two users (oac chart.go, lintRenderedScenario). Installs and the market
render with values of their own, which no lint tries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from chartgen.chart import Chart
from chartgen.errors import MissingToolError
from chartgen.findings import Finding, Place
from chartgen.helm import (
    HelmRenderError,
    OpenChart,
    Rendered,
    RenderedObject,
    open_chart,
    render_text,
)
from chartgen.lint.chart_files import chart_file, subchart
from chartgen.lint.kubernetes import check_schema
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rendered_containers import check_containers
from chartgen.lint.rendered_links import check_links
from chartgen.lint.rendered_security import (
    check_fixed_names,
    check_namespaces,
    check_security,
)
from chartgen.lint.rendered_workloads import (
    check_clone_name,
    check_limits,
    check_replicas,
    check_startup,
    check_workloads,
)
from chartgen.lint.rules import finding
from chartgen.olares.values import (
    ADMIN,
    AREAS,
    LINT_NAMESPACE,
    OWNER,
    Declarations,
    Scenario,
    lint_values,
    market_values,
    scenarios,
)

# Names that the device's lint gives to its probes (oac internal/resources/cluster_scoped.go).
_RELEASES = ("oac-lint-probe-a", "oac-lint-probe-b")
_USERS = ("oac-lint-user-a", "oac-lint-user-b")
_USERS_RELEASE = "oac-lint-user-release"
# The market renders files of these kinds wherever they stand (market-protocol-v1 §3.2).
_MARKET_RENDERS = (".yaml", ".yml", ".json", ".toml", ".conf", ".config", ".properties")
_FAILED = {
    "lint": "render-lint",
    "device": "render-device",
    "market": "render-market",
    "bare": "render-bare",
}


Objects = Sequence[RenderedObject]


def not_checked(chart: Chart, what: str, error: MissingToolError) -> Finding:
    """Say which checks did not run for want of a package."""
    message = f"not checked: {what} ({error})"
    return finding("checks-skipped", Place(chart_file(chart, "")), message)


def check_rendered(chart: Chart, manifest: Manifest) -> Iterator[Finding]:
    """Yield every finding that needs rendered objects.

    Raises MissingToolError where Helm's library is not installed; without the Kubernetes schemas
    a finding says that they are missing.
    """
    declared = declarations(manifest)
    with ExitStack() as stack:
        opened: list[_Part] = []
        for part, release, shared in _installed_charts(chart, manifest):
            try:
                loaded = stack.enter_context(open_chart(part))
                opened.append(_Part(part, release, shared, loaded))
            except HelmRenderError as error:
                yield finding("render-lint", Place(chart_file(part, "")), str(error))
        if opened:
            yield from _check_renders(chart, manifest, declared, _Renderer(opened))
    yield from _check_market_files(chart, declared)


def declarations(manifest: Manifest) -> Declarations:
    """Return what a manifest declares that shapes the values of a render."""
    permission = manifest.get("permission") or {}
    modes = [entry.get("mode") for entry in manifest.items("spec", "accelerator")]
    return Declarations(
        app=manifest.name or "app",
        modern=manifest.modern,
        entrances=tuple(entry.get("name") or "" for entry in manifest.items("entrances")),
        areas=frozenset(area for area in AREAS if permission.get(area)),
        external_data=manifest.flag("permission", "externalData"),
        envs={
            env.get("envName") or "": env.get("value") or env.get("default") or ""
            for env in manifest.items("envs")
        },
        workloads=tuple(sorted(manifest.get("workloadReplicas") or ())),
        modes=tuple(dict.fromkeys(mode for mode in modes if mode)),
        middleware=_middleware(manifest.get("middleware") or {}),
        providers=bool(permission.get("provider")),
        oidc=manifest.flag("options", "oidc", "enabled"),
        requires_gpu=manifest.text("spec", "requiredGpu").strip() not in {"", "0"},
        # The shared part of a v2 app is installed by the administrator only.
        owner=ADMIN if manifest.api == "v2" else OWNER,
    )


def _middleware(declared: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of databases, buckets and so on by kind of middleware."""
    kinds: dict[str, tuple[str, ...]] = {}
    for kind, settings in declared.items():
        names: list[str] = []
        for value in (settings or {}).values():
            if isinstance(value, list):
                names += [item.get("name") or "" for item in value if isinstance(item, dict)]
        if kind == "redis":
            names = [(settings or {}).get("namespace") or ""]
        kinds[kind] = tuple(names)
    return kinds


def _installed_charts(chart: Chart, manifest: Manifest) -> Iterator[tuple[Chart, str, bool]]:
    """Yield what an install hands to Helm: the chart, or for v2 each of its subcharts.

    With each comes the name of its release, empty for that of the app, and whether it is shared.
    A v2 chart without subcharts is installed like a v1 chart (app-service
    pkg/appinstaller/v2/helm_ops_install.go).
    """
    entries = manifest.items("spec", "subCharts")
    if manifest.api != "v2" or not entries:
        yield chart, "", False
        return
    for entry in entries:
        part = subchart(chart, entry.get("name") or "")
        if part.files:
            yield part, part.name, bool(entry.get("shared"))


@dataclass(frozen=True, slots=True)
class _Part:
    """A chart that an install hands to Helm, loaded."""

    chart: Chart
    release: str
    shared: bool
    opened: OpenChart

    def render(self, scenario: Scenario) -> Rendered:
        """Render a scenario; the shared part of a v2 app has a namespace of its own."""
        namespace = scenario.namespace
        if self.shared and not scenario.name.startswith("lint"):
            namespace = f"{self.release}-shared"
        release = self.release or scenario.release
        texts = self.opened.render_texts(scenario.values, release=release, namespace=namespace)
        # Of the other renders it only matters that they succeed.
        checked = scenario.name.startswith(("lint", "device"))
        return self.opened.read(texts) if checked else Rendered(texts)


@dataclass
class _Renderer:
    """All charts of one install. `findings` collects why renders failed."""

    parts: Sequence[_Part]
    findings: list[Finding] = field(default_factory=list)

    def render(self, scenario: Scenario) -> tuple[RenderedObject, ...] | None:
        """Return all objects of a scenario, None where a template failed."""
        kind = scenario.name.partition(":")[0].partition("-")[0]
        objects: list[RenderedObject] = []
        for part in self.parts:
            try:
                rendered = part.render(scenario)
            except HelmRenderError as error:
                rule = _FAILED[kind]
                if kind == "market" and self._needs_only_variables(part, scenario):
                    rule = "render-market-variables"
                file = chart_file(part.chart, error.template or "templates")
                place = Place(file, error.line, error.column)
                self.findings.append(finding(rule, place, str(error)))
                return None
            for broken in rendered.broken:
                place = Place(chart_file(part.chart, broken.template))
                message = f"{broken.template} renders to no object: {broken.reason}"
                self.findings.append(finding(_FAILED[kind], place, message))
            found = rendered.objects
            if part.release:
                inside = f"{part.release}/"
                found = tuple(replace(item, template=inside + item.template) for item in found)
            objects += found
        return tuple(objects)

    def _needs_only_variables(self, part: _Part, scenario: Scenario) -> bool:
        values = {**scenario.values, "olaresEnv": {}}
        try:
            part.render(replace(scenario, values=values))
        except HelmRenderError:
            return False
        return True


def _check_renders(
    chart: Chart, manifest: Manifest, declared: Declarations, renderer: _Renderer
) -> Iterator[Finding]:
    renders: dict[str, Objects] = {}
    installed: list[RenderedObject] = []
    for scenario in _all_scenarios(manifest, declared):
        objects = renderer.render(scenario)
        if objects is None:
            continue
        if scenario.name.startswith("device"):
            installed += objects
        # Hooks are no part of what a release keeps, and the device's lint does not see them.
        renders[scenario.name] = [item for item in objects if not item.is_hook]
        yield from _check_scenario(chart, manifest, scenario, renders[scenario.name])
    yield from _check_declared_limits(chart, manifest, renders)
    if "lint" in renders:
        yield from _check_probes(chart, manifest, renderer, renders["lint"])
    yield from renderer.findings
    try:
        yield from check_schema(chart, installed)
    except MissingToolError as error:
        yield not_checked(chart, "objects against the schema of Kubernetes", error)


def _all_scenarios(manifest: Manifest, declared: Declarations) -> Iterator[Scenario]:
    yield from scenarios(declared)
    if manifest.api == "v2":
        # Only v2 charts are linted as the administrator's own install as well.
        values = lint_values(declared, owner=ADMIN)
        yield Scenario("lint:admin", declared.app, LINT_NAMESPACE, values)


def _check_scenario(
    chart: Chart, manifest: Manifest, scenario: Scenario, items: Objects
) -> Iterator[Finding]:
    kind = scenario.name.partition(":")[0]
    if kind in {"lint", "device"}:
        yield from check_workloads(chart, manifest, items)
        yield from check_security(chart, items)
    if kind == "lint":
        yield from check_namespaces(chart, items, scenario.namespace)
    if kind == "device":
        yield from check_replicas(chart, manifest, items, 1)
        yield from check_startup(chart, manifest, items)
        yield from check_links(chart, manifest, items)
        yield from check_containers(chart, manifest, items, scenario.mode)
    if kind == "device-stopped":
        yield from check_replicas(chart, manifest, items, 0)


def _check_declared_limits(
    chart: Chart, manifest: Manifest, renders: Mapping[str, Objects]
) -> Iterator[Finding]:
    if manifest.api == "v2" and manifest.items("spec", "subCharts"):
        # Each subchart has a quota of its own.
        return
    modes = manifest.items("spec", "accelerator") if manifest.modern else []
    for index, entry in enumerate(modes):
        items = renders.get(f"lint:{entry.get('mode')}", ())
        path = ("spec", "accelerator", index)
        yield from check_limits(chart, manifest, items, path, enforced=True)
    if not modes:
        items = renders.get("lint", ())
        enforced = not manifest.modern
        yield from check_limits(chart, manifest, items, ("spec",), enforced=enforced)


def _check_probes(
    chart: Chart, manifest: Manifest, renderer: _Renderer, linted: Objects
) -> Iterator[Finding]:
    """Render for made-up releases and users to find names that should differ and do not."""
    clones = manifest.flag("options", "allowMultipleInstall")
    free = any(not item.namespace for item in linted)
    fixed = free and (manifest.api == "v1" or (manifest.api == "v3" and clones))
    if not fixed and not clones:
        return
    declared = declarations(manifest)
    releases = [
        _kept(renderer, Scenario("lint", name, LINT_NAMESPACE, lint_values(declared)))
        for name in _RELEASES
    ]
    if clones:
        yield from check_clone_name(manifest, zip(_RELEASES, releases, strict=True))
    if fixed:
        users = [
            _kept(
                renderer,
                Scenario("lint", _USERS_RELEASE, name, lint_values(declared, owner=name)),
            )
            for name in ([] if clones else _USERS)
        ]
        yield from check_fixed_names(chart, manifest, releases, users)


def _kept(renderer: _Renderer, scenario: Scenario) -> Objects:
    return [item for item in renderer.render(scenario) or () if not item.is_hook]


def _check_market_files(chart: Chart, declared: Declarations) -> Iterator[Finding]:
    """Render the files outside of `templates` that the market renders as well."""
    values = market_values(declared)
    partials = [data for path, data in chart.files.items() if path.endswith(".tpl")]
    for path in chart.files:
        if "templates" in path.split("/")[:-1] or not path.lower().endswith(_MARKET_RENDERS):
            continue
        text = chart.text(path) or ""
        if "{{" not in text:
            continue
        try:
            render_text(
                text,
                values,
                release=declared.app,
                namespace=f"{declared.app}-{declared.owner}",
                partials=partials,
            )
        except HelmRenderError as error:
            place = Place(chart_file(chart, path), error.line, error.column)
            yield finding("render-market", place, f"{path} is rendered too: {error}")
