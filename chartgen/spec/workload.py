"""What surrounds the engine in its pod: environment, storage, files, steps, probes, entrances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, model_validator

from chartgen.document import scalar_text
from chartgen.spec.engine import Content, Script
from chartgen.spec.values import (
    Count,
    CpuRange,
    EnvName,
    Image,
    Label,
    LoggedMemory,
    MemoryRange,
    MountPath,
    Part,
    Port,
    Shorthand,
    Text,
    Title,
    fault,
)


class EnvValue(Part):
    """The value of an environment variable: plain, from Olares, or asked from the user."""

    value: Text | None = Field(None, description="A plain value.")
    olares: Text | None = Field(
        None,
        pattern=r"^OLARES_(USER|SYSTEM)_[A-Z0-9_]+$",
        description="An Olares variable; an empty one leaves the variable unset.",
    )
    ask: Text | None = Field(None, description="Ask the user at install; the title of the field.")
    default: Text | None = Field(None, description="Value where Olares or the user gives none.")
    required: StrictBool = Field(False, description="The app cannot start without a value.")
    secret: StrictBool | None = Field(
        None,
        description="Keep the value in a Secret; default: names ending in TOKEN, KEY or PASSWORD.",
    )
    description: Text | None = Field(None, description="Explains the field to the user.")

    @model_validator(mode="after")
    def _one_origin(self) -> EnvValue:
        stated = [key for key in ("value", "olares", "ask") if getattr(self, key) is not None]
        if len(stated) != 1:
            raise fault(
                "spec-content",
                "exactly one of value, olares and ask is wanted",
                "Keep one of them.",
            )
        return self


def _env_value(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return {"value": scalar_text(value)}
    return value


EnvField = Annotated[EnvValue, Shorthand(_env_value, {"type": ["string", "number", "boolean"]})]
Environment = Mapping[EnvName, EnvField]


class Storage(Part):
    """A place for files that live longer than the container, or that containers share."""

    kind: Literal[
        "app-data", "app-cache", "shared", "user-data", "external", "scratch", "memory"
    ] = Field(
        description=(
            "`app-data` and `app-cache`: the app's own; `shared`: one place for all apps; "
            "`user-data`: a folder the user sees in Files; `external`: external drives; `scratch`: "
            "emptied with the pod; `memory`: in RAM, for example at /dev/shm."
        )
    )
    mount: MountPath = Field(description="Path in the container.")
    path: Text = Field("", description="Folder inside the place; by default the storage's name.")
    size: MemoryRange | None = Field(None, description="Upper size of `scratch` and `memory`.")
    read_only: StrictBool = Field(False, description="Mount without the right to write.")

    @model_validator(mode="after")
    def _inside(self) -> Storage:
        if self.path.startswith("/") or ".." in self.path.split("/") or "\\" in self.path:
            raise fault(
                "spec-path",
                f"{self.path!r} leaves its storage",
                "Write a relative path without `..`.",
            )
        return self


class File(Content):
    """A file that is mounted into the engine's container."""

    mode: Text = Field("0644", pattern=r"^0[0-7]{3}$", description="Permissions, such as 0755.")


def _file(value: Any) -> Any:
    return {"from": value} if isinstance(value, str) else value


FileField = Annotated[
    File, Shorthand(_file, {"type": "string", "description": "file beside the spec"})
]


class ContainerResources(Part):
    """CPU and memory of one container."""

    cpu: CpuRange = Field(description="Cores, `request..limit`.")
    memory: MemoryRange = Field(description="Memory, `request..limit`.")


class Step(Part):
    """Something done once in the pod before the engine starts (an init container)."""

    name: Label = Field(description="Name of the container.")
    image: Image = Field(description="Container image.")
    run: Script | None = Field(None, description="Shell lines.")
    command: tuple[Text, ...] = Field((), description="Command as a list of words.")
    env: Environment = Field(default_factory=dict, description="Environment.")
    mounts: Mapping[Label, MountPath] = Field(
        default_factory=dict, description="Storage by name, and where it is mounted."
    )
    resources: ContainerResources | None = Field(None, description="CPU and memory.")
    root: StrictBool = Field(
        False, description="Run as root; devices allow it for `beclab/` images only."
    )


class Sidecar(Part):
    """A further container that runs beside the engine in its pod."""

    name: Label = Field(description="Name of the container.")
    image: Image = Field(description="Container image.")
    run: Script | None = Field(None, description="Shell lines.")
    command: tuple[Text, ...] = Field((), description="Command as a list of words.")
    args: tuple[Text, ...] = Field((), description="Arguments of the image's own command.")
    port: Port | None = Field(None, description="Port it listens on; becomes part of the Service.")
    env: Environment = Field(default_factory=dict, description="Environment.")
    mounts: Mapping[Label, MountPath] = Field(
        default_factory=dict, description="Storage by name, and where it is mounted."
    )
    resources: ContainerResources = Field(
        default_factory=lambda: ContainerResources.model_validate(
            {"cpu": "100m..1", "memory": "128Mi..512Mi"}
        ),
        description="CPU and memory.",
    )


class Probe(Part):
    """Timing of one probe, in seconds."""

    enabled: StrictBool = Field(True, description="false: no such probe.")
    delay: Count | None = Field(None, description="Seconds before the first try.")
    period: Annotated[StrictInt, Field(ge=1)] | None = Field(None, description="Seconds between.")
    timeout: Annotated[StrictInt, Field(ge=1)] | None = Field(None, description="Seconds a try.")
    failures: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="Failed tries in a row that count as a failure."
    )


ProbeField = Annotated[
    Probe,
    Shorthand(lambda v: {"enabled": v} if isinstance(v, bool) else v, {"type": "boolean"}),
]


class Probes(Part):
    """How the device sees that the engine lives. What is not given is derived."""

    path: Text | None = Field(None, description="HTTP path that answers 200.")
    tcp: StrictBool = Field(False, description="Only try to connect.")
    startup: ProbeField = Field(Probe(), description="Until the first success nothing else runs.")
    readiness: ProbeField = Field(Probe(), description="Decides whether requests are sent.")
    liveness: ProbeField = Field(Probe(), description="Restarts the container when it fails.")


class Entrance(Part):
    """A door to the app: a tile on the desktop and an address."""

    name: Label | None = Field(None, description="Name in the address; by default the app's name.")
    title: Title | None = Field(None, description="Title of the tile, at most 30 bytes.")
    port: Port | None = Field(None, description="Port; by default the engine's.")
    auth: Literal["internal", "private", "public"] = Field(
        "internal",
        description="`internal`: without login in the own network; `private`: always with login.",
    )
    open: Literal["window", "iframe", "default"] = Field("window", description="How it opens.")
    invisible: StrictBool = Field(False, description="No tile on the desktop.")


class Resources(Part):
    """What the engine's container asks for; the manifest's sums are derived from it."""

    cpu: CpuRange = Field(description="Cores, `request..limit`.")
    memory: MemoryRange = Field(description="Memory, `request..limit`.")
    disk: MemoryRange = Field(description="Disk for weights and data, `request..limit`.")


class AcceleratorMode(Part):
    """What differs on one kind of accelerator."""

    memory: MemoryRange | None = Field(None, description="GPU memory, `request..limit`.")


class Gpu(Part):
    """What the app asks of the GPU: on Olares 1.12.6 and later this is the hard cap."""

    memory: MemoryRange | None = Field(None, description="GPU memory, `request..limit` or one.")
    kv_available: LoggedMemory | None = Field(
        None,
        description=(
            "Memory that the engine had left for its KV cache, as its log says (`2.82GiB`); the "
            "plan then needs no allowance."
        ),
    )
    modes: Mapping[Text, AcceleratorMode] = Field(
        default_factory=lambda: {"nvidia": AcceleratorMode(memory=None)},
        description="Kinds of accelerators the app runs on.",
    )


def _modes(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("modes"), list):
        return value | {"modes": {mode: {} for mode in value["modes"] if isinstance(mode, str)}}
    return value


GpuField = Annotated[
    Gpu,
    Shorthand(
        _modes,
        {
            "type": "object",
            "properties": {
                "memory": {"type": "string"},
                "kv_available": {"type": "string"},
                "modes": {"type": "array", "items": {"type": "string"}},
            },
            "additionalProperties": False,
        },
    ),
]


class Gateway(Part):
    """Joins the device's model gateway: one shared app for all users (modern only)."""

    mode: Literal["chat", "embedding"] = Field("chat", description="What the model does.")
    supports: tuple[Literal["vision", "tools", "thinking"], ...] = Field(
        (), description="What the model can do beyond plain text."
    )


def _gateway(value: Any) -> Any:
    return {} if value is True else None if value is False else value


GatewayField = Annotated[Gateway | None, Shorthand(_gateway, {"type": "boolean"})]
