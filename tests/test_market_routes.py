"""The reference answers: what the conformance suite cannot see over a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chartgen.market.routes import MAX_BODY_BYTES, MAX_DEPTH, answer, content
from chartgen.market.site import HTML, Site, SiteFile
from tests.markets import EMPTY, released, sample

DETAILS = "/api/v1/applications/info"


@pytest.fixture(scope="module")
def site() -> Site:
    pages = {
        "/index.html": SiteFile.of(b"<html>", HTML),
        "/apps/index.html": SiteFile.of(b"<html lang=en>", HTML),
    }
    return sample().site(pages)


def asked(site: Site, body: Any, prefix: str = "") -> Any:
    found = answer(site, "POST", f"{prefix}{DETAILS}", "", json.dumps(body).encode())
    assert found.status == 200
    return json.loads(found.body)


def test_details_come_in_the_order_they_were_asked_for(site: Site) -> None:
    ids = list(site.bases[0].details)
    wanted = [ids[2], ids[0], "x", ids[1], ids[0]]
    told = asked(site, {"app_ids": wanted})
    assert list(told["apps"]) == [ids[2], ids[0], ids[1]]
    assert told["not_found"] == ["x"]
    assert told["version"] == "1.12.6"


def test_each_base_answers_with_its_own_details(site: Site) -> None:
    alpha = json.loads(site.bases[0].details["2c1743a3"])["name"]
    assert alpha == "alpha"
    told = {prefix: asked(site, {"app_ids": ["2c1743a3"]}, prefix) for prefix in ("", "/legacy")}
    assert told[""]["apps"]["2c1743a3"]["version"] == "1.1.1"
    assert told["/legacy"]["apps"]["2c1743a3"]["version"] == "1.0.0"
    assert told["/legacy"]["version"] == "1.12.3"


def test_a_folder_is_answered_with_its_index(site: Site) -> None:
    assert answer(site, "GET", "/").file == "/index.html"
    assert answer(site, "GET", "/apps/").file == "/apps/index.html"
    assert answer(site, "GET", "/apps").status == 404
    assert answer(site, "GET", "/charts/").status == 404
    refused = answer(site, "POST", "/")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_without_a_legacy_base_its_paths_are_nowhere() -> None:
    site = EMPTY.grown(released("alpha", "1.0.0", 1, ("modern",))).site()
    for path in ("/legacy/api/v2/catalog", f"/legacy{DETAILS}", "/legacy/api/v1/appstore/hash"):
        assert answer(site, "GET", path).status == 404


def test_a_head_request_is_told_the_length(site: Site) -> None:
    for path in ("/api/v1/appstore/info", "/api/v2/catalog", "/index.html", "/nothing"):
        got, told = answer(site, "GET", path), answer(site, "HEAD", path)
        assert (told.status, told.headers, told.length) == (got.status, got.headers, got.length)
        assert content(site, told) == b""
        assert told.length == len(content(site, got)) > 0


@pytest.mark.parametrize(
    ("query", "source"),
    [
        ("", "market.Sample"),
        ("source_id=", "market.Sample"),
        ("source_id=a&source_id=b", "a"),
        ("source_id=a%2Bb+c", "a+b c"),
        ("SOURCE_ID=a", "market.Sample"),
        ("source_id=%C3%A9", "é"),
        ("source_id=%FF", "\ufffd"),
        ("source_id=%E2%80", "\ufffd"),
        ("source_id=%", "%"),
        ("source_id=%zz", "%zz"),
        ("source%5Fid=a", "a"),
        ("a=1;source_id=b", "market.Sample"),
        ("&&source_id=a&&", "a"),
        ("source_id=a=b", "a=b"),
        ("source_id=%00", "\0"),
    ],
)
def test_a_query_is_read_as_a_browser_reads_it(site: Site, query: str, source: str) -> None:
    """Expected values are those of URLSearchParams (WHATWG URL, urlencoded parsing)."""
    told = json.loads(answer(site, "GET", "/api/v2/catalog", query).body)
    assert told["data"]["source_id"] == source


def test_half_a_character_comes_back_as_it_was_sent(site: Site) -> None:
    body = b'{"app_ids":["\\ud800","\\ud83d\\ude00"]}'
    found = answer(site, "POST", DETAILS, "", body)
    assert b'"not_found":["\\ud800","\xf0\x9f\x98\x80"]' in found.body


@given(ids=st.lists(st.text()), junk=st.text())
@settings(deadline=None)
def test_any_ids_are_answered(site: Site, ids: list[str], junk: str) -> None:
    told = asked(site, {"app_ids": ids, "junk": junk})
    assert told["not_found"] == list(dict.fromkeys(id_ for id_ in ids if id_ not in told["apps"]))


@given(body=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_answered(site: Site, body: bytes) -> None:
    assert answer(site, "POST", DETAILS, "", body).status in {200, 400}


def test_the_limits_of_a_body(site: Site) -> None:
    def status(body: bytes) -> int:
        return answer(site, "POST", DETAILS, "", body).status

    assert status(b'{"app_ids":[]}'.ljust(MAX_BODY_BYTES)) == 200
    assert status(b'{"app_ids":[]}'.ljust(MAX_BODY_BYTES + 1)) == 413
    inner = MAX_DEPTH - 1
    assert status(b'{"app_ids":[],"x":' + b"[" * inner + b"]" * inner + b"}") == 200
    assert status(b'{"app_ids":[],"x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}") == 400
    assert status(b'{"app_ids":[],"x":"' + b"[" * 1000 + b'\\"[[["}') == 200
    assert status(b'{"app_ids":[],"x":' + b"9" * 10_000 + b"}") == 200


def test_a_body_full_of_brackets_takes_no_time(site: Site) -> None:
    for body in (b"[" * MAX_BODY_BYTES, b'"' * MAX_BODY_BYTES, b'"' + b"\\" * (MAX_BODY_BYTES - 1)):
        assert answer(site, "POST", DETAILS, "", body).status == 400
