"""Rules on rendered objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sound_chart import Draft, dump, legacy, two_parts

from chartgen.lint.rendered_containers import image_faults

Bend = Callable[[Draft], Any]
NAMESPACE = "{{ .Release.Namespace }}"


def case(rules: str, name: str, bend: Bend, sound: Callable[[], Draft] = Draft) -> Any:
    """Name the rules that a sound chart breaks once it has been bent."""
    return pytest.param(rules, bend, sound, id=name)


def obj(kind: str, name: str = "extra", api: str = "v1", **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        **fields,
    }


def other(**objects: Any) -> Bend:
    """Add objects, each in a template of its own."""
    return lambda draft: draft.others.update(objects)


def both(*bends: Bend) -> Bend:
    def bend(draft: Draft) -> None:
        for each in bends:
            each(draft)

    return bend


def container(**values: Any) -> Bend:
    return lambda draft: draft.container.update(values)


def pod(**values: Any) -> Bend:
    return lambda draft: draft.pod.update(values)


def mount(**values: Any) -> Bend:
    return lambda draft: draft.container["volumeMounts"][0].update(values)


def env(*entries: dict[str, Any]) -> Bend:
    return lambda draft: draft.container["env"].extend(entries)


def annotation(value: str | None) -> Bend:
    key = "applications.app.bytetrade.io/gpu-inject"
    return lambda draft: draft.deployment["metadata"].update(
        annotations={key: value} if value is not None else {}
    )


def clones(draft: Draft) -> None:
    draft.options["allowMultipleInstall"] = True


def role(*rules: dict[str, Any]) -> Bend:
    return other(
        role=obj("Role", "demo", "rbac.authorization.k8s.io/v1", rules=list(rules)),
        binding=obj(
            "RoleBinding",
            "demo",
            "rbac.authorization.k8s.io/v1",
            subjects=[{"kind": "ServiceAccount", "name": "demo", "namespace": NAMESPACE}],
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "demo"},
        ),
    )


def rule(*verbs: str, resources: tuple[str, ...] = ("nodes",)) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": list(resources), "verbs": list(verbs)}


def cluster_role(name: str) -> dict[str, Any]:
    data = obj("ClusterRole", name, "rbac.authorization.k8s.io/v1", rules=[])
    del data["metadata"]["namespace"]
    return data


def as_root(kind: str) -> dict[str, Any]:
    """Return an object of a kind whose pods run a foreign image as user 0."""
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [
            {"name": "task", "image": "busybox:1.37", "securityContext": {"runAsUser": 0}}
        ],
    }
    if kind == "Pod":
        return obj(kind, spec=spec)
    spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"schedule": "0 4 * * *", "jobTemplate": {"spec": spec}}
    return obj(kind, api="batch/v1", spec=spec)


def script(text: str) -> Bend:
    return container(command=["sh", "-c", text])


def overlay(workload: str) -> Bend:
    entrance = {"title": "LAN", "port": 80, "workload": workload}
    return lambda d: d.manifest.update(overlayGateway={"enable": True, "entrances": [entrance]})


def rename_workload(name: str) -> Bend:
    return lambda draft: draft.deployment["metadata"].update(name=name)


def stateful(draft: Draft) -> None:
    draft.deployment["kind"] = "StatefulSet"
    spec = draft.deployment["spec"]
    del spec["strategy"]
    spec["serviceName"] = "demo"


def probe(**values: int) -> Bend:
    return lambda draft: draft.container["startupProbe"].update(values)


def shared_entrance(port: int) -> Bend:
    entrance = {"name": "api", "host": "demo", "port": port, "title": "API"}
    return lambda draft: draft.manifest.update(sharedEntrances=[entrance])


RENDERED = [
    # Workloads
    case(
        "workload-name workload-replicas-names",
        "other name",
        rename_workload("server"),
    ),
    case(
        "workload-replicas-names",
        "workload that is not listed",
        other(
            second=obj(
                "Deployment",
                "second",
                "apps/v1",
                spec={
                    "selector": {"matchLabels": {"app": "second"}},
                    "template": {
                        "metadata": {"labels": {"app": "second"}},
                        "spec": {"containers": []},
                    },
                },
            )
        ),
    ),
    case(
        "workload-replicas-names replica-count-missing",
        "list with a workload too many",
        lambda d: d.manifest["workloadReplicas"].update(second=1),
    ),
    case("overlay-workload-unknown", "overlay", overlay("second")),
    case(
        "clone-workload-name workload-replicas-names workload-name",
        "name with a suffix",
        both(clones, rename_workload("{{ .Release.Name }}-server")),
    ),
    case("clone-workload-name", "fixed name", both(clones, rename_workload("demo"))),
    case(
        "upload-not-mounted",
        "upload",
        lambda d: d.options.update(upload={"dest": "/uploads"}),
    ),
    case(
        "hostpath-rolling-update",
        "strategy left out",
        lambda d: d.deployment["spec"].pop("strategy"),
    ),
    case(
        "hostpath-rolling-update",
        "rolling",
        lambda d: d.deployment["spec"].update(strategy={"type": "RollingUpdate"}),
    ),
    case("hostpath-rolling-update", "stateful", stateful),
    case("startup-over-install-limit", "31 minutes", probe(failureThreshold=186)),
    case(
        "startup-over-install-limit",
        "30 minutes after a pause",
        probe(failureThreshold=180, initialDelaySeconds=1),
    ),
    # Rights and names
    case("rbac-forbidden", "node", role(rule("get", "patch"))),
    case("rbac-forbidden", "policy", role(rule("delete", resources=("pods", "networkpolicies")))),
    case("root-foreign-image", "user 0", container(securityContext={"runAsUser": 0})),
    case("root-foreign-image", "privileged", container(securityContext={"privileged": True})),
    case("root-foreign-image", "not non-root", container(securityContext={"runAsNonRoot": False})),
    case("root-foreign-image", "pod", pod(securityContext={"runAsUser": 0})),
    *[
        case("root-foreign-image", f"{kind} as root", other(task=as_root(kind)))
        for kind in ("Job", "CronJob", "Pod")
    ],
    case(
        "root-foreign-image",
        "init container",
        pod(
            initContainers=[
                {
                    "name": "init",
                    "image": "example.org/beclab-like/busybox:1.0.0",
                    "securityContext": {"runAsUser": 0},
                }
            ]
        ),
    ),
    case(
        "object-namespace",
        "other namespace",
        lambda d: d.service["metadata"].update(namespace="default"),
    ),
    case(
        "object-namespace",
        "workload in a system namespace",
        lambda d: d.deployment["metadata"].update(namespace="user-system-owner"),
    ),
    case("fixed-cluster-name", "role", other(role=cluster_role("demo")), legacy),
    case(
        "fixed-cluster-name",
        "service without a namespace",
        lambda d: d.service["metadata"].pop("namespace"),
        legacy,
    ),
    case(
        "fixed-cluster-name",
        "clones of one user",
        both(
            clones,
            other(
                role=cluster_role("demo-{{ .Values.bfl.username }}"),
            ),
            lambda d: d.values.update(bfl={"username": ""}),
        ),
    ),
    case("sub-path-expr", "expression", mount(subPathExpr="$(POD)")),
    case("recursive-chown", "mount", script("chown -R 1000:1000 /models")),
    case("recursive-chown", "folder below", script("cd / && chown -hR 1000 '/models/a'")),
    # Links
    case("entrance-host-unknown", "service", lambda d: d.entrance.update(host="other")),
    case(
        "entrance-host-unknown",
        "shared",
        lambda d: shared_entrance(0)(d) or d.manifest["sharedEntrances"][0].update(host="other"),
    ),
    case("entrance-port-unknown", "port", lambda d: d.entrance.update(port=8000)),
    case("entrance-port-unknown", "port of a shared one", shared_entrance(81)),
    case(
        "service-without-pods",
        "selector",
        lambda d: d.service["spec"].update(selector={"app": "other"}),
    ),
    case(
        "service-port-unknown",
        "port's name",
        lambda d: d.service["spec"]["ports"][0].update(targetPort="web"),
    ),
    case(
        "selector-mismatch",
        "labels",
        lambda d: d.deployment["spec"]["selector"]["matchLabels"].update(tier="back"),
    ),
    case("volume-undefined", "volume", mount(name="other")),
    case(
        "reference-missing",
        "configuration",
        container(envFrom=[{"configMapRef": {"name": "settings"}}]),
    ),
    case(
        "reference-missing",
        "secret",
        env({"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
    ),
    case(
        "reference-missing",
        "claim",
        lambda d: d.pod["volumes"].append(
            {"name": "a", "persistentVolumeClaim": {"claimName": "a"}}
        ),
    ),
    case("object-name", "capital", other(extra=obj("ConfigMap", "Extra"))),
    case("object-name", "none", other(extra=obj("ConfigMap", ""))),
    case(
        "object-name",
        "service that begins with a digit",
        other(extra=obj("Service", "1a", spec={"ports": [{"port": 1}]})),
    ),
    case(
        "object-kind",
        "no kind",
        other(extra={"apiVersion": "v1", "metadata": {"name": "a", "namespace": NAMESPACE}}),
    ),
    case("object-duplicate", "twice", other(a=obj("ConfigMap"), b=obj("ConfigMap"))),
    case(
        "label-value",
        "space",
        lambda d: d.service["metadata"].update(labels={"title": "My demo"}),
    ),
    case(
        "label-value",
        "64 letters on the pods",
        lambda d: d.deployment["spec"]["template"]["metadata"]["labels"].update(a="a" * 64),
    ),
    # Kubernetes
    case("kubernetes-schema", "unknown field", container(imagePolicy="Always")),
    case(
        "kubernetes-schema",
        "number for text",
        lambda d: d.container["env"][0].update(value=1),
    ),
    case("kubernetes-schema", "text for number", probe(periodSeconds="ten")),  # type: ignore[arg-type]
    case(
        "kubernetes-schema",
        "field left out",
        lambda d: d.container["ports"][0].pop("containerPort"),
    ),
    case(
        "kubernetes-kind", "removed version", other(extra=obj("Ingress", api="extensions/v1beta1"))
    ),
    case(
        "kubernetes-kind-unchecked",
        "foreign kind",
        other(extra=obj("Cluster", api="apps.kubeblocks.io/v1")),
    ),
    # Containers
    case("image-invalid", "space", container(image="vllm/vllm openai:v1")),
    case("image-invalid", "none", lambda d: d.container.pop("image")),
    case("image-floating-tag", "latest", container(image="vllm/vllm-openai:latest")),
    case(
        "image-floating-tag",
        "more images",
        lambda d: d.options.update(images=["vllm/vllm-openai"]),
    ),
    case(
        "container-name-reserved",
        "sidecar",
        pod(initContainers=[{"name": "check-auth", "image": "busybox:1.37.0"}]),
    ),
    case("env-empty", "value", env({"name": "HF_ENDPOINT", "value": ""})),
    case(
        "env-empty",
        "variable that no one has set",
        both(
            env(
                {
                    "name": "HF_ENDPOINT",
                    "value": '{{ dig "ENDPOINT" "" (.Values.olaresEnv | default dict) }}',
                }
            ),
            lambda d: d.manifest["envs"].append({"envName": "ENDPOINT"}),
        ),
    ),
    case(
        "env-empty",
        "configuration",
        both(
            other(settings=obj("ConfigMap", "settings", data={"HF_ENDPOINT": ""})),
            container(envFrom=[{"configMapRef": {"name": "settings"}}]),
        ),
    ),
    case(
        "gpu-memory-undeclared",
        "flat without GPU",
        lambda d: d.spec.pop("requiredGpu"),
        legacy,
    ),
    case(
        "gpu-memory-unit",
        "Mi",
        lambda d: d.container["resources"]["limits"].update({"nvidia.com/gpumem": "6144Mi"}),
    ),
    case("gpu-inject-missing", "no annotation", annotation(None)),
    case("gpu-inject-missing", "switched off", annotation("false")),
    case(
        "gpu-inject-on-pod gpu-inject-missing",
        "annotation on the pods",
        both(
            annotation(None),
            lambda d: d.deployment["spec"]["template"]["metadata"].update(
                annotations={"applications.app.bytetrade.io/gpu-inject": "true"}
            ),
        ),
    ),
    case("gpu-inject-unknown-container", "container", annotation("server, engine")),
]


@pytest.mark.parametrize(("rules", "bend", "sound"), RENDERED)
def test_bent_object_breaks_these_rules(rules: str, bend: Bend, sound: Callable[[], Draft]) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set(rules.split())


@pytest.mark.parametrize(
    ("bend", "sound"),
    [
        pytest.param(
            lambda d: d.options.update(upload={"dest": "/models/"}), Draft, id="upload is mounted"
        ),
        pytest.param(overlay("demo"), Draft, id="overlay"),
        pytest.param(clones, Draft, id="clones"),
        pytest.param(
            both(
                stateful, lambda d: d.deployment["spec"].update(updateStrategy={"type": "OnDelete"})
            ),
            Draft,
            id="stateful, updated by hand",
        ),
        pytest.param(
            lambda d: (
                d.pod["volumes"][0].pop("hostPath"),
                d.pod["volumes"][0].update(emptyDir={}),
                d.deployment["spec"].pop("strategy"),
            ),
            Draft,
            id="rolling without a host folder",
        ),
        pytest.param(probe(failureThreshold=180), Draft, id="30 minutes"),
        pytest.param(
            role(rule("get", "list"), rule("create", resources=("pods",))), Draft, id="rights"
        ),
        pytest.param(role(rule("*")), Draft, id="all verbs, which the device overlooks"),
        pytest.param(
            both(
                container(image="docker.io/beclab/llm-init:v1.3.8"),
                container(securityContext={"runAsUser": 0, "privileged": True}),
            ),
            Draft,
            id="trusted image as root",
        ),
        pytest.param(container(securityContext={"runAsUser": 1000}), Draft, id="other user"),
        pytest.param(
            lambda d: d.service["metadata"].update(labels={"a": "x" * 63, "b": ""}),
            Draft,
            id="labels",
        ),
        pytest.param(
            other(
                extra={
                    **obj("ConfigMap"),
                    "metadata": {"name": "extra", "namespace": "user-system-{{ .Values.admin }}"},
                }
            ),
            Draft,
            id="system namespace",
        ),
        pytest.param(other(role=cluster_role("demo")), Draft, id="fixed name in v3"),
        pytest.param(
            other(role=cluster_role("{{ .Release.Namespace }}-{{ .Release.Name }}")),
            legacy,
            id="name of the release",
        ),
        pytest.param(
            both(
                other(role=cluster_role("demo-{{ .Values.bfl.username }}")),
                lambda d: d.values.update(bfl={"username": ""}),
            ),
            legacy,
            id="name of the user",
        ),
        pytest.param(script("chown 1000:1000 /models"), Draft, id="owner of one folder"),
        pytest.param(script("chown -R 1000:1000 /tmp"), Draft, id="owner elsewhere"),
        pytest.param(shared_entrance(0), Draft, id="shared entrance of any port"),
        pytest.param(
            lambda d: d.service["spec"].update(ports=[{"port": 8080, "targetPort": 8000}]),
            Draft,
            id="port by number",
        ),
        pytest.param(
            container(envFrom=[{"configMapRef": {"name": "a", "optional": True}}]),
            Draft,
            id="optional reference",
        ),
        pytest.param(
            both(
                other(settings=obj("Secret", "settings", stringData={"HF_ENDPOINT": "https://a"})),
                container(envFrom=[{"secretRef": {"name": "settings"}}]),
            ),
            Draft,
            id="secret of the chart",
        ),
        pytest.param(
            env({"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            Draft,
            id="field for a value",
        ),
        pytest.param(
            lambda d: d.container["resources"]["limits"].update(
                {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "6144"}
            ),
            Draft,
            id="GPU memory in MiB",
        ),
        pytest.param(annotation("true"), Draft, id="GPU for all"),
        pytest.param(
            other(role=cluster_role("demo-{{ .Release.Namespace }}")),
            legacy,
            id="role named after the namespace of its user",
        ),
        pytest.param(
            other(
                hook={
                    **obj("Job", api="batch/v1"),
                    "metadata": {"name": "hook", "annotations": {"helm.sh/hook": "post-install"}},
                    "spec": {"template": {"spec": {"containers": [], "restartPolicy": "Never"}}},
                }
            ),
            legacy,
            id="hook without a namespace",
        ),
    ],
)
def test_bent_object_is_still_sound(bend: Bend, sound: Callable[[], Draft]) -> None:
    draft = sound()
    bend(draft)
    assert draft.rules() == set()


@pytest.mark.parametrize(
    ("image", "rules"),
    [
        ("nginx", ["image-floating-tag"]),
        ("registry:5000/nginx", ["image-floating-tag"]),
        ("vllm/vllm-openai:cu129-nightly-x86_64", ["image-floating-tag"]),
        ("a/b:main", ["image-floating-tag"]),
        ("a/b:latest-cuda", ["image-floating-tag"]),
        ("vllm/vllm-openai:v0.21.0-cu129", []),
        ("a/b:nightly-20260601", []),
        ("a/b:main-250218-b1", []),
        ("a/b:nightly-0fc1f40aa1b2c3d4", []),
        ("ggml-org/llama.cpp:server-cuda13-b8740", []),
        ("a/b:latest@sha256:" + "0" * 64, []),
        ("a/b@sha256:" + "0" * 64, []),
        ("registry:5000/a/b:1", []),
        ("a/b:${VERSION}", ["image-invalid"]),
        ("A/B:1", ["image-invalid"]),
        ("a/b:", ["image-invalid"]),
        ("", ["image-invalid"]),
    ],
)
def test_image_is_pinned(image: str, rules: list[str]) -> None:
    assert [rule for rule, _ in image_faults(image)] == rules


def test_schema_says_what_is_wrong_and_where() -> None:
    draft = Draft()
    draft.container["ports"][0]["containerPort"] = "8000"
    draft.container["tty"] = "yes"
    draft.container["command"] = "sh"
    draft.container["imagePolicy"] = "Always"
    draft.container["env"].append({"value": "a"})
    draft.container["resources"]["limits"]["cpu"] = ["2"]
    inner = "spec.template.spec.containers[0]"
    messages = {
        f.message.removeprefix("Deployment demo: ")
        for f in draft.lint()
        if f.rule == "kubernetes-schema"
    }
    assert messages == {
        f'{inner}.ports[0].containerPort is "8000", not integer',
        f'{inner}.tty is "yes", not boolean',
        f'{inner}.command is "sh", not array',
        f"{inner}.imagePolicy is no field that Kubernetes knows",
        f"{inner}.env[1] lacks name",
        f"{inner}.resources.limits.cpu is a list, not string or number",
    }


def test_object_of_several_renders_is_reported_once() -> None:
    draft = Draft()
    draft.container["imagePolicy"] = "Always"
    assert len(draft.lint()) == 1


def test_both_parts_of_a_v2_app_are_checked() -> None:
    draft = two_parts()
    server = draft.files["demoserver/templates/server.yaml"]
    assert server is not None
    draft.files["demoserver/templates/server.yaml"] = server.replace(b"v0.21.0", b"latest")
    (found,) = draft.lint()
    assert found.rule == "image-floating-tag"
    assert found.place.file == "demo/demoserver/templates/server.yaml"


def test_operators_make_workloads_and_services_of_middleware() -> None:
    draft = Draft()
    draft.manifest["olaresManifest.type"] = "middleware"
    draft.files["templates/deployment.yaml"] = None
    draft.files["templates/service.yaml"] = None
    draft.others["cluster"] = obj("Cluster", "demo", "apps.kubeblocks.io/v1")
    del draft.spec["accelerator"]
    draft.spec["requiredCpu"] = "1"
    assert draft.rules() == {"kubernetes-kind-unchecked"}


def test_workload_that_only_the_administrator_gets_is_missing_for_others() -> None:
    draft = Draft()
    text = dump(draft.deployment).decode()
    condition = "{{ if eq .Values.admin .Values.bfl.username }}\n"
    draft.files["templates/deployment.yaml"] = (condition + text + "{{ end }}\n").encode()
    draft.values.update(admin="", bfl={"username": ""})
    assert "workload-name" in draft.rules()
