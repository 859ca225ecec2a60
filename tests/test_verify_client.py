"""The device's HTTP: what it sends, what it refuses, and that no answer outlasts its limits."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import httpx2
import pytest
from market_simulator import (
    CATALOG,
    DETAILS,
    HASH,
    HOST,
    INFO,
    Drip,
    Market,
    answer,
    app_id,
)

from chartgen.errors import RefusedError
from chartgen.market.device.address import legacy_base, read_address
from chartgen.market.device.client import Call, NoReplyError, Trouble, connect
from chartgen.market.device.faults import KEPT_PER_RULE
from chartgen.market.device.verify import verify

Respond = Callable[[httpx2.Request, httpx2.Response], httpx2.Response]


def rules(market: Market) -> set[str]:
    return {found.rule for found in market.verify(ledger=None).findings}


def redirect(status: int, location: str) -> Respond:
    return lambda _request, _response: httpx2.Response(status, headers={"location": location})


def test_requests_are_those_of_a_device() -> None:
    market = Market()
    market.verify()
    for request in market.requests:
        sent = dict(request.headers)
        assert sent.pop("user-agent") == "go-resty/2.12.0 (https://github.com/go-resty/resty)"
        assert sent.pop("accept-encoding") == "gzip"
        assert sent.pop("host") == "market.example.com"
        if request.method == "POST":
            assert sent.pop("content-type") == "application/json"
            assert sent.pop("content-length") == str(len(request.content))
        assert sent == {}
    chart = next(r for r in market.requests if r.url.path.endswith("/bravo/chart"))
    assert chart.url.query == b"fileName=bravo-1.0.0.tgz&version=1.0.0"


def test_details_are_asked_for_by_ten_in_an_order_that_the_seed_gives() -> None:
    names = [f"app{number:02}" for number in range(25)]

    def batches(seed: int) -> list[list[str]]:
        market = Market(tuple((name, "1.0.0") for name in names))
        assert market.verify(generations=["B"], seed=seed).findings == ()
        posts = [r for r in market.requests if r.url.path == DETAILS and b"version" in r.content]
        return [list(httpx2.Response(200, content=r.content).json()["app_ids"]) for r in posts[:3]]

    first = batches(1)
    assert [len(batch) for batch in first] == [10, 10, 5]
    assert first == batches(1)
    assert first != batches(2)
    asked = [key for batch in first for key in batch]
    assert sorted(asked) == sorted(key for batch in batches(2) for key in batch)
    assert asked != sorted(asked)


def test_cookies_are_not_kept() -> None:
    market = Market()
    market.respond("/", lambda _, response: _with_cookie(response))
    market.verify()
    assert not any("cookie" in request.headers for request in market.requests)


def _with_cookie(response: httpx2.Response) -> httpx2.Response:
    response.headers["set-cookie"] = "visitor=1; Path=/"
    return response


@pytest.mark.parametrize(
    ("path", "respond", "rule"),
    [
        (DETAILS, redirect(301, f"{HOST}/elsewhere"), "market-post-redirect"),
        (DETAILS, redirect(308, f"{HOST}/api/v1/applications/info/"), "market-redirect"),
        (INFO, redirect(302, "/elsewhere"), "market-redirect"),
        (INFO, redirect(302, INFO), "market-redirect"),
        (INFO, redirect(302, "https://evil.example" + INFO), "market-redirect-elsewhere"),
        (INFO, redirect(302, "http://market.example.com" + INFO), "market-redirect-elsewhere"),
        (INFO, redirect(302, "https://market.example.com:8443/"), "market-redirect-elsewhere"),
        (INFO, redirect(302, "file:///etc/passwd"), "market-redirect-elsewhere"),
        (INFO, redirect(302, "https://[market"), "market-redirect-elsewhere"),
        (HASH, redirect(301, "//evil.example"), "market-redirect-elsewhere"),
    ],
)
def test_redirects(path: str, respond: Respond, rule: str) -> None:
    market = Market()
    market.respond(path, respond)
    assert rule in rules(market)
    assert {request.url.host for request in market.requests} == {"market.example.com"}
    assert {request.url.scheme for request in market.requests} == {"https"}


def test_a_redirect_on_the_same_host_is_followed_as_a_device_does() -> None:
    market = Market()

    def respond(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        if request.url.params.get("moved"):
            return response
        return httpx2.Response(302, headers={"location": f"{INFO}?version=1.12.5&moved=1"})

    market.respond(INFO, respond)
    report = market.verify(generations=["A"])
    assert {found.rule for found in report.findings} == {"market-redirect"}
    assert report.bases[0].syncs[0].complete


def test_a_redirect_without_end_ends() -> None:
    market = Market()
    market.respond(INFO, redirect(302, INFO))
    report = market.verify(generations=["A"], ledger=None)
    assert "market-redirect" in {found.rule for found in report.findings}
    assert report.requests < 50


def test_nobody_answers() -> None:
    def refuse(_: httpx2.Request, __: httpx2.Response) -> httpx2.Response:
        raise httpx2.ConnectError("[Errno 111] Connection refused")

    market = Market()
    market.respond("/", refuse)
    report = market.verify()
    (found,) = report.findings
    assert found.rule == "market-unreachable"
    assert found.message == f"{report.url} cannot be reached: Connection refused"
    assert report.requests == 3
    assert not report.sound
    assert not report.reached


def test_a_market_that_goes_away_is_told_with_all_that_was_missed() -> None:
    def refuse(_: httpx2.Request, __: httpx2.Response) -> httpx2.Response:
        raise httpx2.ConnectError("[Errno 111] Connection refused")

    market = Market()
    market.respond(INFO, refuse)
    report = market.verify(generations=["A", "B"])
    assert report.reached
    assert {found.rule for found in report.findings} >= {"market-unreachable"}


def test_after_three_silent_answers_nothing_more_is_asked() -> None:
    def cut(_: httpx2.Request, __: httpx2.Response) -> httpx2.Response:
        raise httpx2.RemoteProtocolError("peer closed connection without sending complete body")

    market = Market(tuple((f"app{number:02}", "1.0.0") for number in range(50)))
    market.respond(DETAILS, cut)
    report = market.verify(generations=["B"])
    assert {"market-cut-short", "market-gave-up"} <= {found.rule for found in report.findings}
    assert len([r for r in market.requests if r.url.path == DETAILS]) == 3


def test_a_sync_that_takes_longer_than_a_device_grants_is_given_up() -> None:
    market = Market(tuple((f"app{number:03}", "1.0.0") for number in range(250)))

    def slow(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        market.now += 25.0
        return response

    market.respond(DETAILS, slow)
    report = market.verify(generations=["B"])
    assert "market-gave-up" in {found.rule for found in report.findings}
    assert not report.bases[0].syncs[0].complete
    # 600 s hold 24 answers of 25 s, and one more until it is noticed.
    assert report.bases[0].syncs[0].requests == 2 + 25


def test_a_failed_batch_is_asked_for_three_times_with_the_device_s_waits() -> None:
    waits: list[float] = []
    market = Market()
    market.respond(DETAILS, lambda _request, _response: answer({}, 503))
    market.verify(generations=["B"], pause=waits.append)
    assert waits[:2] == [2.0, 4.0]
    tried = [r for r in market.requests if r.url.path == DETAILS and b"app_ids" in r.content]
    assert len(tried) >= 3


@pytest.mark.parametrize("path", [HASH, INFO, DETAILS, CATALOG, "/api/v1/applications/alpha"])
def test_endless_answers_end(path: str) -> None:
    market = Market()

    def endless(_: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        body = Drip(bytes(1 << 22), 1 << 30, market)
        return httpx2.Response(200, headers={"content-type": "application/json"}, stream=body)

    market.respond(path, endless)
    assert "market-endless" in rules(market)


def test_an_answer_that_inflates_without_end_is_endless() -> None:
    market = Market()
    packed = gzip.compress(bytes(8 << 20))

    def inflating(_: httpx2.Request, __: httpx2.Response) -> httpx2.Response:
        given = {"content-type": "application/json", "content-encoding": "gzip"}
        return httpx2.Response(200, headers=given, stream=Drip(packed, 1, market))

    market.respond(HASH, inflating)
    assert "market-endless" in rules(market)


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"[" + b"[]," * 5_100_000 + b"[]]", b'{"a":' * 50_000, b"9" * 10_000, b"\xff"],
    ids=["deep", "many", "deep-maps", "digits", "no-utf8"],
)
def test_json_that_would_cost_memory_is_refused(body: bytes) -> None:
    market = Market()
    given = {"content-type": "application/json", "cache-control": "no-store"}
    market.respond(
        INFO, lambda _request, _response: httpx2.Response(200, content=body, headers=given)
    )
    assert "market-not-json" in rules(market) or "market-info-type" in rules(market)


def test_remote_text_cannot_steer_a_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m\u202evil\r\n::error::x"
    market = Market()
    shelf = market.shelves[""]
    for entries in (shelf.details, shelf.documents[INFO]["data"]["apps"]):
        entries[hostile] = {"id": hostile, "name": hostile, "version": hostile, "title": hostile}
    market.bend(INFO, "data", "latest", value=[hostile])
    market.bend(INFO, "data", "pages", "All", "content", value=hostile)
    market.bend(CATALOG, "data", "source_id", value=hostile)
    market.respond(HASH, lambda _, response: _typed(response, "text/\x7f"))
    report = market.verify()
    assert len(report.findings) > 10
    for found in report.findings:
        for text in (found.message, found.place.file, found.place.path):
            assert "\n" not in text
            assert text.isprintable(), repr(text)
            assert "\u202e" not in text


def _typed(response: httpx2.Response, kind: str) -> httpx2.Response:
    response.headers["content-type"] = kind
    return response


def test_lists_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("entries", "generation_c"):
        monkeypatch.setattr(f"chartgen.market.device.{module}.MOST_APPS", 2)
    report = Market().verify(ledger=None)
    assert {sync.generation: len(sync.apps) for sync in report.bases[0].syncs} == {
        "A": 2,
        "B": 2,
        "C": 2,
    }
    paths = {f.place.file for f in report.findings if f.rule == "market-endless"}
    assert {"/api/v1/appstore/info", "/api/v2/applications"} <= paths


def test_long_texts_are_not_kept() -> None:
    market = Market((("alpha", "1.0.0"),))
    for name in ("title", "upgradeDescription", "icon", "version", "name"):
        entry = market.shelves[""].documents[INFO]["data"]["apps"][app_id("alpha")]
        entry[name] = market.shelves[""].details[app_id("alpha")][name] = "x" * 1_000_000
    report = market.verify(ledger=None, generations=["A", "B"])
    assert len(repr(report)) < 100_000


def test_findings_have_an_end() -> None:
    market = Market()
    apps = market.shelves[""].documents[INFO]["data"]["apps"]
    apps |= {f"{number:08x}": "no app" for number in range(5_000)}
    report = market.verify(ledger=None)
    found = [f for f in report.findings if f.rule == "market-entry-type"]
    assert len(found) == KEPT_PER_RULE + 1
    assert found[0].message == "and 4,900 more like the 100 shown"


@pytest.mark.parametrize(
    "url",
    [
        "http://market.example.com",
        "http://192.168.1.4",
        "http://localhost.example.com",
        "ftp://market.example.com",
        "file:///etc/passwd",
        "market.example.com",
        "https://",
        "https://user:secret@market.example.com",
        "https://market.example.com/?a=b",
        "https://market.example.com/#top",
        "https://market.example.com//",
        "https://market.example.com:port",
        "https://market example.com",
        "https://market.example.com/\x1b[31m",
    ],
)
def test_addresses_that_no_device_takes(url: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_address(url)
    assert "secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "base", "platform", "root"),
    [
        (HOST, HOST, "modern", HOST),
        (f"{HOST}/", HOST, "modern", HOST),
        (f"{HOST}/legacy", f"{HOST}/legacy", "legacy", HOST),
        (f"{HOST}/a/b/", f"{HOST}/a/b", "modern", f"{HOST}/a/b"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "modern", "http://127.0.0.1:8000"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x", "modern", "http://[::1]:8000/x"),
        ("http://localhost/legacy/", "http://localhost/legacy", "legacy", "http://localhost"),
    ],
)
def test_addresses(url: str, base: str, platform: str, root: str) -> None:
    found = read_address(url)
    assert (found.url, found.platform, found.root) == (base, platform, root)
    if platform == "modern":
        beside = legacy_base(found)
        assert (beside.url, beside.platform, beside.root) == (f"{base}/legacy", "legacy", root)


def test_an_address_that_the_device_s_dialog_refuses_is_warned_of() -> None:
    market = Market()
    (found,) = market.verify(url="https://market", ledger=None).findings
    assert found.rule == "market-address"
    assert market.verify(url="http://localhost", ledger=None).findings == ()


def test_a_market_below_a_path_is_as_sound() -> None:
    market = Market(prefix="/a/market")
    report = market.verify()
    assert report.findings == ()
    assert {r.url.path.startswith("/a/market/") for r in market.requests} == {True}


def test_the_legacy_base_alone() -> None:
    market = Market()
    report = market.verify(url=f"{HOST}/legacy")
    assert report.findings == ()
    assert [base.path for base in report.bases] == ["/legacy"]


def test_a_market_without_a_legacy_base() -> None:
    market = Market()
    market.respond("/legacy/", lambda _request, _response: answer({}, 404))
    report = market.verify(ledger=None)
    assert report.findings == ()
    assert [base.path for base in report.bases] == [""]
    assert "market-status" in {found.rule for found in market.verify().findings}


# Against sockets: what a mock transport cannot show.


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve every connection with a function, on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for _ in count():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        connection.recv(65536)
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def trouble(serve: Callable[[socket.socket], None], seconds: float = 0.5) -> Trouble:
    with server(serve) as url, connect(url) as fetch:
        with pytest.raises(NoReplyError) as caught:
            fetch(Call(url, 1000, seconds))
        return caught.value.trouble


def dripping_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(200):
        connection.sendall(b"X-%d: 1\r\n" % number)
        time.sleep(0.05)


def dripping_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    for _ in range(200):
        connection.sendall(b"x")
        time.sleep(0.05)


def silence(connection: socket.socket) -> None:
    connection.recv(1)


def cut_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf")


def too_large(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + bytes(9000))


def broken_gzip(connection: socket.socket) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
    connection.sendall(head + b"oops")


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (dripping_headers, Trouble.SLOW),
        (dripping_body, Trouble.SLOW),
        (silence, Trouble.SLOW),
        (cut_body, Trouble.CUT_SHORT),
        (too_large, Trouble.ENDLESS),
        (broken_gzip, Trouble.CUT_SHORT),
        (no_http, Trouble.CUT_SHORT),
    ],
)
def test_trouble_on_the_line(serve: Callable[[socket.socket], None], expected: Trouble) -> None:
    begin = time.monotonic()
    assert trouble(serve) is expected
    assert time.monotonic() - begin < 3


@pytest.mark.loopback
def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with connect(url) as fetch:
        report = verify(url, fetch=fetch)
    (found,) = report.findings
    assert found.rule == "market-unreachable"
    assert found.message.startswith(f"{url} cannot be reached: the connection was refused")
    assert "chartgen serve" in found.remedy
