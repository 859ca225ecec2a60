"""Publishing to Cloudflare: the calls in their order, and what devices see at every moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chartgen.errors import RefusedError, RemoteError
from chartgen.market.deploy.assets import Sent
from chartgen.market.deploy.outline import outline
from chartgen.market.deploy.plan import build_plan, digest_of, market_script, origin_of
from chartgen.market.deploy.publication import Target
from tests.cloudflare_stub import Act, Call, Handler, Reply, drops, status
from tests.deploy_sample import NAME, sample_plan
from tests.deploying import ORIGIN, Publisher, publishing
from tests.market_worker import market_worker
from tests.markets import EMPTY, sample_site

pytestmark = pytest.mark.loopback

PUBLIC = "market.acme.workers.dev"
DOMAIN = "market.example.com"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as found:
        yield found


@pytest.fixture
def published(publisher: Publisher) -> Publisher:
    """Somebody who has published version 1.0.0."""
    publisher.publish("1.0.0")
    publisher.cloudflare.calls.clear()
    publisher.steps.clear()
    publisher.clock.slept.clear()
    return publisher


def served(publisher: Publisher, host: str = PUBLIC) -> str | None:
    """The hash that devices get just now."""
    call = Call("GET", host, "/api/v1/appstore/hash", {}, {}, b"")
    reply = publisher.cloudflare.visit(call)
    return json.loads(reply.body)["hash"] if reply.status == 200 else None


def test_the_first_time_the_worker_is_made_checked_and_only_then_opened(
    publisher: Publisher,
) -> None:
    deployed = publisher.publish("1.0.0")

    worker = publisher.cloudflare.workers[NAME]
    assert deployed.url == f"https://{PUBLIC}"
    assert deployed.version_id == worker.live
    assert (deployed.former_version_id, deployed.changed) == (None, True)
    assert publisher.cloudflare.lines == [
        "GET /workers/subdomain",
        "GET /workers/scripts/market/deployments",
        "POST /workers/scripts/market/assets-upload-session",
        "POST /workers/assets/upload",
        "POST /workers/assets/upload",
        "POST /workers/assets/upload",
        "GET /workers/scripts/market/deployments",
        "PUT /workers/scripts/market",
        "GET /workers/scripts/market/deployments",
        "GET /workers/scripts/market/subdomain",
        "POST /workers/scripts/market/subdomain",
        "POST /workers/scripts/market/subdomain",
    ]
    closed, opened = (
        call.json
        for call in publisher.cloudflare.calls
        if call.line == "POST /workers/scripts/market/subdomain"
    )
    assert closed == {"enabled": False, "previews_enabled": True}
    assert opened == {"enabled": True, "previews_enabled": True}
    assert publisher.clock.slept == []


def test_every_address_is_asked_for_hash_list_details_and_chart(publisher: Publisher) -> None:
    deployed = publisher.publish("1.0.0")

    asked = [
        "GET {}/api/v1/appstore/hash",
        "GET {}/api/v1/appstore/info",
        "POST {}/api/v1/applications/info",
        "GET {}/api/v1/applications/one/chart",
    ]
    own = f"{deployed.version_id[:8]}-{PUBLIC}"
    assert publisher.cloudflare.visits == [
        line.format(host) for host in (own, PUBLIC) for line in asked
    ]


def test_files_are_served_with_the_types_that_devices_need(publisher: Publisher) -> None:
    publisher.publish("1.0.0")

    kinds = {
        path: publisher.cloudflare.visit(Call("GET", PUBLIC, path, {}, {}, b"")).headers
        for path in ("/api/v1/appstore/info", "/charts/one-1.0.0.tgz", "/index.html")
    }
    assert [headers["Content-Type"] for headers in kinds.values()] == [
        "application/json",
        "application/gzip",
        "text/html; charset=utf-8",
    ]


def test_later_only_new_files_are_sent_and_all_traffic_moves_in_one_step(
    published: Publisher,
) -> None:
    before = published.cloudflare.workers[NAME].live

    deployed = published.publish("1.0.1")

    assert published.cloudflare.lines == [
        "GET /workers/subdomain",
        "GET /workers/scripts/market/deployments",
        f"GET /workers/scripts/market/versions/{before}",
        "POST /workers/scripts/market/assets-upload-session",
        "POST /workers/assets/upload",
        "POST /workers/assets/upload",
        "POST /workers/scripts/market/versions",
        "GET /workers/scripts/market/subdomain",
        "GET /workers/scripts/market/deployments",
        "POST /workers/scripts/market/deployments",
    ]
    # Hash, list and chart; the icon and the page are there.
    assert deployed.sent.files == 3
    assert deployed.former_version_id == before
    assert published.cloudflare.calls[-5].json["versions"] == [
        {"version_id": deployed.version_id, "percentage": 100}
    ]
    assert served(published) == "1.0.1"


def test_the_same_again_uploads_and_deploys_nothing(published: Publisher) -> None:
    deployed = published.publish("1.0.0")

    assert not deployed.changed
    assert deployed.sent == Sent(0, 0)
    assert {line.split()[0] for line in published.cloudflare.lines} == {"GET"}
    assert len(published.cloudflare.visits) == 8


def test_a_whole_market_is_published_with_its_own_worker(publisher: Publisher) -> None:
    site = sample_site()
    publisher.cloudflare.script = market_worker(publisher.cloudflare)

    deployed = publisher.publish_plan(build_plan(site, market_script(site)))

    assert deployed.sent.files == len(
        {file.sha256 + file.content_type for file in site.files.values()}
    )
    modules = publisher.cloudflare.workers[NAME].versions[0].modules
    assert sorted(modules) == ["data.js", "texts.bin", "worker.js"]
    bases = {line.split(PUBLIC)[1].split("/api")[0] for line in publisher.cloudflare.visits}
    assert bases == {"", "/legacy"}


def test_a_market_without_apps_is_published(publisher: Publisher) -> None:
    site = EMPTY.site()

    assert publisher.publish_plan(build_plan(site, market_script(site))).changed


def test_the_tag_says_what_a_version_is_and_what_it_was_made_from(published: Publisher) -> None:
    tag = published.cloudflare.workers[NAME].versions[0].metadata["annotations"]["workers/tag"]

    assert digest_of(tag) == sample_plan("1.0.0").digest
    assert origin_of(tag) == ORIGIN
    assert len(tag.encode()) <= 100


def test_progress_counts_bytes_and_names_what_is_done(publisher: Publisher) -> None:
    publisher.publish("1.0.0")

    sending = [step for step in publisher.steps if step.total]
    assert [step.done for step in sending] == sorted(step.done for step in sending)
    assert sending[-1].done == sending[-1].total == publisher.cloudflare.assets_bytes()
    texts = " ".join(step.text for step in publisher.steps)
    assert "uploading the Worker" in texts
    assert f"opening https://{PUBLIC}" in texts


# Whose market it is --------------------------------------------------------------------------


def test_what_somebody_else_published_is_not_replaced(published: Publisher) -> None:
    with pytest.raises(RefusedError, match=r"not published from here.*--force"):
        published.publish("1.0.1", origin="a1" * 32)

    assert served(published) == "1.0.0"
    assert all(line.startswith("GET") for line in published.cloudflare.lines)


@pytest.mark.parametrize("known", ["origin", "version", "force"])
def test_what_is_known_or_forced_is_replaced(published: Publisher, known: str) -> None:
    options: dict[str, dict[str, Any]] = {
        "origin": {"known_origins": [ORIGIN]},
        "version": {"known_versions": [published.cloudflare.workers[NAME].live]},
        "force": {"force": True},
    }

    published.publish("1.0.1", origin="a1" * 32, **options[known])

    assert served(published) == "1.0.1"


def test_a_version_of_another_tool_is_somebody_elses(published: Publisher) -> None:
    version = published.cloudflare.workers[NAME].versions[0]
    version.metadata["annotations"] = {"workers/message": "by hand"}

    with pytest.raises(RefusedError, match="by hand"):
        published.publish("1.0.1")


def test_two_versions_at_once_are_not_replaced_unasked(published: Publisher) -> None:
    published.publish("1.0.1")
    old, new = published.cloudflare.workers[NAME].versions
    published.cloudflare.workers[NAME].deployments[0]["versions"] = [
        {"version_id": old.id, "percentage": 10},
        {"version_id": new.id, "percentage": 90},
    ]

    with pytest.raises(RefusedError, match="two versions share the traffic"):
        published.publish("1.0.1")
    published.publish("1.0.1", force=True)

    assert [share["percentage"] for share in _shares(published)] == [100]


def test_who_deploys_meanwhile_is_not_overrun(published: Publisher) -> None:
    other = published.cloudflare.workers[NAME].versions[0].id

    def deploys(handler: Handler, reply: Reply) -> None:
        published.cloudflare.deploy(NAME, other, {})
        handler.say(reply)

    published.cloudflare.fail("POST", "/versions$", deploys, after=True)

    with pytest.raises(RefusedError, match="somebody else deployed meanwhile"):
        published.publish("1.0.1")

    assert served(published) == "1.0.0"


@pytest.mark.parametrize("turned_away", [status(409), status(400, 10035), drops])
def test_who_deploys_while_our_deployment_fails_is_not_overrun(
    published: Publisher, turned_away: Act
) -> None:
    other = published.cloudflare.workers[NAME].versions[0].id

    def deploys(handler: Handler, reply: Reply) -> None:
        published.cloudflare.deploy(NAME, other, {})
        turned_away(handler, reply)

    published.cloudflare.fail("POST", "/deployments$", deploys)

    with pytest.raises(RefusedError, match="somebody else deployed meanwhile"):
        published.publish("1.0.1")

    assert served(published) == "1.0.0"


def test_who_creates_the_worker_meanwhile_is_not_overrun(publisher: Publisher) -> None:
    other = Publisher(publisher.cloudflare, sites=publisher.sites)

    def publishes(handler: Handler, reply: Reply) -> None:
        other.publish("2.0.0", origin="b2" * 32)
        handler.say(reply)

    publisher.cloudflare.fail("POST", "/assets-upload-session$", publishes, after=True)

    with pytest.raises(RefusedError, match="somebody else deployed meanwhile"):
        publisher.publish("1.0.0")

    assert served(publisher) == "2.0.0"


def _shares(publisher: Publisher) -> list[dict[str, object]]:
    return list(publisher.cloudflare.workers[NAME].deployments[0]["versions"])


# Checking and going back ---------------------------------------------------------------------


def test_a_version_that_answers_wrongly_is_never_deployed(published: Publisher) -> None:
    published.cloudflare.script = lambda version, call: Reply(500)

    with pytest.raises(RemoteError, match=r"not put in front of devices.*status 500"):
        published.publish("1.0.1")

    assert served(published) == "1.0.0"
    assert not any(
        line.startswith("POST") and "/deployments" in line for line in published.cloudflare.lines
    )


def test_a_first_version_that_answers_wrongly_is_never_opened(publisher: Publisher) -> None:
    publisher.cloudflare.script = lambda version, call: Reply(500)

    with pytest.raises(RemoteError, match="status 500"):
        publisher.publish("1.0.0")

    assert not publisher.cloudflare.workers[NAME].enabled
    publisher.cloudflare.script = publisher.run
    assert publisher.publish("1.0.0").url == f"https://{PUBLIC}"
    assert served(publisher) == "1.0.0"


def test_a_deployment_that_takes_its_time_is_waited_for(published: Publisher) -> None:
    published.cloudflare.stale_answers = 5

    published.publish("1.0.1")

    assert published.clock.slept == [2.0] * 5
    assert any("other content" in step.text and step.ongoing for step in published.steps)


def test_a_deployment_that_never_arrives_is_taken_back(published: Publisher) -> None:
    before = published.cloudflare.workers[NAME].live
    # Every visit that a wait of two minutes has room for.
    published.cloudflare.stale_answers = 61

    with pytest.raises(RemoteError) as caught:
        published.publish("1.0.1")

    assert f"The version from before ({before}) is deployed again" in str(caught.value)
    assert "other content" in str(caught.value)
    assert sum(published.clock.slept) == 120
    assert served(published) == "1.0.0"
    back = published.cloudflare.calls[-1]
    assert (back.line, back.query) == (
        "POST /workers/scripts/market/deployments",
        {"force": "true"},
    )


def test_the_same_command_finishes_after_a_deployment_was_taken_back(
    published: Publisher,
) -> None:
    published.cloudflare.stale_answers = 61
    with pytest.raises(RemoteError):
        published.publish("1.0.1")

    published.publish("1.0.1")

    assert served(published) == "1.0.1"


def test_what_cannot_be_taken_back_is_said(published: Publisher) -> None:
    before = published.cloudflare.workers[NAME].live
    published.cloudflare.stale_answers = 61
    published.cloudflare.fail("POST", "/versions$", _then_forbids(published), after=True)

    with pytest.raises(RemoteError) as caught:
        published.publish("1.0.1")

    assert "could not be deployed again" in str(caught.value)
    assert f"deploy version {before} of market in the dashboard" in str(caught.value)


def _then_forbids(publisher: Publisher) -> Act:
    def act(handler: Handler, reply: Reply) -> None:
        # The deployment itself goes through; the next one, which takes it back, does not.
        forbidden = status(403, 10000, "Authentication error")
        publisher.cloudflare.fail("POST", "/deployments$", lambda h, r: h.say(r), 1, after=True)
        publisher.cloudflare.fail("POST", "/deployments$", forbidden, 99)
        handler.say(reply)

    return act


def test_a_market_that_somebody_replaces_while_it_is_awaited_is_left_alone(
    published: Publisher,
) -> None:
    other = published.cloudflare.workers[NAME].versions[0].id

    def deploys(handler: Handler, reply: Reply) -> None:
        published.cloudflare.deploy(NAME, other, {})
        handler.say(reply)

    published.cloudflare.fail("GET", f"^{PUBLIC}/api/v1/appstore/hash", deploys, after=True)

    with pytest.raises(RemoteError, match=f"Somebody else deployed meanwhile: version {other}"):
        published.publish("1.0.1")

    assert published.cloudflare.workers[NAME].live == other


def test_without_the_check_no_version_address_is_opened_or_asked(publisher: Publisher) -> None:
    publisher.publish("1.0.0", Target(NAME, check_first=False))

    assert not publisher.cloudflare.workers[NAME].previews
    assert {line.split()[1].split("/")[0] for line in publisher.cloudflare.visits} == {PUBLIC}


# Names ---------------------------------------------------------------------------------------


def test_a_domain_is_attached_once_and_workers_dev_stays_closed(publisher: Publisher) -> None:
    target = Target(NAME, domain=DOMAIN, zone="example.com")

    deployed = publisher.publish("1.0.0", target)

    attached = publisher.cloudflare.lines.count("PUT /workers/domains")
    publisher.publish("1.0.1", target)
    assert deployed.url == f"https://{DOMAIN}"
    assert served(publisher, DOMAIN) == "1.0.1"
    assert not publisher.cloudflare.workers[NAME].enabled
    assert (attached, publisher.cloudflare.lines.count("PUT /workers/domains")) == (1, 1)


def test_a_domain_added_later_leaves_the_old_address_to_devices(published: Publisher) -> None:
    published.publish("1.0.1", Target(NAME, domain=DOMAIN))

    assert (served(published), served(published, DOMAIN)) == ("1.0.1", "1.0.1")


def test_a_domain_of_another_worker_is_refused_before_anything_is_sent(
    publisher: Publisher,
) -> None:
    publisher.cloudflare.domains[DOMAIN] = "blog"

    with pytest.raises(RefusedError, match="leads to the Worker 'blog'"):
        publisher.publish("1.0.0", Target(NAME, domain=DOMAIN))

    assert all(line.startswith("GET") for line in publisher.cloudflare.lines)


def test_a_domain_that_cannot_be_attached_is_explained(publisher: Publisher) -> None:
    publisher.cloudflare.fail("PUT", "/domains$", status(400, 100117, "has existing DNS records"))

    with pytest.raises(RemoteError, match=r"has existing DNS records.*delete them in the zone"):
        publisher.publish("1.0.0", Target(NAME, domain=DOMAIN))


def test_an_account_without_a_name_is_told_where_to_get_one(publisher: Publisher) -> None:
    publisher.cloudflare.subdomain = None

    with pytest.raises(RefusedError, match=r"no workers\.dev name yet"):
        publisher.publish("1.0.0")

    assert publisher.cloudflare.lines == ["GET /workers/subdomain"]


def test_an_account_without_a_name_gets_the_one_that_was_asked_for(publisher: Publisher) -> None:
    publisher.cloudflare.subdomain = None

    deployed = publisher.publish("1.0.0", Target(NAME, account_name="bakery"))

    assert deployed.url == "https://market.bakery.workers.dev"
    assert served(publisher, "market.bakery.workers.dev") == "1.0.0"


def may_not_read_the_name(publisher: Publisher) -> None:
    forbidden = status(403, 10000, "Authentication error")
    publisher.cloudflare.fail("GET", "/workers/subdomain$", forbidden, 99)


def test_a_token_for_one_worker_publishes_to_a_domain(publisher: Publisher) -> None:
    may_not_read_the_name(publisher)

    publisher.publish("1.0.0", Target(NAME, domain=DOMAIN))

    assert served(publisher, DOMAIN) == "1.0.0"
    assert any("not checked before" in step.text for step in publisher.steps)
    assert not publisher.cloudflare.workers[NAME].previews


def test_a_token_for_one_worker_publishes_where_the_name_is_given(publisher: Publisher) -> None:
    may_not_read_the_name(publisher)

    publisher.publish("1.0.0", Target(NAME, account_name="acme"))

    assert served(publisher) == "1.0.0"
    assert len(publisher.cloudflare.visits) == 8


def test_a_token_that_may_not_read_the_name_needs_one_of_both(publisher: Publisher) -> None:
    may_not_read_the_name(publisher)

    with pytest.raises(RemoteError, match="code 10000"):
        publisher.publish("1.0.0")

    assert publisher.cloudflare.workers == {}


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "Market"},
        {"name": "-market"},
        {"name": "a/../b"},
        {"name": "a" * 55},
        {"name": "market", "domain": "https://market.example.com"},
        {"name": "market", "domain": "localhost"},
        {"name": "market", "zone": "example.com/x"},
        {"name": "market", "account_name": "a.b"},
    ],
)
def test_names_that_are_none_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        Target(**given)


def test_a_market_without_releases_is_nobodys_loss(publisher: Publisher) -> None:
    publisher.publish("1.0.0", origin="")

    publisher.publish("1.0.1", origin="a1" * 32)

    assert served(publisher) == "1.0.1"
    with pytest.raises(RefusedError, match="not published from here"):
        publisher.publish("1.0.0", origin="")


@pytest.mark.parametrize("origin", ["a" * 68, "a.b", "a b", "ä"])
def test_an_origin_that_no_tag_carries_is_refused(publisher: Publisher, origin: str) -> None:
    with pytest.raises(RefusedError, match="origin"):
        publisher.publish("1.0.0", origin=origin)


# Without asking anybody ----------------------------------------------------------------------


@pytest.mark.parametrize("domain", [None, DOMAIN])
def test_the_outline_names_every_call_that_is_made(
    publisher: Publisher, domain: str | None
) -> None:
    target = Target(NAME, domain=domain)
    planned = outline(sample_plan("1.0.0"), target)

    publisher.publish("1.0.0", target)
    publisher.publish("1.0.1", target)

    made = {_shortened(line) for line in publisher.cloudflare.lines}
    told = {_shortened(f"{call.method} {call.path}") for call in planned.calls}
    assert told == made
    assert (planned.files, planned.different_files, planned.modules) == (5, 5, 3)
    assert planned.file_bytes == 154


def _shortened(line: str) -> str:
    line = line.partition("?")[0]
    head, mark, _ = line.partition("/versions/")
    return f"{head}{mark}"
