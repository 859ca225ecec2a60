"""Checks on the resources that a manifest declares, flat or by accelerator mode.

The device's lint has them in oac internal/manifest/resources.go and validate.go (olares-manifest
§3.3, M6 to M16). It still calls `spec.accelerator` by its former name, `spec.resources`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from chartgen.findings import Finding
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding
from chartgen.olares.platform import accelerators
from chartgen.quantity import parse_quantity

# Resolved by the device from the rendered chart, for all of an accelerator but disk (app-service
# pkg/apiserver/handler_installer_install.go, backfillAutoResourceMode).
AUTO = "-1"
# What the device's lint takes for a quantity; Kubernetes itself is narrower in places.
_QUANTITY = re.compile(
    r"(?:\d+(?:\.\d+)?(?:[eE][-+]?(\d+|i))?(?:[kKMGTP]?i?|[mMGTPE])?|[kKMGTP]i|[mMGTPE])"
)
_HOST = ("Cpu", "Memory", "Disk")
_REQUIRED_FLAT = ("requiredCpu", "limitedCpu", "requiredMemory", "limitedMemory", "requiredDisk")
_FLAT = tuple(f"{side}{what}" for what in (*_HOST, "Gpu") for side in ("required", "limited"))
_HOST_FIELDS = _FLAT[:6]
_GPU_FIELDS = ("requiredGPUMemory", "limitedGPUMemory")
# A request this small is a placeholder; since 1.12.6 it is the most that the app gets.
_NOMINAL_GPU_MEMORY = Decimal(2) ** 30


def check_resources(manifest: Manifest) -> Iterator[Finding]:
    """Check quantities, completeness and limits of a manifest's resources."""
    modes = manifest.items("spec", "accelerator")
    flat = [field for field in _FLAT if manifest.text("spec", field)]
    by_mode = manifest.modern and manifest.api != "v2"
    if manifest.api == "v2" and modes:
        message = "spec.accelerator cannot stand in a manifest of apiVersion v2"
        yield finding("accelerator-on-v2", manifest.place("spec", "accelerator"), message)
    if manifest.modern and manifest.items("spec", "supportedGpu"):
        place = manifest.place("spec", "supportedGpu")
        yield finding("supported-gpu", place, "spec.supportedGpu is set")
    if modes:
        for field in flat:
            message = f"spec.{field} is set beside spec.accelerator"
            yield finding("resources-both-shapes", manifest.place("spec", field), message)
    if not by_mode:
        missing = [f"spec.{f}" for f in _REQUIRED_FLAT if not manifest.text("spec", f)]
        if missing:
            message = f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
            yield finding("resources-flat-missing", manifest.place("spec"), message)
    elif not modes and not any(field in _HOST_FIELDS for field in flat):
        message = "neither spec.accelerator nor flat resources are declared"
        yield finding("resources-missing", manifest.place("spec"), message)
    if flat and not modes:
        yield from _check_values(manifest, ("spec",), _FLAT)
    if by_mode:
        for index in range(len(modes)):
            yield from _check_mode(manifest, index)
    yield from _check_nominal(manifest)


def _check_mode(manifest: Manifest, index: int) -> Iterator[Finding]:
    path: tuple[str | int, ...] = ("spec", "accelerator", index)
    where = f"spec.accelerator[{index}]"
    mode = manifest.text(*path, "mode")
    known = accelerators().get(mode)
    if known is None:
        names = ", ".join(sorted(accelerators()))
        message = f"{where}.mode is {mode!r}; devices know {names}"
        yield finding("accelerator-mode", manifest.place(*path, "mode"), message)
        return
    if known.replaced_by is not None:
        message = f"{where}.mode is {mode}, which later releases call {known.replaced_by}"
        yield finding("accelerator-mode-former", manifest.place(*path, "mode"), message)
    required = _HOST_FIELDS + _GPU_FIELDS if known.gpu_memory else _HOST_FIELDS
    missing = [field for field in required if not manifest.text(*path, field)]
    if missing:
        message = f"{where} ({mode}) lacks {', '.join(missing)}"
        yield finding("accelerator-incomplete", manifest.place(*path), message)
    if not known.gpu_memory:
        for field in _GPU_FIELDS:
            if manifest.text(*path, field):
                message = f"{where}.{field} is set, but {mode} has no GPU memory of its own"
                yield finding("accelerator-gpu-memory", manifest.place(*path, field), message)
    architectures = manifest.items("spec", "supportArch")
    if known.arch and known.arch not in architectures:
        message = f"{where} ({mode}) needs {known.arch} in spec.supportArch"
        yield finding("accelerator-arch", manifest.place(*path, "mode"), message)
    earlier = [manifest.text("spec", "accelerator", i, "mode") for i in range(index)]
    if mode in earlier:
        message = f"{where}.mode repeats {mode}"
        yield finding("accelerator-mode-repeated", manifest.place(*path, "mode"), message)
    yield from _check_values(manifest, path, _HOST_FIELDS + _GPU_FIELDS)


def _check_values(
    manifest: Manifest, path: tuple[str | int, ...], fields: tuple[str, ...]
) -> Iterator[Finding]:
    """Check each quantity, and each pair of a requirement and its limit; pairs stand together."""
    values: list[Decimal | None] = []
    for field in fields:
        text = manifest.text(*path, field)
        place = manifest.place(*path, field)
        value = _quantity(text)
        values.append(value)
        if text.strip() == AUTO:
            if "Disk" in field or (path == ("spec",) and not manifest.template_only):
                yield finding("resource-auto", place, f"{field} is {AUTO}")
        elif text and value is None:
            yield finding("resource-quantity", place, f"{field} is {text!r}, no quantity")
    for position in range(0, len(fields), 2):
        required, limited = values[position : position + 2]
        if required is not None and limited is not None and limited < required:
            low, high = fields[position : position + 2]
            message = (
                f"{high} {manifest.text(*path, high)} is less than "
                f"{low} {manifest.text(*path, low)}"
            )
            yield finding("resource-limit", manifest.place(*path, high), message)


def _check_nominal(manifest: Manifest) -> Iterator[Finding]:
    paths: list[tuple[str | int, ...]] = [("spec", "requiredGpu")]
    paths += [
        ("spec", "accelerator", index, "requiredGPUMemory")
        for index in range(len(manifest.items("spec", "accelerator")))
    ]
    for path in paths:
        value = _quantity(manifest.text(*path))
        if value is not None and 0 < value <= _NOMINAL_GPU_MEMORY:
            message = f"{path[-1]} is {manifest.text(*path)}"
            yield finding("gpu-memory-nominal", manifest.place(*path), message)


def _quantity(text: str) -> Decimal | None:
    if not _QUANTITY.fullmatch(text):
        return None
    try:
        return parse_quantity(text)
    except ValueError:
        return None
