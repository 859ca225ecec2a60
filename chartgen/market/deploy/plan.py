"""What is to be uploaded: a pure function of the site and the Worker's script.

Cloudflare takes the hash of an asset as it is given and never computes it: two algorithms are in
use, BLAKE3 in wrangler and SHA-256 in the documentation. It keeps bytes and content type together
under the hash, for the whole account, and asks only for hashes that it has not. So a hash must
stand for bytes and type, and need not be made of the bytes again where their digest is known.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chartgen.errors import RefusedError
from chartgen.market.deploy.http import Part
from chartgen.market.deploy.secret import Secret
from chartgen.market.site import Site, SiteFile
from chartgen.market.worker_data import (
    COMPATIBILITY_DATE,
    MAIN_MODULE,
    worker_config,
    worker_modules,
)

# Limits of late 2026: workers-shared/utils/constants.ts of cloudflare/workers-sdk at f830836, and
# developers.cloudflare.com/workers/platform/limits.
MAX_FILES = 100_000
MAX_FILES_FREE = 20_000
MAX_FILE_BYTES = 25 << 20
_MAX_MESSAGE_BYTES, _MAX_TAG_BYTES = 1000, 100
# What a person has added in the dashboard stays when a version is uploaded, as with wrangler.
_KEPT_BINDINGS = ("secret_text", "secret_key")
_HASH_LENGTH = 32
_ORIGIN = re.compile(rf"[A-Za-z0-9]{{1,{_MAX_TAG_BYTES - _HASH_LENGTH - 1}}}")
_TAG = re.compile(rf"([0-9a-f]{{{_HASH_LENGTH}}})\.([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class WorkerScript:
    """The Worker's code: modules by name, each with its media type, and how assets are served."""

    main: str
    modules: Mapping[str, tuple[str, bytes]]
    asset_config: Mapping[str, Any]
    compatibility_date: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as Cloudflare keeps it: under `hash`, with the type that it is served with."""

    path: str
    hash: str
    size: int
    content_type: str


@dataclass(frozen=True)
class Plan:
    """Everything of one version but the tokens. `digest` is equal for equal versions only."""

    site: Site
    assets: tuple[Asset, ...]
    script: WorkerScript
    digest: str = ""

    @property
    def manifest(self) -> dict[str, dict[str, str | int]]:
        """Return what the upload session is asked about."""
        return {asset.path: {"hash": asset.hash, "size": asset.size} for asset in self.assets}

    @property
    def by_hash(self) -> dict[str, Asset]:
        """Return the assets that differ, by hash."""
        return {asset.hash: asset for asset in self.assets}

    def tag(self, origin: str) -> str:
        """Return the tag of the version: what it is, and which ledger it was made from."""
        return f"{self.digest}.{origin}"

    def form(self, completion: Secret, message: str, tag: str) -> tuple[Part, ...]:
        """Return the upload of script and settings; `completion` proves the assets are there."""
        metadata = Part("metadata", json.dumps(self.metadata(completion, message, tag)).encode())
        modules = self.script.modules.items()
        return (metadata, *(Part(name, data, name, kind) for name, (kind, data) in modules))

    def metadata(self, completion: Secret, message: str, tag: str) -> dict[str, Any]:
        """Return the settings of the version. It holds the token: it is to be sent, not shown."""
        return {
            "main_module": self.script.main,
            "compatibility_date": self.script.compatibility_date,
            "compatibility_flags": [],
            "bindings": [{"type": "assets", "name": "ASSETS"}],
            "keep_bindings": list(_KEPT_BINDINGS),
            "annotations": {"workers/message": short_message(message), "workers/tag": tag},
            "assets": {"jwt": completion.reveal(), "config": dict(self.script.asset_config)},
        }


def market_script(site: Site) -> WorkerScript:
    """Return the code that answers for a site. Raises RefusedError for one that is too large."""
    return WorkerScript(MAIN_MODULE, worker_modules(site), worker_config(site), COMPATIBILITY_DATE)


def build_plan(site: Site, script: WorkerScript) -> Plan:
    """Return the plan of a site. Raises RefusedError where Cloudflare could not hold its files."""
    if len(site.files) > MAX_FILES:
        raise RefusedError(
            f"the site has {len(site.files):,} files, a Worker holds {MAX_FILES:,} "
            f"({MAX_FILES_FREE:,} on the free plan); split the market"
        )
    for path, file in site.files.items():
        if file.size > MAX_FILE_BYTES:
            raise RefusedError(
                f"{path}: has {file.size:,} bytes, a Worker serves files of {MAX_FILE_BYTES:,} at "
                "most; make the app's files smaller"
            )
    assets = tuple(
        Asset(path, asset_hash(file), file.size, file.content_type)
        for path, file in sorted(site.files.items())
    )
    plan = Plan(site, assets, script)
    return replace(plan, digest=_digest(plan))


def asset_hash(file: SiteFile) -> str:
    """Return what Cloudflare keeps a file under: 32 hexadecimal digits for bytes and type."""
    text = f"{file.sha256} {file.content_type}"
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def digest_of(tag: str) -> str:
    """Return the digest of the plan that a version was made from, empty for a foreign tag."""
    match = _TAG.fullmatch(tag)
    return match[1] if match else ""


def origin_of(tag: str) -> str:
    """Return the ledger that a version was made from, empty for a foreign tag."""
    match = _TAG.fullmatch(tag)
    return match[2] if match else ""


def check_origin(origin: str) -> None:
    """Raise RefusedError for an origin that no tag can carry."""
    if not _ORIGIN.fullmatch(origin):
        raise RefusedError(f"{origin[:80]!r}: an origin is 1 to 67 letters and digits")


def short_message(message: str) -> str:
    """Return a message of at most as many bytes as Cloudflare keeps."""
    return message.encode()[:_MAX_MESSAGE_BYTES].decode(errors="ignore")


def _digest(plan: Plan) -> str:
    """Return a digest of all that makes a version, in any order of files and modules."""
    script = plan.script
    modules = {
        name: [kind, hashlib.sha256(data).hexdigest()]
        for name, (kind, data) in script.modules.items()
    }
    settings = [
        script.main,
        modules,
        script.compatibility_date,
        dict(script.asset_config),
        plan.manifest,
    ]
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
