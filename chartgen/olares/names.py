"""Names that an app cannot take: reserved by Olares, or in use by an official app."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

# market-protocol-v1 §6 item 14, with the first letter that a DNS label of a Service needs.
APP_NAME = re.compile(r"[a-z][a-z0-9]{0,29}")
# Folder names that the device lint and the official review accept (oac, internal/chartfolder).
FOLDER_NAME = re.compile(r"[a-z0-9]{1,30}")
# What the market's front end can compare, in a column of 16 characters (market-protocol-v1 §2.4,
# §2.6): digits without leading zeros, no prerelease and no build part.
APP_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")
MAX_APP_VERSION = 16

# Not the name of a chart, in any case (oac, internal/chartfolder/folder.go, isReservedWord).
RESERVED_FOLDERS = frozenset(
    {
        "bfl",
        "bytetrade",
        "default",
        "gpu",
        "kube",
        "kubekey",
        "kubernetes",
        "kubesphere",
        "os",
        "pod",
        "project",
        "space",
        "system",
        "tapr",
        "user",
    }
)

# Ids of the apps that come with Olares (oac, internal/manifest/appid.go).
RESERVED_APP_IDS = frozenset(
    {
        "accounts",
        "auth",
        "citus",
        "control-hub",
        "dashboard",
        "desktop",
        "did",
        "docs",
        "files",
        "fsnotify",
        "headscale",
        "infisical",
        "intentprovider",
        "ksserver",
        "market",
        "message",
        "mongo",
        "monitoring",
        "nitro",
        "notifications",
        "olares-app",
        "profile",
        "recommend",
        "redis",
        "seafile",
        "search",
        "search-admin",
        "settings",
        "systemserver",
        "tapr",
        "vault",
        "video",
        "zinc",
    }
)


@cache
def official_apps() -> frozenset[str]:
    """Return the names of the official repository's apps, suspended and removed ones included."""
    text = files("chartgen.olares").joinpath("official_apps.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


def app_id(name: str) -> str:
    """Return the id that a device derives from an app's name: the first 8 hex digits of its MD5.

    Source: app-service pkg/utils/app/app.go, GetAppID.
    """
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:8]
