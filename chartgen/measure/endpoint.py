"""What an endpoint says of itself: the models it serves, its engine, its counters."""

from __future__ import annotations

from dataclasses import dataclass

from chartgen.measure.connection import Connection, NoReplyError, Reply
from chartgen.measure.faults import EndpointError, no_reply, not_served, refused
from chartgen.measure.metrics import Drafts, draft_counters, running_requests
from chartgen.measure.smoke_context import stated_limit
from chartgen.measure.stream import error_text
from chartgen.terminal import one_line

_NAME_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as the endpoint lists it; `context` is its context length where that is told."""

    name: str
    context: int | None = None


def served_models(connection: Connection) -> tuple[ServedModel, ...]:
    """Ask which models the endpoint serves.

    Raises EndpointError where it does not answer with a list of models.
    """
    what, url = "the list of models (/v1/models)", connection.address.url
    try:
        reply = connection.get("/v1/models")
    except NoReplyError as error:
        raise no_reply(what, url, error) from None
    check_status(connection, what, reply)
    listed = reply.json()
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise EndpointError(
            f"{url}: {what} is no list of models but {reply.media_type}; give the address of the "
            "OpenAI API: what stands before /v1/chat/completions"
        )
    return tuple(
        ServedModel(one_line(entry["id"])[:_NAME_SHOWN], stated_limit(entry))
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    )


def check_served(connection: Connection, name: str) -> ServedModel:
    """Return the model of that name. Raises EndpointError where it is not served."""
    models = served_models(connection)
    for model in models:
        if model.name == name:
            return model
    raise not_served(name, connection.address.url, tuple(model.name for model in models))


def check_status(connection: Connection, what: str, reply: Reply) -> None:
    """Raise EndpointError for a status other than 200."""
    if reply.status != 200:
        text = connection.redact(error_text(reply.json()))
        raise refused(what, connection.address.url, reply.status, text, reply.seconds)


def engine_version(connection: Connection) -> str:
    """Return engine and version as the endpoint reports them, empty where it does not.

    vLLM has /version, llama.cpp has `build_info` in /props.
    """
    for path, key, title in (
        ("/version", "version", "vLLM"),
        ("/props", "build_info", "llama.cpp"),
    ):
        found = _page(connection, path)
        document = found.json() if found is not None else None
        version = document.get(key) if isinstance(document, dict) else None
        if isinstance(version, str) and version.strip():
            return f"{title} {connection.redact(version)[:100]}"
    return ""


@dataclass(frozen=True, slots=True)
class Counters:
    """What /metrics says: drafts since the start, and requests under way. None where it does not.

    `answered` tells whether there is such a page at all.
    """

    answered: bool
    drafts: Drafts | None = None
    running: int | None = None


def read_counters(connection: Connection) -> Counters:
    """Read the engine's /metrics, where it has one."""
    reply = _page(connection, "/metrics")
    if reply is None:
        return Counters(answered=False)
    text = reply.body.decode("utf-8", "replace")
    return Counters(True, draft_counters(text), running_requests(text))


def _page(connection: Connection, path: str) -> Reply | None:
    """Return a page that an endpoint may lack."""
    try:
        reply = connection.get(path)
    except NoReplyError:
        return None
    return reply if reply.status == 200 else None
