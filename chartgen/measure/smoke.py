"""A smoke test: whether a running app does what its spec claims, one short check at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

from chartgen.evidence.record import Check
from chartgen.measure.connection import Connection, NoReplyError, Reply
from chartgen.measure.endpoint import (
    MOST_CONTEXT,
    entry_of,
    listed_models,
    page_limits,
    stated_limit,
)
from chartgen.measure.faults import no_reply, own_words, refused, without_key
from chartgen.measure.smoke_asking import ANSWER_TOKENS, Asking, CheckFailedError
from chartgen.measure.smoke_chat import check_streaming, check_text, check_tools, check_vision
from chartgen.measure.smoke_claims import Claim, Claims
from chartgen.measure.smoke_context import check_context, check_long
from chartgen.measure.smoke_media import check_embedding, check_speech
from chartgen.terminal import shortened

MODELS = "/v1/models"
_LIST = f"the list of models ({MODELS})"
_DETAIL_LIMIT = 500
_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Done:
    """A check that is done. `broken` where it failed for want of any whole answer of the app.

    A test with a broken check tells of a connection, a login or a proxy rather than of a release.
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
    checked is yielded, too, with the reason.
    """
    asking = Asking(connection, claims.served_name or "", seconds)
    yield from _health(asking, claims)
    done, served = _models(asking, claims)
    yield done
    plan = _plan(claims, served, long=long)
    if done.check.outcome == "failed":
        no_model = "there is no model of this app to ask"
        reason = "the list of models did not come" if done.broken else no_model
        yield from (_skipped(asking, name, reason) for name, _, _ in plan)
        return
    limit = claims.context or served.limit
    tokens = min(ANSWER_TOKENS, limit // 4) if limit else ANSWER_TOKENS
    asking = replace(asking, model=served.model, answer_tokens=max(tokens, 1))
    gone = False
    for name, claim, check in plan:
        if not claim.holds:
            yield _skipped(asking, name, claim.because)
        elif gone:
            yield _skipped(asking, name, "the endpoint answers no more")
        else:
            one = _run(asking, name, partial(check, asking))
            gone = one.broken and not _answers(connection, seconds)
            yield one


def why_untold(done: Sequence[Done]) -> str:
    """Return why a test tells nothing of the release and must not be kept; empty where it does."""
    broken = ", ".join(one.check.name for one in done if one.broken)
    if broken:
        return f"no whole answer of the app came for {broken}"
    if any(one.check.name == "models" and one.check.outcome == "failed" for one in done):
        return "the endpoint does not serve this app's model"
    return ""


def reach(connection: Connection, seconds: float) -> None:
    """Raise EndpointError where nothing answers within so many seconds, or nobody is let in."""
    url = connection.address.url
    with without_key(connection):
        try:
            reply = connection.get(MODELS, page_limits(seconds))
        except NoReplyError as error:
            raise no_reply(_LIST, url, error) from None
        if reply.status in (401, 403) or 300 <= reply.status < 400:
            raise refused(_LIST, url, reply.status, own_words(connection, reply), reply.seconds)


def _plan(
    claims: Claims, served: _Served, *, long: bool
) -> tuple[tuple[str, Claim, Callable[[Asking], str]], ...]:
    limit = claims.context or served.limit
    chat = _told(claims.chat)
    context = chat
    if context.holds and limit is None:
        context = Claim(False, "neither the spec nor the server states a context length")
    elif context.holds and limit is not None and limit > MOST_CONTEXT:
        context = Claim(False, f"no model has a context of {limit:,} tokens")
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


def _run(asking: Asking, name: str, check: Callable[[], str]) -> Done:
    try:
        return Done(_check(asking, name, "passed", check()))
    except CheckFailedError as error:
        return Done(_check(asking, name, "failed", error.detail), error.broken)


def _skipped(asking: Asking, name: str, reason: str) -> Done:
    return Done(_check(asking, name, "skipped", reason))


def _check(
    asking: Asking, name: str, outcome: Literal["passed", "failed", "skipped"], detail: str
) -> Check:
    """Return a check with its detail on one line, without the key, and only then cut."""
    return Check(name, outcome, shortened(asking.connection.redact(detail), _DETAIL_LIMIT))


def _answers(connection: Connection, seconds: float) -> bool:
    try:
        connection.get(MODELS, page_limits(seconds))
    except NoReplyError:
        return False
    return True


def _health(asking: Asking, claims: Claims) -> Iterator[Done]:
    path = claims.health
    if path is None:
        yield _skipped(asking, "health", "the spec names no path for it")
        return

    def check() -> str:
        reply = asking.get(path)
        if reply.status != 200:
            raise asking.refused(reply, f"GET {path}: ")
        return f"GET {path} answers 200"

    yield _run(asking, "health", check)


def _models(asking: Asking, claims: Claims) -> tuple[Done, _Served]:
    """Return the check of the list of models, and what it tells for the others."""
    nobody = _Served(claims.served_name or "", None)
    try:
        reply = asking.get(MODELS)
        listed = _listed(asking, reply)
    except CheckFailedError as error:
        if claims.listed or error.broken:
            return Done(_check(asking, "models", "failed", error.detail), error.broken), nobody
        return _skipped(asking, "models", "this app has no list of models"), nobody
    names = list(listed)
    wanted = claims.served_name
    if wanted is None:
        name = names[0] if names else ""
        return Done(_check(asking, "models", "passed", _names(names))), _Served(name, None)
    entry = entry_of(asking.connection, listed, wanted)
    if entry is None:
        detail = f"{wanted} is not served; the endpoint has {_names(names)}"
        return Done(_check(asking, "models", "failed", detail)), nobody
    return Done(_check(asking, "models", "passed", f"serves {wanted}")), _Served(
        wanted, stated_limit(entry)
    )


def _listed(asking: Asking, reply: Reply) -> dict[str, Any]:
    """Return the entries of a list of models by name, further names of one included."""
    if reply.status != 200:
        raise asking.refused(reply, f"GET {MODELS}: ")
    found = listed_models(reply.json())
    if found is None:
        raise CheckFailedError(f"GET {MODELS} gives no list of models but {asking.words(reply)}")
    return found


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES]) or "no model at all"
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
