"""A market as a source of a device: one request after another, each answer judged.

Every call returns what the device could use of the answer, or None, and notes what was wrong with
it. Three calls in a row without an answer end the questions, and so does a sync that takes longer
than a device grants it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from chartgen.market.device.address import Base, same_origin
from chartgen.market.device.client import Call, Fetch, NoReplyError, Reply, Trouble
from chartgen.market.device.faults import Faults, shown
from chartgen.market.device.wire import Wire, parse_json

# A device reads any size. A list of 10,000 apps has some 60 MB; the others have a few KB.
LIST_LIMIT = 256 << 20
DETAILS_LIMIT = 16 << 20
SMALL_LIMIT = 1 << 20
# More than any host of ours holds (Cloudflare: 20,000 files); a market of more is an attack.
MOST_APPS = 50_000
# market-protocol-v1 §6 item 4. Lists may take longer: a device grants them its whole budget.
SECONDS = 30.0
LIST_SECONDS = 120.0
# A device gives up a source's sync after this (market-protocol-v1 §1.4).
SYNC_SECONDS = 600.0
# Go follows at most ten (net/http, defaultCheckRedirect).
_MOST_REDIRECTS = 10
_DEAD_AFTER = 3
_MISFITS_SHOWN = 20
# What resty takes for JSON (go-resty v2.12, client.go), and only then decodes.
_JSON_TYPE = re.compile(r"(?:application|text)/[^;]*json[^;]*")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A POST becomes a GET (RFC 9110 §15.4).
_POST_LOST = frozenset({301, 302, 303})


@dataclass
class Line:
    """The line to a market, which several conversations share.

    `silent` counts the requests in a row without a whole answer. `reached` tells that somebody was
    there at all; until then `obstacle` says why nobody was.
    """

    silent: int = 0
    reached: bool = False
    obstacle: str = ""

    @property
    def dead(self) -> bool:
        """Tell whether nothing more is asked."""
        return self.silent >= _DEAD_AFTER


@dataclass
class Source:
    """The state of one conversation: counters, and the time it took so far in seconds."""

    fetch: Fetch
    base: Base
    faults: Faults
    line: Line
    budget: float = SYNC_SECONDS
    requests: int = 0
    received: int = 0
    seconds: float = 0.0

    @property
    def given_up(self) -> bool:
        """Tell whether nothing more is asked."""
        return self.line.dead or self.seconds > self.budget

    def place(self, path: str) -> str:
        """Return the path of a URL below the base, for a finding."""
        return f"{self.base.path}{path}"

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        limit: int = SMALL_LIMIT,
        seconds: float = SECONDS,
        at: str = "",
    ) -> Reply | None:
        """Return the answer to a GET below the base, or None where none came.

        `at` is what findings name; by default the path. Keys of the query are sent in the order
        of the alphabet, as resty does.
        """
        ordered = f"?{urlencode(sorted(query.items()), quote_via=quote)}" if query else ""
        return self._send(Call(f"{self.base.url}{path}{ordered}", limit, seconds), at or path)

    def get_root(self, path: str, *, limit: int) -> Reply | None:
        """Return the answer to a GET of another file of the market, or None where none came."""
        url = f"{self.base.root}{quote(path)}"
        return self._send(Call(url, limit, SECONDS), "", f"{self.base.root_path}{path}")

    def post(self, path: str, body: bytes, *, limit: int = DETAILS_LIMIT) -> Reply | None:
        """Return the answer to a POST of JSON below the base, or None where none came."""
        return self._send(Call(f"{self.base.url}{path}", limit, SECONDS, body), path)

    def document(
        self,
        reply: Reply | None,
        path: str,
        *,
        json_type: bool = True,
        note: str = "",
    ) -> Any:
        """Return the JSON of an answer with status 200, or None.

        `json_type` demands a content type of JSON; `note` says what a device does without it.
        """
        if reply is None:
            return None
        if reply.status != 200:
            self.fault("market-status", path, f"the status is {reply.status}, and 200 is wanted")
            return None
        if json_type and not is_json(reply):
            kind = shown(reply.media_type)
            self.fault("market-content-type", path, f"the content type is {kind}{note}")
            return None
        if "no-store" not in reply.headers.get("cache-control", "").lower():
            value = shown(reply.headers.get("cache-control", ""))
            self.fault("market-json-cached", path, f"Cache-Control is {value}, not no-store")
        return self.parsed(reply, path)

    def parsed(self, reply: Reply, path: str) -> Any:
        """Return the JSON of an answer whatever its status and type, or None."""
        try:
            return parse_json(reply.body)
        except ValueError as error:
            self.fault("market-not-json", path, f"the answer is not JSON: {shown(str(error))}")
            return None

    def fits(self, wire: Wire, value: Any, path: str, rule: str, who: str, *, at: str = "") -> bool:
        """Tell whether a value fits a type, and note where it does not and `who` minds."""
        misfits = list(islice(wire.misfits(value, at), _MISFITS_SHOWN))
        for misfit in misfits:
            self.fault(rule, path, f"{misfit}; {who}", misfit.at)
        return not misfits

    @contextmanager
    def apart(self) -> Iterator[Faults]:
        """Collect the faults of a block by themselves, for the caller to keep or to drop."""
        kept, self.faults = self.faults, Faults()
        try:
            yield self.faults
        finally:
            self.faults = kept

    def fault(self, rule: str, path: str, message: str, at: str = "") -> None:
        """Note a fault of the answer at a path below the base."""
        self.faults.add(rule, self.place(path), message, at)

    def _send(self, call: Call, path: str, place: str = "") -> Reply | None:
        place = place or self.place(path)
        for _ in range(_MOST_REDIRECTS + 1):
            reply = self._once(call, place)
            if reply is None or reply.status not in _REDIRECTS:
                return reply
            following = self._redirected(call, reply, place)
            if following is None:
                return None
            call = following
        self.faults.add("market-redirect", place, "the redirects have no end")
        return None

    def _once(self, call: Call, place: str) -> Reply | None:
        if self.given_up:
            return None
        self.requests += 1
        try:
            reply = self.fetch(call)
        except NoReplyError as error:
            self.seconds += error.seconds
            self.faults.add(error.trouble.value, place, error.reason)
            self.line.silent += 1
            if error.trouble is Trouble.UNREACHABLE:
                self.line.obstacle = self.line.obstacle or error.reason
            else:
                self.line.reached = True
            self._note_end(place)
            return None
        self.line.silent = 0
        self.line.reached = True
        self.seconds += reply.seconds
        self.received += len(reply.body)
        self._note_end(place)
        return reply

    def _note_end(self, place: str) -> None:
        if self.line.dead:
            message = f"{_DEAD_AFTER} requests in a row brought no whole answer; no more is asked"
            self.faults.add("market-gave-up", place, message)
        elif self.seconds > self.budget:
            message = f"the answers took more than {self.budget:,.0f} s; no more is asked"
            self.faults.add("market-gave-up", place, message)

    def _redirected(self, call: Call, reply: Reply, place: str) -> Call | None:
        """Note a redirect, and return the request that follows it, if a device's would succeed."""
        target, host, path = _resolved(call.url, reply.headers.get("location", ""))
        if not same_origin(call.url, target):
            message = f"the answer is a redirect ({reply.status}) to {host}, which is not followed"
            self.faults.add("market-redirect-elsewhere", place, message)
            return None
        if call.body and reply.status in _POST_LOST:
            message = f"the answer is a redirect ({reply.status}), which turns the POST into a GET"
            self.faults.add("market-post-redirect", place, message)
            return None
        self.faults.add("market-redirect", place, f"the answer is a redirect to {path}")
        return Call(target, call.limit, call.seconds, call.body)


def _resolved(url: str, location: str) -> tuple[str, str, str]:
    """Return where a redirect leads, with its host and path for a message."""
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
    except ValueError:
        return "", "no address", ""
    return target, shown(parts.netloc), shown(parts.path)


def is_json(reply: Reply) -> bool:
    """Tell whether a device takes an answer for JSON by its content type."""
    return _JSON_TYPE.fullmatch(reply.media_type) is not None


def json_body(value: Mapping[str, Any]) -> bytes:
    """Return the body of a POST."""
    return json.dumps(value).encode()
