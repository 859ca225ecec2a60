"""The types of the v1 answers, as the two generations of clients decode them.

Source: beclab/market, internal/v2/appinfo/syncerfn/step_interface.go and types/types.go, as in
market-protocol-v1 §2.1, §2.2 and §2.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from chartgen.market.device.wire import (
    ANY,
    BOOLEAN,
    INTEGER,
    LIST,
    MAP,
    NUMBER,
    STRING,
    STRING_OR_MAP,
    STRINGS,
    TIME,
    ListOf,
    MapOf,
    Scalar,
    Struct,
    Wire,
)

HASH = Struct({"hash": STRING, "last_updated": STRING, "version": STRING})

_LISTS: Mapping[str, Wire] = {
    "apps": MAP,
    "recommends": MAP,
    "pages": MAP,
    "topics": MAP,
    "topic_lists": MAP,
    "tags": MAP,
    "tops": LIST,
    "latest": STRINGS,
}


def _info(data: Mapping[str, Wire]) -> Struct:
    return Struct(
        {
            "version": STRING,
            "hash": STRING,
            "last_updated": TIME,
            "stats": MAP,
            "data": Struct(data),
        }
    )


def _texts(*names: str) -> dict[str, Wire]:
    return dict.fromkeys(names, STRING)


# Generation A takes what is inside the maps as it comes.
INFO_A = _info(_LISTS)

_PAGE = Struct({**_texts("category", "content", "updated_at", "createdAt"), "source": INTEGER})
_TAG = Struct(
    {
        **_texts("_id", "name", "icon", "updated_at", "createdAt"),
        "title": MAP,
        "sort": INTEGER,
        "source": INTEGER,
    }
)
_TOPIC_DATA = Struct(
    {
        **_texts("group", "title", "des", "iconimg", "detailimg", "richtext"),
        **_texts("mobileDetailImg", "mobileRichtext", "backgroundColor", "apps"),
        "isdelete": BOOLEAN,
    }
)
_TOPIC = Struct({**_texts("_id", "name"), "data": MapOf(_TOPIC_DATA), "source": INTEGER})
_TOPIC_LIST = Struct(
    {**_texts("name", "type", "description", "content"), "title": MAP, "source": INTEGER}
)
_RECOMMEND = Struct(
    {
        **_texts("name", "description", "content"),
        "data": Struct({"title": MAP, "description": MAP}),
        "source": INTEGER,
    }
)
_TOP = Struct({**_texts("appId", "appid"), "rank": INTEGER})

# Generation B has typed structs inside the maps.
INFO_B = _info(
    {
        **_LISTS,
        "recommends": MapOf(_RECOMMEND),
        "pages": MapOf(_PAGE),
        "topics": MapOf(_TOPIC),
        "topic_lists": MapOf(_TOPIC_LIST),
        "tags": MapOf(_TAG),
        "tops": ListOf(_TOP),
    }
)

_I18N = Struct(
    {
        "metadata": Struct(_texts("title", "description")),
        "entrances": Scalar("null or a list", lambda value: isinstance(value, list)),
        "spec": Struct(_texts("fullDescription", "upgradeDescription")),
    }
)
_HISTORY = Struct(
    {**_texts("appName", "version", "versionName", "upgradeDescription"), "mergedAt": TIME}
)
_OBJECTS = ListOf(MAP)

# One app, in the summary and in the details. A field of another type is dropped or zeroed.
ENTRY = Struct(
    {
        **_texts("id", "name", "cfgType", "chartName", "icon", "appID", "version", "apiVersion"),
        **_texts("versionName", "promoteVideo", "subCategory", "developer"),
        **_texts("requiredMemory", "requiredDisk", "requiredGPU", "requiredCPU"),
        **_texts("limitedMemory", "limitedDisk", "limitedCPU", "limitedGPU"),
        **_texts("target", "submitter", "doc", "website", "featuredImage", "sourceCode"),
        **_texts("modelSize", "namespace", "lastCommitHash", "updated_at"),
        "title": STRING_OR_MAP,
        "description": STRING_OR_MAP,
        "fullDescription": STRING_OR_MAP,
        "upgradeDescription": STRING_OR_MAP,
        "categories": STRINGS,
        "promoteImage": STRINGS,
        "locale": STRINGS,
        "supportArch": STRINGS,
        "appLabels": STRINGS,
        "screenshots": STRINGS,
        "tags": STRINGS,
        "supportClient": MAP,
        "permission": MAP,
        "tailscale": MAP,
        "middleware": MAP,
        "options": MAP,
        "i18n": MapOf(_I18N),
        "entrances": _OBJECTS,
        "ports": _OBJECTS,
        "envs": _OBJECTS,
        "license": _OBJECTS,
        "legal": _OBJECTS,
        "subCharts": ListOf(Struct({"name": STRING, "shared": BOOLEAN})),
        "rating": NUMBER,
        "onlyAdmin": BOOLEAN,
        "count": ANY,
        "createTime": INTEGER,
        "updateTime": INTEGER,
        "versionHistory": ListOf(_HISTORY),
        "price": MAP,
    }
)

# The answer with the details; the entries are decoded one by one, and nothing else is looked at.
DETAILS = Struct({"apps": MAP})
