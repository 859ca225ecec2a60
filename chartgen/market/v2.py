"""The v2 protocol: what devices of generation C (Olares 1.12.7 and later) read.

Facts are those of the protocol notes, market-protocol-v2. All stamps are integers, and move only
where content moved: `last_modify_time` counts milliseconds, `updated_at` seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from chartgen.market.catalog import CatalogApp, Offer
from chartgen.market.json_text import json_text, list_text, object_text
from chartgen.market.settings import MarketSettings
from chartgen.market.v1 import (
    ENGLISH,
    Entry,
    categories_in_order,
    category_icon,
    category_titles,
    featured_image,
    icon_address,
    locales_of,
)

# Languages by their own names; a device shows the tag of any other.
_LANGUAGES = {
    "de-DE": "Deutsch",
    "en-US": "English",
    "es-ES": "Español",
    "fr-FR": "Français",
    "it-IT": "Italiano",
    "ja-JP": "日本語",
    "ko-KR": "한국어",
    "pt-BR": "Português",
    "zh-CN": "简体中文",
    "zh-TW": "繁體中文",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One app of the list, as JSON text."""

    name: str
    text: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Applications:
    """The list of apps, ready to be cut into pages.

    `items` are JSON texts, by the names of their apps in order. `removed` are the ids of retired
    apps. `newest_ms` is the newest stamp of all apps, 0 for none.
    """

    items: tuple[str, ...]
    removed: tuple[str, ...]
    newest_ms: int

    def text(self, page: int = 1, size: int | None = None) -> str:
        """Return the answer that holds one page, counted from 1; without a size it holds all."""
        total = len(self.items)
        start = 0 if size is None else (page - 1) * size
        end = total if size is None else start + size
        return success(
            object_text(
                (
                    ("has_more", json_text(end < total)),
                    ("items", list_text(self.items[start:end])),
                    ("max_last_modify_time", json_text(self.newest_ms)),
                    ("page", json_text(page)),
                    ("page_size", json_text(total if size is None else size)),
                    ("removed", json_text(self.removed)),
                    ("total", json_text(total)),
                )
            )
        )


def success(data: str) -> str:
    """Return a v2 answer; `data` is JSON text."""
    return object_text((("code", "0"), ("data", data), ("msg", json_text("success"))))


def item(app: CatalogApp, offer: Offer, settings: MarketSettings) -> Item:
    """Return an app's item for the devices of one platform."""
    metadata = offer.manifest["metadata"]
    categories = tuple(metadata.get("categories") or ())
    stamp = app.modified_ms(offer.platform)
    text = json_text(
        {
            "app_id": app.id,
            "name": app.name,
            "title": metadata.get("title") or app.name,
            "version": offer.release.version,
            "icon": icon_address(app, offer, settings),
            "featured_image": featured_image(offer),
            "cfg_type": offer.manifest.get("olaresManifest.type") or "app",
            "categories": categories,
            "categories_v2": categories,
            "tags": metadata.get("tags") or [],
            "app_labels": [],
            "olares_version_constraint": _olares_range(offer),
            "last_modify_time": stamp,
            "updated_at": stamp // 1000,
        }
    )
    return Item(app.name, text, categories)


def _olares_range(offer: Offer) -> str:
    options = offer.manifest.get("options") or {}
    for dependency in options.get("dependencies") or ():
        if dependency.get("type") == "system" and dependency.get("name") == "olares":
            return dependency.get("version") or ""
    return ""


def taxonomy_text(
    items: Iterable[Item],
    entries: Sequence[Entry],
    settings: MarketSettings,
    *,
    newest_ms: int,
    icon: str,
) -> str:
    """Return the answer to `taxonomy`.

    `icon` is the address of the picture that the market and its categories have where market.yaml
    names none.
    """
    names = categories_in_order(settings, (item.categories for item in items))
    locales = locales_of(entries)
    categories = [
        {
            "id": name,
            "builtin": False,
            "sort": position,
            "icon": category_icon(settings, name, icon),
            "title": category_titles(settings, name, locales),
            "description": {},
        }
        for position, name in enumerate(names, 1)
    ]
    languages = [
        {
            "code": code,
            "display_name": _LANGUAGES.get(code, code),
            "sort": position,
            "enabled": True,
        }
        for position, code in enumerate(locales, 1)
    ]
    return success(
        json_text(
            {
                "last_modify_time": newest_ms,
                "source": {
                    "source_id": settings.source,
                    "short_label": settings.title,
                    "display_name": {ENGLISH: settings.title},
                    "icon": settings.icon or icon,
                    "is_official": False,
                },
                "languages": languages,
                "categories": categories,
                "nav": names,
                "pages": [
                    {"category_id": name, "items": [{"id": "all", "type": "all"}]} for name in names
                ],
                "tags": [],
                "topic_lists": [],
                "topics": [],
                "recommends": [],
            }
        )
    )


def catalog_data(newest_ms: int, content_digest: str) -> dict[str, Any]:
    """Return what `catalog` answers, but for the id of the source, which a caller may state."""
    return {
        "schema_version": "v2",
        "taxonomy_last_modify_time": newest_ms,
        "apps_last_modify_time": newest_ms,
        "apps_filter_digest": content_digest,
    }
