"""Rules on the text of templates and values, and on whether they render at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sound_chart import Draft, legacy

Bend = Callable[[Draft], Any]
NAMESPACE = "{{ .Release.Namespace }}"
CONFIG = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: extra, namespace: '{NAMESPACE}'}}\n"


def case(rules: str, name: str, bend: Bend, sound: Callable[[], Draft] = Draft) -> Any:
    """Name the rules that a sound chart breaks once it has been bent."""
    return pytest.param(rules, bend, sound, id=name)


def config(value: str) -> Bend:
    """Add a ConfigMap with one value, which is the text of a template."""
    text = f"{CONFIG}data:\n  key: {value}\n"
    return lambda draft: draft.files.update({"templates/extra.yaml": text.encode()})


def template(text: str) -> Bend:
    return lambda draft: draft.files.update({"templates/extra.yaml": text.encode()})


def replicas(text: str) -> Bend:
    def bend(draft: Draft) -> None:
        source = draft.chart().files["templates/deployment.yaml"].decode()
        count = "replicas: {{ .Values.workloads.demo.replicaCount }}"
        assert count in source
        draft.files["templates/deployment.yaml"] = source.replace(count, text).encode()

    return bend


def both(*bends: Bend) -> Bend:
    def bend(draft: Draft) -> None:
        for each in bends:
            each(draft)

    return bend


def image_from_values(draft: Draft) -> None:
    draft.values["image"] = {"tag": "v1"}
    draft.container["image"] = "vllm/vllm-openai:{{ .Values.image.tag }}"


TEMPLATES = [
    case("storage-unknown", "wrong case", config("'{{ .Values.userspace.appdata }}'")),
    case("storage-unknown", "lint's own", config("'{{ index .Values.userspace \"data\" }}'")),
    *[
        case("storage-not-permitted", area, config(f"'{{{{ .Values.userspace.{area} }}}}'"))
        for area in ("appCache", "userData", "appCommon")
    ],
    case("storage-not-permitted", "appData", lambda d: d.manifest["permission"].clear()),
    case("storage-not-permitted", "external", config("'{{ .Values.sharedlib }}'")),
    case(
        "env-undeclared render-market-variables render-bare",
        "variable",
        config("'{{ .Values.olaresEnv.MODEL }}'"),
    ),
    case(
        "env-undeclared render-market-variables render-bare",
        "variable by index",
        config("'{{ index .Values.olaresEnv \"MODEL\" }}'"),
    ),
    case("image-from-values", "image", image_from_values),
    case("olares-user-in-chart", "comment", template("# OLARES_USER_EMAIL\n")),
    case("olares-user-in-chart", "values", lambda d: d.values.update(mail="OLARES_USER_EMAIL")),
    case(
        "replica-count-missing",
        "values",
        lambda d: d.values["workloads"].update(demo={"count": 1}),
    ),
    case("replicas-not-wired", "number", replicas("replicas: 1")),
    case(
        "replicas-not-wired workload-replicas-missing",
        "empty list",
        lambda d: d.manifest.update(workloadReplicas={}),
    ),
    case("replicas-not-wired", "left out", replicas("minReadySeconds: 1")),
    case(
        "replicas-not-wired",
        "default",
        replicas("replicas: {{ .Values.workloads.demo.replicaCount | default 1 }}"),
    ),
    case(
        "replicas-not-wired",
        "by way of a variable",
        replicas("{{- $n := .Values.workloads.demo.replicaCount }}\n  replicas: {{ $n }}"),
    ),
    case(
        "replicas-not-wired",
        "other workload",
        both(
            lambda d: d.values["workloads"].update(other={"replicaCount": 1}),
            replicas("replicas: {{ .Values.workloads.other.replicaCount }}"),
        ),
    ),
    # Renders
    case(
        "render-lint render-market render-bare",
        "what only a device has",
        config("'{{ (index .Values.nodes 0).CudaVersion }}'"),
    ),
    case(
        "render-device render-market render-bare",
        "what only the lint has",
        config("'{{ .Values.zinc.indexes.a }}'"),
    ),
    case(
        "render-market",
        "braces in a file beside the templates",
        lambda d: d.files.update({"config.json": b'{"chat": "{% for m in x %}{{ m }}"}'}),
    ),
    case(
        "render-market",
        "what the market lacks",
        both(
            lambda d: d.values.update(sysVersion=""),
            lambda d: d.manifest["permission"].update(externalData=True),
            config(
                '\'{{ if hasKey .Values "svcs" }}{{ if hasKey .Values "redis" }}'
                '{{ if not .Values.zinc }}{{ fail "here" }}{{ end }}{{ end }}{{ end }}\''
            ),
        ),
    ),
    case("render-bare", "storage without a default", lambda d: d.values.pop("userspace")),
    case("render-lint render-device", "no object", template("a: [1\n")),
]


@pytest.mark.parametrize(("rules", "bend", "sound"), TEMPLATES)
def test_bent_template_breaks_these_rules(
    rules: str, bend: Bend, sound: Callable[[], Draft]
) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set(rules.split())


@pytest.mark.parametrize(
    ("bend", "sound"),
    [
        pytest.param(config("'{{/* .Values.userspace.appCache */}}'"), Draft, id="comment"),
        pytest.param(
            both(
                config('\'{{ index .Values.userspace "userData" | default "" }}\''),
                lambda d: d.manifest["permission"].update(userData=["Home"]),
            ),
            Draft,
            id="permitted area",
        ),
        pytest.param(
            both(
                config("'{{ .Values.sharedlib }}'"),
                lambda d: d.manifest["permission"].update(externalData=True),
            ),
            Draft,
            id="permitted external storage",
        ),
        pytest.param(config("'{{ .Values.sharedlib }}'"), legacy, id="external before 0.12"),
        pytest.param(
            both(
                lambda d: d.values.update(olaresEnv={}),
                config("'{{ .Values.olaresEnv.MODEL | default \"a\" }}'"),
            ),
            Draft,
            id="variable with a default",
        ),
        pytest.param(
            both(
                lambda d: d.values.update(olaresEnv={}),
                lambda d: d.manifest["envs"].append({"envName": "MODEL"}),
                config("'{{ .Values.olaresEnv.MODEL }}'"),
            ),
            Draft,
            id="declared variable",
        ),
        pytest.param(template("# OLARES_USER_EMAIL\n"), legacy, id="setting of the user"),
        pytest.param(
            replicas('replicas: {{ (index .Values.workloads "demo").replicaCount }}'),
            Draft,
            id="replicas by index",
        ),
        pytest.param(
            replicas("# replicas: 1\n  replicas: {{ .Values.workloads.demo.replicaCount }}"),
            Draft,
            id="replicas in a comment",
        ),
        pytest.param(
            lambda d: d.files.update({"notes.txt": b"{{ nothing }}", "chat.jinja": b"{% for %}"}),
            Draft,
            id="braces in files that no one renders",
        ),
        pytest.param(
            lambda d: d.files.update({"config.yaml": b"a: '{{ .Values.user.zone }}'\n"}),
            Draft,
            id="template beside the templates",
        ),
        pytest.param(
            lambda d: d.files.update(
                {
                    "templates/_names.tpl": b'{{ define "name" }}demo{{ end }}',
                    "config.conf": b'name={{ template "name" . }}\n',
                }
            ),
            Draft,
            id="partial beside the templates",
        ),
        pytest.param(template("---\n# nothing\n---\n\n---\n"), Draft, id="empty documents"),
    ],
)
def test_bent_template_is_still_sound(bend: Bend, sound: Callable[[], Draft]) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set()


def test_each_missing_variable_is_named_once_for_each_file() -> None:
    draft = Draft()
    draft.values["olaresEnv"] = {}
    config("'{{ .Values.olaresEnv.A }}{{ .Values.olaresEnv.B }}{{ .Values.olaresEnv.A }}'")(draft)
    findings = [f for f in draft.lint() if f.rule == "env-undeclared"]
    assert [f.message.split(",")[0] for f in findings] == [
        ".Values.olaresEnv.A is used",
        ".Values.olaresEnv.B is used",
    ]
    assert {(f.place.file, f.place.line) for f in findings} == {("demo/templates/extra.yaml", 5)}


def test_replicas_of_a_workload_are_named() -> None:
    draft = Draft()
    replicas("replicas: 1")(draft)
    messages = {f.message for f in draft.lint() if f.rule == "replicas-not-wired"}
    assert messages == {
        "replicas is 1",
        "replicas of Deployment demo is 1 where workloads.demo.replicaCount is 0",
    }
