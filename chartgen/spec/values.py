"""Scalar types of a spec: texts, names, versions, quantities, images, and their short forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictInt,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from chartgen.document import scalar_text
from chartgen.quantity import parse_file_size, parse_quantity

# Folder and metadata names: olares-manifest 1.1 (device lint C1) and the market's demand for a
# leading letter. The engine's Service is named so, too, and as the host of an entrance it has two
# characters or more (device lint M4, olares-manifest 2.4).
APP_NAME = r"^[a-z][a-z0-9]{1,29}$"
# Three plain numbers; app-service splits package names at "-", so no pre-release part can pass.
VERSION = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"
VERSION_LENGTH = 16
# Device lint M3 counts titles of apps and entrances in bytes.
TITLE_BYTES = 30
# RFC 1123 label, as Kubernetes demands for container and volume names.
LABEL = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
# A practical part of BCP 47: language, optional script, optional region.
LOCALE = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$"
# Reference grammar of distribution/reference v0.6 in the part that images use.
IMAGE = (
    r"^[a-z0-9]+([._-]+[a-z0-9]+|[:/][a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$"
)


class Part(BaseModel):
    """Base of every part of a spec: frozen, and no key beyond the declared ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def fault(rule: str, message: str, remedy: str = "") -> PydanticCustomError:
    """Make a validation error that becomes a finding of the given rule."""
    context = {"message": message, "remedy": remedy}
    return PydanticCustomError(rule, "{message}", context)


def _text(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        return scalar_text(value)
    return value


Text = Annotated[str, BeforeValidator(_text)]
"""Any text. Numbers and booleans are taken as the characters they were written with."""

Count = Annotated[StrictInt, Field(ge=0)]
Port = Annotated[StrictInt, Field(ge=1, le=65535)]


class Shorthand:
    """A second, shorter way to write a part: `expand` turns it into the full mapping."""

    def __init__(self, expand: Callable[[Any], Any], schema: dict[str, Any]) -> None:
        self.expand = expand
        self.schema = schema

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.expand, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [self.schema, handler(schema)]}


@dataclass(frozen=True, slots=True)
class Range:
    """A request and a limit in base units (bytes or cores), written `4..16` or `4`."""

    request: Decimal
    limit: Decimal

    def __add__(self, other: Range) -> Range:
        return Range(self.request + other.request, self.limit + other.limit)


def _amount(text: str, unit: str, example: str) -> Decimal:
    try:
        value = parse_quantity(text)
    except ValueError:
        remedy = f"Write {example}."
        size = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT])i?B", text)
        if size and unit == "memory":
            number, letter = size.groups()
            remedy = f"Write {number}{letter}i (1024 steps) or {number}{letter} (1000 steps)."
        raise fault("spec-quantity", f"{text!r} is no amount of {unit}", remedy) from None
    if value <= 0:
        raise fault("spec-quantity", f"{text!r} must be more than nothing", f"Write {example}.")
    if unit != "cpu" and value < 2**20:
        raise fault("spec-quantity", f"{text!r} is less than one MiB", f"Write {example}.")
    return value


def _range_reader(unit: str, example: str) -> Callable[[object], Range]:
    def read(value: object) -> Range:
        if isinstance(value, Range):
            return value
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise fault("spec-quantity", f"{value!r} is no amount of {unit}", f"Write {example}.")
        low, dots, high = scalar_text(value).partition("..")
        request = _amount(low.strip(), unit, example)
        limit = _amount(high.strip(), unit, example) if dots else request
        if request > limit:
            raise fault(
                "spec-range",
                f"the request {low} is above the limit {high}",
                f"Write {high}..{low}, or raise the limit.",
            )
        return Range(request, limit)

    return read


def _range(unit: str, example: str, pattern: str) -> Any:
    return Annotated[
        Range,
        PlainValidator(_range_reader(unit, example)),
        WithJsonSchema({"type": ["string", "number"], "pattern": pattern, "examples": [example]}),
    ]


_ANY_QUANTITY = r"[0-9.]+(m|[kKMGT]i?)?"
CpuRange = _range("cpu", "4..16", rf"^{_ANY_QUANTITY}(\.\.{_ANY_QUANTITY})?$")
MemoryRange = _range("memory", "24Gi..40Gi", rf"^{_ANY_QUANTITY}(\.\.{_ANY_QUANTITY})?$")


def _file_size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise fault("spec-quantity", f"{value!r} is no file size", "Write 17GB or 840MB.")
    try:
        return parse_file_size(scalar_text(value))
    except ValueError:
        raise fault("spec-quantity", f"{value!r} is no file size", "Write 17GB or 840MB.") from None


FileSize = Annotated[
    int,
    PlainValidator(_file_size),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["17GB", "840MB"]}),
]
"""A file size in bytes, written `17GB`, `16.2GiB` or as a number of bytes."""


def _app_name(value: str) -> str:
    if not re.fullmatch(APP_NAME, value):
        raise fault(
            "spec-name",
            f"{value!r} is no app name",
            "Use 2 to 30 lower-case letters and digits, beginning with a letter.",
        )
    return value


def _version(value: str) -> str:
    if not re.fullmatch(VERSION, value) or len(value) > VERSION_LENGTH:
        raise fault(
            "spec-version",
            f"{value!r} is no version",
            f"Write X.Y.Z: three plain numbers, at most {VERSION_LENGTH} characters in all.",
        )
    return value


def _image(value: str) -> str:
    if not re.fullmatch(IMAGE, value):
        raise fault(
            "spec-image",
            f"{value!r} is no image reference",
            "Write [registry/]repository:tag, all of the repository in lower case.",
        )
    return value


def _pattern(pattern: str, check: Callable[[str], str], *, scalars: bool = False) -> Any:
    kinds = ["string", "number", "boolean"] if scalars else "string"
    return Annotated[
        Text, AfterValidator(check), WithJsonSchema({"type": kinds, "pattern": pattern})
    ]


def _matching(pattern: str, what: str, remedy: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise fault("spec-value", f"{value!r} is no {what}", remedy)
        return value

    return check


def matching(pattern: str, what: str, remedy: str, *, scalars: bool = False) -> Any:
    """Return the type of a text that matches a pattern, which only a schema shows.

    People are told that the text is no `what`, and the `remedy`. `scalars` tells that such a text
    may look like a number or a boolean, which the schema then takes, too.
    """
    return _pattern(pattern, _matching(pattern, what, remedy), scalars=scalars)


AppName = _pattern(APP_NAME, _app_name)
Version = _pattern(VERSION, _version)
Image = _pattern(IMAGE, _image)
Label = matching(LABEL, "name", "Use lower-case letters, digits and dashes, at most 63.")
LoggedMemory = matching(
    r"^[0-9]{1,4}\.[0-9]{2} ?GiB$",
    "amount of memory as an engine logs it",
    "Write GiB with two digits, such as 2.82GiB.",
)
EnvName = matching(
    ENV_NAME, "variable name", "Use letters, digits and underscores, no digit first."
)


def _title(value: str) -> str:
    size = len(value.encode())
    if not 1 <= size <= TITLE_BYTES:
        raise fault(
            "spec-title",
            f"the title has {size} bytes; a device takes 1 to {TITLE_BYTES}",
            "Shorten the title.",
        )
    return value


Title = Annotated[
    Text,
    AfterValidator(_title),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": TITLE_BYTES}),
]


def _locale(value: str) -> str:
    if not re.fullmatch(LOCALE, value):
        raise fault("spec-locale", f"{value!r} is no locale", "Write a tag such as en-US or zh-CN.")
    return value


Locale = _pattern(LOCALE, _locale)
Repository = matching(
    REPOSITORY, "Hugging Face repository", "Write owner/name, as in the model's URL."
)
MountPath = _pattern(
    r"^/[^\x00:]*$",
    _matching(r"/[^\x00:]+", "absolute path", "Write a path that begins with / and has no colon."),
)
