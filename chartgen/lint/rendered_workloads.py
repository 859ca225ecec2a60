"""Checks on rendered Deployments and StatefulSets against the manifest.

The device's lint has them in oac internal/resources/{workloads,limits,hostpath}.go
(olares-manifest §3.3, L6 to L9, L11, L12 and L14).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from chartgen.chart import Chart
from chartgen.findings import Finding
from chartgen.helm import RenderedObject
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.manifest_resources import AUTO
from chartgen.lint.rendered_objects import (
    WORKLOADS,
    containers,
    mapping,
    mappings,
    object_place,
    pod_spec,
    quantity,
    spec,
    text,
    title,
    workloads,
)
from chartgen.lint.rules import finding
from chartgen.quantity import format_bytes, format_cores, parse_quantity

Objects = Iterable[RenderedObject]

# app-service gives a start 30 minutes in the state Installing (olares-manifest §3.7).
STARTUP_SECONDS = 30 * 60
# Where the update strategy stands, and the one that ends the old pod first.
_STRATEGIES = {
    "Deployment": ("strategy", "Recreate"),
    "StatefulSet": ("updateStrategy", "OnDelete"),
}
_COUNTED = ("cpu", "memory")


def check_workloads(chart: Chart, manifest: Manifest, items: Objects) -> Iterator[Finding]:
    """Check names, replicas, update strategies and mounts of the workloads of one render."""
    found = workloads(items)
    names = {item.name for item in found}
    if manifest.text("olaresManifest.type") == "app" and manifest.name not in names:
        shown = ", ".join(sorted(names)) or "none"
        message = f"no Deployment or StatefulSet is called {manifest.name} (there are: {shown})"
        yield finding("workload-name", manifest.place("metadata", "name"), message)
    yield from _check_replica_names(chart, manifest, found)
    for index, entrance in enumerate(manifest.items("overlayGateway", "entrances")):
        name = entrance.get("workload") or ""
        if name and name not in names:
            message = f"overlayGateway.entrances[{index}] leads to {name}, which is no workload"
            place = manifest.place("overlayGateway", "entrances", index, "workload")
            yield finding("overlay-workload-unknown", place, message)
    yield from _check_upload(manifest, found)
    for item in found:
        yield from _check_host_paths(chart, item)


def _check_replica_names(
    chart: Chart, manifest: Manifest, found: list[RenderedObject]
) -> Iterator[Finding]:
    declared = manifest.get("workloadReplicas")
    if not declared:
        return
    for item in found:
        if item.name not in declared:
            message = f"workloadReplicas lacks {item.name}"
            yield finding("workload-replicas-names", object_place(chart, item), message)
    if manifest.text("olaresManifest.type") == "middleware":
        # An operator makes the workloads of official middleware from objects of its own kinds.
        return
    names = {item.name for item in found}
    for name in declared:
        if name not in names:
            message = f"workloadReplicas lists {name}, which the chart does not render"
            place = manifest.place("workloadReplicas", name)
            yield finding("workload-replicas-names", place, message)


def check_replicas(
    chart: Chart, manifest: Manifest, items: Objects, wanted: int
) -> Iterator[Finding]:
    """Check that each workload follows `.Values.workloads.<name>.replicaCount`, here `wanted`."""
    declared = manifest.get("workloadReplicas") or {}
    for item in workloads(items):
        replicas = spec(item).get("replicas")
        if item.name in declared and (1 if replicas is None else replicas) != wanted:
            shown = "missing" if replicas is None else replicas
            message = (
                f"replicas of {title(item)} is {shown} "
                f"where workloads.{item.name}.replicaCount is {wanted}"
            )
            place = object_place(chart, item, "spec.replicas")
            yield finding("replicas-not-wired", place, message)


def _check_upload(manifest: Manifest, found: list[RenderedObject]) -> Iterator[Finding]:
    wanted = manifest.text("options", "upload", "dest")
    if not wanted:
        return
    mounted = {
        posixpath.normpath(text(mount.get("mountPath")))
        for item in found
        for container in containers(item)
        for mount in mappings(container.get("volumeMounts"))
    }
    if posixpath.normpath(wanted) not in mounted:
        place = manifest.place("options", "upload", "dest")
        yield finding("upload-not-mounted", place, f"no container mounts {wanted}")


def _check_host_paths(chart: Chart, item: RenderedObject) -> Iterator[Finding]:
    field, safe = _STRATEGIES[item.kind]
    strategy = text(mapping(spec(item).get(field)).get("type"))
    if strategy not in {"", "RollingUpdate"}:
        return
    for volume in mappings(pod_spec(item).get("volumes")):
        if volume.get("hostPath") is not None:
            message = f"{title(item)} has the hostPath volume {volume.get('name')} and rolls"
            place = object_place(chart, item, f"spec.{field}")
            remedy = f"Set spec.{field}.type to {safe}."
            yield finding("hostpath-rolling-update", place, message, remedy)


def check_limits(
    chart: Chart,
    manifest: Manifest,
    items: Objects,
    path: tuple[str | int, ...],
    *,
    enforced: bool,
) -> Iterator[Finding]:
    """Check containers against the resources declared at `path` of the manifest.

    `enforced` tells whether the device's lint does so: for flat resources before 0.12.0 and for
    accelerators, but not for flat resources since.
    """
    found = workloads(items)
    sums = {"requests": dict.fromkeys(_COUNTED, Decimal(0))}
    sums["limits"] = dict.fromkeys(_COUNTED, Decimal(0))
    for item in found:
        for index, container in enumerate(containers(item)):
            place_path = f"spec.template.spec.containers[{index}].resources"
            place = object_place(chart, item, place_path)
            resources = mapping(container.get("resources"))
            name = f"container {container.get('name')} of {title(item)}"
            try:
                amounts = {side: _amounts(resources.get(side)) for side in sums}
            except ValueError as error:
                yield finding("container-quantity", place, f"{name}: {error}")
                continue
            for side, label in (("requests", "request"), ("limits", "limit")):
                for what in _COUNTED:
                    amount = amounts[side].get(what)
                    if amount:
                        sums[side][what] += amount
                    elif enforced:
                        message = f"{name} has no {what} {label}"
                        yield finding("container-resources-missing", place, message)
            for what in _COUNTED:
                request, limit = amounts["requests"].get(what), amounts["limits"].get(what)
                if request and limit and request > limit:
                    message = f"{name} requests more {what} than its limit"
                    yield finding("container-request-above-limit", place, message)
    rule = "resources-exceeded" if enforced else "resources-exceeded-flat"
    yield from _check_sums(manifest, path, sums, rule)


def _amounts(value: Any) -> Mapping[str, Decimal]:
    amounts = {}
    for what in _COUNTED:
        amount = quantity(mapping(value).get(what))
        if amount is not None:
            amounts[what] = amount
    return amounts


def _check_sums(
    manifest: Manifest,
    path: tuple[str | int, ...],
    sums: Mapping[str, Mapping[str, Decimal]],
    rule: str,
) -> Iterator[Finding]:
    for side, prefix in (("requests", "required"), ("limits", "limited")):
        for what, field in (("cpu", "Cpu"), ("memory", "Memory")):
            declared = manifest.text(*path, prefix + field)
            if declared.strip() == AUTO or (not declared and rule == "resources-exceeded-flat"):
                continue
            try:
                allowed = parse_quantity(declared) if declared else Decimal(0)
            except ValueError:
                continue
            total = sums[side][what]
            if total > allowed:
                shown = format_cores(total) if what == "cpu" else format_bytes(total)
                message = (
                    f"the containers' {what} {side} are {shown} in all, "
                    f"{prefix}{field} is {declared or 'missing'}"
                )
                yield finding(rule, manifest.place(*path, prefix + field), message)


def check_startup(chart: Chart, manifest: Manifest, items: Objects) -> Iterator[Finding]:
    """Check that no startup probe of the app's own workload outlasts the device's patience."""
    for item in workloads(items):
        if item.name != manifest.name:
            continue
        for index, container in enumerate(containers(item)):
            probe = mapping(container.get("startupProbe"))
            if not probe:
                continue
            seconds = _number(probe, "initialDelaySeconds", 0) + _number(
                probe, "periodSeconds", 10
            ) * _number(probe, "failureThreshold", 3)
            if seconds > STARTUP_SECONDS:
                message = (
                    f"the startup probe of {container.get('name')} allows {seconds} s, "
                    f"an install ends after {STARTUP_SECONDS} s"
                )
                place = object_place(
                    chart, item, f"spec.template.spec.containers[{index}].startupProbe"
                )
                yield finding("startup-over-install-limit", place, message)


def _number(probe: Mapping[str, Any], field: str, default: int) -> int:
    value = probe.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def check_clone_name(
    manifest: Manifest, renders: Iterable[tuple[str, Objects]]
) -> Iterator[Finding]:
    """Check that a clonable app names a workload after its release, given (release, objects)."""
    for release, items in renders:
        if not any(item.kind in WORKLOADS and item.name == release for item in items):
            place = manifest.place("options", "allowMultipleInstall")
            message = "no Deployment or StatefulSet is called {{ .Release.Name }}"
            yield finding("clone-workload-name", place, message)
            return
