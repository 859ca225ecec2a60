"""Requests to an endpoint: limits, faults of the wire, and what is said of them."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection, Limits, NoReplyError, Trouble
from chartgen.measure.faults import broken, refused
from tests.scripted_engine import ScriptedEngine

pytestmark = pytest.mark.loopback
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@contextmanager
def answering(*parts: bytes, pause: float = 0.0, hold: bool = False) -> Iterator[str]:
    """Serve one answer, part by part, then close the connection, or hold it open."""
    leave = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plug, _ = server.accept()
            with plug:
                plug.recv(1 << 16)
                for part in parts:
                    leave.wait(pause)
                    try:
                        plug.sendall(part)
                    except OSError:
                        return
                if hold:
                    leave.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            leave.set()
            thread.join()


def limits(*, silence: float = 5.0, total: float = 5.0, size: int = 10_000) -> Limits:
    return Limits(silence, total, size)


def trouble(url: str, given: Limits) -> Trouble | None:
    """Return what goes wrong with a stream from an address."""
    connection = Connection(read_endpoint(url))
    try:
        return connection.stream("/x", {}, given, end=b"[DONE]").trouble
    except NoReplyError as error:
        return error.trouble


def test_a_stream_that_says_it_is_done_is_whole_although_the_server_holds_on() -> None:
    with answering(CHUNKED, b"e\r\ndata: [DONE]\n\n\r\n", hold=True) as url:
        received = Connection(read_endpoint(url)).stream("/x", {}, limits(), end=b"[DONE]")
    assert received.trouble is None
    assert received.body == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ((b"",), "cut"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "cut"),
        ((HEAD + b"content-length: 5\r\n\r\nab",), "cut"),
        ((CHUNKED + b"5\r\nab",), "cut"),
        ((CHUNKED + b"2\r\nab\r\n",), "cut"),
        ((CHUNKED + b"zz\r\nab\r\n",), "cut"),
        ((CHUNKED + b"2710\r\n" + b"x" * 10_000 + b"\r\n2\r\nab\r\n",), "endless"),
    ],
)
def test_an_answer_that_is_not_whole(parts: tuple[bytes, ...], kind: str) -> None:
    with answering(*parts) as url:
        found = trouble(url, limits())
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize(
    "head", [CHUNKED, CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")]
)
def test_hanging_up_ends_an_answer_that_has_begun(head: bytes) -> None:
    with answering(head, b"2\r\nab\r\n", hold=True) as url:
        connection = Connection(read_endpoint(url))
        threading.Timer(0.2, connection.hang_up).start()
        received = connection.stream("/x", {}, limits(silence=20), end=b"[DONE]")
    assert received.trouble is not None
    assert received.trouble.kind == "stopped"


def test_hanging_up_counts_for_a_connection_that_is_coming_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = http.client.HTTPConnection.connect

    def connect(own: http.client.HTTPConnection) -> None:
        plain(own)
        connection.hang_up()

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    with answering(CHUNKED, hold=True) as url:
        connection = Connection(read_endpoint(url))
        with pytest.raises(NoReplyError) as error:
            connection.stream("/x", {}, limits(silence=20), end=b"[DONE]")
    assert error.value.trouble.kind == "stopped"


def test_silence_ends() -> None:
    with answering(CHUNKED, hold=True) as url:
        found = trouble(url, limits(silence=0.2))
    assert found == Trouble("stalled", "nothing came for 0.2 s")


@pytest.mark.parametrize(
    "parts",
    [
        tuple(HEAD[at : at + 1] for at in range(len(HEAD))),
        (CHUNKED, *(b"1\r\nx\r\n" for _ in range(30))),
        (HEAD + b"\r\n", *(b"x" for _ in range(30))),
    ],
    ids=["headers", "body", "body without a length"],
)
def test_what_drips_in_for_ever_ends(parts: tuple[bytes, ...]) -> None:
    began = time.monotonic()
    with answering(*parts, pause=0.1) as url:
        found = trouble(url, limits(silence=5, total=0.5))
        waited = time.monotonic() - began
    assert found == Trouble("endless", "the answer had not ended after 0.5 s")
    assert waited < 1.5


def test_an_answer_without_a_length_is_not_whole_because_its_time_is_over() -> None:
    with answering(HEAD + b"\r\n", b"x", hold=True) as url:
        found = trouble(url, limits(silence=5, total=0.3))
    assert found == Trouble("endless", "the answer had not ended after 0.3 s")


def test_a_page_that_ends_early_is_none() -> None:
    with (
        answering(HEAD + b"content-length: 5\r\n\r\nab") as url,
        pytest.raises(NoReplyError, match="ended within the answer"),
    ):
        Connection(read_endpoint(url)).get("/metrics")


def test_hanging_up_ends_what_waits_and_lets_nothing_begin() -> None:
    with answering(CHUNKED, hold=True) as url:
        connection = Connection(read_endpoint(url))
        threading.Timer(0.2, connection.hang_up).start()
        received = connection.stream("/x", {}, limits(silence=9, total=9), end=b"[DONE]")
        assert received.trouble is not None
        assert received.trouble.kind == "stopped"
        with pytest.raises(NoReplyError, match="stopped"):
            connection.get("/metrics")


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    found = trouble(f"http://127.0.0.1:{port}", limits())
    assert found == Trouble("unreachable", "the connection was refused, nothing listens there")


def test_a_server_without_tls() -> None:
    with ScriptedEngine() as engine:
        found = trouble(engine.url.replace("http:", "https:"), limits())
    assert found is not None
    assert (found.kind, "does not speak TLS" in found.reason) == ("tls", True)


def test_a_server_that_waits_for_more_than_a_tls_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartgen.measure.connection.CONNECT_SECONDS", 0.2)
    with answering(hold=True) as url:
        found = trouble(url.replace("http:", "https:"), limits())
    assert found is not None
    assert (found.kind, "TLS greeting" in found.reason) == ("tls", True)


def test_a_redirect_is_not_followed() -> None:
    page = "moved"
    with ScriptedEngine(pages={"/metrics": (302, page)}) as engine:
        reply = Connection(read_endpoint(engine.url)).get("/metrics")
        assert (reply.status, len(engine.asked)) == (302, 1)


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ScriptedEngine() as engine:
        assert Connection(read_endpoint(engine.url)).get("/health").status == 200


def test_the_key_is_sent_and_never_shown() -> None:
    key = Secret("marker-key-123")
    with ScriptedEngine(api_key="marker-key-123") as engine:
        connection = Connection(read_endpoint(engine.url), key)
        assert connection.get("/v1/models").status == 200
        assert Connection(read_endpoint(engine.url)).get("/v1/models").status == 401
    assert "marker" not in repr(vars(connection))
    assert connection.redact("bad key\nmarker-key-123 ") == "bad key [secret]"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: refused("a chat completion", "http://x", 401, "Invalid", 0.1), "CHARTGEN_API_KEY"),
        (lambda: refused("a chat completion", "http://x", 404, "", 0.1), "/v1/chat/completions"),
        (lambda: refused("a chat completion", "http://x", 302, "", 0.1), "no redirect"),
        (lambda: refused("a chat completion", "http://x", 429, "", 0.1), "--users"),
        (lambda: refused("a chat completion", "http://x", 503, "", 0.1), "loading"),
        (lambda: refused("a chat completion", "http://x", 500, "boom", 0.1), "HTTP 500: boom;"),
        (lambda: refused("a chat completion", "http://x", 504, "", 15.02), "apiTimeout: 0"),
        (lambda: broken("a chat completion", "http://x", Trouble("cut", "y"), 15.1), "apiTimeout"),
    ],
)
def test_each_fault_says_what_to_do(make: Callable[[], Exception], words: str) -> None:
    assert words in str(make())


@pytest.mark.parametrize("seconds", [3.0, 14.0, 16.0, 60.0])
def test_a_cut_at_another_time_is_not_the_proxy(seconds: float) -> None:
    text = str(broken("a chat completion", "http://x", Trouble("cut", "y"), seconds))
    assert "proxy" not in text


def test_a_certificate_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(self: http.client.HTTPSConnection) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(http.client.HTTPSConnection, "connect", connect)
    found = trouble("https://127.0.0.1", limits())
    reason = "its certificate could not be verified: self-signed certificate"
    assert found == Trouble("tls", reason)
