"""The benchmark of the engines' checks: which apps and tables it takes, and that it reads anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.engine_checks import measure_engine_checks
from bench.engine_load import KINDS, load_table, milliseconds
from bench.measure import FailedRunError
from chartgen.engines.table import engine_table, table_releases
from chartgen.spec.load import load_spec

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def test_every_app_of_an_engine_with_tables_is_measured() -> None:
    told: list[str] = []
    specs = [load_spec(path)[0] for path in sorted((ROOT / "apps").glob("*.yaml"))]
    names = [item.spec.name for item in specs if item and item.spec.engine.kind != "app"]

    found = measure_engine_checks(ROOT, runs=1, environment=ENVIRONMENT, on_progress=told.append)

    assert told == ["checks of engines"]
    assert [item.app for item in found.apps] == names
    assert all(item.parse > 0 and item.arguments > 0 and item.memory > 0 for item in found.apps)
    assert [(item.kind, item.release) for item in found.tables] == [
        (kind, table_releases(kind)[-1]) for kind in KINDS
    ]


def test_a_market_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "market.yaml").write_text("title: [")
    with pytest.raises(FailedRunError, match="has errors"):
        measure_engine_checks(tmp_path, runs=1, environment=ENVIRONMENT, on_progress=str)


def test_a_table_is_loaded_anew_each_time() -> None:
    before = engine_table("vllm", "0.21.0")
    load_table("vllm", "0.21.0")
    assert engine_table("vllm", "0.21.0") is not before


def test_the_first_run_does_not_count() -> None:
    runs: list[int] = []
    assert milliseconds(lambda: runs.append(1), 4) >= 0
    assert len(runs) == 5
