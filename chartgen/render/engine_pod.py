"""The engine's pod: the workload that carries the app's name."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any

from chartgen.engines import engine_facts, engine_port, engine_start, engine_weights
from chartgen.engines.app import RUN_PATH
from chartgen.engines.base import STORE, Start
from chartgen.hardware import Hardware
from chartgen.olares.platform import Platform, accelerators
from chartgen.quantity import mebibytes, parse_quantity
from chartgen.render.budget import start_budget
from chartgen.render.gateway import (
    CACHE,
    READY_MARKER,
    engine_mounts,
    engine_volumes,
    link_command,
    uses_llm_init,
)
from chartgen.render.model import Container, ContainerShare, EnvVar, Mount, Volume, Workload
from chartgen.render.names import (
    FILES,
    LINK_SCRIPT,
    SCRIPTS,
    SETUP_SCRIPT,
    START_SCRIPT,
    STORE_VOLUME,
)
from chartgen.render.storage import prepare_container, storage_volume, store_volume
from chartgen.render.variables import Declared, container_env, declared
from chartgen.render.weights import downloader_container, fetched, markers, pod_annotations
from chartgen.resources import template_text
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import AppEngine
from chartgen.spec.load import LoadedSpec
from chartgen.spec.values import Range
from chartgen.spec.workload import Probe, Step

GPU_ANNOTATION = "applications.app.bytetrade.io/gpu-inject"
# HAMi takes a missing memory limit of the card for zero (olares-manifest 3.6 item 2).
HAMI_LIMIT = "CUDA_DEVICE_MEMORY_LIMIT_0"
_STEP_SHARE = ContainerShare(
    Range(parse_quantity("100m"), parse_quantity("2")),
    Range(parse_quantity("128Mi"), parse_quantity("1Gi")),
)


def engine_workload(
    loaded: LoadedSpec, platform: Platform, hardware: Hardware, files_digest: str
) -> Workload:
    """Return the Deployment named like the app: steps, engine, sidecars, and their volumes."""
    spec = loaded.spec
    known = {item.name: item for item in declared(spec)}
    volumes = _volumes(loaded)
    prepare = prepare_container(_written_here(spec, volumes))
    steps = [_step(loaded, step, known) for step in spec.steps]
    if spec.fetch.by == "step" and fetched(spec):
        steps.insert(0, downloader_container(spec, name="fetch-weights"))
    container = engine_container(loaded, platform, hardware, known)
    containers = (container, *_sidecars(loaded, known))
    annotations = {}
    if injects_gpu(spec):
        name = container.name if platform.gpu_inject_by_name else "true"
        annotations[GPU_ANNOTATION] = name
    return Workload(
        name=spec.name,
        component="engine",
        containers=containers,
        init_containers=((prepare,) if prepare else ()) + tuple(steps),
        volumes=tuple(volumes),
        annotations=annotations,
        pod_annotations=pod_annotations(files_digest, (*containers, *steps)),
    )


def injects_gpu(spec: AppSpec) -> bool:
    """Tell whether the device must hand the engine a GPU."""
    return spec.gpu is not None and any(
        accelerators()[mode].injects_gpu for mode in spec.gpu.modes if mode in accelerators()
    )


def engine_container(
    loaded: LoadedSpec, platform: Platform, hardware: Hardware, known: Mapping[str, Declared]
) -> Container:
    """Return the container that runs the engine."""
    spec = loaded.spec
    begun = engine_start(spec)
    return Container(
        name=engine_facts(spec.engine.kind).container,
        image=spec.engine.image,
        resources=ContainerShare(spec.resources.cpu, spec.resources.memory),
        command=_command(spec, begun),
        args=begun.args,
        env=_env(spec, platform, begun, known),
        ports=(("http", engine_port(spec)),),
        mounts=_mounts(loaded),
        probes=probes(spec, hardware),
        working_dir=begun.working_dir,
    )


def waits_for_weights(spec: AppSpec) -> bool:
    """Tell whether the engine's container starts by waiting for another workload's download."""
    return uses_llm_init(spec) or (spec.fetch.by == "downloader" and bool(fetched(spec)))


def _command(spec: AppSpec, begun: Start) -> tuple[str, ...]:
    command = begun.command
    if spec.engine.setup is not None:
        command = ("/bin/sh", SETUP_SCRIPT, *command)
    if uses_llm_init(spec):
        return ("/bin/sh", START_SCRIPT, READY_MARKER, "--", *link_command(spec), *command)
    if waits_for_weights(spec):
        command = ("/bin/sh", START_SCRIPT, *markers(spec), "--", *command)
    return command


def _env(
    spec: AppSpec, platform: Platform, begun: Start, known: Mapping[str, Declared]
) -> tuple[EnvVar, ...]:
    preset: dict[str, str] = dict(begun.env)
    if fetched(spec):
        preset["HF_HUB_CACHE"] = CACHE if uses_llm_init(spec) else STORE
        if spec.fetch.by != "engine":
            # Nothing may be looked up at run time: what the engine reads is what was checked.
            preset["HF_HUB_OFFLINE"] = "1"
    limit = gpu_limit_mib(spec)
    if platform.name == "legacy" and limit is not None:
        preset[HAMI_LIMIT] = f"{limit}m"
    own = container_env(spec.env, known)
    named = {variable.name for variable in own}
    device: tuple[EnvVar, ...] = ()
    if spec.fetch.by == "engine" and fetched(spec):
        wanted = {name: known[name].value for name in ("HF_ENDPOINT", "HF_TOKEN")}
        device = container_env({k: v for k, v in wanted.items() if k not in named}, known)
    presets = (EnvVar(name, value=value) for name, value in preset.items() if name not in named)
    return (*presets, *device, *own)


def gpu_limit_mib(spec: AppSpec) -> int | None:
    """Return the GPU memory limit in MiB, or None where no mode has memory of its own."""
    memory = spec.gpu_memory
    return mebibytes(memory.limit) if memory is not None and injects_gpu(spec) else None


def chart_files(loaded: LoadedSpec) -> dict[str, tuple[str, str]]:
    """Return the files of the chart: ConfigMap key to (path in the engine's container, text)."""
    spec = loaded.spec
    found: dict[str, tuple[str, str]] = {}

    def add(path: str, text: str) -> None:
        found[_key(path, found)] = (path, text)

    for path, text in engine_start(spec).files.items():
        add(path, text)
    if waits_for_weights(spec):
        add(START_SCRIPT, template_text("scripts/start.sh"))
    if uses_llm_init(spec):
        add(LINK_SCRIPT, template_text("scripts/link.sh"))
    if spec.engine.setup is not None:
        add(SETUP_SCRIPT, _setup_script(loaded))
    if isinstance(spec.engine, AppEngine) and spec.engine.run is not None:
        add(RUN_PATH, loaded.text(spec.engine.run))
    for item in engine_weights(spec):
        if item.source.local is not None:
            add(item.path, loaded.files[item.source.local].decode())
    for path, file in spec.files.items():
        add(path, loaded.text(file))
    return found


def _key(path: str, taken: Mapping[str, Any]) -> str:
    """Return a ConfigMap key for a path; keys allow letters, digits, `-`, `_` and `.` only."""
    name = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.") else "-"
        for char in path.rpartition("/")[2]
    )
    key, number = name, 2
    while key in taken:
        key, number = f"{number}-{name}", number + 1
    return key


def _setup_script(loaded: LoadedSpec) -> str:
    setup = loaded.spec.engine.setup
    assert setup is not None
    lines = ["set -eu"]
    if setup.apt:
        lines += [
            "export DEBIAN_FRONTEND=noninteractive",
            "apt-get update",
            f"apt-get install --yes --no-install-recommends {_shell_words(setup.apt)}",
        ]
    if setup.pip:
        lines.append(f"python3 -m pip install --no-cache-dir {_shell_words(setup.pip)}")
    if setup.run is not None:
        lines.append(loaded.text(setup.run).rstrip("\n"))
    lines.append('exec "$@"')
    return "\n".join(lines) + "\n"


def _shell_words(words: tuple[str, ...]) -> str:
    return shlex.join(words)


def _mounts(loaded: LoadedSpec) -> tuple[Mount, ...]:
    spec = loaded.spec
    mounts: list[Mount] = []
    if uses_llm_init(spec):
        mounts += engine_mounts()
    elif fetched(spec):
        mounts.append(Mount(STORE_VOLUME, STORE, read_only=spec.fetch.by != "engine"))
    for name, storage in spec.storage.items():
        mounts.append(Mount(name, storage.mount, read_only=storage.read_only))
    for key, (path, _) in chart_files(loaded).items():
        mounts.append(Mount(FILES, path, sub_path=key, read_only=True))
    return tuple(mounts)


def _volumes(loaded: LoadedSpec) -> list[Volume]:
    spec = loaded.spec
    volumes = []
    if fetched(spec):
        volumes.append(store_volume(spec))
    if uses_llm_init(spec):
        volumes += engine_volumes(spec)
    volumes += [storage_volume(name, storage) for name, storage in spec.storage.items()]
    files = chart_files(loaded)
    if files:
        # Scripts are started through `sh`; a file's own mode is kept for programs that look at it.
        items = [
            {"key": key, "path": key, "mode": _mode(spec, path)} for key, (path, _) in files.items()
        ]
        volumes.append(Volume(FILES, {"configMap": {"name": FILES, "items": items}}))
    if spec.fetch.by == "step" and fetched(spec):
        volumes.append(Volume(SCRIPTS, {"configMap": {"name": SCRIPTS}}))
    return volumes


def _mode(spec: AppSpec, path: str) -> int:
    file = spec.files.get(path)
    return int(file.mode, 8) if file is not None else 0o644


def _written_here(spec: AppSpec, volumes: list[Volume]) -> list[Volume]:
    """Return the volumes that this pod writes to; the downloader prepares its own store."""
    if spec.fetch.by in {"engine", "step"}:
        return volumes
    return [volume for volume in volumes if volume.name != STORE_VOLUME]


def _step(loaded: LoadedSpec, step: Step, known: Mapping[str, Declared]) -> Container:
    share = _STEP_SHARE
    if step.resources is not None:
        share = ContainerShare(step.resources.cpu, step.resources.memory)
    command = step.command
    if step.run is not None:
        command = ("/bin/sh", "-c", loaded.text(step.run))
    return Container(
        name=step.name,
        image=step.image,
        resources=share,
        command=tuple(command),
        env=container_env(step.env, known),
        mounts=tuple(Mount(name, path) for name, path in step.mounts.items()),
        security={"runAsUser": 0} if step.root else None,
    )


def _sidecars(loaded: LoadedSpec, known: Mapping[str, Declared]) -> tuple[Container, ...]:
    return tuple(
        Container(
            name=sidecar.name,
            image=sidecar.image,
            resources=ContainerShare(sidecar.resources.cpu, sidecar.resources.memory),
            command=("/bin/sh", "-c", loaded.text(sidecar.run))
            if sidecar.run is not None
            else tuple(sidecar.command),
            args=tuple(sidecar.args),
            env=container_env(sidecar.env, known),
            ports=((sidecar.name[:15].rstrip("-"), sidecar.port),) if sidecar.port else (),
            mounts=tuple(Mount(name, path) for name, path in sidecar.mounts.items()),
        )
        for sidecar in loaded.spec.sidecars
    )


def probes(spec: AppSpec, hardware: Hardware) -> dict[str, Any]:
    """Return the probes of the engine's container.

    Where the engine waits for the downloader there is no startup probe: it would hold the app in
    `Installing`, which a device gives up after 30 minutes. Readiness decides when requests are
    sent, and liveness is given the whole budget of a first start.
    """
    facts = engine_facts(spec.engine.kind)
    health = spec.engine.health if isinstance(spec.engine, AppEngine) else facts.health
    path = spec.probes.path or health
    port = engine_port(spec)
    check: dict[str, Any] = (
        {"tcpSocket": {"port": port}}
        if spec.probes.tcp or path is None
        else {"httpGet": {"path": path, "port": port}}
    )
    budget = start_budget(spec, hardware)
    waits = waits_for_weights(spec)
    startup_seconds = budget.load_seconds if spec.fetch.by == "step" else budget.total_seconds
    wanted = {
        "startupProbe": (spec.probes.startup, _timing(0, 15, 10, startup_seconds), not waits),
        # Of a gateway's engine llm-init judges the readiness (render/gateway.py, 1).
        "readinessProbe": (
            spec.probes.readiness,
            _timing(0, 10, 5, 30),
            spec.gateway is None,
        ),
        "livenessProbe": (
            spec.probes.liveness,
            _timing(0, 30, 10, budget.total_seconds if waits else 150),
            True,
        ),
    }
    found = {}
    for name, (asked, derived, by_default) in wanted.items():
        stated = asked != Probe.model_validate({})
        if asked.enabled and (by_default or stated):
            found[name] = check | _stated(derived, asked)
    return found


def _timing(delay: int, period: int, timeout: int, budget: int) -> dict[str, int]:
    return {
        "initialDelaySeconds": delay,
        "periodSeconds": period,
        "timeoutSeconds": timeout,
        "failureThreshold": max(1, math.ceil(budget / period)),
    }


def _stated(derived: dict[str, int], asked: Probe) -> dict[str, int]:
    stated = {
        "initialDelaySeconds": asked.delay,
        "periodSeconds": asked.period,
        "timeoutSeconds": asked.timeout,
        "failureThreshold": asked.failures,
    }
    return derived | {name: value for name, value in stated.items() if value is not None}
