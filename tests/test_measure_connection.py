"""Requests to an endpoint: limits, faults of the wire, and what is said of them."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

import pytest

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection, Limits, NoReplyError, Trouble
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
    ("parts", "body"),
    [
        ((b"data: [DO", b"NE]\n", b"\n"), b"data: [DONE]\n"),
        ((b"data: a\n\ndata:[DONE]",), b"data: a\n\ndata:[DONE]"),
        ((b'data: "data: [DONE]', b'"\n\n', b"data: [DONE]\n"), None),
        ((b"data: " + b"x" * 99 + b"[DONE]", b"\n", b"data: [DONE]\n"), None),
    ],
)
def test_a_stream_is_done_with_a_line_of_its_own(
    parts: tuple[bytes, ...], body: bytes | None
) -> None:
    with answering(HEAD + b"\r\n", *parts, pause=0.05, hold=True) as url:
        received = Connection(read_endpoint(url)).stream("/x", {}, limits(), end=b"[DONE]")
    assert received.trouble is None
    assert received.body == (b"".join(parts) if body is None else body)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ((b"",), "cut"),
        ((b"SSH-2.0-OpenSSH_9.2\r\n",), "foreign"),
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
    plain = socket.socket.connect

    def connect(own: socket.socket, where: tuple[str, int]) -> None:
        plain(own, where)
        connection.hang_up()

    with answering(CHUNKED, hold=True) as url:
        connection = Connection(read_endpoint(url))
        monkeypatch.setattr(socket.socket, "connect", connect)
        with pytest.raises(NoReplyError) as error:
            connection.stream("/x", {}, limits(silence=20), end=b"[DONE]")
        monkeypatch.undo()
    assert error.value.trouble.kind == "stopped"


@contextmanager
def taking_nobody() -> Iterator[str]:
    """Listen with a full queue, so that whoever connects waits."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("place", "scheme"),
    [(taking_nobody, "http:"), (partial(answering, hold=True), "https:")],
    ids=["connection", "greeting of TLS"],
)
def test_hanging_up_reaches_who_waits_for_a_connection(
    place: Callable[[], AbstractContextManager[str]], scheme: str
) -> None:
    with place() as url:
        connection = Connection(read_endpoint(url.replace("http:", scheme)))
        threading.Timer(0.2, connection.hang_up).start()
        began = time.monotonic()
        with pytest.raises(NoReplyError) as error:
            connection.get("/metrics")
        waited = time.monotonic() - began
    assert error.value.trouble.kind == "stopped"
    assert waited < 2


def event(data: bytes) -> bytes:
    """Return a chunk with one event."""
    line = b"data: " + data + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(line), line)


def test_silence_ends() -> None:
    with answering(CHUNKED, hold=True) as url:
        found = trouble(url, limits(silence=0.2))
    assert found == Trouble("stalled", "nothing came for 0.2 s")


@pytest.mark.parametrize(
    "parts",
    [
        (CHUNKED, event(b"word"), *[b"8\r\n: ping\n\n\r\n"] * 30),
        (CHUNKED, event(b"word"), *[event(b"")] * 30),
        (CHUNKED, event(b"word"), *[event(b"alive")] * 30),
        (CHUNKED, event(b"word"), *[b"1\r\nx\r\n"] * 30),
        (HEAD, b"x: ", *[b"y"] * 30),
        (b"HTTP/1.1 100 Continue\r\n\r\n",) * 30,
    ],
    ids=["comments", "empty events", "events that say nothing", "no line", "head", "100"],
)
def test_signs_of_life_end_no_silence(parts: tuple[bytes, ...]) -> None:
    with answering(*parts, pause=0.1) as url:
        connection = Connection(read_endpoint(url))
        began = time.monotonic()
        try:
            received = connection.stream(
                "/x", {}, limits(silence=0.5), end=b"[DONE]", says=lambda data: data != b"alive"
            )
            found = received.trouble
        except NoReplyError as error:
            found = error.trouble
        waited = time.monotonic() - began
    assert found is not None
    assert (found.kind, found.reason[-14:]) == ("stalled", "came for 0.5 s")
    assert waited < 2


NOT_ENDED = Trouble("endless", "the answer had not ended after 0.5 s")


def test_an_answer_may_last_while_it_says_something() -> None:
    words = [event(b"word")] * 12
    with answering(CHUNKED, *words, event(b"[DONE]"), pause=0.1) as url:
        assert trouble(url, limits(silence=0.8)) is None


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (
            tuple(HEAD[at : at + 1] for at in range(len(HEAD))),
            Trouble("stalled", "nothing came for 0.5 s"),
        ),
        ((CHUNKED, *(b"1\r\nx\r\n" for _ in range(30))), NOT_ENDED),
        ((HEAD + b"\r\n", *(b"x" for _ in range(30))), NOT_ENDED),
    ],
    ids=["headers", "body", "body without a length"],
)
def test_what_drips_in_for_ever_ends(parts: tuple[bytes, ...], why: Trouble) -> None:
    began = time.monotonic()
    with answering(*parts, pause=0.1) as url:
        found = trouble(url, limits(silence=5, total=0.5))
        waited = time.monotonic() - began
    assert found == why
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


def test_a_large_request_that_is_refused_early() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge"
    with answering(refusal) as url:
        connection = Connection(read_endpoint(url))
        reply = connection.post("/x", {"prompt": "x" * 20_000_000}, limits())
    assert (reply.status, reply.body) == (413, b"large")


def test_of_a_refusal_the_status_is_enough() -> None:
    with answering(b"HTTP/1.1 500 Oh\r\ncontent-length: 5\r\n\r\nab") as url:
        reply = Connection(read_endpoint(url)).get("/metrics")
    assert (reply.status, reply.body) == (500, b"ab")


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


# Fatal, unrecognized_name (RFC 8446 §6).
ALERT = b"\x15\x03\x03\x00\x02\x02\x70"


def test_an_alert_of_tls_is_told() -> None:
    with answering(ALERT) as url:
        found = trouble(url.replace("http:", "https:"), limits())
    assert found is not None
    assert found.kind == "tls"
    assert "broke off TLS" in found.reason
    assert "unrecognized name" in found.reason


def test_plain_http_at_a_port_of_tls() -> None:
    with answering(ALERT) as url, pytest.raises(NoReplyError) as error:
        Connection(read_endpoint(url)).get("/metrics")
    assert error.value.trouble.kind == "https"


def test_a_server_that_waits_for_more_than_a_tls_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chartgen.measure.plugs.CONNECT_SECONDS", 0.2)
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


KEY = "marker-key/123"


@pytest.mark.parametrize(
    "echo",
    [
        b"marker-key/123",
        b'{"error": "marker-key\\/123"}',
        b'{"error": "\\u006dark\\u0065r-key\\u002F123"}',
    ],
    ids=["plain", "backslash", "codes"],
)
@pytest.mark.parametrize("cut", [0, 5, 17])
def test_an_echoed_key_never_comes_in(echo: bytes, cut: int) -> None:
    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(data), data)

    parts = [chunk(part) for part in (b"a " + echo[:cut], echo[cut:] + b" z\n") if part]
    kind = b"content-type: text/Marker-Key/123; charset=x\r\ntransfer"
    with answering(CHUNKED.replace(b"transfer", kind), *parts, b"0\r\n\r\n", pause=0.02) as url:
        received = Connection(read_endpoint(url), Secret(KEY)).stream("/x", {}, limits(), end=b"E")
    assert received.body.startswith(b"a ")
    assert received.body.endswith(b" z\n")
    assert b"[secret]" in received.body
    assert b"key" not in received.body
    assert len(received.pieces) == 2
    assert received.media_type == "text/[secret]"


def test_a_key_that_is_a_word_leaves_documents_readable() -> None:
    body = b'{"usage": null}'
    with answering(HEAD + b"content-length: 15\r\n\r\n" + body) as url:
        connection = Connection(read_endpoint(url), Secret("null"))
        assert connection.get("/x").json() == {"usage": None}
    assert connection.redact("it is null") == "it is null"


def test_a_certificate_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    def greet(self: ssl.SSLSocket) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(ssl.SSLSocket, "do_handshake", greet)
    with answering(hold=True) as url:
        found = trouble(url.replace("http:", "https:"), limits())
    reason = "its certificate could not be verified: self-signed certificate"
    assert found == Trouble("tls", reason)


def test_an_address_that_the_kernel_cannot_have_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ScriptedEngine() as engine:
        port = read_endpoint(engine.url).port
        # A family that no kernel has, as IPv6 where it is switched off.
        strange = (99, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [strange, found])
        assert Connection(read_endpoint(engine.url)).get("/health").status == 200
