"""What is wrong with an endpoint, in words for the person who measures it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chartgen.errors import RemoteError
from chartgen.measure.connection import Connection, NoReplyError, Reply, Trouble
from chartgen.measure.stream import error_text
from chartgen.measure.trouble import UNANSWERED
from chartgen.terminal import shortened

KEY_VARIABLE = "CHARTGEN_API_KEY"
# Olares' proxy before an app cuts every request at options.apiTimeout of the manifest, by default
# 15 s (olares-manifest, `apiTimeout`). A little is lost on either side of it.
PROXY_SECONDS = 15.0
_PROXY_SLACK_SECONDS = 0.7
PROXY_LIMIT = (
    "Olares' proxy ends a request unless the chart has `apiTimeout: 0` (those of chartgen do); "
    "install the chart of this spec, or measure at the app's own port on the device"
)
_PROXY_STATUSES = (502, 503, 504)
_ANSWER_SHOWN = 200
# What nginx says on its page to plain HTTP at a port of TLS (ngx_http_special_response.c, 1.28).
_HTTPS_PORT = b"plain HTTP request was sent to HTTPS port"
_TEXT_READ, _TEXT_SHOWN = 800, 120


class EndpointError(RemoteError):
    """The endpoint cannot be measured, or a run is broken. Says what, where and what to do."""


class StoppedError(Exception):
    """The measurement was stopped from the keyboard; no fault of the endpoint."""


@contextmanager
def without_key(connection: Connection) -> Iterator[None]:
    """Take the API key out of whatever an EndpointError says that leaves the block."""
    try:
        yield
    except EndpointError as error:
        raise EndpointError(connection.redact(str(error))) from None


def no_reply(what: str, url: str, error: NoReplyError, *, bench: bool = False) -> EndpointError:
    """Return the error for a request without a whole answer; `what` names the request."""
    return broken(what, url, error.trouble, error.seconds, bench=bench)


def broken(
    what: str, url: str, trouble: Trouble, seconds: float, *, bench: bool = False
) -> EndpointError:
    """Return the error for an answer that is not whole; `bench` names that command's options."""
    if is_proxy_limit(trouble.kind, seconds):
        return EndpointError(_proxy(what, url, f"the answer was cut after {seconds:.1f} s"))
    advice = _BENCH_ADVICE.get(trouble.kind, "") if bench else ""
    advice = advice or _ADVICE[trouble.kind]
    if trouble == UNANSWERED and url.startswith("http://"):
        advice = f"{advice}; or it wants https://"
    return EndpointError(f"{url}: {what} failed: {trouble.reason}; {advice}")


_ADVICE = {
    "unreachable": "check the address, and that the app is running",
    "tls": (
        "use the address that the certificate was made for, let SSL_CERT_FILE name your own "
        "authority, or write http:// for a server without TLS"
    ),
    "https": "write https:// instead of http://",
    "foreign": "give the address and the port of the OpenAI API",
    "stalled": "look into the engine's log",
    "cut": "look into the engine's log: it may have crashed or run out of memory",
    "endless": "look into the engine's log",
    "stopped": "start again",
}
_BENCH_ADVICE = {
    "stalled": "look into the engine's log; --stall allows a longer silence",
    "endless": "lower --max-tokens, or look into the engine's log",
}


def own_words(connection: Connection, reply: Reply) -> str:
    """Return what an answer says of itself on one line, without the key; empty for a web page.

    That is the message of an error document, else the beginning of a plain text.
    """
    if _HTTPS_PORT in reply.body:
        return "it wants https://"
    told = connection.redact(error_text(reply.json()))
    if told or not reply.media_type.startswith("text/") or reply.media_type == "text/html":
        return told
    start = reply.body[:_TEXT_READ].decode("utf-8", "replace").strip()
    if not start or start.startswith("<"):
        return ""
    return f'"{shortened(connection.redact(start), _TEXT_SHOWN)}"'


def refused(what: str, url: str, status: int, text: str, seconds: float) -> EndpointError:
    """Return the error for a status other than 200; `text` is what the endpoint says of it."""
    said = f": {shortened(text, _ANSWER_SHOWN)}" if text else ""
    if status in _PROXY_STATUSES and at_proxy_limit(seconds):
        return EndpointError(_proxy(what, url, f"HTTP {status} came after {seconds:.1f} s"))
    start = f"{url}: {what} was answered with HTTP {status}{said}"
    if status in (401, 403):
        return EndpointError(
            f"{start}; put the endpoint's API key into the environment variable {KEY_VARIABLE}, or "
            "measure from within the device, where Olares asks for no login"
        )
    if status in range(300, 400):
        return EndpointError(
            f"{start}; chartgen follows no redirect: give the address it leads to, or one that "
            "needs no login"
        )
    if status == 404:
        return EndpointError(
            f"{start}; give the address of the OpenAI API: what stands before /v1/chat/completions"
        )
    if status == 413:
        return EndpointError(
            f"{start}; a request of this size is not taken, mostly by a proxy before the engine: "
            "measure past it, or with a shorter prompt"
        )
    if status == 429:
        return EndpointError(f"{start}; let the endpoint rest, or measure with fewer --users")
    if status == 503:
        return EndpointError(f"{start}; the engine may still be loading: wait, or read its log")
    if status >= 500 or not said:
        return EndpointError(f"{start}; look into the engine's log")
    return EndpointError(f"{start}; change what the message names")


def not_served(name: str, url: str, served: tuple[str, ...]) -> EndpointError:
    """Return the error for a model that the endpoint does not have among those it has."""
    listed = ", ".join(served[:10])
    return EndpointError(
        f"{url}: serves no model {name!r}, only {listed}; set engine.served_name in the spec, "
        "give the address of the right app, or name the model with --model"
    )


def is_proxy_limit(kind: str, seconds: float) -> bool:
    """Tell whether the other side cut an answer (see Trouble) just when Olares' proxy does."""
    return kind == "cut" and at_proxy_limit(seconds)


def at_proxy_limit(seconds: float) -> bool:
    """Tell whether an answer ended just when Olares' proxy ends it."""
    return abs(seconds - PROXY_SECONDS) <= _PROXY_SLACK_SECONDS


def _proxy(what: str, url: str, happened: str) -> str:
    return (
        f"{url}: {what} failed: {happened}, which is when {PROXY_LIMIT}; a lower --max-tokens "
        "ends earlier"
    )
