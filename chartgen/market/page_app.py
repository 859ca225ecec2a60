"""What the web page shows of one app: plain values, made from the ledger and the offers.

`Card` is what the list of all apps needs; `AppPage` adds what only the app's own page shows.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chartgen.chart import Chart
from chartgen.evidence.figures import tells_gain
from chartgen.market.catalog import Catalog, CatalogApp, Offer, best_offer
from chartgen.market.demands import (
    Resources,
    file_size_text,
    gpu_memory,
    permissions,
    resources,
    variables,
)
from chartgen.market.engine_command import EngineCommand, engine_command, shell_text
from chartgen.market.leaderboard import context_tokens, engine_title
from chartgen.market.page_dates import Day, day, day_text
from chartgen.market.page_markdown import Html, is_web_address, markdown_html
from chartgen.market.page_settings import Setting, setting_groups
from chartgen.market.page_speed import SpeedSection, gains, speed_section
from chartgen.market.settings import MarketSettings
from chartgen.market.site import PREFIXES
from chartgen.market.speeds import Measured, machine_of, machine_title, version_speeds
from chartgen.package.write import package_name
from chartgen.release.diff import setting_changes
from chartgen.release.record import Release
from chartgen.render.texts import context_text

_LINKS = (("Website", "website"), ("Source code", "sourceCode"), ("Documentation", "doc"))
# olares_range of the platforms (chartgen/olares/platform.py), in words.
OLARES = {"modern": "Olares 1.12.6 and later", "legacy": "Olares 1.12.3 to 1.12.5"}
# Written in their own words, as whoever reads them looks for them.
_LANGUAGES = {
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "pt": "Português",
    "ru": "Русский",
    "zh": "中文",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a card, such as the context: name and value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the list of all apps shows of one app; `retired` is its last line, if it has one.

    `machine` is the title of the machine that the app is made for. `origin` tells where the speed
    among the facts is from, and is empty where there is none.
    """

    name: str
    title: str
    summary: str
    icon: str
    version: str
    date: Day
    categories: tuple[str, ...]
    engine: str
    developer: str
    badges: tuple[str, ...]
    facts: tuple[Fact, ...]
    machine: str
    origin: str
    retired: Day | None
    reason: str

    @property
    def path(self) -> str:
        """Return the site path of the app's page, without the slash in front."""
        return f"apps/{self.name}.html"


@dataclass(frozen=True, slots=True)
class Download:
    """One package: for which Olares, and what to check it against; `path` as `Card.path`."""

    olares: str
    file: str
    path: str
    size: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Version:
    """One release of the history: its notes, the settings that it changed, older packages.

    `speed` tells its measured speed, and what that was before, in words; empty where a note does.
    """

    version: str
    date: Day
    speed: str
    notes: tuple[str, ...]
    changes: tuple[str, ...]
    downloads: tuple[Download, ...]


@dataclass(frozen=True, slots=True)
class Translated:
    """The texts in another language; `locale` is its BCP 47 tag."""

    locale: str
    language: str
    title: str
    summary: str
    about: Html


@dataclass(frozen=True, slots=True)
class AppPage:
    """All that an app's page shows beyond the card."""

    card: Card
    about: Html
    olares: tuple[str, ...]
    helm: tuple[str, ...]
    licenses: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    downloads: tuple[Download, ...]
    command: EngineCommand | None
    command_text: str
    resources: tuple[Resources, ...]
    permissions: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, tuple[Setting, ...]], ...]
    speed: SpeedSection
    versions: tuple[Version, ...]
    translations: tuple[Translated, ...]


def card(app: CatalogApp, known: Measured, market: MarketSettings) -> Card:
    """Return what the list shows of an app; `known` is what is measured of it."""
    offer = best_offer(app)
    release = offer.release
    metadata, spec = _mapping(offer.manifest.get("metadata")), _mapping(offer.manifest.get("spec"))
    return Card(
        name=app.name,
        title=_text(metadata, "title") or app.name,
        summary=_text(metadata, "description"),
        icon=f"icons/{app.icon}" if app.icon else "",
        version=release.version,
        date=day(release),
        categories=tuple(dict.fromkeys(_texts(metadata.get("categories")))),
        engine=engine_title(release.settings),
        developer=_text(spec, "developer"),
        badges=_badges(known),
        facts=tuple(_facts(offer, known)),
        machine=machine_title(machine_of(app, market.hardware)),
        origin=", ".join(_origin(release, known)),
        retired=day(app.retired) if app.retired else None,
        reason=app.retired.reason if app.retired else "",
    )


def app_page(catalog: Catalog, app: CatalogApp, chart: Chart, known: Measured) -> AppPage:
    """Return what the app's own page shows.

    `chart` is that of `best_offer`, `known` what is measured of the app.
    """
    offer = best_offer(app)
    spec = _mapping(offer.manifest.get("spec"))
    command = engine_command(chart)
    charts = repository(catalog.settings, offer.platform)
    return AppPage(
        card=card(app, known, catalog.settings),
        about=markdown_html(_text(spec, "fullDescription")),
        olares=tuple(OLARES[platform] for platform in PREFIXES if platform in app.offers),
        helm=(
            helm_add(catalog.settings, offer.platform),
            f"helm pull {charts}/{app.name} --version {offer.release.version}",
        ),
        licenses=tuple(_licenses(spec)),
        links=tuple(
            (title, spec[field])
            for title, field in _LINKS
            if isinstance(spec.get(field), str) and is_web_address(spec[field])
        ),
        downloads=tuple(
            found
            for platform in PREFIXES
            if platform in app.offers
            for found in _downloads(app.offers[platform].release, (platform,))
        ),
        command=command,
        command_text=shell_text(command.words) if command else "",
        resources=resources(offer.manifest),
        permissions=permissions(offer.manifest),
        variables=variables(offer.manifest),
        settings=tuple(setting_groups(offer.release.settings)),
        speed=speed_section(app, known, catalog.settings.hardware),
        versions=tuple(_versions(app, catalog.settings.hardware)),
        translations=tuple(_translations(offer)),
    )


def repository(settings: MarketSettings, platform: str) -> str:
    """Return the name of a platform's base among Helm's repositories."""
    return f"{settings.title}{PREFIXES[platform]}".lower().replace("/", "-")


def helm_add(settings: MarketSettings, platform: str) -> str:
    """Return the command that makes a platform's base a repository of Helm."""
    address = f"{settings.url}{PREFIXES[platform]}"
    return shlex.join(("helm", "repo", "add", repository(settings, platform), address))


def _facts(offer: Offer, known: Measured) -> Iterator[Fact]:
    if known.speed is not None:
        both = known.speed.two and known.speed.text
        name = "Two speeds, tokens/s" if both else "Tokens/s"
        yield Fact(name, known.speed.text or known.speed.words)
    context = context_tokens(offer.release.settings)
    if context is not None:
        yield Fact("Context", context_text(context))
    memory = gpu_memory(offer.manifest)
    if memory is not None:
        yield Fact("GPU memory", memory)


def _origin(release: Release, known: Measured) -> Iterator[str]:
    """Yield where a speed is from: who says so and when, of which machine, of which version."""
    if known.speed is None:
        return
    yield "published" if known.source else f"measured {day_text(known.date)}".rstrip()
    if known.hardware:
        yield machine_title(known.hardware)
    if known.version != release.version:
        yield f"of {known.version}, which runs the same"


def _badges(known: Measured) -> tuple[str, ...]:
    """Return what the model can do, by its smoke test and its settings."""
    abilities = (("Vision", known.vision), ("Tools", known.tools))
    return tuple(badge for badge, ability in abilities if ability in {"tested", "stated"})


def _licenses(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    entries = spec.get("license")
    for entry in entries if isinstance(entries, list) else []:
        name, address = _text(_mapping(entry), "text"), _text(_mapping(entry), "url")
        if name:
            yield name, address if is_web_address(address) else ""


def _versions(app: CatalogApp, hardware: str) -> Iterator[Version]:
    """Yield the releases, newest first, each with what its settings changed."""
    speeds = version_speeds(app, hardware)
    told = {item.version: item.speed.words for item in speeds}
    told |= {version: gain for version, gain in gains(speeds).items() if gain}
    befores: tuple[Release | None, ...] = (None, *app.history)
    for release, before in reversed(tuple(zip(app.history, befores, strict=False))):
        # A note is frozen, and a gain that is computed beside it changes with the next measurement.
        is_told = any(tells_gain(note) for note in release.changes)
        changes = () if before is None else setting_changes(before.settings, release.settings)
        yield Version(
            version=release.version,
            date=day(release),
            speed="" if is_told else told.get(release.version, ""),
            notes=release.changes,
            changes=tuple(str(change) for change in changes),
            downloads=tuple(_downloads(release, _outdated(app, release))),
        )


def _outdated(app: CatalogApp, release: Release) -> Iterator[str]:
    """Yield the platforms on which a later release is offered."""
    return (name for name in PREFIXES if name in app.offers and app.offers[name].release != release)


def _downloads(release: Release, platforms: Iterable[str]) -> Iterator[Download]:
    file = package_name(release.name, release.version)
    for platform in platforms:
        record = release.package(platform)
        if record is not None:
            yield Download(
                olares=OLARES[platform],
                file=file,
                path=f"{PREFIXES[platform]}/charts/{file}".lstrip("/"),
                size=file_size_text(record.size_bytes),
                sha256=record.sha256,
            )


def _translations(offer: Offer) -> Iterator[Translated]:
    for locale, manifest in sorted(offer.translations.items()):
        language = locale.partition("-")[0]
        if language == "en":
            continue
        metadata, spec = _mapping(manifest.get("metadata")), _mapping(manifest.get("spec"))
        yield Translated(
            locale=locale,
            language=_LANGUAGES.get(language, locale),
            title=_text(metadata, "title"),
            summary=_text(metadata, "description"),
            about=markdown_html(_text(spec, "fullDescription")),
        )


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
