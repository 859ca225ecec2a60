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
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from chartgen.market.deploy.secret import Secret
from chartgen.measure.address import Address
from chartgen.terminal import one_line

CONNECT_SECONDS = 10.0
# A page such as /props holds the chat template, /metrics a few hundred lines.
PAGE_LIMIT = 8 << 20
PAGE_SECONDS = 30.0
_READ_BYTES = 1 << 16
_USER_AGENT = "chartgen"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may be silent, how long it may last (both in seconds), and its size."""

    silence_seconds: float
    total_seconds: float
    size_bytes: int


PAGE_LIMITS = Limits(PAGE_SECONDS, PAGE_SECONDS, PAGE_LIMIT)


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
class Trouble:
    """Why an answer is not whole.

    `kind` is `unreachable`, `tls`, `stalled` (silent for too long), `cut` (the connection ended
    within it), `endless` (too long or too large), or `stopped` (by `hang_up`).
    """

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as it came in: the pieces, each with its time; `ended` tells that it is whole.

    Times are seconds of the connection's clock; `sent_at` is when the request had left.
    """

    status: int
    media_type: str
    sent_at: float
    ended_at: float
    pieces: tuple[tuple[float, bytes], ...] = field(repr=False)
    trouble: Trouble | None = None

    @property
    def body(self) -> bytes:
        """Return all pieces as one."""
        return b"".join(data for _, data in self.pieces)


_STOPPED = Trouble("stopped", "stopped from the keyboard")
_CUT = Trouble("cut", "the connection ended within the answer")


class NoReplyError(Exception):
    """Nothing came that could be read, or only a part; `seconds` went by from the request on."""

    def __init__(self, trouble: Trouble, seconds: float) -> None:
        super().__init__(trouble.reason)
        self.trouble, self.seconds = trouble, seconds


class Connection:
    """Sends requests to one endpoint, each over a connection of its own, from any thread."""

    def __init__(
        self,
        address: Address,
        key: Secret | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.address = address
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopped = False

    def get(self, path: str) -> Reply:
        """Ask for a page. Raises NoReplyError where no whole answer came."""
        return _whole(self._exchange("GET", path, b"", PAGE_LIMITS, None))

    def post(self, path: str, document: Any, limits: Limits) -> Reply:
        """Send a document as JSON and read the whole answer. Raises NoReplyError as `get` does."""
        return _whole(self._exchange("POST", path, _encoded(document), limits, None))

    def stream(
        self,
        path: str,
        document: Any,
        limits: Limits,
        *,
        end: bytes,
    ) -> Received:
        """Send a document as JSON and return what came in, piece by piece, to the end.

        What ends with `end` is whole, whether the server then closes the connection or not.
        Raises NoReplyError only where not even a status came.
        """
        return self._exchange("POST", path, _encoded(document), limits, end)

    def hang_up(self) -> None:
        """End all requests that are under way, from another thread, and let none begin again."""
        with self._lock:
            self._stopped = True
            for plug in self._open:
                _shut(plug)

    def redact(self, text: str) -> str:
        """Return what a remote side says on one line, without the key."""
        clean = one_line(text)
        return self._key.redact(clean) if self._key is not None else clean

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes,
        limits: Limits,
        end: bytes | None,
    ) -> Received:
        began = self._clock()
        over = threading.Event()
        try:
            with self._connected(limits, over) as connection:
                began = self._clock()
                connection.request(
                    method, self.address.path + path, body or None, self._headers(bool(body))
                )
                sent_at = self._clock()
                response = connection.getresponse()
                pieces, trouble = self._read(response, limits, over, sent_at, end)
                media_type = response.headers.get_content_type().lower()
                return Received(
                    response.status, media_type, sent_at, self._clock(), pieces, trouble
                )
        except (OSError, http.client.HTTPException) as error:
            waited = self._clock() - began
            raise NoReplyError(self._trouble(error, waited, limits, over), waited) from None

    @contextmanager
    def _connected(
        self, limits: Limits, over: threading.Event
    ) -> Iterator[http.client.HTTPConnection]:
        """Open a connection, and close it when the block ends or the total time is `over`."""
        connection = self._connection()
        try:
            connection.connect()
        except TimeoutError:
            silence = _silence(connection)
            connection.close()
            raise NoReplyError(silence, CONNECT_SECONDS) from None
        # The connection itself forgets its socket once an answer says that it will be closed.
        plug = connection.sock
        plug.settimeout(limits.silence_seconds)
        # Each read has a limit of its own, but headers could drip in for days.
        watch = threading.Timer(limits.total_seconds, _end, [plug, over])
        watch.daemon = True
        try:
            with self._lock:
                # Only here: who hung up while this connection came about did not see it.
                if self._stopped:
                    raise ConnectionAbortedError("stopped")
                self._open.add(plug)
            watch.start()
            yield connection
        finally:
            watch.cancel()
            with self._lock:
                self._open.discard(plug)
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        address = self.address
        if address.scheme == "http":
            return http.client.HTTPConnection(address.host, address.port, CONNECT_SECONDS)
        return http.client.HTTPSConnection(
            address.host,
            address.port,
            timeout=CONNECT_SECONDS,
            context=ssl.create_default_context(),
        )

    def _headers(self, has_body: bool) -> dict[str, str]:
        headers = {"user-agent": _USER_AGENT, "accept-encoding": "identity", "connection": "close"}
        if has_body:
            headers["content-type"] = "application/json"
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.reveal()}"
        return headers

    def _read(
        self,
        response: http.client.HTTPResponse,
        limits: Limits,
        over: threading.Event,
        sent_at: float,
        end: bytes | None,
    ) -> tuple[tuple[tuple[float, bytes], ...], Trouble | None]:
        """Read to the end; a part that came in is returned, too, with what went wrong then."""
        pieces: list[tuple[float, bytes]] = []
        size = 0
        try:
            while data := response.read1(_READ_BYTES):
                now = self._clock()
                pieces.append((now, data))
                size += len(data)
                if size > limits.size_bytes:
                    reason = f"the answer is larger than {limits.size_bytes:,} bytes"
                    return tuple(pieces), Trouble("endless", reason)
                if now - sent_at > limits.total_seconds:
                    return tuple(pieces), _endless(limits)
                # A piece of its own where servers flush each event; else the end shows it.
                if end is not None and data.rstrip().endswith(end):
                    return tuple(pieces), None
        except (OSError, http.client.HTTPException) as error:
            waited = self._clock() - sent_at
            return tuple(pieces), self._trouble(error, waited, limits, over)
        if self._stopped:
            return tuple(pieces), _STOPPED
        # An answer without a length looks whole when its connection is shut.
        if over.is_set():
            return tuple(pieces), _endless(limits)
        if response.length:
            return tuple(pieces), _CUT
        return tuple(pieces), None

    def _trouble(
        self, error: Exception, waited: float, limits: Limits, over: threading.Event
    ) -> Trouble:
        if self._stopped:
            return _STOPPED
        # The watch looks at a clock of its own, and began a little earlier.
        if over.is_set() or waited >= limits.total_seconds:
            return _endless(limits)
        return _trouble_of(error, limits)


def _endless(limits: Limits) -> Trouble:
    return Trouble("endless", f"the answer had not ended after {limits.total_seconds:g} s")


def _silence(connection: http.client.HTTPConnection) -> Trouble:
    """Say at what a connection waited in vain: a server without TLS may not answer a greeting."""
    if connection.sock is None:
        return Trouble("unreachable", f"no connection came about in {CONNECT_SECONDS:g} s")
    waited = f"no answer to the TLS greeting of https came in {CONNECT_SECONDS:g} s"
    return Trouble("tls", f"somebody listens there, but {waited}")


def _trouble_of(error: Exception, limits: Limits) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = one_line(error.verify_message or "it is not trusted")
        return Trouble("tls", f"its certificate could not be verified: {reason}")
    if isinstance(error, ssl.SSLError):
        return Trouble("tls", "whoever listens there does not speak TLS, as https wants it")
    if isinstance(error, socket.gaierror):
        return Trouble("unreachable", "the name of the host is not known")
    if isinstance(error, ConnectionRefusedError):
        return Trouble("unreachable", "the connection was refused, nothing listens there")
    if isinstance(error, TimeoutError):
        return Trouble("stalled", f"nothing came for {limits.silence_seconds:g} s")
    if isinstance(error, http.client.IncompleteRead | ConnectionError):
        return _CUT
    if isinstance(error, http.client.HTTPException):
        return Trouble("cut", f"what came is no HTTP ({type(error).__name__})")
    text = one_line(getattr(error, "strerror", None) or type(error).__name__)
    return Trouble("unreachable", f"no connection came about ({text})")


def _whole(received: Received) -> Reply:
    if received.trouble is not None:
        raise NoReplyError(received.trouble, received.ended_at - received.sent_at)
    seconds = received.ended_at - received.sent_at
    return Reply(received.status, received.media_type, received.body, seconds)


def _encoded(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False).encode()


def _end(plug: socket.socket, over: threading.Event) -> None:
    """End a connection whose time is over, and say so first."""
    over.set()
    _shut(plug)


def _shut(plug: socket.socket) -> None:
    """End a connection under whoever waits for it."""
    with suppress(OSError):
        # Not the method of a TLS socket, which must not be used from two threads.
        socket.socket.shutdown(plug, socket.SHUT_RDWR)
