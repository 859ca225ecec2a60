"""Serving from Python: what lies between a connection and the reference answers."""

from __future__ import annotations

import errno
import http.client
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from chartgen.errors import ChartgenError
from chartgen.market.site import Site
from tests.markets import released, sample
from tests.test_market_conformance import running

pytest.importorskip("uvicorn", reason="needs the extra chartgen[serve]")
pytest.importorskip("starlette", reason="needs the extra chartgen[serve]")
from chartgen.market.serve import make_app, open_socket

pytestmark = pytest.mark.loopback
INFO = "/api/v1/appstore/info"


class Changing:
    """A site that is exchanged while it is served."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def __call__(self) -> Site:
        return self.site


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return dict(sample().files)


@pytest.fixture(scope="module")
def provider(files: dict[str, bytes]) -> Changing:
    return Changing(replace(sample(), files=files).site())


@pytest.fixture(scope="module")
def address(provider: Changing) -> Iterator[str]:
    with running(provider) as url:
        yield urlsplit(url).netloc


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def raw(address: str, data: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the server closes."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_a_new_site_is_served_from_the_next_request_on(address: str, provider: Changing) -> None:
    before = provider.site
    grown = sample().grown(released("alpha", "1.2.0", 12))
    old = get(address, INFO)
    provider.site = grown.site()
    try:
        assert get(address, INFO) == (200, provider.site.content(INFO)) != old
    finally:
        provider.site = before
    assert get(address, INFO) == old


def test_a_package_that_is_lost_is_an_error_and_never_a_chart(
    address: str, files: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = "packages/alpha-1.0.0.tgz"
    whole = files[path]
    files[path] = whole[:-1]
    try:
        with caplog.at_level(logging.ERROR):
            status, body = get(address, "/charts/alpha-1.0.0.tgz")
    finally:
        files[path] = whole
    assert status == 500
    assert body == b'{"error":"the file cannot be read here"}'
    assert path in caplog.text
    assert get(address, "/charts/alpha-1.0.0.tgz") == (200, whole)


def test_one_connection_serves_many_requests(address: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        for path in (INFO, "/nothing", "/charts/alpha-1.0.0.tgz", INFO):
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            assert not response.will_close
        connection.request("HEAD", INFO)
        response = connection.getresponse()
        assert response.read() == b""
        connection.request("POST", "/api/v1/applications/info", body=iter([b'{"app_', b'ids":[]}']))
        assert connection.getresponse().status == 200
    finally:
        connection.close()


def test_a_body_without_an_end_is_cut_off(address: str) -> None:
    head = (
        b"POST /api/v1/applications/info HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    received = raw(address, head + chunk * 17)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in received.lower()


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET http://other.example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_no_request_for_a_path_is_refused(address: str, data: bytes) -> None:
    status = int(raw(address, data).split(b" ")[1])
    assert status in {400, 404}
    assert get(address, INFO)[0] == 200


def test_an_address_in_use_is_named() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ChartgenError, match=rf"^port {port} is in use"):
            open_socket("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "error", "words"),
    [
        ("127.0.0.1", OSError(errno.EADDRINUSE, "in use"), ("port 8080", "--port 0")),
        ("127.0.0.1", OSError(errno.EACCES, "denied"), ("port 8080", "1024")),
        ("192.0.2.1", OSError(errno.EADDRNOTAVAIL, "cannot assign"), ("'192.0.2.1'", "--host")),
        ("nowhere", socket.gaierror(-2, "unknown"), ("'nowhere'", "--host")),
        ("a..b", UnicodeError("label empty"), ("'a..b'", "--host")),
        ("", None, ("''", "--host")),
        ("127.0.0.1", OSError(errno.ENOBUFS, "no room"), ("127.0.0.1, port 8080", "space")),
    ],
)
def test_an_address_that_cannot_be_had_comes_with_what_to_do(
    host: str, error: Exception | None, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        assert error is not None
        raise error

    named = isinstance(error, socket.gaierror | UnicodeError)
    monkeypatch.setattr(socket, "getaddrinfo", refuse if named else lambda *_: [])
    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ChartgenError) as caught:
        open_socket(host, 8080)
    assert all(word in str(caught.value) for word in words), caught.value
    assert "Errno" not in str(caught.value)


def test_small_answers_do_not_wait_for_an_acknowledgement() -> None:
    with (
        open_socket("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_an_app_is_made_without_asking_for_a_site() -> None:
    def never() -> Site:
        raise AssertionError("nobody asked for anything")

    assert callable(make_app(never))
