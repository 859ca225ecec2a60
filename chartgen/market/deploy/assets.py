"""Uploading the files that Cloudflare has not yet, a bucket at a time."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chartgen.errors import RemoteError
from chartgen.market.deploy.api import CloudflareApi
from chartgen.market.deploy.failures import refusal_of
from chartgen.market.deploy.http import Answer, NoAnswerError, Part
from chartgen.market.deploy.plan import Asset, Plan
from chartgen.market.deploy.secret import Secret
from chartgen.market.deploy.shapes import Uploaded, shaped
from chartgen.market.deploy.waiting import backoff_seconds

# wrangler 4.164.0 (deploy-helpers, helpers/assets.ts): five tries beyond the first, and after a
# timeout of the gateway 5, 10, 20 ... seconds more.
_TRIES = 6
_GATEWAY_TIMEOUT = 524
_GATEWAY_SECONDS = 5
# A token for uploading is good for an hour; what went through stays, so a new one goes on there.
_SESSIONS = 3
_DOING = "uploading files"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was uploaded: files and bytes, of those that were missing."""

    files: int
    bytes: int


Progress = Callable[[Sent, Sent], None]
"""Is told what has been sent, and what there is to send."""


class _SessionOverError(Exception):
    """The upload token is not taken any more; carries what is said if a new one does not help."""

    def __init__(self, error: RemoteError) -> None:
        super().__init__()
        self.error = error


def send_assets(
    api: CloudflareApi, name: str, plan: Plan, progress: Progress
) -> tuple[Secret, Sent]:
    """Upload the assets that are missing.

    Return the proof that all of them are there, and what was sent. Raises RemoteError where that
    cannot be done; what was sent until then stays and is not sent again.
    """
    assets = plan.by_hash
    files = size = 0
    failure = RemoteError(
        f"{_DOING}: Cloudflare took the files and never said that all of them are there. Run this "
        "again: it goes on where it stopped."
    )
    for _ in range(_SESSIONS):
        session = api.start_upload(name, plan.manifest)
        buckets = _known(session.buckets, assets)
        if not buckets:
            return session.jwt, Sent(files, size)
        missing = [asset for bucket in buckets for asset in bucket]
        total = Sent(files + len(missing), size + sum(asset.size for asset in missing))
        proof = None
        try:
            for bucket in buckets:
                # The proof comes with whichever bucket was the last to arrive.
                proof = _send_bucket(api, session.jwt, plan, bucket) or proof
                files += len(bucket)
                size += sum(asset.size for asset in bucket)
                progress(Sent(files, size), total)
        except _SessionOverError as over:
            failure = over.error
            continue
        if proof is not None:
            return proof, Sent(files, size)
    raise failure


def _known(
    buckets: Sequence[Sequence[str]], assets: Mapping[str, Asset]
) -> list[tuple[Asset, ...]]:
    unknown = next((name for bucket in buckets for name in bucket if name not in assets), None)
    if unknown is not None:
        raise RemoteError(
            f"{_DOING}: Cloudflare asks for a file that the market does not have "
            f"({unknown[:64]!r}). Run this again; if it stays so, report it."
        )
    return [tuple(assets[name] for name in bucket) for bucket in buckets if bucket]


def _send_bucket(
    api: CloudflareApi, session: Secret, plan: Plan, bucket: Sequence[Asset]
) -> Secret | None:
    """Send a bucket until it is taken. That is harmless: its files have the same names again."""
    form = tuple(_part(plan, asset) for asset in bucket)
    timeouts = 0
    for attempt in range(_TRIES):
        last = attempt == _TRIES - 1
        try:
            answer = api.upload(session, form)
        except NoAnswerError as error:
            if last:
                raise api.unreachable(_DOING, error) from None
            api.clock.sleep(backoff_seconds(attempt))
            continue
        refusal = refusal_of(answer, session)
        if refusal is None:
            return _proof(answer)
        if refusal.status in {401, 403} and not refusal.challenged:
            raise _SessionOverError(api.refused(refusal, _DOING))
        if last or not (refusal.passing or refusal.throttled or refusal.busy):
            raise api.refused(refusal, _DOING)
        pause = api.pause_seconds(attempt, answer, refusal, _DOING)
        if refusal.status == _GATEWAY_TIMEOUT:
            pause += _GATEWAY_SECONDS * 2**timeouts
            timeouts += 1
        api.clock.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _part(plan: Plan, asset: Asset) -> Part:
    data = base64.b64encode(plan.site.content(asset.path))
    return Part(asset.hash, data, asset.hash, asset.content_type)


def _proof(answer: Answer) -> Secret | None:
    return shaped(Uploaded, answer.json().get("result") or {}, _DOING).jwt
