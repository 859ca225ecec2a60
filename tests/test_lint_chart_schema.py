"""The reading of Kubernetes' schemas, against the package they come from."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from sound_chart import Draft

from chartgen.helm import RenderedObject
from chartgen.lint.kubernetes import KUBERNETES_VERSION, check_schema

kubernetes_validate = pytest.importorskip("kubernetes_validate")

# Keywords that say nothing about what a value may be.
REMARKS = {"description", "default", "$schema", "$id", "format"}


def keywords(schema: Any) -> set[str]:
    """Return all keywords in a schema, but not the names of properties."""
    found = set(schema)
    for key in ("properties", "$defs"):
        for inner in schema.get(key, {}).values():
            found |= keywords(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            found |= keywords(schema[key])
    for inner in schema.get("oneOf", ()):
        found |= keywords(inner)
    return found


def test_schemas_use_no_keyword_that_is_not_read() -> None:
    folder = files("kubernetes_validate").joinpath(
        "kubernetes-json-schema", f"v{KUBERNETES_VERSION}-local-strict"
    )
    used: set[str] = set()
    for name in ("_definitions", "deployment-apps-v1", "service-v1", "configmap-v1"):
        used |= keywords(json.loads(folder.joinpath(f"{name}.json").read_bytes()))
    read = {"$ref", "type", "enum", "oneOf", "properties", "required", "additionalProperties"}
    meant = {key for key in used if not key.startswith("x-kubernetes")}
    assert meant - REMARKS - {"$defs"} == read | {"items"}


def deployment() -> dict[str, Any]:
    data = copy.deepcopy(Draft().deployment)
    data["spec"]["replicas"] = 1
    return data


def put(data: Any, path: str, value: Any) -> None:
    *parents, last = path.split("/")
    for part in parents:
        data = data[int(part)] if part.isdigit() else data[part]
    data[int(last) if last.isdigit() else last] = value


INNER = "spec/template/spec/containers/0"


@pytest.mark.parametrize("value", [None, True, 0, 1.0, 1.5, "1", "", [], [1], {}, {"a": "b"}])
@pytest.mark.parametrize(
    "path",
    [
        "metadata",
        "metadata/labels",
        "spec",
        "spec/replicas",
        "spec/selector",
        "spec/strategy",
        "spec/template/spec/containers",
        INNER,
        f"{INNER}/name",
        f"{INNER}/tty",
        f"{INNER}/command",
        f"{INNER}/env/0",
        f"{INNER}/ports/0/containerPort",
        f"{INNER}/resources/limits",
        f"{INNER}/resources/limits/cpu",
        f"{INNER}/startupProbe/httpGet/port",
        f"{INNER}/nothing",
    ],
)
def test_verdict_is_that_of_the_package(path: str, value: Any) -> None:
    data = deployment()
    put(data, path, value)
    try:
        kubernetes_validate.validate(data, KUBERNETES_VERSION, strict=True)
        accepted = True
    except kubernetes_validate.ValidationError:
        accepted = False
    findings = list(check_schema(Draft().chart(), [RenderedObject("templates/a.yaml", data)]))
    assert (findings == []) is accepted


@pytest.mark.parametrize(
    ("api", "kind", "rule"),
    [
        ("v1", "ConfigMap", None),
        ("apps/v1", "DaemonSets", "kubernetes-kind"),
        ("networking.k8s.io/v9", "Ingress", "kubernetes-kind"),
        ("example.org/v1", "Robot", "kubernetes-kind-unchecked"),
        ("../../x.org/v1", "a/b", "kubernetes-kind-unchecked"),
        ("v1", "", "object-kind"),
        ("", "ConfigMap", "object-kind"),
    ],
)
def test_kind_decides_what_is_checked(api: str, kind: str, rule: str | None) -> None:
    item = RenderedObject("templates/a.yaml", {"apiVersion": api, "kind": kind})
    assert [f.rule for f in check_schema(Draft().chart(), [item])] == ([rule] if rule else [])
