"""Parts of rendered objects: workloads, pods and containers, whatever shape the input has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chartgen.chart import Chart
from chartgen.findings import Place
from chartgen.helm import RenderedObject
from chartgen.lint.chart_files import chart_file
from chartgen.quantity import parse_quantity

# The workloads that the device's lint and app-service look for.
WORKLOADS = frozenset({"Deployment", "StatefulSet"})
_POD_TEMPLATE_OWNERS = WORKLOADS | {"DaemonSet", "ReplicaSet", "Job"}


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> Sequence[Any]:
    """Return a value that is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in a list, an empty list for anything else."""
    return [item for item in sequence(value) if isinstance(item, Mapping)]


def text(value: Any) -> str:
    """Return a value that is text, else an empty text."""
    return value if isinstance(value, str) else ""


def title(item: RenderedObject) -> str:
    """Name an object for a message: `Deployment web`."""
    return f"{item.kind} {item.name}"


def object_place(chart: Chart, item: RenderedObject, path: str = "") -> Place:
    """Return the template of an object, with the path of a value inside the object."""
    inner = f"{item.kind}/{item.name}" + (f".{path}" if path else "")
    return Place(chart_file(chart, item.template), path=inner)


def metadata(item: RenderedObject) -> Mapping[str, Any]:
    """Return an object's metadata."""
    return mapping(item.data.get("metadata"))


def spec(item: RenderedObject) -> Mapping[str, Any]:
    """Return an object's spec."""
    return mapping(item.data.get("spec"))


def pod_template(item: RenderedObject) -> Mapping[str, Any] | None:
    """Return metadata and spec of the pods that an object makes, None where it makes none."""
    if item.kind == "Pod":
        return item.data
    if item.kind in _POD_TEMPLATE_OWNERS:
        return mapping(spec(item).get("template"))
    if item.kind == "CronJob":
        job = mapping(mapping(spec(item).get("jobTemplate")).get("spec"))
        return mapping(job.get("template"))
    return None


def pod_path(item: RenderedObject) -> str:
    """Return where in an object the spec of its pods stands."""
    if item.kind == "Pod":
        return "spec"
    if item.kind == "CronJob":
        return "spec.jobTemplate.spec.template.spec"
    return "spec.template.spec"


def pod_spec(item: RenderedObject) -> Mapping[str, Any]:
    """Return the spec of the pods that an object makes, empty where it makes none."""
    return mapping((pod_template(item) or {}).get("spec"))


def containers(item: RenderedObject) -> list[Mapping[str, Any]]:
    """Return the main containers of an object's pods."""
    return mappings(pod_spec(item).get("containers"))


@dataclass(frozen=True, slots=True)
class Container:
    """A container with the object it belongs to and its path in that object's pods."""

    owner: RenderedObject
    path: str
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The container's name."""
        return text(self.data.get("name"))


def all_containers(items: Iterable[RenderedObject]) -> Iterator[Container]:
    """Yield the main and the init containers of all pods."""
    for item in items:
        pod = pod_spec(item)
        for field in ("initContainers", "containers"):
            for index, data in enumerate(mappings(pod.get(field))):
                yield Container(item, f"{field}[{index}]", data)


def workloads(items: Iterable[RenderedObject]) -> list[RenderedObject]:
    """Return the Deployments and StatefulSets."""
    return [item for item in items if item.kind in WORKLOADS]


def quantity(value: Any) -> Decimal | None:
    """Return a resource quantity, None where it is missing. Raises ValueError for a bad one."""
    if value is None or isinstance(value, bool):
        return None
    if not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not a quantity")
    return parse_quantity(str(value))
