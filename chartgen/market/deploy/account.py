"""Whose Cloudflare account: taken from the environment, and from nowhere else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from chartgen.errors import RefusedError
from chartgen.market.deploy.secret import Secret

DEFAULT_API = "https://api.cloudflare.com/client/v4"
# The names that wrangler and Cloudflare's own libraries use.
PERMISSION_VARIABLE = "CLOUDFLARE_API_TOKEN"
ACCOUNT_VARIABLE = "CLOUDFLARE_ACCOUNT_ID"
API_VARIABLE = "CHARTGEN_CLOUDFLARE_API"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose Workers, and with whose permission. `api` is the address of the API."""

    id: str
    token: Secret
    api: str = DEFAULT_API

    @property
    def stand_in(self) -> str | None:
        """Return the origin of a stand-in for Cloudflare on this machine, None for the real one."""
        parts = urlsplit(self.api)
        return f"{parts.scheme}://{parts.netloc}" if parts.hostname in _LOOPBACK else None


def account_from(environment: Mapping[str, str]) -> Account:
    """Take account, token and address of the API from environment variables.

    Raises RefusedError where one is missing or wrong; a token is never sent without TLS, except
    to this machine.
    """
    missing = [
        name for name in (PERMISSION_VARIABLE, ACCOUNT_VARIABLE) if not environment.get(name)
    ]
    if missing:
        raise RefusedError(
            f"deploying to Cloudflare needs {' and '.join(missing)} in the environment. Create a "
            "token with the permission 'Workers Scripts Edit' at "
            "https://dash.cloudflare.com/profile/api-tokens; the account ID is shown beside your "
            "Workers. Or publish into a folder, which needs neither."
        )
    account = environment[ACCOUNT_VARIABLE].strip().lower()
    if not re.fullmatch(r"[0-9a-f]{32}", account):
        raise RefusedError(
            f"{ACCOUNT_VARIABLE} is not an account ID, which has 32 hexadecimal digits; "
            "copy it from the overview of your Workers"
        )
    api = environment.get(API_VARIABLE, "").strip().rstrip("/") or DEFAULT_API
    _check_address(api)
    return Account(account, Secret(environment[PERMISSION_VARIABLE], PERMISSION_VARIABLE), api)


def _check_address(api: str) -> None:
    try:
        parts = urlsplit(api)
        plain = parts.hostname and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        plain = False
    if not plain:
        raise RefusedError(f"{API_VARIABLE} has to be a plain address such as {DEFAULT_API}")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise RefusedError(
            f"{API_VARIABLE} has to begin with https://: the token would travel in the open"
        )
