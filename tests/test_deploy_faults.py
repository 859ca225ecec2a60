"""Anything may go wrong at every call: the market stays whole, and the same command finishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import pytest

from chartgen.errors import RemoteError
from chartgen.market.deploy.failures import ApiError
from chartgen.market.deploy.publication import Target
from tests.cloudflare_stub import (
    Act,
    Handler,
    Reply,
    challenges,
    cut_off,
    drops,
    leads_away,
    result,
    says,
    says_html,
    says_nothing,
    status,
)
from tests.deploy_sample import NAME
from tests.deploying import Publisher, publishing

pytestmark = pytest.mark.loopback

PUBLIC = "market.acme.workers.dev"
SESSION = "POST /workers/scripts/market/assets-upload-session"
DOMAIN = Target(NAME, domain="market.example.com")
# Calls of a first publishing, and of a later one; the test below counts them.
FIRST, LATER = range(13), range(11)

# Each once: before the call was carried out, or after.
PASSING: dict[str, tuple[Act, bool]] = {
    "internal error": (status(500, 10013, "internal"), False),
    "internal error after it was done": (status(500, 10013, "internal"), True),
    "their code without their status": (status(400, 10002, "internal"), False),
    "gateway": (says_html, False),
    "gateway timeout after it was done": (says(Reply(524, b"error code: 524")), True),
    "too many calls": (status(429, 971, "slow down", Retry_After="7"), False),
    "busy": (status(409, 0, "Multiple attempts to modify a resource"), False),
    "dropped request": (drops, False),
    "lost answer": (drops, True),
    "cut-off answer": (cut_off, True),
    "empty answer": (says_nothing, True),
}
LASTING: dict[str, Act] = {
    "wrong token": status(401, 10000, "Authentication error"),
    "no permission": status(403, 10000, "Authentication error"),
    "challenge": challenges,
    "no route": status(404, 7003, "No route for that URI"),
    "redirect": leads_away,
    "short form": says(Reply(400, b'{"code": 10026, "error": "no"}')),
    "internal error": status(500, 10013, "internal"),
    "lost answers": drops,
    "empty answers": says_nothing,
}


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as found:
        yield found


@pytest.fixture
def published(publisher: Publisher) -> Publisher:
    publisher.publish("1.0.0", DOMAIN)
    publisher.cloudflare.calls.clear()
    publisher.clock.slept.clear()
    return publisher


def live(publisher: Publisher) -> str:
    """The version of the app that the deployed files hold."""
    worker = publisher.cloudflare.workers[NAME]
    version = worker.version(worker.live)
    assert version is not None
    hash_file = publisher.cloudflare.assets[version.manifest["/api/v1/appstore/hash"]]
    return str(json.loads(hash_file.data)["hash"])


def test_the_numbers_of_calls_are_right(publisher: Publisher) -> None:
    publisher.publish("1.0.0", DOMAIN)
    first = len(publisher.cloudflare.lines)
    publisher.cloudflare.calls.clear()
    publisher.publish("1.0.1", DOMAIN)

    assert (first, len(publisher.cloudflare.lines)) == (len(FIRST), len(LATER))


@pytest.mark.parametrize("number", FIRST)
@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_at_any_call_is_ridden_out_the_first_time(
    publisher: Publisher, fault: str, number: int
) -> None:
    act, after = PASSING[fault]
    publisher.cloudflare.fail_call(number, act, after=after)

    publisher.publish("1.0.0", DOMAIN)

    worker = publisher.cloudflare.workers[NAME]
    assert live(publisher) == "1.0.0"
    assert (len(worker.versions), len(worker.deployments)) == (1, 1)
    assert 0 < sum(publisher.clock.slept) < 60


@pytest.mark.parametrize("number", LATER)
@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_at_any_call_is_ridden_out_later(
    published: Publisher, fault: str, number: int
) -> None:
    act, after = PASSING[fault]
    published.cloudflare.fail_call(number, act, after=after)

    published.publish("1.0.1", DOMAIN)

    worker = published.cloudflare.workers[NAME]
    assert live(published) == "1.0.1"
    assert (len(worker.versions), len(worker.deployments)) == (2, 2)
    assert 0 < sum(published.clock.slept) < 60


@pytest.mark.parametrize("number", LATER)
@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_stops_the_run_and_the_next_one_finishes(
    published: Publisher, fault: str, number: int
) -> None:
    for call in range(number, number + 100):
        published.cloudflare.fail_call(call, LASTING[fault])

    with pytest.raises(RemoteError) as caught:
        published.publish("1.0.1", DOMAIN)
    assert live(published) == "1.0.0"
    assert str(caught.value).endswith(".")

    published.cloudflare.fault_of_call.clear()
    published.publish("1.0.1", DOMAIN)
    assert live(published) == "1.0.1"


@pytest.mark.parametrize("number", FIRST)
def test_a_first_run_that_was_cut_short_anywhere_is_finished(
    publisher: Publisher, number: int
) -> None:
    for call in range(number, number + 100):
        publisher.cloudflare.fail_call(call, LASTING["no permission"])

    with pytest.raises(RemoteError):
        publisher.publish("1.0.0", DOMAIN)

    publisher.cloudflare.fault_of_call.clear()
    assert publisher.publish("1.0.0", DOMAIN).url == "https://market.example.com"
    assert len(publisher.cloudflare.workers[NAME].versions) == 1


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (status(403, 10000, "Authentication error"), ["code 10000", "Workers Scripts Edit"]),
        (status(401, 0, "no"), ["HTTP 401", "CLOUDFLARE_API_TOKEN"]),
        (status(404, 7003, "No route"), ["CLOUDFLARE_ACCOUNT_ID"]),
        (status(400, 10021, "Uncaught SyntaxError: x"), ["Uncaught SyntaxError: x", "report"]),
        (status(413, 10027, "exceeds the size limit"), ["do not fit", "split the market"]),
        (status(400, 10063, "A subdomain is required"), ["workers.dev name"]),
        (status(400, 10304, "manifest is invalid"), ["20,000 files"]),
        (status(403, 10037, "Worker limit reached"), ["Delete a Worker"]),
        (challenges, ["a web page instead of an answer", "firewall", "another network"]),
        (leads_away, ["go to https://evil.example.com/client/v4, which is not followed"]),
        (says(Reply(503, b"", {"cf-mitigated": "challenge"})), ["firewall", "another network"]),
        (says(Reply(418)), ["Cloudflare says: nothing (HTTP 418)"]),
        (says(Reply(400, b'{"code": 10016, "error": "bad name"}')), ["bad name", "lower-case"]),
        (says(Reply(400, b"\xff\xfe")), ["something unreadable instead of an answer"]),
        (says(Reply(400, b'{"errors": [7, "x"]}')), ["something unreadable"]),
        (says(Reply(400, b"[" * 10**5)), ["something unreadable"]),
        (
            says(Reply(400, b'{"errors": [{"code": 1, "message": "a\\u001b[31mb\\nc"}]}')),
            ["says: ab c (HTTP 400, code 1)"],
        ),
    ],
)
def test_a_refusal_says_what_where_and_what_to_do(
    published: Publisher, act: Act, words: list[str]
) -> None:
    published.cloudflare.fail("POST", "/assets-upload-session$", act, 99)

    with pytest.raises(ApiError) as caught:
        published.publish("1.0.1")

    assert str(caught.value).startswith("preparing the files of market: Cloudflare says: ")
    for word in words:
        assert word in str(caught.value)
    assert published.clock.slept == []


def test_the_innermost_cause_is_shown(published: Publisher) -> None:
    chain = [{"code": 1, "message": "workers.api.error"}, {"code": 2, "message": "disk is full"}]
    body = {"success": False, "errors": [{"code": 1, "message": "failed", "error_chain": chain}]}
    published.cloudflare.fail("POST", "/versions$", says(Reply(400, json.dumps(body).encode())))

    with pytest.raises(ApiError, match=r"failed: workers\.api\.error: disk is full"):
        published.publish("1.0.1")


# Waiting -------------------------------------------------------------------------------------


def test_pauses_grow_and_end(published: Publisher) -> None:
    published.cloudflare.fail("GET", "/deployments$", drops, 99)

    with pytest.raises(RemoteError, match=r"no answer from 127\.0\.0\.1"):
        published.publish("1.0.1")

    assert published.clock.slept == [1, 2, 4]


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0"}, 1),
        ({"Retry_After": "-5"}, 1),
        ({"Retry_After": "soon"}, 1),
        ({"Retry_After": "Sat, 21 Nov 2026 18:00:30 GMT"}, 30),
        ({"Retry_After": "Sat, 21 Nov 2026 17:00:00 GMT"}, 1),
    ],
)
def test_an_answer_says_how_long_to_wait(
    published: Publisher, headers: dict[str, str], slept: int
) -> None:
    busy = status(429, 971, "slow down", Date="Sat, 21 Nov 2026 18:00:00 GMT", **headers)
    published.cloudflare.fail("GET", "/deployments$", busy)

    published.publish("1.0.1")

    assert published.clock.slept == [slept]


def test_nobody_is_kept_waiting_for_minutes(published: Publisher) -> None:
    busy = status(429, 971, "slow down", Retry_After="300")
    published.cloudflare.fail("GET", "/deployments$", busy)

    with pytest.raises(ApiError, match=r"in 5 minutes.*left alone for 300 seconds"):
        published.publish("1.0.1")

    assert published.clock.slept == []


def test_a_timeout_of_the_gateway_while_sending_is_given_more_time(published: Publisher) -> None:
    timeout = says(Reply(524, b"error code: 524"))
    published.cloudflare.fail("POST", "/assets/upload$", timeout, 3)

    published.publish("1.0.1")

    assert published.clock.slept == [1 + 5, 2 + 10, 4 + 20]


def test_sending_is_tried_six_times(published: Publisher) -> None:
    published.cloudflare.fail("POST", "/assets/upload$", says_html, 99)

    with pytest.raises(ApiError, match="uploading files: Cloudflare says: a web page"):
        published.publish("1.0.1")

    assert published.clock.slept == [1, 2, 4, 8, 16]


# Sending files -------------------------------------------------------------------------------


def test_a_new_token_goes_on_where_the_old_one_ended(publisher: Publisher) -> None:
    expired = status(401, 10000, "token expired")

    def second(handler: Handler, reply: Reply) -> None:
        publisher.cloudflare.fail("POST", "/assets/upload$", expired)
        handler.say(reply)

    publisher.cloudflare.fail("POST", "/assets/upload$", second, after=True)

    deployed = publisher.publish("1.0.0")

    sent = [
        [part.name for part in call.parts]
        for call in publisher.cloudflare.calls
        if call.line == "POST /workers/assets/upload"
    ]
    assert publisher.cloudflare.lines.count(SESSION) == 2
    # Two were taken, two refused, and then the refused ones and the last are sent.
    assert [len(names) for names in sent] == [2, 2, 2, 1]
    assert sent[1] == sent[2]
    assert deployed.sent.files == 5


def test_tokens_that_never_work_are_not_asked_for_for_ever(publisher: Publisher) -> None:
    publisher.cloudflare.fail("POST", "/assets/upload$", status(401, 10000, "expired"), 99)

    with pytest.raises(ApiError, match="uploading files: Cloudflare says: expired"):
        publisher.publish("1.0.0")

    assert publisher.cloudflare.lines.count(SESSION) == 3


@pytest.mark.parametrize(("comes", "sessions"), [("last", 1), ("first", 1), ("never", 2)])
def test_the_proof_comes_with_any_bucket_or_with_the_next_session(
    publisher: Publisher, comes: Literal["last", "first", "never"], sessions: int
) -> None:
    publisher.cloudflare.proof_comes = comes

    deployed = publisher.publish("1.0.0")

    assert live(publisher) == "1.0.0"
    assert deployed.sent.files == 5
    assert publisher.cloudflare.lines.count(SESSION) == sessions


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (result(None), "at fault: all"),
        (result({"buckets": []}), "at fault: jwt"),
        (result({"jwt": "a b", "buckets": []}), "at fault: jwt"),
        (result({"jwt": "x", "buckets": "y"}), "at fault: buckets"),
        (result({"jwt": "x", "buckets": [["f" * 32]]}), "a file that the market does not have"),
    ],
)
def test_a_session_that_makes_no_sense_is_an_error(
    published: Publisher, answer: Reply, words: str
) -> None:
    published.cloudflare.fail("POST", "/assets-upload-session$", says(answer), 99)

    with pytest.raises(RemoteError, match=words):
        published.publish("1.0.1")

    assert live(published) == "1.0.0"


@pytest.mark.parametrize("version_id", ["", "../../x", "1?a=b", 7, None])
def test_an_id_that_is_none_becomes_no_part_of_an_address(
    published: Publisher, version_id: object
) -> None:
    share = {"version_id": version_id, "percentage": 100}
    body = {"deployments": [{"id": "1", "versions": [share]}]}
    published.cloudflare.fail("GET", "/deployments$", says(result(body)), 99)

    with pytest.raises(RemoteError, match="not what its documentation says"):
        published.publish("1.0.1")

    assert len(published.cloudflare.lines) == 2


# Answers of the market -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (challenges, "wants to see a browser"),
        (leads_away, r"leads elsewhere \(https://evil.example.com"),
        (drops, "no answer"),
        (cut_off, "no answer"),
        (says(Reply(404, b"error code: 1042")), "status 404 instead of 200"),
        (says(Reply(200, b"{}", {"Content-Type": "application/json"})), "other content"),
        (says(Reply(200, b"{}", {"Content-Type": "text/html"})), "content type 'text/html'"),
        (says(Reply(200, b"{}")), "content type 'none'"),
        (says(Reply(200, b" " * 10**6)), "the answer is larger than"),
    ],
)
def test_what_a_device_could_not_use_is_never_deployed(
    published: Publisher, act: Act, words: str
) -> None:
    published.cloudflare.fail("GET", f"-{PUBLIC}/api/v1/appstore/info", act, 99)

    with pytest.raises(RemoteError, match=words):
        published.publish("1.0.1")

    assert live(published) == "1.0.0"
    assert "POST /workers/scripts/market/deployments" not in published.cloudflare.lines
