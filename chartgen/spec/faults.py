"""Turns what pydantic says about a spec into findings with a place and a remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from chartgen.document import Document, Path, dotted_path
from chartgen.findings import Finding
from chartgen.lint.rules import finding, rule_book

_EXPECTED = {
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "float_type": "a number",
}


def spec_findings(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> tuple[Finding, ...]:
    """Return one finding per fault; `model` is what the document was read as."""
    schema: dict[str, Any] | None = None
    found: list[Finding] = []
    entries = [(_data_path(e["loc"], document.value), e) for e in error.errors(include_url=False)]
    for path, entry in entries:
        kind = entry["type"]
        if kind == "too_short" and any(p[: len(path)] == path != p for p, _ in entries):
            # The list is only short because its faulty members do not count.
            continue
        if kind == "extra_forbidden":
            schema = schema or model.model_json_schema(by_alias=True)
            found.append(_unknown_key(document, path, schema))
        elif kind == "missing":
            found.append(_missing_key(document, path))
        elif kind in rule_book():
            context = entry.get("ctx", {})
            place = document.place(path)
            found.append(finding(kind, place, context["message"], context["remedy"]))
        else:
            found.append(_wrong_value(document, path, entry))
    return tuple(found)


def _data_path(location: Iterable[str | int], value: Any) -> Path:
    """Drop what pydantic adds to a location (names of union members) from the way to a value."""
    path: list[str | int] = []
    parts = list(location)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(value, dict) and (part in value or last):
            path.append(part)
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
    return tuple(path)


def _unknown_key(document: Document, path: Path, schema: dict[str, Any]) -> Finding:
    key = str(path[-1])
    parent = dotted_path(path[:-1])
    where = f" in {parent}" if parent else ""
    known = sorted(_known_keys(schema, path[:-1], document.value))
    near = difflib.get_close_matches(key.replace("-", "_").lower(), known, n=1, cutoff=0.6)
    if near:
        remedy = f"Write `{near[0]}`."
    elif known:
        remedy = f"Known keys{where}: {', '.join(known)}."
    else:
        remedy = "Remove the key."
    place = document.place(path, key=True)
    return finding("spec-unknown-key", place, f"key {key!r} is not known{where}", remedy)


def _known_keys(schema: Mapping[str, Any], path: Path, data: Any) -> set[str]:
    nodes: list[Any] = [schema]
    for part in path:
        data = data[part] if isinstance(data, dict) or isinstance(part, int) else None
        following = []
        for node in _alternatives(schema, nodes):
            if isinstance(part, int):
                candidate = node.get("items")
            else:
                candidate = node.get("properties", {}).get(part, node.get("additionalProperties"))
            if isinstance(candidate, dict):
                following.append(candidate)
        nodes = following
    keys: set[str] = set()
    kind = data.get("kind") if isinstance(data, dict) else None
    for node in _alternatives(schema, nodes):
        properties = node.get("properties", {})
        constant = properties.get("kind", {}).get("const")
        if constant is None or constant == kind:
            keys |= set(properties)
    return keys


def _alternatives(schema: Mapping[str, Any], nodes: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Follow references and unions down to plain object and array schemas."""
    plain: list[Any] = []
    for node in nodes:
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            plain += _alternatives(schema, [schema["$defs"][name]])
        elif branches := [*node.get("anyOf", []), *node.get("oneOf", [])]:
            plain += _alternatives(schema, branches)
        else:
            plain.append(node)
    return plain


def _missing_key(document: Document, path: Path) -> Finding:
    parent = dotted_path(path[:-1])
    where = f" in {parent}" if parent else ""
    message = f"key {path[-1]!r} is missing{where}"
    place = document.place(path[:-1], key=True)
    return finding("spec-missing-key", place, message, f"Add a line `{path[-1]}: …`.")


def _wrong_value(document: Document, path: Path, entry: Any) -> Finding:
    kind = entry["type"]
    context = entry.get("ctx", {})
    name = dotted_path(path) or "the file"
    stated = _shown(entry["input"])
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
        if kind == "int_type" and context == {} and isinstance(entry["input"], str):
            expected = "a whole number, in plain digits"
        return finding(
            "spec-type",
            document.place(path),
            f"{name} is {stated}, not {expected}",
            f"Write {expected}.",
        )
    if kind == "literal_error":
        near = difflib.get_close_matches(str(entry["input"]), context["expected"].split("'"), n=1)
        remedy = f"Write `{near[0]}`." if near else f"Write one of {context['expected']}."
        message = f"{name} is {stated}, not one of {context['expected']}"
        return finding("spec-value", document.place(path), message, remedy)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        tags = context.get("expected_tags", "'vllm', 'llamacpp', 'sglang', 'tabbyapi', 'app'")
        kind_path = (*path, "kind")
        message = f"engine.kind is not one of {tags}"
        return finding("spec-value", document.place(kind_path), message, f"Write one of {tags}.")
    if kind == "string_pattern_mismatch":
        message = f"{name} is {stated}, which does not match {context['pattern']}"
        return finding("spec-value", document.place(path), message)
    message = f"{name} is {stated}: {entry['msg'][:1].lower()}{entry['msg'][1:]}"
    return finding("spec-value", document.place(path), message)


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
