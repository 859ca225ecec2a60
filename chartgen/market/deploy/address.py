"""Whether market.yaml states the address at which devices will reach the market."""

from __future__ import annotations

from urllib.parse import urlsplit

from chartgen.findings import Finding, Place
from chartgen.lint.rules import finding
from chartgen.market.deploy.publication import Target
from chartgen.market.layout import MARKET_FILE
from chartgen.market.settings import PLACEHOLDER

_DEFAULT_PORT = ":443"


def address_of(target: Target, host: str | None) -> str | None:
    """Return where devices reach a published market.

    `host` is the domain below which the account's Workers are. None where nobody knows.
    """
    if target.domain is not None:
        return f"https://{target.domain}"
    return f"https://{target.name}.{host}" if host is not None else None


def address_findings(stated: str, reached: str | None) -> tuple[Finding, ...]:
    """Compare market.yaml's `url` with where devices reach the market, if that is known.

    Nothing is said of the example that `init` writes: that has a rule of its own.
    """
    if reached is None or stated == PLACEHOLDER or _place(stated) == _place(reached):
        return ()
    message = f"devices will reach the market at {reached}, but url is {stated}"
    remedy = (
        f"Write `url: {reached}` in {MARKET_FILE}. Apps that are released already then need a new "
        "version: `chartgen publish --bump patch`."
    )
    return (finding("market-url-elsewhere", Place(MARKET_FILE), message, remedy),)


def _place(url: str) -> tuple[str, str]:
    """Return host and path of an https address: what decides where a request goes."""
    parts = urlsplit(url)
    return parts.netloc.lower().removesuffix(_DEFAULT_PORT), parts.path.rstrip("/")
