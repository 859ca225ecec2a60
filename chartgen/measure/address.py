"""The address of an endpoint, as a person gives it, and the pages below it that are asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from chartgen.errors import RefusedError
from chartgen.terminal import one_line

_DEFAULT_PORTS = {"http": 80, "https": 443}
# OpenAI clients take the address with this at its end, the engines' own pages stand beside it.
_API = "/v1"
_LABEL_LETTERS, _NAME_LETTERS = 63, 254
_SCHEME, _ASKED = re.compile("[A-Za-z][A-Za-z0-9+.-]*://"), re.compile("[?#]")
_HIDDEN = "…"
_LETTERS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is: `path` is what stands before `/v1` and `/metrics`, mostly nothing."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return host and port as a request names them, without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the address as it is shown, without `/v1` and without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.path}"


def read_endpoint(url: str) -> Address:
    """Return the address of an endpoint, given with or without `/v1` at its end.

    Raises RefusedError for what is no http or https address, and for one that holds a password.
    """
    shown = _shown(url)
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
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise _refused(shown, "an address has neither spaces nor special letters")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused(shown, "is no address") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _refused(shown, "is no address of an endpoint")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        # Where the @ is missing, the port is a password.
        host = f"{parts.scheme}://{parts.hostname}"
        raise _refused(host, "its port is no number from 1 to 65535")
    if ":" not in parts.hostname and not _is_name(parts.hostname):
        raise _refused(shown, "no host has such a name")
    return parts


def _refused(shown: str, why: str) -> RefusedError:
    # Never with the words of urlsplit's error, which may quote a password.
    advice = "write http://HOST:PORT or https://HOST, as the app's API address is shown"
    return RefusedError(f"{shown}: {why}; {advice}")


def _is_name(host: str) -> bool:
    """Tell whether a host can be looked up: labels of 1 to 63 letters (RFC 1035 §2.3.4)."""
    labels = host.removesuffix(".").split(".")
    return len(host) <= _NAME_LETTERS and all(1 <= len(one) <= _LABEL_LETTERS for one in labels)


def _shown(url: str) -> str:
    """Return an address on one line, without what may be a password, a key or a part of one."""
    text = one_line(url)
    scheme = _SCHEME.match(text)
    begin = scheme[0] if scheme is not None else ""
    user, at, place = text.removeprefix(begin).rpartition("@")
    if _ASKED.search(user):
        # The @ may be one of the query, or the ? one of the password.
        return f"{begin}{_HIDDEN}"
    asked = _ASKED.search(place)
    if asked is not None:
        place = f"{place[: asked.end()]}{_HIDDEN}"
    return f"{begin}{_HIDDEN if at else ''}{at}{place}"[:_LETTERS_SHOWN]
