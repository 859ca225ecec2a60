"""The address of a market: what may be asked, and the parts that requests are made of."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from chartgen.errors import RefusedError
from chartgen.terminal import one_line

# The base of the charts for Olares before 1.12.6 (design §6); everything else is modern.
LEGACY_PREFIX = "/legacy"


@dataclass(frozen=True, slots=True)
class Base:
    """One base URL that a person adds as a source: `url` has no slash at its end.

    `path` is the path of the URL, with which the places of findings begin. `platform` is that of
    the charts below it, `root` the URL of the market's other files (icons, checksums).
    """

    url: str
    path: str
    platform: str
    root: str

    @property
    def root_path(self) -> str:
        """Return the path of the market's root."""
        return self.path.removesuffix(LEGACY_PREFIX) if self.platform == "legacy" else self.path


def read_address(url: str) -> Base:
    """Return the base that a person names; one that ends in `/legacy` is the legacy base.

    One slash at the end is dropped, as a device does (market-protocol-v1 §1.1). Raises
    RefusedError for what is no `https` address; `http` is for this machine only.
    """
    shown = one_line(url)[:200]
    parts = _split(url, shown)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise RefusedError(f"{shown}: a device takes https only (http is for this machine)")
    if parts.username is not None or parts.password is not None:
        raise RefusedError("the address holds a user name or a password; a device sends neither")
    if parts.query or parts.fragment:
        raise RefusedError(f"{shown}: a market's address has no `?` and no `#`")
    path = parts.path.removesuffix("/")
    if path.endswith("/") or "//" in path:
        raise RefusedError(f"{shown}: a market's address has no double slash in its path")
    origin = f"{parts.scheme}://{parts.netloc}"
    legacy = path.endswith(LEGACY_PREFIX)
    root = path.removesuffix(LEGACY_PREFIX) if legacy else path
    return Base(f"{origin}{path}", path, "legacy" if legacy else "modern", f"{origin}{root}")


def legacy_base(base: Base) -> Base:
    """Return the legacy base beside a modern one."""
    url, path = f"{base.url}{LEGACY_PREFIX}", f"{base.path}{LEGACY_PREFIX}"
    return Base(url, path, "legacy", base.root)


def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine, without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def has_top_level_domain(base: Base) -> bool:
    """Tell whether a device's dialog takes the host; this machine counts, as nobody adds it.

    Source: beclab/Olares, AddSourceDialog.vue (market-protocol-v1 §4).
    """
    host = urlsplit(base.url).hostname or ""
    return is_loopback(host) or "." in host.strip(".") or ":" in host


def same_origin(one: str, other: str) -> bool:
    """Tell whether two URLs have the same scheme, host and port."""
    try:
        first, second = urlsplit(one), urlsplit(other)
        return _origin(first) == _origin(second)
    except ValueError:
        return False


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _split(url: str, shown: str) -> SplitResult:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise RefusedError(f"{shown}: an address has no spaces and no control characters")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise RefusedError(f"{shown}: is no address ({error})") from None
    if not parts.hostname:
        raise RefusedError(f"{shown}: is no address; write https://HOST or https://HOST/PATH")
    return parts
