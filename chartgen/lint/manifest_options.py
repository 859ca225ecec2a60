"""Checks on a manifest's options, permissions, dependencies and replicas.

The device's lint has them in oac internal/manifest/validate.go and logincli.go (olares-manifest
§3.3, M18 to M25).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chartgen.document import dotted_path
from chartgen.findings import Finding
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding
from chartgen.olares.constraint import Constraint, parse_constraint

_DEPENDENCY_TYPES = ("system", "application", "middleware")
_DURATION = re.compile(r"(?:[-+]?\d+(?:\.\d+)?(?:[smhdwy]|us|ns|ms))+")
_MAX_TITLE = 30
_PROTOCOLS = ("", "tcp", "udp")
# The device's lint asks a range for these versions, just outside of what is right for the API.
_SINCE_V3 = (">=1.12.6-0", ("1.12.5", "1.12.0", "0.1.0"))
_BEFORE_V3 = (">=1.12.3-0,<1.12.6", ("1.12.2", "1.12.6", "2.0.0"))
# Apps that may log in to the device as their owner (oac logincli.go).
_LOGIN_APPS = frozenset({"lares"})


def check_options(manifest: Manifest) -> Iterator[Finding]:
    """Check options, permissions, providers, dependencies and the list of replicas."""
    yield from _check_permissions(manifest)
    if manifest.modern and manifest.api != "v2" and not manifest.get("workloadReplicas"):
        place = manifest.place("workloadReplicas")
        yield finding("workload-replicas-missing", place, "workloadReplicas is missing")
    yield from _check_dependencies(manifest)
    yield from _check_olares(manifest)
    yield from _check_shared(manifest)
    if manifest.template_only and not manifest.flag("options", "allowMultipleInstall"):
        message = "options.templateOnly is on and options.allowMultipleInstall is off"
        place = manifest.place("options", "templateOnly")
        yield finding("template-only-without-clones", place, message)
    yield from _check_policies(manifest)
    yield from _check_overlay(manifest)
    redis = manifest.get("middleware", "redis")
    if isinstance(redis, dict) and not redis.get("namespace"):
        place = manifest.place("middleware", "redis")
        yield finding("redis-namespace", place, "middleware.redis.namespace is missing")


def newer_fields(manifest: Manifest) -> list[str]:
    """Return the fields in use that only Olares >= 1.12.6 honours.

    Source: oac validate.go, detectOlares1126OnlyFields.
    """
    used = {
        "spec.accelerator": manifest.items("spec", "accelerator"),
        "workloadReplicas": manifest.get("workloadReplicas"),
        "overlayGateway": manifest.flag("overlayGateway", "enable")
        or manifest.items("overlayGateway", "entrances"),
        "options.LLMGatewaySupported": manifest.flag("options", "LLMGatewaySupported"),
        "options.templateOnly": manifest.flag("options", "templateOnly"),
        "options.shared": manifest.flag("options", "shared"),
        "permission.appCommon": manifest.flag("permission", "appCommon"),
        "permission.loginOlaresCLI": manifest.flag("permission", "loginOlaresCLI"),
    }
    return [field for field, value in used.items() if value]


def _check_permissions(manifest: Manifest) -> Iterator[Finding]:
    if manifest.modern:
        for path in (("provider",), ("permission", "provider")):
            if manifest.items(*path):
                message = f"{dotted_path(path)} is set"
                yield finding("provider-retired", manifest.place(*path), message)
    elif manifest.flag("permission", "externalData"):
        place = manifest.place("permission", "externalData")
        yield finding("external-data-too-early", place, "permission.externalData is on")
    if manifest.flag("permission", "loginOlaresCLI"):
        place = manifest.place("permission", "loginOlaresCLI")
        if manifest.name.strip() not in _LOGIN_APPS:
            message = f"{manifest.name} asks for permission.loginOlaresCLI"
            yield finding("login-not-allowed", place, message)
        elif manifest.flag("options", "shared"):
            message = "permission.loginOlaresCLI is on in a shared app"
            yield finding("login-not-allowed", place, message)


def _check_dependencies(manifest: Manifest) -> Iterator[Finding]:
    for index in range(len(manifest.items("options", "dependencies"))):
        path = ("options", "dependencies", index)
        where = f"options.dependencies[{index}]"
        missing = [f for f in ("name", "version", "type") if not manifest.text(*path, f)]
        if missing:
            message = f"{where} lacks {', '.join(missing)}"
            yield finding("dependency-incomplete", manifest.place(*path), message)
        kind = manifest.text(*path, "type")
        if kind and kind not in _DEPENDENCY_TYPES:
            message = f"{where}.type is {kind!r}; there are {', '.join(_DEPENDENCY_TYPES)}"
            yield finding("dependency-type", manifest.place(*path, "type"), message)
        version = manifest.text(*path, "version")
        if version and _constraint(version) is None:
            message = f"{where}.version is {version!r}, which is no version range"
            yield finding("dependency-version", manifest.place(*path, "version"), message)


def _check_olares(manifest: Manifest) -> Iterator[Finding]:
    """Check the range of Olares versions; only the first entry for Olares counts."""
    ours = next(
        (
            index
            for index, entry in enumerate(manifest.items("options", "dependencies"))
            if entry.get("name") == "olares" and entry.get("type") == "system"
        ),
        None,
    )
    if ours is None:
        place = manifest.place("options", "dependencies")
        yield finding("olares-dependency-missing", place, "no dependency names olares")
        return
    version = manifest.text("options", "dependencies", ours, "version")
    constraint = _constraint(version)
    if constraint is None:
        return
    windows = [_SINCE_V3 if manifest.api == "v3" else _BEFORE_V3]
    if manifest.modern and manifest.api != "v3" and newer_fields(manifest):
        # Here the lint of 1.12.6 demanded the later window, the newest one the earlier.
        windows.append(_SINCE_V3)
    let_in: list[str] = []
    for _, outside in reversed(windows):
        let_in = [sample for sample in outside if constraint.allows(sample)]
        if not let_in:
            return
    place = manifest.place("options", "dependencies", ours, "version")
    message = f"the range {version!r} for olares lets in {', '.join(let_in)}"
    yield finding("olares-dependency-window", place, message, f"Write {windows[0][0]!r}.")


def _constraint(text: str) -> Constraint | None:
    try:
        return parse_constraint(text)
    except ValueError:
        return None


def _check_shared(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.flag("options", "shared"):
        return
    place = manifest.place("options", "shared")
    if manifest.api != "v3":
        yield finding("shared-needs-v3", place, f"options.shared is on with {manifest.api}")
    if not manifest.flag("spec", "onlyAdmin"):
        message = "options.shared is on and spec.onlyAdmin is off"
        yield finding("shared-needs-admin", place, message)
    for path in (
        ("spec", "subCharts"),
        ("options", "appScope", "clusterScoped"),
        ("options", "appScope", "appRef"),
    ):
        if manifest.get(*path):
            message = f"{dotted_path(path)} is set in a shared app"
            yield finding("shared-with-scope", manifest.place(*path), message)


def _check_policies(manifest: Manifest) -> Iterator[Finding]:
    for index in range(len(manifest.items("options", "policies"))):
        path = ("options", "policies", index)
        where = f"options.policies[{index}]"
        missing = [f for f in ("uriRegex", "level") if not manifest.text(*path, f)]
        if missing:
            message = f"{where} lacks {', '.join(missing)}"
            yield finding("policy-incomplete", manifest.place(*path), message)
        duration = manifest.text(*path, "validDuration")
        if duration and not _DURATION.fullmatch(duration):
            message = f"{where}.validDuration is {duration!r}, no duration such as 3600s"
            yield finding("policy-duration", manifest.place(*path, "validDuration"), message)


def _check_overlay(manifest: Manifest) -> Iterator[Finding]:
    for index in range(len(manifest.items("overlayGateway", "entrances"))):
        path = ("overlayGateway", "entrances", index)
        where = dotted_path(path)
        problems = []
        if not 1 <= len(manifest.text(*path, "title").encode()) <= _MAX_TITLE:
            problems.append(f"title is not 1 to {_MAX_TITLE} bytes long")
        if (manifest.get(*path, "port") or 0) < 1:
            problems.append("port is missing")
        if not manifest.text(*path, "workload"):
            problems.append("workload is missing")
        if manifest.text(*path, "protocol") not in _PROTOCOLS:
            problems.append("protocol is neither tcp nor udp")
        for problem in problems:
            yield finding("overlay-entrance", manifest.place(*path), f"{where}: {problem}")
