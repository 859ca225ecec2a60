"""What is asked of a market after it was published."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from chartgen.market.deploy.http import Answer, NoAnswerError, Request
from chartgen.market.deploy.probes import Probe, ask, probes_of, wait_for
from chartgen.market.routes import answer, content
from chartgen.market.site import Site
from tests.deploying import ManualClock
from tests.markets import EMPTY, sample_site


@dataclass
class Market:
    """Answers for a site, without a network."""

    site: Site
    seen: list[Request] = field(default_factory=list)
    wrong: dict[str, Answer | NoAnswerError] = field(default_factory=dict)

    def send(self, request: Request) -> Answer:
        self.seen.append(request)
        parts = urlsplit(request.url)
        wrong = self.wrong.get(parts.path)
        if isinstance(wrong, NoAnswerError):
            raise wrong
        if wrong is not None:
            return wrong
        assert isinstance(request.body, bytes)
        found = answer(self.site, request.method, parts.path, parts.query, request.body)
        headers = {name.lower(): text for name, text in found.headers.items()}
        return Answer(found.status, headers, content(self.site, found))


def test_each_base_is_asked_and_the_hashes_of_all_come_first() -> None:
    paths = [urlsplit(probe.path).path for probe in probes_of(sample_site())]

    assert paths == [
        "/api/v1/appstore/hash",
        "/legacy/api/v1/appstore/hash",
        "/api/v1/appstore/info",
        "/api/v1/applications/info",
        "/api/v1/applications/zeta/chart",
        "/legacy/api/v1/appstore/info",
        "/legacy/api/v1/applications/info",
        "/legacy/api/v1/applications/zeta/chart",
    ]


def test_a_market_without_apps_is_asked_for_its_lists() -> None:
    assert len(probes_of(EMPTY.site())) == 2


def test_a_sound_market_passes() -> None:
    market = Market(sample_site())

    assert [ask(market, "https://m", probe) for probe in probes_of(sample_site())] == [""] * 8


def test_requests_are_those_of_a_device() -> None:
    market = Market(sample_site())
    for probe in probes_of(sample_site()):
        ask(market, "https://m", probe)

    hash_, chart = market.seen[0], market.seen[4]
    assert hash_.url == "https://m/api/v1/appstore/hash?version=1.12.6"
    assert parse_qs(urlsplit(chart.url).query) == {
        "fileName": ["zeta-1000.20000.30000.tgz"],
        "version": ["1000.20000.30000"],
    }
    details = market.seen[3]
    assert details.headers["content-type"] == "application/json"
    assert isinstance(details.body, bytes)
    assert json.loads(details.body).keys() == {"app_ids", "version"}
    for request in market.seen:
        assert request.headers["user-agent"].startswith("go-resty/2.12.0")
        assert request.bearer is None


OTHER = Probe("GET", "/x", b"", "application/json", 2, hashlib.sha256(b"{}").hexdigest())
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Answer(200, JSON, b"[]"), "other content (2 bytes instead of 2)"),
        (Answer(200, JSON, b"{} "), "other content (3 bytes instead of 2)"),
        (Answer(200, {"content-type": "application/json; charset=utf-8"}, b"{}"), "content type"),
        (Answer(200, {}, b"{}"), "content type 'none' instead of 'application/json'"),
        (Answer(204, JSON, b"{}"), "status 204 instead of 200"),
        (Answer(301, {"location": "/y"}, b""), "leads elsewhere (/y)"),
        (Answer(200, {**JSON, "cf-mitigated": "challenge"}, b"{}"), "firewall"),
        (NoAnswerError("timed out", sent=True), "no answer (timed out)"),
    ],
)
def test_a_wrong_answer_is_named_with_its_address(
    wrong: Answer | NoAnswerError, words: str
) -> None:
    fault = ask(Market(sample_site(), wrong={"/x": wrong}), "https://m", OTHER)

    assert fault.startswith("GET https://m/x: ")
    assert words in fault


def test_waiting_ends_when_all_answers_are_right_at_once() -> None:
    market, clock, told = Market(sample_site()), ManualClock(), list[str]()
    probes = probes_of(sample_site())
    late = "/legacy/api/v1/appstore/info"
    market.wrong[late] = Answer(404, {}, b"")

    def tell(fault: str) -> None:
        told.append(fault)
        if clock.now() >= 4:
            market.wrong.clear()

    assert wait_for(market, clock, "https://m", probes, 60, tell) == ""
    assert clock.slept == [2, 2, 2]
    assert all(late in fault for fault in told)
    # The last round asks everything again.
    assert len(market.seen) == 3 * 6 + 8


def test_waiting_ends_in_time() -> None:
    market, clock = Market(EMPTY.site()), ManualClock()

    fault = wait_for(market, clock, "https://m", probes_of(sample_site()), 9, lambda _: None)

    assert "other content" in fault
    assert sum(clock.slept) == 8
