"""What a chart consists of before it becomes YAML: containers, volumes, workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chartgen.quantity import format_bytes, format_cores
from chartgen.spec.values import Range
from chartgen.yaml_text import Helm

Expression = str | Helm


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One variable of a container: a value, or a key of a Secret.

    `condition` is a Go template condition under which the variable is there at all.
    """

    name: str
    value: Expression | None = None
    secret: str | None = None
    key: str | None = None
    optional: bool = True
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in a container."""

    volume: str
    path: str
    sub_path: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a pod: its name and the one source entry of the Kubernetes object."""

    name: str
    source: Mapping[str, Any]
    writable: bool = True

    @property
    def entry(self) -> dict[str, Any]:
        """Return the volume as Kubernetes writes it."""
        return {"name": self.name, **self.source}

    @property
    def host_path(self) -> bool:
        """Tell whether the volume is a folder of the host."""
        return "hostPath" in self.source


@dataclass(frozen=True, slots=True)
class Container:
    """One container; `security` is its securityContext, `probes` its probes by field name."""

    name: str
    image: str
    resources: ContainerShare | None = None
    command: tuple[Expression, ...] = ()
    args: tuple[Expression, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    mounts: tuple[Mount, ...] = ()
    probes: Mapping[str, Any] = field(default_factory=dict)
    security: Mapping[str, Any] | None = None
    working_dir: str | None = None


@dataclass(frozen=True, slots=True)
class ContainerShare:
    """CPU (cores) and memory (bytes) of one container, each request and limit."""

    cpu: Range
    memory: Range

    def __add__(self, other: ContainerShare) -> ContainerShare:
        return ContainerShare(self.cpu + other.cpu, self.memory + other.memory)

    @property
    def requests(self) -> dict[str, str]:
        """Return the requests as Kubernetes writes them."""
        return {"cpu": format_cores(self.cpu.request), "memory": format_bytes(self.memory.request)}

    @property
    def limits(self) -> dict[str, str]:
        """Return the limits as Kubernetes writes them."""
        return {"cpu": format_cores(self.cpu.limit), "memory": format_bytes(self.memory.limit)}


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment with the pod it runs."""

    name: str
    component: str
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    annotations: Mapping[str, Expression] = field(default_factory=dict)
    pod_annotations: Mapping[str, Expression] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """One Service: (port name, port, target port) each."""

    name: str
    component: str
    ports: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """Files of the chart by key."""

    name: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Secret:
    """Secret values by key: Go template expressions, each left out where it is empty."""

    name: str
    values: Mapping[str, SecretValue]


@dataclass(frozen=True, slots=True)
class SecretValue:
    """The expression of a secret value, and the condition under which it is there."""

    value: Helm
    condition: str | None
