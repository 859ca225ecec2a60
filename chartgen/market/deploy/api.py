"""Calls of Cloudflare's Workers API, each typed, each repeated only where that does no harm.

The calls are those of the public REST API (developers.cloudflare.com/api, resources `workers` and
`workers/scripts`); what is sent is compared with recordings of wrangler 4.164.0 in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from chartgen import __version__
from chartgen.errors import RemoteError
from chartgen.market.deploy.account import Account
from chartgen.market.deploy.failures import (
    ApiError,
    BusyError,
    LostAnswerError,
    Refusal,
    refusal_of,
)
from chartgen.market.deploy.http import Answer, Http, NoAnswerError, Part, Request
from chartgen.market.deploy.secret import Secret
from chartgen.market.deploy.shapes import (
    AccountName,
    Deployment,
    Deployments,
    Domain,
    Domains,
    Reach,
    S,
    UploadSession,
    Version,
    Versions,
    shaped,
)
from chartgen.market.deploy.waiting import (
    LONGEST_WAIT_SECONDS,
    TRIES,
    Clock,
    asked_seconds,
    backoff_seconds,
)

# wrangler 4.164.0 sends this with the call that switches workers.dev on: the meaning of
# `previews_enabled` hangs on it.
_SUBDOMAIN_DATE = {"cloudflare-workers-script-api-date": "2025-08-01"}
# Codes of "there is no such Worker", "the account has no workers.dev name" and "no versions yet".
_ABSENT = (10007, 10090, 10222)

Form = tuple[Part, ...]


class CloudflareApi:
    """The API, for one account.

    A method that only reads, or that leaves the same state however often it is done, repeats its
    call through failures that pass. The others repeat it only where it was surely not carried
    out: they raise LostAnswerError where nobody knows, and BusyError where somebody else is at
    work. All of them raise ApiError where Cloudflare refuses, and RemoteError where it cannot be
    reached.
    """

    def __init__(self, account: Account, http: Http, clock: Clock) -> None:
        self._account = account
        self._http = http
        self.clock = clock

    def deployments(self, name: str) -> tuple[Deployment, ...]:
        """Return the deployments of a Worker, newest first; none if there is no such Worker."""
        path = f"/scripts/{name}/deployments"
        found = self._read_if_there(Deployments, path, f"reading what {name} serves")
        return found.deployments if found else ()

    def version(self, name: str, version_id: str) -> Version:
        """Return one version of a Worker."""
        path = f"/scripts/{name}/versions/{version_id}"
        return self._read(Version, path, f"reading a version of {name}")

    def find_version(self, name: str, tag: str) -> Version | None:
        """Return the newest version that was uploaded with a tag."""
        path = f"/scripts/{name}/versions?deployable=true"
        found = self._read_if_there(Versions, path, f"reading the versions of {name}")
        versions = found.items if found else ()
        return next((version for version in versions if version.tag == tag), None)

    def start_upload(self, name: str, manifest: Mapping[str, Any]) -> UploadSession:
        """Say which files the next version has, and learn which of them are missing."""
        path, doing = f"/scripts/{name}/assets-upload-session", f"preparing the files of {name}"
        result = self._result("POST", path, doing, data={"manifest": manifest})
        return shaped(UploadSession, result, doing)

    def upload(self, session: Secret, files: Form) -> Answer:
        """Send files once; the answer may be a refusal. Raises NoAnswerError."""
        return self._send("POST", "/assets/upload?base64=true", session, {}, files)

    def create(self, name: str, form: Form) -> None:
        """Upload the first version of a Worker, which makes and deploys it."""
        path = f"/scripts/{name}?excludeScript=true&bindings_inherit=strict"
        self._result("PUT", path, f"creating the Worker {name}", body=form, repeat=False)

    def add_version(self, name: str, form: Form) -> Version:
        """Upload a version, which nobody sees yet."""
        path = f"/scripts/{name}/versions?bindings_inherit=strict"
        doing = f"uploading a version of {name}"
        return shaped(Version, self._result("POST", path, doing, body=form, repeat=False), doing)

    def deploy(self, name: str, version_id: str, message: str, *, force: bool = False) -> None:
        """Let all traffic go to one version.

        `force` lets an old version through where Cloudflare would stop because settings changed
        since.
        """
        data = {
            "strategy": "percentage",
            "versions": [{"version_id": version_id, "percentage": 100}],
            "annotations": {"workers/message": message},
        }
        path = f"/scripts/{name}/deployments{'?force=true' if force else ''}"
        self._result("POST", path, f"deploying a version of {name}", data=data, repeat=False)

    def account_name(self) -> str | None:
        """Return the account's name below workers.dev, None before it has one."""
        found = self._read_if_there(AccountName, "/subdomain", "reading your workers.dev name")
        return found.subdomain if found else None

    def register_account_name(self, subdomain: str) -> None:
        """Give the account its name below workers.dev, which is for good."""
        doing = f"registering {subdomain}.workers.dev"
        self._result("PUT", "/subdomain", doing, data={"subdomain": subdomain})

    def reach(self, name: str) -> Reach:
        """Return where a Worker is reached on workers.dev."""
        return self._read(Reach, f"/scripts/{name}/subdomain", f"reading the addresses of {name}")

    def set_reach(self, name: str, reach: Reach) -> None:
        """Switch a Worker's addresses on workers.dev on or off."""
        path, doing = f"/scripts/{name}/subdomain", f"setting the addresses of {name}"
        self._result("POST", path, doing, data=reach.model_dump(), headers=_SUBDOMAIN_DATE)

    def domain(self, hostname: str) -> Domain | None:
        """Return what a domain leads to, None if it leads to no Worker."""
        doing = f"reading what {hostname} leads to"
        found = self._result("GET", f"/domains?{urlencode({'hostname': hostname})}", doing)
        domains = shaped(Domains, {"items": found or ()}, doing).items
        return next((domain for domain in domains if domain.hostname == hostname), None)

    def attach_domain(self, name: str, hostname: str, zone: str | None) -> None:
        """Let a domain lead to a Worker."""
        data = {"hostname": hostname, "service": name} | ({"zone_name": zone} if zone else {})
        self._result("PUT", "/domains", f"attaching {hostname} to {name}", data=data)

    # How a call is made ------------------------------------------------------------------------

    def _read(self, shape: type[S], path: str, doing: str) -> S:
        return shaped(shape, self._result("GET", path, doing), doing)

    def _read_if_there(self, shape: type[S], path: str, doing: str) -> S | None:
        try:
            return self._read(shape, path, doing)
        except ApiError as error:
            if error.code in _ABSENT:
                return None
            raise

    def _result(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        data: Any = None,
        body: bytes | Form = b"",
        headers: Mapping[str, str] | None = None,
        repeat: bool = True,
    ) -> Any:
        """Make a call until it succeeds or is refused, and return its result."""
        headers = dict(headers or {})
        if data is not None:
            body = json.dumps(data, separators=(",", ":")).encode()
            headers["content-type"] = "application/json"
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                answer = self._send(method, path, self._account.token, headers, body)
            except NoAnswerError as error:
                if error.sent and not repeat:
                    raise LostAnswerError(f"{doing}: no answer came ({error})") from None
                if last:
                    raise self.unreachable(doing, error) from None
                self.clock.sleep(backoff_seconds(attempt))
                continue
            refusal = refusal_of(answer, self._account.token)
            if refusal is None:
                return answer.json().get("result")
            self._give_up_or_go_on(refusal, doing, repeat=repeat, last=last)
            self.clock.sleep(self.pause_seconds(attempt, answer, refusal, doing))
        raise AssertionError("the last attempt returns or raises")

    def _give_up_or_go_on(self, refusal: Refusal, doing: str, *, repeat: bool, last: bool) -> None:
        """Return where a refused call is to be made again, raise where it is not."""
        if not repeat and refusal.busy:
            raise BusyError(refusal.sentence(doing))
        if not repeat and refusal.passing:
            raise LostAnswerError(refusal.sentence(doing))
        if last or not (refusal.passing or refusal.throttled or refusal.busy):
            raise self.refused(refusal, doing)

    def pause_seconds(self, attempt: int, answer: Answer, refusal: Refusal, doing: str) -> float:
        """Return how long to wait before a refused call is made again.

        Raises ApiError where the answer asks for more than a person waits.
        """
        asked = asked_seconds(answer.headers)
        if asked > LONGEST_WAIT_SECONDS:
            raise ApiError(
                f"{refusal.sentence(doing)} It asks to be left alone for {asked:.0f} seconds.",
                refusal,
            )
        return max(asked, backoff_seconds(attempt))

    def refused(self, refusal: Refusal, doing: str) -> ApiError:
        """Return the error for a call that Cloudflare refuses."""
        return ApiError(refusal.sentence(doing), refusal)

    def unreachable(self, doing: str, error: NoAnswerError) -> RemoteError:
        """Return the error for a call that gets no answer."""
        host = urlsplit(self._account.api).hostname
        return RemoteError(
            f"{doing}: no answer from {host} ({error}). "
            "Check the network connection and run this again; nothing is lost."
        )

    def _send(
        self,
        method: str,
        path: str,
        bearer: Secret,
        headers: Mapping[str, str],
        body: bytes | Form,
    ) -> Answer:
        address = f"{self._account.api}/accounts/{self._account.id}/workers{path}"
        named = {"user-agent": f"chartgen/{__version__}", **headers}
        return self._http.send(Request(method, address, named, bearer, body))
