"""How long a first start may take: the download, then the engine's own loading.

Device limits (olares-manifest 3.7, app-service of Olares 1.12.3 to 1.12.6): a pod of the app's
workload may be Pending for 10 minutes (init containers count), and installing may take 30 minutes
until every container of it counts as started, which a startup probe delays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chartgen.engines import engine_facts, engine_weights
from chartgen.engines.base import Weights
from chartgen.hardware import Hardware
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import AppEngine

PENDING_LIMIT_SECONDS = 600
INSTALL_LIMIT_SECONDS = 1800
# A mirror or a busy line halves the rate that a connection is sold with.
DOWNLOAD_SAFETY = 2


@dataclass(frozen=True, slots=True)
class StartBudget:
    """Seconds for the two parts of a first start."""

    download_seconds: int
    load_seconds: int

    @property
    def total_seconds(self) -> int:
        """Return the seconds from an empty disk to the first answer."""
        return self.download_seconds + self.load_seconds


def download_bytes(spec: AppSpec, weights: Sequence[Weights]) -> int:
    """Return what a fresh device must download.

    Where the main weights state no size, the disk that the app asks for bounds them.
    """
    fetched = [item.source for item in weights if item.fetched]
    known = sum(source.size or 0 for source in fetched)
    if fetched and not any(source.size for source in fetched):
        return int(spec.resources.disk.request)
    return known


def start_budget(spec: AppSpec, hardware: Hardware) -> StartBudget:
    """Return the time budget of an app's first start on a machine."""
    size = download_bytes(spec, engine_weights(spec))
    rate = hardware.download_mbit_s * 1_000_000 / 8
    engine = spec.engine
    load = engine_facts(engine.kind).load_seconds
    if isinstance(engine, AppEngine):
        load = engine.startup_seconds
    return StartBudget(math.ceil(DOWNLOAD_SAFETY * size / rate), load)
