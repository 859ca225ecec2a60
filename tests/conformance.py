"""What every server of a market must do, whatever it is written in.

A subclass of `Conformance` names its server by a fixture:

    class TestSomeServer(Conformance):
        @pytest.fixture(scope="class")
        @classmethod
        def server(cls) -> Iterator[Server]:
            yield Server("http://127.0.0.1:8080", sample_site())

`site` is what the server was given; without it (a market somewhere else) the tests hold it to the
protocol alone. Numbered tests are the items of the conformance checklist, market-protocol-v1 §6; 7
and 8 are for who makes a site (tests/test_market_site.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import re
import tarfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chartgen.chart import Chart
from chartgen.findings import Severity
from chartgen.lint.chart import lint_chart
from chartgen.lint.manifest_reading import read_manifests
from chartgen.market.routes import MAX_BODY_BYTES, MAX_DEPTH, answer, content
from chartgen.market.site import Base, Site
from chartgen.olares.names import RESERVED_APP_IDS, RESERVED_FOLDERS, official_apps
from chartgen.package.read import read_package
from tests import protocol_models as protocol

# What the market's back end sends (market-protocol-v1 §1.3).
USER_AGENT = "go-resty/2.12.0 (https://github.com/go-resty/resty)"
SECONDS = 30

HASH = "/api/v1/appstore/hash"
INFO = "/api/v1/appstore/info"
DETAILS = "/api/v1/applications/info"
CATALOG = "/api/v2/catalog"
TAXONOMY = "/api/v2/taxonomy"
APPLICATIONS = "/api/v2/applications"
BROWSE = "/api/v2/browse/applications"
LISTS = (HASH, INFO, CATALOG, TAXONOMY, APPLICATIONS, BROWSE)
STATIC_LISTS = (HASH, INFO, TAXONOMY)
READ_ROUTES = (CATALOG, APPLICATIONS, BROWSE, "/api/v1/applications/x/chart")

OLARES_VERSIONS = ("1.12.3", "1.12.6", "1.12.7-20261121", "", "../../etc/passwd", "9" * 2000)
BROKEN_BODIES = (
    b"",
    b" ",
    b"x",
    b"null",
    b"true",
    b"1",
    b'"app_ids"',
    b"[]",
    b'["0a1b2c3d"]',
    b"{}",
    b'{"app_ids":null}',
    b'{"app_ids":1}',
    b'{"app_ids":"0a1b2c3d"}',
    b'{"app_ids":{"0":"0a1b2c3d"}}',
    b'{"app_ids":[1]}',
    b'{"app_ids":[null]}',
    b'{"app_ids":["x",["y"]]}',
    b'{"app_ids":[{}]}',
    b'{"APP_IDS":["x"]}',
    b'{"app_ids":["x"]',
    b'{"app_ids":["x"]}}',
    b'{"app_ids":["x"],}',
    b"{'app_ids':['x']}",
    b'{"app_ids":["x\n"]}',
    b'{"app_ids":["\\x"]}',
    b'{"app_ids":[NaN]}',
    b'{"app_ids":["x"],"version":Infinity}',
    b'{"app_ids":["x"]}\x00',
    b'{"__proto__":{"app_ids":["x"]}}',
    b'{"constructor":{"prototype":{"app_ids":["x"]}}}',
    b"\xff\xfe{",
    b"app_ids=0a1b2c3d",
    b"<app_ids/>",
    b'{"app_ids":["x"],"version":1}'.replace(b"1", b"01"),
    b"[" * 10_000 + b"]" * 10_000,
    b'{"app_ids":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"app_ids":["x"],"more":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"x" * 1_000_000,
)
# Sound, and all of them ask for the one id that nobody has.
ODD_BODIES = (
    b'{"app_ids":["x"]}',
    b'\xef\xbb\xbf{"app_ids":["x"]}',
    b' \t\r\n{ "app_ids" : [ "x" ] }\r\n',
    b'{"app_ids":["x","x","x"]}',
    b'{"app_ids":1,"app_ids":["x"]}',
    b'{"app_ids":["\\u0078"]}',
    b'{"app_ids":["x"],"version":null}',
    b'{"app_ids":["x"],"version":{"toString":1}}',
    b'{"app_ids":["x"],"__proto__":{"app_ids":[]},"constructor":1}',
    b'{"app_ids":["x"],"more":1e999}',
    b'{"app_ids":["x"],"more":' + b"9" * 100_000 + b"}",
    b'{"app_ids":["x"],"more":"[[[[\\"[[[[' + b"[" * 1000 + b'"}',
    b'{"app_ids":["x"],"more":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}",
)
ODD_IDS = (
    "",
    " ",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "prototype",
    "toString",
    "length",
    "0",
    "-1",
    "\0",
    '"',
    "\\",
    "</script>",
    "\u2028",
    "é",
    "\U0001f600",
    "\ud800",
    "x" * 10_000,
    "../../etc/passwd",
    "%2e%2e",
    "{{ .Values }}",
)
NOWHERE = (
    "/nothing",
    "/api",
    "/api/",
    "/api/v1",
    "/api/v1/appstore",
    "/api/v1/appstore/hash/",
    "/api/v1/appstore/info/",
    "/API/v1/appstore/hash",
    "/api/v1/applications",
    "/api/v1/applications/info/",
    "/api/v1/applications/info.json",
    "/api/v2/applications/info",
    "/api/v2/applications/",
    "/api/v2/catalog/",
    "/api/v3/catalog",
    "/api/v1/applications//chart",
    "/api/v1/applications/a/b/chart",
    "/api/v1/applications/x/chart/",
    "/charts",
    "/charts/",
    "/charts/nothing-1.0.0.tgz",
    "/icons/nothing.png",
    "/constructor",
    "/__proto__",
    "/ledger.jsonl",
    "/market.yaml",
    "/.git/config",
    "/worker.js",
    "/_headers",
    "/legacy",
    "/" + "a" * 2000,
)
# Spellings that some servers clean up: whatever they do, nothing foreign comes of it.
CROOKED = (
    "//api/v1/appstore/hash",
    "/api//v1/appstore/hash",
    "/./api/v1/appstore/hash",
    "/api/../api/v1/appstore/hash",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/api/v1/appstore/h%61sh",
    "/api%2fv1/appstore/hash",
    "/charts/..%2findex.yaml",
    "/charts/%00",
    "/charts/%",
    "/charts/%zz",
    "/\\..\\etc",
    "/api/v1/applications/%2e%2e/chart",
    "/api/v1/applications/..%2f..%2fx/chart",
    "//evil.example.com/",
    "//evil.example.com/%2e%2e",
    "/%0d%0aSet-Cookie:x=1",
    "/api/v1/appstore/hash;x=1",
    "/" + "a" * 100_000,
    "/?" + "a" * 100_000,
)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def json(self) -> Any:
        return protocol.strict_json(self.body)


@dataclass(frozen=True)
class Server:
    """A server by its address, which may hold a path, and the site that it was given."""

    url: str
    site: Site | None = None

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request with the path as it is, and follow nothing."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=SECONDS)
        try:
            connection.putrequest(method, f"{parts.path}{path}", skip_accept_encoding=True)
            sent = {"User-Agent": USER_AGENT, **(headers or {})}
            if body is not None:
                sent = {"Content-Type": "application/json"} | sent
                sent["Content-Length"] = str(len(body))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders()
            # A server may answer a body that is too large before all of it has come.
            with contextlib.suppress(ConnectionError):
                connection.send(body or b"")
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Market:
    """One base of a market: what a device is pointed at."""

    server: Server
    prefix: str

    @property
    def site(self) -> Site:
        if self.server.site is None:
            pytest.skip("it is not known what the server was given")
        return self.server.site

    @property
    def base(self) -> Base:
        return next(base for base in self.site.bases if base.prefix == self.prefix)

    def get(self, path: str, query: str = "", method: str = "GET") -> Reply:
        return self.server.send(method, f"{self.prefix}{path}{f'?{query}' if query else ''}")

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        return self.server.send("POST", f"{self.prefix}{DETAILS}", body, headers)

    def ask(self, ids: Sequence[str]) -> Reply:
        return self.post(json.dumps({"app_ids": list(ids), "version": "1.12.6"}).encode())

    def chart(self, name: str, version: str, api: str = "v1", method: str = "GET") -> Reply:
        """Download as a device does: with the keys of the query in this order."""
        query = urlencode({"fileName": f"{name}-{version}.tgz", "version": version})
        return self.get(f"/api/{api}/applications/{name}/chart", query, method)

    @cached_property
    def info(self) -> protocol.Info:
        return protocol.Info.model_validate_json(self.get(INFO, "version=1.12.6").body)

    @cached_property
    def details(self) -> dict[str, protocol.Detail]:
        found: dict[str, protocol.Detail] = {}
        ids = sorted(self.info.data.apps)
        for start in range(0, len(ids), 10):
            reply = self.ask(ids[start : start + 10])
            assert reply.status == 200
            found |= protocol.Details.model_validate_json(reply.body).apps
        return found

    @cached_property
    def applications(self) -> protocol.ApplicationsData:
        return protocol.Applications.model_validate_json(self.get(APPLICATIONS).body).data

    @cached_property
    def packages(self) -> dict[str, tuple[bytes, Chart]]:
        """The packages that apps are offered with, by the app's name."""
        found = {}
        for app in self.details.values():
            reply = self.chart(app.name, app.version)
            assert reply.status == 200, app.name
            found[app.name] = (reply.body, read_package(reply.body, app.chart_name))
        return found

    def agrees(self, method: str, path: str, query: str = "", body: bytes | None = None) -> Reply:
        """Send a request to the server, and hold it to the reference."""
        reply = self.server.send(method, f"{path}{f'?{query}' if query else ''}", body)
        wanted = answer(self.site, method, path, query, body or b"")
        request = (method, path[:200], query[:200], (body or b"")[:200])
        assert reply.status == wanted.status, request
        assert reply.body == content(self.site, wanted), request
        for name, value in wanted.headers.items():
            assert reply.headers.get(name.lower()) == value, (name, request)
        if "content-length" in reply.headers and method == "HEAD":
            assert int(reply.headers["content-length"]) == wanted.length, request
        return reply


def is_json_error(reply: Reply, status: int) -> bool:
    return (
        reply.status == status
        and reply.type == "application/json"
        and reply.headers.get("cache-control") == "no-store"
        and isinstance(reply.json, dict)
        and isinstance(reply.json["error"], str)
    )


class Conformance:
    """The suite; see the module."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls) -> Iterator[Server]:
        raise NotImplementedError

    @pytest.fixture(scope="class", params=["", "/legacy"], ids=["modern", "legacy"])
    @classmethod
    def market(cls, request: pytest.FixtureRequest, server: Server) -> Market:
        if server.send("GET", f"{request.param}{HASH}").status == 404 and request.param:
            pytest.skip("the market has no legacy apps")
        return Market(server, request.param)

    # Transport

    @pytest.mark.parametrize("path", [HASH, INFO])
    @pytest.mark.parametrize("version", OLARES_VERSIONS)
    def test_item_01_hash_and_info_are_json_for_any_version(
        self, market: Market, path: str, version: str
    ) -> None:
        reply = market.get(path, urlencode({"version": version}))
        assert (reply.status, reply.type) == (200, "application/json")
        assert reply.body == market.get(path).body

    def test_item_01_no_device_path_redirects(self, market: Market) -> None:
        app = next(iter(market.details.values()))
        replies = [market.get(path, "version=1.12.6") for path in LISTS]
        replies += [market.ask([app.id]), market.chart(app.name, app.version)]
        replies += [market.chart(app.name, app.version, "v2")]
        assert [reply.status for reply in replies] == [200] * len(replies)
        assert not any("location" in reply.headers for reply in replies)

    def test_item_02_unknown_ids_are_named_once_each(self, market: Market) -> None:
        reply = market.ask(["00000000", "x", "00000000", "y", "x"])
        assert (reply.status, reply.type) == (200, "application/json")
        assert reply.json["apps"] == {}
        assert reply.json["not_found"] == ["00000000", "x", "y"]

    def test_item_02_a_thousand_ids_are_taken(self, market: Market) -> None:
        known = sorted(market.info.data.apps)
        unknown = [f"unknown{number}" for number in range(1000 - len(known))]
        reply = market.ask([*unknown, *known, *known])
        assert sorted(reply.json["apps"]) == known
        assert reply.json["not_found"] == unknown

    def test_item_02_ten_thousand_ids_are_taken(self, market: Market) -> None:
        ids = [f"{number:08x}" for number in range(10_000)]
        reply = market.ask(ids)
        assert reply.status == 200
        assert len(reply.json["not_found"]) + len(reply.json["apps"]) == len(ids)

    @pytest.mark.parametrize("body", BROKEN_BODIES, ids=lambda body: repr(body[:40]))
    def test_item_02_a_broken_body_is_refused(self, market: Market, body: bytes) -> None:
        assert is_json_error(market.post(body), 400)

    @pytest.mark.parametrize("body", ODD_BODIES, ids=lambda body: repr(body[:40]))
    def test_item_02_an_odd_body_is_taken(self, market: Market, body: bytes) -> None:
        reply = market.post(body)
        assert reply.status == 200
        assert reply.json["apps"] == {}
        assert reply.json["not_found"] == ["x"]

    def test_item_02_no_property_that_all_objects_have_is_an_app(self, market: Market) -> None:
        reply = market.ask(ODD_IDS)
        assert reply.status == 200
        assert reply.json["apps"] == {}
        assert reply.json["not_found"] == list(ODD_IDS)

    @pytest.mark.parametrize(
        "kind",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", "a/b;c=d"],
    )
    def test_item_02_the_type_of_a_body_does_not_matter(self, market: Market, kind: str) -> None:
        known = next(iter(market.info.data.apps))
        body = json.dumps({"app_ids": [known]}).encode()
        assert market.post(body, {"Content-Type": kind}).body == market.post(body).body

    def test_item_02_a_body_has_a_limit(self, market: Market) -> None:
        largest = b'{"app_ids":["x"]}'.ljust(MAX_BODY_BYTES)
        assert market.post(largest).json["not_found"] == ["x"]
        assert is_json_error(market.post(largest + b" "), 413)

    @pytest.mark.parametrize("api", ["v1", "v2"])
    def test_item_03_a_chart_is_one_gzip_stream(self, market: Market, api: str) -> None:
        for app in market.details.values():
            reply = market.chart(app.name, app.version, api)
            assert (reply.status, reply.type) == (200, "application/gzip")
            assert int(reply.headers["content-length"]) == len(reply.body)
            assert reply.body[:2] == b"\x1f\x8b"
            stream = zlib.decompressobj(wbits=31)
            stream.decompress(reply.body)
            assert stream.eof
            assert stream.unused_data == b""

    @pytest.mark.parametrize("api", ["v1", "v2"])
    def test_item_03_name_file_and_version_must_agree(self, market: Market, api: str) -> None:
        first, second = sorted(market.details.values(), key=lambda app: app.name)[:2]
        wrong = [
            (first.name, first.chart_name, second.version + "0"),
            (first.name, second.chart_name, first.version),
            (first.name, second.chart_name, second.version),
            (second.name, first.chart_name, first.version),
            (first.name, f"{first.name}-{first.version}.TGZ", first.version),
            (first.name, f"{first.name}-{first.version}", first.version),
            (first.name, f"../charts/{first.chart_name}", first.version),
            (first.name, f"{first.chart_name}\0", first.version),
            (first.name, f" {first.chart_name}", first.version),
            (first.name, "", ""),
            (first.name.upper(), first.chart_name, first.version),
            ("constructor", "constructor", ""),
            ("__proto__", "__proto__-.tgz", ""),
            ("x" * 2000, f"{'x' * 2000}-{first.version}.tgz", first.version),
        ]
        queries = [urlencode({"fileName": file, "version": version}) for _, file, version in wrong]
        asked = [(name, query) for (name, _, _), query in zip(wrong, queries, strict=True)]
        asked += [
            (first.name, ""),
            (first.name, urlencode({"fileName": first.chart_name})),
            (first.name, urlencode({"version": first.version})),
            (first.name, urlencode({"filename": first.chart_name, "version": first.version})),
            (first.name, f"fileName=x&{queries[0]}"),
        ]
        for name, query in asked:
            reply = market.get(f"/api/{api}/applications/{quote(name)}/chart", query)
            assert is_json_error(reply, 404), (name, query)

    def test_item_03_a_base_has_its_own_charts_only(self, market: Market) -> None:
        named = {name for base in market.site.bases for name in base.charts}
        for file in sorted(named - market.base.charts.keys()):
            name, version = file.removesuffix(".tgz").split("-")
            assert is_json_error(market.chart(name, version), 404)

    def test_item_04_answers_come_in_time_without_a_login(self, market: Market) -> None:
        app = next(iter(market.details.values()))
        began = time.monotonic()
        assert market.chart(app.name, app.version).status == 200
        assert time.monotonic() - began < 3

    @pytest.mark.parametrize("path", LISTS)
    def test_item_04_head_is_get_without_a_body(self, market: Market, path: str) -> None:
        got, told = market.get(path), market.get(path, method="HEAD")
        assert (told.status, told.type, told.body) == (200, "application/json", b"")
        assert told.headers["cache-control"] == got.headers["cache-control"]
        assert int(told.headers.get("content-length", len(got.body))) == len(got.body)

    def test_item_04_head_of_a_chart(self, market: Market) -> None:
        app = next(iter(market.details.values()))
        got = market.chart(app.name, app.version)
        told = market.chart(app.name, app.version, method="HEAD")
        assert (told.status, told.type, told.body) == (200, "application/gzip", b"")
        assert int(told.headers.get("content-length", len(got.body))) == len(got.body)

    @pytest.mark.parametrize("path", [*LISTS, DETAILS, "/api/v2/applications/x/chart"])
    def test_item_04_options_do_no_harm(self, market: Market, path: str) -> None:
        reply = market.get(path, method="OPTIONS")
        # Static assets of Cloudflare refuse the method before any code of a market runs.
        assert reply.status == (405 if path in STATIC_LISTS else 204)
        assert reply.body == b""

    def test_item_05_lists_are_not_kept_and_charts_are(self, market: Market) -> None:
        app = next(iter(market.details.values()))
        replies = [market.get(path) for path in LISTS]
        replies += [market.ask([app.id]), market.post(b"x"), market.get("/nothing")]
        assert {reply.headers["cache-control"] for reply in replies} == {"no-store"}
        for reply in (market.chart(app.name, app.version), market.get(f"/charts/{app.chart_name}")):
            assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"

    # Consistency

    def test_item_06_both_hashes_are_one(self, market: Market) -> None:
        for version in OLARES_VERSIONS:
            query = urlencode({"version": version})
            told = protocol.Hash.model_validate_json(market.get(HASH, query).body)
            listed = protocol.Info.model_validate_json(market.get(INFO, query).body)
            assert told.hash == listed.hash
            assert told.last_updated == listed.last_updated
            assert told.version == listed.version

    def test_item_09_every_chart_that_was_announced_is_there(self, market: Market) -> None:
        for app in market.details.values():
            assert app.version_history[0].version == app.version
            for line in app.version_history:
                reply = market.chart(line.app_name, line.version)
                assert reply.status == 200, line
                assert reply.body == market.get(f"/charts/{app.name}-{line.version}.tgz").body

    def test_item_10_lists_name_what_there_is(self, market: Market) -> None:
        data = market.info.data
        assert market.details.keys() == data.apps.keys()
        names = {app.name for app in data.apps.values()}
        assert len(names) == len(data.apps)
        named = [
            *data.latest,
            *(top.app_id for top in data.tops),
            *(top.appid for top in data.tops),
        ]
        for recommend in data.recommends.values():
            named += recommend.content.split(",")
        for topic in data.topics.values():
            named += [name for texts in topic.data.values() for name in texts.apps.split(",")]
        assert set(named) <= names
        topics = {topic.id_ for topic in data.topics.values()}
        for topics_listed in data.topic_lists.values():
            assert set(topics_listed.content.split(",")) <= topics
        categories = {category for app in data.apps.values() for category in app.categories}
        assert {"All", *categories} == data.pages.keys() == data.tags.keys()
        live = {app.name for app in data.apps.values() if "remove" not in app.app_labels}
        assert set(data.latest) == {top.app_id for top in data.tops} == live
        assert market.info.stats is not None
        assert market.info.stats["appstore_data"]["apps"] == len(data.apps)

    # Types

    def test_item_11_pages_and_tags_can_be_read(self, market: Market) -> None:
        data = market.info.data
        for key, page in data.pages.items():
            assert page.category == key
            items = [protocol.PageItem.model_validate(item) for item in json.loads(page.content)]
            assert items
            for item in items:
                known = {"Recommends": data.recommends, "Topic": data.topic_lists}.get(
                    item.type, ("Hottest", "Newest")
                )
                assert item.id in known
        for key, tag in data.tags.items():
            assert tag.name == key
            assert {"en-US", "zh-CN"} <= tag.title.keys()
        assert len({tag.sort for tag in data.tags.values()}) == len(data.tags)

    def test_item_11_tops_have_both_spellings_and_whole_ranks(self, market: Market) -> None:
        tops = market.info.data.tops
        assert tops
        assert all(top.app_id == top.appid for top in tops)
        assert [top.rank for top in tops] == list(range(1, len(tops) + 1))

    def test_item_12_a_summary_is_a_detail_without_history(self, market: Market) -> None:
        for key, app in market.info.data.apps.items():
            assert app.model_dump() == market.details[key].model_dump(exclude={"version_history"})

    def test_item_12_every_field_is_written_out(self, market: Market) -> None:
        fields = protocol.Summary.model_fields.values()
        required = {known.alias for known in fields if known.is_required()}
        for entry in market.get(INFO).json["data"]["apps"].values():
            assert required <= entry.keys()

    def test_item_13_texts_are_plain_and_translations_apart(self, market: Market) -> None:
        for app in market.details.values():
            assert "en-US" in app.i18n
            english = app.i18n["en-US"]
            assert (english.metadata.title, english.metadata.description) == (
                app.title,
                app.description,
            )
            assert set(app.locale) == app.i18n.keys()

    # Apps

    def test_item_14_ids_follow_from_names(self, market: Market) -> None:
        for key, app in market.details.items():
            digest = hashlib.md5(app.name.encode(), usedforsecurity=False).hexdigest()[:8]
            assert {key, app.id, app.app_id_} == {digest}
            assert app.name not in RESERVED_FOLDERS | RESERVED_APP_IDS | official_apps()

    def test_item_15_versions_rise(self, market: Market) -> None:
        for app in market.details.values():
            numbers = [
                tuple(int(part) for part in line.version.split(".")) for line in app.version_history
            ]
            assert numbers == sorted(set(numbers), reverse=True)

    def test_item_16_one_version_and_one_name_everywhere(self, market: Market) -> None:
        for app in market.details.values():
            _, chart = market.packages[app.name]
            manifest = read_manifests(chart)[0][0]
            head = yaml.safe_load(chart.files["Chart.yaml"])
            assert {manifest.version, str(head["version"])} == {app.version}
            assert {manifest.name, head["name"], chart.name} == {app.name}
            assert app.chart_name == f"{app.name}-{app.version}.tgz"

    def test_item_17_browsers_find_the_icons(self, market: Market) -> None:
        for app in market.details.values():
            assert app.icon.startswith("https://")
            reply = market.server.send("GET", f"/icons/{app.icon.rpartition('/')[2]}")
            assert (reply.status, reply.type) == (200, "image/png")
            assert reply.body.startswith(b"\x89PNG")
            assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"

    def test_item_18_what_was_removed_is_labelled_and_listed_nowhere(self, market: Market) -> None:
        data = market.info.data
        removed = {app.name for app in data.apps.values() if app.app_labels == ["remove"]}
        if market.server.site is not None:
            assert removed
        assert not removed & set(data.latest)
        assert not removed & {item.name for item in market.applications.items}
        ids = {app.id for app in data.apps.values() if app.name in removed}
        assert set(market.applications.removed) == ids

    # Charts

    def test_item_19_packages_are_plain_and_the_same_everywhere(self, market: Market) -> None:
        for name, (data, chart) in market.packages.items():
            wanted = {"Chart.yaml", "values.yaml", "OlaresManifest.yaml"}
            assert wanted <= chart.files.keys()
            assert "i18n/en-US/OlaresManifest.yaml" in chart.files
            assert any(path.startswith("templates/") for path in chart.files)
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
                members = archive.getmembers()
            paths = [member.name for member in members]
            assert paths == sorted(paths)
            assert {path.split("/")[0] for path in paths} == {name}
            assert {(m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, "", 0o644)}
            assert len({member.mtime for member in members}) == 1

    def test_item_20_manifests_use_what_an_install_knows(self, market: Market) -> None:
        allowed = {".Values.admin", ".Values.bfl.username", ".Values.isAdmin"}
        for _, chart in market.packages.values():
            text = chart.files["OlaresManifest.yaml"].decode()
            actions = " ".join(re.findall(r"\{\{.*?\}\}", text))
            assert set(re.findall(r"\.Values[\w.]*", actions)) <= allowed
            manifests, findings = read_manifests(chart)
            assert manifests
            assert findings == ()

    def test_item_21_charts_render_as_a_device_renders_them(self, market: Market) -> None:
        pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
        for _, chart in market.packages.values():
            found = [f for f in lint_chart(chart) if f.severity is Severity.ERROR]
            assert found == []

    def test_item_22_images_are_named_plainly(self, market: Market) -> None:
        for _, chart in market.packages.values():
            for path, data in chart.files.items():
                text = data.decode()
                assert "imagePullSecrets" not in text
                lines = re.findall(r"^\s*-?\s*image:(.*)$", text, re.MULTILINE)
                assert not any("{{" in line or "${" in line for line in lines), path

    def test_item_23_charts_are_small(self, market: Market) -> None:
        assert all(len(data) < 1_000_000 for data, _ in market.packages.values())

    # Generation C

    def test_v2_catalog_names_the_source_that_asks(self, market: Market) -> None:
        plain = protocol.CatalogV2.model_validate_json(market.get(CATALOG).body)
        for source in ("market.other", "official", "a b&c=d", 'x"\\\n', "贝塔", "y" * 2000):
            reply = market.get(CATALOG, urlencode({"source_id": source, "version": "1.12.7"}))
            told = protocol.CatalogV2.model_validate_json(reply.body).data
            assert told.source_id == source
            assert told == plain.data.model_copy(update={"source_id": source})

    @pytest.mark.parametrize("query", ["source_id=", "source_id", "x=1", "&&=&", "%zz", "version="])
    def test_v2_catalog_has_an_id_of_its_own(self, market: Market, query: str) -> None:
        assert market.get(CATALOG, query).body == market.get(CATALOG).body

    def test_v2_catalog_tells_what_changed_last(self, market: Market) -> None:
        told = protocol.CatalogV2.model_validate_json(market.get(CATALOG).body).data
        taxonomy = protocol.Taxonomy.model_validate_json(market.get(TAXONOMY).body).data
        assert told.apps_last_modify_time == market.applications.max_last_modify_time
        assert told.taxonomy_last_modify_time == taxonomy.last_modify_time
        assert told.source_id == taxonomy.source.source_id

    def test_v2_categories_are_declared_three_times(self, market: Market) -> None:
        taxonomy = protocol.Taxonomy.model_validate_json(market.get(TAXONOMY).body).data
        used = {c for i in market.applications.items for c in (*i.categories, *i.categories_v2)}
        ids = [category.id for category in taxonomy.categories]
        assert len(set(ids)) == len(ids)
        assert set(ids) == used
        assert taxonomy.nav == ids
        assert [page.category_id for page in taxonomy.pages] == ids
        assert all(page.items for page in taxonomy.pages)
        assert all({"en-US", "zh-CN"} <= category.title.keys() for category in taxonomy.categories)

    def test_v2_items_say_what_v1_says(self, market: Market) -> None:
        v1 = {app.name: app for app in market.details.values() if not app.app_labels}
        assert [item.name for item in market.applications.items] == sorted(v1)
        for item in market.applications.items:
            app = v1[item.name]
            assert (item.app_id, item.version, item.title) == (app.id, app.version, app.title)
            assert (item.icon, item.categories) == (app.icon, app.categories)
            assert item.cfg_type == app.cfg_type

    def test_v2_stamps_are_seconds_and_milliseconds(self, market: Market) -> None:
        listed = market.applications
        # Between 2020 and 2100: a stamp in the wrong unit is a thousand times off.
        for item in listed.items:
            assert 1_577_836_800 < item.updated_at < 4_102_444_800
            assert item.last_modify_time // 1000 == item.updated_at
            assert item.last_modify_time <= listed.max_last_modify_time

    def test_v2_without_a_size_all_items_come(self, market: Market) -> None:
        listed = market.applications
        assert (listed.page, listed.has_more) == (1, False)
        assert listed.total == listed.page_size == len(listed.items)
        whole = market.get(APPLICATIONS).body
        assert market.get(BROWSE).body == whole
        for query in ("page=1", "page=2", "size=", "size=0", "size=-1", "size=x", "size=1.5"):
            assert market.get(APPLICATIONS, query).body == whole, query
        assert market.get(APPLICATIONS, f"size={'9' * 400}").body == whole

    @pytest.mark.parametrize("path", [APPLICATIONS, BROWSE])
    @pytest.mark.parametrize("size", [1, 2, 3, 100, 999_999_999])
    def test_v2_pages_hold_all_items_once(self, market: Market, path: str, size: int) -> None:
        items = []
        for page in range(1, 1000):
            reply = market.get(path, f"page={page}&size={size}")
            told = protocol.Applications.model_validate_json(reply.body).data
            assert (told.page, told.page_size) == (page, size)
            assert len(told.items) == size or not told.has_more
            assert told.total == market.applications.total
            assert told.removed == market.applications.removed
            items += told.items
            if not told.has_more:
                break
        assert items == market.applications.items
        beyond = market.get(path, f"page={page + 1}&size={size}")
        assert protocol.Applications.model_validate_json(beyond.body).data.items == []

    @pytest.mark.parametrize("page", ["", "0", "-1", "x", "1.0", "9" * 30])
    def test_v2_a_page_that_is_no_number_is_the_first(self, market: Market, page: str) -> None:
        query = urlencode({"page": page, "size": 2})
        assert market.get(APPLICATIONS, query).body == market.get(APPLICATIONS, "size=2").body

    def test_v2_charts_are_those_of_v1(self, market: Market) -> None:
        for app in market.details.values():
            first, second = (market.chart(app.name, app.version, api) for api in ("v1", "v2"))
            assert (first.status, second.status) == (200, 200)
            assert first.body == second.body

    # Everything else

    @pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:40])
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
    def test_nothing_is_answered_as_nothing(self, server: Server, path: str, method: str) -> None:
        body = b"{}" if method in {"POST", "PUT"} else None
        assert is_json_error(server.send(method, path, body), 404)

    @pytest.mark.parametrize("path", CROOKED, ids=lambda path: path[:40])
    def test_a_crooked_path_leads_nowhere(self, server: Server, path: str) -> None:
        reply = server.send("GET", path)
        assert reply.status < 500
        assert b"root:" not in reply.body
        assert "set-cookie" not in reply.headers
        if 300 <= reply.status < 400:
            target = urlsplit(reply.headers["location"])
            assert target.netloc in {"", urlsplit(server.url).netloc}
        if reply.status == 200:
            assert path.startswith(("/?", "/./", "/api/..", "//api", "/api//"))

    @pytest.mark.parametrize("path", STATIC_LISTS)
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_a_file_is_only_read(self, market: Market, path: str, method: str) -> None:
        reply = market.server.send(method, f"{market.prefix}{path}", b"{}")
        assert reply.status == 405
        assert reply.headers["allow"] == "GET, HEAD"

    @pytest.mark.parametrize("path", READ_ROUTES)
    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    def test_a_route_is_only_read(self, market: Market, path: str, method: str) -> None:
        reply = market.server.send(method, f"{market.prefix}{path}", b"{}")
        assert is_json_error(reply, 405)
        assert reply.headers["allow"] == "GET, HEAD, OPTIONS"

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_details_are_only_asked_for_with_post(self, market: Market, method: str) -> None:
        reply = market.get(DETAILS, method=method)
        assert is_json_error(reply, 405)
        assert reply.headers["allow"] == "POST, OPTIONS"
        told = market.get(DETAILS, method="HEAD")
        assert (told.status, told.body) == (405, b"")

    def test_every_file_of_the_site_is_served(self, market: Market) -> None:
        for path, file in market.site.files.items():
            reply = market.agrees("GET", path)
            assert hashlib.sha256(reply.body).hexdigest() == file.sha256, path
            assert reply.type == file.content_type
            assert reply.headers["cache-control"] == file.cache_control

    def test_checksums_hold(self, server: Server) -> None:
        lines = server.send("GET", "/sha256sums").body.decode().splitlines()
        assert lines
        for line in lines:
            match = re.fullmatch(r"([0-9a-f]{64})  ([^/ ][^ ]*)", line)
            assert match is not None, line
            data = server.send("GET", f"/{match[2]}").body
            assert hashlib.sha256(data).hexdigest() == match[1], line

    @settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    )
    @given(data=st.data())
    def test_any_request_is_answered_as_the_reference_says(
        self, market: Market, data: st.DataObject
    ) -> None:
        method, path, query, body = data.draw(requests(market.site))
        market.agrees(method, path, query, body)


def requests(site: Site) -> st.SearchStrategy[tuple[str, str, str, bytes | None]]:
    """Requests that are near to sound ones: methods, paths, queries and bodies mixed at random."""
    charts = sorted(name for base in site.bases for name in base.charts)
    names = sorted({chart.split("-")[0] for chart in charts})
    versions = sorted({chart.removesuffix(".tgz").split("-")[1] for chart in charts})
    ids = sorted({id_ for base in site.bases for id_ in base.details})
    word = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_~", min_size=1, max_size=12)

    prefix = st.sampled_from(["", "", "/legacy", "/x"])
    route = st.one_of(
        st.sampled_from([*LISTS, DETAILS, "/", "/charts/", "/index.html"]),
        st.builds(
            "/api/{}/applications/{}/chart".format,
            st.sampled_from(["v1", "v2", "v3"]),
            st.sampled_from(names) | word,
        ),
        st.lists(word, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    )
    path = st.one_of(
        st.builds("{}{}".format, prefix, route),
        st.sampled_from(sorted(site.files)),
        st.builds("{}{}".format, st.sampled_from(sorted(site.files)), st.sampled_from(["/", "x"])),
    )
    value = st.one_of(
        st.sampled_from([*charts, *names, *versions, "", "0", "1", "2", "007", "-1", "1000000000"]),
        st.text(max_size=20).filter(lambda text: text.isprintable()),
        st.integers(0, 12).map(str),
    )
    key = st.sampled_from(["fileName", "version", "page", "size", "source_id", "x", ""])
    fields = st.lists(st.tuples(key, value), max_size=4).map(urlencode)
    sound = st.builds(
        lambda name, version: urlencode({"fileName": f"{name}-{version}.tgz", "version": version}),
        st.sampled_from(names),
        st.sampled_from(versions),
    )
    query = st.one_of(fields, sound, st.text("abc%20=&+;ABCDEFé".replace("é", ""), max_size=30))

    id_ = st.sampled_from(ids) | st.sampled_from(ODD_IDS) | st.text(max_size=10)
    sound_body = st.lists(id_, max_size=30).map(lambda found: {"app_ids": found})
    plain = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=8,
    )
    written = st.one_of(sound_body, plain, plain.map(lambda inner: {"app_ids": inner}))
    body = st.one_of(
        written.map(lambda found: json.dumps(found).encode()),
        written.map(lambda found: json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")),
        st.binary(max_size=60),
        st.binary(max_size=20).map(lambda found: b'{"app_ids":["' + found + b'"]}'),
    )
    reading = st.sampled_from(["GET", "GET", "HEAD", "OPTIONS"])
    return st.one_of(
        st.tuples(reading, path, query, st.none()),
        st.tuples(st.just("POST"), st.builds("{}{}".format, prefix, st.just(DETAILS)), query, body),
        st.tuples(st.sampled_from(["POST", "PUT", "DELETE"]), path, query, body),
    )
