"""Checks on a loaded spec that need more than one value: across fields, files and the market."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from chartgen.document import Path
from chartgen.engines import engine_facts, engine_port, engine_weights
from chartgen.findings import Finding
from chartgen.hardware import Hardware, hardware_profiles
from chartgen.lint.arguments import argument_findings
from chartgen.lint.engine import engine_findings
from chartgen.lint.evidence import evidence_findings
from chartgen.lint.memory import memory_findings
from chartgen.lint.placeholders import placeholder_findings
from chartgen.lint.rules import finding, rule_book
from chartgen.market.settings import MarketSettings, own_machine
from chartgen.models.beside import model_findings
from chartgen.olares.names import RESERVED_APP_IDS, RESERVED_FOLDERS, app_id, official_apps
from chartgen.olares.platform import accelerators
from chartgen.quantity import mebibytes, parse_quantity
from chartgen.release.record import Release
from chartgen.render.budget import (
    INSTALL_LIMIT_SECONDS,
    PENDING_LIMIT_SECONDS,
    start_budget,
)
from chartgen.render.engine_pod import waits_for_weights
from chartgen.render.gateway import gateway_findings
from chartgen.render.names import STORE_VOLUME
from chartgen.spec.engine import AppEngine
from chartgen.spec.load import LoadedSpec, icon_file
from chartgen.spec.workload import Sidecar, Step

# Tags that are moved on purpose (engines 5); a dated or numbered tag holds still.
_FLOATING = re.compile(r"(^|[-_.])(latest|nightly|main|master|dev|edge|canary|stable)($|[-_.])")
# `nightly-<commit>` and `master-<commit>` name one build for ever.
_COMMIT = re.compile(r"(^|[-_.])([0-9a-f]{7,40})($|[-_.])")
_ICON_SIDE = 256
_MOVING_IMAGE = frozenset({"image-floating", "image-tag-missing"})


def spec_checks(
    loaded: LoadedSpec,
    market: MarketSettings,
    hardware: Hardware | None,
    latest: Release | None = None,
) -> tuple[Finding, ...]:
    """Return all findings on a spec by itself; `hardware` is None where the profile is unknown.

    `latest` is the app's last release, None where it has none.
    """
    findings: list[Finding] = []
    for check in _CHECKS:
        findings += check(loaded)
    machine = hardware.name if hardware is not None else ""
    findings += evidence_findings(loaded, machine, latest)
    findings += placeholder_findings(loaded, machine, latest)
    if hardware is None:
        name = own_machine(loaded.spec, market)
        known = ", ".join(hardware_profiles())
        message = f"no hardware profile is named {name!r}; known: {known}"
        findings.append(finding("hardware-unknown", loaded.place("hardware"), message))
    else:
        findings += _fit(loaded, hardware)
        findings += _startup(loaded, hardware)
        findings += memory_findings(loaded, hardware)
    if any(item.rule in _MOVING_IMAGE for item in findings):
        # A tag that does not hold still tells no release either; once is enough.
        findings = [item for item in findings if item.rule != "engine-release-unknown"]
    return tuple(findings)


def market_checks(apps: Sequence[LoadedSpec]) -> tuple[Finding, ...]:
    """Return findings between the apps of a market: names and ids must differ."""
    findings = []
    by_name: dict[str, LoadedSpec] = {}
    by_id: dict[str, LoadedSpec] = {}
    for loaded in apps:
        name = loaded.spec.name
        place = loaded.place("name")
        if name in by_name:
            message = f"the name {name!r} is also that of {by_name[name].place('name')}"
            findings.append(finding("app-name-taken", place, message))
        elif app_id(name) in by_id:
            other = by_id[app_id(name)]
            message = (
                f"the id {app_id(name)} of {name!r} is also that of {other.spec.name!r} in "
                f"{other.place('name')}"
            )
            findings.append(finding("app-id-taken", place, message))
        by_name.setdefault(name, loaded)
        by_id.setdefault(app_id(name), loaded)
    return tuple(findings)


def apply_waivers(
    loaded: LoadedSpec, findings: Sequence[Finding]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Split findings into those that stand and those that the spec waives.

    A waiver of an unknown rule, and one that waived nothing, are findings themselves.
    """
    waived = {waiver.rule for waiver in loaded.spec.waive}
    stand = [item for item in findings if item.rule not in waived]
    dropped = tuple(item for item in findings if item.rule in waived)
    met = {item.rule for item in dropped}
    for index, waiver in enumerate(loaded.spec.waive):
        place = loaded.place("waive", index, "rule")
        if waiver.rule not in rule_book():
            message = f"no rule has the id {waiver.rule!r}"
            stand.append(finding("waiver-unknown", place, message))
        elif waiver.rule not in met:
            message = f"the waiver of {waiver.rule!r} waives nothing"
            stand.append(finding("waiver-unused", place, message))
    return tuple(stand), dropped


def _names(loaded: LoadedSpec) -> Iterator[Finding]:
    name = loaded.spec.name
    place = loaded.place("name")
    if name in RESERVED_FOLDERS | RESERVED_APP_IDS:
        message = f"{name!r} is reserved by Olares"
        yield finding("app-name-reserved", place, message)
    elif name in official_apps():
        message = f"{name!r} is the name of an app of the official market"
        yield finding("app-name-official", place, message)


def _categories(loaded: LoadedSpec) -> Iterator[Finding]:
    named = loaded.spec.categories
    for index, category in enumerate(named):
        if category in named[:index]:
            message = f"the category {category!r} stands here again"
            yield finding("category-twice", loaded.place("categories", index), message)


def _entrances(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    ports = {engine_port(spec), *(sidecar.port for sidecar in spec.sidecars)} - {None}
    seen: set[str] = set()
    for index, entrance in enumerate(spec.entrances):
        name = entrance.name or spec.name
        if name in seen:
            message = f"two entrances are named {name!r}"
            yield finding("entrance-twice", loaded.place("entrances", index, "name"), message)
        seen.add(name)
        if entrance.port is not None and entrance.port not in ports:
            listed = ", ".join(str(port) for port in sorted(p for p in ports if p is not None))
            message = f"nothing listens on port {entrance.port}; there is {listed}"
            yield finding("entrance-port", loaded.place("entrances", index, "port"), message)


def _mounts(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    members: list[tuple[str, int, Step | Sidecar]] = [
        *(("steps", index, step) for index, step in enumerate(spec.steps)),
        *(("sidecars", index, sidecar) for index, sidecar in enumerate(spec.sidecars)),
    ]
    for part, index, member in members:
        for name in member.mounts:
            if name not in spec.storage and name != STORE_VOLUME:
                message = f"{member.name} mounts {name!r}, which no storage is named"
                place = loaded.place(part, index, "mounts", name, key=True)
                yield finding("mount-unknown", place, message)
    paths: dict[str, str] = {}
    if any(item.fetched for item in engine_weights(spec)):
        paths["/models"] = "the weights"
    wanted: list[tuple[Path, str, str]] = [
        (("storage", name, "mount"), storage.mount, f"storage {name!r}")
        for name, storage in spec.storage.items()
    ]
    wanted += [(("files", path), path, f"file {path!r}") for path in spec.files]
    for where, path, what in wanted:
        normal = path.rstrip("/") or "/"
        if normal in paths:
            message = f"{what} is mounted at {path}, where {paths[normal]} already is"
            yield finding("mount-twice", loaded.document.place(where, key=True), message)
        paths.setdefault(normal, what)


def _images(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    images: list[tuple[Path, str]] = [
        (("engine", "image"), spec.engine.image),
        (("fetch", "image"), spec.fetch.image),
    ]
    images += [(("steps", i, "image"), step.image) for i, step in enumerate(spec.steps)]
    images += [(("sidecars", i, "image"), car.image) for i, car in enumerate(spec.sidecars)]
    for where, image in images:
        place = loaded.document.place(where)
        name, _, digest = image.partition("@")
        tag = name.rpartition("/")[2].partition(":")[2]
        if digest:
            continue
        if not tag:
            message = f"{image!r} has no tag, which means the floating tag latest"
            yield finding("image-tag-missing", place, message)
        elif _FLOATING.search(tag) and not _COMMIT.search(tag):
            message = f"the tag of {image!r} is moved to other builds over time"
            yield finding("image-floating", place, message)


def _steps(loaded: LoadedSpec) -> Iterator[Finding]:
    for index, step in enumerate(loaded.spec.steps):
        if step.root and "beclab" not in step.image.split("/"):
            message = f"step {step.name!r} runs {step.image!r} as root"
            yield finding("step-root-image", loaded.place("steps", index, "root"), message)


def _setup(loaded: LoadedSpec) -> Iterator[Finding]:
    setup = loaded.spec.engine.setup
    for index, package in enumerate(setup.pip if setup is not None else ()):
        if "==" not in package and "@" not in package and not package.startswith("-"):
            message = f"{package!r} is installed in whatever version is newest"
            place = loaded.place("engine", "setup", "pip", index)
            yield finding("setup-unpinned", place, message)


def _platforms(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    if "legacy" not in spec.platforms:
        return
    for name, storage in spec.storage.items():
        if storage.kind in {"shared", "external"}:
            message = f"storage {name!r} is of kind {storage.kind}, which legacy Olares lacks"
            yield finding("platform-unsupported", loaded.place("storage", name, "kind"), message)
    if spec.fetch.store == "shared":
        message = "a store shared between apps does not exist on legacy Olares"
        yield finding("platform-unsupported", loaded.place("fetch", "store"), message)
    if spec.gpu is not None and spec.gpu.modes:
        known = [accelerators()[mode] for mode in spec.gpu.modes if mode in accelerators()]
        if known and not any(mode.legacy for mode in known):
            message = f"none of the modes {', '.join(spec.gpu.modes)} exists on legacy Olares"
            yield finding("platform-unsupported", loaded.place("gpu", "modes"), message)


def _gpu(loaded: LoadedSpec) -> Iterator[Finding]:
    gpu = loaded.spec.gpu
    if gpu is None:
        return
    for mode, stated in gpu.modes.items():
        facts_of_mode = accelerators().get(mode)
        place = loaded.place("gpu", "modes", mode)
        if facts_of_mode is None:
            known = ", ".join(accelerators())
            message = f"no accelerator mode is named {mode!r}; known: {known}"
            yield finding("accelerator-unknown", place, message)
            continue
        if facts_of_mode.replaced_by is not None:
            message = f"newer devices know {mode} no more; they call it {facts_of_mode.replaced_by}"
            yield finding("accelerator-former", place, message)
        if facts_of_mode.gpu_memory and stated.memory is None and gpu.memory is None:
            message = f"mode {mode} has memory of its own, and none is asked for"
            yield finding("gpu-memory-missing", loaded.place("gpu", key=True), message)
    if gpu.memory is not None and gpu.memory.request < gpu.memory.limit:
        message = "the request is below the limit, and devices cap the app at the request"
        yield finding("gpu-memory-range", loaded.place("gpu", "memory"), message)


def _fetching(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    weights = [item for item in engine_weights(spec) if item.fetched]
    place = loaded.place("fetch")
    if spec.fetch.by == "engine":
        by_path = [item for item in weights if item.source.wanted_files or item.source.url]
        if spec.engine.kind in {"llamacpp", "tabbyapi"} or by_path:
            message = f"{engine_facts(spec.engine.kind).title} cannot download these weights itself"
            yield finding("fetch-unsupported", place, message)
    if weights and not any(item.source.size for item in weights):
        message = "no weights state their size, so the disk request stands in for it"
        yield finding("weights-size-missing", loaded.place("engine", "model"), message)


def _app_start(loaded: LoadedSpec) -> Iterator[Finding]:
    engine = loaded.spec.engine
    if isinstance(engine, AppEngine) and not engine.run and not engine.command:
        wraps = engine.setup is not None or waits_for_weights(loaded.spec)
        if wraps:
            message = "what the image starts by itself is not known, and something comes before it"
            yield finding("app-command-missing", loaded.place("engine", key=True), message)


def _change_notes(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    if spec.version not in spec.changes:
        message = f"version {spec.version} has no change notes"
        yield finding("changes-missing", loaded.place("changes"), message)


def _icon(loaded: LoadedSpec) -> Iterator[Finding]:
    file = icon_file(loaded.spec)
    if file is None:
        return
    data = loaded.files[file]
    place = loaded.place("icon")
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        yield finding("spec-icon", place, f"{file!r} is no PNG")
        return
    width, height = struct.unpack(">II", data[16:24])
    if (width, height) != (_ICON_SIDE, _ICON_SIDE):
        message = f"{file!r} has {width}x{height} pixels"
        yield finding("spec-icon", place, message)


def _fit(loaded: LoadedSpec, hardware: Hardware) -> Iterator[Finding]:
    spec = loaded.spec
    if spec.gpu is not None and spec.gpu.memory is not None:
        wanted = mebibytes(spec.gpu.memory.request)
        if wanted > hardware.gpu_memory_mib and hardware.accelerator in spec.gpu.modes:
            message = f"{wanted} MiB are asked of a card that has {hardware.gpu_memory_mib} MiB"
            yield finding("gpu-memory-over-card", loaded.place("gpu", "memory"), message)
    if spec.resources.memory.request > parse_quantity(hardware.memory):
        message = f"more memory is requested than the {hardware.memory} of {hardware.title}"
        yield finding("memory-over-host", loaded.place("resources", "memory"), message)
    if spec.resources.cpu.request > hardware.cpu_cores:
        message = f"more cores are requested than the {hardware.cpu_cores} of {hardware.title}"
        yield finding("memory-over-host", loaded.place("resources", "cpu"), message)


def _startup(loaded: LoadedSpec, hardware: Hardware) -> Iterator[Finding]:
    spec = loaded.spec
    budget = start_budget(spec, hardware)
    place = loaded.place("fetch", key=True)
    rate = f"at {hardware.download_mbit_s} Mbit/s with a reserve of two"
    if spec.fetch.by == "step" and budget.download_seconds > PENDING_LIMIT_SECONDS:
        message = (
            f"the step downloads for {budget.download_seconds // 60} minutes {rate}; a device "
            f"gives a pending pod {PENDING_LIMIT_SECONDS // 60}"
        )
        yield finding("fetch-over-pending-limit", place, message)
    if spec.fetch.by == "engine" and budget.total_seconds > INSTALL_LIMIT_SECONDS:
        message = (
            f"a first start takes up to {budget.total_seconds // 60} minutes {rate}; a device "
            f"gives an install {INSTALL_LIMIT_SECONDS // 60}"
        )
        yield finding("fetch-over-install-limit", place, message)


_CHECKS: tuple[Callable[[LoadedSpec], Iterable[Finding]], ...] = (
    _names,
    _categories,
    _entrances,
    _mounts,
    _images,
    _steps,
    _setup,
    _platforms,
    _gpu,
    _fetching,
    _app_start,
    _change_notes,
    _icon,
    gateway_findings,
    argument_findings,
    engine_findings,
    model_findings,
)
