"""What a device's front end shows around the apps: pages, side bar, rankings, recommendations.

Source: beclab/Olares, apps/packages/app/src, as in market-protocol-v1 §2.10 and §6 item 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chartgen.market.device.faults import listed, shown
from chartgen.market.device.held import text, texts, withdrawn
from chartgen.market.device.source import Source
from chartgen.market.device.v1_calls import INFO_PATH
from chartgen.market.device.wire import parse_json

# The page that a device shows first.
_HOME = "All"
_DEFAULT_TOPICS = frozenset({"Hottest", "Newest"})


def check_lists(source: Source, data: Mapping[str, Any]) -> None:
    """Check the lists of an info answer, whose outer types are sound."""
    apps = [entry for _, entry in _maps(data, "apps")]
    live = [entry for entry in apps if not withdrawn(entry)]
    names = {text(entry, "name") for entry in apps}
    if live:
        categories = {_HOME, *(name for entry in live for name in texts(entry, "categories"))}
        _check_categories(source, data, categories)
    _check_pages(source, data)
    _check_rankings(source, data, names, needed=bool(live))
    for field, key, content in _contents(data):
        strangers = [name for name in _split(content) if name not in names]
        if strangers:
            message = f"it names apps that the market lacks: {listed(strangers)}"
            source.fault("market-list-stranger", INFO_PATH, message, f"data.{field}.{key}")
    _check_topic_lists(source, data)


def _check_categories(source: Source, data: Mapping[str, Any], wanted: set[str]) -> None:
    pages = {text(page, "category") for _, page in _maps(data, "pages")}
    tags = {text(tag, "name") for _, tag in _maps(data, "tags")}
    for name in sorted(wanted - pages):
        message = "Discover stays blank" if name == _HOME else "its view stays blank"
        message = f"there is no page of the category {shown(name)}; {message}"
        source.fault("market-page-missing", INFO_PATH, message, "data.pages")
    for name in sorted(wanted - tags):
        message = f"there is no tag {shown(name)}, so the side bar lacks it"
        source.fault("market-tag-missing", INFO_PATH, message, "data.tags")


def _check_pages(source: Source, data: Mapping[str, Any]) -> None:
    known = {
        "Recommends": {text(item, "name") for _, item in _maps(data, "recommends")},
        "Topic": {text(item, "name") for _, item in _maps(data, "topic_lists")},
        "Default Topic": _DEFAULT_TOPICS,
    }
    for key, page in _maps(data, "pages"):
        at = f"data.pages.{key}.content"
        blocks = _blocks(page.get("content"))
        if blocks is None:
            message = f"{shown(page.get('content'))} is no JSON list; the front end stops at it"
            source.fault("market-page-content", INFO_PATH, message, at)
            continue
        for block in blocks:
            kind, name = text(block, "type"), text(block, "id")
            if name not in known.get(kind, ()):
                message = f"there is no {shown(kind)} {shown(name)} for the page to show"
                source.fault("market-page-content", INFO_PATH, message, at)


def _blocks(content: Any) -> list[dict[str, Any]] | None:
    """Return the blocks of a page, None where the text holds none."""
    if not isinstance(content, str):
        return None
    try:
        blocks = parse_json(content.encode("utf-8", "replace"))
    except ValueError:
        return None
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        return None
    return blocks


def _check_rankings(
    source: Source, data: Mapping[str, Any], names: set[str], *, needed: bool
) -> None:
    tops = [item for item in data.get("tops") or () if isinstance(item, dict)]
    if needed and not tops:
        message = "tops is empty, and some clients find the apps only there"
        source.fault("market-tops-empty", INFO_PATH, message, "data.tops")
    for index, item in enumerate(tops):
        at = f"data.tops[{index}]"
        first, second = text(item, "appId"), text(item, "appid")
        if first != second:
            message = f"appId is {shown(first)} and appid {shown(second)}; clients read one of them"
            source.fault("market-tops-half", INFO_PATH, message, at)
        if not {first, second} & names:
            message = f"it names {shown(first or second)}, and the market has no app of that name"
            source.fault("market-list-stranger", INFO_PATH, message, at)
    strangers = [name for name in data.get("latest") or () if name not in names]
    if strangers:
        message = f"it names apps that the market lacks: {listed(map(str, strangers))}"
        source.fault("market-list-stranger", INFO_PATH, message, "data.latest")


def _contents(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the places that hold names of apps with commas between them."""
    for key, item in _maps(data, "recommends"):
        yield "recommends", key, text(item, "content")
    for key, topic in _maps(data, "topics"):
        for language, item in _maps(topic, "data"):
            yield "topics", f"{key}.data.{language}.apps", text(item, "apps")


def _check_topic_lists(source: Source, data: Mapping[str, Any]) -> None:
    topics = {text(topic, "_id") for _, topic in _maps(data, "topics")}
    for key, item in _maps(data, "topic_lists"):
        missing = [name for name in _split(text(item, "content")) if name not in topics]
        if missing:
            message = f"it names topics that there are not: {listed(missing)}"
            source.fault("market-topic-missing", INFO_PATH, message, f"data.topic_lists.{key}")


def _maps(data: Mapping[str, Any], name: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Return the members of a map that are maps themselves."""
    found = data.get(name)
    members = found.items() if isinstance(found, dict) else ()
    return [(key, value) for key, value in members if isinstance(value, dict)]


def _split(content: str) -> list[str]:
    return [part.strip() for part in content.split(",") if part.strip()]
