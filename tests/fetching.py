"""What the tests of the charts' downloader share: the script as a module, plans, a clock."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from tests.fake_hub import COMMIT, Hub

SCRIPT = Path(__file__).resolve().parent.parent / "templates" / "scripts" / "fetch.py"
BIG = bytes(range(256)) * 1200
SMALL = b'{"architectures": []}\n'
ID, OTHER_ID = "0123456789abcdef", "fedcba9876543210"
FOLDER = "models--org--name"
SNAPSHOT = f"{FOLDER}/snapshots/{COMMIT}"


def filled() -> Hub:
    """A hub with one repository of four files, one of them large."""
    files = {"a.gguf": BIG, "config.json": SMALL, "old.pth": b"x", "d/b.json": b"{}"}
    return Hub(commits={COMMIT: files}, lfs={"a.gguf"})


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart_fetch", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    with mock.patch.dict(os.environ, clear=True):  # no proxy
        spec.loader.exec_module(module)
    return module


fetch: Any = load()


class EnoughError(Exception):
    """Ends a wait that would go on for ever."""


@dataclass
class Clock:
    """Time that passes only by sleeping, or by `tick` per look."""

    now: float = 0.0
    tick: float = 0.0
    limit: int = 30
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if len(self.slept) >= self.limit:
            raise EnoughError

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


def world(hub: Hub, clock: Clock, **changes: Any) -> Any:
    made = fetch.World(hub.url, sleep=clock.sleep, clock=clock, free=lambda _: 1 << 50)
    return replace(made, **changes)


def repository(**changes: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "kind": "hf",
        "repo": "org/name",
        "revision": "main",
        "files": [],
        "include": [],
        "exclude": [],
        "size": None,
        "sha256": {},
        "link": f"{FOLDER}/at/main",
        **changes,
    }


def single(hub: Hub, **changes: Any) -> dict[str, Any]:
    path = f"urls/{ID}/voice.bin"
    url = f"{hub.url}/get/voice.bin"
    return {
        "id": ID,
        "kind": "url",
        "url": url,
        "path": path,
        "size": None,
        "sha256": None,
    } | changes


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
