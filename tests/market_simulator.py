"""A market in memory, written from the protocol notes: sound at first, then bent by a test.

It stands behind the HTTP client's mock transport, as the repository of python-tuf's tests does
behind its fetcher. A test changes what the market serves (`bend`, or a named attack), never what
was published: `ledger` stays the truth that a verification compares with.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import httpx2
from sound_chart import Draft, legacy
from specs import png

from chartgen.chart import Chart
from chartgen.market.device.client import connect
from chartgen.market.device.verify import VerifyReport, verify
from chartgen.package.write import pack
from chartgen.release.ledger import Ledger, chained, parse_ledger
from chartgen.release.record import PackageRecord, Release, release_line

HOST = "https://market.example.com"
HASH = "/api/v1/appstore/hash"
INFO = "/api/v1/appstore/info"
DETAILS = "/api/v1/applications/info"
CATALOG = "/api/v2/catalog"
TAXONOMY = "/api/v2/taxonomy"
APPLICATIONS = "/api/v2/applications"
BROWSE = "/api/v2/browse/applications"
SUMS = "/sha256sums"
PREFIXES = {"modern": "", "legacy": "/legacy"}
# In the order of their releases: bravo has one before its newest, echo is retired in the end.
STORY = (
    ("alpha", "1.0.0"),
    ("bravo", "1.0.0"),
    ("echo", "2.0.0"),
    ("bravo", "1.1.0"),
    ("charlie", "0.9.12"),
    ("echo", "retired"),
)

Respond = Callable[[httpx2.Request, httpx2.Response], httpx2.Response]


@cache
def package(name: str, version: str, platform: str) -> bytes:
    """Return a chart as it is packed."""
    files = {
        path: data.replace(b"demo", name.encode()).replace(b"1.0.2", version.encode())
        for path, data in _files(platform).items()
    }
    return pack(Chart(name, files))


@cache
def _files(platform: str) -> Mapping[str, bytes]:
    return (Draft() if platform == "modern" else legacy()).chart().files


def icon(name: str) -> bytes:
    return png(8, 8) + name.encode()


def icon_file(name: str) -> str:
    return f"{name}-{hashlib.sha256(icon(name)).hexdigest()[:8]}.png"


def app_id(name: str) -> str:
    return hashlib.md5(name.encode()).hexdigest()[:8]


def published(story: tuple[tuple[str, str], ...] = STORY) -> Ledger:
    """Return the ledger of a story, one line a day."""
    lines = []
    newest: dict[str, str] = {}
    for day, (name, version) in enumerate(story, start=1):
        date = f"2026-11-{day:02d}T18:00:00Z" if day < 31 else "2026-12-01T00:00:00Z"
        if version == "retired":
            line = Release(0, "", "retired", name, newest[name], date, reason="No longer needed")
        else:
            newest[name] = version
            packages = tuple(_record(name, version, platform) for platform in PREFIXES)
            changes = (f"What is new in {version}",)
            line = Release(
                0, "", "release", name, version, date, changes, packages, icon_file(name)
            )
        lines.append(line)
    return parse_ledger(b"".join(map(release_line, chained(Ledger(), lines))))


def _record(name: str, version: str, platform: str) -> PackageRecord:
    data = package(name, version, platform)
    below = "packages" if platform == "modern" else "packages/legacy"
    digest = hashlib.sha256(data).hexdigest()
    return PackageRecord(platform, f"{below}/{name}-{version}.tgz", digest, "", len(data))


def milliseconds(date: str) -> int:
    moment = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1000


@dataclass
class Shelf:
    """What is served below one base: documents by their paths, details by id, charts by file."""

    documents: dict[str, Any]
    details: dict[str, Any]
    charts: dict[str, bytes]
    charts_v2: dict[str, bytes]


@dataclass
class Drip(httpx2.SyncByteStream):
    """A body that comes piece by piece, and lets time pass in between."""

    piece: bytes
    pieces: int
    market: Market
    seconds: float = 0.0

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.market.now += self.seconds
            yield self.piece


class Market:
    """A market at HOST. `prefix` is a path in front of everything; `now` the time in seconds."""

    def __init__(self, story: tuple[tuple[str, str], ...] = STORY, prefix: str = "") -> None:
        self.ledger = published(story)
        self.prefix = prefix
        self.now = 0.0
        self.requests: list[httpx2.Request] = []
        self.files: dict[str, bytes] = {}
        self.shelves: dict[str, Shelf] = {}
        self.faults: list[tuple[str, Respond]] = []
        self.serve(self.ledger)

    @property
    def url(self) -> str:
        return f"{HOST}{self.prefix}"

    def serve(self, ledger: Ledger) -> None:
        """Serve what a ledger says, and nothing else."""
        self.shelves = {prefix: self._shelf(ledger, name) for name, prefix in PREFIXES.items()}
        names = {line.name for line in ledger.releases}
        self.files = {f"/icons/{icon_file(name)}": icon(name) for name in names}
        self.files["/index.html"] = b"<!doctype html><title>Market</title>"
        self.files[SUMS] = self.sums()

    def sums(self) -> bytes:
        """Return the checksums of all files that are served now."""
        served = {path: data for path, data in self.files.items() if path != SUMS}
        for prefix, shelf in self.shelves.items():
            served |= {f"{prefix}/charts/{file}": data for file, data in shelf.charts.items()}
        lines = (
            f"{hashlib.sha256(data).hexdigest()}  {path[1:]}\n"
            for path, data in sorted(served.items())
        )
        return "".join(lines).encode()

    def bend(self, path: str, *keys: str | int, value: Any, bases: tuple[str, ...] = ("",)) -> None:
        """Change one value of a document; `value` may be a function of the old one."""
        for base in bases:
            shelf = self.shelves[base]
            inner = shelf.details if path == DETAILS else shelf.documents[path]
            for key in keys[:-1]:
                inner = inner[key]
            new = value(copy.deepcopy(inner.get(keys[-1]))) if callable(value) else value
            inner[keys[-1]] = new

    def drop(self, path: str, *keys: str | int) -> None:
        """Remove one value of a document."""
        shelf = self.shelves[""]
        inner = shelf.details if path == DETAILS else shelf.documents[path]
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]

    def respond(self, path: str, respond: Respond) -> None:
        """Answer requests below a path otherwise."""
        self.faults.append((path, respond))

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.answer)

    def verify(self, **options: Any) -> VerifyReport:
        """Verify the market against its ledger, without looking into charts."""
        options = {"ledger": self.ledger, "lint": None} | options
        url = options.pop("url", self.url)
        with connect(url, transport=self.transport(), clock=lambda: self.now) as fetch:
            return verify(url, fetch=fetch, **options)

    # Answering

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix(self.prefix)
        response = self._sound(request, path)
        for where, respond in self.faults:
            if path.startswith(where):
                response = respond(request, response)
        return response

    def _sound(self, request: httpx2.Request, path: str) -> httpx2.Response:
        prefix = "/legacy" if path.startswith("/legacy/") else ""
        shelf = self.shelves[prefix]
        inside = path.removeprefix(prefix)
        query = {key: values[0] for key, values in parse_qs(request.url.query.decode()).items()}
        if request.method == "POST":
            return self._details(shelf, inside, request.content)
        if inside.endswith("/chart"):
            return self._chart(shelf, inside, query)
        if path in self.files:
            kind = "image/png" if path.endswith(".png") else "text/plain"
            return httpx2.Response(200, content=self.files[path], headers={"content-type": kind})
        document = copy.deepcopy(shelf.documents.get(inside))
        if document is None:
            return answer({"error": "nothing here"}, 404)
        if inside == CATALOG and query.get("source_id"):
            document["data"].setdefault("source_id", query["source_id"])
        if inside == APPLICATIONS and "size" in query:
            _cut_to_page(document["data"], int(query["page"]), int(query["size"]))
        return answer(document)

    def _details(self, shelf: Shelf, path: str, body: bytes) -> httpx2.Response:
        try:
            asked = json.loads(body)
            if path != DETAILS or not isinstance(asked["app_ids"], list):
                return answer({"error": "no request for details"}, 400)
        except (ValueError, TypeError, KeyError):
            return answer({"error": "no request for details"}, 400)
        ids = dict.fromkeys(asked["app_ids"])
        found = {key: shelf.details[key] for key in ids if key in shelf.details}
        missing = [key for key in ids if key not in found]
        return answer({"apps": found, "version": asked["version"], "not_found": missing})

    def _chart(self, shelf: Shelf, path: str, query: dict[str, str]) -> httpx2.Response:
        _, _, route, _, name, _ = path.split("/")
        charts = shelf.charts_v2 if route == "v2" else shelf.charts
        file = query.get("fileName", "")
        if file != f"{name}-{query.get('version')}.tgz" or file not in charts:
            return answer({"error": "no such chart"}, 404)
        headers = {
            "content-type": "application/gzip",
            "cache-control": "public, max-age=31536000, immutable",
        }
        return httpx2.Response(200, content=charts[file], headers=headers)

    # What a sound market serves

    def _shelf(self, ledger: Ledger, platform: str) -> Shelf:
        histories = ledger.by_name()
        details = {app_id(name): self._entry(lines) for name, lines in histories.items()}
        live = [entry for entry in details.values() if not entry["appLabels"]]
        summaries = {
            key: {field: value for field, value in entry.items() if field != "versionHistory"}
            for key, entry in details.items()
        }
        names = [entry["name"] for entry in live]
        data = {
            "apps": summaries,
            "recommends": {
                "New": {
                    "name": "New",
                    "description": "What is new",
                    "content": ",".join(names),
                    "data": {"title": {"en-US": "New"}, "description": {"en-US": ""}},
                    "source": 0,
                }
            },
            "pages": {name: _page(name) for name in ("All", "Models")},
            "topics": {
                "first": {
                    "_id": "first",
                    "name": "First",
                    "data": {"en-US": {"title": "First", "apps": ",".join(names)}},
                    "source": 0,
                }
            },
            "topic_lists": {
                "Best": {
                    "name": "Best",
                    "type": "Topic",
                    "description": "",
                    "content": "first",
                    "title": {"en-US": "Best"},
                    "source": 0,
                }
            },
            "tops": [
                {"appId": name, "appid": name, "rank": rank}
                for rank, name in enumerate(names, start=1)
            ],
            "latest": names,
            "tags": {
                name: {"_id": name, "name": name, "title": {"en-US": name}, "sort": at, "source": 0}
                for at, name in enumerate(("All", "Models"))
            },
        }
        digest = hashlib.sha256(json.dumps([data, details]).encode()).hexdigest()
        items = [_item(entry, histories[entry["name"]]) for entry in live]
        newest = max((milliseconds(line.date) for line in ledger.releases), default=0)
        stamps = {"page": 1, "page_size": len(items), "max_last_modify_time": newest}
        listing = {"items": items, "removed": _removed(details), "has_more": False, **stamps}
        charts = {
            f"{line.name}-{line.version}.tgz": package(line.name, line.version, platform)
            for line in ledger.releases
            if line.kind == "release"
        }
        documents = {
            HASH: {"hash": digest, "last_updated": "", "version": "1.12.6"},
            INFO: {
                "version": "1.12.6",
                "hash": digest,
                "last_updated": "2026-11-21T18:00:00.000000000Z",
                "stats": {"appstore_data": len(live)},
                "data": data,
            },
            CATALOG: _v2(
                {
                    "schema_version": "v2",
                    "taxonomy_last_modify_time": newest,
                    "apps_last_modify_time": newest,
                    "apps_filter_digest": digest,
                }
            ),
            TAXONOMY: _v2(_taxonomy(newest)),
            APPLICATIONS: _v2({**listing, "total": len(items)}),
            BROWSE: _v2({**listing, "total": len(items)}),
        }
        return Shelf(copy.deepcopy(documents), details, charts, dict(charts))

    def _entry(self, lines: tuple[Release, ...]) -> dict[str, Any]:
        releases = [line for line in lines if line.kind == "release"]
        newest = releases[-1]
        name, key = newest.name, app_id(newest.name)
        texts = {
            "title": name.title(),
            "description": f"What {name} does",
            "fullDescription": f"All that {name} does",
            "upgradeDescription": "\n".join(f"- {note}" for note in newest.changes),
        }
        return {
            "id": key,
            "appID": key,
            "name": name,
            "cfgType": "app",
            "chartName": f"{name}-{newest.version}.tgz",
            "icon": f"{self.url}/icons/{icon_file(name)}",
            "version": newest.version,
            "versionName": newest.version,
            "apiVersion": "v3",
            **texts,
            "categories": ["Models"],
            "supportArch": ["amd64"],
            "developer": "somebody",
            "appLabels": ["remove"] if lines[-1].kind == "retired" else [],
            "entrances": [{"name": name, "port": 8080}],
            "options": {
                "dependencies": [{"name": "olares", "type": "system", "version": ">=1.12.3-0"}]
            },
            "i18n": {
                "en-US": {
                    "metadata": {"title": texts["title"], "description": texts["description"]},
                    "entrances": None,
                    "spec": {
                        "fullDescription": texts["fullDescription"],
                        "upgradeDescription": texts["upgradeDescription"],
                    },
                }
            },
            "requiredMemory": "2147483648",
            "requiredDisk": "10737418240",
            "requiredGPU": "",
            "requiredCPU": "0.5",
            "rating": 0,
            "versionHistory": [
                {
                    "appName": name,
                    "version": line.version,
                    "versionName": line.version,
                    "mergedAt": line.date,
                    "upgradeDescription": "",
                }
                for line in reversed(releases)
            ],
        }

    # Attacks and faults, by their names in the TUF specification (1.5.2)

    def arbitrary_software(self) -> None:
        """Other bytes in place of a published chart."""
        for charts in (self.shelves[""].charts, self.shelves[""].charts_v2):
            charts["alpha-1.0.0.tgz"] = package("alpha", "1.0.0", "legacy")

    def endless_data(self) -> None:
        """An answer that never ends."""

        def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
            body = Drip(b"[" * (1 << 16), 1 << 30, self)
            return httpx2.Response(200, headers=response.headers, stream=body)

        self.respond(HASH, respond)

    def slow_retrieval(self) -> None:
        """One byte every nine seconds."""

        def respond(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
            headers = {"content-type": "application/json"}
            return httpx2.Response(200, headers=headers, stream=Drip(b" ", 10_000, self, 9.0))

        self.respond(INFO, respond)

    def fast_forward(self) -> None:
        """A version so high that no later one is ever seen."""
        for prefix in PREFIXES.values():
            self.offer_version(prefix, "alpha", "999.0.0")

    def freeze(self) -> None:
        """The whole market as it was before the last two lines, consistent in itself."""
        story = tuple((line.name, line.version) for line in self.ledger.releases[:-2])
        self.serve(published(story))

    def rollback(self) -> None:
        """One app as it was, among others that came later."""
        for prefix in PREFIXES.values():
            self.offer_version(prefix, "bravo", "1.0.0")

    def mix_and_match(self) -> None:
        """A list of today with details of yesterday."""
        former = Market(tuple((line.name, line.version) for line in self.ledger.releases[:3]))
        self.shelves[""].details[app_id("bravo")] = former.shelves[""].details[app_id("bravo")]

    def wrong_software(self) -> None:
        """A sound chart of this market, under another app's name."""
        for charts in (self.shelves[""].charts, self.shelves[""].charts_v2):
            charts["alpha-1.0.0.tgz"] = charts["charlie-0.9.12.tgz"]

    def offer_version(self, prefix: str, name: str, version: str) -> None:
        """Offer an app under another version, everywhere alike."""
        shelf, key = self.shelves[prefix], app_id(name)
        data = shelf.documents[INFO]["data"]
        for entry in (shelf.details[key], data["apps"][key]):
            entry["version"] = version
        for path in (APPLICATIONS, BROWSE):
            for item in shelf.documents[path]["data"]["items"]:
                if item["name"] == name:
                    item["version"] = version


def answer(document: Any, status: int = 200, **headers: str) -> httpx2.Response:
    """Return an answer in JSON, as a market gives it."""
    given = {"content-type": "application/json", "cache-control": "no-store"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, content=json.dumps(document).encode(), headers=given)


def _v2(data: dict[str, Any]) -> dict[str, Any]:
    return {"code": 0, "msg": "success", "data": data}


def _page(category: str) -> dict[str, Any]:
    blocks = [
        {"type": "Recommends", "id": "New"},
        {"type": "Topic", "id": "Best"},
        {"type": "Default Topic", "id": "Newest"},
        {"type": "Default Topic", "id": "Hottest"},
    ]
    return {"category": category, "content": json.dumps(blocks), "source": 0}


def _item(entry: dict[str, Any], lines: tuple[Release, ...]) -> dict[str, Any]:
    stamp = milliseconds(lines[-1].date)
    return {
        "app_id": entry["id"],
        "name": entry["name"],
        "title": entry["title"],
        "version": entry["version"],
        "icon": entry["icon"],
        "featured_image": "",
        "cfg_type": "app",
        "categories": ["Models"],
        "categories_v2": ["Models"],
        "tags": [],
        "app_labels": [],
        "olares_version_constraint": ">=1.12.3-0",
        "last_modify_time": stamp,
        "updated_at": stamp // 1000,
    }


def _removed(details: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"app_id": key, "name": entry["name"]}
        for key, entry in details.items()
        if entry["appLabels"]
    ]


def _taxonomy(stamp: int) -> dict[str, Any]:
    return {
        "last_modify_time": stamp,
        "source": {
            "source_id": "market.Example",
            "short_label": "Example",
            "display_name": {"en-US": "Example"},
            "icon": "",
            "is_official": False,
        },
        "languages": [{"code": "en-US", "display_name": "English", "sort": 0, "enabled": True}],
        "categories": [
            {
                "id": "Models",
                "builtin": False,
                "sort": 1,
                "icon": "",
                "title": {"en-US": "Models"},
                "description": {},
            }
        ],
        "nav": ["Models"],
        "pages": [{"category_id": "Models", "items": [{"id": "all", "type": "all"}]}],
        "tags": [],
        "topic_lists": [],
        "topics": [],
        "recommends": [],
    }


def _cut_to_page(data: dict[str, Any], page: int, size: int) -> None:
    begin = (page - 1) * size
    items = data["items"]
    data["has_more"] = begin + size < len(items)
    data["items"] = items[begin : begin + size]
    data["page"], data["page_size"] = page, size
