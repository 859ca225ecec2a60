"""The JSON Schemas of spec and market.yaml, made from the models: what editors check by.

The schema refuses nothing that the model takes, but for texts with a form of their own (names,
titles), which it wants written as texts. It takes some things that the model refuses: what holds
between two keys is not for a schema to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from chartgen.market.settings import MarketSettings
from chartgen.spec.app import AppSpec
from chartgen.spec.values import Text

DIALECT = GenerateJsonSchema.schema_dialect
# What turns a number or a boolean into the text it was written as: it marks where a spec may
# hold one, written without quotes.
_TAKES_SCALARS = get_args(Text)[1].func


class _Generator(GenerateJsonSchema):
    """pydantic's generator, without titles that only repeat the key."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        """No field is given a title."""
        return False

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Let a text be written as a number or a boolean where the model takes it so."""
        made = super().function_before_schema(schema)
        if schema["function"]["function"] is _TAKES_SCALARS and made.get("type") == "string":
            return {**made, "type": ["string", "number", "boolean"]}
        return made


def app_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a spec."""
    return _model_schema(AppSpec, "Olares app")


def market_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of market.yaml."""
    return _model_schema(MarketSettings, "Olares market")


def _model_schema(top: type[BaseModel], title: str) -> dict[str, Any]:
    schema = top.model_json_schema(by_alias=True, schema_generator=_Generator)
    for model in _models(top):
        part = schema if model is top else schema.get("$defs", {}).get(model.__name__)
        if part is not None:
            _add_patterns(model, part)
    tidy = _tidied(schema)
    assert isinstance(tidy, dict)
    return {**tidy, "$schema": DIALECT, "title": title}


def schema_text() -> str:
    """Return a spec's schema as JSON text: sorted, so that equal models give equal bytes."""
    return _json(app_schema())


def market_schema_text() -> str:
    """Return the schema of market.yaml as JSON text."""
    return _json(market_schema())


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models that its fields are made of, each once."""
    seen = {model}
    waiting = [model]
    while waiting:
        current = waiting.pop()
        yield current
        for field in current.model_fields.values():
            for found in _models_in(field.annotation):
                if found not in seen:
                    seen.add(found)
                    waiting.append(found)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)


def _add_patterns(model: type[BaseModel], part: dict[str, Any]) -> None:
    """State the patterns of optional texts, which pydantic's own generator leaves out."""
    for name, field in model.model_fields.items():
        for constraint in field.metadata:
            pattern = getattr(constraint, "pattern", None)
            if isinstance(pattern, str):
                # A pattern says nothing about null and other values that are no text.
                part["properties"][field.alias or name]["pattern"] = pattern


def _tidied(node: Any) -> Any:
    """Return a schema without what says nothing, and closed where keys have a pattern."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    kept = {}
    for key, value in node.items():
        if key == "default":
            # A part's own defaults stand at its keys; null and empty mean that nothing is set.
            if value not in (None, "", [], {}) and not _holds_mapping(value):
                kept[key] = value
        elif key == "properties":
            kept[key] = {name: _tidied(inner) for name, inner in value.items()}
        elif key == "title" or key == "discriminator":
            # `discriminator` is a word of OpenAPI: the constant `kind` of each part says the same.
            continue
        else:
            kept[key] = _tidied(value)
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    return kept


def _holds_mapping(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value)
    )
