"""What a market has to answer after it was published, and asking for it as a device does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from chartgen.market.deploy.http import Answer, Http, NoAnswerError, Request
from chartgen.market.deploy.waiting import Clock
from chartgen.market.routes import answer, content
from chartgen.market.site import DETAILS_PATH, JSON, Base, Site

# A device's own words (market-protocol-v1 §1.3): a firewall that turns these away turns devices
# away.
_DEVICE = {"user-agent": "go-resty/2.12.0 (https://github.com/go-resty/resty)"}
_HASH_PATH = "/api/v1/appstore/hash"
_INFO_PATH = "/api/v1/appstore/info"
# Room for an error page, so that it can be told from the answer that is expected.
_SLACK_BYTES = 64 << 10
_POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """A request, and the answer that is right: status 200, this type, exactly these bytes."""

    method: str
    path: str
    body: bytes
    content_type: str
    size: int
    sha256: str


def probes_of(site: Site) -> tuple[Probe, ...]:
    """Return what is asked of a published site: hash, list, one app's details, one chart.

    Each base is asked, with the hashes of all of them first: they are what changes.
    """
    hashes = [_probe(site, "GET", f"{base.prefix}{_HASH_PATH}", base) for base in site.bases]
    return (*hashes, *(probe for base in site.bases for probe in _further(site, base)))


def _further(site: Site, base: Base) -> Iterator[Probe]:
    yield _probe(site, "GET", f"{base.prefix}{_INFO_PATH}", base)
    if base.details:
        wanted = {"app_ids": [min(base.details)], "version": base.olares_version}
        yield _probe(
            site, "POST", f"{base.prefix}{DETAILS_PATH}", base, json.dumps(wanted).encode()
        )
    if base.charts:
        name, _, version = max(base.charts).removesuffix(".tgz").rpartition("-")
        query = {"fileName": f"{name}-{version}.tgz", "version": version}
        path = f"{base.prefix}/api/v1/applications/{name}/chart?{urlencode(query)}"
        yield _probe(site, "GET", path, base)


def _probe(site: Site, method: str, path: str, base: Base, body: bytes = b"") -> Probe:
    plain, _, query = path.partition("?")
    if method == "GET" and not query:
        path = f"{path}?{urlencode({'version': base.olares_version})}"
    found = answer(site, method, plain, query, body)
    data = content(site, found)
    digest = hashlib.sha256(data).hexdigest()
    return Probe(method, path, body, found.headers["Content-Type"], len(data), digest)


def ask(http: Http, address: str, probe: Probe) -> str:
    """Put a probe to a market. Return what is wrong with the answer, empty if nothing is."""
    headers = {**_DEVICE, **({"content-type": JSON} if probe.body else {})}
    limit = probe.size + _SLACK_BYTES
    where = f"{probe.method} {address}{probe.path}"
    try:
        found = http.send(
            Request(probe.method, f"{address}{probe.path}", headers, body=probe.body, limit=limit)
        )
    except NoAnswerError as error:
        return f"{where}: no answer ({error})"
    fault = _fault(found, probe)
    return f"{where}: {fault}" if fault else ""


def _fault(found: Answer, probe: Probe) -> str:
    if found.headers.get("cf-mitigated"):
        return "Cloudflare's firewall wants to see a browser there, which devices are not"
    if 300 <= found.status < 400:
        return f"leads elsewhere ({found.headers.get('location', '')[:200]})"
    if found.status != 200:
        return f"status {found.status} instead of 200"
    if found.headers.get("content-type") != probe.content_type:
        kind = found.headers.get("content-type", "none")[:100]
        return f"content type {kind!r} instead of {probe.content_type!r}"
    if hashlib.sha256(found.body).hexdigest() != probe.sha256:
        return f"other content ({len(found.body):,} bytes instead of {probe.size:,})"
    return ""


def wait_for(
    http: Http,
    clock: Clock,
    address: str,
    probes: Sequence[Probe],
    seconds: float,
    tell: Callable[[str], None],
) -> str:
    """Ask until every answer is right. Return what was still wrong after so many seconds.

    `tell` is told what is still wrong each time.

    An answer that is right once may be followed by an old one from another of Cloudflare's
    machines: all have to be right in one go.
    """
    end = clock.now() + seconds
    while True:
        fault = next(filter(None, (ask(http, address, probe) for probe in probes)), "")
        if not fault or clock.now() + _POLL_SECONDS > end:
            return fault
        tell(fault)
        clock.sleep(_POLL_SECONDS)
