"""Rules on declared resources, by accelerator mode and flat, and on what containers ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sound_chart import Draft, legacy

Bend = Callable[[Draft], Any]
FLAT = {
    "requiredCpu": "1",
    "limitedCpu": "2",
    "requiredMemory": "2Gi",
    "limitedMemory": "4Gi",
    "requiredDisk": "10Gi",
}
HOST = {**FLAT, "limitedDisk": "20Gi"}


def case(rules: str, name: str, bend: Bend, sound: Callable[[], Draft] = Draft) -> Any:
    """Name the rules that a sound chart breaks once it has been bent."""
    return pytest.param(rules, bend, sound, id=name)


def accelerator(**values: Any) -> Bend:
    return lambda draft: draft.accelerator.update(values)


def without(*fields: str) -> Bend:
    def bend(draft: Draft) -> None:
        for name in fields:
            del draft.accelerator[name]

    return bend


def flat(**values: Any) -> Bend:
    """Declare flat resources in a manifest of 0.12.0, for an app without a GPU."""

    def bend(draft: Draft) -> None:
        del draft.spec["accelerator"]
        draft.spec.update(values)
        del draft.deployment["metadata"]["annotations"]

    return bend


def another_mode(mode: str, **values: str) -> Bend:
    return lambda draft: draft.spec["accelerator"].append({"mode": mode, **HOST, **values})


def resources(side: str, **values: Any) -> Bend:
    return lambda draft: draft.container["resources"][side].update(values)


def no_resource(side: str, what: str) -> Bend:
    return lambda draft: draft.container["resources"][side].pop(what)


def clonable(draft: Draft) -> None:
    draft.options.update(templateOnly=True, allowMultipleInstall=True)


def both(*bends: Bend) -> Bend:
    def bend(draft: Draft) -> None:
        for each in bends:
            each(draft)

    return bend


def all_shared() -> Draft:
    draft = legacy()
    draft.manifest["apiVersion"] = "v2"
    draft.spec["subCharts"] = [{"name": "demo", "shared": True}]
    for path, data in draft.chart().files.items():
        if path.startswith("templates/"):
            draft.files[f"demo/{path}"] = data
    draft.files["demo/Chart.yaml"] = b"apiVersion: v2\nname: demo\nversion: 1.0.2\n"
    draft.files["demo/values.yaml"] = draft.chart().files["values.yaml"]
    return draft


RESOURCES = [
    case("resources-flat-missing", "disk", lambda d: d.spec.pop("requiredDisk"), legacy),
    case("resources-missing", "nothing", flat()),
    case("resources-missing gpu-inject-missing", "GPU alone", flat(requiredGpu="8Gi")),
    case("resources-both-shapes", "flat beside", lambda d: d.spec.update(limitedCpu="2")),
    case("resource-quantity", "unit", flat(**{**FLAT, "requiredDisk": "10GB"})),
    case("resource-quantity", "word", accelerator(requiredDisk="much")),
    # Passes the device's pattern, and then no Kubernetes quantity.
    case("resource-quantity", "capital K", accelerator(requiredDisk="1K")),
    case("resource-auto", "-1 in flat resources", flat(**{**FLAT, "limitedMemory": "-1"})),
    case("resource-auto", "-1 for disk", accelerator(requiredDisk="-1")),
    case("resource-auto", "-1 for a clone's disk", both(clonable, accelerator(requiredDisk="-1"))),
    # Of a number without quotes the device makes no text here, as it does in flat resources.
    case("manifest-wrong-type", "number", accelerator(limitedDisk=21474836480)),
    case("resource-limit", "GPU", accelerator(limitedGPUMemory="19Gi")),
    case("resource-limit", "disk", accelerator(limitedDisk="9999Mi")),
    case("resource-limit", "flat", flat(**{**HOST, "limitedDisk": "1Gi"})),
    case(
        "accelerator-on-v2 resources-flat-missing resources-both-shapes "
        "manifest-version-below-fields",
        "v2",
        lambda d: d.spec.update(accelerator=[{"mode": "cpu"}], requiredDisk=""),
        all_shared,
    ),
    case("supported-gpu", "retired list", lambda d: d.spec.update(supportedGpu=["nvidia"])),
    case("accelerator-mode gpu-memory-undeclared", "unknown", accelerator(mode="rocm")),
    case(
        "accelerator-mode-repeated",
        "twice",
        lambda d: d.spec["accelerator"].append(dict(d.accelerator)),
    ),
    case("accelerator-incomplete", "no limit of disk", without("limitedDisk")),
    case(
        "accelerator-incomplete gpu-memory-undeclared",
        "no GPU memory",
        without("requiredGPUMemory", "limitedGPUMemory"),
    ),
    case(
        "accelerator-gpu-memory",
        "GPU memory of a CPU",
        another_mode("cpu", requiredGPUMemory="1500Mi", limitedGPUMemory="2Gi"),
    ),
    case("accelerator-mode-former", "renamed", another_mode("strix-halo")),
    case("accelerator-arch", "arm board", another_mode("nvidia-gb10")),
    case("accelerator-arch", "arm board of later releases", another_mode("moore-soc")),
    case("gpu-memory-nominal", "1 GiB", accelerator(requiredGPUMemory="1Gi")),
    case("gpu-memory-nominal", "1 GiB flat", lambda d: d.spec.update(requiredGpu="1Gi"), legacy),
    # Containers
    *[
        case(
            "container-resources-missing",
            f"no {what} in {side}",
            no_resource(side, what),
        )
        for side in ("requests", "limits")
        for what in ("cpu", "memory")
    ],
    case(
        "container-resources-missing",
        "no resources before 0.12",
        lambda d: d.container.pop("resources"),
        legacy,
    ),
    case(
        "container-request-above-limit",
        "request",
        both(resources("requests", cpu="1"), resources("limits", cpu="500m")),
    ),
    case(
        "container-quantity",
        "unit",
        resources("requests", memory="2GB"),
    ),
    case("resources-exceeded", "request of CPU", resources("requests", cpu="1001m")),
    case("resources-exceeded", "limit of memory", resources("limits", memory="4097Mi")),
    case("resources-exceeded", "before 0.12", resources("limits", cpu="2.5"), legacy),
    case(
        "resources-exceeded-flat",
        "flat since 0.12",
        both(flat(**FLAT), resources("requests", memory="2049Mi")),
    ),
]


@pytest.mark.parametrize(("rules", "bend", "sound"), RESOURCES)
def test_bent_resources_break_these_rules(
    rules: str, bend: Bend, sound: Callable[[], Draft]
) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set(rules.split())


@pytest.mark.parametrize(
    ("bend", "sound"),
    [
        pytest.param(flat(**FLAT), Draft, id="flat since 0.12"),
        pytest.param(flat(requiredMemory="2Gi"), Draft, id="part of the flat fields"),
        pytest.param(
            both(flat(**FLAT), lambda d: d.container.pop("resources")), Draft, id="flat, unlimited"
        ),
        pytest.param(
            both(
                clonable,
                accelerator(
                    requiredCpu="-1", limitedCpu="-1", requiredMemory="-1", limitedMemory="-1"
                ),
            ),
            Draft,
            id="left to the device",
        ),
        pytest.param(accelerator(limitedGPUMemory="20480Mi"), Draft, id="limit equals requirement"),
        pytest.param(accelerator(requiredCpu="-1", limitedCpu="-1"), Draft, id="-1 in an app"),
        pytest.param(flat(**{**FLAT, "requiredCpu": 1, "limitedCpu": 2.0}), Draft, id="numbers"),
        pytest.param(
            both(another_mode("nvidia-gb10"), lambda d: d.spec["supportArch"].append("arm64")),
            Draft,
            id="two modes",
        ),
        pytest.param(another_mode("intel"), Draft, id="mode of later releases"),
        pytest.param(
            another_mode("intel-gpu", requiredGPUMemory="8Gi", limitedGPUMemory="8Gi"),
            Draft,
            id="later mode with memory",
        ),
        pytest.param(
            lambda d: (
                d.spec.pop("requiredGpu")
                and d.spec.pop("limitedGpu")
                and d.deployment["metadata"].pop("annotations")
            ),
            legacy,
            id="no GPU",
        ),
        pytest.param(
            lambda d: d.pod.update(
                initContainers=[{"name": "init", "image": "busybox:1.37.0", "command": ["true"]}]
            ),
            Draft,
            id="init containers do not count",
        ),
    ],
)
def test_bent_resources_are_still_sound(bend: Bend, sound: Callable[[], Draft]) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set()


def test_sums_are_those_of_all_workloads() -> None:
    draft = Draft()
    draft.accelerator.update(requiredCpu="1500m", limitedCpu="3", requiredMemory="3Gi")
    draft.accelerator["limitedMemory"] = "5Gi"
    sidecar = {
        "name": "sidecar",
        "image": "nginx:1.29.1",
        "resources": {
            "requests": {"cpu": "500m", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
    }
    draft.pod["containers"].append(sidecar)
    assert draft.rules() == set()
    sidecar["resources"] = {
        "requests": {"cpu": "501m", "memory": "1Gi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    (found,) = draft.lint()
    assert found.rule == "resources-exceeded"
    assert "1501m" in found.message


def test_each_mode_is_compared_with_its_own_render() -> None:
    draft = Draft()
    cpu = dict.fromkeys(("requiredCpu", "limitedCpu"), "500m")
    draft.spec["accelerator"].append({"mode": "cpu", **HOST, **cpu})
    amount = '{{ if eq .Values.GPU.Type "cpu" }}500m{{ else }}1{{ end }}'
    limit = '{{ if eq .Values.GPU.Type "cpu" }}500m{{ else }}2{{ end }}'
    draft.container["resources"] = {
        "requests": {"cpu": amount, "memory": "2Gi"},
        "limits": {"cpu": limit, "memory": "4Gi"},
    }
    draft.values["GPU"] = {"Type": ""}
    assert draft.rules() == set()
    draft.spec["accelerator"][1]["limitedCpu"] = "499m"
    draft.spec["accelerator"][1]["requiredCpu"] = "499m"
    broken = [f for f in draft.lint() if f.rule == "resources-exceeded"]
    assert [f.place.path for f in broken] == [
        "spec.accelerator[1].requiredCpu",
        "spec.accelerator[1].limitedCpu",
    ]
