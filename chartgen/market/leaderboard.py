"""The apps of a market side by side: speed, context, what they can do, and what they need.

Pure: rows follow from the catalog. A speed is a stored measurement, the rest follows from the
settings of the release, the facts of its model, and its smoke test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from chartgen.engines import engine_facts
from chartgen.evidence.workload import workload_digest
from chartgen.market.catalog import Catalog, CatalogApp, Offer, ReadFile, best_offer
from chartgen.market.demands import gpu_memory, gpu_memory_bytes
from chartgen.market.evidence import AppEvidence, Beside
from chartgen.market.pieces import Recall, made_anew
from chartgen.market.settings import MarketSettings
from chartgen.market.speeds import (
    Ability,
    Measured,
    Speed,
    machine_of,
    machine_title,
    measured,
    speed_of,
)
from chartgen.olares.names import app_id
from chartgen.olares.platform import PLATFORMS
from chartgen.quantity import format_bytes
from chartgen.release.record import Release
from chartgen.render.texts import context_text
from chartgen.spec.engine import ENGINE_KINDS
from chartgen.spec.load import LoadedSpec

# What people read of an ability, by what is known of it.
ABILITY_WORDS: Mapping[Ability, str] = {
    "tested": "tested",
    "stated": "yes",
    "possible": "untested",
    "failed": "fails",
    "no": "no",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One app. Texts are empty and numbers None where nothing is known.

    `version` is the release that is offered, and not yet a release unless `released`;
    `measured_version` is the one whose speed was measured, another one where both run the same.
    `context` is in tokens. `machine` is the title of the machine that the app is made for,
    `hardware` that of the one which was measured. `source` names the publication of a speed that
    was imported, `date` the day (YYYY-MM-DD). `published_without_version` tells that all that is
    known of the speed are publications which name no version, so that it is the one of no release.
    """

    app: str
    title: str
    version: str
    released: bool
    model: str
    engine: str
    speed: Speed | None
    measured_version: str
    context: int | None
    vision: Ability
    tools: Ability
    gpu_memory: str
    gpu_memory_bytes: int | None
    machine: str
    hardware: str
    source: str
    date: str
    published_without_version: bool

    @property
    def context_text(self) -> str:
        """Return the context as people write it, such as `128K`."""
        return "" if self.context is None else context_text(self.context)

    @property
    def origin(self) -> str:
        """Tell where the speed is from: `measured`, `published` or nothing."""
        if self.speed is None:
            return ""
        return "published" if self.source else "measured"


def leaderboard(catalog: Catalog, read: ReadFile, recall: Recall = made_anew) -> tuple[Row, ...]:
    """Return the rows of all apps that are offered, in order.

    Raises what reading a package raises.
    """
    live = (app for app in catalog.apps if app.retired is None)
    settings = catalog.settings
    rows = (row(app, measured(catalog, app, read, recall), settings) for app in live)
    return in_order(rows, settings)


def leaderboard_with(
    catalog: Catalog, specs: Iterable[LoadedSpec], beside: Beside, read: ReadFile
) -> tuple[Row, ...]:
    """Return the rows of all apps that are offered, and of the specs that were never released."""
    known = {app.name for app in catalog.apps}
    new = (unreleased_app(s, beside.of(s.spec.name)) for s in specs if s.spec.name not in known)
    rows = (row(app, measured(catalog, app, read), catalog.settings) for app in new)
    return in_order((*leaderboard(catalog, read), *rows), catalog.settings)


def in_order(rows: Iterable[Row], settings: MarketSettings) -> tuple[Row, ...]:
    """Return rows by machine, that of the market's settings first, and of each the fastest first.

    Apps of two speeds count by the slow one, and those without a number stand last, by title.
    """
    own = machine_title(settings.hardware)

    def rank(item: Row) -> tuple[bool, str, bool, float, str, str]:
        rate = 0.0 if item.speed is None else item.speed.rank
        machine = item.machine != own, item.machine
        return *machine, item.speed is None, -rate, item.title.casefold(), item.app

    return tuple(sorted(rows, key=rank))


def by_machine(rows: Sequence[Row]) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Return the rows of each machine, whose title stands before them; `rows` are in order.

    Speeds on different machines tell nothing of the apps.
    """
    return tuple((title, tuple(found)) for title, found in groupby(rows, attrgetter("machine")))


def row(app: CatalogApp, known: Measured, market: MarketSettings) -> Row:
    """Return the row of one app; `known` is what is measured of it."""
    offer = best_offer(app)
    settings = offer.release.settings
    title = _mapping(offer.manifest.get("metadata")).get("title")
    return Row(
        app=app.name,
        title=title if isinstance(title, str) and title else app.name,
        version=offer.release.version,
        released=bool(offer.release.packages),
        model=model_text(settings),
        engine=engine_title(settings),
        speed=known.speed,
        measured_version=known.version,
        context=context_tokens(settings),
        vision=known.vision,
        tools=known.tools,
        gpu_memory=gpu_memory(offer.manifest) or "",
        gpu_memory_bytes=gpu_memory_bytes(offer.manifest),
        machine=machine_title(machine_of(app, market.hardware)),
        hardware=machine_title(known.hardware),
        source=known.source,
        date=known.date,
        published_without_version=known.speed is None and _without_version(app),
    )


def unreleased_app(loaded: LoadedSpec, evidence: AppEvidence) -> CatalogApp:
    """Return an app that was never released as its spec has it, without a package."""
    spec = loaded.spec
    release = Release(
        0,
        "",
        "release",
        spec.name,
        spec.version,
        "",
        settings=loaded.document.value,
        workload=workload_digest(loaded),
    )
    needed: dict[str, Any] = {}
    if spec.gpu_memory is not None:
        needed["requiredGPUMemory"] = format_bytes(spec.gpu_memory.request)
    manifest = {"metadata": {"title": spec.title}, "spec": needed}
    platform = next(iter(PLATFORMS))
    offer = Offer(platform, release, manifest, {}, "")
    return CatalogApp(
        name=spec.name,
        id=app_id(spec.name),
        offers={platform: offer},
        history=(release,),
        retired=None,
        icon="",
        evidence=evidence,
    )


def row_data(item: Row) -> dict[str, Any]:
    """Return a row as plain data, with units in the names and null where nothing is known."""
    speed = item.speed
    two = speed is not None and speed.two
    return {
        "app": item.app,
        "title": item.title,
        "version": item.version,
        "released": item.released,
        "model": item.model or None,
        "engine": item.engine or None,
        "made_for": item.machine,
        "tokens_per_second": speed.mean if speed is not None else None,
        "two_speeds": {"fast": speed.fast, "slow": speed.slow} if speed and two else None,
        "measured_version": item.measured_version or None,
        "hardware": item.hardware or None,
        "source": item.source or None,
        "date": item.date or None,
        "published_without_version": item.published_without_version,
        "context_tokens": item.context,
        "vision": item.vision,
        "tools": item.tools,
        "gpu_memory_bytes": item.gpu_memory_bytes,
    }


def context_tokens(settings: Mapping[str, Any]) -> int | None:
    """Return the context that the settings of a release state."""
    context = _mapping(settings.get("engine")).get("context")
    return context if isinstance(context, int) and not isinstance(context, bool) else None


def engine_title(settings: Mapping[str, Any]) -> str:
    """Return the name of an engine; a container of kind `app` is none with a name."""
    kind = _mapping(settings.get("engine")).get("kind")
    return engine_facts(kind).title if kind in ENGINE_KINDS and kind != "app" else ""


def model_text(settings: Mapping[str, Any]) -> str:
    """Return the model that an engine serves: its repository, or the file of a GGUF."""
    model = _mapping(settings.get("engine")).get("model")
    if isinstance(model, str):
        return model
    stated = _mapping(model)
    for name in ("file", "hf", "url", "local"):
        value = stated.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _without_version(app: CatalogApp) -> bool:
    return any(
        m.imported and not m.version and not m.trial and speed_of(m) is not None
        for m in app.evidence.measurements
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
