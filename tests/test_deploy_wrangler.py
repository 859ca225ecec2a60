"""What chartgen sends means the same as what wrangler sends, but for the differences named here.

The recordings are of wrangler deploying the same sample (tools/record_wrangler.py).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chartgen.market.deploy.publication import Target
from tests.deploy_recording import recorded
from tests.deploy_sample import DOMAIN, NAME, RUNS
from tests.deploying import publishing

pytestmark = pytest.mark.loopback

RECORDINGS = Path(__file__).parent / "recordings" / "wrangler"
S = "/workers/scripts/market"
UPLOAD = "POST /workers/assets/upload"

# Calls that only one of the two makes, and why.
ONLY_WRANGLER = {
    "GET /workers/services/market": "no documented call; the deployments say as much",
    f"GET {S}/settings": "looks for bindings to set up; a market has none",
    "GET /workers/workers/market": "a call in beta; the documented one is asked",
    f"PATCH {S}/script-settings": "switches logs off; what a person set in the dashboard stays",
    f"POST {S}/domains/changeset": "no documented call",
    f"PUT {S}/domains/records": "no documented call, and takes domains away from other Workers",
}
ONLY_CHARTGEN = {
    f"GET {S}/versions/ID": "who published what is live",
    f"GET {S}/subdomain": "the documented twin of GET /workers/workers/market",
    "GET /workers/domains": "whether the domain is there, or somebody else's",
    "PUT /workers/domains": "the documented way to attach a domain",
}
# Fields that only wrangler sends: they spread an update over the Durable Objects of a Worker.
ONLY_WRANGLER_FIELDS = {"code_update_strategy"}
# Files that wrangler's table of types does not know go up without one, which devices cannot read.
TYPES = {
    "/api/v1/appstore/hash": ("application/null", "application/json"),
    "/api/v1/appstore/info": ("application/null", "application/json"),
    "/charts/one-1.0.0.tgz": ("application/null", "application/gzip"),
    "/charts/one-1.0.1.tgz": ("application/null", "application/gzip"),
    "/charts/one-1.0.2.tgz": ("application/null", "application/gzip"),
    "/icons/one-1a2b3c4d.png": ("image/png", "image/png"),
    "/index.html": ("text/html; charset=utf-8", "text/html; charset=utf-8"),
}


@dataclass(frozen=True)
class Run:
    """The same deployment by both."""

    name: str
    wrangler: list[dict[str, Any]]
    ours: list[dict[str, Any]]

    def calls(self, line: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        both = (self.wrangler, self.ours)
        first, second = ([call for call in calls if call["call"] == line] for calls in both)
        return first, second

    def call(self, line: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The last call of a kind: the one that counts."""
        wrangler, ours = self.calls(line)
        return wrangler[-1], ours[-1]


@pytest.fixture(scope="module")
def ours() -> dict[str, list[dict[str, Any]]]:
    """What chartgen sends in the runs that were recorded of wrangler."""
    found = {}
    with publishing() as publisher:
        for name, (plan, to_domain) in RUNS.items():
            publisher.cloudflare.calls.clear()
            target = Target(NAME, domain=DOMAIN if to_domain else None)
            publisher.publish_plan(plan, target, message=f"sample {name}")
            calls = publisher.cloudflare.calls
            sites = publisher.cloudflare.is_site
            found[name] = [recorded(call) for call in calls if not sites(call.host)]
    return found


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest, ours: dict[str, list[dict[str, Any]]]) -> Run:
    recording = json.loads((RECORDINGS / f"{request.param}.json").read_text())
    return Run(request.param, recording["calls"], ours[request.param])


def test_the_same_calls_are_made_but_for_the_named_ones(run: Run) -> None:
    wrangler = {call["call"] for call in run.wrangler}
    chartgen = {call["call"] for call in run.ours}

    assert wrangler - chartgen <= {*ONLY_WRANGLER, *_reach(run.name)}
    assert chartgen - wrangler <= ONLY_CHARTGEN.keys() | {"GET /workers/subdomain"}


def _reach(name: str) -> set[str]:
    """wrangler sets and asks the addresses each time, chartgen only where they change."""
    return set() if name == "first" else {f"POST {S}/subdomain"}


def test_every_named_difference_is_one(ours: dict[str, list[dict[str, Any]]]) -> None:
    recordings = [json.loads((RECORDINGS / f"{name}.json").read_text()) for name in RUNS]
    wrangler = {call["call"] for recording in recordings for call in recording["calls"]}
    chartgen = {call["call"] for calls in ours.values() for call in calls}

    assert ONLY_WRANGLER.keys() == {line for line in wrangler if line not in chartgen}
    assert ONLY_CHARTGEN.keys() == {line for line in chartgen if line not in wrangler}


def test_what_changes_something_is_done_in_the_same_order(run: Run) -> None:
    def changes(calls: list[dict[str, Any]]) -> list[str]:
        known = [call["call"] for call in calls if call["call"] not in ONLY_WRANGLER]
        lines = [line for line in known if line not in ONLY_CHARTGEN and line[:3] != "GET"]
        return [line for line in lines if line != f"POST {S}/subdomain"]

    assert changes(run.ours) == changes(run.wrangler)


def test_the_same_files_are_announced(run: Run) -> None:
    wrangler, ours = run.call(f"POST {S}/assets-upload-session")

    assert _without_hashes(ours) == _without_hashes(wrangler)
    for call in (wrangler, ours):
        for entry in call["json"]["manifest"].values():
            assert re.fullmatch("[0-9a-f]{32}", entry["hash"])


def _without_hashes(call: dict[str, Any]) -> dict[str, Any]:
    sizes = {path: entry["size"] for path, entry in call["json"]["manifest"].items()}
    return {**call, "json": {"manifest": sizes}}


def test_the_same_files_are_sent_in_the_same_form(run: Run) -> None:
    wrangler, ours = run.calls(UPLOAD)

    assert [_wrapping(call) for call in ours] == [_wrapping(call) for call in wrangler]
    assert _sent(run.ours) == {
        path: (digest, TYPES[path][1]) for path, (digest, _) in _sent(run.wrangler).items()
    }
    for path, (_, kind) in _sent(run.wrangler).items():
        assert kind == TYPES[path][0]


def _wrapping(call: dict[str, Any]) -> dict[str, Any]:
    assert all(part["name"] == part["filename"] for part in call["parts"])
    return {key: value for key, value in call.items() if key != "parts"}


def _sent(calls: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """The digest of what was sent, and the type, for each path."""
    manifest = next(call for call in calls if "manifest" in call.get("json", {}))["json"]
    paths = {entry["hash"]: path for path, entry in manifest["manifest"].items()}
    return {
        paths[part["name"]]: (part["sha256"], part["content_type"])
        for call in calls
        if call["call"] == UPLOAD
        for part in call["parts"]
    }


def test_the_script_and_its_settings_are_the_same(run: Run) -> None:
    line = f"PUT {S}" if run.name == "first" else f"POST {S}/versions"
    wrangler, ours = run.call(line)

    assert _without_metadata(ours) == _without_metadata(wrangler)
    expected = _metadata(wrangler)
    found = _metadata(ours)
    assert expected.keys() - found.keys() <= ONLY_WRANGLER_FIELDS
    tags = [metadata["annotations"].pop("workers/tag") for metadata in (expected, found)]
    assert all(len(tag.encode()) <= 100 for tag in tags)
    assert found == {key: expected[key] for key in expected if key not in ONLY_WRANGLER_FIELDS}


def _metadata(call: dict[str, Any]) -> dict[str, Any]:
    return dict(call["parts"][0]["json"])


def _without_metadata(call: dict[str, Any]) -> dict[str, Any]:
    first, *modules = call["parts"]
    bare = {key: value for key, value in first.items() if key != "json"}
    return {**call, "parts": [bare, *modules]}


def test_the_deployment_is_the_same(run: Run) -> None:
    line = f"POST {S}/deployments"
    if run.name == "first":
        assert run.calls(line) == ([], [])
        return
    wrangler, ours = run.call(line)

    for field in ONLY_WRANGLER_FIELDS:
        del wrangler["json"][field]
    assert ours == wrangler


def test_the_market_is_opened_the_same_way(ours: dict[str, list[dict[str, Any]]]) -> None:
    recording = json.loads((RECORDINGS / "first.json").read_text())
    run = Run("first", recording["calls"], ours["first"])
    wrangler, chartgen = run.call(f"POST {S}/subdomain")

    assert chartgen == wrangler


def test_the_recordings_hold_no_secrets_and_no_paths() -> None:
    for name in RUNS:
        text = (RECORDINGS / f"{name}.json").read_text()
        assert "marker" not in text
        assert "eyJ" not in text
        assert not re.search(r'"/(tmp|home|root|var|Users)/', text)
