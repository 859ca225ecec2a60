"""What an app asks of a device, in words for people: resources, permissions, doors, variables.

Everything is taken from the manifest, which is what the device goes by (olares-manifest 2.4 to 2.9
and 4.2). What has no words here is named as the manifest names it, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from chartgen.document import scalar_text
from chartgen.quantity import parse_quantity

_GIB, _MIB = Decimal(2) ** 30, Decimal(2) ** 20
# Kind of quantity, name for people, and the ends of the manifest's two fields.
_RESOURCES = (
    ("GPU memory", ("GPUMemory", "Gpu")),
    ("Memory", ("Memory",)),
    ("CPU", ("Cpu",)),
    ("Disk", ("Disk",)),
)
# Modes of spec.accelerator (chartgen/olares/accelerators.yaml).
_MODES = {
    "nvidia": "NVIDIA card",
    "nvidia-gb10": "NVIDIA GB10",
    "amd-gpu": "AMD card",
    "amd": "AMD processor with graphics",
    "intel-gpu": "Intel card",
    "intel": "Intel processor with graphics",
    "apple-m": "Apple silicon",
    "moore-soc": "Moore Threads",
    "cpu": "No GPU",
}
_PERMISSIONS = {
    "appData": "Keeps files in a data folder of its own, such as weights and settings.",
    "appCache": "Keeps files in a cache folder of its own.",
    "appCommon": "Reads and writes the folder that all apps of the device share.",
    "externalData": "Reads and writes the external storage of the device.",
}
_DOORS = {
    "internal": "open in your own network without a login, closed from outside",
    "private": "open after a login",
    "public": "open to everybody on the internet without a login",
}
# Resolved on the device when the app is installed (olares-manifest 2.5).
_AUTOMATIC = "-1"


@dataclass(frozen=True, slots=True)
class Resources:
    """What an app needs on one kind of machine: (what, amount in words) in order of interest."""

    machine: str
    rows: tuple[tuple[str, str], ...]


def resources(manifest: Mapping[str, Any]) -> tuple[Resources, ...]:
    """Return what an app needs, by kind of machine where the manifest tells them apart."""
    spec = _mapping(manifest.get("spec"))
    modes = _mappings(spec.get("accelerator"))
    if not modes:
        rows = tuple(_rows(spec))
        return (Resources("", rows),) if rows else ()
    return tuple(Resources(_mode_title(mode.get("mode")), tuple(_rows(mode))) for mode in modes)


def gpu_memory(manifest: Mapping[str, Any]) -> str | None:
    """Return the GPU memory that an app asks for, or None where it asks for none."""
    for needed in resources(manifest):
        for name, amount in needed.rows:
            if name == "GPU memory":
                return amount
    return None


def gpu_memory_bytes(manifest: Mapping[str, Any]) -> int | None:
    """Return the GPU memory that an app asks for; None where no number says so."""
    spec = _mapping(manifest.get("spec"))
    for stated in _mappings(spec.get("accelerator")) or [spec]:
        for end in dict(_RESOURCES)["GPU memory"]:
            try:
                amount = int(parse_quantity(_quantity(stated, f"required{end}") or ""))
            except ValueError:
                continue
            if amount > 0:
                return amount
    return None


def memory_text(amount: Decimal) -> str:
    """Write bytes as people read them: `23 GiB`, `24.1 GiB`, `512 MiB`."""
    unit, name = (_GIB, "GiB") if amount >= _GIB else (_MIB, "MiB")
    return f"{_plain((amount / unit).quantize(Decimal('0.1'), ROUND_HALF_UP))} {name}"


def file_size_text(size: int) -> str:
    """Write the size of a file: `840 bytes`, `8.4 KiB`, `1.2 MiB`."""
    if size < 1024:
        return f"{size} bytes"
    if size < 1024 * 1024:
        return f"{_plain((Decimal(size) / 1024).quantize(Decimal('0.1'), ROUND_HALF_UP))} KiB"
    return memory_text(Decimal(size))


def permissions(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Return one sentence for each thing that an app may do or that is open to others."""
    middleware = sorted(_mapping(manifest.get("middleware")))
    return (
        *_storage(_mapping(manifest.get("permission"))),
        *_sharing(_mapping(manifest.get("options")), _mapping(manifest.get("spec"))),
        *(f"Uses the device's {name}." for name in middleware),
        *_doors(manifest),
    )


def variables(manifest: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what a person can set: (name of the variable, what it is)."""
    return tuple(_variables(manifest))


def _rows(stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for title, ends in _RESOURCES:
        for end in ends:
            needed, most = _quantity(stated, f"required{end}"), _quantity(stated, f"limited{end}")
            if needed is None and most is None:
                continue
            yield title, _range(_amount(title, needed), _amount(title, most))
            break


def _quantity(stated: Mapping[str, Any], field: str) -> str | None:
    value = stated.get(field)
    text = scalar_text(value) if isinstance(value, (str, int, float)) else ""
    return text or None


def _amount(title: str, text: str | None) -> str | None:
    if text is None:
        return None
    if text == _AUTOMATIC:
        return "decided at install"
    try:
        value = parse_quantity(text)
    except ValueError:
        return text
    if title == "CPU":
        return f"{_plain(value.normalize())} core{'' if value == 1 else 's'}"
    return memory_text(value)


def _range(needed: str | None, most: str | None) -> str:
    if needed is None or most is None or needed == most:
        return str(needed or most)
    return f"{needed}, at most {most}"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _mode_title(mode: Any) -> str:
    return _MODES.get(str(mode), str(mode))


def _storage(permission: Mapping[str, Any]) -> Iterator[str]:
    for name, value in permission.items():
        if value is False or value is None or value in ([], {}, ""):
            continue
        if name in _PERMISSIONS:
            yield _PERMISSIONS[name]
        elif name == "userData" and isinstance(value, list):
            yield f"Reads and writes {_listed(value)} in Files."
        elif name == "provider" and isinstance(value, list):
            apps = [item.get("appName") or item.get("providerName") for item in _mappings(value)]
            yield f"Calls other apps: {_listed(apps)}."
        else:
            yield f"Has the permission {name}: {json.dumps(value, ensure_ascii=False)}."


def _sharing(options: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    if options.get("shared") is True:
        yield "Runs once for all users of the device."
    if spec.get("onlyAdmin") is True:
        yield "Can only be installed by an administrator."
    if options.get("LLMGatewaySupported") is True:
        yield "Joins the device's model gateway."
    ports = options.get("allowedOutboundPorts")
    if isinstance(ports, list) and ports:
        yield f"Connects to the internet on port {_listed(ports)}."


def _doors(manifest: Mapping[str, Any]) -> Iterator[str]:
    for entrance in _mappings(manifest.get("entrances")):
        level = str(entrance.get("authLevel") or "private")
        who = _DOORS.get(level, f"open with the level {level}")
        title = entrance.get("title") or entrance.get("name") or "The app"
        yield f"{title}, port {entrance.get('port')}: {who}."


def _variables(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in _mappings(manifest.get("envs")):
        parts = [str(variable.get("description") or variable.get("title") or "")]
        if variable.get("required") is True:
            parts.append("Must be given.")
        origin = _mapping(variable.get("valueFrom")).get("envName")
        if isinstance(origin, str):
            parts.append(f"Default: the device's {origin}")
        yield str(variable.get("envName")), " ".join(part for part in parts if part)


def _listed(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
