"""A smoke test: whether a running app does what its spec claims, one short check at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from chartgen.evidence.record import Check
from chartgen.measure.connection import Connection, NoReplyError, Reply
from chartgen.measure.faults import no_reply, refused
from chartgen.measure.smoke_asking import ANSWER_TOKENS, Asking, CheckFailedError
from chartgen.measure.smoke_chat import check_streaming, check_text, check_tools, check_vision
from chartgen.measure.smoke_claims import Claim, Claims
from chartgen.measure.smoke_context import check_context, check_long, stated_limit
from chartgen.measure.smoke_media import check_embedding, check_speech
from chartgen.measure.stream import error_text
from chartgen.terminal import shortened

MODELS = "/v1/models"
_LIST = f"the list of models ({MODELS})"
_DETAIL_LIMIT = 500
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Done:
    """A check that is done. `broken` where it failed for want of any whole answer.

    A test with a broken check tells of a connection rather than of a release.
    """

    check: Check
    broken: bool = False


@dataclass(frozen=True, slots=True)
class _Served:
    """What the list of models says: the name to ask for, and its stated limit in tokens."""

    model: str
    limit: int | None


def smoke(
    connection: Connection, claims: Claims, *, seconds: float, long: bool = False
) -> Iterator[Done]:
    """Run the checks that a spec's claims ask for, and yield each when it is done.

    `seconds` bounds each request. `long` adds a prompt that nearly fills the context. What is not
    checked is yielded, too, with the reason. Raises EndpointError where no endpoint answers, or it
    lets nobody in.
    """
    asking = Asking(connection, claims.served_name or "", seconds)
    _reach(connection)
    yield from _health(asking, claims)
    done, served = _models(asking, claims)
    yield done
    plan = _plan(claims, served, long=long)
    if done.check.outcome == "failed":
        reason = "there is no model of this app to ask"
        yield from (Done(Check(name, "skipped", reason)) for name, _, _ in plan)
        return
    limit = claims.context or served.limit
    tokens = min(ANSWER_TOKENS, limit // 4) if limit else ANSWER_TOKENS
    asking = replace(asking, model=served.model, answer_tokens=max(tokens, 1))
    gone = False
    for name, claim, check in plan:
        if not claim.holds:
            yield Done(Check(name, "skipped", claim.because))
        elif gone:
            yield Done(Check(name, "skipped", "the endpoint answers no more"))
        else:
            one = _run(name, partial(check, asking))
            gone = one.broken and not _answers(connection)
            yield one


def tells_of_release(done: Sequence[Done]) -> bool:
    """Tell whether a test may be kept: the app's model was there, and every answer came whole."""
    return not any(
        one.broken or (one.check.name == "models" and one.check.outcome == "failed") for one in done
    )


def _plan(
    claims: Claims, served: _Served, *, long: bool
) -> tuple[tuple[str, Claim, Callable[[Asking], str]], ...]:
    limit = claims.context or served.limit
    chat = _told(claims.chat)
    context = chat
    if context.holds and limit is None:
        context = Claim(False, "neither the spec nor the server states a context length")
    wanted = context if long else Claim(False, "not asked for; --long asks for it")
    return (
        ("text", chat, check_text),
        ("streaming", chat, check_streaming),
        ("vision", _told(claims.vision), check_vision),
        ("tools", _told(claims.tools), check_tools),
        ("context", context, lambda asking: check_context(asking, claims.context, served.limit)),
        ("long", wanted, lambda asking: check_long(asking, limit or 0)),
        ("embedding", _told(claims.embedding), check_embedding),
        ("speech", _told(claims.speech), check_speech),
    )


def _told(claim: Claim) -> Claim:
    """Return a claim that says of itself whether it is one."""
    return claim if claim.holds else Claim(False, f"not claimed: {claim.because}")


def _run(name: str, check: Callable[[], str]) -> Done:
    try:
        return Done(_check(name, "passed", check()))
    except CheckFailedError as error:
        return Done(_check(name, "failed", error.detail), error.broken)


def _check(name: str, outcome: Literal["passed", "failed"], detail: str) -> Check:
    short = shortened(detail, _DETAIL_LIMIT)
    return Check(name, outcome, short)


def _reach(connection: Connection) -> None:
    """Raise EndpointError where nothing answers, or nobody is let in."""
    url = connection.address.url
    try:
        reply = connection.get(MODELS)
    except NoReplyError as error:
        raise no_reply(_LIST, url, error) from None
    if reply.status in (401, 403) or 300 <= reply.status < 400:
        text = connection.redact(error_text(reply.json()))
        raise refused(_LIST, url, reply.status, text, reply.seconds)


def _answers(connection: Connection) -> bool:
    try:
        connection.get(MODELS)
    except NoReplyError:
        return False
    return True


def _health(asking: Asking, claims: Claims) -> Iterator[Done]:
    path = claims.health
    if path is None:
        yield Done(Check("health", "skipped", "the spec names no path for it"))
        return

    def check() -> str:
        reply = asking.get(path)
        if reply.status != 200:
            raise CheckFailedError(f"GET {path}: {asking.refusal(reply)}")
        return f"GET {path} answers 200"

    yield _run("health", check)


def _models(asking: Asking, claims: Claims) -> tuple[Done, _Served]:
    """Return the check of the list of models, and what it tells for the others."""
    nobody = _Served(claims.served_name or "", None)
    try:
        reply = asking.get(MODELS)
        listed = _listed(asking, reply)
    except CheckFailedError as error:
        if claims.listed or error.broken:
            return Done(_check("models", "failed", error.detail), error.broken), nobody
        return Done(Check("models", "skipped", "this app has no list of models")), nobody
    names = list(listed)
    wanted = claims.served_name
    if wanted is None:
        name = names[0] if names else ""
        return Done(_check("models", "passed", _names(names))), _Served(name, None)
    if wanted not in listed:
        detail = f"{wanted} is not served; the endpoint has {_names(names)}"
        return Done(_check("models", "failed", detail)), nobody
    return Done(_check("models", "passed", f"serves {wanted}")), _Served(
        wanted, stated_limit(listed[wanted])
    )


def _listed(asking: Asking, reply: Reply) -> dict[str, Any]:
    """Return the entries of a list of models by name, further names of one included."""
    if reply.status != 200:
        raise CheckFailedError(f"GET {MODELS}: {asking.refusal(reply)}")
    document = reply.json()
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise CheckFailedError(f"GET {MODELS} gives no list of models but {asking.words(reply)}")
    found: dict[str, Any] = {}
    for entry in data:
        if not isinstance(entry, dict):
            continue
        aliases = entry.get("aliases")
        for name in (entry.get("id"), *(aliases if isinstance(aliases, list) else ())):
            if isinstance(name, str):
                found.setdefault(name, entry)
    return found


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) or "no model"
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
