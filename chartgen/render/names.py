"""Names inside a chart. One app has one namespace, so fixed words are enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DOWNLOADER = "weights"
FILES = "files"
SECRETS = "secrets"
SCRIPTS = "scripts"
STORE_VOLUME = "weights"
FETCH_SCRIPT = "/chartgen/fetch.py"
FETCH_PLAN = "/chartgen/plan.json"
START_SCRIPT = "/chartgen/start.sh"
LINK_SCRIPT = "/chartgen/link.sh"
SETUP_SCRIPT = "/chartgen/setup.sh"
# Allowed to run as root by the device's policy because of its `beclab/` path; the official charts
# prepare folders with the same image (olares-manifest 3.6 item 7).
PREPARE_IMAGE = "beclab/aboveos-busybox:1.37.0"
# The user that Olares itself gives user folders to (olares-manifest 3.6 item 6).
USER_ID = 1000
# securityContext of containers that only fetch files: nothing a device's policy could refuse.
UNPRIVILEGED: Mapping[str, Any] = {
    "runAsUser": USER_ID,
    "runAsGroup": USER_ID,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
