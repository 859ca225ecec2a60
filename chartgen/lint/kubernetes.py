"""Rendered objects against the schema of the Kubernetes that devices run.

The schemas are those of the package kubernetes-validate, in their strict form, which refuses
unknown fields. Its own `validate` reads and compiles a megabyte of schema for each object. They
are written in eight keywords of JSON Schema, which are read here: that takes a tenth of the time
of a general validator, which took a third of a chart's lint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path as FilePath
from typing import Any

from chartgen.chart import Chart
from chartgen.document import Path, dotted_path
from chartgen.errors import MissingToolError
from chartgen.findings import Finding
from chartgen.helm import RenderedObject
from chartgen.lint.rendered_objects import object_place, title
from chartgen.lint.rules import finding

# The version that the market renders for (market-protocol-v1 §3.3).
KUBERNETES_VERSION = "1.28.0"

# Kind and version come out of charts and become part of a path.
_WORD = re.compile(r"[A-Za-z0-9.-]+")
# How the schemas' files are named: apps/v1 is apps-v1, networking.k8s.io/v1 is networking-v1.
_GROUP = re.compile(r"^([^./]*)(?:\.[^/]*)?/")


def check_schema(chart: Chart, items: Iterable[RenderedObject]) -> Iterator[Finding]:
    """Check each object once, however many renders it came from.

    Raises MissingToolError where the package kubernetes-validate is not installed.
    """
    seen: set[str] = set()
    for item in items:
        content = _identity(item)
        if content not in seen:
            seen.add(content)
            yield from _check_object(chart, item)


def _check_object(chart: Chart, item: RenderedObject) -> Iterator[Finding]:
    if not item.kind or not item.api_version:
        message = "an object lacks apiVersion or kind"
        yield finding("object-kind", object_place(chart, item), message)
        return
    schema = _schema(item.api_version, item.kind)
    if schema is None:
        message = f"{item.kind} of {item.api_version} is not known to Kubernetes {_SHORT}"
        rule = "kubernetes-kind" if _is_builtin(item.api_version) else "kubernetes-kind-unchecked"
        yield finding(rule, object_place(chart, item), message)
        return
    for path, problem in schema_problems(item.data, schema):
        where = dotted_path(path)
        message = f"{title(item)}: {where or 'the object'} {problem}"
        yield finding("kubernetes-schema", object_place(chart, item, where), message)


_SHORT = KUBERNETES_VERSION.rpartition(".")[0]


def _identity(item: RenderedObject) -> str:
    """Return an object's content; renders that differ in replicas only count as one."""
    spec = item.data.get("spec")
    if isinstance(spec, Mapping) and type(spec.get("replicas")) is int:
        spec = {key: value for key, value in spec.items() if key != "replicas"}
    return json.dumps([item.template, {**item.data, "spec": spec}], sort_keys=True)


def _is_builtin(api_version: str) -> bool:
    group = api_version.partition("/")[0] if "/" in api_version else ""
    return "." not in group or group.endswith(".k8s.io")


def schema_problems(
    value: Any, schema: Mapping[str, Any], path: Path = ()
) -> Iterator[tuple[Path, str]]:
    """Yield the path of each value that breaks a schema of Kubernetes, and what is wrong with it.

    Formats such as `int32` are not checked, as JSON Schema has it by default.
    """
    if "$ref" in schema:
        schema = _definitions()[schema["$ref"].rpartition("/")[2]]
    wanted = _kinds(schema)
    if wanted and not any(_IS[kind](value) for kind in wanted):
        yield path, f"is {_shown(value)}, not {_types(wanted)}"
    if "enum" in schema and value not in schema["enum"]:
        yield path, f"is {_shown(value)}, not {' or '.join(schema['enum'])}"
    if "oneOf" in schema:
        options = schema["oneOf"]
        if sum(not any(schema_problems(value, option)) for option in options) != 1:
            kinds = [kind for option in options for kind in _kinds(option)]
            yield path, f"is {_shown(value)}, not {_types(kinds)}"
    if isinstance(value, dict):
        yield from _field_problems(value, schema, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from schema_problems(item, schema["items"], (*path, index))


def _field_problems(
    value: Mapping[str, Any], schema: Mapping[str, Any], path: Path
) -> Iterator[tuple[Path, str]]:
    missing = sorted(set(schema.get("required", ())) - value.keys())
    if missing:
        yield path, f"lacks {', '.join(missing)}"
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    for name, inner in value.items():
        if name in known:
            yield from schema_problems(inner, known[name], (*path, name))
        elif others is False:
            yield (*path, name), "is no field that Kubernetes knows"
        elif others is not True:
            yield from schema_problems(inner, others, (*path, name))


def _is_whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


_IS: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_whole,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _types(kinds: Iterable[str]) -> str:
    return " or ".join(kind for kind in kinds if kind != "null")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return json.dumps(value, ensure_ascii=False)


@cache
def _schema(api_version: str, kind: str) -> Mapping[str, Any] | None:
    """Return the schema of a kind, None where Kubernetes has no such kind."""
    if not _WORD.fullmatch(kind) or not _WORD.fullmatch(api_version.replace("/", "")):
        return None
    group = _GROUP.sub(r"\1-", api_version)
    schema_file = _schema_folder() / f"{kind.lower()}-{group}.json"
    return json.loads(schema_file.read_bytes()) if schema_file.is_file() else None


@cache
def _definitions() -> Mapping[str, Any]:
    """Return what `$ref` in the schemas refers to, by the last word of the reference."""
    content = json.loads((_schema_folder() / "_definitions.json").read_bytes())
    definitions: Mapping[str, Any] = content["$defs"]
    return definitions


@cache
def _schema_folder() -> FilePath:
    # The package itself is not imported: that would load a validator that is not used, for half
    # a tenth of a second.
    package = find_spec("kubernetes_validate")
    if package is None or package.origin is None:
        raise MissingToolError(
            "checking objects needs the package kubernetes-validate; install it with "
            "`pip install kubernetes-validate`"
        )
    folder = FilePath(package.origin).parent / "kubernetes-json-schema"
    return folder / f"v{KUBERNETES_VERSION}-local-strict"
