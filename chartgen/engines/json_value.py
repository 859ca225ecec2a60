"""Values of an engine's JSON arguments, against the schemas of its table.

The schemas are a subset of JSON Schema with two words of their own: `{"ref": "Class"}` for a nested
object of the table, `nocase` beside `enum`, and `strict` for integers that must be written as
such. How far a value may differ from its type follows
pydantic's conversion table for lax mode, which vLLM's configuration classes use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

# What pydantic takes for a boolean in lax mode (pydantic 2, "Conversion Table").
_TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
_FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
Schemas = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A key that a schema lacks, or a value that it refuses, at a dotted path."""

    kind: Literal["json-key", "ignored", "json-value"]
    path: str
    value: Any
    detail: str
    known: tuple[str, ...] = ()


def mismatches(schemas: Schemas, title: str, value: Any, path: str = "") -> Iterator[Mismatch]:
    """Yield what is wrong with an object for the class `title`.

    A class that the table lacks takes anything. The key `*` of a class stands for any other key;
    `{"ignored": true}` there means that the class takes such keys and forgets them.
    """
    fields = schemas.get(title)
    if fields is None:
        return
    if not isinstance(value, Mapping):
        yield Mismatch("json-value", path, value, "an object")
        return
    for key, item in value.items():
        schema = fields.get(key, fields.get("*"))
        inner = f"{path}.{key}" if path else str(key)
        if schema is None or schema.get("ignored"):
            known = tuple(sorted(name for name in fields if name != "*"))
            yield Mismatch("json-key" if schema is None else "ignored", inner, item, title, known)
        else:
            yield from value_mismatches(schemas, schema, item, inner)


def fits(schemas: Schemas, schema: Mapping[str, Any], value: Any) -> bool:
    """Tell whether a value fits a schema."""
    return next(value_mismatches(schemas, schema, value, ""), None) is None


def out_of_bounds(schema: Mapping[str, Any], value: float) -> str:
    """Return the bound that a number breaks, in words; empty where it keeps all."""
    if "minimum" in schema and not value >= schema["minimum"]:
        return f"at least {schema['minimum']}"
    if "maximum" in schema and not value <= schema["maximum"]:
        return f"at most {schema['maximum']}"
    if "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        return f"more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and not value < schema["exclusiveMaximum"]:
        return f"less than {schema['exclusiveMaximum']}"
    if "multipleOf" in schema and value % schema["multipleOf"]:
        return f"a multiple of {schema['multipleOf']}"
    return ""


def value_mismatches(
    schemas: Schemas, schema: Mapping[str, Any], value: Any, path: str = ""
) -> Iterator[Mismatch]:
    """Yield what is wrong with a value, and with what it holds."""
    if "ref" in schema:
        yield from mismatches(schemas, schema["ref"], value, path)
    elif "anyOf" in schema:
        yield from _none_of(schemas, schema["anyOf"], value, path)
    elif "enum" in schema or "const" in schema:
        words = schema.get("enum", [schema.get("const")])
        if not _listed(words, value, nocase=schema.get("nocase", False)):
            texts = tuple(sorted(str(word) for word in words if word is not None))
            yield Mismatch("json-value", path, value, "one of " + ", ".join(texts), texts)
    else:
        yield from _typed(schemas, schema, value, path)


def _none_of(
    schemas: Schemas, choices: list[Mapping[str, Any]], value: Any, path: str
) -> Iterator[Mismatch]:
    """Yield what is wrong if no choice takes the value: of an object, what its own class says."""
    if any(fits(schemas, choice, value) for choice in choices):
        return
    nearest = [c for c in choices if "ref" in c] if isinstance(value, Mapping) else []
    nearest = nearest or [c for c in choices if c.get("type") != "null"]
    if len(nearest) == 1:
        yield from value_mismatches(schemas, nearest[0], value, path)
    else:
        names = [_name(choice) for choice in nearest]
        yield Mismatch("json-value", path, value, " or ".join(dict.fromkeys(names)))


def _typed(
    schemas: Schemas, schema: Mapping[str, Any], value: Any, path: str
) -> Iterator[Mismatch]:
    kind = schema.get("type")
    if kind is None:
        return
    strict = schema.get("strict", False) and not isinstance(value, int)
    if strict or not _has_type(kind, value):
        yield Mismatch("json-value", path, value, _name(schema))
        return
    if kind in ("integer", "number"):
        broken = out_of_bounds(schema, float(value))
        if broken:
            yield Mismatch("json-value", path, value, broken)
    elif kind == "array":
        yield from _items(schemas, schema, value, path)
    elif kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            yield from value_mismatches(schemas, schema["additionalProperties"], item, inner)


def _items(
    schemas: Schemas, schema: Mapping[str, Any], value: list[Any], path: str
) -> Iterator[Mismatch]:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if len(value) < least or (most is not None and len(value) > most):
        wanted = str(least) if least == most else f"{least} to {'any' if most is None else most}"
        yield Mismatch("json-value", path, value, f"a list of {wanted} items")
        return
    for at, item in enumerate(value):
        places = schema.get("prefixItems", ())
        wanted_item = places[at] if at < len(places) else schema.get("items")
        if isinstance(wanted_item, Mapping):
            yield from value_mismatches(schemas, wanted_item, item, f"{path}[{at}]")


def _listed(words: list[Any], value: Any, *, nocase: bool) -> bool:
    """Tell whether a value is one of some words; 1 and true are two values."""
    if nocase and isinstance(value, str):
        return any(isinstance(word, str) and word.lower() == value.lower() for word in words)
    return any(type(word) is type(value) and word == value for word in words)


def _has_type(kind: str, value: Any) -> bool:
    """Tell whether pydantic's lax mode takes a JSON value for a type."""
    if kind == "null":
        return value is None
    if kind == "string":
        return isinstance(value, str)
    if kind == "array":
        return isinstance(value, list)
    if kind == "object":
        return isinstance(value, Mapping)
    if kind == "boolean":
        if isinstance(value, str):
            return value.lower() in _TRUE | _FALSE
        return isinstance(value, bool) or (isinstance(value, (int, float)) and value in (0, 1))
    if not isinstance(value, (int, float, str)):
        return False
    try:
        number = float(value)
    except ValueError:
        return False
    return kind == "number" or number.is_integer()


def _name(schema: Mapping[str, Any]) -> str:
    """Return what a schema asks for, in words."""
    if "ref" in schema:
        return "an object"
    if "enum" in schema:
        return "one of " + ", ".join(str(word) for word in schema["enum"] if word is not None)
    if "anyOf" in schema:
        return " or ".join(_name(choice) for choice in schema["anyOf"])
    return {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "string": "a text",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }.get(schema.get("type", ""), "another value")
