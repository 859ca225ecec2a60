"""What publishing would send, as data, without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chartgen.market.deploy.plan import Plan
from chartgen.market.deploy.publication import Target

# "Changed" is what differs from the version that is live; without a live one everything does.
When = Literal["always", "if needed", "first time", "later", "if changed", "later, if changed"]


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of Cloudflare's API. `bytes` is what it sends at most, without what wraps it."""

    method: str
    path: str
    about: str
    when: When = "always"
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Outline:
    """The calls in their order, and the amounts.

    `files` is the number of paths, `different_files` and `file_bytes` count what is kept for them.
    Cloudflare asks only for what it does not have yet.
    """

    worker: str
    files: int
    different_files: int
    file_bytes: int
    modules: int
    module_bytes: int
    calls: tuple[PlannedCall, ...]


def outline(plan: Plan, target: Target) -> Outline:
    """Return what publishing a plan would send. Pure: what is there already is not known."""
    sizes = [asset.size for asset in plan.by_hash.values()]
    # Base64 makes four characters of three bytes, and of what is left of each file.
    sent_bytes = sum((size + 2) // 3 * 4 for size in sizes)
    module_bytes = sum(len(data) for _, data in plan.script.modules.values())
    return Outline(
        worker=target.name,
        files=len(plan.assets),
        different_files=len(sizes),
        file_bytes=sum(sizes),
        modules=len(plan.script.modules),
        module_bytes=module_bytes,
        calls=tuple(_calls(target, sent_bytes, module_bytes)),
    )


def _calls(target: Target, sent_bytes: int, module_bytes: int) -> Iterator[PlannedCall]:
    script = f"/workers/scripts/{target.name}"
    yield PlannedCall("GET", "/workers/subdomain", "the account's workers.dev name")
    if target.account_name is not None:
        about = f"register {target.account_name}.workers.dev"
        yield PlannedCall("PUT", "/workers/subdomain", about, "if needed")
    if target.domain is not None:
        yield PlannedCall("GET", "/workers/domains", f"what {target.domain} leads to")
    yield PlannedCall("GET", f"{script}/deployments", "what is live")
    yield PlannedCall("GET", f"{script}/versions/…", "who published it", "later")
    about = "which files are missing"
    yield PlannedCall("POST", f"{script}/assets-upload-session", about, "if changed")
    upload = "/workers/assets/upload?base64=true"
    yield PlannedCall("POST", upload, "the missing files, in buckets", "if needed", sent_bytes)
    yield PlannedCall("PUT", script, "the Worker's first version", "first time", module_bytes)
    about = "a new version"
    yield PlannedCall("POST", f"{script}/versions", about, "later, if changed", module_bytes)
    yield PlannedCall("GET", f"{script}/subdomain", "where the Worker is reached")
    if target.check_first:
        about = "open the address of the version, which is then checked"
        yield PlannedCall("POST", f"{script}/subdomain", about, "if needed")
    about = "all traffic to the new version"
    yield PlannedCall("POST", f"{script}/deployments", about, "later, if changed")
    if target.domain is not None:
        yield PlannedCall("PUT", "/workers/domains", f"attach {target.domain}", "if needed")
    else:
        yield PlannedCall("POST", f"{script}/subdomain", "open the market's address", "first time")
