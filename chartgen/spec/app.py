"""AppSpec: everything that a person writes about one app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from chartgen.spec.engine import Content, Engine
from chartgen.spec.sources import Fetch, FetchField
from chartgen.spec.values import (
    AppName,
    Label,
    Locale,
    MountPath,
    Part,
    Range,
    Shorthand,
    Text,
    Title,
    Version,
    fault,
)
from chartgen.spec.workload import (
    Entrance,
    Environment,
    FileField,
    GatewayField,
    GpuField,
    Probes,
    Resources,
    Sidecar,
    Step,
    Storage,
)

PlatformName = Literal["modern", "legacy"]


class License(Part):
    """A licence, with the address of its text where that is not the usual one."""

    text: Text = Field(description="Name, best an SPDX identifier.")
    url: Text | None = Field(None, description="Address of its text.")


def _license(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


LicenseField = Annotated[License, Shorthand(_license, {"type": "string"})]

About = Annotated[
    Content,
    Shorthand(
        lambda v: {"content": v} if isinstance(v, str) else v,
        {"type": "string", "description": "Markdown"},
    ),
]
Notes = Annotated[
    tuple[Text, ...],
    Shorthand(lambda v: [v] if isinstance(v, str) else v, {"type": "string"}),
]


class Translation(Part):
    """The texts in another language; what is missing stays in English."""

    title: Title | None = Field(None, description="Title, at most 30 bytes.")
    summary: Text | None = Field(None, description="One line.")
    about: About | None = Field(None, description="Full text, Markdown.")
    changes: Mapping[Version, Notes] = Field(default_factory=dict, description="Change notes.")


class PatchTarget(Part):
    """The rendered object that a patch changes."""

    kind: Text = Field(description="Kind, such as Deployment.")
    name: Text = Field(description="metadata.name of the object.")


class Patch(Part):
    """A change to a rendered object, applied last; its target must exist."""

    target: PatchTarget = Field(description="Which object.")
    merge: Mapping[str, Any] | None = Field(
        None, description="Merge patch (RFC 7386): null removes a key, lists are replaced."
    )
    json_: tuple[Mapping[str, Any], ...] | None = Field(
        None, alias="json", description="Operations add, replace and remove (RFC 6902)."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Patch:
        if (self.merge is None) == (self.json_ is None):
            raise fault("spec-content", "exactly one of merge and json is wanted", "Keep one.")
        return self


class Waiver(Part):
    """Switches one rule off for this app, for a stated reason."""

    rule: Text = Field(description="Id of the rule, as `chartgen rules` lists it.")
    reason: Text = Field(min_length=10, description="Why it does not hold here.")


class AppSpec(Part):
    """One app of the market."""

    name: AppName = Field(description="Name and id of the app; never changes once released.")
    version: Version = Field(description="X.Y.Z; rises with every change.")
    title: Title = Field(description="Title in the market, at most 30 bytes.")
    summary: Text = Field(
        min_length=1,
        description=(
            "One line; {context}, {model}, {image} and {gpu_memory} are filled in, {tps} and "
            "{acceptance} where there is evidence, else their clause is left out."
        ),
    )
    about: About | None = Field(
        None, description="Full text, Markdown, filled in like the summary; or `{from: file}`."
    )
    categories: tuple[Text, ...] = Field(("AI",), min_length=1, description="Market categories.")
    icon: Text | None = Field(
        None, description="PNG beside the spec (256x256), by default `icons/NAME.png`; or a URL."
    )
    developer: Text | None = Field(None, description="Who made the model or the program.")
    submitter: Text | None = Field(None, description="Who made this chart.")
    website: Text | None = Field(None, pattern=r"^https?://\S+$", description="Home page.")
    source: Text | None = Field(None, pattern=r"^https?://\S+$", description="Source code.")
    docs: Text | None = Field(None, pattern=r"^https?://\S+$", description="Documentation.")
    license: tuple[LicenseField, ...] = Field((), description="Licences.")
    featured_image: Text | None = Field(None, pattern=r"^https?://\S+$", description="Wide image.")
    hardware: Text | None = Field(
        None, description="Hardware profile it is made for; by default the market's."
    )
    platforms: tuple[PlatformName, ...] = Field(
        ("modern", "legacy"), min_length=1, description="Families of Olares releases it runs on."
    )
    engine: Engine = Field(description="What serves the model.")
    fetch: FetchField = Field(Fetch(), description="How the weights reach the device.")
    gateway: GatewayField = Field(None, description="Join the device's model gateway.")
    env: Environment = Field(default_factory=dict, description="Environment of the engine.")
    files: Mapping[MountPath, FileField] = Field(
        default_factory=dict, description="Files for the engine's container, by their path there."
    )
    storage: Mapping[Label, Storage] = Field(default_factory=dict, description="Places for files.")
    steps: tuple[Step, ...] = Field((), description="Done before the engine starts.")
    sidecars: tuple[Sidecar, ...] = Field((), description="Containers beside the engine.")
    probes: Probes = Field(Probes(), description="Probes; all of it is derived where not given.")
    entrances: tuple[Entrance, ...] = Field(
        (Entrance(),), min_length=1, max_length=10, description="Doors to the app."
    )
    resources: Resources = Field(description="CPU, memory and disk.")
    gpu: GpuField | None = Field(None, description="GPU; without it the app runs on the CPU.")
    i18n: Mapping[Locale, Translation] = Field(
        default_factory=dict, description="Texts in other languages."
    )
    changes: Mapping[Version, Notes] = Field(
        default_factory=dict, description="What is new, per version; shown as it is written."
    )
    manifest: Mapping[str, Any] = Field(
        default_factory=dict, description="Merged into OlaresManifest.yaml, applied last."
    )
    patches: tuple[Patch, ...] = Field((), description="Changes to rendered objects.")
    raw: tuple[Text, ...] = Field((), description="Further Kubernetes manifests beside the spec.")
    waive: tuple[Waiver, ...] = Field((), description="Rules that do not hold here, with reasons.")

    @property
    def gpu_memory(self) -> Range | None:
        """GPU memory asked for: that of the app, else that of its first mode which states one."""
        if self.gpu is None:
            return None
        stated = (mode.memory for mode in self.gpu.modes.values() if mode.memory is not None)
        return self.gpu.memory or next(stated, None)


def spec_of(settings: Mapping[str, Any]) -> AppSpec | None:
    """Return the spec that a release was made of, from its settings as a ledger has them.

    None for a release of another chartgen whose settings say something that this one does not.
    """
    try:
        return AppSpec.model_validate(settings)
    except ValidationError:
        return None
