"""Rules on the manifest but for its resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sound_chart import Draft, dump, legacy, two_parts

from chartgen.lint.manifest_braces import template_syntax

Bend = Callable[[Draft], Any]


def case(rules: str, name: str, bend: Bend, sound: Callable[[], Draft] = Draft) -> Any:
    """Name the rules that a sound chart breaks once it has been bent."""
    return pytest.param(rules, bend, sound, id=name)


def manifest(**values: Any) -> Bend:
    return lambda draft: draft.manifest.update(values)


def own_version(version: Any) -> Bend:
    return lambda draft: draft.manifest.update({"olaresManifest.version": version})


def metadata(**values: Any) -> Bend:
    return lambda draft: draft.metadata.update(values)


def entrance(**values: Any) -> Bend:
    return lambda draft: draft.entrance.update(values)


def spec(**values: Any) -> Bend:
    return lambda draft: draft.spec.update(values)


def options(**values: Any) -> Bend:
    return lambda draft: draft.options.update(values)


def permission(**values: Any) -> Bend:
    return lambda draft: draft.manifest["permission"].update(values)


def env(**values: Any) -> Bend:
    return lambda draft: draft.manifest["envs"].append({"envName": "MODE", **values})


def port(**values: Any) -> Bend:
    entry = {"name": "stream", "host": "demo", "port": 8080, **values}
    return lambda draft: draft.manifest.setdefault("ports", []).append(entry)


def dependency(**values: Any) -> Bend:
    return lambda draft: draft.options["dependencies"].append(
        {"name": "redis", "type": "middleware", "version": ">=1", **values}
    )


def olares(version: str) -> Bend:
    return lambda draft: draft.options["dependencies"][0].update(version=version)


def raw(change: Callable[[str], str]) -> Bend:
    def bend(draft: Draft) -> None:
        text = draft.chart().files["OlaresManifest.yaml"].decode()
        draft.files["OlaresManifest.yaml"] = change(text).encode()

    return bend


def shared(draft: Draft) -> None:
    draft.options["shared"] = True
    draft.spec["onlyAdmin"] = True


def both(*bends: Bend) -> Bend:
    def bend(draft: Draft) -> None:
        for each in bends:
            each(draft)

    return bend


OVERLAY = {"title": "LAN", "port": 8080, "workload": "demo", "protocol": "tcp"}


def overlay(**values: Any) -> Bend:
    return manifest(overlayGateway={"enable": True, "entrances": [{**OVERLAY, **values}]})


MANIFEST = [
    # Reading
    case(
        "manifest-template-syntax",
        "template",
        raw(lambda text: text + "{{ if .Values.admin }}\na: b\n{{ end }}\n"),
    ),
    case(
        "manifest-render-failed",
        "broken template",
        raw(lambda text: text + "{{ if }}\n"),
        legacy,
    ),
    case(
        "manifest-foreign-value",
        "value of the install",
        raw(lambda text: text + "# {{ .Values.sysVersion }}\n"),
        legacy,
    ),
    case(
        "manifest-foreign-value manifest-render-failed",
        "value in a mapping that is not there",
        raw(lambda text: text + "# {{ .Values.nothing.here }}\n"),
        legacy,
    ),
    case("manifest-wrong-type", "text for a switch", options(mobileSupported="yes!")),
    case("manifest-wrong-type", "list for text", spec(developer=["me"])),
    case("manifest-wrong-type", "part of a number", options(apiTimeout=1.5)),
    case("manifest-wrong-type", "too large", options(allowedOutboundPorts=[2**63])),
    case("manifest-wrong-type", "text for a list", spec(locale="en-US")),
    case("manifest-unknown-key", "misplaced", spec(envs=[])),
    case("manifest-unknown-key", "misspelt", options(allowedOutboundPort=[80])),
    case("metadata-unknown-key", "misspelt", metadata(categoriesV2=["ai"])),
    case("metadata-unknown-key", "capital letter", metadata(Target="x")),
    # Texts of an embedded struct are not made out of numbers.
    case("manifest-wrong-type", "number for a default", env(default=5)),
    case("manifest-wrong-type", "switch for a value", env(value=True)),
    case("manifest-wrong-type", "number for a choice", env(options=[{"title": "a", "value": 1}])),
    # Versions
    case(
        "manifest-version-missing resources-flat-missing resources-exceeded",
        "no version",
        lambda draft: draft.manifest.pop("olaresManifest.version"),
    ),
    case(
        "manifest-version-invalid resources-flat-missing resources-exceeded",
        "word for a version",
        own_version("new"),
    ),
    case("manifest-version-too-old", "old version", own_version("0.7.1"), legacy),
    case("manifest-version-unquoted", "number for a version", own_version(0.11), legacy),
    case(
        "manifest-version-too-old",
        "number that loses its zero",
        raw(lambda text: text.replace("version: 0.11.0", "version: 0.10", 1)),
        legacy,
    ),
    case("manifest-api-version", "v4", manifest(apiVersion="v4"), legacy),
    case(
        "manifest-version-below-fields olares-dependency-window",
        "v3 before 0.12",
        manifest(apiVersion="v3"),
        legacy,
    ),
    case(
        "manifest-version-below-fields",
        "gateway before 0.12",
        options(LLMGatewaySupported=True),
        legacy,
    ),
    # Metadata
    *[
        case("metadata-missing", f"no {key}", metadata(**{key: ""}))
        for key in ("icon", "description")
    ],
    case("metadata-missing", "no title", metadata(title="")),
    case("metadata-too-long", "31 bytes in 16 letters", metadata(title="ä" * 15 + "a")),
    case(
        "metadata-version chart-version chart-version-differs",
        "word for the app's version",
        metadata(version="one"),
    ),
    case("icon-address", "path for an icon", metadata(icon="/icon.png")),
    case("icon-address", "icon of an entrance", entrance(icon="ftp://example.org/a.png")),
    case("icon-address", "icon without a host", metadata(icon="https:///a.png")),
    case("icon-address", "word for a port", metadata(icon="https://example.org:icons/a.png")),
    case("icon-address", "half an escape", metadata(icon="https://example.org/100%.png")),
    case("icon-not-https", "icon over http", metadata(icon="http://example.org/a.png")),
    case("app-id-reserved", "id of the system", metadata(appid="vault")),
    case(
        "manifest-name-reserved app-id-differs chart-name-differs workload-replicas-names",
        "name of the system",
        metadata(name="vault"),
    ),
    case("app-id-differs", "other id", metadata(appid="other")),
    case("app-id-differs", "no id", metadata(appid="")),
    case("categories-missing", "no category", metadata(categories=[])),
    case("category-unofficial", "own category", metadata(categories=["Robots"])),
    case("catalog-word", "capital in a tag", metadata(tags=["Design"])),
    case("catalog-word", "category twice", metadata(categories_v2=["agents", "agents"])),
    case("locale-invalid", "underscore", spec(locale=["en_US"])),
    case("locale-invalid", "case", spec(locale=["en-us"])),
    case("locale-invalid", "twice", spec(locale=["en-US", "en-US"])),
    *[
        case("locale-invalid", f"locale {locale}", spec(locale=[locale]))
        for locale in ("english", "und-US", "xx", "iw", "en-UK", "zh-cmn")
    ],
    # Entrances
    case("entrance-count", "none", manifest(entrances=[])),
    case(
        "entrance-count",
        "eleven",
        lambda d: manifest(entrances=[{**d.entrance, "name": f"e{i}"} for i in range(11)])(d),
    ),
    case("entrance-name", "dot", entrance(name="a.b")),
    case("entrance-name", "64 letters", entrance(name="a" * 64)),
    case("entrance-name", "empty", entrance(name="")),
    case("entrance-name-duplicate", "twice", lambda d: d.manifest["entrances"].append(d.entrance)),
    case("entrance-host entrance-host-unknown", "one letter", entrance(host="d")),
    case("entrance-host", "empty", entrance(host="")),
    case("entrance-port-range entrance-port-unknown", "zero", entrance(port=0)),
    case("entrance-port-range entrance-port-unknown", "too high", entrance(port=65536)),
    case("entrance-title", "none", entrance(title="")),
    case("entrance-title", "31 bytes", entrance(title="a" * 31)),
    case("entrance-choice", "authLevel", entrance(authLevel="open")),
    case("entrance-choice", "openMethod", entrance(openMethod="windows")),
    # Ports
    case("port-entry", "no name", port(name="")),
    case("port-entry", "underscore in a name", port(name="web_rtc")),
    case("port-entry", "long name", port(name="a" * 64)),
    case("port-entry", "no host", port(host="")),
    case("port-entry", "capital in a host", port(host="Demo")),
    case("port-entry", "no port", port(port=0)),
    case("port-entry", "high port", port(port=65536)),
    case("port-entry", "negative outer port", port(exposePort=-1)),
    case("port-entry", "unknown protocol", port(protocol="TCP")),
    case("port-entry", "twice", both(port(), port())),
    # Spec
    case(
        "spec-missing resources-missing arch-missing version-name-differs gpu-memory-undeclared",
        "no spec",
        lambda draft: draft.manifest.pop("spec"),
    ),
    case("arch-missing accelerator-arch", "no architecture", spec(supportArch=[])),
    case("arch-invalid", "unknown architecture", spec(supportArch=["amd64", "riscv64"])),
    case("arch-invalid", "architecture twice", spec(supportArch=["amd64", "amd64"])),
    case("subcharts-missing", "v2 without subcharts", manifest(apiVersion="v2"), legacy),
    case(
        "subcharts-none-shared",
        "nothing shared",
        lambda draft: draft.spec["subCharts"][0].update(shared=False),
        two_parts,
    ),
    case(
        "subchart-name chart-file-missing",
        "capital in a subchart",
        lambda draft: draft.spec["subCharts"].append({"name": "Extra"}),
        two_parts,
    ),
    # Options
    case("provider-retired", "provider", manifest(provider=[{"name": "a"}])),
    case("provider-retired", "permission", permission(provider=[{"appName": "a"}])),
    case("external-data-too-early", "before 0.12", permission(externalData=True), legacy),
    case("login-not-allowed", "other app", permission(loginOlaresCLI=True)),
    case(
        "workload-replicas-missing",
        "no replicas",
        lambda draft: draft.manifest.pop("workloadReplicas"),
    ),
    case("dependency-incomplete", "no version", dependency(version="")),
    case("dependency-type", "unknown type", dependency(type="service")),
    case("dependency-version", "no range", dependency(version="newest")),
    case("olares-dependency-missing", "none", options(dependencies=[])),
    case("olares-dependency-missing", "none before 0.12", options(dependencies=[]), legacy),
    case("olares-dependency-window", "v3 on 1.12.5", olares(">=1.12.5-0")),
    case("olares-dependency-window", "v3 on anything", olares("*")),
    case("olares-dependency-window", "open range before 0.12", olares(">=1.12.3-0"), legacy),
    case("olares-dependency-window", "too early before 0.12", olares("<1.12.6"), legacy),
    case("shared-needs-v3", "v1", both(shared, manifest(apiVersion="v1"))),
    case("shared-needs-admin", "anyone", both(shared, spec(onlyAdmin=False))),
    case("shared-with-scope", "cluster", both(shared, options(appScope={"clusterScoped": True}))),
    case("shared-with-scope", "references", both(shared, options(appScope={"appRef": ["a"]}))),
    case("shared-with-scope", "subcharts", both(shared, spec(subCharts=[{"name": "a"}]))),
    case("template-only-without-clones", "no clones", options(templateOnly=True)),
    case("policy-incomplete", "no level", options(policies=[{"uriRegex": "/a"}])),
    case(
        "policy-duration",
        "no unit",
        options(policies=[{"uriRegex": "/", "level": "two_factor", "validDuration": "36"}]),
    ),
    case("overlay-entrance", "no title", overlay(title="")),
    case("overlay-entrance", "no port", overlay(port=0)),
    case("overlay-entrance", "no workload", overlay(workload="")),
    case("overlay-entrance", "icmp", overlay(protocol="icmp")),
    case("redis-namespace", "none", manifest(middleware={"redis": {"password": "a"}})),
    # Variables
    case("env-name-missing", "no name", env(envName="")),
    case("env-name-duplicate", "twice", env(envName="TOKEN")),
    case("env-name-olares-user", "name of the user's", env(envName="OLARES_USER_EMAIL")),
    case("env-reference-unknown", "reference", env(valueFrom={"envName": "OLARES_USER_SHOE"})),
    case(
        "env-secret-required",
        "required token",
        env(required=True, valueFrom={"envName": "OLARES_SYSTEM_HUGGINGFACE_TOKEN"}),
    ),
    case("env-type-unknown", "type", env(type="color")),
    case("env-default-invalid", "int", env(type="int", default="1.5")),
    case("env-default-invalid", "quantity", env(type="quantity", default="4 GB")),
    case("env-default-invalid", "address", env(type="ip", default="10.0.0")),
    case("env-default-invalid", "web address", env(type="url", default="example.org")),
    case("env-default-invalid", "option", env(default="b", options=[{"value": "a"}])),
    case("env-default-invalid", "pattern", env(default="s3://a", regex="^hf://")),
    case(
        "env-default-invalid",
        "one of several",
        env(default="a,c", multiSelect=True, options=[{"value": "a"}, {"value": "b"}]),
    ),
]


@pytest.mark.parametrize(("rules", "bend", "sound"), MANIFEST)
def test_bent_manifest_breaks_these_rules(
    rules: str, bend: Bend, sound: Callable[[], Draft]
) -> None:
    draft = sound()
    bend(draft)
    if draft.metadata.get("title") != "Demo":
        draft.files["i18n/en-US/OlaresManifest.yaml"] = b"{}"
    assert draft.rules() == set(rules.split())


@pytest.mark.parametrize(
    ("bend", "sound"),
    [
        pytest.param(metadata(title="ä" * 15), Draft, id="title of 30 bytes"),
        pytest.param(
            metadata(tags=["design", "rag-2"], categories_v2=["agents"]), Draft, id="tags"
        ),
        pytest.param(
            lambda d: manifest(entrances=[{**d.entrance, "name": f"e{i}"} for i in range(10)])(d),
            Draft,
            id="ten entrances",
        ),
        pytest.param(entrance(authLevel="", openMethod=""), Draft, id="choices left open"),
        pytest.param(spec(locale=["en-US", "zh-Hant-TW"]), Draft, id="locales"),
        pytest.param(spec(website=42, developer=True), Draft, id="scalars in texts"),
        pytest.param(spec(legal=[{"text": "a"}], featuredImage="b"), Draft, id="market's fields"),
        pytest.param(shared, Draft, id="shared"),
        pytest.param(overlay(), Draft, id="overlay"),
        pytest.param(overlay(protocol=""), Draft, id="overlay with both protocols"),
        pytest.param(olares(">=1.12.7"), Draft, id="later Olares"),
        pytest.param(olares(">=1.12.6-0, <2.0.0"), Draft, id="range with an end"),
        pytest.param(olares(">=1.12.5-0,<1.12.6"), legacy, id="one version before 0.12"),
        pytest.param(port(), Draft, id="port"),
        pytest.param(port(exposePort=0, protocol="udp"), Draft, id="port that is not exposed"),
        pytest.param(metadata(icon="HTTPS://a.b:8443/c%20d.png?e=%#f"), Draft, id="long address"),
        pytest.param(spec(locale=["zh-Hant-TW", "pt-BR", "fil", "es-419"]), Draft, id="locales"),
        pytest.param(dependency(version="*"), Draft, id="any middleware"),
        pytest.param(
            options(policies=[{"uriRegex": "/", "level": "a", "validDuration": "1h30m"}]),
            Draft,
            id="duration",
        ),
        pytest.param(manifest(middleware={"redis": {"namespace": "demo"}}), Draft, id="redis"),
        pytest.param(env(type="quantity", default="4Gi"), Draft, id="quantity"),
        pytest.param(env(default="a", options=[{"value": "a"}]), Draft, id="option"),
        pytest.param(env(default="z", remoteOptions="https://example.org"), Draft, id="remote"),
        pytest.param(env(default="xhf://", regex="hf://"), Draft, id="pattern within"),
        pytest.param(env(default="x", regex="(?<n>x)(?(n)y)[["), Draft, id="other dialect"),
        pytest.param(env(required=True), Draft, id="required"),
        pytest.param(
            env(valueFrom={"envName": "OLARES_USER_SMTP_SERVER"}), Draft, id="mail setting"
        ),
        pytest.param(permission(externalData=True), Draft, id="external data"),
        pytest.param(manifest(provider=[{"name": "a"}]), legacy, id="provider before 0.12"),
        pytest.param(own_version("v0.12"), Draft, id="short version"),
    ],
)
def test_bent_manifest_is_still_sound(bend: Bend, sound: Callable[[], Draft]) -> None:
    draft = sound()
    bend(draft)
    draft.files["i18n/en-US/OlaresManifest.yaml"] = b"{}"
    assert draft.rules() == set()


@pytest.mark.parametrize("range_", [">=1.12.3-0,<1.12.6", ">=1.12.6-0"])
def test_manifest_of_0_12_that_is_not_v3_may_use_either_window(range_: str) -> None:
    # The two lints that devices have contradict each other here.
    draft = Draft()
    draft.manifest["apiVersion"] = "v1"
    draft.options["dependencies"][0]["version"] = range_
    assert draft.rules() == set()


def test_keys_match_whatever_their_case() -> None:
    draft = Draft()
    draft.manifest["permission"] = {"APPDATA": True}
    assert draft.rules() == set()


def test_unknown_key_names_the_one_that_was_meant() -> None:
    draft = Draft()
    draft.accelerator["supportMultiCard"] = True
    (found,) = draft.lint()
    assert found.rule == "manifest-unknown-key"
    assert "supportMultiCards" in found.remedy


def test_both_readings_of_a_template_are_checked() -> None:
    draft = legacy()
    text = draft.chart().files["OlaresManifest.yaml"].decode()
    other = "{{ if ne .Values.admin .Values.bfl.username }}x{{ else }}Demo{{ end }}"
    draft.files["OlaresManifest.yaml"] = text.replace(
        "  icon: https://example.org/demo.png",
        "  icon: {{ if eq .Values.admin .Values.bfl.username }}https://example.org/a.png{{ end }}",
    ).encode()
    assert draft.rules() == {"metadata-missing"}
    draft.files["OlaresManifest.yaml"] = text.replace(
        "title: Demo\n", f"title: {other}\n", 1
    ).encode()
    assert draft.rules() == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: b\nc: {{ x }}\n", (2, 4, "{{")),
        ("a: }}\n", (1, 4, "}}")),
        ("a: '{{ x }}'\n", None),
        ('a: "{{ x }}"\n', None),
        ("a: 'it''s {{ x }}'\n", None),
        ('a: "\\"{{ x }}"\n', None),
        ("a: |\n  {{ x }}\n\n  {{ y }}\nb: c\n", None),
        ("a: >-  # folded\r\n  {{ x }}\r\nb: c\r\n", None),
        ("a: |2\n  {{ x }}\n", None),
        ("a: |\n  x\nb: {{ y }}\n", (3, 4, "{{")),
        ("a: b # {{ x }}\n", (1, 8, "{{")),
        ("a: |b\n  {{ x }}\n", (2, 3, "{{")),
        ("a: {b: {c: d}}\n", (1, 13, "}}")),
        # The device's scanner ends a string with its line.
        ('a: "b\n  {{ x }}"\n', (2, 3, "{{")),
    ],
)
def test_braces_count_outside_of_strings(text: str, found: tuple[int, int, str] | None) -> None:
    assert template_syntax(text) == found


def test_dump_of_the_tests_keeps_braces_in_strings() -> None:
    assert template_syntax(dump({"a": "{{ x }}"}).decode()) is None
