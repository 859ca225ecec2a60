"""The types of the v2 answers, which generation C decodes (market-protocol-v2)."""

from __future__ import annotations

from chartgen.market.device.wire import (
    BOOLEAN,
    INTEGER,
    LIST,
    STRING,
    STRINGS,
    ListOf,
    MapOf,
    Struct,
    Wire,
)

_TEXT_BY_LOCALE = MapOf(STRING)


def _answer(data: Wire) -> Struct:
    return Struct({"code": INTEGER, "msg": STRING, "data": data})


CATALOG = _answer(
    Struct(
        {
            "schema_version": STRING,
            "source_id": STRING,
            "taxonomy_last_modify_time": INTEGER,
            "apps_last_modify_time": INTEGER,
            "apps_filter_digest": STRING,
        }
    )
)

TAXONOMY = _answer(
    Struct(
        {
            "last_modify_time": INTEGER,
            "source": Struct(
                {
                    "source_id": STRING,
                    "short_label": STRING,
                    "display_name": _TEXT_BY_LOCALE,
                    "icon": STRING,
                    "is_official": BOOLEAN,
                }
            ),
            "languages": ListOf(
                Struct(
                    {"code": STRING, "display_name": STRING, "sort": INTEGER, "enabled": BOOLEAN}
                )
            ),
            "categories": ListOf(
                Struct(
                    {
                        "id": STRING,
                        "builtin": BOOLEAN,
                        "sort": INTEGER,
                        "icon": STRING,
                        "title": _TEXT_BY_LOCALE,
                        "description": _TEXT_BY_LOCALE,
                    }
                )
            ),
            "nav": STRINGS,
            "pages": ListOf(
                Struct(
                    {
                        "category_id": STRING,
                        "items": ListOf(Struct({"id": STRING, "type": STRING})),
                    }
                )
            ),
            "tags": LIST,
            "topic_lists": LIST,
            "topics": LIST,
            "recommends": LIST,
        }
    )
)

_ITEM = Struct(
    {
        "app_id": STRING,
        "name": STRING,
        "title": STRING,
        "version": STRING,
        "icon": STRING,
        "featured_image": STRING,
        "cfg_type": STRING,
        "categories": STRINGS,
        "categories_v2": STRINGS,
        "tags": STRINGS,
        "app_labels": STRINGS,
        "olares_version_constraint": STRING,
        "last_modify_time": INTEGER,
        "updated_at": INTEGER,
    }
)

APPLICATIONS = _answer(
    Struct(
        {
            "items": ListOf(_ITEM),
            "removed": LIST,
            "has_more": BOOLEAN,
            "max_last_modify_time": INTEGER,
            "total": INTEGER,
            "page": INTEGER,
            "page_size": INTEGER,
        }
    )
)
