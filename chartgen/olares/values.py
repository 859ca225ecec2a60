"""The values that a device, its market and its lint hand to a chart's templates.

Sources: olares-manifest §4 (app-service pkg/appinstaller/helm_utils.go; the lint's own values are
oac internal/helmrender/values.go) and market-protocol-v1 §3.3 (the market's render).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chartgen.olares.names import app_id

Values = Mapping[str, object]

# Namespace of every object in the lint's render (oac internal/helmrender/render.go).
LINT_NAMESPACE = "app-namespace"
OWNER = "owner"
ADMIN = "admin"

# Paths of the storage areas on a node, by the name under `.Values.userspace`.
_AREAS = {
    "appData": "/olares/rootfs/userspace/pvc-userspace-owner/Data/{app}",
    "appCache": "/olares/userdata/Cache/pvc-appcache-owner/{app}",
    "userData": "/olares/rootfs/userspace/pvc-userspace-owner/Home",
    "appCommon": "/olares/rootfs/Common",
}
AREAS = frozenset(_AREAS)
# Middleware by the key under which its databases, buckets and so on are injected (§4.3).
_MIDDLEWARE = {
    "postgres": "databases",
    "mongodb": "databases",
    "mysql": "databases",
    "mariadb": "databases",
    "minio": "buckets",
    "rabbitmq": "vhosts",
    "elasticsearch": "indexes",
    "clickHouse": "databases",
    "redis": "namespaces",
}


@dataclass(frozen=True, slots=True)
class Declarations:
    """What a manifest declares that shapes the injected values.

    `areas` are names out of AREAS, `envs` maps each declared variable to its value on a fresh
    device (its default, else empty), `workloads` lists the names under `workloadReplicas`,
    `requires_gpu` tells of a flat `requiredGpu`, `middleware` maps a kind to the names of its
    databases, buckets or namespaces. `owner` is the user who installs the app.
    """

    app: str
    modern: bool = True
    entrances: tuple[str, ...] = ()
    areas: frozenset[str] = frozenset()
    external_data: bool = False
    envs: Mapping[str, str] = field(default_factory=dict)
    workloads: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    requires_gpu: bool = False
    middleware: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    providers: bool = False
    oidc: bool = False
    owner: str = OWNER


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way in which a chart's templates are rendered; `mode` is its accelerator mode."""

    name: str
    release: str
    namespace: str
    values: Values
    mode: str = ""


def scenarios(declared: Declarations) -> tuple[Scenario, ...]:
    """Return every render that a chart has to survive, the device's lint first.

    `lint` and `lint:<mode>` are the lint of Olares >= 1.12.6, `device` and `device:<mode>` an
    install with all replicas at one, `device-stopped` the first step of an install (all replicas
    at zero), `market` the render for the market's list, `bare` the chart's own values alone.
    """
    app = declared.app
    owned = f"{app}-{declared.owner}"
    linted = Scenario("lint", app, LINT_NAMESPACE, lint_values(declared))
    found = [linted]
    for mode in declared.modes:
        values = lint_values(declared, mode=mode)
        found.append(replace(linted, name=f"lint:{mode}", values=values, mode=mode))
    first, *others = declared.modes or ("nvidia" if declared.requires_gpu else "",)
    device = Scenario("device", app, owned, device_values(declared, mode=first), first)
    found.append(device)
    for mode in others:
        values = device_values(declared, mode=mode)
        found.append(replace(device, name=f"device:{mode}", values=values, mode=mode))
    if declared.workloads:
        values = device_values(declared, mode=first, replicas=0)
        found.append(replace(device, name="device-stopped", values=values))
    found.append(Scenario("market", app, owned, market_values(declared)))
    found.append(Scenario("bare", app, "default", {}))
    return tuple(found)


def manifest_values(owner: str, admin: str) -> Values:
    """Return all that a manifest before 0.12.0 may refer to.

    Source: app-service pkg/utils/helm.go.
    """
    return {"admin": admin, "bfl": {"username": owner}, "isAdmin": owner == admin}


def lint_values(
    declared: Declarations, *, owner: str = OWNER, admin: str = ADMIN, mode: str = ""
) -> Values:
    """Return the made-up values of the device's lint.

    The storage areas stand under names that no device uses (`appdata`, `data`), so that the real
    ones render empty there.
    """
    return {
        "bfl": {"username": owner},
        "admin": admin,
        "user": {"zone": "user-zone"},
        "schedule": {"nodeName": "node"},
        "userspace": {"appdata": "appdata", "data": "userspace/Home"},
        "os": {"appKey": "appKey", "appSecret": "appSecret"},
        "domain": dict.fromkeys(declared.entrances, "random-string"),
        "dep": {},
        "svcs": {},
        "cluster": {},
        "GPU": {"Type": mode} if mode else {},
        "redis": {},
        **{name: {"databases": {}} for name in ("postgres", "mongodb", "mariadb", "mysql")},
        "minio": {"buckets": {}},
        "rabbitmq": {"vhosts": {}},
        "elasticsearch": {"indexes": {}},
        "zinc": {"indexes": {}},
        "nats": {"subjects": {}, "refs": {}},
        "oidc": {"client": {}, "issuer": "issuer"},
        "olaresEnv": {},
    }


def market_values(declared: Declarations) -> Values:
    """Return what the market renders with: neither variables nor storage of its own app."""
    return {
        **_identity(declared),
        "schedule": {"nodeName": "node"},
        "userspace": {"appCache": "appcache", "userData": "userspace/Home"},
        "os": {"appKey": "appKey", "appSecret": "appSecret"},
        "GPU": {"Type": "nvidia", "Cuda": "13.0"},
        "cluster": {"arch": "amd64"},
        "dep": {},
        "svcs": {},
        "redis": {},
        **{name: {key: {}} for name, key in _MIDDLEWARE.items() if name != "redis"},
        "nats": {"subjects": {}, "refs": {}},
        "oidc": {"client": {}, "issuer": "issuer"},
    }


def device_values(declared: Declarations, *, mode: str = "", replicas: int = 1) -> Values:
    """Return what app-service injects on a fresh device where no one has set any variable.

    A storage area is there only where the manifest asks for it.
    """
    app = declared.app
    values: dict[str, object] = {
        **_identity(declared),
        "isAdmin": declared.owner == ADMIN,
        "schedule": {"nodeName": "olares"} if declared.areas else {},
        "userspace": {area: _AREAS[area].format(app=app) for area in sorted(declared.areas)},
        "os": {"appKey": "key", "appSecret": "secret"} if declared.providers else {},
        "GPU": {"Type": mode or "none", "Cuda": "13.0"},
        "gpu": mode or "none",
        "cluster": {"arch": "amd64"},
        "nodes": [_NODE],
        "dep": {},
        "svcs": {},
        "rootPath": "/olares",
        "downloadCdnURL": "https://cdn.olares.com",
        "fs_type": "fs",
        "sysVersion": "1.12.6" if declared.modern else "1.12.5",
        "deviceName": "olares",
        "olaresEnv": dict(declared.envs),
    }
    if declared.workloads:
        values["workloads"] = {name: {"replicaCount": replicas} for name in declared.workloads}
    # Before 0.12.0 no permission guards the external storage.
    if declared.external_data or not declared.modern:
        values["sharedlib"] = "/olares/share"
    if declared.oidc:
        values["oidc"] = {"client": {"id": "id", "secret": "secret"}, "issuer": "https://auth"}
    values.update(_middleware(declared.middleware))
    return values


_NODE: Values = {
    "CudaVersion": "13.0",
    "CPU": [
        {
            "CoreNumber": 24,
            "Arch": "amd64",
            "Frequency": 5400000000,
            "Model": "198",
            "ModelName": "Intel(R) Core(TM) Ultra 9 275HX",
            "Vendor": "GenuineIntel",
        }
    ],
    "Memory": {"Total": 96 * 2**30},
    "GPUS": [
        {
            "Vendor": "NVIDIA",
            "Architecture": "Blackwell",
            "Model": "5090",
            "Memory": 24463 * 2**20,
            "ModelName": "NVIDIA GeForce RTX 5090 Laptop GPU",
        }
    ],
}


def _identity(declared: Declarations) -> dict[str, object]:
    zone = f"{declared.owner}.olares.com"
    return {
        "bfl": {"username": declared.owner},
        "admin": ADMIN,
        "user": {"zone": zone},
        "domain": _domains(declared, zone),
    }


def _domains(declared: Declarations, zone: str) -> dict[str, str]:
    """Return the host of each entrance: numbered from 0 where there is more than one."""
    identity = app_id(declared.app)
    numbered = len(declared.entrances) > 1
    return {
        name: f"{identity}{index if numbered else ''}.{zone}"
        for index, name in enumerate(declared.entrances)
    }


def _middleware(declared: Mapping[str, Iterable[str]]) -> dict[str, object]:
    return {
        kind: {
            "host": f"{kind.lower()}-svc.os-platform",
            "port": 1,
            "username": "user",
            "password": "password",
            "bucketPrefix": "prefix",
            "indexPrefix": "prefix",
            "subjects": {name: name for name in names},
            "refs": {},
            _MIDDLEWARE.get(kind, "databases"): {name: name for name in names},
        }
        for kind, names in sorted(declared.items())
    }
