"""What an app says of a fork of its engine, where chartgen does not know the fork."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt

from chartgen.spec.values import Part, Shorthand, Text


def _option(value: Any) -> Any:
    return {"value": value} if isinstance(value, str) else value


class ForkOption(Part):
    """An option that the fork adds to its base."""

    value: Literal["none", "switch", "int", "float", "int-or-word", "text", "list", "json"] = Field(
        "text",
        description=(
            "What it takes: `none` for a bare flag, `switch` for one that also has a `no-` form, "
            "`list` for words joined by commas."
        ),
    )
    spellings: tuple[Text, ...] = Field(
        (), description="All spellings with their dashes; by default `--` and the name."
    )
    choices: tuple[Text, ...] = Field((), description="The words it takes; empty for any.")
    env: Text | None = Field(None, description="Variable that sets it too.")


class KvType(Part):
    """A type of the key-value cache that the fork adds: how many bytes a block of elements has."""

    block: Annotated[StrictInt, Field(ge=1)] = Field(description="Elements of a block.")
    bytes: Annotated[StrictInt, Field(ge=1)] = Field(description="Bytes of a block.")


class Fork(Part):
    """A fork of the engine: the release it is based on, and what it adds."""

    base: Text = Field(
        description="Release of the engine that the fork is based on, such as `b9101` or `0.21.0`."
    )
    options: Mapping[
        Text,
        Annotated[
            ForkOption,
            Shorthand(_option, {"type": "string", "description": "what the option takes"}),
        ],
    ] = Field(default_factory=dict, description="Options that the base lacks, without dashes.")
    values: Mapping[Text, tuple[Text, ...]] = Field(
        default_factory=dict,
        description="Further words for options of the base, such as `spec-type: [mtp]`.",
    )
    kv_types: Mapping[Text, KvType] = Field(
        default_factory=dict,
        description="Further types of the cache, such as `turbo3: {block: 128, bytes: 50}`.",
    )
    env: tuple[Text, ...] = Field((), description="Variables that the base does not read.")
