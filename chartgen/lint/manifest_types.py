"""The types of OlaresManifest.yaml, and decoding into them the way a device does.

A device turns YAML into JSON and that into Go structs (sigs.k8s.io/yaml, beclab/api
manifest/types.go at 8d08c06, api/*/v1alpha1): keys match whatever their case, unknown keys are
dropped without a word, a number or boolean in a text field turns into text, and any other wrong
type fails the whole manifest, with it the install. In structs that another one embeds (the
quantities of an accelerator, all of a variable but `valueFrom`) a number in a text field fails too:
the conversion looks at the outer struct's fields only (sigs.k8s.io/yaml v1.6.0, yaml.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from chartgen.document import Document, Path, dotted_path
from chartgen.findings import Finding
from chartgen.lint.device_yaml import scalar_as_text
from chartgen.lint.rules import finding

# A type is the name of a scalar, [T] for a list, ("map", T), or a dict of fields for a struct.
# "quoted" is a text that numbers and booleans do not turn into.
Type = Any

_TEXTS: Type = ["string"]
_INT32_RANGE = range(-(2**31), 2**31)
_INT64_RANGE = range(-(2**63), 2**63)

_ENTRANCE: Type = {
    "name": "string",
    "host": "string",
    "port": "int32",
    "icon": "string",
    "title": "string",
    "authLevel": "string",
    "invisible": "bool",
    "url": "string",
    "openMethod": "string",
    "windowPushState": "bool",
    "skip": "bool",
    "type": "string",
}
_QUANTITIES = tuple(
    f"{side}{what}" for what in ("Cpu", "Memory", "Disk") for side in ("required", "limited")
)
_LOGIN: Type = {"username": "string", "password": "string"}
_DATABASES: Type = {
    **_LOGIN,
    "databases": [
        {"name": "string", "extensions": _TEXTS, "scripts": _TEXTS, "distributed": "bool"}
    ],
}
_NAMED: Type = [{"name": "string"}]
_NATS_PERMISSION: Type = {"appName": "string", "pub": "string", "sub": "string"}
_MIDDLEWARE: Type = {
    "postgres": _DATABASES,
    "mongodb": _DATABASES,
    "mysql": _DATABASES,
    "mariadb": _DATABASES,
    "clickHouse": _DATABASES,
    "redis": {"password": "string", "namespace": "string"},
    "minio": {**_LOGIN, "buckets": _NAMED, "allowNamespaceBuckets": "bool"},
    "rabbitmq": {**_LOGIN, "vhosts": _NAMED},
    "elasticsearch": {**_LOGIN, "indexes": _NAMED, "allowNamespaceIndexes": "bool"},
    "argo": {"required": "bool"},
    "nats": {
        **_LOGIN,
        "subjects": [
            {"name": "string", "permission": _NATS_PERMISSION, "export": [_NATS_PERMISSION]}
        ],
        "refs": [
            {
                "appName": "string",
                "appNamespace": "string",
                "subjects": [{"name": "string", "pub": "string", "sub": "string"}],
            }
        ],
    },
}
_METADATA: Type = {
    "name": "string",
    "icon": "string",
    "description": "string",
    "appid": "string",
    "title": "string",
    "version": "string",
    "categories": _TEXTS,
    "categories_v2": _TEXTS,
    "tags": _TEXTS,
    "rating": "float",
    "target": "string",
    "type": "string",
}
_SPEC: Type = {
    "namespace": "string",
    "onlyAdmin": "bool",
    "versionName": "string",
    "fullDescription": "string",
    "upgradeDescription": "string",
    "promoteImage": _TEXTS,
    "promoteVideo": "string",
    "subCategory": "string",
    "developer": "string",
    **dict.fromkeys(_QUANTITIES, "string"),
    "requiredGpu": "string",
    "limitedGpu": "string",
    "supportClient": dict.fromkeys(
        ("edge", "android", "ios", "windows", "mac", "linux", "chrome"), "string"
    ),
    "runAsUser": "bool",
    "runAsInternal": "bool",
    "podGpuConsumePolicy": "string",
    "subCharts": [{"name": "string", "shared": "bool"}],
    "hardware": {
        "cpu": {"vendor": "string", "arch": "string"},
        "gpu": {
            "vendor": "string",
            "arch": _TEXTS,
            "singleMemory": "string",
            "totalMemory": "string",
        },
    },
    "supportedGpu": ["any"],
    "accelerator": [
        {
            "mode": "string",
            "supportMultiCards": "bool",
            "supportMultiNodes": "bool",
            **dict.fromkeys(_QUANTITIES, "quoted"),
            "requiredGPUMemory": "quoted",
            "limitedGPUMemory": "quoted",
        }
    ],
    "supportArch": _TEXTS,
    "website": "string",
    "sourceCode": "string",
    "submitter": "string",
    "locale": _TEXTS,
    "doc": "string",
    "license": [{"text": "string", "url": "string"}],
    # Not in the struct: shown by the market's page, in many official charts.
    "legal": "any",
    "featuredImage": "any",
    "releaseNotes": "any",
}
_OPTIONS: Type = {
    "mobileSupported": "bool",
    "policies": [
        {
            "entranceName": "string",
            "description": "string",
            "uriRegex": "string",
            "level": "string",
            "oneTime": "bool",
            "validDuration": "string",
        }
    ],
    "resetCookie": {"enabled": "bool"},
    "dependencies": [
        {
            "name": "string",
            "version": "string",
            "type": "string",
            "mandatory": "bool",
            "selfRely": "bool",
        }
    ],
    "conflicts": [{"name": "string", "type": "string"}],
    # Without effect since manifest 0.9.0, still in many charts.
    "analytics": "any",
    "appScope": {"clusterScoped": "bool", "appRef": _TEXTS, "systemService": "bool"},
    "websocket": {"port": "int64", "url": "string"},
    "upload": {"fileType": _TEXTS, "dest": "string", "limitedSize": "int64"},
    "syncProvider": [("map", "any")],
    "oidc": {"enabled": "bool", "redirectUri": "string", "entranceName": "string"},
    "apiTimeout": "int64",
    "allowedOutboundPorts": ["int64"],
    "images": _TEXTS,
    "allowMultipleInstall": "bool",
    "needsSharedAccess": "bool",
    "LLMGatewaySupported": "bool",
    "templateOnly": "bool",
    "shared": "bool",
}
_ENV: Type = {
    "envName": "quoted",
    "value": "quoted",
    "default": "quoted",
    "editable": "bool",
    "type": "quoted",
    "required": "bool",
    "title": "quoted",
    "description": "quoted",
    "options": [{"title": "quoted", "value": "quoted"}],
    "remoteOptions": "quoted",
    "regex": "quoted",
    "multiSelect": "bool",
    "splitter": "quoted",
    "applyOnChange": "bool",
    "valueFrom": {"envName": "string", "status": "string"},
}
MANIFEST: Type = {
    "olaresManifest.version": "string",
    "olaresManifest.type": "string",
    "apiVersion": "string",
    "metadata": _METADATA,
    "entrances": [_ENTRANCE],
    "sharedEntrances": [_ENTRANCE],
    "ports": [
        {
            "name": "string",
            "host": "string",
            "port": "int32",
            "exposePort": "int32",
            "protocol": "string",
            "addToTailscaleAcl": "bool",
        }
    ],
    "tailscale": {
        "acls": [{"action": "string", "src": _TEXTS, "proto": "string", "dst": _TEXTS}],
        "subRoutes": _TEXTS,
        "advertiseExitNode": "string",
    },
    "spec": _SPEC,
    "permission": {
        "appData": "bool",
        "appCache": "bool",
        "userData": _TEXTS,
        "appCommon": "bool",
        "externalData": "bool",
        "loginOlaresCLI": "bool",
        "provider": [
            {
                "appName": "string",
                "namespace": "string",
                "providerName": "string",
                "podSelectors": ["any"],
            }
        ],
        "serviceAccount": "string",
        # Without effect since Olares 1.12, still in many charts.
        "sysData": "any",
    },
    "middleware": _MIDDLEWARE,
    "options": _OPTIONS,
    "provider": [{"name": "string", "entrance": "string", "paths": _TEXTS, "verbs": _TEXTS}],
    "envs": [_ENV],
    "overlayGateway": {
        "enable": "bool",
        "entrances": [
            {
                "title": "string",
                "port": "int32",
                "workload": "string",
                "description": "string",
                "protocol": "string",
            }
        ],
    },
    "workloadReplicas": ("map", "int32"),
    "workloadOptions": "any",
}


@dataclass(frozen=True, slots=True)
class UnknownKey:
    """A key that no field of the struct at `path` takes, and the field it may be meant for."""

    path: Path
    meant: str


def decode(document: Document) -> tuple[Mapping[str, Any], tuple[UnknownKey, ...], list[Finding]]:
    """Return a manifest's values by the device's names, its unknown keys and its wrong types."""
    decoder = _Decoder(document)
    value = decoder.value(document.value, MANIFEST, ())
    return value or {}, tuple(decoder.unknown), decoder.findings


class _Decoder:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.unknown: list[UnknownKey] = []
        self.findings: list[Finding] = []

    def value(self, value: Any, wanted: Type, path: Path) -> Any:
        if value is None or wanted == "any":
            return value
        if isinstance(wanted, dict):
            return self._struct(value, wanted, path)
        if isinstance(wanted, list):
            if not isinstance(value, list):
                return self._wrong(value, "a list", path)
            empty = _empty(wanted[0])
            return [
                empty if item is None else self.value(item, wanted[0], (*path, index))
                for index, item in enumerate(value)
            ]
        if isinstance(wanted, tuple):
            if not isinstance(value, dict):
                return self._wrong(value, "a mapping", path)
            return {key: self.value(item, wanted[1], (*path, key)) for key, item in value.items()}
        return self._scalar(value, wanted, path)

    def _struct(self, value: Any, fields: Mapping[str, Type], path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(value, "a mapping", path)
        folded = {name.lower(): name for name in fields}
        result: dict[str, Any] = {}
        for key, item in value.items():
            name = key if key in fields else folded.get(key.lower())
            if path == ("metadata",) and name is not None and name != key:
                # The lint compares these keys to the letter (oac taxonomy.go).
                self.unknown.append(UnknownKey((*path, key), name))
            if name is None:
                close = get_close_matches(key.lower(), folded, n=1, cutoff=0.8)
                self.unknown.append(UnknownKey((*path, key), folded[close[0]] if close else ""))
            else:
                result[name] = self.value(item, fields[name], (*path, key))
        return result

    def _scalar(self, value: Any, wanted: str, path: Path) -> Any:
        if wanted in {"string", "quoted"}:
            if isinstance(value, dict | list):
                return self._wrong(value, "text", path)
            if wanted == "quoted" and not isinstance(value, str):
                # The value is still used, so that no other check calls it missing.
                self._wrong(value, "quoted text", path)
            return scalar_as_text(value)
        if wanted == "bool":
            return value if isinstance(value, bool) else self._wrong(value, "true or false", path)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if wanted == "float":
            return value if number else self._wrong(value, "a number", path)
        allowed = _INT32_RANGE if wanted == "int32" else _INT64_RANGE
        if not number or value != int(value) or int(value) not in allowed:
            return self._wrong(value, "a whole number", path)
        return int(value)

    def _wrong(self, value: Any, wanted: str, path: Path) -> None:
        shown = repr(value) if not isinstance(value, dict | list) else _KINDS[type(value)]
        where = dotted_path(path) or "the manifest"
        message = f"{where} is {shown}, but a device reads {wanted} there"
        self.findings.append(finding("manifest-wrong-type", self.document.place(path), message))


def _empty(wanted: Type) -> Any:
    """Return what an empty item of a list becomes: Go's zero value of its type."""
    if isinstance(wanted, dict | tuple):
        return {}
    return {"string": "", "int64": 0}.get(wanted)


_KINDS = {dict: "a mapping", list: "a list"}
