"""What a market answers to a request: the reference that the Worker and every server follow.

Pure: a site, a method, a path, a query and a body in, an answer out. Rules that hold everywhere:

- Paths are compared as they were sent: nothing is decoded, joined or redirected. A path that is no
  file of the site and no route below is 404.
- A static file is read with GET or HEAD; any other method is 405 without a body, as Cloudflare
  answers for its static assets before any code runs. Their query is ignored.
- A route of this module answers errors as JSON, `{"error": "…"}`, and OPTIONS with 204.
- Of a parameter that a query states twice the first counts; names and values are decoded as a
  browser decodes a form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

from chartgen.market.json_text import json_text, object_text
from chartgen.market.site import (
    APPLICATIONS_PATHS,
    CATALOG_PATH,
    DETAILS_PATH,
    INDEX,
    JSON,
    Base,
    Site,
    SiteFile,
)
from chartgen.market.v2 import success
from chartgen.package.write import package_name

# A device asks for ten apps in a body of 200 bytes; a market of 10,000 apps fits seven times.
MAX_BODY_BYTES = 1024 * 1024
# A sound body nests two levels deep. Parsers differ in how deep they go before they give up.
MAX_DEPTH = 32
# Page numbers and sizes with more digits than JavaScript counts exactly mean nothing.
_NUMBER = re.compile(r"[0-9]{1,9}")
_CHART = re.compile(r"/api/v[12]/applications/([^/]+)/chart")
_READ = ("GET", "HEAD")
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers and a body: `body` itself, or the file of the site at the path `file`.

    `length` is the body's size in bytes, also where a HEAD request leaves it out.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    file: str = ""
    length: int = 0


def answer(site: Site, method: str, path: str, query: str = "", body: bytes = b"") -> Answer:
    """Return the answer to a request; `path` and `query` are as sent, without the `?` between."""
    found = _answer(site, method, path, query, body)
    # What a HEAD request is told is what GET would be, but for the body.
    return replace(found, body=b"", file="") if method == "HEAD" else found


def content(site: Site, found: Answer) -> bytes:
    """Return the body of an answer. Raises UnreadableError where its file has changed on disk."""
    return site.content(found.file) if found.file else found.body


def _answer(site: Site, method: str, path: str, query: str, body: bytes) -> Answer:
    for base in site.bases:
        if path.startswith(f"{base.prefix}/"):
            routed = _routed(site, base, method, path, query, body)
            if routed is not None:
                return routed
    file = site.files.get(path)
    if file is not None:
        allowed = Answer(405, {"Allow": ", ".join(_READ)})
        return _file(path, file) if method in _READ else allowed
    if path.endswith("/") and (index := site.files.get(f"{path}{INDEX}")) is not None:
        return _refused(method, _READ) or _file(f"{path}{INDEX}", index)
    return _error(404, "nothing is here")


def _routed(
    site: Site, base: Base, method: str, path: str, query: str, body: bytes
) -> Answer | None:
    """Return the answer of a route below a base; None where the path is none of its routes."""
    route = path.removeprefix(base.prefix)
    if route == DETAILS_PATH:
        return _refused(method, ("POST",)) or _details(base, body)
    if route == CATALOG_PATH:
        return _refused(method, _READ) or _catalog(base, _parameters(query))
    if route in APPLICATIONS_PATHS:
        return _refused(method, _READ) or _applications(site, base, path, _parameters(query))
    if match := _CHART.fullmatch(route):
        return _refused(method, _READ) or _chart(site, base, match[1], _parameters(query))
    return None


def _refused(method: str, allowed: tuple[str, ...]) -> Answer | None:
    """Return the answer to a method that a route does not serve; None where it does."""
    if method in allowed:
        return None
    headers = {"Allow": ", ".join((*allowed, "OPTIONS"))}
    if method == "OPTIONS":
        return Answer(204, headers)
    refusal = _error(405, f"this address takes {' and '.join(allowed)}")
    return replace(refusal, headers={**refusal.headers, **headers})


def _json(status: int, text: str) -> Answer:
    data = text.encode()
    headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
    return Answer(status, headers, data, length=len(data))


def _error(status: int, message: str) -> Answer:
    return _json(status, json_text({"error": message}))


def _file(path: str, file: SiteFile) -> Answer:
    headers = {"Content-Type": file.content_type, "Cache-Control": file.cache_control}
    return Answer(200, headers, file=path, length=file.size)


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        parameters.setdefault(name, value)
    return parameters


def _chart(site: Site, base: Base, name: str, parameters: Mapping[str, str]) -> Answer:
    """Serve a package where name, file name and version agree (market-protocol-v1 §6 item 3)."""
    wanted = package_name(name, parameters.get("version", ""))
    path = base.charts.get(wanted)
    if path is None or parameters.get("fileName") != wanted:
        return _error(404, "there is no such chart")
    return _file(path, site.files[path])


def _catalog(base: Base, parameters: Mapping[str, str]) -> Answer:
    source = parameters.get("source_id") or base.source_id
    return _json(200, success(json_text({**base.catalog_v2, "source_id": source})))


def _applications(site: Site, base: Base, path: str, parameters: Mapping[str, str]) -> Answer:
    size = _number(parameters.get("size"))
    if size == 0:
        return _file(path, site.files[path])
    page = _number(parameters.get("page")) or 1
    return _json(200, base.applications.text(page, size))


def _number(text: str | None) -> int:
    """Return a number from a query; 0 for what is none, as if it were not there."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else 0


def _details(base: Base, body: bytes) -> Answer:
    if len(body) > MAX_BODY_BYTES:
        return _error(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
    ids = _wanted_ids(body)
    if ids is None:
        return _error(400, 'the body is not {"app_ids": ["…"]}')
    known = [(id_, base.details[id_]) for id_ in ids if id_ in base.details]
    unknown = [id_ for id_ in ids if id_ not in base.details]
    return _json(
        200,
        object_text(
            (
                ("apps", object_text(known)),
                ("not_found", json_text(unknown)),
                ("version", json_text(base.olares_version)),
            )
        ),
    )


def _wanted_ids(body: bytes) -> tuple[str, ...] | None:
    """Return the ids in a body, each once in their order; None for a body that is not sound."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    if _depth(text) > MAX_DEPTH:
        return None
    try:
        value: Any = json.loads(
            text, parse_int=_no_number, parse_float=_no_number, parse_constant=_no_constant
        )
    except ValueError:
        return None
    ids = value.get("app_ids") if isinstance(value, dict) else None
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        return None
    return tuple(dict.fromkeys(ids))


def _depth(text: str) -> int:
    """Return how deep the brackets of a JSON text nest; those in strings do not count."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        bracket = match[0]
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest


def _no_number(_digits: str) -> None:
    """Take any number, however long: none of them is an id."""


def _no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(name)
