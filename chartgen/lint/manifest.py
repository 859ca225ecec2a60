"""Checks on OlaresManifest.yaml: versions, metadata, entrances, languages and architectures.

The rules of the device's own lint are those of oac internal/manifest/validate.go, taxonomy.go and
appid.go (olares-manifest §3.3, M1 to M5, M17 and M28). Resources, options and variables have
modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from semver import Version

from chartgen.document import dotted_path
from chartgen.findings import Finding
from chartgen.lint.manifest_envs import check_envs
from chartgen.lint.manifest_options import check_options, newer_fields
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.manifest_resources import check_resources
from chartgen.lint.rules import finding
from chartgen.lint.translations import canonical_locale
from chartgen.olares.constraint import lenient_version
from chartgen.olares.names import RESERVED_APP_IDS

# The oldest manifest that an install accepts (app-service pkg/utils/config/app.go).
_OLDEST = Version(0, 7, 2)
_APIS = ("v1", "v2", "v3")
_MAX_NAME = 30
_MAX_ENTRANCES = 10
_MAX_HOST = 63
_ENTRANCE_NAME = re.compile(r"[a-z0-9A-Z-]*")
_ENTRANCE_HOST = re.compile(r"[a-z][-a-z0-9]*[a-z0-9]")
# What Go's net/url takes for a web address with a host.
_HTTP_URL = re.compile(
    r"https?://(?:[^\s/?#@]*@)?(?:\[[0-9a-f:.]+\]|[^\s/?#\[\]:]+)(?::[0-9]*)?"
    r"(?:/(?:[^\s?#%]|%[0-9a-f]{2})*)?(?:\?[^\s#]*)?(?:#(?:[^\s%]|%[0-9a-f]{2})*)?",
    re.IGNORECASE,
)
_AUTH_LEVELS = ("", "public", "private", "internal")
_OPEN_METHODS = ("", "default", "iframe", "window")
_PROTOCOLS = ("", "tcp", "udp")
_ARCHITECTURES = ("amd64", "arm64")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SUBCHART = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_SUBCHART = 53
# Categories of the official market: those its checker knows, those its documentation names for
# 1.12, and those that its charts use (olares-manifest §2.3).
_CATEGORIES = frozenset(
    {
        "agents",
        "ai",
        "blockchain",
        "creativity",
        "data",
        "developer",
        "developer tools",
        "entertainment",
        "fun",
        "homelab",
        "lifestyle",
        "models",
        "multimedia",
        "productivity",
        "productivity_v112",
        "social network",
        "utilities",
        "utilities_v112",
        "workspace",
    }
)


def check_manifest(manifest: Manifest) -> Iterator[Finding]:
    """Yield every finding on one reading of a manifest."""
    yield from _check_versions(manifest)
    yield from _check_keys(manifest)
    yield from _check_metadata(manifest)
    yield from _check_catalog(manifest)
    yield from _check_entrances(manifest)
    yield from _check_ports(manifest)
    yield from _check_spec(manifest)
    yield from check_resources(manifest)
    yield from check_options(manifest)
    yield from check_envs(manifest)


def _check_versions(manifest: Manifest) -> Iterator[Finding]:
    path = "olaresManifest.version"
    version = manifest.text(path)
    parsed = lenient_version(version)
    if not version:
        yield finding("manifest-version-missing", manifest.place(), f"{path} is missing")
    elif parsed is None:
        message = f"{path} is {version!r}, which is no version"
        yield finding("manifest-version-invalid", manifest.place(path), message)
    elif parsed < _OLDEST:
        message = f"{path} is {version}; devices accept {_OLDEST} and later"
        yield finding("manifest-version-too-old", manifest.place(path), message)
    elif isinstance(manifest.document.value.get(path), float):
        message = f"{path} is a number and reads as {version}"
        yield finding("manifest-version-unquoted", manifest.place(path), message)
    api = manifest.text("apiVersion")
    if api and api not in _APIS:
        message = f"apiVersion is {api!r}; there are {', '.join(_APIS)}"
        yield finding("manifest-api-version", manifest.place("apiVersion"), message)
    if parsed is not None and not manifest.modern:
        newer = newer_fields(manifest)
        if manifest.api == "v3":
            newer = ["apiVersion v3", *newer]
        if newer:
            message = f"a manifest of version {version} cannot hold {', '.join(newer)}"
            yield finding("manifest-version-below-fields", manifest.place(path), message)


def _check_keys(manifest: Manifest) -> Iterator[Finding]:
    for key in manifest.unknown:
        name = dotted_path(key.path)
        remedy = f"Write {key.meant} instead." if key.meant else ""
        in_metadata = len(key.path) == 2 and key.path[0] == "metadata"
        rule = "metadata-unknown-key" if in_metadata else "manifest-unknown-key"
        yield finding(rule, manifest.place(*key.path), f"no device reads {name}", remedy)


def _check_metadata(manifest: Manifest) -> Iterator[Finding]:
    for field in ("name", "icon", "description", "title", "version"):
        if not manifest.text("metadata", field):
            place = manifest.place("metadata", field)
            yield finding("metadata-missing", place, f"metadata.{field} is missing")
    for field in ("name", "title"):
        size = len(manifest.text("metadata", field).encode())
        if size > _MAX_NAME:
            message = f"metadata.{field} has {size} bytes, at most {_MAX_NAME} are allowed"
            yield finding("metadata-too-long", manifest.place("metadata", field), message)
    if manifest.name.strip() in RESERVED_APP_IDS:
        message = f"metadata.name {manifest.name} is an app that comes with Olares"
        yield finding("manifest-name-reserved", manifest.place("metadata", "name"), message)
    yield from _check_icon(manifest, ("metadata", "icon"))
    version = manifest.version
    if version and lenient_version(version) is None:
        message = f"metadata.version is {version!r}, which is no version"
        yield finding("metadata-version", manifest.place("metadata", "version"), message)
    app_id = manifest.text("metadata", "appid").strip()
    place = manifest.place("metadata", "appid")
    if app_id in RESERVED_APP_IDS:
        yield finding("app-id-reserved", place, f"metadata.appid {app_id} belongs to Olares")
    elif app_id != manifest.name:
        shown = f"is {app_id}" if app_id else "is missing"
        message = f"metadata.appid {shown}, the app is called {manifest.name}"
        yield finding("app-id-differs", place, message)


def _check_icon(manifest: Manifest, path: tuple[str | int, ...]) -> Iterator[Finding]:
    icon = manifest.text(*path)
    name = dotted_path(path)
    if icon and not _HTTP_URL.fullmatch(icon):
        message = f"{name} is {icon!r}, which is no web address"
        yield finding("icon-address", manifest.place(*path), message)
    elif icon.lower().startswith("http:"):
        yield finding("icon-not-https", manifest.place(*path), f"{name} is not https")


def _check_catalog(manifest: Manifest) -> Iterator[Finding]:
    categories = manifest.items("metadata", "categories")
    if not categories:
        place = manifest.place("metadata", "categories")
        yield finding("categories-missing", place, "metadata.categories is empty")
    for index, category in enumerate(categories):
        if category.lower() not in _CATEGORIES:
            message = f"the official market has no category {category!r}"
            place = manifest.place("metadata", "categories", index)
            yield finding("category-unofficial", place, message)
    for field in ("categories_v2", "tags"):
        yield from _check_slugs(manifest, field)
    yield from _check_locales(manifest)


def _check_slugs(manifest: Manifest, field: str) -> Iterator[Finding]:
    values = manifest.items("metadata", field)
    for index, value in enumerate(values):
        place = manifest.place("metadata", field, index)
        if not _SLUG.fullmatch(value):
            message = f"metadata.{field} has {value!r}, not lower-case words joined by hyphens"
            yield finding("catalog-word", place, message)
        elif value in values[:index]:
            yield finding("catalog-word", place, f"metadata.{field} lists {value} twice")


def _check_locales(manifest: Manifest) -> Iterator[Finding]:
    values = manifest.items("spec", "locale")
    for index, value in enumerate(values):
        place = manifest.place("spec", "locale", index)
        canonical = canonical_locale(value)
        if canonical is None:
            yield finding("locale-invalid", place, f"{value!r} is no language tag")
        elif canonical != value:
            message = f"{value!r} is not spelt as {canonical}"
            yield finding("locale-invalid", place, message, f"Write {canonical}.")
        elif value in values[:index]:
            yield finding("locale-invalid", place, f"spec.locale lists {value} twice")


def _check_entrances(manifest: Manifest) -> Iterator[Finding]:
    entrances = manifest.items("entrances")
    if not 1 <= len(entrances) <= _MAX_ENTRANCES:
        message = f"the manifest has {len(entrances)} entrances, not 1 to {_MAX_ENTRANCES}"
        yield finding("entrance-count", manifest.place("entrances"), message)
    names: list[str] = []
    for index in range(len(entrances)):
        path = ("entrances", index)
        name = manifest.text(*path, "name")
        yield from _check_entrance(manifest, path)
        if name in names:
            message = f"entrances[{index}] is called {name!r} like entrances[{names.index(name)}]"
            yield finding("entrance-name-duplicate", manifest.place(*path, "name"), message)
        names.append(name)


def _check_entrance(manifest: Manifest, path: tuple[str | int, ...]) -> Iterator[Finding]:
    where = dotted_path(path)
    name = manifest.text(*path, "name")
    if not name or not _ENTRANCE_NAME.fullmatch(name) or len(name) > _MAX_HOST:
        message = f"{where}.name is {name!r}, not 1 to {_MAX_HOST} letters, digits and hyphens"
        yield finding("entrance-name", manifest.place(*path, "name"), message)
    host = manifest.text(*path, "host")
    if not _ENTRANCE_HOST.fullmatch(host) or len(host) > _MAX_HOST:
        message = f"{where}.host is {host!r}, which cannot be the name of a Service"
        yield finding("entrance-host", manifest.place(*path, "host"), message)
    port = manifest.get(*path, "port") or 0
    if not 1 <= port <= 65535:
        message = f"{where}.port is {port}, not 1 to 65535"
        yield finding("entrance-port-range", manifest.place(*path, "port"), message)
    title = manifest.text(*path, "title")
    if not 1 <= len(title.encode()) <= _MAX_NAME:
        message = f"{where}.title has {len(title.encode())} bytes, not 1 to {_MAX_NAME}"
        yield finding("entrance-title", manifest.place(*path, "title"), message)
    yield from _check_icon(manifest, (*path, "icon"))
    for field, allowed in (("authLevel", _AUTH_LEVELS), ("openMethod", _OPEN_METHODS)):
        value = manifest.text(*path, field)
        if value not in allowed:
            message = f"{where}.{field} is {value!r}; there are {_choices(allowed)}"
            yield finding("entrance-choice", manifest.place(*path, field), message)


def _check_ports(manifest: Manifest) -> Iterator[Finding]:
    names: list[str] = []
    for index in range(len(manifest.items("ports"))):
        path = ("ports", index)
        name = manifest.text(*path, "name")
        for field, problem in _port_problems(manifest, path):
            place = manifest.place(*path, field)
            yield finding("port-entry", place, f"ports[{index}].{field} {problem}")
        if name in names:
            message = f"ports[{index}] is called {name!r} like ports[{names.index(name)}]"
            yield finding("port-entry", manifest.place(*path, "name"), message)
        names.append(name)


def _port_problems(manifest: Manifest, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """Yield the fields of one entry under `ports` that a device refuses, each with the reason."""
    name, host = manifest.text(*path, "name"), manifest.text(*path, "host")
    if not name or not _ENTRANCE_NAME.fullmatch(name) or len(name) > _MAX_HOST:
        yield "name", f"is {name!r}, not 1 to {_MAX_HOST} letters, digits and hyphens"
    if not _ENTRANCE_HOST.fullmatch(host) or len(host) > _MAX_HOST:
        yield "host", f"is {host!r}, which cannot be the name of a Service"
    for field, least in (("port", 1), ("exposePort", 0)):
        number = manifest.get(*path, field) or 0
        if not least <= number <= 65535:
            yield field, f"is {number}, not 1 to 65535"
    protocol = manifest.text(*path, "protocol")
    if protocol not in _PROTOCOLS:
        yield "protocol", f"is {protocol!r}; there are {_choices(_PROTOCOLS)}"


def _check_spec(manifest: Manifest) -> Iterator[Finding]:
    if not manifest.get("spec"):
        yield finding("spec-missing", manifest.place("spec"), "the manifest has no spec")
    architectures = manifest.items("spec", "supportArch")
    if not architectures:
        place = manifest.place("spec", "supportArch")
        yield finding("arch-missing", place, "spec.supportArch is empty")
    for index, arch in enumerate(architectures):
        place = manifest.place("spec", "supportArch", index)
        if arch not in _ARCHITECTURES:
            message = f"spec.supportArch has {arch!r}; there are {_choices(_ARCHITECTURES)}"
            yield finding("arch-invalid", place, message)
        elif arch in architectures[:index]:
            yield finding("arch-invalid", place, f"spec.supportArch lists {arch} twice")
    if manifest.api == "v2":
        yield from _check_subcharts(manifest)


def _check_subcharts(manifest: Manifest) -> Iterator[Finding]:
    place = manifest.place("spec", "subCharts")
    subcharts = manifest.items("spec", "subCharts")
    if not subcharts:
        yield finding("subcharts-missing", place, "apiVersion is v2 and spec.subCharts is empty")
        return
    for index in range(len(subcharts)):
        name = manifest.text("spec", "subCharts", index, "name")
        if not _SUBCHART.fullmatch(name) or len(name) > _MAX_SUBCHART:
            message = f"spec.subCharts[{index}].name is {name!r}, which cannot name a chart"
            yield finding("subchart-name", manifest.place("spec", "subCharts", index), message)
    if not any(part.get("shared") for part in subcharts):
        yield finding("subcharts-none-shared", place, "none of spec.subCharts is shared")


def _choices(allowed: Sequence[str]) -> str:
    return ", ".join(repr(value) for value in allowed)
