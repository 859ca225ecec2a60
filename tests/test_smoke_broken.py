"""A smoke test that got no whole answer of the app says so, and tells nothing of its release."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection, NoReplyError, Received, Reply, Trouble
from chartgen.measure.smoke import why_untold
from chartgen.measure.smoke_asking import Asking, CheckFailedError, user
from tests.scripted_engine import Script
from tests.smoking import EVERYTHING, NO, answering, engine, refused, run

pytestmark = pytest.mark.loopback
BROKEN: dict[str, tuple[str, dict[str, Script], str]] = {
    "page of a proxy": (
        "text",
        {"text": Script(status=502, body="<html>Bad Gateway</html>")},
        "a proxy did not reach the engine",
    ),
    "result cut by a proxy": ("tools", {"tool_result": Script(status=504)}, "HTTP 504"),
    "context behind a login": (
        "context",
        {"context": refused(401, "bad key")},
        "1,000 tokens: HTTP 401",
    ),
    "context larger than a proxy takes": (
        "context",
        {"context": Script(status=413, body="<html>Too large</html>")},
        "a proxy refuses requests of this size",
    ),
    "stream stalls": (
        "streaming",
        {"streaming": Script(fault="stall", fault_after=3)},
        "the answer had not ended after 1 s",
    ),
    "stream ends early": (
        "streaming",
        {"streaming": Script(fault="end", fault_after=3)},
        "it ended early",
    ),
    "stream is cut": (
        "streaming",
        {"streaming": Script(fault="cut", fault_after=3)},
        "the stream broke",
    ),
    "rubbish": (
        "streaming",
        {"streaming": Script(fault="rubbish", fault_after=3)},
        "no event: '<html>Bad Gateway</html>'",
    ),
    "answer stalls": ("text", {"text": Script(delay_seconds=20)}, "no answer"),
}


@pytest.mark.parametrize(("name", "scripts", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_answer_is_bounded_and_never_kept(
    name: str, scripts: dict[str, Script], words: str
) -> None:
    with engine(answer=answering(**scripts)) as server:
        done = run(server.url, replace(EVERYTHING, speech=NO, embedding=NO), seconds=1.0)
    assert {other for other, one in done.items() if one.check.outcome == "failed"} == {name}
    assert words in done[name].check.detail
    assert done[name].broken
    assert why_untold(list(done.values())) != ""


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, "bad request", True),
        (404, "", True),
        (413, '{"error": {"message": "the prompt is too long"}}', True),
        (500, '{"error": {"message": "CUDA error"}}', True),
        (500, '{"detail": "CUDA error"}', True),
        (500, "<html>Internal error</html>", False),
        (500, "{}", False),
        (501, '{"error": {"message": "no such thing"}}', True),
        (522, "<html>Timed out</html>", False),
        *(
            (status, '{"error": {"message": "somebody\'s words"}}', False)
            for status in (302, 307, 401, 403, 407, 429, 502, 503, 504)
        ),
    ],
)
@pytest.mark.parametrize("name", ["text", "streaming", "context"])
def test_who_answers_in_the_place_of_an_app_tells_nothing_of_it(
    name: str, status: int, body: str, told: bool
) -> None:
    script = Script(status=status, body=body)
    claims = replace(EVERYTHING, vision=NO, tools=NO, speech=NO, embedding=NO)
    with engine(answer=answering(**{name: script})) as server:
        done = run(server.url, claims)
    assert f"HTTP {status}" in done[name].check.detail
    assert done[name].check.outcome == (
        "passed" if (name, status) == ("context", 413) else "failed"
    )
    why = "" if told else f"no whole answer of the app came for {name}"
    assert why_untold(list(done.values())) == why


@pytest.mark.parametrize("path", ["/health", "/v1/models"])
def test_page_that_a_proxy_answers_tells_nothing(path: str) -> None:
    with engine(pages={path: (503, "")}) as server:
        done = run(server.url)
    assert "no whole answer" in why_untold(list(done.values()))


PROXY = "which is when Olares' proxy ends a request"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(15.1, PROXY), (3.0, "a proxy did not wait for the engine")],
)
def test_time_that_a_proxy_allows_is_recognised(seconds: float, words: str) -> None:
    asking = Asking(Connection(read_endpoint("http://127.0.0.1:9")), "smallapp", 1.0)
    assert words in asking.refusal(Reply(504, "text/html", b"<html>", seconds))


class Cut(Connection):
    """A connection whose answer ends early, after some seconds."""

    def __init__(self, seconds: float, trouble: Trouble | None, data: bytes = b"") -> None:
        super().__init__(read_endpoint("http://127.0.0.1:9"))
        self.seconds, self.trouble, self.data = seconds, trouble, data

    def stream(self, *_: object, **__: object) -> Received:
        pieces = ((10.0 + self.seconds, self.data),)
        return Received(
            200, "text/event-stream", 10.0, 10.0 + self.seconds, pieces, trouble=self.trouble
        )

    def post(self, *_: object) -> Reply:
        assert self.trouble is not None
        raise NoReplyError(self.trouble, self.seconds)


CUT = Trouble("cut", "the connection ended within the answer")
STALLED = Trouble("stalled", "nothing came for 300 s")
ENDLESS = Trouble("endless", "the answer had not ended after 15 s")
EVENT = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'


@pytest.mark.parametrize(
    ("seconds", "trouble", "data", "hint"),
    [
        (15.2, CUT, EVENT, True),
        # Whoever leaves the connection open has not cut it.
        (15.2, STALLED, EVENT, False),
        (15.2, None, EVENT, True),
        (15.2, None, b"<html>Gateway timeout</html>", False),
        (4.0, CUT, EVENT, False),
        (4.0, None, EVENT, False),
        # That is --timeout 15.
        (15.0, ENDLESS, EVENT, False),
    ],
)
def test_stream_that_ends_when_a_proxy_ends_it(
    seconds: float, trouble: Trouble | None, data: bytes, hint: bool
) -> None:
    with pytest.raises(CheckFailedError, match="the stream broke") as failed:
        Asking(Cut(seconds, trouble, data), "smallapp", 300.0).stream([user("hello")])
    assert (PROXY in failed.value.detail) == hint
    assert (f"after {seconds} s" in failed.value.detail) == hint
    assert failed.value.broken


@pytest.mark.parametrize(("trouble", "hint"), [(CUT, True), (STALLED, False), (ENDLESS, False)])
def test_answer_that_ends_when_a_proxy_ends_it(trouble: Trouble, hint: bool) -> None:
    with pytest.raises(CheckFailedError, match="no answer") as failed:
        Asking(Cut(15.0, trouble), "smallapp", 300.0).chat([user("hello")])
    assert (PROXY in failed.value.detail) == hint
