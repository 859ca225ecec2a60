"""Requests to one endpoint and to nothing else, with an end to every wait and to every answer.

The standard library's client is used, not httpx2 as for markets: a stream of three users at 2,000
tokens/s brings 6,000 events a second, and httpx2 2.16 takes 76 µs of CPU for each of them, this
one 20 (Python 3.11, loopback). No proxy of the environment is asked and no redirect is followed:
only the address that was given is ever called.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import Address
from chartgen.measure.events import Piece, is_over
from chartgen.measure.key_filter import KeyFilter
from chartgen.measure.plugs import Plugs
from chartgen.measure.trouble import (
    CUT,
    STOPPED,
    NoReplyError,
    Trouble,
    interrupted,
    unanswered,
)
from chartgen.measure.watch import Limits, Watch

__all__ = [
    "PAGE_LIMITS",
    "PAGE_SECONDS",
    "Connection",
    "Limits",
    "NoReplyError",
    "Received",
    "Reply",
    "Trouble",
]

# A page such as /props holds the chat template, /metrics a few hundred lines.
_PAGE_BYTES = 8 << 20
PAGE_SECONDS = 30.0
PAGE_LIMITS = Limits(PAGE_SECONDS, PAGE_SECONDS, _PAGE_BYTES)
_READ_BYTES = 1 << 16
_USER_AGENT = "chartgen"
_MEDIA_TYPE_SHOWN = 100
_FAULTS = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: its status, its content type in lower case, its body."""

    status: int
    media_type: str
    body: bytes = field(repr=False)
    seconds: float = 0.0

    def json(self) -> Any:
        """Return the body as plain data, None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came in: the pieces, each with its time; `trouble` where it is not whole.

    Times are seconds of the connection's clock; `sent_at` is when the request had left.
    """

    status: int
    media_type: str
    sent_at: float
    ended_at: float
    pieces: tuple[Piece, ...] = field(repr=False)
    trouble: Trouble | None = None

    @property
    def body(self) -> bytes:
        """Return all pieces as one."""
        return b"".join(data for _, data in self.pieces)


class Connection:
    """Sends requests to one endpoint, each over a connection of its own, from any thread.

    Nothing that it returns holds the key, however the endpoint echoes it, but for keys that are too
    short to be told from words (chartgen.measure.key_filter).
    """

    def __init__(
        self,
        address: Address,
        key: Secret | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.address = address
        self._key = key
        self._filter = KeyFilter(key)
        self._clock = clock
        self._plugs = Plugs(address)

    def get(self, path: str, limits: Limits = PAGE_LIMITS) -> Reply:
        """Ask for a page. Raises NoReplyError where no whole answer came."""
        return _whole(self._exchange(_Request("GET", path, limits)))

    def post(self, path: str, document: Any, limits: Limits) -> Reply:
        """Send a document as JSON and read the whole answer. Raises NoReplyError as `get` does."""
        return _whole(self._exchange(_Request("POST", path, limits, _encoded(document))))

    def stream(
        self,
        path: str,
        document: Any,
        limits: Limits,
        *,
        end: bytes,
        says: Callable[[bytes], bool] = bool,
    ) -> Received:
        """Send a document as JSON and return the events that came in, piece by piece, to the end.

        After an event with `end` as its data nothing is waited for. Silence lasts until an event
        comes whose data `says` takes for more than a sign of life. Raises NoReplyError only where
        not even a status came.
        """
        return self._exchange(_Request("POST", path, limits, _encoded(document), end, says))

    def hang_up(self) -> None:
        """End all requests that are under way, from another thread, and let none begin again."""
        self._plugs.end_all()

    def redact(self, text: str) -> str:
        """Return what a remote side says on one line, without the key."""
        return self._filter.text(text)

    def _exchange(self, request: _Request) -> Received:
        began = self._clock()
        try:
            with self._plugs.opened() as plug:
                return self._answer(plug, request)
        except NoReplyError as error:
            if not self._plugs.stopped:
                raise
            raise NoReplyError(STOPPED, error.seconds) from None
        except OSError as error:
            # Whatever a socket says before anything is sent.
            raise NoReplyError(interrupted(error), self._clock() - began) from None

    def _answer(self, plug: socket.socket, request: _Request) -> Received:
        """Ask over an open connection. Raises NoReplyError where no head of an answer came."""
        began = self._clock()
        with Watch(plug, request.limits, self._clock, request.says) as watch:
            try:
                connection = self._sent(plug, request)
                sent_at = self._clock()
                watch.hear()
                response = connection.getresponse()
            except _FAULTS as error:
                trouble = watch.trouble or unanswered(error)
                raise NoReplyError(trouble, self._clock() - began) from None
            with closing(response):
                watch.hear()
                trouble_within = self._read(response, watch, request)
            return Received(
                response.status,
                self._media_type(response),
                sent_at,
                self._clock(),
                self._filter.pieces(watch.pieces),
                trouble_within,
            )

    def _sent(self, plug: socket.socket, request: _Request) -> http.client.HTTPConnection:
        address, body = self.address, request.body
        connection = http.client.HTTPConnection(address.host, address.port)
        # TLS, if any, is the socket's own.
        connection.sock = plug
        # Who refuses a large request closes before it is all there, and may have said why.
        with suppress(ConnectionError, ssl.SSLEOFError):
            connection.request(
                request.method, address.path + request.path, body or None, self._headers(bool(body))
            )
        return connection

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {
            "host": self.address.authority,
            "user-agent": _USER_AGENT,
            "accept-encoding": "identity",
            "connection": "close",
        }
        if has_body:
            headers["content-type"] = "application/json"
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.reveal()}"
        return headers

    def _media_type(self, response: http.client.HTTPResponse) -> str:
        told = self._filter.header(response.headers.get("content-type") or "")
        return told.partition(";")[0].strip()[:_MEDIA_TYPE_SHOWN] or "text/plain"

    def _read(
        self, response: http.client.HTTPResponse, watch: Watch, request: _Request
    ) -> Trouble | None:
        """Read to the end and return what went wrong; what came in is left with the watch."""
        pieces, end, clock = watch.pieces, request.end, self._clock
        most = request.limits.size_bytes
        size = 0
        try:
            while data := response.read1(_READ_BYTES):
                pieces.append((clock(), data))
                size += len(data)
                if size > most:
                    return Trouble("endless", f"the answer is larger than {most:,} bytes")
                # Events are objects and end with a brace.
                if end and data.rstrip().endswith(end[-1:]) and is_over(pieces, end):
                    return None
        except _FAULTS as error:
            return self._ended(watch) or interrupted(error)
        # An answer without a length looks whole when its connection is shut.
        return self._ended(watch) or (CUT if response.length else None)

    def _ended(self, watch: Watch) -> Trouble | None:
        return STOPPED if self._plugs.stopped else watch.trouble


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    limits: Limits
    body: bytes = b""
    end: bytes = b""
    says: Callable[[bytes], bool] | None = None


def _whole(received: Received) -> Reply:
    """Return an answer that came to its end; of a refusal the status is enough."""
    trouble, seconds = received.trouble, received.ended_at - received.sent_at
    if trouble is not None and (received.status < 400 or trouble.kind == "stopped"):
        raise NoReplyError(trouble, seconds)
    return Reply(received.status, received.media_type, received.body, seconds)


def _encoded(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False).encode()
