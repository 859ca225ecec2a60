"""The engine of an app: what serves the model, with which image, model files and arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, model_validator

from chartgen.spec.fork import Fork
from chartgen.spec.sources import Source
from chartgen.spec.values import Count, Image, Label, Part, Port, Shorthand, Text, fault

# A scalar keeps its YAML type, so that `true` (a bare flag) and "true" (a word) stay apart.
Scalar = StrictBool | StrictInt | StrictFloat | str
ArgumentValue = Any
Arguments = Mapping[str, ArgumentValue]


class Content(Part):
    """Text that stands in the spec, or in a file beside it."""

    content: Text | None = Field(None, description="The text itself.")
    from_: Text | None = Field(None, alias="from", description="File beside the spec.")

    @model_validator(mode="after")
    def _one_origin(self) -> Content:
        if (self.content is None) == (self.from_ is None):
            raise fault(
                "spec-content", "exactly one of content and from is wanted", "Keep one of them."
            )
        return self


def _script(value: Any) -> Any:
    return {"content": value} if isinstance(value, str) else value


Script = Annotated[
    Content,
    Shorthand(_script, {"type": "string", "description": "the lines of a POSIX shell script"}),
]


class Setup(Part):
    """What is done in the engine's container before the engine starts, at every start."""

    apt: tuple[Text, ...] = Field((), description="Debian packages to install (needs root).")
    pip: tuple[Text, ...] = Field((), description="Python packages to install; pin with `==`.")
    run: Script | None = Field(None, description="Shell lines to run after the installs.")


class EngineBase(Part):
    """What all engines share."""

    image: Image = Field(description="Container image with a fixed tag.")
    release: Text | None = Field(
        None, description="Engine release in the image, where the tag does not tell it."
    )
    fork: Fork | None = Field(
        None, description="For a fork of the engine that chartgen does not know: what it adds."
    )
    port: Port | None = Field(None, description="Port that the engine listens on.")
    served_name: Text | None = Field(
        None, description="Model name in the API; by default the app's name."
    )
    context: Annotated[StrictInt, Field(ge=1)] | None = Field(
        None, description="Context length in tokens."
    )
    model: Source | None = Field(None, description="The main weights.")
    draft: Source | None = Field(None, description="Draft model for speculative decoding.")
    chat_template: Source | None = Field(None, description="Chat template file.")
    models: Mapping[Label, Source] = Field(
        default_factory=dict, description="Further weights by role, for engines of kind `app`."
    )
    args: Arguments = Field(
        default_factory=dict,
        description=(
            "Engine arguments: flag without dashes to its value. `true` gives a bare flag, `false` "
            "its negation, `null` removes what chartgen would add, an object is passed as JSON."
        ),
    )
    setup: Setup | None = Field(None, description="Installs before the start.")

    @property
    def roles(self) -> dict[str, Any]:
        """All weights by role, in the order main, mmproj, draft, chat_template, further ones."""
        named = {
            "main": self.model,
            "mmproj": getattr(self, "mmproj", None),
            "draft": self.draft,
            "chat_template": self.chat_template,
        }
        return {role: s for role, s in (named | dict(self.models)).items() if s is not None}


class VllmEngine(EngineBase):
    """vLLM: `vllm serve`."""

    kind: Literal["vllm"]
    model: Source = Field(description="The main weights.")


class LlamaCppEngine(EngineBase):
    """llama.cpp's server, official images and forks."""

    kind: Literal["llamacpp"]
    model: Source = Field(description="The GGUF with the main weights.")
    mmproj: Source | None = Field(None, description="Multimodal projector (vision, audio).")
    binary: Text = Field(
        "/app/llama-server", description="The server's program in the image; forks differ."
    )
    spellings: Mapping[
        Literal["model", "mmproj", "draft", "chat_template", "served_name", "context"], Text
    ] = Field(
        default_factory=dict,
        description="Flags that this build spells otherwise, such as `draft: mtp-head`.",
    )


class SglangEngine(EngineBase):
    """SGLang: `python3 -m sglang.launch_server`."""

    kind: Literal["sglang"]
    model: Source = Field(description="The main weights.")


class TabbyEngine(EngineBase):
    """TabbyAPI with ExLlamaV3; its settings are a configuration file."""

    kind: Literal["tabbyapi"]
    model: Source = Field(description="The main weights (EXL2 or EXL3).")
    config: Mapping[str, Any] = Field(
        default_factory=dict, description="Sections of TabbyAPI's config.yml beyond chartgen's own."
    )


class AppEngine(EngineBase):
    """Any other container: text to speech, images, music."""

    kind: Literal["app"]
    port: Port = Field(description="Port that the app listens on.")
    run: Script | None = Field(None, description="Shell script that starts the app.")
    command: tuple[Text, ...] = Field(
        (), description="Command as a list of words; without it the image's own is used."
    )
    health: Text | None = Field(
        None, description="Path that answers 200 when the app is ready; without it TCP is tried."
    )
    startup_seconds: Count = Field(
        300, description="Longest time that installs and loading take once the weights are there."
    )

    @model_validator(mode="after")
    def _one_start(self) -> AppEngine:
        if self.run and self.command:
            raise fault("spec-content", "both run and command are set", "Keep one of them.")
        return self


Engine = Annotated[
    VllmEngine | LlamaCppEngine | SglangEngine | TabbyEngine | AppEngine,
    Field(discriminator="kind"),
]
ENGINE_KINDS = ("vllm", "llamacpp", "sglang", "tabbyapi", "app")
