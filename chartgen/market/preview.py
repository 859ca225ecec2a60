"""The site of a market's folder: what is published, or what the specs of today would give."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from chartgen.market.catalog import build_catalog
from chartgen.market.evidence import Beside, read_beside
from chartgen.market.layout import MARKET_FILE, SPEC_FOLDER
from chartgen.market.page import page_files
from chartgen.market.pieces import Recall, made_anew
from chartgen.market.settings import MarketSettings
from chartgen.market.site import Site, build_site
from chartgen.release.ledger import LEDGER, Ledger, chained
from chartgen.release.plan import PublishPlan, plan_publish
from chartgen.release.record import Release
from chartgen.release.versions import Bump
from chartgen.release.workspace import Workspace, read_released, read_workspace

Stamp = tuple[tuple[str, int, int], ...]


def published_site(
    folder: Path, market: MarketSettings, ledger: Ledger, recall: Recall = made_anew
) -> Site:
    """Return the site of all that the ledger names. A pure function of the files on disk.

    These are the ledger, the packages and icons that it names, market.yaml, and the measurements
    and facts of models beside the specs, where there are any. What `recall` knows is not made
    again; the packages of such apps are not read.
    """
    beside = read_beside(folder, ledger.by_name())
    return _site(market, ledger, lambda path: read_released(folder, path), beside, recall)


def preview_site(
    workspace: Workspace, date: str, *, bump: Bump | None = "patch"
) -> tuple[Site, PublishPlan]:
    """Return the site as a publish would leave it, and the plan of that publish.

    Apps with errors stay as they were released.
    """
    plan = plan_publish(
        [app for app in workspace.apps if app.sound],
        workspace.ledger,
        workspace.market,
        workspace.read_file,
        bump=bump,
        date=date,
        unchanged=[check.name for check in workspace.unchanged],
    )
    wanted: list[Release] = [*workspace.ledger.releases, *chained(workspace.ledger, plan.releases)]
    ledger = replace(workspace.ledger, releases=tuple(wanted))

    def read(path: str) -> bytes:
        made = plan.files.get(path)
        return made if made is not None else workspace.read_file(path)

    beside = read_beside(workspace.folder, ledger.by_name())
    return _site(workspace.market, ledger, read, beside), plan


def _site(
    market: MarketSettings,
    ledger: Ledger,
    read: Callable[[str], bytes],
    beside: Beside,
    recall: Recall = made_anew,
) -> Site:
    catalog = build_catalog(market, ledger, read, recall, beside)
    return build_site(catalog, read, page_files(catalog, read, recall), recall)


class LiveSite:
    """Gives the site of a folder, and makes it anew when a spec or the ledger changed.

    `date` gives the date of unpublished releases; `on_change` is told of every new site and of
    every error, after which the former site goes on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        date: Callable[[Ledger], str],
        on_change: Callable[[str], object],
        released_only: bool = False,
    ) -> None:
        self._folder = folder
        self._date = date
        self._on_change = on_change
        self._released_only = released_only
        self._lock = threading.Lock()
        self._stamp = _stamp(folder)
        self._site = self._made()

    def __call__(self) -> Site:
        """Return the site of now."""
        with self._lock:
            stamp = _stamp(self._folder)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._site = self._made()
                    self._on_change("rebuilt")
                except Exception as error:  # noqa: BLE001  # a half-typed spec must not end serving
                    self._on_change(f"not rebuilt: {error}")
            return self._site

    def _made(self) -> Site:
        workspace = read_workspace(self._folder, () if self._released_only else None, remember=True)
        for item in workspace.findings:
            self._on_change(f"{item.place}: {item.severity}: {item.message}")
        if self._released_only:
            return published_site(self._folder, workspace.market, workspace.ledger)
        return preview_site(workspace, self._date(workspace.ledger))[0]


def _stamp(folder: Path) -> Stamp:
    """Return sizes and times of all that a site is made from."""
    return tuple(sorted(_facts(folder)))


def _facts(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in (*(folder / SPEC_FOLDER).rglob("*"), folder / MARKET_FILE, folder / LEDGER):
        try:
            facts = path.stat()
        except OSError:
            continue
        yield path.as_posix(), facts.st_size, facts.st_mtime_ns
