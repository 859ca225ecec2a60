"""HTTP as a device does it, with the limits that a device lacks.

What a device sends is in market-protocol-v1 §1.3: the user agent of resty, gzip, no cookies, no
credentials. It reads answers of any size for as long as they last; here both have an end, because
whoever verifies a market wants to learn of an endless answer, not to store it.

The library is httpx2, as in `chartgen.market.deploy.http`.
"""

from __future__ import annotations

import enum
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

from chartgen.errors import MissingToolError
from chartgen.market.device.address import is_loopback, read_address
from chartgen.terminal import one_line

if TYPE_CHECKING:
    import httpx2

USER_AGENT = "go-resty/2.12.0 (https://github.com/go-resty/resty)"
_CONNECT_SECONDS = 10.0
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (socket.gaierror, "the name of the host is not known"),
    (ConnectionRefusedError, "the connection was refused, nothing listens there"),
    (ssl.SSLError, "whoever listens there does not speak TLS, as https wants it"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: a POST where there is a body.

    `limit` is the largest answer in bytes, after decompression, and `seconds` the longest time
    from the start of the request to the last byte of the answer.
    """

    url: str
    limit: int
    seconds: float
    body: bytes = field(default=b"", repr=False)

    @property
    def method(self) -> Literal["GET", "POST"]:
        """Return the method."""
        return "POST" if self.body else "GET"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, redirects included. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float = 0.0

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Trouble(enum.Enum):
    """Why no whole answer came; the value is the id of the rule."""

    UNREACHABLE = "market-unreachable"
    CUT_SHORT = "market-cut-short"
    ENDLESS = "market-endless"
    SLOW = "market-slow"


class NoReplyError(Exception):
    """No whole answer came."""

    def __init__(self, trouble: Trouble, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.trouble, self.reason, self.seconds = trouble, reason, seconds


class Fetch(Protocol):
    """Anything that sends requests as a device does."""

    def __call__(self, call: Call, /) -> Reply:
        """Send one request. No redirect is followed.

        Raises NoReplyError where no whole answer came within the limits of the call.
        """


@contextmanager
def connect(
    url: str,
    *,
    transport: httpx2.BaseTransport | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Fetch]:
    """Open connections to a market, and close them when the block ends.

    `transport` and `clock` (seconds) stand in for the network and for time in tests. Raises
    RefusedError for an address that no device takes, MissingToolError where the library is not
    installed.
    """
    host = urlsplit(read_address(url).url).hostname
    try:
        import httpx2
    except ModuleNotFoundError:
        raise MissingToolError(
            "verifying needs the library httpx2; install it with: pip install httpx2"
        ) from None
    # A proxy of the environment has no business between this machine and itself.
    trusted = not is_loopback(host)
    with httpx2.Client(transport=transport, trust_env=trusted) as client:
        client.headers.clear()
        client.headers.update({"user-agent": USER_AGENT, "accept-encoding": "gzip"})
        yield _Client(client, clock)


class _Client:
    def __init__(self, client: httpx2.Client, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._socket: socket.socket | None = None

    def __call__(self, call: Call) -> Reply:
        import httpx2

        self._client.cookies.clear()
        begin = self._clock()
        # The library limits each read, not all of them: headers could drip in for days.
        watch = threading.Timer(call.seconds, self._hang_up)
        watch.daemon = True
        watch.start()
        try:
            with self._client.stream(
                call.method,
                call.url,
                content=call.body or None,
                headers={"content-type": "application/json"} if call.body else None,
                follow_redirects=False,
                timeout=httpx2.Timeout(call.seconds, connect=_CONNECT_SECONDS),
                extensions={"trace": self._trace},
            ) as response:
                body = self._read(response, call, begin)
                headers = {name.lower(): one_line(text) for name, text in response.headers.items()}
                return Reply(response.status_code, headers, body, self._clock() - begin)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise self._no_reply(error, call, begin) from None
        finally:
            watch.cancel()

    def _read(self, response: httpx2.Response, call: Call, begin: float) -> bytes:
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            waited = self._clock() - begin
            if len(data) > call.limit:
                reason = f"the answer is larger than {call.limit:,} bytes"
                raise NoReplyError(Trouble.ENDLESS, reason, waited)
            if waited > call.seconds:
                raise NoReplyError(Trouble.SLOW, _too_slow(call), waited)
        return bytes(data)

    def _no_reply(self, error: Exception, call: Call, begin: float) -> NoReplyError:
        import httpx2

        waited = self._clock() - begin
        if waited >= call.seconds or isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
            return NoReplyError(Trouble.SLOW, _too_slow(call), waited)
        if isinstance(error, httpx2.ReadError | httpx2.ProtocolError | httpx2.DecodingError):
            return NoReplyError(Trouble.CUT_SHORT, _reason(error), waited)
        return NoReplyError(Trouble.UNREACHABLE, _reason(error), waited)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Remember the newest connection."""
        if event == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")

    def _hang_up(self) -> None:
        """End a connection under whoever waits for it."""
        if self._socket is not None:
            with suppress(OSError):
                # Not the method of a TLS socket, which must not be used from two threads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _too_slow(call: Call) -> str:
    return f"the answer was not there after {call.seconds:g} s"


def _reason(error: Exception) -> str:
    """Say in a few words what happened to the connection."""
    import httpx2

    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "its certificate could not be verified"
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection came about in {_CONNECT_SECONDS:g} s"
    for cause in _causes(error):
        for kind, words in _REASONS:
            if isinstance(cause, kind):
                return words
    text = re.sub(r"\[Errno -?[0-9]+\] ", "", one_line(str(error)))
    return text[:200] or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that led to it."""
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__
