"""The address of an endpoint, as a person gives it, and the pages below it that are asked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from chartgen.errors import RefusedError
from chartgen.terminal import one_line

_DEFAULT_PORTS = {"http": 80, "https": 443}
# OpenAI clients take the address with this at its end, the engines' own pages stand beside it.
_API = "/v1"


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is: `path` is what stands before `/v1` and `/metrics`, mostly nothing."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """Return the address as it is shown, without `/v1` and without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_endpoint(url: str) -> Address:
    """Return the address of an endpoint, given with or without `/v1` at its end.

    Raises RefusedError for what is no http or https address, and for one that holds a password.
    """
    shown = one_line(url)[:200]
    parts = _split(url, shown)
    if parts.username is not None or parts.password is not None:
        raise RefusedError(
            "the address holds a user name or a password; put an API key into the environment "
            "variable CHARTGEN_API_KEY instead"
        )
    if parts.query or parts.fragment:
        raise RefusedError(f"{shown}: an endpoint's address has no `?` and no `#`; leave it out")
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix(_API)
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Address(parts.scheme, parts.hostname or "", port, path.rstrip("/"))


def _split(url: str, shown: str) -> SplitResult:
    advice = "write http://HOST:PORT or https://HOST, as the app's API address is shown"
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise RefusedError(f"{shown}: an address has neither spaces nor special letters; {advice}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RefusedError(f"{shown}: is no address ({error}); {advice}") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise RefusedError(f"{shown}: is no address of an endpoint; {advice}")
    return parts
