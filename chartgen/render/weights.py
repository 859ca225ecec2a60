"""How weights reach a device: the plan of the downloader, its workload, its init step."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from chartgen.engines import engine_weights
from chartgen.engines.base import STORE, Weights
from chartgen.quantity import parse_quantity
from chartgen.render.model import ConfigMap, Container, ContainerShare, Mount, Volume, Workload
from chartgen.render.names import DOWNLOADER, FETCH_PLAN, FETCH_SCRIPT, SCRIPTS, UNPRIVILEGED
from chartgen.render.storage import prepare_container, store_volume
from chartgen.render.variables import container_env, declared
from chartgen.resources import template_text
from chartgen.spec.app import AppSpec
from chartgen.spec.values import Range
from chartgen.yaml_text import Helm

STATUS_PORT = 8090
# Measured: the script needs about 30 MiB; hashing one file keeps a core busy.
_SHARE = ContainerShare(
    Range(parse_quantity("100m"), parse_quantity("1")),
    Range(parse_quantity("64Mi"), parse_quantity("512Mi")),
)


def fetched(spec: AppSpec) -> tuple[Weights, ...]:
    """Return the weights that are downloaded."""
    return tuple(item for item in engine_weights(spec) if item.fetched)


def fetch_plan(spec: AppSpec) -> str:
    """Return the downloader's plan as JSON (see templates/scripts/fetch.py)."""
    sources: list[dict[str, Any]] = []
    for item in fetched(spec):
        source = item.source
        if source.hf is not None:
            sources.append(
                {
                    "id": source.identity,
                    "kind": "hf",
                    "repo": source.hf,
                    "revision": source.revision,
                    "files": list(source.wanted_files),
                    "include": list(source.include),
                    "exclude": list(source.exclude),
                    "size": source.size,
                    "sha256": source.digests,
                    "link": item.link,
                }
            )
        else:
            sources.append(
                {
                    "id": source.identity,
                    "kind": "url",
                    "url": source.url,
                    "path": item.path.removeprefix(f"{STORE}/"),
                    "size": source.size,
                    "sha256": source.digests.get(""),
                }
            )
    plan = {"store": STORE, "sources": sources, "keep_running": spec.fetch.by == "downloader"}
    return json.dumps(plan, indent=1, ensure_ascii=False) + "\n"


def markers(spec: AppSpec) -> tuple[str, ...]:
    """Return the files that the downloader sets when a source is whole."""
    names = (f"{STORE}/.chartgen/{item.source.identity}.complete" for item in fetched(spec))
    return tuple(dict.fromkeys(names))


def scripts(spec: AppSpec) -> ConfigMap:
    """Return the downloader's files."""
    return ConfigMap(
        SCRIPTS,
        {"fetch.py": template_text("scripts/fetch.py"), "plan.json": fetch_plan(spec)},
    )


def downloader_container(spec: AppSpec, *, name: str) -> Container:
    """Return the container that downloads: standard-library Python, not root, nothing else."""
    known = {item.name: item for item in declared(spec)}
    environment = {key: known[key].value for key in ("HF_ENDPOINT", "HF_TOKEN")}
    serves = spec.fetch.by == "downloader"
    status = ("--status-port", str(STATUS_PORT)) if serves else ()
    return Container(
        name=name,
        image=spec.fetch.image,
        resources=_SHARE,
        command=("python3", FETCH_SCRIPT, FETCH_PLAN, *status),
        env=container_env(environment, known),
        ports=(("status", STATUS_PORT),) if serves else (),
        mounts=(
            Mount("weights", STORE),
            Mount(SCRIPTS, FETCH_SCRIPT, sub_path="fetch.py", read_only=True),
            Mount(SCRIPTS, FETCH_PLAN, sub_path="plan.json", read_only=True),
        ),
        probes={"readinessProbe": {"httpGet": {"path": "/livez", "port": STATUS_PORT}}}
        if serves
        else {},
        security=UNPRIVILEGED,
    )


def downloader_workload(spec: AppSpec, scripts_digest: str) -> Workload:
    """Return the small workload that downloads beside the engine's."""
    store = store_volume(spec)
    prepare = prepare_container([store])
    container = downloader_container(spec, name=DOWNLOADER)
    return Workload(
        name=DOWNLOADER,
        component=DOWNLOADER,
        containers=(container,),
        init_containers=(prepare,) if prepare else (),
        volumes=(store, Volume(SCRIPTS, {"configMap": {"name": SCRIPTS}})),
        pod_annotations=pod_annotations(scripts_digest, [container]),
    )


def pod_annotations(digest: str, containers: Iterable[Container]) -> dict[str, str | Helm]:
    """Return annotations that start a new pod when files or secret values of it changed.

    `digest` is that of its files, empty where it has none.
    """
    annotations: dict[str, str | Helm] = {"chartgen/files": digest} if digest else {}
    if any(variable.secret for container in containers for variable in container.env):
        # A changed token does not change the pod; every upgrade or applied setting does.
        annotations["chartgen/revision"] = Helm("{{ .Release.Revision }}")
    return annotations
