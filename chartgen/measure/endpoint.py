"""What an endpoint says of itself: the models it serves, its engine, its counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chartgen.measure.connection import (
    PAGE_LIMITS,
    PAGE_SECONDS,
    Connection,
    Limits,
    NoReplyError,
    Reply,
)
from chartgen.measure.faults import (
    EndpointError,
    no_reply,
    not_served,
    own_words,
    refused,
    without_key,
)
from chartgen.measure.metrics import Drafts, draft_counters, running_requests

# By which names servers state the limit in their list of models: vLLM 0.21.0 and SGLang,
# llama.cpp b11434 (within `meta`), and those that put several models behind one address.
_LIMIT_KEYS = ("max_model_len", "context_length", "max_context_length", "n_ctx")
# Ten times the longest context that a model has had (10M tokens, Llama 4 Scout). Hugging Face's
# tokenizers say int(1e30) where they know of no limit.
MOST_CONTEXT = 10**8
_NAME_SHOWN = 200


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A name of a model, and its context length where the endpoint tells it."""

    name: str
    context: int | None = None


def page_limits(seconds: float) -> Limits:
    """Return the limits of a page that is waited for so many seconds at most."""
    bounded = min(seconds, PAGE_SECONDS)
    return replace(PAGE_LIMITS, silence_seconds=bounded, total_seconds=bounded)


def listed_models(document: Any) -> dict[str, Any] | None:
    """Return the entries of a list of models by name, further names of one (`aliases`) included.

    The names are the server's own words. None for what is no list of models.
    """
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return None
    found: dict[str, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        aliases = entry.get("aliases")
        for name in (entry.get("id"), *(aliases if isinstance(aliases, list) else ())):
            if isinstance(name, str):
                found.setdefault(name, entry)
    return found


def stated_limit(entry: Any) -> int | None:
    """Return the context length in tokens that an entry of a list of models states.

    One that no model has counts as not stated.
    """
    if not isinstance(entry, dict):
        return None
    meta = entry.get("meta")
    for place in (entry, meta if isinstance(meta, dict) else {}):
        for key in _LIMIT_KEYS:
            value = place.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_CONTEXT:
                return value
    return None


def check_served(connection: Connection, name: str) -> ServedModel:
    """Return the model of that name. Raises EndpointError where it is not served."""
    url = connection.address.url
    with without_key(connection):
        listed = _listed(connection)
        if not listed:
            raise EndpointError(
                f"{url}: serves no model at all; let the engine load one, or give the address of "
                "the right app"
            )
        entry = entry_of(connection, listed, name)
        if entry is None:
            names = tuple(connection.redact(other)[:_NAME_SHOWN] for other in listed)
            raise not_served(connection.redact(name), url, names)
    return ServedModel(name, stated_limit(entry))


def entry_of(connection: Connection, listed: Mapping[str, Any], name: str) -> Any:
    """Return the entry of a model in a list by name, None where there is none.

    A connection takes the key out of all that comes, so names that hold it by chance are compared
    without it.
    """
    asked = connection.redact(name)
    return next(
        (found for other, found in listed.items() if connection.redact(other) == asked), None
    )


def _listed(connection: Connection) -> dict[str, Any]:
    what, url = "the list of models (/v1/models)", connection.address.url
    try:
        reply = connection.get("/v1/models")
    except NoReplyError as error:
        raise no_reply(what, url, error) from None
    check_status(connection, what, reply)
    listed = listed_models(reply.json())
    if listed is None:
        raise EndpointError(
            f"{url}: {what} is no list of models but {reply.media_type}; give the address of the "
            "OpenAI API: what stands before /v1/chat/completions"
        )
    return listed


def check_status(connection: Connection, what: str, reply: Reply) -> None:
    """Raise EndpointError for a status other than 200."""
    if reply.status != 200:
        text = own_words(connection, reply)
        raise refused(what, connection.address.url, reply.status, text, reply.seconds)


def engine_version(connection: Connection, seconds: float = PAGE_SECONDS) -> str:
    """Return engine and version as the endpoint reports them, empty where it does not.

    vLLM has /version, llama.cpp has `build_info` in /props. `seconds` is how long a page may
    take; after one that never ends the next is not asked for.
    """
    for path, key, title in (
        ("/version", "version", "vLLM"),
        ("/props", "build_info", "llama.cpp"),
    ):
        try:
            reply = connection.get(path, page_limits(seconds))
        except NoReplyError as error:
            if error.trouble.kind in ("stalled", "endless"):
                return ""
            continue
        document = reply.json() if reply.status == 200 else None
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
    try:
        reply = connection.get("/metrics")
    except NoReplyError:
        return Counters(answered=False)
    if reply.status != 200:
        return Counters(answered=False)
    text = reply.body.decode("utf-8", "replace")
    return Counters(True, draft_counters(text), running_requests(text))
