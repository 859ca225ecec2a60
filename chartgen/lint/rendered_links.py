"""Checks on what rendered objects refer to, and on their names.

Kubernetes takes most broken references without a word and the pod then waits for ever; the
device's lint looks at none of them (olares-manifest §3.3, last line, and §3.7).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chartgen.chart import Chart
from chartgen.document import dotted_path
from chartgen.findings import Finding
from chartgen.helm import RenderedObject
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rendered_objects import (
    all_containers,
    mapping,
    mappings,
    metadata,
    object_place,
    pod_spec,
    pod_template,
    spec,
    text,
    title,
)
from chartgen.lint.rules import finding

Objects = Sequence[RenderedObject]

# k8s.io/apimachinery pkg/util/validation: DNS-1123 subdomain and label, DNS-1035 label.
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_MAX_LABEL = 63
_MAX_SUBDOMAIN = 253
# Objects whose names have their own, wider grammar.
_PATH_NAMES = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})


def check_links(chart: Chart, manifest: Manifest, items: Objects) -> Iterator[Finding]:
    """Check entrances, selectors, volumes, configuration references and names of one render."""
    # An operator makes the Services of official middleware from objects of its own kinds.
    if manifest.text("olaresManifest.type") != "middleware":
        for field in ("entrances", "sharedEntrances"):
            for index in range(len(manifest.items(field))):
                yield from _check_entrance(manifest, (field, index), items)
    names = {(item.kind, item.name) for item in items}
    for item in items:
        yield from _check_selector(chart, item)
        yield from _check_volumes(chart, item)
        yield from _check_references(chart, item, names)
        yield from _check_names(chart, item)
    yield from _check_duplicates(chart, items)


def _check_entrance(manifest: Manifest, path: tuple[str, int], items: Objects) -> Iterator[Finding]:
    host = manifest.text(*path, "host")
    port = manifest.get(*path, "port") or 0
    where = dotted_path(path)
    place = manifest.place(*path, "host")
    # The two parts of a v2 app may each have a Service of that name.
    services = [item for item in items if item.kind == "Service" and item.name == host]
    if not services:
        if host:
            message = f"{where} leads to {host}, which is no Service of the chart"
            yield finding("entrance-host-unknown", place, message)
        return
    ports = [entry for service in services for entry in mappings(spec(service).get("ports"))]
    chosen = [entry for entry in ports if entry.get("port") == port]
    if not chosen:
        # A shared entrance of port 0 leads to the Service's first port.
        if port or path[0] == "entrances":
            offered = ", ".join(str(entry.get("port")) for entry in ports) or "none"
            message = f"{where} leads to port {port} of {host}, which has: {offered}"
            yield finding("entrance-port-unknown", manifest.place(*path, "port"), message)
        chosen = ports
    selectors = [mapping(spec(service).get("selector")) for service in services]
    if not all(selectors):
        # Without a selector something else says where the Service leads.
        return
    pods = [item for item in items if any(_selects(labels, item) for labels in selectors)]
    if not pods:
        message = f"{where} leads to {host}, whose selector matches no pod of the chart"
        yield finding("service-without-pods", place, message)
        return
    for entry in chosen:
        target = entry.get("targetPort")
        if isinstance(target, str) and target not in _port_names(pods):
            message = f"{where} leads to {host}, whose targetPort {target} no container names"
            yield finding("service-port-unknown", place, message)


def _selects(selector: Mapping[str, Any], item: RenderedObject) -> bool:
    template = pod_template(item)
    if template is None:
        return False
    labels = mapping(mapping(template.get("metadata")).get("labels"))
    return selector.items() <= labels.items()


def _port_names(pods: Objects) -> set[Any]:
    return {
        port.get("name")
        for container in all_containers(pods)
        for port in mappings(container.data.get("ports"))
    }


def _check_selector(chart: Chart, item: RenderedObject) -> Iterator[Finding]:
    if item.kind not in {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"}:
        return
    wanted = mapping(mapping(spec(item).get("selector")).get("matchLabels"))
    if not _selects(wanted, item):
        place = object_place(chart, item, "spec.selector.matchLabels")
        yield finding("selector-mismatch", place, f"{title(item)} does not select its own pods")


def _check_volumes(chart: Chart, item: RenderedObject) -> Iterator[Finding]:
    pod = pod_spec(item)
    known = {volume.get("name") for volume in mappings(pod.get("volumes"))}
    for claim in mappings(spec(item).get("volumeClaimTemplates")):
        known.add(mapping(claim.get("metadata")).get("name"))
    for container in all_containers([item]):
        for mount in mappings(container.data.get("volumeMounts")):
            if mount.get("name") not in known:
                message = (
                    f"container {container.name} of {title(item)} mounts the volume "
                    f"{mount.get('name')}, which the pod does not have"
                )
                place = object_place(chart, item, f"spec.template.spec.{container.path}")
                yield finding("volume-undefined", place, message)


def _check_references(
    chart: Chart, item: RenderedObject, names: set[tuple[str, str]]
) -> Iterator[Finding]:
    for kind, name in sorted(set(_references(item))):
        if name and (kind, name) not in names:
            message = f"{title(item)} needs {kind} {name}, which the chart does not render"
            yield finding("reference-missing", object_place(chart, item), message)


def _references(item: RenderedObject) -> Iterator[tuple[str, str]]:
    """Yield kind and name of the objects without which the pod does not start."""
    for volume in mappings(pod_spec(item).get("volumes")):
        config, secret = mapping(volume.get("configMap")), mapping(volume.get("secret"))
        claim = mapping(volume.get("persistentVolumeClaim"))
        if not config.get("optional"):
            yield "ConfigMap", text(config.get("name"))
        if not secret.get("optional"):
            yield "Secret", text(secret.get("secretName"))
        yield "PersistentVolumeClaim", text(claim.get("claimName"))
    for container in all_containers([item]):
        sources = mappings(container.data.get("envFrom"))
        sources += [mapping(env.get("valueFrom")) for env in mappings(container.data.get("env"))]
        for source in sources:
            for kind, keys in (
                ("ConfigMap", ("configMapRef", "configMapKeyRef")),
                ("Secret", ("secretRef", "secretKeyRef")),
            ):
                for key in keys:
                    reference = mapping(source.get(key))
                    if not reference.get("optional"):
                        yield kind, text(reference.get("name"))


def _check_names(chart: Chart, item: RenderedObject) -> Iterator[Finding]:
    if not item.name:
        if not metadata(item).get("generateName"):
            message = f"a {item.kind} has no name"
            yield finding("object-name", object_place(chart, item, "metadata.name"), message)
        return
    if item.kind == "Service":
        grammar, limit = _LABEL_1035, _MAX_LABEL
    elif item.kind == "StatefulSet":
        grammar, limit = _LABEL_1123, _MAX_LABEL
    else:
        grammar, limit = _SUBDOMAIN, _MAX_SUBDOMAIN
    if item.kind not in _PATH_NAMES and (
        len(item.name) > limit or not grammar.fullmatch(item.name)
    ):
        message = f"{item.name!r} cannot be the name of a {item.kind}"
        yield finding("object-name", object_place(chart, item, "metadata.name"), message)
    template = mapping((pod_template(item) or {}).get("metadata"))
    labels = {**mapping(metadata(item).get("labels")), **mapping(template.get("labels"))}
    for key, value in labels.items():
        if isinstance(value, str) and (
            len(value) > _MAX_LABEL or not _LABEL_VALUE.fullmatch(value)
        ):
            message = f"{title(item)} has the label {key}: {value!r}"
            yield finding("label-value", object_place(chart, item, "metadata.labels"), message)


def _check_duplicates(chart: Chart, items: Objects) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str, str], RenderedObject] = {}
    for item in items:
        group = item.api_version.rpartition("/")[0]
        key = (group, item.kind, item.namespace, item.name)
        first = seen.setdefault(key, item)
        if first is not item and item.name:
            message = f"{title(item)} is rendered twice, first from {first.template}"
            yield finding("object-duplicate", object_place(chart, item), message)
