"""The market from Python: every request is answered by `routes.answer`, nothing is decided here.

Needs starlette and uvicorn (the extra `chartgen[serve]`).
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from chartgen.errors import ChartgenError, MissingToolError
from chartgen.market.json_text import json_text
from chartgen.market.routes import MAX_BODY_BYTES, Answer, answer, content
from chartgen.market.site import JSON, Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

SiteProvider = Callable[[], Site]
"""Returns the site to answer from; it is asked once for each request, from several threads."""

_LOG = logging.getLogger(__name__)
# Requests wait in line here when more come at once than one process can take up.
_BACKLOG = 128
_MISSING = "serving needs starlette and uvicorn; install chartgen[serve]"


def make_app(site_provider: SiteProvider) -> ASGIApp:
    """Return the market as an ASGI app. Raises MissingToolError where starlette is missing."""
    try:
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Router
    except ModuleNotFoundError as error:
        raise MissingToolError(_MISSING) from error

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        body = await _body(request) if request.method == "POST" else b""
        # A package is read from disk, a site may be made anew: other requests go on meanwhile.
        found, data = await run_in_threadpool(_answered, site_provider, scope, body)
        headers = dict(found.headers)
        if found.status != 204:
            headers["Content-Length"] = str(found.length)
        if len(body) > MAX_BODY_BYTES:
            # The rest of the body was not read, so the connection cannot be used again.
            headers["Connection"] = "close"
        response = Response(data, found.status, headers)
        await response(scope, receive, send)

    return Router(default=respond, redirect_slashes=False)


def _answered(
    site_provider: SiteProvider, scope: MutableMapping[str, Any], body: bytes
) -> tuple[Answer, bytes]:
    site = site_provider()
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    found = answer(site, scope["method"], path, query, body)
    try:
        return found, content(site, found)
    except (ChartgenError, OSError) as error:
        # Wrong bytes are never served: a device keeps what it got under a name for good.
        _LOG.error("%s", error)
        data = json_text({"error": "the file cannot be read here"}).encode()
        headers = {"Content-Type": JSON, "Cache-Control": "no-store"}
        return Answer(500, headers, data, length=len(data)), data


async def _body(request: Request) -> bytes:
    """Return the body of a request, read no further than to see that it is too large."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            break
    return bytes(data)


def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises ChartgenError where the address cannot be had.
    """
    if not host:
        # The system would take it for all addresses, which nobody asked for.
        raise ChartgenError(_no_address(host))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # By itself, because `create_server` makes a plain OSError of a name that is not known.
        socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, ValueError) as error:
        raise ChartgenError(_obstacle(host, port, error)) from error
    # Inherited by every connection. asyncio only sees to it on sockets that name their protocol,
    # and without it an answer in two parts waits 40 ms for the other side's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _obstacle(host: str, port: int, error: OSError | ValueError) -> str:
    """Say why nobody can listen there, and what to do instead."""
    if isinstance(error, (socket.gaierror, ValueError)):
        return _no_address(host)
    if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
        return _no_address(host)
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is in use, perhaps by another `chartgen serve`; choose another --port, "
            "or --port 0 for a free one"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"port {port} needs more rights than you have; choose a --port from 1024 up"
    # The text of `create_server` repeats the address.
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{host}, port {port}: nobody can listen there ({reason}); choose another --port"


def _no_address(host: str) -> str:
    return (
        f"{host!r} is no address of this machine; leave --host out to serve this machine alone, or "
        "write --host 0.0.0.0 to serve all machines that reach it"
    )


def serve(site_provider: SiteProvider, listener: socket.socket) -> None:
    """Serve a market until the process is told to stop (SIGINT, SIGTERM).

    Raises MissingToolError where uvicorn or starlette is missing.
    """
    server(site_provider).run(sockets=[listener])


def server(site_provider: SiteProvider) -> Any:
    """Return a uvicorn server of a market, not yet running; `should_exit` stops it."""
    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise MissingToolError(_MISSING) from error
    return uvicorn.Server(
        uvicorn.Config(
            make_app(site_provider),
            access_log=False,
            log_level="warning",
            lifespan="off",
            ws="none",
            server_header=False,
        )
    )
