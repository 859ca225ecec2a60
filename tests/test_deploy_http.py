"""Requests and answers: what is sent, and the limits on what comes back."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from chartgen.errors import MissingToolError
from chartgen.market.deploy import http as module
from chartgen.market.deploy.http import Answer, Http, NoAnswerError, Part, Request, connect
from chartgen.market.deploy.secret import Secret
from tests.cloudflare_stub import (
    Act,
    Cloudflare,
    Handler,
    Reply,
    cut_off,
    drops,
    leads_away,
    says,
    serving,
    split_multipart,
)

pytestmark = pytest.mark.loopback

SITE = "https://market.acme.workers.dev"


@pytest.fixture
def cloudflare() -> Iterator[Cloudflare]:
    with serving(Cloudflare()) as found:
        yield found


@pytest.fixture
def http(cloudflare: Cloudflare) -> Iterator[Http]:
    with connect(cloudflare.url) as found:
        yield found


def test_everything_goes_to_the_stand_in_under_its_own_name(
    cloudflare: Cloudflare, http: Http
) -> None:
    cloudflare.fail("GET", ".", says(Reply(200, b"ok", {"X-Some": "a"})))

    answer = http.send(Request("GET", f"{SITE}/a/b?c=d&e=%20"))

    assert (answer.status, answer.body, answer.headers["x-some"]) == (200, b"ok", "a")
    call = cloudflare.calls[0]
    assert (call.host, call.path, call.query) == (
        "market.acme.workers.dev",
        "/a/b",
        {"c": "d", "e": " "},
    )


def test_a_device_would_not_remember_and_not_follow(cloudflare: Cloudflare, http: Http) -> None:
    cloudflare.fail("GET", ".", says(Reply(200, b"", {"Set-Cookie": "a=b; Path=/"})))
    cloudflare.fail("GET", ".", leads_away)

    http.send(Request("GET", SITE))
    answer = http.send(Request("GET", SITE))

    assert answer.status == 307
    assert len(cloudflare.calls) == 2
    assert "cookie" not in cloudflare.calls[1].headers


def test_a_token_is_sent_with_its_own_request_only(cloudflare: Cloudflare, http: Http) -> None:
    http.send(Request("GET", f"{SITE}/1", bearer=Secret("token")))
    http.send(Request("GET", f"{SITE}/2"))

    sent = [call.headers.get("authorization") for call in cloudflare.calls]
    assert sent == ["Bearer token", None]


def test_parts_are_sent_as_they_are(cloudflare: Cloudflare, http: Http) -> None:
    parts = (
        Part("metadata", b'{"a": "\xc3\xa4"}'),
        Part("worker.js", bytes(range(256)), "worker.js", "application/javascript+module"),
        Part("f" * 32, b"--\r\n\r\n--x", "f" * 32, "text/html; charset=utf-8"),
    )

    http.send(Request("POST", f"{SITE}/upload", body=parts))

    call = cloudflare.calls[0]
    found = split_multipart(call.headers["content-type"], call.body)
    assert [(p.name, p.data, p.filename, p.content_type) for p in found] == [
        (part.name, part.data, part.filename, part.content_type) for part in parts
    ]


def test_a_packed_answer_is_unpacked(cloudflare: Cloudflare, http: Http) -> None:
    packed = Reply(200, gzip.compress(b"text" * 100), {"Content-Encoding": "gzip"})
    cloudflare.fail("GET", ".", says(packed))

    assert http.send(Request("GET", SITE)).body == b"text" * 100
    assert cloudflare.calls[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"x" * 1001),
        Reply(200, gzip.compress(bytes(10**7)), {"Content-Encoding": "gzip"}),
        Reply(200, b"no gzip", {"Content-Encoding": "gzip"}),
    ],
)
def test_an_answer_that_is_too_much_is_none(
    cloudflare: Cloudflare, http: Http, reply: Reply
) -> None:
    cloudflare.fail("GET", ".", says(reply))

    with pytest.raises(NoAnswerError) as caught:
        http.send(Request("GET", SITE, limit=1000))

    assert caught.value.sent


def test_an_answer_of_just_the_size_is_one(cloudflare: Cloudflare, http: Http) -> None:
    cloudflare.fail("GET", ".", says(Reply(200, b"x" * 1000)))

    assert len(http.send(Request("GET", SITE, limit=1000)).body) == 1000


def test_an_answer_that_drips_for_ever_is_none(
    cloudflare: Cloudflare, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TOTAL_SECONDS", 0.05)

    def drips(handler: Handler, _: Reply) -> None:
        handler.send_response_only(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for _byte in range(2000):  # or until nobody listens any more
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.005)

    cloudflare.fail("GET", ".", drips)

    with pytest.raises(NoAnswerError, match="takes too long"):
        http.send(Request("GET", SITE, limit=10**6))


@pytest.mark.parametrize("act", [drops, cut_off])
def test_who_hangs_up_may_have_got_the_request(
    cloudflare: Cloudflare, http: Http, act: Act
) -> None:
    cloudflare.fail("GET", ".", act, after=True)

    with pytest.raises(NoAnswerError) as caught:
        http.send(Request("GET", f"{SITE}/index.html"))

    assert caught.value.sent


def test_who_is_not_there_has_not(cloudflare: Cloudflare) -> None:
    with serving(Cloudflare()) as gone:
        pass

    with connect(gone.url) as http, pytest.raises(NoAnswerError) as caught:
        http.send(Request("GET", SITE))

    assert not caught.value.sent


def test_a_proxy_of_the_environment_is_not_asked_on_this_machine(
    cloudflare: Cloudflare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    with connect(cloudflare.url) as http:
        assert http.send(Request("GET", SITE)).status == 404


def test_a_certificate_that_is_not_trusted_is_explained() -> None:
    error = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed (_ssl.c:1006)")

    assert "ca-certificates" in module._reason(error)


def test_what_a_server_says_cannot_steer_a_terminal() -> None:
    assert module._reason(OSError("a\x1b[31mb\nc")) == "ab c"
    assert module._reason(OSError()) == "OSError"


def test_bodies_are_not_shown() -> None:
    shown = repr(
        (Part("a", b"secret"), Request("GET", "x", body=b"secret"), Answer(1, {}, b"secret"))
    )

    assert "secret" not in shown


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    with pytest.raises(MissingToolError, match="pip install httpx2"), connect():
        pass


def test_the_library_is_loaded_only_where_it_is_used() -> None:
    program = "import sys, chartgen.market.deploy.cloudflare; print('httpx2' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "False"
