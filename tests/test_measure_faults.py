"""What is said of an endpoint's faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection, Reply, Trouble
from chartgen.measure.faults import (
    EndpointError,
    broken,
    is_proxy_limit,
    own_words,
    refused,
    without_key,
)
from chartgen.measure.trouble import UNANSWERED

CONNECTION = Connection(read_endpoint("http://127.0.0.1"), Secret("marker-key-123"))


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


@pytest.mark.parametrize("kind", ["stalled", "endless", "foreign"])
def test_a_limit_of_one_s_own_is_not_the_proxy(kind: str) -> None:
    text = str(broken("a chat completion", "http://x", Trouble(kind, "y"), 15.0))
    assert "proxy" not in text
    assert not is_proxy_limit(kind, 15.0)


def test_an_option_is_named_only_where_it_is_one() -> None:
    silent = Trouble("stalled", "nothing came")
    assert "--stall" in str(broken("a chat completion", "http://x", silent, 9, bench=True))
    assert "--stall" not in str(broken("the list of models", "http://x", silent, 9))


@pytest.mark.parametrize(("scheme", "said"), [("http", True), ("https", False)])
def test_who_closes_without_a_word_may_want_tls(scheme: str, said: bool) -> None:
    text = str(broken("the list of models", f"{scheme}://x", UNANSWERED, 0.1))
    assert text.endswith("; or it wants https://") == said


@pytest.mark.parametrize(
    ("media_type", "body", "words"),
    [
        ("application/json", b'{"error": {"message": "no\\nroom"}}', "no room"),
        ("text/plain", b" image input is\nnot supported ", '"image input is not supported"'),
        ("text/plain", b"x" * 9999, f'"{"x" * 119}…"'),
        ("text/plain", b"bad key marker-key-123", '"bad key [secret]"'),
        ("text/html", b"<html>Bad Gateway", ""),
        ("text/plain", b"<html>Bad Gateway", ""),
        ("text/html", b"<p>The plain HTTP request was sent to HTTPS port", "it wants https://"),
        ("application/octet-stream", b"\xff\xfe", ""),
        ("text/plain", b"", ""),
    ],
)
def test_what_an_answer_says_of_itself(media_type: str, body: bytes, words: str) -> None:
    assert own_words(CONNECTION, Reply(500, media_type, body)) == words


def test_no_error_that_is_told_holds_the_key() -> None:
    with pytest.raises(EndpointError) as told, without_key(CONNECTION):
        raise EndpointError("serves only marker-key\u200e-123")
    assert str(told.value) == "serves only [secret]"
