"""What Cloudflare's API says when it refuses, and what a person can do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chartgen.errors import RemoteError
from chartgen.market.deploy.http import Answer
from chartgen.market.deploy.secret import Secret
from chartgen.terminal import one_line

NO_PERMISSION = 10000
_MESSAGE_LIMIT = 400
_TOKENS = "https://dash.cloudflare.com/profile/api-tokens"
_DASHBOARD = "https://dash.cloudflare.com/?to=/:account/workers-and-pages"

# Codes from Cloudflare's list (cloudflare-docs, workers/platform/error-codes, 2026) and from the
# sources of wrangler 4.164.0.
_PERMISSION = (
    "Check that CLOUDFLARE_API_TOKEN is whole, not expired, and of the account "
    "CLOUDFLARE_ACCOUNT_ID, and that it may edit Workers: permission 'Workers Scripts Edit', or "
    "the role Editor on this Worker (Admin to create it)"
)
_REMEDIES = {
    NO_PERMISSION: f"{_PERMISSION} ({_TOKENS})",
    9109: f"{_PERMISSION} ({_TOKENS})",
    10015: _PERMISSION,
    10023: _PERMISSION,
    7003: "Check CLOUDFLARE_ACCOUNT_ID: 32 hexadecimal digits, shown beside your Workers",
    10007: f"Check the name of the Worker and CLOUDFLARE_ACCOUNT_ID ({_DASHBOARD})",
    10090: f"Check the name of the Worker and CLOUDFLARE_ACCOUNT_ID ({_DASHBOARD})",
    10016: "Choose a name of lower-case letters, digits and dashes that starts with a letter",
    100132: "Choose a shorter name for the Worker",
    10021: "The Worker's script is at fault, not your apps: report this with the message",
    10027: "The texts of all apps do not fit into one Worker: retire old apps, or split the market",
    10034: "Open the e-mail that Cloudflare sent to your account and confirm the address",
    10035: "Somebody else is changing this Worker; wait until they are done and run this again",
    10037: f"Delete a Worker that you do not need any more ({_DASHBOARD})",
    10063: f"Open {_DASHBOARD} once: that registers your account's workers.dev name",
    10031: "Another account has this workers.dev name; choose another one",
    10033: "A workers.dev name has lower-case letters, digits and dashes",
    10210: "Run this again; if it stays so, deploy a version by hand in the dashboard",
    10304: "The list of files was refused: a market on the free plan has at most 20,000 files",
    100112: "The domain is not part of the zone that was named",
    100114: "Add the domain's zone to your Cloudflare account first",
    100116: "The domain belongs to another Worker; detach it there, or choose another domain",
    100117: "The domain has DNS records; delete them in the zone, or choose another domain",
}
_STATUS_REMEDIES = {
    401: _REMEDIES[NO_PERMISSION],
    403: _REMEDIES[NO_PERMISSION],
    413: "One request was too large; report this",
    429: "Cloudflare takes 1,200 calls in 5 minutes; run this again in 5 minutes",
}
_RUN_AGAIN = "Run this again; see https://www.cloudflarestatus.com if it stays so"
# Internal errors of theirs: the same call may succeed a moment later.
_PASSING_CODES = frozenset({10002, 10013, 10014})
_BUSY_CODE = 10035


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success. `code` is 0 where the API gave none."""

    status: int
    code: int
    text: str
    challenged: bool = False

    @property
    def passing(self) -> bool:
        """Tell whether the same call may succeed later, and may or may not have been done.

        That is so for their internal errors, and for a success that cannot be read.
        """
        unclear = 200 <= self.status < 300 and not self.code
        internal = self.status >= 500 or self.code in _PASSING_CODES
        return not self.challenged and (internal or unclear)

    @property
    def throttled(self) -> bool:
        """Tell whether the call was turned away for the number of calls."""
        return self.status == 429

    @property
    def busy(self) -> bool:
        """Tell whether somebody else holds what the call wanted to change."""
        return self.status == 409 or self.code == _BUSY_CODE

    @property
    def remedy(self) -> str:
        """Say what a person can do."""
        if self.challenged:
            return (
                "Cloudflare's firewall wants to see a browser: use another network, without a "
                "VPN or a shared proxy"
            )
        if self.code in _REMEDIES:
            return _REMEDIES[self.code]
        return _STATUS_REMEDIES.get(self.status, _RUN_AGAIN)

    def sentence(self, doing: str) -> str:
        """Return the whole message: what was being done, what came back, what to do."""
        code = f", code {self.code}" if self.code else ""
        text = self.text[:_MESSAGE_LIMIT]
        return f"{doing}: Cloudflare says: {text} (HTTP {self.status}{code}). {self.remedy}."


class ApiError(RemoteError):
    """Cloudflare refused a call."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__(message)
        self.status = refusal.status
        self.code = refusal.code


class LostAnswerError(RemoteError):
    """Nobody knows whether Cloudflare carried a call out; asking again blindly may do it twice."""


class BusyError(RemoteError):
    """Somebody else is changing the same thing at this moment; nothing was done."""


def refusal_of(answer: Answer, bearer: Secret) -> Refusal | None:
    """Read an answer of the API that is no success; None for one that is.

    Whatever the other side repeats of the token that it was sent is taken out at once.
    """
    challenged = answer.headers.get("cf-mitigated") == "challenge"
    document = _document(answer)
    answered = 200 <= answer.status < 300 and isinstance(document, dict)
    if answered and document.get("success") is True:
        return None
    code, text = _code_and_text(document)
    return Refusal(answer.status, code, bearer.redact(text or _about(answer)), challenged)


def _document(answer: Answer) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None


def _code_and_text(document: Any) -> tuple[int, str]:
    """Find the first error, in the usual envelope or in the short `{code, error}` of some calls."""
    if not isinstance(document, dict):
        return 0, ""
    errors = document.get("errors")
    found = errors[0] if isinstance(errors, list) and errors else document
    if not isinstance(found, dict):
        return 0, ""
    # The cause stands in the chain where the outer message is only "something failed".
    chain = found.get("error_chain")
    links = [link for link in chain if isinstance(link, dict)] if isinstance(chain, list) else []
    texts = [found.get("message") or found.get("error"), *(link.get("message") for link in links)]
    text = ": ".join(part for part in texts if isinstance(part, str) and part)
    code = found.get("code")
    return code if isinstance(code, int) else 0, one_line(text)


def _about(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"go to {answer.headers.get('location', 'another place')}, which is not followed"
    if not answer.body:
        return "nothing"
    kind = "a web page" if answer.media_type == "text/html" else "something unreadable"
    return f"{kind} instead of an answer"
