"""Checks on the variables that a manifest declares for its user to fill in.

A device checks their values when the app is installed (olares-manifest §2.9; beclab/api
env_validation.go): a declaration that no value can meet, or that its own default does not meet,
blocks every install.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chartgen.document import dotted_path
from chartgen.findings import Finding
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding
from chartgen.quantity import parse_quantity

# A v3 app may map these to its own names, not declare them (oac internal/manifest/envs.go).
_USER_PREFIX = "OLARES_USER"
_SYSTEM_VARIABLES = (
    "REMOTE_SERVICE CDN_SERVICE DOCKERHUB_SERVICE ROOT_PATH ROOTFS_TYPE CUDA_VERSION "
    "HUGGINGFACE_SERVICE HUGGINGFACE_TOKEN"
)
_USER_VARIABLES = (
    "EMAIL USERNAME PASSWORD TIMEZONE OPENAI_APIKEY CUSTOM_OPENAI_SERVICE CUSTOM_OPENAI_APIKEY "
    "ANTHROPIC_APIKEY HUGGINGFACE_SERVICE HUGGINGFACE_TOKEN PYPI_SERVICE GITHUB_SERVICE "
    "GITHUB_TOKEN"
)
_VARIABLES = frozenset(
    [f"OLARES_SYSTEM_{name}" for name in _SYSTEM_VARIABLES.split()]
    + [f"OLARES_USER_{name}" for name in _USER_VARIABLES.split()]
)
_MAIL_SETTINGS = re.compile(r"OLARES_USER_SMTP_[A-Z_]+")
_SECRET = re.compile(r"(TOKEN|APIKEY|PASSWORD)$")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
_BOOLEANS = frozenset(
    {"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"}
)


def _is_quantity(value: str) -> bool:
    try:
        parse_quantity(value)
    except ValueError:
        return False
    return True


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


_TYPES: Mapping[str, Callable[[str], object]] = {
    "": bool,
    "string": bool,
    "password": bool,
    "int": _WHOLE.fullmatch,
    "quantity": _is_quantity,
    "bool": _BOOLEANS.__contains__,
    "url": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+").fullmatch,
    "ip": _is_address,
    "domain": _DOMAIN.fullmatch,
    "email": re.compile(r"[^@\s]+@[^@\s]+").fullmatch,
}


def check_envs(manifest: Manifest) -> Iterator[Finding]:
    """Check the names, references and defaults of the declared variables."""
    names: list[str] = []
    for index, env in enumerate(manifest.items("envs")):
        path = ("envs", index)
        name = env.get("envName") or ""
        if not name:
            message = f"envs[{index}] has no envName"
            yield finding("env-name-missing", manifest.place(*path), message)
        elif name in names:
            message = f"envs[{index}] declares {name} again"
            yield finding("env-name-duplicate", manifest.place(*path, "envName"), message)
        names.append(name)
        if manifest.api == "v3" and name.startswith(_USER_PREFIX):
            message = f"envs[{index}] declares {name}"
            yield finding("env-name-olares-user", manifest.place(*path, "envName"), message)
        yield from _check_reference(manifest, path, env)
        yield from _check_default(manifest, path, env)


def _check_reference(
    manifest: Manifest, path: tuple[str, int], env: Mapping[str, Any]
) -> Iterator[Finding]:
    if not env.get("valueFrom"):
        return
    reference = env["valueFrom"].get("envName") or ""
    name = env.get("envName") or dotted_path(path)
    place = manifest.place(*path, "valueFrom", "envName")
    if reference not in _VARIABLES and not _MAIL_SETTINGS.fullmatch(reference):
        message = f"{name} takes its value from {reference!r}, which no device has"
        yield finding("env-reference-unknown", place, message)
    elif env.get("required") and _SECRET.search(reference):
        message = f"{name} is required and takes its value from {reference}"
        yield finding("env-secret-required", manifest.place(*path, "required"), message)


def _check_default(
    manifest: Manifest, path: tuple[str, int], env: Mapping[str, Any]
) -> Iterator[Finding]:
    field = "value" if env.get("value") else "default"
    value = env.get(field) or ""
    kind = env.get("type") or ""
    name = env.get("envName") or dotted_path(path)
    if kind not in _TYPES:
        message = f"{name} is of type {kind!r}; there are {', '.join(filter(None, _TYPES))}"
        yield finding("env-type-unknown", manifest.place(*path, "type"), message)
    if not value or env.get("valueFrom"):
        return
    items = value.split(env.get("splitter") or ",") if env.get("multiSelect") else [value]
    allowed = [option.get("value") or "" for option in env.get("options") or ()]
    pattern = _compiled(env.get("regex") or "")
    for item in items:
        problem = ""
        if kind in _TYPES and not _TYPES[kind](item):
            problem = f"is no {kind}"
        elif allowed and not env.get("remoteOptions") and item not in allowed:
            problem = "is not among its options"
        elif pattern is not None and not pattern.search(item):
            problem = f"does not match {env['regex']}"
        if problem:
            message = f"the {field} of {name}, {item!r}, {problem}"
            yield finding("env-default-invalid", manifest.place(*path, field), message)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern where Python's dialect can read it; the device's is that of .NET."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None
