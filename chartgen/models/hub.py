"""Requests to a Hugging Face Hub: few, bounded, and with the token for that host alone.

What the Hub answers, and what its errors mean, is read from huggingface_hub 2.4.0
(hf_api.py model_info, utils/_http.py hf_raise_for_status, file_download.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from chartgen.errors import MissingToolError, RemoteError
from chartgen.spec.values import REPOSITORY
from chartgen.terminal import one_line

if TYPE_CHECKING:
    import httpx2

    from chartgen.market.deploy.secret import Secret

DEFAULT_ENDPOINT = "https://huggingface.co"
# Repositories with thousands of files answer a few megabytes; configs have some kilobytes.
INFO_LIMIT = 16 << 20
JSON_LIMIT = 4 << 20
# An index of the weights of the largest models has some ten megabytes.
INDEX_LIMIT = 64 << 20
_REDIRECTS = 5
_SECONDS = 60.0
# From the first byte of an answer to its last; an index of 64 MB over a slow line.
_TOTAL_SECONDS = 600.0
_CONNECT_SECONDS = 15.0
_MOST_FILES = 20_000


class HubError(RemoteError):
    """The Hub refused, failed, or has not what was asked for."""


class NotThereError(HubError):
    """The repository has no such file."""


@dataclass(frozen=True, slots=True)
class RepoFiles:
    """A repository at one commit: its files with their sizes in bytes, None where unknown."""

    repository: str
    commit: str
    sizes: Mapping[str, int | None]


class Hub:
    """One Hub, by its address."""

    def __init__(self, client: httpx2.Client, endpoint: str, token: Secret | None) -> None:
        self._client = client
        self._endpoint = endpoint
        self._token = token

    def files(self, repository: str, revision: str) -> RepoFiles:
        """Return the files of a repository at a branch, tag or commit. Raises HubError."""
        if not re.fullmatch(REPOSITORY, repository):
            raise HubError(f"{repository!r} is no repository; write it as owner/name")
        path = f"/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        _, data = self._get(path, f"{repository}@{revision}", limit=INFO_LIMIT)
        info = _json(data, repository)
        commit = info.get("sha") if isinstance(info, dict) else None
        siblings = info.get("siblings") if isinstance(info, dict) else None
        if not isinstance(commit, str) or not re.fullmatch(r"[0-9a-f]{40}", commit):
            raise HubError(f"{repository}: the answer names no commit; is this a Hub?")
        sizes: dict[str, int | None] = {}
        for sibling in (siblings if isinstance(siblings, list) else [])[:_MOST_FILES]:
            name = sibling.get("rfilename") if isinstance(sibling, dict) else None
            size = sibling.get("size") if isinstance(sibling, dict) else None
            if isinstance(name, str):
                whole = isinstance(size, int) and not isinstance(size, bool) and size >= 0
                sizes[name] = size if whole else None
        return RepoFiles(repository, commit, sizes)

    def json(self, files: RepoFiles, name: str, *, limit: int = JSON_LIMIT) -> Any:
        """Return the content of a JSON file of a repository. Raises HubError."""
        _, data = self._get(_file_path(files, name), f"{files.repository}/{name}", limit=limit)
        return _json(data, f"{files.repository}/{name}")

    def source(self, files: RepoFiles, name: str) -> HubSource:
        """Return a file of a repository as something that is read in parts."""
        return HubSource(self, files, name)

    def part(self, files: RepoFiles, name: str, offset: int, length: int) -> bytes:
        """Return a part of a file. Raises HubError, also where only the whole can be had."""
        shown = f"{files.repository}/{name}"
        wanted = f"bytes={offset}-{offset + length - 1}"
        status, data = self._get(_file_path(files, name), shown, limit=length, part=wanted)
        if status == _OK and (offset or len(data) > length):
            raise HubError(f"{shown}: the server sends only whole files; try another HF_ENDPOINT")
        return data[:length]

    def _get(self, path: str, shown: str, *, limit: int, part: str = "") -> tuple[int, bytes]:
        """Follow redirects to the bytes of an address; the token stays with the Hub's host."""
        url = self._endpoint + path
        for _ in range(_REDIRECTS + 1):
            headers = {"accept-encoding": "identity", **({"range": part} if part else {})}
            if self._token is not None and _origin(url) == _origin(self._endpoint):
                headers["authorization"] = f"Bearer {self._token.reveal()}"
            status, answered, data = self._send(url, headers, shown, limit)
            target = answered.get("location")
            if status not in _REDIRECT or target is None:
                if status in (_OK, _PARTIAL):
                    return status, data
                raise _refusal(shown, status, answered, with_token=self._token is not None)
            url = urljoin(url, target)
            self._check(url, shown)
        raise HubError(f"{shown}: more than {_REDIRECTS} redirects; try another HF_ENDPOINT")

    def _check(self, url: str, shown: str) -> None:
        """Refuse to leave TLS, where the Hub itself is reached by it."""
        scheme = urlsplit(url).scheme
        if scheme != "https" and not (scheme == "http" and self._endpoint.startswith("http:")):
            raise HubError(f"{shown}: a redirect leads to {scheme}, not https; nothing was read")

    def _send(
        self, url: str, headers: Mapping[str, str], shown: str, limit: int
    ) -> tuple[int, Mapping[str, str], bytes]:
        import time

        import httpx2

        end = time.monotonic() + _TOTAL_SECONDS
        try:
            with self._client.stream("GET", url, headers=dict(headers)) as response:
                good = response.status_code in (_OK, _PARTIAL)
                data = bytearray()
                # What an error says stands in its headers.
                for chunk in response.iter_bytes() if good else ():
                    data += chunk
                    if time.monotonic() > end:
                        raise HubError(f"{shown}: the answer takes too long; try again later")
                    if len(data) > limit:
                        if "range" in headers:
                            break
                        raise HubError(
                            f"{shown}: has more than {limit:,} bytes, which nobody reads"
                        )
                return response.status_code, response.headers, bytes(data)
        except httpx2.HTTPError as error:
            reason = one_line(str(error))[:200] or type(error).__name__
            raise HubError(f"{shown}: no answer ({reason}); check the network") from None


class HubSource:
    """A file of a repository, read by ranges. `size` is what the Hub says it is."""

    def __init__(self, hub: Hub, files: RepoFiles, name: str) -> None:
        self._hub = hub
        self._files = files
        self._name = name
        self.size: int | None = files.sizes.get(name)

    def read(self, offset: int, length: int) -> bytes:
        """Return a part. Raises HubError."""
        if self.size is not None:
            length = min(length, self.size - offset)
        return self._hub.part(self._files, self._name, offset, length) if length > 0 else b""


@contextmanager
def open_hub(
    endpoint: str = DEFAULT_ENDPOINT,
    token: Secret | None = None,
    transport: httpx2.BaseTransport | None = None,
) -> Iterator[Hub]:
    """Open connections to a Hub, and close them when the block ends.

    `transport` replaces the network in tests. Raises HubError for an address that is none,
    MissingToolError where the library is not installed.
    """
    try:
        import httpx2
    except ImportError:
        raise MissingToolError(
            "fetching needs the library httpx2; install it with: pip install httpx2"
        ) from None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise HubError(f"{endpoint!r} is no address of a Hub; set HF_ENDPOINT to https://…")
    timeout = httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS)
    with httpx2.Client(timeout=timeout, transport=transport) as client:
        yield Hub(client, endpoint.rstrip("/"), token)


_OK, _PARTIAL, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 206, 401, 403, 429
_REDIRECT = frozenset({301, 302, 303, 307, 308})


def _file_path(files: RepoFiles, name: str) -> str:
    return f"/{files.repository}/resolve/{files.commit}/{quote(name)}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _json(data: bytes, shown: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise HubError(f"{shown}: is no JSON; is HF_ENDPOINT the address of a Hub?") from None


def _refusal(shown: str, status: int, headers: Mapping[str, str], *, with_token: bool) -> HubError:
    """Say what an error of the Hub means, by its X-Error-Code."""
    code = headers.get("x-error-code", "")
    token = "the token in HF_TOKEN has no access to it" if with_token else "set HF_TOKEN"
    if code == "EntryNotFound":
        return NotThereError(f"{shown}: there is no such file; check its name")
    if code == "RevisionNotFound":
        return HubError(f"{shown}: there is no such branch, tag or commit; check the revision")
    if code == "GatedRepo":
        return HubError(
            f"{shown}: asks for a licence; accept it on its page, then "
            + ("use a token of that account" if with_token else "set HF_TOKEN")
        )
    if code == "RepoNotFound" or status == _UNAUTHORIZED:
        return HubError(f"{shown}: there is no such repository, or it is private: {token}")
    if status == _TOO_MANY:
        return HubError(f"{shown}: too many requests; wait some minutes, or set HF_TOKEN")
    said = one_line(headers.get("x-error-message", ""))[:200]
    detail = f" ({said})" if said else ""
    if status == _FORBIDDEN:
        return HubError(f"{shown}: access is refused{detail}; {token}")
    return HubError(f"{shown}: the server answered {status}{detail}; try again later")
