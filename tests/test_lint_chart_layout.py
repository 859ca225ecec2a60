"""Rules on the files of a chart, their names, versions and translations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from sound_chart import Draft

from chartgen.lint.layout import MAX_PACKED_BYTES
from chartgen.lint.translations import canonical_locale

Bend = Callable[[Draft], Any]
ENGLISH = "i18n/en-US/OlaresManifest.yaml"


def case(rules: str, name: str, bend: Bend) -> Any:
    """Name the rules that a chart breaks once it has been bent."""
    return pytest.param(rules, bend, id=name)


def files(**paths: bytes | None) -> Bend:
    """Replace files; `__` stands for a slash and `_` for a dot."""

    def bend(draft: Draft) -> None:
        for path, data in paths.items():
            draft.files[path.replace("__", "/").replace("_", ".")] = data

    return bend


def extra(path: str, data: bytes = b"") -> Bend:
    return lambda draft: draft.files.update({path: data})


def english(data: bytes) -> Bend:
    return extra(ENGLISH, data)


def renamed(name: str) -> Bend:
    def bend(draft: Draft) -> None:
        draft.name = name
        draft.chart_yaml["name"] = name
        draft.metadata.update(name=name, appid=name)
        draft.manifest["workloadReplicas"] = {name: 1}
        draft.values["workloads"] = {name: {"replicaCount": 1}}
        text = draft.chart().files["templates/deployment.yaml"].decode()
        count = f'{{{{ (index .Values.workloads "{name}").replicaCount }}}}'
        changed = text.replace("{{ .Values.workloads.demo.replicaCount }}", count)
        draft.files["templates/deployment.yaml"] = changed.encode()

    return bend


def versioned(version: str) -> Bend:
    def bend(draft: Draft) -> None:
        draft.metadata["version"] = version
        draft.chart_yaml["version"] = version

    return bend


LAYOUT = [
    case(
        "chart-file-missing render-lint render-market render-bare",
        "values",
        files(values_yaml=None),
    ),
    case("chart-file-missing render-lint", "Chart.yaml", files(Chart_yaml=None)),
    case("chart-file-missing", "manifest", files(OlaresManifest_yaml=None)),
    case(
        "chart-file-missing workload-name workload-replicas-names entrance-host-unknown "
        "gpu-inject-missing",
        "templates",
        files(templates__deployment_yaml=None, templates__service_yaml=None),
    ),
    case("kube-version", "later", lambda d: d.chart_yaml.update(kubeVersion=">=1.21.0-0")),
    case("kube-version", "no range", lambda d: d.chart_yaml.update(kubeVersion="any")),
    case("chart-yaml-unreadable", "no YAML", files(OlaresManifest_yaml=b"a: [b")),
    case("chart-yaml-unreadable", "not UTF-8", files(OlaresManifest_yaml=b"a: \xff")),
    case(
        "chart-duplicate-key",
        "key twice",
        files(values_yaml=b"workloads: {demo: {replicaCount: 1}}\nuserspace: {}\nuserspace: {}\n"),
    ),
    case("chart-field-missing", "no apiVersion", lambda d: d.chart_yaml.pop("apiVersion")),
    case("chart-name-differs", "Chart.yaml", lambda d: d.chart_yaml.update(name="other")),
    case("chart-name-differs", "folder", lambda d: setattr(d, "name", "other")),
    case("chart-version-differs", "versions", lambda d: d.chart_yaml.update(version="1.0.3")),
    case("chart-name object-name", "capital", renamed("Demo")),
    case("chart-name-digit", "digit", renamed("1demo")),
    case("chart-name-reserved", "reserved", renamed("pod")),
    case("chart-name-official", "official", renamed("n8n")),
    case("chart-version", "prerelease", versioned("1.0.2-1")),
    case("chart-version", "leading zero", versioned("1.02.0")),
    case("chart-version", "two numbers", versioned("1.2")),
    case("chart-version", "17 characters", versioned("1.0.1234567890123")),
    case("version-name-differs", "appVersion", lambda d: d.chart_yaml.update(appVersion="1")),
    case("stray-file", "macOS", extra("templates/._service.yaml")),
    case("stray-file", "editor", extra("values.yaml~")),
    case("secret-in-chart", "hub token", extra("notes.txt", b"hf_" + b"a1" * 16)),
    case("secret-in-chart", "key", extra("id", b"-----BEGIN RSA PRIVATE KEY-----\n")),
    case("i18n-missing", "no English", files(**{ENGLISH.replace("/", "__"): None})),
    case("i18n-path", "flat file", extra("i18n/zh-CN.yaml", b"{}")),
    case("i18n-locale", "underscore", extra("i18n/zh_CN/OlaresManifest.yaml", b"{}")),
    case("i18n-locale", "case", extra("i18n/zh-cn/OlaresManifest.yaml", b"{}")),
    case("i18n-unreadable", "no YAML", english(b"metadata: {")),
    case("i18n-type", "number", english(b"metadata: {title: 42}")),
    case("i18n-type", "list", english(b"- metadata")),
    case("i18n-type", "section", english(b"metadata: demo")),
    case("i18n-unknown-key", "misplaced", english(b"metadata: {fullDescription: x}")),
    case("i18n-unknown-key", "section", english(b"meta: {}")),
    case(
        "i18n-title-length",
        "three bytes a letter",
        extra(
            "i18n/zh-CN/OlaresManifest.yaml", "metadata: {title: 演示演示演示演示演示演}".encode()
        ),
    ),
    case("i18n-text-differs", "other words", english(b"metadata: {title: Demonstration}")),
]


@pytest.mark.parametrize(("rules", "bend"), LAYOUT)
def test_bent_chart_breaks_these_rules(rules: str, bend: Bend) -> None:
    draft = Draft()
    bend(draft)
    assert draft.rules() == set(rules.split())


def test_white_space_makes_no_other_text() -> None:
    draft = Draft()
    draft.files[ENGLISH] = b"spec:\n  fullDescription: |\n    It\n    demonstrates.\n"
    assert draft.rules() == set()


@pytest.mark.parametrize(("surplus", "broken"), [(-20_000, set()), (20_000, {"chart-too-large"})])
def test_size_is_that_of_the_package(surplus: int, broken: set[str]) -> None:
    draft = Draft()
    # Random bytes do not shrink when they are packed.
    draft.files["model.bin"] = random.Random(0).randbytes(MAX_PACKED_BYTES + surplus)
    assert draft.rules(render=False) == broken


def test_large_text_that_packs_well_is_no_large_chart() -> None:
    draft = Draft()
    draft.files["notes.txt"] = b"all the same\n" * 200_000
    assert draft.rules(render=False) == set()


@pytest.mark.parametrize(
    ("tag", "canonical"),
    [
        ("en", "en"),
        ("EN-us", "en-US"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-CH-1996", "de-CH-1996"),
        ("sl-rozaj", "sl-rozaj"),
        ("en-a-bbb-x-a", "en-a-bbb-x-a"),
        ("zh_CN", None),
        ("e", None),
        ("english-", None),
        ("", None),
    ],
)
def test_language_tags_have_one_spelling(tag: str, canonical: str | None) -> None:
    # Casing as in RFC 5646, 2.1.1.
    assert canonical_locale(tag) == canonical
