"""Rendering: from a loaded spec to a chart, for one platform. A pure function."""

from __future__ import annotations

import hashlib
from typing import Any

from chartgen.chart import Chart
from chartgen.document import read_document
from chartgen.engines import engine_port
from chartgen.findings import Finding
from chartgen.hardware import Hardware
from chartgen.lint.rules import finding
from chartgen.market.settings import MarketSettings
from chartgen.olares.platform import Platform
from chartgen.render.engine_pod import chart_files, engine_workload, waits_for_weights
from chartgen.render.environment import render_object
from chartgen.render.gateway import (
    engine_address,
    llm_init_services,
    llm_init_workload,
    platform_findings,
    uses_llm_init,
)
from chartgen.render.manifest import icon_url, manifest
from chartgen.render.model import ConfigMap, Service, Workload
from chartgen.render.names import FILES
from chartgen.render.patches import PatchError, apply_patch, merge_patch
from chartgen.render.texts import english, translated
from chartgen.render.variables import secret
from chartgen.render.weights import STATUS_PORT, downloader_workload, fetched, scripts
from chartgen.spec.app import AppSpec
from chartgen.spec.load import LoadedSpec
from chartgen.yaml_text import Helm, yaml_text

# Kinds without a namespace (k8s.io/api v0.34) that an app may bring along.
_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)


def render_chart(
    loaded: LoadedSpec, platform: Platform, hardware: Hardware, market: MarketSettings
) -> tuple[Chart | None, tuple[Finding, ...]]:
    """Render a spec for a platform.

    Returns the chart, or None where the platform lacks what the app needs, or a patch or a raw
    manifest does not fit, with the findings.
    """
    spec = loaded.spec
    findings = platform_findings(loaded, platform)
    if findings:
        return None, findings
    configs = _configs(loaded)
    workloads = _workloads(loaded, platform, hardware, configs)
    objects = _objects(spec, platform, workloads, configs)
    objects, findings = _patched(loaded, objects)
    if findings:
        return None, findings
    texts = english(loaded, hardware.name)
    names = [workload.name for workload in workloads]
    described = manifest(loaded, platform, hardware, market, texts, workloads)
    files = {
        "Chart.yaml": render_object(
            "chart.yaml", spec=spec, summary=texts.summary, icon=icon_url(loaded, market)
        ),
        "values.yaml": render_object("values.yaml", platform=platform, workloads=names),
        "OlaresManifest.yaml": merge_patch(described, spec.manifest),
        "i18n/en-US/OlaresManifest.yaml": render_object("translation.yaml", texts=texts),
    }
    for locale in spec.i18n:
        translation = translated(loaded, locale, hardware.name)
        path = f"i18n/{locale}/OlaresManifest.yaml"
        files[path] = render_object("translation.yaml", texts=translation)
    for item in objects:
        files[_template_path(item, files)] = item
    encoded = {path: yaml_text(value).encode() for path, value in files.items()}
    return Chart(spec.name, encoded, origin=loaded.file), ()


def _configs(loaded: LoadedSpec) -> list[ConfigMap]:
    configs = []
    files = chart_files(loaded)
    if files:
        configs.append(ConfigMap(FILES, {key: text for key, (_, text) in files.items()}))
    by_script = loaded.spec.fetch.by in {"downloader", "step"} and not uses_llm_init(loaded.spec)
    if fetched(loaded.spec) and by_script:
        configs.append(scripts(loaded.spec))
    return configs


def _workloads(
    loaded: LoadedSpec, platform: Platform, hardware: Hardware, configs: list[ConfigMap]
) -> list[Workload]:
    digests = {config.name: _digest(config) for config in configs}
    workloads = [engine_workload(loaded, platform, hardware, _joined(digests, loaded.spec))]
    if uses_llm_init(loaded.spec):
        workloads.append(llm_init_workload(loaded.spec))
    elif waits_for_weights(loaded.spec):
        workloads.append(downloader_workload(loaded.spec, digests["scripts"]))
    return workloads


def _joined(digests: dict[str, str], spec: AppSpec) -> str:
    used = [digests.get(FILES, "")]
    if spec.fetch.by == "step":
        used.append(digests.get("scripts", ""))
    return hashlib.sha256("\n".join(used).encode()).hexdigest()[:16]


def _digest(config: ConfigMap) -> str:
    digest = hashlib.sha256()
    for key, text in sorted(config.data.items()):
        digest.update(f"{key}\0{len(text.encode())}\0{text}".encode())
    return digest.hexdigest()[:16]


def _labels(spec: AppSpec, component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": spec.name, "app.kubernetes.io/component": component}


def _objects(
    spec: AppSpec, platform: Platform, workloads: list[Workload], configs: list[ConfigMap]
) -> list[Any]:
    objects = []
    for workload in workloads:
        count = Helm(f"{{{{ .Values.workloads.{workload.name}.replicaCount }}}}", bare=True)
        replicas = count if platform.workload_replicas else 1
        objects.append(
            render_object(
                "deployment.yaml",
                workload=workload,
                labels=_labels(spec, workload.component),
                replicas=replicas,
            )
        )
    for service in _services(spec, workloads):
        labels = _labels(spec, service.component)
        objects.append(render_object("service.yaml", service=service, labels=labels))
    for config in configs:
        labels = {"app.kubernetes.io/name": spec.name}
        objects.append(render_object("configmap.yaml", config=config, labels=labels))
    values = secret(spec)
    if values is not None:
        labels = {"app.kubernetes.io/name": spec.name}
        objects.append(render_object("secret.yaml", secret=values, labels=labels))
    return objects


def _services(spec: AppSpec, workloads: list[Workload]) -> list[Service]:
    name, port = engine_address(spec)
    ports = {"http": (port, engine_port(spec))}
    for sidecar in spec.sidecars:
        if sidecar.port is not None:
            ports[sidecar.name[:15].rstrip("-")] = (sidecar.port, sidecar.port)
    engine = tuple((key, at, target) for key, (at, target) in ports.items())
    services = [Service(name, "engine", engine)]
    if uses_llm_init(spec):
        return [*services, *llm_init_services(spec)]
    for workload in workloads[1:]:
        status = (("status", STATUS_PORT, STATUS_PORT),)
        services.append(Service(workload.name, workload.component, status))
    return services


def _patched(loaded: LoadedSpec, objects: list[Any]) -> tuple[list[Any], tuple[Finding, ...]]:
    findings: list[Finding] = []
    for index, path in enumerate(loaded.spec.raw):
        place = loaded.place("raw", index)
        document, faults = read_document(loaded.files[path], f"{loaded.file}!{path}")
        value = document.value if document is not None else None
        if faults:
            findings += [fault.at(place) for fault in faults]
        elif not _is_object(value):
            message = f"{path!r} is no Kubernetes object: kind, apiVersion and metadata.name"
            findings.append(finding("spec-raw", place, message))
        else:
            objects = [*objects, _in_namespace(value)]
    for index, patch in enumerate(loaded.spec.patches):
        try:
            objects = apply_patch(objects, patch)
        except PatchError as error:
            findings.append(finding("spec-patch", loaded.place("patches", index), str(error)))
    return objects, tuple(findings)


def _in_namespace(value: Any) -> Any:
    """Put a raw object into the app's namespace, which spec text cannot name."""
    metadata = value["metadata"]
    if value["kind"] in _CLUSTER_SCOPED or "namespace" in metadata:
        return value
    return value | {"metadata": {"namespace": Helm("{{ .Release.Namespace }}"), **metadata}}


def _is_object(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("kind"), str)
        and isinstance(value.get("apiVersion"), str)
        and isinstance(value.get("metadata"), dict)
        and isinstance(value["metadata"].get("name"), str)
    )


def _template_path(item: Any, taken: dict[str, Any]) -> str:
    kind = item["kind"].lower()
    name = item["metadata"]["name"]
    path = f"templates/{kind}-{name}.yaml"
    number = 2
    while path in taken:
        path, number = f"templates/{kind}-{name}-{number}.yaml", number + 1
    return path
