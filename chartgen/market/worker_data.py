"""What the Worker answers from, as modules beside its script, and what it answers at all.

`texts.bin` holds every text that the Worker sends, ready and in UTF-8; `data.js` says where each
of them begins. Finding and joining bytes is all that is left to do for a request.

Behaviour of static assets and its limits: cloudflare/workers-sdk at f830836,
packages/workers-shared (asset-worker/src/handler.ts, asset-worker/src/utils/headers.ts,
utils/constants.ts), and developers.cloudflare.com/changelog of 2026-09-04 for the script's size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chartgen.errors import RefusedError
from chartgen.market.json_text import json_text
from chartgen.market.routes import MAX_BODY_BYTES, MAX_DEPTH
from chartgen.market.site import APPLICATIONS_PATHS, CATALOG_PATH, JSON, Base, Site, SiteFile
from chartgen.market.v2 import success
from chartgen.resources import worker_source

MAIN_MODULE = "worker.js"
# The behaviour of the runtime that the tests run the Worker with; a later date may change it.
COMPATIBILITY_DATE = "2026-07-01"
JAVASCRIPT = "application/javascript+module"
BYTES = "application/octet-stream"

MAX_SCRIPT_BYTES = 64 << 20
_MAX_RULES, _MAX_RULE = 100, 100
# What assets answer with a redirect to a cleaner path, if there is a file at that: two slashes in
# a row, and what is percent-encoded. No file of a site has either, so the script answers them all.
_REDIRECTED = ("//*", "/*//*", "/*%*")
# What encodeURIComponent leaves as it is. A file with any other character in its path would be
# found by nobody, but for a redirect to its encoded form.
_PATH = re.compile(r"(/[A-Za-z0-9._~!'()*-]+)+")
# Files at the root that configure assets instead of being one (wrangler 4.164.0).
_RESERVED = frozenset({"/_headers", "/_redirects", "/.assetsignore", "/_worker.js"})
# What Cloudflare says of every file unless it is told otherwise.
_USUAL_CACHING = "public, max-age=0, must-revalidate"
# Stands where the Worker writes the id of the source; no text of a market has a bare NUL.
_SOURCE = "\0"


def worker_modules(site: Site) -> dict[str, tuple[str, bytes]]:
    """Return the modules of a site's Worker: media type and bytes by name.

    Raises RefusedError where they are larger than Cloudflare takes.
    """
    texts = bytearray()
    # The longest prefix first: the Worker takes the first base that fits.
    bases = [_base(base, texts) for base in sorted(site.bases, key=lambda b: -len(b.prefix))]
    market = {"bases": bases, "maxBodyBytes": MAX_BODY_BYTES, "maxDepth": MAX_DEPTH}
    modules = {
        MAIN_MODULE: (JAVASCRIPT, worker_source()),
        "data.js": (JAVASCRIPT, f"export default {json_text(market)};\n".encode()),
        "texts.bin": (BYTES, bytes(texts)),
    }
    size = sum(len(data) for _, data in modules.values())
    if size > MAX_SCRIPT_BYTES:
        raise RefusedError(
            f"the Worker and the texts of all apps have {size:,} bytes, Cloudflare takes "
            f"{MAX_SCRIPT_BYTES:,}; split the market"
        )
    return modules


def _base(base: Base, texts: bytearray) -> dict[str, Any]:
    """Return what the Worker knows of a base; the texts that it sends are appended to `texts`."""
    ids = sorted(base.details)
    details = (f"{json_text(id_)}:{base.details[id_]}" for id_ in ids)
    catalog = success(json_text({**base.catalog_v2, "source_id": _SOURCE}))
    return {
        "prefix": base.prefix,
        "version": json_text(base.olares_version),
        "sourceId": base.source_id,
        "catalog": catalog.split(json_text(_SOURCE)),
        "ids": ids,
        "detailStarts": _appended(texts, details),
        "itemStarts": _appended(texts, base.applications.items),
        "newestMs": base.applications.newest_ms,
        "removed": json_text(base.applications.removed),
    }


def _appended(texts: bytearray, members: Iterable[str]) -> list[int]:
    """Append texts, each after a comma; return where they begin, and where the last one ends."""
    starts = [len(texts)]
    for member in members:
        texts += f",{member}".encode()
        starts.append(len(texts))
    return starts


def worker_config(site: Site) -> dict[str, Any]:
    """Return how requests are divided between files and script (`assets.config` of an upload).

    Raises RefusedError where a path of the site cannot be served as it is, and where the site
    needs more rules than Cloudflare takes.
    """
    for path in site.files:
        if not _PATH.fullmatch(path) or path in _RESERVED or {".", ".."} & set(path.split("/")):
            raise RefusedError(f"{path!r} cannot be the path of a file on Cloudflare; rename it")
    rules = [*(rule for base in site.bases for rule in _script_rules(base.prefix)), *_REDIRECTED]
    headers = header_rules(site.files)
    if max(len(rules), len(headers)) > _MAX_RULES or any(len(rule) > _MAX_RULE for rule in rules):
        raise RefusedError(
            f"the site needs {len(rules)} rules of routing and {len(headers)} of headers, "
            f"Cloudflare takes {_MAX_RULES}; put files that are cached alike into one folder"
        )
    return {
        "html_handling": "none",
        "not_found_handling": "none",
        "run_worker_first": rules,
        "_headers": "".join(
            f"{pattern}\n" + "".join(f"  {name}: {value}\n" for name, value in values.items())
            for pattern, values in headers.items()
        ),
    }


def _script_rules(prefix: str) -> Iterator[str]:
    """Yield what the script answers, whatever the method and whether or not a file is there.

    Files answer any method but GET and HEAD with an empty 405, and never read a query.
    """
    yield f"{prefix}/api/v1/applications/*"
    yield f"{prefix}/api/v2/applications/*"
    yield f"{prefix}{CATALOG_PATH}"
    for path in APPLICATIONS_PATHS:
        yield f"{prefix}{path}"


def header_rules(files: Mapping[str, SiteFile]) -> dict[str, dict[str, str]]:
    """Return the headers that files have beside Cloudflare's own, by pattern of their paths.

    Of two patterns that fit a file Cloudflare joins the values of a header, so none of these
    states a header again. Every file says what methods it takes, since a refusal has to.
    """
    rules = {"/*": {"Allow": "GET, HEAD"}}
    for pattern, below in _patterns("/", sorted(files), files):
        caching = {files[path].cache_control for path in below}.pop()
        if caching != _USUAL_CACHING:
            rules[pattern] = {"Cache-Control": caching}
            if {files[path].content_type for path in below} == {JSON}:
                # A device reads nothing where the type is missing (market-protocol-v1 §2.2), so
                # it does not depend on the upload alone.
                rules[pattern]["Content-Type"] = JSON
    return rules


def _patterns(
    folder: str, paths: list[str], files: Mapping[str, SiteFile]
) -> Iterator[tuple[str, list[str]]]:
    """Yield folders of which all files are cached alike, and every other file by itself."""
    if folder != "/" and len({files[path].cache_control for path in paths}) == 1:
        yield f"{folder}*", paths
        return
    groups: dict[str, list[str]] = {}
    for path in paths:
        step, slash, _ = path.removeprefix(folder).partition("/")
        if slash:
            groups.setdefault(f"{folder}{step}/", []).append(path)
        else:
            yield path, [path]
    for group, members in groups.items():
        yield from _patterns(group, members, files)
