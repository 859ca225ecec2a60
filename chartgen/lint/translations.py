"""The texts of a chart in other languages: `i18n/<locale>/OlaresManifest.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from chartgen.chart import Chart
from chartgen.document import Document
from chartgen.findings import Finding, Place
from chartgen.lint.chart_files import MANIFEST, chart_file
from chartgen.lint.device_yaml import read_device_yaml
from chartgen.lint.manifest_reading import Manifest
from chartgen.lint.rules import finding

# The market reads these keys and no others (olares-manifest §1.1).
_KEYS = {
    "metadata": ("title", "description"),
    "spec": ("fullDescription", "upgradeDescription"),
}
# What the market shows where a device's language is missing.
_DEFAULT_LOCALE = "en-US"
_MAX_TITLE = 30

# RFC 5646 without irregular tags and extended languages: language, script, region, the rest.
_TAG = re.compile(
    r"(?P<language>[A-Za-z]{2,3})"
    r"(?:-(?P<script>[A-Za-z]{4}))?"
    r"(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
    r"(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?)"
)


# The two-letter languages of ISO 639-1 (with `bh` and `sh`, which it withdrew without a successor).
_LANGUAGE = re.compile(
    r"a[abefkmnrsvyz]|b[aeghimnors]|c[aehorsuvy]|d[aevz]|e[elnostu]|f[afijory]|g[adlnuv]"
    r"|h[aeiortuyz]|i[adegikostu]|j[av]|k[agijklmnorsuvwy]|l[abginotuv]|m[ghiklnrsty]"
    r"|n[abdeglnorvy]|o[cjmrs]|p[ailst]|q[u]|r[mnouw]|s[acdeghiklmnoqrstuvw]|t[aeghiklnorstwy]"
    r"|u[gkrz]|v[eio]|w[ao]|x[h]|y[io]|z[ahu]"
)
# Codes that the registry of RFC 5646 replaced and that people still write.
_REPLACED_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv"}
_REPLACED_REGIONS = {"UK": "GB"}


def canonical_locale(tag: str) -> str | None:
    """Return a language tag as the device's lint spells it (`zh-Hant-TW`), None for what is none.

    Of languages with three letters and of scripts and regions only the form is known here; the
    lint has their registry (golang.org/x/text/language, BCP47).
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        return None
    language = match["language"].lower()
    language = _REPLACED_LANGUAGES.get(language, language)
    if language == "und" or (len(language) != 3 and not _LANGUAGE.fullmatch(language)):
        return None
    parts = [language]
    if match["script"]:
        parts.append(match["script"].title())
    if match["region"]:
        region = match["region"].upper()
        parts.append(_REPLACED_REGIONS.get(region, region))
    return "-".join(parts) + match["rest"].lower()


def check_translations(chart: Chart, manifest: Manifest | None) -> Iterator[Finding]:
    """Check that translations exist, can be read, hold known texts and agree with the manifest."""
    files = [path for path in chart.files if re.fullmatch(rf"i18n/[^/]+/{MANIFEST}", path)]
    default = f"i18n/{_DEFAULT_LOCALE}/{MANIFEST}"
    if default not in files:
        place = Place(chart_file(chart, default))
        yield finding("i18n-missing", place, f"the chart has no {default}")
    for path in chart.files:
        if path.startswith("i18n/") and path not in files:
            place = Place(chart_file(chart, path))
            yield finding("i18n-path", place, f"{path} is not read")
    for path in files:
        locale = path.split("/")[1]
        canonical = canonical_locale(locale)
        if canonical != locale:
            message = f"the folder {locale} is no canonical language tag"
            remedy = f"Rename the folder to i18n/{canonical}." if canonical else ""
            yield finding("i18n-locale", Place(chart_file(chart, path)), message, remedy)
        document, problems = read_device_yaml(chart.files[path], chart_file(chart, path))
        if document is None:
            yield from (finding("i18n-unreadable", p.place, p.message) for p in problems)
        else:
            yield from problems
            yield from _check_texts(document, manifest if path == default else None)


def _check_texts(document: Document, manifest: Manifest | None) -> Iterator[Finding]:
    value = document.value
    if not isinstance(value, dict):
        yield finding("i18n-type", document.place(()), "the file holds no mapping")
        return
    for section, content in value.items():
        known = _KEYS.get(section)
        if known is None and section != "entrances":
            message = f"{section} is not translated by the market"
            yield finding("i18n-unknown-key", document.place((section,), key=True), message)
        if known is None or content is None:
            continue
        if not isinstance(content, dict):
            message = f"{section} holds no mapping"
            yield finding("i18n-type", document.place((section,)), message)
            continue
        for key, text in content.items():
            yield from _check_text(document, (section, key), text, known, manifest)


def _check_text(
    document: Document,
    path: tuple[str, str],
    text: Any,
    known: tuple[str, ...],
    manifest: Manifest | None,
) -> Iterator[Finding]:
    name = ".".join(path)
    if path[1] not in known:
        message = f"{name} is not translated by the market"
        yield finding("i18n-unknown-key", document.place(path, key=True), message)
    elif text is None:
        return
    elif not isinstance(text, str):
        yield finding("i18n-type", document.place(path), f"{name} is {text!r}, not text")
    elif path[1] == "title" and len(text.encode()) > _MAX_TITLE:
        message = f"{name} has {len(text.encode())} bytes, at most {_MAX_TITLE} are shown"
        yield finding("i18n-title-length", document.place(path), message)
    elif manifest and manifest.text(*path).split() != text.split():
        message = f"{name} is not what the manifest says"
        yield finding("i18n-text-differs", document.place(path), message)
