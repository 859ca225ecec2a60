"""Charts that break no rule, as values that a test can bend before they become a Chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from chartgen.chart import Chart
from chartgen.findings import Finding
from chartgen.lint.chart import lint_chart

# Stands for the template expression that a YAML writer would put between quotes.
REPLICAS = "REPLICAS_OF_DEMO"
TOKEN = '{{ dig "TOKEN" "" (.Values.olaresEnv | default dict) }}'
_LABELS = {"app": "demo"}


def _manifest() -> dict[str, Any]:
    return {
        "olaresManifest.version": "0.12.0",
        "olaresManifest.type": "app",
        "apiVersion": "v3",
        "metadata": {
            "name": "demo",
            "icon": "https://example.org/demo.png",
            "description": "A demonstration",
            "appid": "demo",
            "title": "Demo",
            "version": "1.0.2",
            "categories": ["AI"],
        },
        "entrances": [
            {
                "name": "demo",
                "host": "demo",
                "port": 8080,
                "title": "Demo",
                "authLevel": "internal",
                "openMethod": "window",
            }
        ],
        "workloadReplicas": {"demo": 1},
        "spec": {
            "versionName": "1.0.2",
            "fullDescription": "It demonstrates.",
            "supportArch": ["amd64"],
            "accelerator": [
                {
                    "mode": "nvidia",
                    "requiredCpu": "1",
                    "limitedCpu": "2",
                    "requiredMemory": "2Gi",
                    "limitedMemory": "4Gi",
                    "requiredDisk": "10Gi",
                    "limitedDisk": "20Gi",
                    "requiredGPUMemory": "20Gi",
                    "limitedGPUMemory": "24Gi",
                }
            ],
        },
        "permission": {"appData": True},
        "options": {
            "apiTimeout": 0,
            "dependencies": [{"name": "olares", "type": "system", "version": ">=1.12.6-0"}],
        },
        "envs": [{"envName": "TOKEN", "type": "password", "required": False}],
    }


def _deployment() -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "{{ .Release.Name }}",
            "namespace": "{{ .Release.Namespace }}",
            "annotations": {"applications.app.bytetrade.io/gpu-inject": "server"},
        },
        "spec": {
            "replicas": REPLICAS,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {
                "metadata": {"labels": dict(_LABELS)},
                "spec": {
                    "volumes": [
                        {
                            "name": "models",
                            "hostPath": {"path": "{{ .Values.userspace.appData }}/models"},
                        }
                    ],
                    "containers": [
                        {
                            "name": "server",
                            "image": "vllm/vllm-openai:v0.21.0",
                            "env": [
                                {
                                    "name": "HF_TOKEN",
                                    "value": TOKEN,
                                }
                            ],
                            "ports": [{"name": "http", "containerPort": 8000}],
                            "resources": {
                                "requests": {"cpu": "1", "memory": "2Gi"},
                                "limits": {"cpu": "2", "memory": "4Gi"},
                            },
                            "volumeMounts": [{"name": "models", "mountPath": "/models"}],
                            "startupProbe": {
                                "httpGet": {"path": "/health", "port": "http"},
                                "periodSeconds": 10,
                                "failureThreshold": 60,
                            },
                        }
                    ],
                },
            },
        },
    }


def _service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "demo", "namespace": "{{ .Release.Namespace }}"},
        "spec": {
            "selector": dict(_LABELS),
            "ports": [{"name": "http", "port": 8080, "targetPort": "http"}],
        },
    }


@dataclass
class Draft:
    """The parts of a chart; `objects` are the templates, one object each."""

    name: str = "demo"
    manifest: dict[str, Any] = field(default_factory=_manifest)
    chart_yaml: dict[str, Any] = field(
        default_factory=lambda: {
            "apiVersion": "v2",
            "name": "demo",
            "version": "1.0.2",
            "appVersion": "1.0.2",
        }
    )
    values: dict[str, Any] = field(
        default_factory=lambda: {
            "userspace": {"appData": ""},
            "workloads": {"demo": {"replicaCount": 1}},
        }
    )
    deployment: dict[str, Any] = field(default_factory=_deployment)
    service: dict[str, Any] = field(default_factory=_service)
    others: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes | None] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = self.manifest["metadata"]
        return metadata

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.manifest["spec"]
        return spec

    @property
    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = self.manifest["options"]
        return options

    @property
    def accelerator(self) -> dict[str, Any]:
        entry: dict[str, Any] = self.spec["accelerator"][0]
        return entry

    @property
    def entrance(self) -> dict[str, Any]:
        entrance: dict[str, Any] = self.manifest["entrances"][0]
        return entrance

    @property
    def pod(self) -> dict[str, Any]:
        pod: dict[str, Any] = self.deployment["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> dict[str, Any]:
        container: dict[str, Any] = self.pod["containers"][0]
        return container

    def chart(self, origin: str = "demo") -> Chart:
        """Write everything out; a file of None is left out of the chart."""
        texts = {
            "metadata": {key: self.metadata.get(key) for key in ("title", "description")},
            "spec": {"fullDescription": self.manifest.get("spec", {}).get("fullDescription")},
        }
        files: dict[str, bytes | None] = {
            "Chart.yaml": dump(self.chart_yaml),
            "values.yaml": dump(self.values),
            "OlaresManifest.yaml": dump(self.manifest),
            "i18n/en-US/OlaresManifest.yaml": dump(texts),
            "templates/deployment.yaml": dump(self.deployment),
            "templates/service.yaml": dump(self.service),
        }
        files.update({f"templates/{name}.yaml": dump(data) for name, data in self.others.items()})
        files.update(self.files)
        kept = {path: data for path, data in files.items() if data is not None}
        return Chart(self.name, kept, origin)

    def lint(self, *, render: bool = True) -> tuple[Finding, ...]:
        return lint_chart(self.chart(), render=render)

    def rules(self, *, render: bool = True) -> set[str]:
        """Return the ids of the rules that the chart breaks."""
        return {finding.rule for finding in self.lint(render=render)}


def dump(data: Any) -> bytes:
    """Write YAML with the expression for the number of replicas in it."""
    text: str = yaml.safe_dump(data, sort_keys=False, width=1000)
    return text.replace(REPLICAS, "{{ .Values.workloads.demo.replicaCount }}").encode()


def legacy() -> Draft:
    """Return a sound chart for Olares before 1.12.6."""
    draft = Draft()
    draft.manifest["olaresManifest.version"] = "0.11.0"
    del draft.manifest["apiVersion"], draft.manifest["workloadReplicas"]
    entry = draft.spec.pop("accelerator")[0]
    del entry["mode"], entry["limitedDisk"]
    entry["requiredGpu"] = entry.pop("requiredGPUMemory")
    entry["limitedGpu"] = entry.pop("limitedGPUMemory")
    draft.spec.update(entry)
    draft.options["dependencies"][0]["version"] = ">=1.12.3-0,<1.12.6"
    draft.deployment["spec"]["replicas"] = 1
    draft.deployment["metadata"]["annotations"] = {
        "applications.app.bytetrade.io/gpu-inject": "true"
    }
    return draft


def two_parts() -> Draft:
    """Return a sound v2 app: a shared part with the workload, a part of its own for each user."""
    draft = legacy()
    draft.manifest["apiVersion"] = "v2"
    draft.spec["subCharts"] = [{"name": "demoserver", "shared": True}, {"name": "demo"}]
    for name in ("demoserver", "demo"):
        description = {"apiVersion": "v2", "name": name, "version": "1.0.2"}
        draft.files[f"{name}/Chart.yaml"] = dump(description)
        draft.files[f"{name}/values.yaml"] = b'userspace: {appData: ""}\n'
    draft.files["demoserver/templates/server.yaml"] = dump(draft.deployment)
    draft.files["demo/templates/service.yaml"] = dump(draft.service)
    proxy = _deployment()
    proxy["spec"]["replicas"] = 1
    del proxy["metadata"]["annotations"]
    draft.files["demo/templates/proxy.yaml"] = dump(proxy)
    draft.files["templates/deployment.yaml"] = None
    draft.files["templates/service.yaml"] = None
    draft.files["templates/keep"] = b""
    return draft
