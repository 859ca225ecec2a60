"""Environment variables: plain ones, those from Olares, those that the user is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chartgen.engines import engine_weights
from chartgen.olares.platform import Platform
from chartgen.render.model import EnvVar, Secret, SecretValue
from chartgen.render.names import SECRETS
from chartgen.spec.app import AppSpec
from chartgen.spec.workload import EnvValue
from chartgen.yaml_text import Helm, quoted

_SECRET_NAME = re.compile(r"(TOKEN|KEY|PASSWORD|SECRET)$")
HF_ENDPOINT = EnvValue(
    olares="OLARES_SYSTEM_HUGGINGFACE_SERVICE",
    description="Address of a Hugging Face mirror; empty: huggingface.co.",
)


@dataclass(frozen=True, slots=True)
class Declared:
    """A variable that the manifest declares, with the entry it has there."""

    name: str
    value: EnvValue

    @property
    def secret(self) -> bool:
        """Tell whether the value must be kept in a Secret."""
        if self.value.secret is not None:
            return self.value.secret
        return bool(_SECRET_NAME.search(self.name))


def declared(spec: AppSpec) -> tuple[Declared, ...]:
    """Return every variable of the app whose value the device gives, by name."""
    found: dict[str, EnvValue] = {}
    if any(item.fetched for item in engine_weights(spec)):
        gated = any(item.source.gated for item in engine_weights(spec))
        found["HF_ENDPOINT"] = HF_ENDPOINT
        found["HF_TOKEN"] = hf_token(required=gated)
    environments = [
        spec.env,
        *(step.env for step in spec.steps),
        *(sidecar.env for sidecar in spec.sidecars),
    ]
    for environment in environments:
        found |= {name: value for name, value in environment.items() if value.value is None}
    return tuple(Declared(name, value) for name, value in sorted(found.items()))


def hf_token(*, required: bool) -> EnvValue:
    """Return the token of Hugging Face: required only where a repository is gated."""
    text = "Token of huggingface.co" + ("; the model is gated." if required else "; may be empty.")
    return EnvValue.model_validate(
        {
            "olares": "OLARES_SYSTEM_HUGGINGFACE_TOKEN",
            "required": required,
            "secret": True,
            "description": text,
        }
    )


def container_env(
    environment: Mapping[str, EnvValue], declared_by_name: Mapping[str, Declared]
) -> tuple[EnvVar, ...]:
    """Return the variables of one container.

    A variable from the device is left out where its value is empty, so that it can never become
    `HF_ENDPOINT=""` (huggingface_hub takes that for an address).
    """
    found = []
    for name, value in environment.items():
        if value.value is not None:
            found.append(EnvVar(name, value=value.value))
        elif declared_by_name[name].secret:
            found.append(EnvVar(name, secret=SECRETS, key=name, optional=not value.required))
        else:
            expression, condition = _from_device(name, value, in_container=True)
            found.append(EnvVar(name, value=expression, condition=condition))
    return tuple(found)


def secret(spec: AppSpec) -> Secret | None:
    """Return the Secret with all secret values of the app, or None where there are none."""
    values = {
        item.name: SecretValue(*_from_device(item.name, item.value))
        for item in declared(spec)
        if item.secret
    }
    return Secret(SECRETS, values) if values else None


def _from_device(
    name: str, value: EnvValue, *, in_container: bool = False
) -> tuple[Helm, str | None]:
    """Return the expression of a value from the device, and the condition that there is one.

    `in_container` tells that it stands in a container's `env`, where Kubernetes reads `$`
    (`chartgen.render.expansion`), and not in a Secret.
    """
    # Parentheses keep Go templates from failing where the device (or a market's preview) gives no
    # olaresEnv at all.
    source = f"(.Values.olaresEnv).{name}"
    steps = [source]
    if value.default is not None:
        steps.append(f"default {quoted(value.default)}")
    # What a person types, here or on the device, is meant as it is. An Olares variable is an
    # address or a token, which holds no `$`.
    if in_container and (value.ask is not None or "$" in (value.default or "")):
        steps.append('toString | replace "$" "$$"')
    text = f"{{{{ {' | '.join([*steps, 'quote'])} }}}}"
    return Helm(text, bare=True), source if value.default is None else None


def manifest_envs(spec: AppSpec, platform: Platform) -> list[dict[str, Any]]:
    """Return the `envs` of the manifest: every variable from the device is declared there."""
    entries = []
    for item in declared(spec):
        value = item.value
        entry: dict[str, Any] = {
            "envName": item.name,
            "required": value.required,
            "type": "password" if item.secret else "string",
            "editable": True,
            "applyOnChange": True,
        }
        if value.ask is not None:
            entry["title"] = value.ask
        if value.description is not None:
            entry["description"] = value.description
        if value.olares is not None:
            entry["valueFrom"] = {"envName": platform.variables.get(value.olares, value.olares)}
        elif value.default is not None:
            entry["default"] = value.default
        entries.append(entry)
    return entries
