"""The official form: llm-init beside the engine, the gateway, and the paths that engines get."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from chartgen.chart import Chart
from chartgen.findings import Severity
from chartgen.lint.chart import lint_chart
from chartgen.lint.rules import rule_book
from chartgen.olares.platform import PLATFORMS
from chartgen.render.chart import render_chart
from chartgen.render.gateway import gateway_findings, link_command, model_source, uses_llm_init
from chartgen.resources import template_folder
from tests.specs import MARKET, OLARES_ONE, chart, loaded

GATEWAY: dict[str, Any] = {"gateway": True, "platforms": ["modern"]}
LLAMACPP: dict[str, Any] = {
    "kind": "llamacpp",
    "image": "beclab/ggml-org-llama.cpp:server-cuda12-b9879",
    "model": {"hf": "owner/model-GGUF", "file": "model-Q4.gguf", "size": "4GB"},
}
SGLANG = {"kind": "sglang", "image": "lmsysorg/sglang:v0.5.14"}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def gateway(**changes: Any) -> dict[str, Any]:
    return GATEWAY | changes


def manifest(made: Chart) -> Any:
    return yaml.safe_load(made.files["OlaresManifest.yaml"])


def rendered(made: Chart, **values: Any) -> dict[tuple[str, str], Any]:
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    from chartgen.helm import render

    result = render(made, values, release=made.name, namespace="space")
    assert not result.broken
    return {(item.kind, item.name): item.data for item in result.objects}


def container(objects: dict[tuple[str, str], Any], deployment: str) -> Any:
    return objects["Deployment", deployment]["spec"]["template"]["spec"]["containers"][0]


def environment(container: Any) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


@pytest.mark.parametrize(
    ("engine", "service", "port", "listens"),
    [
        ({}, "vllm", 8000, 8000),
        (LLAMACPP, "llamacpp", 8081, 8080),
        (LLAMACPP | {"port": 9999}, "llamacpp", 8081, 9999),
        (SGLANG, "sglang", 30000, 30000),
    ],
)
def test_engine_is_found_where_llm_init_looks(
    tmp_path: Path, engine: dict[str, Any], service: str, port: int, listens: int
) -> None:
    objects = rendered(chart(tmp_path, gateway(engine=engine)))
    assert {name for kind, name in objects if kind == "Service"} == {
        service,
        "download-svc",
        "sharedentrances-api",
    }
    (way,) = objects["Service", service]["spec"]["ports"]
    assert (way["port"], way["targetPort"]) == (port, listens)
    assert environment(container(objects, "llminit"))["ENGINE_KIND"] == service


def test_services_of_llm_init_lead_to_its_pod(tmp_path: Path) -> None:
    objects = rendered(chart(tmp_path, GATEWAY))
    labels = objects["Deployment", "llminit"]["spec"]["template"]["metadata"]["labels"]
    ways = {}
    for name in ("download-svc", "sharedentrances-api"):
        spec = objects["Service", name]["spec"]
        assert spec["selector"] == labels
        ways[name] = [(way["port"], way["targetPort"]) for way in spec["ports"]]
    assert ways == {"download-svc": [(8090, 8090)], "sharedentrances-api": [(80, 8090)]}


def test_manifest_joins_the_gateway(tmp_path: Path) -> None:
    described = manifest(chart(tmp_path, GATEWAY))
    assert described["apiVersion"] == "v3"
    assert described["options"]["shared"] is True
    assert described["options"]["LLMGatewaySupported"] is True
    assert described["spec"]["onlyAdmin"] is True
    assert described["permission"] == {"appCommon": True}
    assert described["workloadReplicas"] == {"smallapp": 1, "llminit": 1}
    (door,) = described["entrances"]
    assert (door["host"], door["port"]) == ("download-svc", 8090)
    assert "skip" not in door
    (shared,) = described["sharedEntrances"]
    assert shared == {
        "name": "smallapp",
        "host": "sharedentrances-api",
        "port": 0,
        "title": "Small App",
        "authLevel": "internal",
        "invisible": True,
    }
    assert {entry["envName"]: entry["required"] for entry in described["envs"]} == {
        "HF_ENDPOINT": False,
        "HF_TOKEN": False,
    }


def test_stated_port_of_an_entrance_leads_to_the_engines_pod(tmp_path: Path) -> None:
    sidecar = {"name": "page", "image": "example/page:1", "port": 3000}
    entrances = [{}, {"name": "page", "port": 3000}, {"name": "api", "port": 8080}]
    changes = gateway(engine=LLAMACPP, sidecars=[sidecar], entrances=entrances)
    doors = manifest(chart(tmp_path, changes))["entrances"]
    assert [(door["host"], door["port"]) for door in doors] == [
        ("download-svc", 8090),
        ("llamacpp", 3000),
        ("llamacpp", 8081),
    ]


@pytest.mark.parametrize(
    "value", ['{"a":1}', "it's", 'say "so"', "two words", "{{ .Values.x }}", "a\\b", "$HOME", "*"]
)
def test_arguments_reach_engine_and_llm_init_unchanged(tmp_path: Path, value: str) -> None:
    args = {"extra": value, "speculative-config": {"method": "mtp", "text": value}}
    objects = rendered(chart(tmp_path, gateway(engine={"args": args})))
    words = container(objects, "smallapp")["args"]
    assert words[words.index("--extra") + 1] == value
    assert json.loads(words[words.index("--speculative-config") + 1]) == {
        "method": "mtp",
        "text": value,
    }
    told = environment(container(objects, "llminit"))["ENGINE_ARGS"]
    assert shlex.split(told) == words


@pytest.mark.parametrize(
    ("source", "entries", "local"),
    [
        ({"hf": "o/m"}, "hf://o/m", ""),
        ({"hf": "o/m", "revision": "v1"}, "hf://o/m --revision v1", ""),
        ({"hf": "o/m", "file": "a.gguf"}, "hf://o/m --include a.gguf", ""),
        (
            {"hf": "o/m", "files": ["a b.gguf", "c.gguf"]},
            "hf://o/m --include 'a b.gguf',hf://o/m --include c.gguf",
            "",
        ),
        # A single --include would be taken for the name of a file.
        ({"hf": "o/m", "include": ["*.bin"]}, "hf://o/m --include '*.bin' --include '*.bin'", ""),
        (
            {"hf": "o/m", "include": ["a*", "b*"], "exclude": ["*.md"]},
            "hf://o/m --include 'a*' --include 'b*' --exclude '*.md'",
            "",
        ),
        ({"url": "https://e.com/a,b.gguf#x"}, "https://e.com/a%2Cb.gguf", "/cache/hf/hub/urls/"),
        (
            {"url": "https://e.com/a", "sha256": "ab" * 32},
            f"https://e.com/a#sha256={'ab' * 32}",
            "/cache/hf/hub/urls/",
        ),
    ],
)
def test_sources_are_written_as_llm_init_reads_them(
    tmp_path: Path, source: dict[str, Any], entries: str, local: str
) -> None:
    engine = LLAMACPP | {"model": {"file": None, "hf": None} | source}
    found, found_local = model_source(loaded(tmp_path, gateway(engine=engine)).spec)
    assert found == entries
    assert found_local.startswith(local)
    assert bool(found_local) == bool(local)


def test_all_weights_are_listed_once_main_first(tmp_path: Path) -> None:
    engine = LLAMACPP | {
        "draft": {"hf": "owner/model-GGUF", "file": "model-Q4.gguf"},
        "mmproj": {"url": "https://e.com/mmproj.gguf"},
    }
    entries, local = model_source(loaded(tmp_path, gateway(engine=engine)).spec)
    assert entries == "hf://owner/model-GGUF --include model-Q4.gguf,https://e.com/mmproj.gguf"
    assert [bool(path) for path in local.split(",")] == [False, True]


def test_model_card_names_what_the_engine_serves(tmp_path: Path) -> None:
    changes = gateway(gateway={"supports": ["thinking", "tools"]}, engine={"served_name": "m:1"})
    objects = rendered(chart(tmp_path, changes))
    told = environment(container(objects, "llminit"))
    words = container(objects, "smallapp")["args"]
    assert told["MODEL_NAME"] == words[words.index("--served-model-name") + 1] == "m:1"
    assert told["MODEL_MODE"] == "chat"
    assert told["MODEL_SUPPORTS"].split(",") == [
        "supports_reasoning",
        "supports_reasoning_effort",
        "supports_function_calling",
        "supports_parallel_function_calling",
        "supports_tool_choice",
    ]


def kept(made: Chart) -> tuple[str, str]:
    """Return the host's run folder and the path of the model card in it."""
    deployment = rendered(made)["Deployment", "llminit"]
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (folder,) = (v["hostPath"]["path"] for v in volumes if v["name"] == "llm-init-run")
    told = environment(deployment["spec"]["template"]["spec"]["containers"][0])
    return folder, told["MODEL_SPEC_PATH"]


@pytest.mark.parametrize(
    ("changes", "new_folder", "new_card"),
    [
        ({"version": "1.2.4"}, False, False),
        ({"engine": {"args": {"max-num-seqs": 2}}}, False, True),
        ({"gateway": {"supports": ["tools"]}}, False, True),
        ({"engine": {"model": {"exclude": ["*.md"]}}}, True, False),
    ],
)
def test_kept_state_is_new_when_what_it_speaks_of_is(
    tmp_path: Path, changes: dict[str, Any], new_folder: bool, new_card: bool
) -> None:
    folder, card = kept(chart(tmp_path, GATEWAY))
    other_folder, other_card = kept(chart(tmp_path, gateway(**changes)))
    assert (folder != other_folder, card != other_card) == (new_folder, new_card)


def test_both_pods_share_cache_and_run_folder(tmp_path: Path) -> None:
    objects = rendered(chart(tmp_path, GATEWAY), userspace={"appCommon": "/common"})
    folders = {}
    for name in ("smallapp", "llminit"):
        pod = objects["Deployment", name]["spec"]["template"]["spec"]
        host = {v["name"]: v["hostPath"]["path"] for v in pod["volumes"] if "hostPath" in v}
        mounts = pod["containers"][0]["volumeMounts"]
        folders[name] = {m["mountPath"]: host[m["name"]] for m in mounts if m["name"] in host}
    assert folders["smallapp"] == folders["llminit"]
    assert folders["llminit"]["/cache/hf/hub"] == "/common/huggingface"
    assert folders["llminit"]["/run/llm-init"].startswith("/common/huggingface/llm-init-run/")
    writable = [
        mount["mountPath"]
        for mount in container(objects, "smallapp")["volumeMounts"]
        if not mount.get("readOnly")
    ]
    assert writable == ["/models"]


def test_engine_waits_for_the_marker_and_stays_offline(tmp_path: Path) -> None:
    engine = container(rendered(chart(tmp_path, gateway(engine=LLAMACPP))), "smallapp")
    command = engine["command"]
    assert command[:4] == [
        "/bin/sh",
        "/chartgen/start.sh",
        "/run/llm-init/model_download_finish",
        "--",
    ]
    assert command[-1] == "/app/llama-server"
    assert environment(engine)["HF_HUB_CACHE"] == "/cache/hf/hub"
    assert environment(engine)["HF_HUB_OFFLINE"] == "1"
    assert "readinessProbe" not in engine
    assert "startupProbe" not in engine


def on_this_machine(words: tuple[str, ...], root: Path) -> list[str]:
    """Return the linking words with the pod's paths below `root` and the real script."""
    script = template_folder() / "scripts" / "link.sh"
    moved = [
        f"{root}{word}" if word.startswith(("/models/", "/cache/")) else word for word in words[2:]
    ]
    return [words[0], str(script), *moved]


def hub_cache(root: Path, repository: str, revision: str, files: dict[str, str]) -> None:
    """Lay files out as huggingface_hub does: blobs, links to them, the commit in refs/."""
    folder = root / "cache/hf/hub" / f"models--{repository.replace('/', '--')}"
    for name, text in files.items():
        blob = folder / "blobs" / f"blob-of-{name}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_text(text)
        link = folder / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("../../blobs") / blob.name)
    if revision != COMMIT:
        ref = folder / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(COMMIT)


@pytest.mark.parametrize("revision", ["main", "v1.0", "refs/pr/2", COMMIT])
def test_engine_path_leads_to_what_llm_init_downloaded(tmp_path: Path, revision: str) -> None:
    engine = LLAMACPP | {
        "model": LLAMACPP["model"] | {"revision": revision},
        "mmproj": {"url": "https://e.com/mm,proj.gguf"},
    }
    app = loaded(tmp_path, gateway(engine=engine))
    pod = tmp_path / "a pod"
    hub_cache(pod, "owner/model-GGUF", revision, {"model-Q4.gguf": "weights"})
    _, local = model_source(app.spec)
    projector = Path(f"{pod}{local.strip(',')}")
    projector.parent.mkdir(parents=True)
    projector.write_text("projector")
    made, _ = render_chart(app, PLATFORMS["modern"], OLARES_ONE, MARKET)
    assert made is not None
    args = container(rendered(made), "smallapp")["args"]
    paths = [f"{pod}{args[args.index(flag) + 1]}" for flag in ("--model", "--mmproj")]
    for _ in range(2):  # a container that starts again finds the links of the last start
        words = on_this_machine(link_command(app.spec), pod)
        done = subprocess.run([*words, "cat", *paths], capture_output=True, text=True)
        assert (done.stdout, done.returncode) == ("weightsprojector", 0)


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_missing_weights_stop_the_start_and_are_named(tmp_path: Path, revision: str) -> None:
    app = loaded(tmp_path, gateway(engine={"model": {"revision": revision}}))
    words = on_this_machine(link_command(app.spec), tmp_path)
    done = subprocess.run([*words, "echo", "started"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"models--owner--model/{'refs' if revision == 'main' else 'snapshots'}" in done.stderr


def test_linking_hands_words_on_as_they_are(tmp_path: Path) -> None:
    app = loaded(tmp_path, GATEWAY)
    hub_cache(tmp_path, "owner/model", "main", {"config.json": "x"})
    words = on_this_machine(link_command(app.spec), tmp_path)
    said = ["printf", "%s|", '{"a": "b c"}', "--", "", "*"]
    done = subprocess.run([*words, *said], capture_output=True, text=True)
    assert done.stdout == '{"a": "b c"}|--||*|'


def test_download_alone_changes_nothing_else(tmp_path: Path) -> None:
    made = chart(tmp_path, {"fetch": "llm-init", "platforms": ["modern"]})
    described = manifest(made)
    assert "shared" not in described["options"]
    assert "sharedEntrances" not in described
    assert "onlyAdmin" not in described["spec"]
    (door,) = described["entrances"]
    assert (door["host"], door["port"], door["skip"]) == ("smallapp", 8000, True)
    objects = rendered(made)
    assert ("Service", "sharedentrances-api") not in objects
    told = environment(container(objects, "llminit"))
    assert told["ENGINE_KIND"] == ""
    assert told["MODEL_SOURCE"] == "hf://owner/model"
    assert "ENGINE_ARGS" not in told
    assert "APP_URL" not in told
    assert "readinessProbe" in container(objects, "smallapp")


def test_image_of_llm_init_can_be_stated(tmp_path: Path) -> None:
    fetch = {"by": "llm-init", "image": "beclab/llm-init:v1.5.1"}
    objects = rendered(chart(tmp_path, {"fetch": fetch, "platforms": ["modern"]}))
    assert container(objects, "llminit")["image"] == "beclab/llm-init:v1.5.1"


@pytest.mark.parametrize(
    ("domain", "address"),
    [
        ({"smallapp": "a.one.example,b.two.example"}, "https://a.one.example"),
        ({"smallapp": "a.one.example"}, "https://a.one.example"),
        ({}, None),
        (None, None),
    ],
)
def test_console_shows_the_first_address(
    tmp_path: Path, domain: dict[str, str] | None, address: str | None
) -> None:
    values = {} if domain is None else {"domain": domain}
    objects = rendered(chart(tmp_path, GATEWAY), **values)
    assert environment(container(objects, "llminit")).get("APP_URL") == address


@pytest.mark.parametrize("engine", [{}, LLAMACPP, SGLANG])
@pytest.mark.parametrize("form", [GATEWAY, {"fetch": "llm-init", "platforms": ["modern"]}])
def test_chart_passes_the_lint(
    tmp_path: Path, form: dict[str, Any], engine: dict[str, Any]
) -> None:
    pytest.importorskip("helm_python", reason="needs the extra chartgen[check]")
    made = chart(tmp_path, form | {"engine": engine})
    assert [item for item in lint_chart(made) if item.severity is Severity.ERROR] == []
    assert not any(b"OLARES_USER" in data for data in made.files.values())


@pytest.mark.parametrize("form", [{"gateway": True}, {"fetch": "llm-init"}])
def test_legacy_chart_is_refused(tmp_path: Path, form: dict[str, Any]) -> None:
    app = loaded(tmp_path, form)
    made, findings = render_chart(app, PLATFORMS["legacy"], OLARES_ONE, MARKET)
    assert made is None
    assert [item.rule for item in findings] == ["platform-unsupported"]
    assert [item.rule for item in gateway_findings(app)] == ["platform-unsupported"]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"fetch": "llm-init"}, []),
        ({"fetch": "step"}, ["gateway-fetch"]),
        ({"fetch": "downloader"}, ["gateway-fetch"]),
        ({"fetch": {"store": "app"}}, ["gateway-fetch"]),
        ({"fetch": {"store": "shared"}}, []),
        ({"engine": {"kind": "tabbyapi"}}, ["gateway-engine"]),
        (
            {"engine": {"kind": "app", "port": 80, "model": None}},
            ["gateway-engine", "gateway-source"],
        ),
        ({"engine": {"served_name": "my model"}}, ["gateway-model-name"]),
        ({"engine": {"served_name": "owner/m-1.5:q4_K"}}, []),
        ({"engine": LLAMACPP, "gateway": {"supports": ["vision"]}}, ["gateway-vision"]),
        (
            {
                "engine": LLAMACPP | {"mmproj": {"hf": "o/m", "file": "mmproj.gguf"}},
                "gateway": {"supports": ["vision"]},
            },
            [],
        ),
        ({"gateway": {"supports": ["vision"]}}, []),
        ({"engine": LLAMACPP, "gateway": {"mode": "embedding"}}, ["gateway-mode"]),
        (
            {"engine": LLAMACPP | {"args": {"embedding": True}}, "gateway": {"mode": "embedding"}},
            [],
        ),
        ({"engine": SGLANG, "gateway": {"mode": "embedding"}}, ["gateway-mode"]),
        ({"gateway": {"mode": "embedding"}}, []),
        (
            {"engine": LLAMACPP | {"model": LLAMACPP["model"] | {"sha256": "ab" * 32}}},
            ["llm-init-digest"],
        ),
    ],
)
def test_findings_on_the_spec(tmp_path: Path, changes: dict[str, Any], rules: list[str]) -> None:
    found = gateway_findings(loaded(tmp_path, gateway(**changes)))
    assert [item.rule for item in found] == rules
    assert all(item.rule in rule_book() and item.message and item.remedy for item in found)


def test_plain_app_has_nothing_of_it(tmp_path: Path) -> None:
    app = loaded(tmp_path)
    assert not uses_llm_init(app.spec)
    assert gateway_findings(app) == ()
