"""The charts: asked for by name and version, read in memory, and compared with what was announced.

A device checks neither status nor content type, keeps whatever came, and never asks for a name and
version again (market-protocol-v1 §3.1). So every chart is looked at here, one at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from chartgen.chart import Chart
from chartgen.errors import MissingToolError, UnreadableError
from chartgen.findings import Finding
from chartgen.lint.device_yaml import read_device_yaml
from chartgen.lint.manifest_reading import read_manifests
from chartgen.market.device.client import Reply
from chartgen.market.device.faults import shown
from chartgen.market.device.source import SECONDS, Source, is_json
from chartgen.package.paths import MAX_PACKED_BYTES
from chartgen.package.read import read_package
from chartgen.package.write import package_name

Route = Literal["v1", "v2"]
Lint = Callable[[Chart], tuple[Finding, ...]]

_GZIP_MAGIC = b"\x1f\x8b"
# What a finding says of bytes that no ledger names.
NOT_PUBLISHED = "no chart of this name and version"
_GZIP_TYPES = frozenset({"application/gzip", "application/x-gzip", "application/octet-stream"})
# Generation A gives download and render three seconds in all (market-protocol-v1 §2.8).
_FAST = 3.0
# What a device asks for where the market names no version (source_chart_step.go:282).
_NO_VERSION = "1.10.9-0"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chart to ask for: one on offer (`current`), or one that was on offer once.

    `sha256` is what the ledger says of it: empty for a chart that it does not know, None where
    there is no ledger.
    """

    name: str
    version: str
    current: bool
    sha256: str | None = None


@dataclass(slots=True)
class Fetched:
    """What came of a market's charts: the digest of each package, by name and version."""

    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    linted: set[str] = field(default_factory=set)


def check_charts(
    source: Source, wanted: Iterable[Wanted], routes: Iterable[Route], lint: Lint | None
) -> Fetched:
    """Ask for charts on each route, and check what comes.

    `lint` says what is wrong with a chart by itself. Where the ledger knows a chart it is called
    for its bytes only, so that nothing is rendered that nobody published.
    """
    fetched = Fetched()
    asked = tuple(routes)
    for chart in sorted(wanted, key=lambda item: (item.name, item.version)):
        for route in asked:
            found = _check_chart(source, chart, route, lint, fetched)
            if not found and "v1" not in asked:
                _check_chart(source, chart, "v1", lint, fetched)
        if source.given_up:
            break
    return fetched


def chart_path(name: str, route: Route) -> str:
    """Return the path under which a device asks for a chart."""
    return f"/api/{route}/applications/{quote(name, safe='')}/chart"


def get_chart(source: Source, name: str, version: str, route: Route) -> tuple[Reply | None, str]:
    """Ask for a chart as a device does; return the answer and the place of findings."""
    version = version or _NO_VERSION
    file = package_name(name, version)
    path = chart_path(name, route)
    place = f"{path}?fileName={file}"
    query = {"fileName": file, "version": version}
    return source.get(path, query, limit=MAX_PACKED_BYTES, seconds=SECONDS, at=place), place


def _check_chart(
    source: Source, wanted: Wanted, route: Route, lint: Lint | None, fetched: Fetched
) -> bool:
    """Check one chart; tell whether there was one, so that no other route need be tried."""
    reply, place = get_chart(source, wanted.name, wanted.version, route)
    if reply is None:
        return True
    if reply.status != 200:
        _missing(source, wanted, route, reply, place)
        return reply.status != 404
    _check_headers(source, reply, place)
    if not reply.body.startswith(_GZIP_MAGIC):
        message = f"the answer begins with {reply.body[:12]!r}, and a device keeps it as the chart"
        source.fault("market-chart-not-gzip", place, message)
        return True
    digest = hashlib.sha256(reply.body).hexdigest()
    key = wanted.name, wanted.version
    if fetched.digests.setdefault(key, digest) != digest:
        message = "the chart has other bytes than under the v1 path"
        source.fault("market-charts-disagree", place, message)
    if wanted.sha256 is not None and digest != wanted.sha256:
        published = wanted.sha256 or NOT_PUBLISHED
        message = f"the SHA-256 is {digest}; published was {published}"
        source.fault("market-chart-differs", place, message)
    if wanted.current and digest not in fetched.linted:
        fetched.linted.add(digest)
        trusted = wanted.sha256 in {None, digest}
        _read(source, wanted, reply.body, place, lint if trusted else None)
    return True


def _missing(source: Source, wanted: Wanted, route: Route, reply: Reply, place: str) -> None:
    if route == "v2" and reply.status == 404:
        message = "the status is 404; a device then asks a second time, under v1"
        source.fault("market-v2-chart-missing", place, message)
        return
    rule = "market-chart-missing" if wanted.current else "market-chart-gone"
    kept = "a device keeps the answer as the chart" if wanted.current else "it was once on offer"
    source.fault(rule, place, f"the status is {reply.status}, and {kept}")


def _check_headers(source: Source, reply: Reply, place: str) -> None:
    headers = reply.headers
    if reply.media_type not in _GZIP_TYPES:
        message = f"the content type is {shown(reply.media_type)}, not application/gzip"
        source.fault("market-chart-type", place, message)
    if headers.get("content-length") != str(len(reply.body)):
        found = shown(headers.get("content-length", ""))
        message = f"Content-Length is {found}, and {len(reply.body)} bytes came"
        if "content-encoding" in headers:
            message += f" with Content-Encoding {shown(headers['content-encoding'])}"
        source.fault("market-chart-length", place, message)
    if "immutable" not in headers.get("cache-control", "").lower():
        found = shown(headers.get("cache-control", ""))
        source.fault("market-chart-uncached", place, f"Cache-Control is {found}, not immutable")
    if reply.seconds > _FAST:
        message = f"the chart took {reply.seconds:.1f} s, and generation A waits {_FAST:g} s"
        source.fault("market-chart-slow", place, message)


def _read(source: Source, wanted: Wanted, data: bytes, place: str, lint: Lint | None) -> None:
    """Check a package by itself, and that it is the one that was asked for."""
    try:
        chart = read_package(data, source.place(place))
    except UnreadableError as error:
        message = str(error).removeprefix(f"{source.place(place)}: ")
        source.fault("market-chart-damaged", place, message)
        return
    found = [("folder", chart.name), ("Chart.yaml", _chart_yaml(chart, "name"))]
    versions = [("Chart.yaml", _chart_yaml(chart, "version"))]
    try:
        manifests, _ = read_manifests(chart) if lint is not None else ((), ())
    except MissingToolError:
        # The lint says so itself.
        manifests = ()
    for manifest in manifests[:1]:
        found.append(("OlaresManifest.yaml", manifest.name))
        versions.append(("OlaresManifest.yaml", manifest.version))
    for what, name in found:
        if name != wanted.name:
            message = f"the {what} says {shown(name)}, asked for was {shown(wanted.name)}"
            source.fault("market-chart-name", place, message)
    for what, version in versions:
        if version != wanted.version:
            message = f"the {what} says {shown(version)}, asked for was {shown(wanted.version)}"
            source.fault("market-chart-version", place, message)
    if lint is not None:
        source.faults.take(lint(chart))


def _chart_yaml(chart: Chart, field: str) -> str:
    document, _ = read_device_yaml(chart.files.get("Chart.yaml", b""), "Chart.yaml")
    value = document.value if document is not None else None
    return str(value.get(field, "")) if isinstance(value, dict) else ""


def check_strangers(source: Source, wanted: Wanted, routes: Iterable[Route]) -> None:
    """Ask for a chart whose name, file and version do not agree: only a 404 is safe."""
    file = package_name(wanted.name, wanted.version)
    other = "0.0.0"
    for route in routes:
        for name, asked, version in (
            (wanted.name, package_name(wanted.name, other), other),
            (wanted.name, file, other),
            (f"{wanted.name}x", file, wanted.version),
            (wanted.name, f"../{file}", wanted.version),
        ):
            path = chart_path(name, route)
            place = f"{path}?fileName={asked}"
            query = {"fileName": asked, "version": version}
            reply = source.get(path, query, limit=MAX_PACKED_BYTES, at=place)
            if reply is not None and (reply.status != 404 or not is_json(reply)):
                message = f"the status is {reply.status} ({shown(reply.media_type)})"
                source.fault("market-chart-loose", place, f"{message}, and a JSON 404 is wanted")
