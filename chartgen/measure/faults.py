"""What is wrong with an endpoint, in words for the person who measures it."""

from __future__ import annotations

from chartgen.errors import RemoteError
from chartgen.measure.connection import NoReplyError, Trouble
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


class EndpointError(RemoteError):
    """The endpoint cannot be measured, or a run is broken. Says what, where and what to do."""


class StoppedError(Exception):
    """The measurement was stopped from the keyboard; no fault of the endpoint."""


def no_reply(what: str, url: str, error: NoReplyError) -> EndpointError:
    """Return the error for a request without a whole answer; `what` names the request."""
    return broken(what, url, error.trouble, error.seconds)


def broken(what: str, url: str, trouble: Trouble, seconds: float) -> EndpointError:
    """Return the error for an answer that is not whole."""
    if trouble.kind in ("cut", "stalled") and at_proxy_limit(seconds):
        return EndpointError(_proxy(what, url, f"the answer was cut after {seconds:.1f} s"))
    advice = _ADVICE[trouble.kind].format(url=url)
    return EndpointError(f"{url}: {what} failed: {trouble.reason}; {advice}")


_ADVICE = {
    "unreachable": "check the address, and that the app is running",
    "tls": (
        "use the address that the certificate was made for, let SSL_CERT_FILE name your own "
        "authority, or write http:// for a server without TLS"
    ),
    "stalled": "look into the engine's log; --stall allows a longer silence",
    "cut": "look into the engine's log: it may have crashed or run out of memory",
    "endless": "lower --max-tokens, or look into the engine's log",
    "stopped": "start again",
}


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
    if status == 429:
        return EndpointError(f"{start}; let the endpoint rest, or measure with fewer --users")
    if status == 503:
        return EndpointError(f"{start}; the engine may still be loading: wait, or read its log")
    if status >= 500:
        return EndpointError(f"{start}; look into the engine's log")
    return EndpointError(f"{start}; change what the message names")


def not_served(name: str, url: str, served: tuple[str, ...]) -> EndpointError:
    """Return the error for a model that the endpoint does not have."""
    listed = ", ".join(served[:10]) or "none"
    return EndpointError(
        f"{url}: serves no model {name!r}, only {listed}; set engine.served_name in the spec, "
        "give the address of the right app, or name the model with --model"
    )


def at_proxy_limit(seconds: float) -> bool:
    """Tell whether an answer ended just when Olares' proxy ends it."""
    return abs(seconds - PROXY_SECONDS) <= _PROXY_SLACK_SECONDS


def _proxy(what: str, url: str, happened: str) -> str:
    return (
        f"{url}: {what} failed: {happened}, which is when {PROXY_LIMIT}; a lower --max-tokens "
        "ends earlier"
    )
