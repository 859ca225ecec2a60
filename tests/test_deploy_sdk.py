"""The JSON that is sent fits the types of Cloudflare's own Python library.

The library is 105 MB and needed nowhere else, so it is no requirement: pip install cloudflare.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import pytest
from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import get_type_hints, is_typeddict

from chartgen.market.deploy.publication import Target
from tests.cloudflare_stub import ACCOUNT, Cloudflare
from tests.deploy_sample import DOMAIN, NAME, RUNS
from tests.deploying import publishing

pytest.importorskip("cloudflare", reason="Cloudflare's Python library is not installed")

from cloudflare.types import workers
from cloudflare.types.workers import script_update_params, scripts
from cloudflare.types.workers.scripts import assets

pytestmark = pytest.mark.loopback

S = "/workers/scripts/market"
# The type of a version's metadata (version_create_params) lacks `assets`, which wrangler sends
# there all the same; that of a script has it.
METADATA = script_update_params.Metadata
BODIES = {
    f"POST {S}/assets-upload-session": assets.UploadCreateParams,
    f"POST {S}/deployments": scripts.DeploymentCreateParams,
    f"POST {S}/subdomain": scripts.SubdomainCreateParams,
    "PUT /workers/domains": workers.DomainUpdateParams,
    "PUT /workers/subdomain": workers.SubdomainUpdateParams,
    f"PUT {S}": METADATA,
    f"POST {S}/versions": METADATA,
}
# VersionCreateResponse is missing: it holds a class that pydantic cannot describe.
ANSWERS: dict[str, Any] = {
    "GET /workers/subdomain": workers.SubdomainGetResponse,
    "GET /workers/domains": list[workers.DomainListResponse],
    "PUT /workers/domains": workers.DomainUpdateResponse,
    f"PUT {S}": workers.ScriptUpdateResponse,
    f"POST {S}/assets-upload-session": assets.UploadCreateResponse,
    f"GET {S}/deployments": scripts.DeploymentListResponse,
    f"POST {S}/deployments": scripts.Deployment,
    f"GET {S}/subdomain": scripts.SubdomainGetResponse,
    f"POST {S}/subdomain": scripts.SubdomainCreateResponse,
}
# The library's names for keys that are no Python names.
NAMES = {"workers/message": "workers_message", "workers/tag": "workers_tag"}


def forbid_extras(kind: Any, seen: set[Any]) -> None:
    """Make a TypedDict, and all that it is made of, refuse keys that it does not know."""
    if kind in seen:
        return
    seen.add(kind)
    if is_typeddict(kind):
        kind.__pydantic_config__ = ConfigDict(extra="forbid")
        for hint in get_type_hints(kind, include_extras=True).values():
            forbid_extras(hint, seen)
    for inner in get_args(kind):
        if not isinstance(inner, (str, bytes, bool, int)):
            forbid_extras(inner, seen)


def check(kind: Any, value: Mapping[str, Any]) -> None:
    """Raise ValidationError for a body that the library's type does not describe."""
    forbid_extras(kind, set())
    unroll(TypeAdapter(kind).validate_python(named(value)))


def unroll(value: Any) -> None:
    """Walk through everything: what is declared as iterable is checked only then."""
    if isinstance(value, Mapping):
        for inner in value.values():
            unroll(inner)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for inner in value:
            unroll(inner)


def named(value: Any) -> Any:
    if isinstance(value, dict):
        return {NAMES.get(key, key): named(inner) for key, inner in value.items()}
    return [named(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def cloudflare() -> Cloudflare:
    with publishing() as publisher:
        publisher.cloudflare.subdomain = None
        for plan, to_domain in RUNS.values():
            target = Target(NAME, DOMAIN if to_domain else None, "example.com", "acme")
            publisher.publish_plan(plan, target)
        return publisher.cloudflare


@pytest.mark.parametrize("line", BODIES)
def test_every_body_is_of_its_type(cloudflare: Cloudflare, line: str) -> None:
    found = [call for call in cloudflare.calls if call.line == line]

    assert found
    for call in found:
        if BODIES[line] is METADATA:
            check(METADATA, json.loads(call.parts[0].data))
        else:
            check(BODIES[line], {"account_id": ACCOUNT, **call.json})


@pytest.mark.parametrize(
    "wrong",
    [
        {"main_modul": "worker.js"},
        {"bindings": [{"type": "asset", "name": "ASSETS"}]},
        {"bindings": [{"type": "assets"}]},
        {"assets": {"config": {"html_handling": "never"}}},
        {"assets": {"config": {"_header": ""}}},
        {"annotations": {"workers/messages": ""}},
        {"keep_bindings": "secret_text"},
    ],
)
def test_a_body_of_another_type_would_be_noticed(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, TypeError)):
        check(METADATA, wrong)


@pytest.mark.parametrize("line", ANSWERS)
def test_the_stub_answers_what_the_library_would_read(cloudflare: Cloudflare, line: str) -> None:
    call = next(call for call in reversed(cloudflare.calls) if call.line == line)

    reply = cloudflare.answer(call)

    assert reply.status == 200
    TypeAdapter(ANSWERS[line]).validate_python(json.loads(reply.body)["result"])
