"""Planning and making a publish of a market's folder, as `chartgen publish` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chartgen.release.plan import PublishPlan, plan_publish
from chartgen.release.workspace import Workspace, read_workspace, write_publish

DATE = "2026-05-20T18:00:00Z"


def plan(market: Path, bump: Any = None, date: str = DATE) -> tuple[Workspace, PublishPlan]:
    """Return what a publish would do."""
    workspace = read_workspace(market)
    made = plan_publish(
        workspace.apps,
        workspace.ledger,
        workspace.market,
        workspace.read_file,
        bump=bump,
        date=date,
    )
    return workspace, made


def publish(market: Path, bump: Any = None, date: str = DATE) -> PublishPlan:
    """Publish, and return what was done."""
    workspace, made = plan(market, bump, date)
    write_publish(workspace, made)
    return made
