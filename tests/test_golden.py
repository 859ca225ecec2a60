"""The committed charts are what the specs in apps/ give today: a change shows as a diff."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent


def golden() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden", ROOT / "tools" / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_golden_charts_are_up_to_date() -> None:
    tool = golden()
    made = tool.charts()
    assert len({name.split("/")[1] for name in made}) >= 9
    changed = tool.differences()
    shown = []
    for name in changed[:5]:
        path = tool.GOLDEN / name
        was = path.read_text().splitlines() if path.exists() else []
        now = made.get(name, b"").decode().splitlines()
        shown += list(difflib.unified_diff(was, now, f"committed {name}", name, n=1, lineterm=""))
    assert not changed, "run `make golden` and read the diff:\n" + "\n".join(shown[:80])
