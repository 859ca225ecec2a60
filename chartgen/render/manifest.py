"""The Olares manifest, in the form of each platform."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from chartgen.hardware import Hardware
from chartgen.market.settings import MarketSettings
from chartgen.olares.platform import Platform, accelerators
from chartgen.quantity import format_bytes, format_cores
from chartgen.render.engine_pod import waits_for_weights
from chartgen.render.environment import render_object
from chartgen.render.gateway import CONSOLE_SERVICE, entrance_address, shared_entrances
from chartgen.render.model import ContainerShare, Workload
from chartgen.render.storage import permission
from chartgen.render.texts import Texts
from chartgen.render.variables import manifest_envs
from chartgen.render.weights import fetched
from chartgen.spec.app import AppSpec, License
from chartgen.spec.load import LoadedSpec, icon_file

# Where the usual licences of models are found; others need a `url`.
_LICENSES = {
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "mit": "https://opensource.org/license/mit",
    "gemma": "https://ai.google.dev/gemma/terms",
    "bsd-3-clause": "https://opensource.org/license/bsd-3-clause",
    "agpl-3.0": "https://www.gnu.org/licenses/agpl-3.0.html",
    "gpl-3.0": "https://www.gnu.org/licenses/gpl-3.0.html",
}
_ENTRANCE_TITLE = re.compile(r"[^0-9A-Za-z \-]+")


def manifest(
    loaded: LoadedSpec,
    platform: Platform,
    hardware: Hardware,
    market: MarketSettings,
    texts: Texts,
    workloads: Iterable[Workload],
) -> Any:
    """Return OlaresManifest.yaml as an object."""
    spec = loaded.spec
    workloads = tuple(workloads)
    totals = total_share(workloads)
    with_accelerator = platform.accelerators and spec.gpu is not None
    return render_object(
        "manifest.yaml",
        spec=spec,
        platform=platform,
        texts=texts,
        icon=icon_url(loaded, market),
        entrances=_entrances(spec, platform),
        shared_entrances=shared_entrances(spec, entrance_title(spec.title, platform)),
        shared=spec.gateway is not None,
        permission=permission(spec, with_store=bool(fetched(spec))),
        listing=_listing(spec, market),
        locales=["en-US", *sorted(locale for locale in spec.i18n if locale != "en-US")],
        arch=_arch(spec, hardware),
        accelerator=_accelerator(spec, totals) if with_accelerator else [],
        flat=_flat_resources(spec, totals),
        workload_replicas={workload.name: 1 for workload in workloads}
        if platform.workload_replicas
        else {},
        envs=manifest_envs(spec, platform),
    )


def icon_url(loaded: LoadedSpec, market: MarketSettings) -> str:
    """Return the address of the icon: it changes when the picture does."""
    file = icon_file(loaded.spec)
    if file is None:
        return str(loaded.spec.icon)
    digest = hashlib.sha256(loaded.files[file]).hexdigest()[:8]
    return f"{market.url}/icons/{loaded.spec.name}-{digest}.png"


def total_share(workloads: Iterable[Workload]) -> ContainerShare:
    """Return the sum over all containers: what the manifest must ask for at least (oac L14)."""
    shares = [c.resources for w in workloads for c in w.containers if c.resources is not None]
    total = shares[0]
    for share in shares[1:]:
        total = total + share
    return total


def _entrances(spec: AppSpec, platform: Platform) -> list[dict[str, Any]]:
    entries = []
    for entrance in spec.entrances:
        name = entrance.name or spec.name
        host, port = entrance_address(spec, entrance.port)
        entry: dict[str, Any] = {
            "name": name,
            "host": host,
            "port": port,
            "title": entrance.title or entrance_title(spec.title, platform),
            "icon": "",
            "authLevel": entrance.auth,
            "openMethod": entrance.open,
        }
        if entrance.invisible:
            entry["invisible"] = True
        if waits_for_weights(spec) and host != CONSOLE_SERVICE:
            # Otherwise the device would wait for a connection for an hour at most, and give up.
            entry["skip"] = True
        if not entry["icon"]:
            del entry["icon"]
        entries.append(entry)
    return entries


def entrance_title(title: str, platform: Platform) -> str:
    """Return an entrance's title: older checkers allow letters, digits, dashes and spaces only."""
    if platform.name == "modern":
        return title
    return " ".join(_ENTRANCE_TITLE.sub(" ", title).split()) or "App"


def _listing(spec: AppSpec, market: MarketSettings) -> dict[str, Any]:
    listing: dict[str, Any] = {
        "developer": spec.developer or market.developer,
        "submitter": spec.submitter or market.submitter,
        "website": spec.website or _model_page(spec),
        "sourceCode": spec.source,
        "doc": spec.docs,
        "featuredImage": spec.featured_image,
        "license": [_license(entry) for entry in spec.license] or None,
    }
    return {field: value for field, value in listing.items() if value}


def _model_page(spec: AppSpec) -> str | None:
    source = spec.engine.model
    return f"https://huggingface.co/{source.hf}" if source is not None and source.hf else None


def _license(entry: License) -> dict[str, str]:
    url = entry.url or _LICENSES.get(entry.text.lower())
    return {"text": entry.text} | ({"url": url} if url else {})


def _arch(spec: AppSpec, hardware: Hardware) -> list[str]:
    modes = spec.gpu.modes if spec.gpu is not None else {}
    wanted = {accelerators()[mode].arch for mode in modes if mode in accelerators()}
    return sorted({arch for arch in wanted if arch is not None} or {hardware.arch})


def _amounts(spec: AppSpec, totals: ContainerShare) -> dict[str, str]:
    return {
        "requiredCpu": format_cores(totals.cpu.request),
        "limitedCpu": format_cores(totals.cpu.limit),
        "requiredMemory": format_bytes(totals.memory.request),
        "limitedMemory": format_bytes(totals.memory.limit),
        "requiredDisk": format_bytes(spec.resources.disk.request),
        "limitedDisk": format_bytes(spec.resources.disk.limit),
    }


def _accelerator(spec: AppSpec, totals: ContainerShare) -> list[dict[str, str]]:
    assert spec.gpu is not None
    entries = []
    for mode, stated in spec.gpu.modes.items():
        entry = {"mode": mode} | _amounts(spec, totals)
        facts = accelerators().get(mode)
        memory = stated.memory or spec.gpu.memory
        if facts is not None and facts.gpu_memory and memory is not None:
            entry["requiredGPUMemory"] = format_bytes(memory.request)
            entry["limitedGPUMemory"] = format_bytes(memory.limit)
        entries.append(entry)
    return entries


def _flat_resources(spec: AppSpec, totals: ContainerShare) -> dict[str, str]:
    flat = _amounts(spec, totals)
    if spec.gpu_memory is not None:
        flat["requiredGpu"] = format_bytes(spec.gpu_memory.request)
        flat["limitedGpu"] = format_bytes(spec.gpu_memory.limit)
    return flat
