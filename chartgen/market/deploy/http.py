"""HTTP requests, one at a time, with limits on time and size: the only place that knows how.

The library is httpx2, the maintained continuation of httpx with the same interface: httpx has had
no release since 0.28.1 (December 2024) and takes no reports any more, and this module handles
tokens. To go back, import `httpx` under this name; the differences in use here are none.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from chartgen.errors import MissingToolError
from chartgen.market.deploy.secret import Secret
from chartgen.terminal import one_line

if TYPE_CHECKING:
    import httpx2

# Cloudflare's own edge gives up on the API after 100 s, with a 524.
_ANSWER_SECONDS = 120.0
_CONNECT_SECONDS = 15.0
# From the first byte of a request to the last one of its answer; a bucket of assets is 50 MiB.
_TOTAL_SECONDS = 900.0
API_ANSWER_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a multipart/form-data body. One without a file name is a plain field."""

    name: str
    data: bytes = field(repr=False)
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `limit` is the largest body in bytes that the answer may have."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer: Secret | None = None
    body: bytes | tuple[Part, ...] = field(default=b"", repr=False)
    limit: int = API_ANSWER_LIMIT


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as plain data. Raises ValueError where it is no JSON."""
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class NoAnswerError(Exception):
    """No whole answer came. `sent` tells whether the other side may have got the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Http(Protocol):
    """Anything that sends requests."""

    def send(self, request: Request) -> Answer:
        """Send a request and return the answer, whatever its status. No redirect is followed.

        Raises NoAnswerError where no whole answer came.
        """


@contextmanager
def connect(everything_at: str | None = None) -> Iterator[Http]:
    """Open connections, and close them when the block ends.

    With `everything_at`, the origin of a stand-in for Cloudflare on this machine, every request
    goes there, and its Host header says whom it was meant for.

    Raises MissingToolError where the library is not installed.
    """
    try:
        import httpx2
    except ImportError:
        raise MissingToolError(
            "deploying needs the library httpx2; install it with: pip install httpx2"
        ) from None
    timeout = httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
    if everything_at is None:
        client = httpx2.Client(timeout=timeout)
    else:
        # Between this machine and itself there is neither a proxy nor TLS: no authority is
        # trusted, and none has to be read.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client = httpx2.Client(timeout=timeout, trust_env=False, verify=nobody)
    with client:
        yield _Client(client, everything_at)


class _Client:
    def __init__(self, client: httpx2.Client, everything_at: str | None) -> None:
        self._client = client
        self._everything_at = everything_at

    def send(self, request: Request) -> Answer:
        import httpx2

        # What a server wants remembered is not: a device remembers nothing either.
        self._client.cookies.clear()
        url, headers = self._address(request)
        end = time.monotonic() + _TOTAL_SECONDS
        try:
            with self._client.stream(
                request.method,
                url,
                headers=headers,
                auth=_auth(request.bearer),
                **_body(request.body),
            ) as response:
                body = _read(response.iter_bytes(), request.limit, end)
                return Answer(response.status_code, _headers(response), body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.UnsupportedProtocol) as error:
            raise NoAnswerError(_reason(error), sent=False) from None
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise NoAnswerError(_reason(error), sent=True) from None

    def _address(self, request: Request) -> tuple[str, dict[str, str]]:
        """Return where a request goes, and its headers."""
        headers = {"accept-encoding": "gzip", **request.headers}
        if self._everything_at is None:
            return request.url, headers
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._everything_at}{parts.path}{query}", {**headers, "host": parts.netloc}


def _auth(bearer: Secret | None) -> Any:
    """Return what puts the token into a request at the last moment, where no frame shows it."""
    import httpx2

    class Bearer(httpx2.Auth):
        def auth_flow(
            self, request: httpx2.Request
        ) -> Generator[httpx2.Request, httpx2.Response, None]:
            if bearer is not None:
                request.headers["authorization"] = f"Bearer {bearer.reveal()}"
            yield request

    return Bearer()


def _body(body: bytes | tuple[Part, ...]) -> dict[str, Any]:
    if isinstance(body, bytes):
        return {"content": body} if body else {}
    fields = {part.name: part.data for part in body if part.filename is None}
    files = [
        (part.name, (part.filename, part.data, part.content_type))
        for part in body
        if part.filename is not None
    ]
    return {"data": fields, "files": files}


def _read(chunks: Iterator[bytes], limit: int, end: float) -> bytes:
    """Read an answer that is neither larger than allowed nor dripping for ever."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > limit:
            raise NoAnswerError(f"the answer is larger than {limit:,} bytes", sent=True)
        if time.monotonic() > end:
            raise NoAnswerError("the answer takes too long", sent=True)
    return bytes(data)


def _headers(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): one_line(text) for name, text in response.headers.items()}


def _reason(error: Exception) -> str:
    """Say in a few words what happened to the connection."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return (
            "its certificate could not be verified; this machine may lack the package "
            "ca-certificates, or SSL_CERT_FILE has to name your company's"
        )
    return one_line(str(error))[:200] or type(error).__name__
