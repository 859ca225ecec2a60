"""Storage: from the spec's kinds to volumes, permissions, and folders that pods may write to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chartgen.quantity import format_bytes, parse_quantity
from chartgen.render.model import Container, ContainerShare, Mount, Volume
from chartgen.render.names import PREPARE_IMAGE, STORE_VOLUME, USER_ID
from chartgen.spec.app import AppSpec
from chartgen.spec.values import Range
from chartgen.spec.workload import Storage
from chartgen.yaml_text import Helm

# Injected by a device once the permission is granted (olares-manifest 4.2).
_HOST_FOLDERS = {
    "app-data": "{{ .Values.userspace.appData }}",
    "app-cache": "{{ .Values.userspace.appCache }}",
    "user-data": "{{ .Values.userspace.userData }}",
    "shared": "{{ .Values.userspace.appCommon }}",
    "external": "{{ .Values.sharedlib }}",
}
# Shared weights lie where the official model apps keep theirs (olares-manifest 5.3).
SHARED_STORE = "huggingface"
APP_STORE = "models"


def host_folder(kind: str, path: str) -> Helm:
    """Return the host path of a folder below one of the device's places."""
    return Helm(_HOST_FOLDERS[kind]) + (f"/{path}" if path else "")


def store_volume(spec: AppSpec) -> Volume:
    """Return the volume that the weights lie in."""
    shared = shares_store(spec)
    kind, path = ("shared", SHARED_STORE) if shared else ("app-data", APP_STORE)
    return host_volume(STORE_VOLUME, kind, path)


def shares_store(spec: AppSpec) -> bool:
    """Tell whether the weights lie where all apps find them; llm-init knows no other place."""
    by_llm_init = spec.gateway is not None or spec.fetch.by == "llm-init"
    return by_llm_init or spec.fetch.store == "shared"


def host_volume(name: str, kind: str, path: str) -> Volume:
    """Return a volume that is a folder below one of the device's places."""
    return Volume(name, _host_path(host_folder(kind, path)))


def storage_volume(name: str, storage: Storage) -> Volume:
    """Return the volume of one storage of the spec."""
    if storage.kind in _HOST_FOLDERS:
        folder = host_folder(storage.kind, storage.path or name)
        return Volume(name, _host_path(folder), writable=not storage.read_only)
    source: dict[str, Any] = {}
    if storage.kind == "memory":
        source["medium"] = "Memory"
    if storage.size is not None:
        source["sizeLimit"] = format_bytes(storage.size.limit)
    return Volume(name, {"emptyDir": source})


def _host_path(path: Helm) -> dict[str, Any]:
    return {"hostPath": {"path": path, "type": "DirectoryOrCreate"}}


def permission(spec: AppSpec, *, with_store: bool) -> dict[str, Any]:
    """Return the manifest's permissions: exactly what the storage needs."""
    kinds = {storage.kind for storage in spec.storage.values()}
    if with_store:
        kinds.add("shared" if shares_store(spec) else "app-data")
    granted: dict[str, Any] = {}
    if "app-data" in kinds:
        granted["appData"] = True
    if "app-cache" in kinds:
        granted["appCache"] = True
    if "shared" in kinds:
        granted["appCommon"] = True
    if "external" in kinds:
        granted["externalData"] = True
    folders = sorted(
        {
            f"Home/{storage.path or name}"
            for name, storage in spec.storage.items()
            if storage.kind == "user-data"
        }
    )
    if folders:
        granted["userData"] = folders
    return granted


def prepare_container(volumes: Iterable[Volume]) -> Container | None:
    """Return the init container that gives host folders to the user who writes to them.

    The kubelet makes a missing hostPath folder as root's, where a container that runs as another
    user cannot write. Only the folder itself is changed, never what lies in it: a recursive change
    of owner over a model store takes minutes and is refused by the official review (oac L18).
    """
    folders = [volume for volume in volumes if volume.host_path and volume.writable]
    if not folders:
        return None
    paths = " ".join(f"/prepare/{volume.name}" for volume in folders)
    return Container(
        name="prepare-folders",
        image=PREPARE_IMAGE,
        resources=ContainerShare(
            Range(parse_quantity("50m"), parse_quantity("500m")),
            Range(parse_quantity("32Mi"), parse_quantity("128Mi")),
        ),
        command=("sh", "-c", f"chown {USER_ID}:{USER_ID} {paths} && chmod 0775 {paths}"),
        mounts=tuple(Mount(volume.name, f"/prepare/{volume.name}") for volume in folders),
        security={"runAsUser": 0},
    )
