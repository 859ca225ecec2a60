"""Checks on rendered objects: rights, users, namespaces, names that must not be shared.

The device's lint has them in oac internal/resources/{rbac,securitycontext,subpathexpr,chown,
namespace,cluster_scoped}.go (olares-manifest §3.3, L10, L13 and L15 to L18).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chartgen.chart import Chart
from chartgen.findings import Finding
from chartgen.helm import RenderedObject
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rendered_objects import (
    Container,
    all_containers,
    mapping,
    mappings,
    object_place,
    pod_path,
    pod_spec,
    sequence,
    text,
    title,
)
from chartgen.lint.rules import finding

Objects = Iterable[RenderedObject]

_POD_OWNERS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_POD_MAKERS = _POD_OWNERS | {"Job", "CronJob", "Pod"}
_SYSTEM_NAMESPACE = "user-system-"
# No service account may do these to those (oac internal/resources/rbac.go).
_FORBIDDEN_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_FORBIDDEN_RESOURCES = frozenset({"nodes", "networkpolicies"})
_RECURSIVE_CHOWN = re.compile(
    r"(?:^|[;&|\n])\s*chown\s+(?:-[a-zA-Z]*\s+)*-[a-zA-Z]*R[a-zA-Z]*(?:\s+-[a-zA-Z]+)*\s+"
    r"([^\n;&|]*)"
)


def check_security(chart: Chart, items: Sequence[RenderedObject]) -> Iterator[Finding]:
    """Check rights, users and mounts of one render."""
    yield from _check_rights(chart, items)
    makers = [item for item in items if item.kind in _POD_MAKERS]
    for container in all_containers(makers):
        yield from _check_user(chart, container)
        yield from _check_mounts(chart, container)
        yield from _check_chown(chart, container)


def check_namespaces(chart: Chart, items: Objects, namespace: str) -> Iterator[Finding]:
    """Check that everything goes to the app's namespace, here `namespace`."""
    for item in items:
        where = item.namespace
        if where in {"", namespace}:
            continue
        if item.kind in _POD_OWNERS or not where.startswith(_SYSTEM_NAMESPACE):
            message = f"{title(item)} goes to the namespace {where}"
            place = object_place(chart, item, "metadata.namespace")
            yield finding("object-namespace", place, message)


def _check_rights(chart: Chart, items: Objects) -> Iterator[Finding]:
    roles: set[str] = set()
    for item in items:
        if item.kind in {"RoleBinding", "ClusterRoleBinding"}:
            subjects = mappings(item.data.get("subjects"))
            if any(subject.get("kind") == "ServiceAccount" for subject in subjects):
                roles.add(text(mapping(item.data.get("roleRef")).get("name")))
    for item in items:
        if item.kind in {"Role", "ClusterRole"} and item.name in roles:
            for index, rule in enumerate(mappings(item.data.get("rules"))):
                if _is_forbidden(rule):
                    message = f"{title(item)} lets a service account change nodes or policies"
                    place = object_place(chart, item, f"rules[{index}]")
                    yield finding("rbac-forbidden", place, message)


def _is_forbidden(rule: Mapping[str, Any]) -> bool:
    """Tell whether a rule grants what no app gets.

    As in the device's lint a missing list means everything, and `*` of the app does not count.
    """
    if rule.get("nonResourceURLs"):
        return False
    verbs, resources = set(sequence(rule.get("verbs"))), set(sequence(rule.get("resources")))
    return (not verbs or bool(verbs & _FORBIDDEN_VERBS)) and (
        not resources or bool(resources & _FORBIDDEN_RESOURCES)
    )


def _check_user(chart: Chart, container: Container) -> Iterator[Finding]:
    image = text(container.data.get("image"))
    if image.startswith("beclab/") or "/beclab/" in image:
        return
    pod = mapping(pod_spec(container.owner).get("securityContext"))
    own = mapping(container.data.get("securityContext"))
    reasons = [
        f"{where}{key} {str(value).lower()}"
        for where, context in (("", own), ("the pod's ", pod))
        for key, value in (
            ("privileged", context.get("privileged") if context is own else None),
            ("runAsUser", context.get("runAsUser")),
            ("runAsNonRoot", context.get("runAsNonRoot")),
        )
        if _means_root(key, value)
    ]
    if reasons:
        message = (
            f"container {container.name} of {title(container.owner)} runs {image} "
            f"with {', '.join(reasons)}"
        )
        place = object_place(
            chart, container.owner, f"{pod_path(container.owner)}.{container.path}"
        )
        yield finding("root-foreign-image", place, message)


def _means_root(key: str, value: Any) -> bool:
    if key == "privileged":
        return value is True
    if key == "runAsNonRoot":
        return value is False
    return value == 0 and not isinstance(value, bool)


def _check_mounts(chart: Chart, container: Container) -> Iterator[Finding]:
    for index, mount in enumerate(mappings(container.data.get("volumeMounts"))):
        if mount.get("subPathExpr"):
            path = f"{pod_path(container.owner)}.{container.path}.volumeMounts[{index}].subPathExpr"
            message = f"container {container.name} mounts subPathExpr {mount['subPathExpr']}"
            yield finding("sub-path-expr", object_place(chart, container.owner, path), message)


def _check_chown(chart: Chart, container: Container) -> Iterator[Finding]:
    host_volumes = {
        volume.get("name")
        for volume in mappings(pod_spec(container.owner).get("volumes"))
        if volume.get("hostPath") is not None
    }
    mounts = [
        text(mount.get("mountPath")).removesuffix("/")
        for mount in mappings(container.data.get("volumeMounts"))
        if mount.get("name") in host_volumes
    ]
    script = "\n".join(
        str(part) for field in ("command", "args") for part in sequence(container.data.get(field))
    )
    for match in _RECURSIVE_CHOWN.finditer(script) if any(mounts) else ():
        for target in (word.strip("\"'") for word in match[1].split()[1:]):
            path = target.removesuffix("/")
            if any(path == mount or path.startswith(f"{mount}/") for mount in mounts if mount):
                message = (
                    f"container {container.name} of {title(container.owner)} "
                    f"changes the owner of all of {target}"
                )
                place = object_place(
                    chart, container.owner, f"{pod_path(container.owner)}.{container.path}"
                )
                yield finding("recursive-chown", place, message)


def check_fixed_names(
    chart: Chart,
    manifest: Manifest,
    releases: Sequence[Sequence[RenderedObject]],
    users: Sequence[Sequence[RenderedObject]],
) -> Iterator[Finding]:
    """Check that objects outside of a namespace are named after their release or their user.

    `releases` are two renders for different releases, `users` two for different users. A user's
    name does not keep clones of one user apart.
    """
    clones = manifest.flag("options", "allowMultipleInstall")
    first, second = releases
    fixed = {(item.kind, item.name) for item in second if not item.namespace}
    if not clones:
        for render in users:
            fixed &= {(item.kind, item.name) for item in render}
    for item in first:
        if not item.namespace and (item.kind, item.name) in fixed:
            message = f"{title(item)} names no namespace and is called the same in every release"
            place = object_place(chart, item, "metadata.name")
            yield finding("fixed-cluster-name", place, message)
