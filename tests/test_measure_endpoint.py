"""What an endpoint says of itself is read for what it is, whatever it says."""

from __future__ import annotations

import json
import time

import pytest

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import read_endpoint
from chartgen.measure.connection import Connection
from chartgen.measure.endpoint import (
    ServedModel,
    check_served,
    engine_version,
    page_limits,
)
from chartgen.measure.faults import EndpointError
from tests.hanging import hanging
from tests.scripted_engine import ScriptedEngine

pytestmark = pytest.mark.loopback
KEY = "sekret-key-0123456789abcdef"


def listing(*entries: object) -> ScriptedEngine:
    """Return an endpoint with a list of models."""
    listed = json.dumps({"object": "list", "data": entries})
    return ScriptedEngine(pages={"/v1/models": (200, listed)})


def refusing(body: str) -> ScriptedEngine:
    """Return an endpoint whose list of models is an error."""
    return ScriptedEngine(pages={"/v1/models": (500, body)})


def connected(engine: ScriptedEngine) -> Connection:
    return Connection(read_endpoint(engine.url), Secret(KEY))


@pytest.mark.parametrize("name", ["main.gguf", "tiny", "small"])
def test_model_is_served_under_each_of_its_names(name: str) -> None:
    entry = {"id": "main.gguf", "aliases": ["tiny", "small", 5], "meta": {"n_ctx": 4096}}
    with listing(entry) as engine:
        assert check_served(connected(engine), name) == ServedModel(name, 4096)


def test_entries_that_are_none_are_left_out() -> None:
    with listing(None, 5, "x", {"id": None}, {"name": "y"}, {"id": "z", "aliases": "ab"}) as engine:
        assert check_served(connected(engine), "z") == ServedModel("z")
        with pytest.raises(EndpointError, match="only z; "):
            check_served(connected(engine), "tiny")


@pytest.mark.parametrize(
    ("stated", "context"),
    [
        ({"max_model_len": 10**8}, 10**8),
        ({"max_model_len": 10**8 + 1}, None),
        ({"max_model_len": int(1e30)}, None),
        ({"max_model_len": int(1e30), "meta": {"n_ctx": 2048}}, 2048),
        ({"max_model_len": -5}, None),
        ({"max_model_len": True}, None),
        ({"max_model_len": "4096"}, None),
    ],
)
def test_context_that_no_model_has_is_not_stated(
    stated: dict[str, object], context: int | None
) -> None:
    with listing({"id": "tiny", **stated}) as engine:
        assert check_served(connected(engine), "tiny").context == context


@pytest.mark.parametrize("model", ["small/app-of-eight", "s" * 300])
@pytest.mark.parametrize("key", ["s", "small", "small/app", "app-of-eight", "small/app-of-eight"])
def test_key_that_is_part_of_a_name_changes_no_model(key: str, model: str) -> None:
    with listing({"id": "other"}, {"id": model, "max_model_len": 4096}) as engine:
        connection = Connection(read_endpoint(engine.url), Secret(key))
        assert check_served(connection, model) == ServedModel(model, 4096)
        with pytest.raises(EndpointError, match="only other, "):
            check_served(connection, "small/app-of-nine")


def test_no_model_at_all() -> None:
    assert "serves no model at all; " in fault(listing())


def fault(engine: ScriptedEngine) -> str:
    """Return what is said of an endpoint that does not serve a model."""
    with engine, pytest.raises(EndpointError) as raised:
        check_served(connected(engine), "tiny")
    return str(raised.value)


@pytest.mark.parametrize("before", [0, 190])
def test_key_that_an_endpoint_repeats_is_not_shown(before: int) -> None:
    name = "p" * before + KEY
    escaped = "".join(f"\\u{ord(character):04x}" for character in name)
    refusal = '{"error": {"message": "' + escaped + '"}}'
    pages = {"/version": (200, json.dumps({"version": "p" * (before // 2) + KEY}))}
    with ScriptedEngine(pages=pages) as engine:
        version = engine_version(connected(engine))
    listed, refused = fault(listing({"id": name})), fault(refusing(refusal))
    for shown in (listed, refused, version):
        assert "[s" in shown
        assert KEY[:6] not in shown


def test_version_is_waited_for_once() -> None:
    with hanging() as url:
        began = time.monotonic()
        assert engine_version(Connection(read_endpoint(url)), 2.0) == ""
        assert 1.5 < time.monotonic() - began < 3.5


@pytest.mark.parametrize(("seconds", "waited"), [(3.0, 3.0), (300.0, 30.0)])
def test_page_is_waited_for_no_longer_than_any(seconds: float, waited: float) -> None:
    limits = page_limits(seconds)
    assert (limits.silence_seconds, limits.total_seconds) == (waited, waited)
