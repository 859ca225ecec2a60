"""What a chart holds follows from the spec: permissions, sums, probes, environment, weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartgen.chart import Chart
from chartgen.olares.platform import PLATFORMS
from chartgen.quantity import parse_quantity
from chartgen.render.chart import render_chart
from tests.specs import MARKET, OLARES_ONE, chart, loaded


def manifest(made: Chart) -> Any:
    return yaml.safe_load(made.files["OlaresManifest.yaml"])


def template(made: Chart, name: str) -> Any:
    text = made.files[f"templates/{name}.yaml"].decode()
    lines = [line for line in text.split("\n") if not line.lstrip().startswith("{{")]
    plain = "\n".join(lines).replace(": {{ ", ": '{{ ").replace(" }}\n", " }}'\n")
    return yaml.safe_load(plain)


def engine(made: Chart) -> Any:
    return template(made, "deployment-smallapp")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("platform", ["modern", "legacy"])
def test_one_version_stands_in_every_place(platform: str, tmp_path: Path) -> None:
    made = chart(tmp_path, {"version": "7.8.9"}, platform)
    described = manifest(made)
    head = yaml.safe_load(made.files["Chart.yaml"])
    assert {
        described["metadata"]["version"],
        described["spec"]["versionName"],
        head["version"],
        head["appVersion"],
    } == {"7.8.9"}


def test_platforms_differ_where_devices_do(tmp_path: Path) -> None:
    modern = manifest(chart(tmp_path, None, "modern"))
    legacy = manifest(chart(tmp_path, None, "legacy"))
    assert (modern["olaresManifest.version"], modern["apiVersion"]) == ("0.12.0", "v3")
    assert modern["workloadReplicas"] == {"smallapp": 1, "weights": 1}
    assert modern["options"]["dependencies"][0]["version"] == ">=1.12.6-0"
    assert modern["spec"]["accelerator"][0]["requiredGPUMemory"] == "8Gi"
    assert legacy["olaresManifest.version"] == "0.11.0"
    assert "apiVersion" not in legacy
    assert "accelerator" not in legacy["spec"]
    assert legacy["spec"]["requiredGpu"] == "8Gi"
    assert legacy["options"]["dependencies"][0]["version"] == ">=1.12.3-0,<1.12.6"


def test_replicas_come_from_values_on_modern_only(tmp_path: Path) -> None:
    modern = chart(tmp_path)
    text = modern.files["templates/deployment-smallapp.yaml"].decode()
    assert "replicas: {{ .Values.workloads.smallapp.replicaCount }}\n" in text
    values = yaml.safe_load(modern.files["values.yaml"])
    assert values["workloads"]["smallapp"] == {"replicaCount": 1}
    legacy = chart(tmp_path, None, "legacy")
    assert "replicas: 1\n" in legacy.files["templates/deployment-smallapp.yaml"].decode()


@pytest.mark.parametrize("platform", ["modern", "legacy"])
def test_the_manifest_asks_for_the_sum_of_all_containers(platform: str, tmp_path: Path) -> None:
    sidecar = {"name": "proxy", "image": "registry/proxy:1", "port": 9000}
    made = chart(tmp_path, {"sidecars": [sidecar]}, platform)
    spec = manifest(made)["spec"]
    asked = spec["accelerator"][0] if platform == "modern" else spec
    pods = [template(made, f"deployment-{name}") for name in ("smallapp", "weights")]
    containers = [c for pod in pods for c in pod["spec"]["template"]["spec"]["containers"]]
    assert len(containers) == 3
    for kind, prefix in (("requests", "required"), ("limits", "limited")):
        for resource in ("cpu", "memory"):
            total = sum(parse_quantity(c["resources"][kind][resource]) for c in containers)
            assert parse_quantity(asked[f"{prefix}{resource.title()}"]) == total


def test_permissions_follow_from_the_storage(tmp_path: Path) -> None:
    storage = {
        "outputs": {"kind": "user-data", "path": "AI/out", "mount": "/out"},
        "cache": {"kind": "app-cache", "mount": "/cache"},
        "shm": {"kind": "memory", "mount": "/dev/shm", "size": "2Gi"},
    }
    made = chart(tmp_path, {"storage": storage})
    assert manifest(made)["permission"] == {
        "appData": True,
        "appCache": True,
        "userData": ["Home/AI/out"],
    }
    assert manifest(chart(tmp_path, {"fetch": "engine"}))["permission"] == {"appData": True}


def test_every_variable_from_the_device_is_declared_and_guarded(tmp_path: Path) -> None:
    env = {
        "ENDPOINT": {"olares": "OLARES_USER_HUGGINGFACE_SERVICE"},
        "API_KEY": {"ask": "Your key", "required": True},
        "MODE": {"ask": "Mode", "default": "fast"},
    }
    made = chart(tmp_path, {"env": env, "fetch": "engine"})
    declared = {entry["envName"]: entry for entry in manifest(made)["envs"]}
    assert set(declared) == {"HF_ENDPOINT", "HF_TOKEN", "ENDPOINT", "API_KEY", "MODE"}
    assert declared["ENDPOINT"]["valueFrom"] == {"envName": "OLARES_SYSTEM_HUGGINGFACE_SERVICE"}
    assert declared["HF_TOKEN"]["required"] is False
    assert declared["API_KEY"]["type"] == "password"
    text = made.files["templates/deployment-smallapp.yaml"].decode()
    assert "{{- if (.Values.olaresEnv).ENDPOINT }}" in text
    assert "OLARES_USER" not in text
    keys = {e["name"]: e for e in engine(made)["env"]}
    assert keys["API_KEY"]["valueFrom"]["secretKeyRef"]["optional"] is False


def test_a_token_is_required_only_for_a_gated_model(tmp_path: Path) -> None:
    gated = {"engine": {"model": {"hf": "owner/model", "size": "1GB", "gated": True}}}
    declared = {e["envName"]: e for e in manifest(chart(tmp_path, gated))["envs"]}
    assert declared["HF_TOKEN"]["required"] is True
    assert declared["HF_ENDPOINT"]["required"] is False


def test_the_engine_waits_for_the_downloader_and_is_not_killed_meanwhile(tmp_path: Path) -> None:
    made = chart(tmp_path, {"engine": {"model": {"hf": "owner/model", "size": "18GB"}}})
    container = engine(made)
    command = container["command"]
    assert command[:2] == ["/bin/sh", "/chartgen/start.sh"]
    assert command[command.index("--") + 1 :] == ["vllm", "serve", "owner/model"]
    assert "startupProbe" not in container
    live = container["livenessProbe"]
    # 18 GB at 50 Mbit/s take 48 minutes; the budget is twice that, and the engine's own loading.
    assert live["periodSeconds"] * live["failureThreshold"] >= 2 * 48 * 60 + 900
    assert manifest(made)["entrances"][0]["skip"] is True
    plan = json.loads(template(made, "configmap-scripts")["data"]["plan.json"])
    source = plan["sources"][0]
    assert f"/models/.chartgen/{source['id']}.complete" in command
    assert (source["repo"], source["size"]) == ("owner/model", 18_000_000_000)


def test_an_engine_that_downloads_itself_has_a_startup_budget_for_it(tmp_path: Path) -> None:
    model = {"hf": "owner/model", "size": "3GB"}
    made = chart(tmp_path, {"fetch": "engine", "engine": {"model": model}})
    container = engine(made)
    probe = container["startupProbe"]
    # 3 GB at 50 Mbit/s take 8 minutes.
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 2 * 8 * 60 + 900
    assert container["command"] == ["vllm", "serve", "owner/model"]
    assert not any(name.startswith("templates/deployment-weights") for name in made.files)
    assert "skip" not in manifest(made)["entrances"][0]


def test_a_step_downloads_before_the_engine(tmp_path: Path) -> None:
    made = chart(tmp_path, {"fetch": "step"})
    pod = template(made, "deployment-smallapp")["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["initContainers"]] == ["prepare-folders", "fetch-weights"]
    assert pod["initContainers"][1]["securityContext"]["runAsNonRoot"] is True
    assert "start.sh" not in " ".join(engine(made)["command"])


def test_only_a_trusted_image_is_root(tmp_path: Path) -> None:
    made = chart(tmp_path)
    pod = template(made, "deployment-weights")["spec"]["template"]["spec"]
    (prepare,) = pod["initContainers"]
    assert prepare["image"].startswith("beclab/")
    assert prepare["securityContext"] == {"runAsUser": 0}
    assert pod["containers"][0]["securityContext"]["runAsUser"] == 1000
    assert "securityContext" not in engine(made)


def test_the_gpu_is_handed_to_the_engine_alone_where_the_device_can(tmp_path: Path) -> None:
    key = "applications.app.bytetrade.io/gpu-inject"
    modern = template(chart(tmp_path), "deployment-smallapp")["metadata"]["annotations"]
    legacy = chart(tmp_path, None, "legacy")
    assert modern[key] == "vllm"
    assert template(legacy, "deployment-smallapp")["metadata"]["annotations"][key] == "true"
    limits = {e["name"]: e.get("value") for e in engine(legacy)["env"]}
    assert limits["CUDA_DEVICE_MEMORY_LIMIT_0"] == "8192m"


def test_an_app_without_a_gpu_asks_for_none(tmp_path: Path) -> None:
    made = chart(tmp_path, {"gpu": None})
    spec = manifest(made)["spec"]
    assert "accelerator" not in spec
    assert "requiredGpu" not in spec
    assert "annotations" not in template(made, "deployment-smallapp")["metadata"]


def test_several_accelerator_modes(tmp_path: Path) -> None:
    gpu = {"memory": "8Gi..9Gi", "modes": {"nvidia-gb10": {}}}
    made = manifest(chart(tmp_path, {"gpu": gpu, "platforms": ["modern"]}))
    (entry,) = made["spec"]["accelerator"]
    assert entry["mode"] == "nvidia-gb10"
    assert "requiredGPUMemory" not in entry
    assert made["spec"]["supportArch"] == ["arm64"]


def test_texts_come_from_the_settings(tmp_path: Path) -> None:
    changes = {
        "summary": "Runs {model} with {context} context, {tps} tokens/s, on {gpu_memory}",
        "engine": {"context": 131072},
        "i18n": {"zh-CN": {"title": "小应用", "summary": "{context} 上下文"}},
    }
    made = chart(tmp_path, changes)
    summary = "Runs owner/model with 128K context, on 8Gi"
    assert manifest(made)["metadata"]["description"] == summary
    chinese = yaml.safe_load(made.files["i18n/zh-CN/OlaresManifest.yaml"])
    assert chinese["metadata"] == {"title": "小应用", "description": "128K 上下文"}
    assert manifest(made)["spec"]["locale"] == ["en-US", "zh-CN"]
    assert "131,072 tokens" in manifest(made)["spec"]["fullDescription"]


def test_hatches_change_the_final_objects(tmp_path: Path) -> None:
    (tmp_path / "extra.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {on: '{{ .x }}'}\n"
    )
    changes = {
        "raw": ["extra.yaml"],
        "manifest": {"options": {"mobileSupported": True}},
        "patches": [
            {
                "target": {"kind": "Service", "name": "smallapp"},
                "json": [{"op": "replace", "path": "/spec/ports/0/port", "value": 81}],
            },
            {
                "target": {"kind": "Deployment", "name": "smallapp"},
                "merge": {"metadata": {"annotations": {"note": "kept"}}},
            },
        ],
    }
    made = chart(tmp_path, changes)
    assert manifest(made)["options"]["mobileSupported"] is True
    assert template(made, "service-smallapp")["spec"]["ports"][0]["port"] == 81
    notes = template(made, "deployment-smallapp")["metadata"]["annotations"]
    assert notes["note"] == "kept"
    assert len(notes) == 2
    extra = yaml.safe_load(made.files["templates/configmap-extra.yaml"])
    assert extra["data"] == {"on": "{{ .x }}"}
    assert extra["metadata"] == {"namespace": "{{ .Release.Namespace }}", "name": "extra"}
    assert made.files["templates/configmap-extra.yaml"].count(b"{{") == 1


def test_gpu_memory_of_a_mode_alone_serves_both_platforms(tmp_path: Path) -> None:
    gpu = {"memory": None, "modes": {"nvidia": {"memory": "6Gi"}}}
    modern = manifest(chart(tmp_path, {"gpu": gpu}))
    assert modern["spec"]["accelerator"][0]["requiredGPUMemory"] == "6Gi"
    legacy = manifest(chart(tmp_path, {"gpu": gpu}, "legacy"))
    assert legacy["spec"]["requiredGpu"] == "6Gi"


@pytest.mark.parametrize(
    "patch",
    [
        {"target": {"kind": "Service", "name": "other"}, "merge": {}},
        {
            "target": {"kind": "Service", "name": "smallapp"},
            "json": [{"op": "replace", "path": "/spec/none", "value": 1}],
        },
        {
            "target": {"kind": "Service", "name": "smallapp"},
            "json": [{"op": "test", "path": "/spec", "value": 1}],
        },
    ],
)
def test_a_patch_that_does_not_apply_is_a_finding(patch: dict[str, Any], tmp_path: Path) -> None:
    spec = loaded(tmp_path, {"patches": [patch]})
    made, findings = render_chart(spec, PLATFORMS["modern"], OLARES_ONE, MARKET)
    assert made is None
    assert [(f.rule, f.place.path) for f in findings] == [("spec-patch", "patches[0]")]


def test_files_and_setup_run_before_the_engine(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("print('{{ hello }}')\n")
    changes = {
        "files": {"/app/server.py": "server.py", "/etc/tool.conf": {"content": "a=1\n"}},
        "engine": {"setup": {"pip": ["tool==1.0"], "run": "echo ready"}},
    }
    made = chart(tmp_path, changes)
    files = yaml.safe_load(made.files["templates/configmap-files.yaml"].decode())["data"]
    assert files["server.py"] == "print('{{ hello }}')\n"
    assert files["setup.sh"].split("\n") == [
        "set -eu",
        "python3 -m pip install --no-cache-dir tool==1.0",
        "echo ready",
        'exec "$@"',
        "",
    ]
    assert "/chartgen/setup.sh" in engine(made)["command"]
    mounts = {m["mountPath"]: m["subPath"] for m in engine(made)["volumeMounts"] if "subPath" in m}
    assert mounts["/app/server.py"] == "server.py"


def test_rendering_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert chart(tmp_path).content_digest() == chart(tmp_path).content_digest()
