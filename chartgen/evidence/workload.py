"""What decides how an app behaves and how fast it is: the part of a spec that evidence is about.

Versions, texts, icons and categories are not in it, so that evidence outlives a new text; nor is
what only chartgen reads, such as the size of a download. A field that was left at its default is
left out too, so that a later chartgen with more fields does not make old evidence stale.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from chartgen.document import scalar_text
from chartgen.quantity import parse_quantity
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import AppEngine, Content, EngineBase
from chartgen.spec.load import LoadedSpec
from chartgen.spec.sources import ModelSource
from chartgen.spec.values import Part, Range
from chartgen.spec.workload import EnvValue, Gpu, Resources

_PARTS = (
    "engine",
    "env",
    "files",
    "storage",
    "steps",
    "sidecars",
    "resources",
    "gpu",
    "patches",
    "raw",
)
# Said to chartgen or to people; no container is started otherwise because of it.
_NOT_RUN: Mapping[type[Part], frozenset[str]] = {
    EngineBase: frozenset({"release", "fork"}),
    AppEngine: frozenset({"startup_seconds"}),
    ModelSource: frozenset({"size", "gated"}),
    EnvValue: frozenset({"ask", "description", "secret"}),
    Resources: frozenset({"disk"}),
    Gpu: frozenset({"kv_available"}),
}
# Fields of `spec` and of a mode in its `accelerator` by which a device caps what an app uses
# (olares-manifest 2.5); disk is a cap on nothing that runs.
_CAP = re.compile(r"(required|limited)(GPUMemory|Gpu|Cpu|Memory)")


def workload_digest(loaded: LoadedSpec) -> str:
    """Return the SHA-256 of what an app runs: engine, models, arguments, files and resources."""
    plain = {name: _plain(getattr(loaded.spec, name), loaded) for name in _stated(loaded.spec)}
    if caps := _caps(loaded.spec.manifest):
        plain["manifest"] = caps
    for path in loaded.spec.raw:
        plain[f"raw {path}"] = _digest(loaded.files[path])
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _stated(spec: AppSpec) -> list[str]:
    return [name for name in _PARTS if _differs(AppSpec.model_fields[name], getattr(spec, name))]


def _plain(value: Any, loaded: LoadedSpec) -> Any:
    """Return a value as JSON; texts in files count by what they say, not by where they stand."""
    if isinstance(value, Part):
        left_out = {
            name for part, names in _NOT_RUN.items() if isinstance(value, part) for name in names
        }
        plain = {
            name: _plain(getattr(value, name), loaded)
            for name, field in type(value).model_fields.items()
            if name not in left_out and _differs(field, getattr(value, name))
        }
        if isinstance(value, Content):
            plain.pop("from_", None)
            plain["content"] = _digest(loaded.text(value).encode())
        if isinstance(value, ModelSource) and value.local is not None:
            plain["local"] = _digest(loaded.files[value.local])
        return plain
    if isinstance(value, Mapping):
        return {str(name): _plain(inner, loaded) for name, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner, loaded) for inner in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Range):
        # `4` and `4000m` are one number in two spellings.
        return [f"{amount.normalize():f}" for amount in (value.request, value.limit)]
    return str(value)


def _caps(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a spec writes into the manifest that decides what the app may use."""
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return {}
    found = _amounts(spec)
    if "accelerator" in spec:
        modes = spec["accelerator"] if isinstance(spec["accelerator"], (list, tuple)) else ()
        found["accelerator"] = [
            {"mode": str(mode.get("mode")), **_amounts(mode)}
            for mode in modes
            if isinstance(mode, Mapping)
        ]
    return found


def _amounts(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _amount(value) for name, value in stated.items() if _CAP.fullmatch(name)}


def _amount(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return str(parse_quantity(scalar_text(value)).normalize())
    except ValueError:
        return str(value)


def _differs(field: FieldInfo, value: Any) -> bool:
    default = field.get_default(call_default_factory=True, validated_data={})
    # 1 and true are equal to Python, but not on a command line.
    return type(default) is not type(value) or bool(default != value)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
