"""The last hatches: merge patches and JSON patches on rendered objects."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from chartgen.spec.app import Patch


class PatchError(ValueError):
    """A patch whose target or path does not exist."""


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7386): null removes a key, anything but a mapping replaces."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def apply_patch(objects: Sequence[Any], patch: Patch) -> list[Any]:
    """Return the objects with a patch applied to its target.

    Raises PatchError where no object is the target, or a path of an operation does not exist.
    """
    result = list(objects)
    for index, item in enumerate(result):
        if item["kind"] == patch.target.kind and item["metadata"]["name"] == patch.target.name:
            if patch.merge is not None:
                result[index] = merge_patch(item, patch.merge)
            else:
                result[index] = _json_patch(item, patch.json_ or ())
            return result
    names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in objects)
    raise PatchError(f"no {patch.target.kind} is named {patch.target.name!r}; there are {names}")


def _json_patch(target: Any, operations: Sequence[Mapping[str, Any]]) -> Any:
    result = copy.deepcopy(target)
    for operation in operations:
        kind, pointer = operation.get("op"), str(operation.get("path", ""))
        parts = [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]
        if kind not in {"add", "replace", "remove"} or not parts:
            message = f"an operation has op add, replace or remove and a path, not {operation}"
            raise PatchError(message)
        parent = result
        for part in parts[:-1]:
            parent = _step(parent, part, pointer)
        _operate(parent, parts[-1], str(kind), operation.get("value"), pointer)
    return result


def _step(parent: Any, part: str, pointer: str) -> Any:
    try:
        return parent[int(part)] if isinstance(parent, list) else parent[part]
    except (KeyError, IndexError, ValueError, TypeError):
        raise PatchError(f"path {pointer} does not exist (at {part!r})") from None


def _operate(parent: Any, part: str, kind: str, value: Any, pointer: str) -> None:
    if isinstance(parent, list):
        if kind == "add" and part == "-":
            parent.append(value)
            return
        _step(parent, part, pointer) if kind != "add" else None
        position = int(part)
        if kind == "add":
            parent.insert(position, value)
        elif kind == "replace":
            parent[position] = value
        else:
            del parent[position]
        return
    if kind != "add":
        _step(parent, part, pointer)
    if kind == "remove":
        del parent[part]
    else:
        parent[part] = value
