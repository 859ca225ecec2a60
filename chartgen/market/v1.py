"""The v1 protocol: what devices of generations A and B (Olares 1.12.3 to 1.12.6) read.

Sections and items named here are those of the protocol notes, market-protocol-v1. Its traps in
short: generation A takes the texts of an app from the summary, B from the detail; one wrong type
in the envelope loses the whole answer on B; a text must be plain, never a map of languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from chartgen.hardware import hardware_profiles
from chartgen.market.catalog import CatalogApp, Offer
from chartgen.market.json_text import json_text, object_text
from chartgen.market.settings import MarketSettings
from chartgen.olares.platform import PLATFORMS
from chartgen.quantity import parse_quantity
from chartgen.release.record import Release
from chartgen.render.texts import change_notes

ENGLISH = "en-US"
# The front end shows the title of the device's own language and nothing where that is missing
# (stores/market/menu.ts), so that the two languages that Olares ships with are always there.
LOCALES = (ENGLISH, "zh-CN")
# The page without which Discover is blank (§2.10).
ALL = "All"
_ALL_TITLES = {ENGLISH: "Discover", "zh-CN": "发现"}
# What hides an app and its install button (§2.3, §2.10).
REMOVED_LABEL = "remove"
# The word of the protocol for a page's list of the newest apps, of the page's category (§2.10).
_NEWEST = [{"type": "Default Topic", "id": "Newest"}]
_NVIDIA = "nvidia"
_NO_DATE = "1970-01-01T00:00:00Z"

_METADATA_LISTS = ("categories", "tags")
_SPEC_TEXTS = (
    "versionName",
    "fullDescription",
    "upgradeDescription",
    "promoteVideo",
    "subCategory",
    "developer",
    "submitter",
    "doc",
    "website",
    "sourceCode",
    "namespace",
)
_SPEC_LISTS = ("promoteImage", "locale", "supportArch")
# Left out where an app has none of them.
_SPEC_MORE = ("license", "subCharts")
_TOP_MORE = ("ports", "envs", "middleware", "tailscale")


@dataclass(frozen=True, slots=True)
class Entry:
    """One app as JSON text: in the list of all apps, and as a device asks for its details."""

    id: str
    name: str
    summary: str
    detail: str
    categories: tuple[str, ...]
    locales: tuple[str, ...]
    removed: bool
    modified_ms: int


def olares_version(platform: str) -> str:
    """Return the first Olares release of a platform: what an answer names as its version.

    No device reads it, and generation B refuses an empty one (§2.2).
    """
    match = re.search(r"[0-9]+(\.[0-9]+){2}", PLATFORMS[platform].olares_range)
    assert match is not None
    return match[0]


def nano_date(date: str) -> str:
    """Write a date of the ledger with nine digits of a second, which some clients insist on."""
    return f"{date.removesuffix('Z')}.000000000Z"


def entry(app: CatalogApp, offer: Offer, settings: MarketSettings) -> Entry:
    """Return an app's summary and detail for the devices of one platform."""
    summary = _summary(app, offer, settings)
    text = json_text(summary)
    history = json_text(_version_history(app.releases(offer.platform)))
    return Entry(
        id=app.id,
        name=app.name,
        summary=text,
        detail=f'{text[:-1]},"versionHistory":{history}}}',
        categories=tuple(summary["categories"]),
        locales=tuple(summary["i18n"]),
        removed=app.retired is not None,
        modified_ms=app.modified_ms(offer.platform),
    )


def _summary(app: CatalogApp, offer: Offer, settings: MarketSettings) -> dict[str, Any]:
    manifest = offer.manifest
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    result: dict[str, Any] = {
        "id": app.id,
        "appID": app.id,
        "name": app.name,
        "cfgType": manifest.get("olaresManifest.type") or "app",
        "chartName": offer.chart_file,
        "icon": icon_address(app, offer, settings),
        "version": offer.release.version,
        "apiVersion": manifest.get("apiVersion") or "v1",
        "title": metadata.get("title") or app.name,
        "description": metadata.get("description") or "",
        "target": metadata.get("target") or "",
        "appLabels": [REMOVED_LABEL] if app.retired else [],
        "screenshots": [],
        "entrances": manifest.get("entrances") or [],
        "permission": manifest.get("permission") or {},
        "options": manifest.get("options") or {},
        "supportClient": spec.get("supportClient") or {},
        "onlyAdmin": bool(spec.get("onlyAdmin")),
        "featuredImage": featured_image(offer),
        "updated_at": nano_date((app.retired or offer.release).date),
        "i18n": _translations(offer),
        **resources(spec, settings),
        **{field: spec.get(field) or "" for field in _SPEC_TEXTS},
        **{field: list(spec.get(field) or ()) for field in _SPEC_LISTS},
        **{field: list(metadata.get(field) or ()) for field in _METADATA_LISTS},
        **{field: spec[field] for field in _SPEC_MORE if spec.get(field)},
        **{field: manifest[field] for field in _TOP_MORE if manifest.get(field)},
    }
    if app.retired and app.retired.reason:
        result["upgradeDescription"] = app.retired.reason
    return result


def icon_address(app: CatalogApp, offer: Offer, settings: MarketSettings) -> str:
    """Return where a browser finds the icon: at this market, whatever its address was before."""
    if app.icon:
        return f"{settings.url}/icons/{app.icon}"
    return offer.manifest["metadata"].get("icon") or ""


def featured_image(offer: Offer) -> str:
    """Return the address of the wide picture; no type of a device's manifest governs it."""
    image = (offer.manifest.get("spec") or {}).get("featuredImage")
    return image if isinstance(image, str) else ""


def _translations(offer: Offer) -> dict[str, Any]:
    """Return the texts by locale in the form of §2.4."""
    metadata, spec = offer.manifest["metadata"], offer.manifest.get("spec") or {}
    found: Mapping[str, Mapping[str, Any]] = offer.translations or {
        ENGLISH: {"metadata": metadata, "spec": spec}
    }
    return {
        locale: {
            "metadata": _texts(texts.get("metadata"), ("title", "description")),
            "entrances": None,
            "spec": _texts(texts.get("spec"), ("fullDescription", "upgradeDescription")),
        }
        for locale, texts in found.items()
    }


def _texts(section: Any, keys: Iterable[str]) -> dict[str, str]:
    if not isinstance(section, Mapping):
        return {}
    return {key: section[key] for key in keys if isinstance(section.get(key), str)}


def _version_history(releases: Sequence[Release]) -> list[dict[str, str]]:
    return [
        {
            "appName": release.name,
            "version": release.version,
            "versionName": release.version,
            "mergedAt": nano_date(release.date),
            "upgradeDescription": change_notes(release.changes),
        }
        for release in reversed(releases)
    ]


def resources(spec: Mapping[str, Any], settings: MarketSettings) -> dict[str, str]:
    """Return what an app needs: bytes and cores as decimal texts, empty where it says nothing.

    Of several accelerators the one of the market's machines counts, then NVIDIA's, then the first.
    """
    entries = spec.get("accelerator") or ()
    profile = hardware_profiles().get(settings.hardware)
    wanted = (profile.accelerator if profile else _NVIDIA, _NVIDIA)
    by_mode = {entry.get("mode"): entry for entry in reversed(entries)}
    chosen = next((by_mode[mode] for mode in wanted if mode in by_mode), None)
    if chosen is None:
        chosen = entries[0] if entries else spec
    gpu = "GPUMemory" if entries else "Gpu"
    found = {}
    for side in ("required", "limited"):
        found[f"{side}CPU"] = _cores(chosen.get(f"{side}Cpu"))
        found[f"{side}Memory"] = _bytes(chosen.get(f"{side}Memory"))
        found[f"{side}Disk"] = _bytes(chosen.get(f"{side}Disk"))
        found[f"{side}GPU"] = _bytes(chosen.get(f"{side}{gpu}"))
    return found


def _amount(text: str | None) -> Decimal | None:
    try:
        value = parse_quantity(text or "")
    except ValueError:
        return None
    # "-1" stands for an amount that is found at install (olares-manifest 2.5).
    return value if value >= 0 else None


def _bytes(text: str | None) -> str:
    value = _amount(text)
    return "" if value is None else str(int(value.to_integral_value(ROUND_CEILING)))


def _cores(text: str | None) -> str:
    value = _amount(text)
    return "" if value is None else format(value.normalize(), "f")


def newest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that are not retired, the last released first."""
    live = [entry for entry in entries if not entry.removed]
    return sorted(live, key=lambda entry: (-entry.modified_ms, entry.name))


def categories_in_order(settings: MarketSettings, used: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Return the categories in use: those of market.yaml in its order, then the others by name."""
    names = {name for categories in used for name in categories}
    stated = dict.fromkeys(category.name for category in settings.categories)
    return (*(name for name in stated if name in names), *sorted(names - stated.keys()))


def category_titles(settings: MarketSettings, name: str, locales: Iterable[str]) -> dict[str, str]:
    """Return what devices show of a category, for each of the locales."""
    stated = {c.name: c.titles for c in reversed(settings.categories)}.get(name, {})
    given = _ALL_TITLES if name == ALL else {}
    base = stated.get(ENGLISH) or given.get(ENGLISH) or name
    return dict.fromkeys(locales, base) | given | dict(stated)


def category_icon(settings: MarketSettings, name: str, default: str) -> str:
    """Return the address of a category's picture."""
    return {c.name: c.icon for c in reversed(settings.categories)}.get(name) or default


def locales_of(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return all languages that a device may find texts in, English first."""
    found = {locale for entry in entries for locale in entry.locales}
    return (*LOCALES, *sorted(found - set(LOCALES)))


@dataclass(frozen=True, slots=True)
class Info:
    """The answer to `info`, but for the hash, which covers it: JSON before and after the hash."""

    before: bytes
    after: bytes
    updated: str
    version: str

    def answer(self, content_hash: str) -> bytes:
        """Return the whole answer."""
        return b"".join((self.before, json_text(content_hash).encode(), self.after))


def info(
    entries: Sequence[Entry], settings: MarketSettings, platform: str, date: str, icon: str
) -> Info:
    """Return the answer to `info`.

    `date` is that of the newest line of the ledger that the platform sees (empty for none), `icon`
    the address of the picture that categories without one of their own have.
    """
    used = categories_in_order(settings, (entry.categories for entry in entries))
    categories = tuple(dict.fromkeys((ALL, *used)))
    locales = locales_of(entries)
    latest = [entry.name for entry in newest_first(entries)]
    pages = {
        name: {"category": name, "content": json_text(_NEWEST), "source": 0} for name in categories
    }
    tags = {
        name: {
            "_id": name,
            "name": name,
            "title": category_titles(settings, name, locales),
            "icon": category_icon(settings, name, icon),
            "sort": position,
            "source": 0,
        }
        for position, name in enumerate(categories)
    }
    # Both spellings, both the app's name: A reads one, B the other, the front end means names.
    tops = [{"appId": name, "appid": name, "rank": rank} for rank, name in enumerate(latest, 1)]
    data = object_text(
        (
            ("apps", object_text((entry.id, entry.summary) for entry in entries)),
            ("latest", json_text(latest)),
            ("pages", json_text(pages)),
            ("recommends", "{}"),
            ("tags", json_text(tags)),
            ("topic_lists", "{}"),
            ("topics", "{}"),
            ("tops", json_text(tops)),
        )
    )
    counts = {"apps": len(entries), "pages": len(pages), "tags": len(tags)}
    stats = {"appstore_data": counts | {"recommends": 0, "topic_lists": 0, "topics": 0}}
    updated, version = nano_date(date or _NO_DATE), olares_version(platform)
    rest = json_text({"last_updated": updated, "stats": stats, "version": version})
    return Info(f'{{"data":{data},"hash":'.encode(), f",{rest[1:]}".encode(), updated, version)


def hash_text(info: Info, content_hash: str) -> str:
    """Return the answer to `hash` as JSON text."""
    return json_text({"hash": content_hash, "last_updated": info.updated, "version": info.version})
