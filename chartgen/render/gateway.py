"""The official form of a model app: llm-init (Model Console) beside the engine, and the gateway.

`gateway: true` gives the whole form, one shared app that the device's model gateway lists.
`fetch: llm-init` alone takes only the official downloader; the app stays as it is.

What llm-init expects, and what a device makes of it:

1. Workloads: the engine's Deployment carries the app's name, the other is `llminit`, with the
   Services `download-svc` (8090: progress page, model card, OpenAI proxy) and, for the gateway,
   `sharedentrances-api` (80 to 8090). One entrance leads to download-svc:8090, one shared entrance
   of port 0 to sharedentrances-api [1]. The image is `beclab/llm-init`, it runs as user 1000 and
   answers /livez at once, /readyz when the model serves; the official charts take /livez as its
   readiness, and give the engine no readiness of its own [1, 2].
2. The engine is found by ENGINE_KIND alone: http://vllm:8000, http://llamacpp:8081 and
   http://sglang:30000; nothing overrides that [1, 3 engine URL]. A Service maps the port, so the
   engine may listen on any. Without ENGINE_KIND llm-init only downloads and serves no /v1 [2, 3].
3. MODEL_SOURCE holds `hf://owner/name` with --include, --exclude and --revision, or `https://...`
   with `#sha256=...`; entries are parted by a comma before the next scheme, words as a shell parts
   them. MODEL_SOURCE_LOCAL has one path per entry, empty for hf. The first entry is the main one,
   and all are whole before the marker is set. The indexed form (MODEL_SOURCE_NUM) stops llm-init
   since 1.3.7. Exactly one --include means a file of that very name, two or more are globs [3].
4. Hugging Face files get huggingface_hub's layout below /cache/hf/hub, the app-common folder
   `huggingface`: models--owner--name/snapshots/<commit>, and refs/<revision> with the commit in
   it. The official wrappers pass MODEL_NAME to the engine, for llama.cpp as `-hf owner/name:quant`,
   which asks the Hub again at every start; /run/llm-init/model_path, the main file's path, is read
   by none of them [1, 3]. Here links in an emptyDir at the usual store path point into the
   snapshots (templates/scripts/link.sh), so every engine gets the paths it always gets, offline.
5. The run folder /run/llm-init, a host folder that both pods mount, holds `model_download_finish`
   (the marker), `model_path` and the model card model-spec.json (MODEL_SPEC_PATH). It outlives an
   upgrade, and a card that is there wins over the variables [3]: so its name changes with the
   settings, and the folder's with the sources. Changes made in the console live until the next
   release that changes the settings.
6. MODEL_NAME is what the gateway lists and what requests to the engine name: it must be the
   engine's served name, letters, digits and `. _ : - /` only. MODEL_MODE is required, also for
   downloads alone. MODEL_SUPPORTS lists `supports_*` keys [1, 3].
7. ENGINE_ARGS is split like a shell command. llm-init reads the context length and the number of
   parallel requests from it; the official wrappers split it at every blank, which no JSON argument
   survives, and paste it between quotes of YAML, which none renders in [1, 3]. Here the engine gets
   its exact words, and llm-init a quoted copy to read; arguments changed in the console's card are
   shown, and reach no engine. Before 1.3.11 llm-init leaves the card's context length empty, and
   asks the Hub at every start, also where all is there [3].
8. `options.shared` needs apiVersion v3, `spec.onlyAdmin`; it, LLMGatewaySupported and
   permission.appCommon need Olares 1.12.6 (olares-manifest 2.8, M21 to M23).

Sources: [1] beclab/apps 83b3616, vllmllmbasev3, llamacppllmbasev3, sglangllmbasev3 and
acestep15v3. [2] beclab/Olares, cli/skills/olares-chart/references,
olares-chart-llm-init-integration.md. [3] beclab/llm-init after 1.5.1, its changelog and the
packages config, lifecycle and adapter/hfwrap.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from chartgen.engines import engine_facts, engine_port, engine_start
from chartgen.engines.arguments import normal
from chartgen.engines.base import STORE, Weights
from chartgen.findings import Finding
from chartgen.lint.rules import finding
from chartgen.olares.platform import PLATFORMS, Platform
from chartgen.quantity import parse_quantity
from chartgen.render.model import (
    Container,
    ContainerShare,
    EnvVar,
    Mount,
    Service,
    Volume,
    Workload,
)
from chartgen.render.names import LINK_SCRIPT, STORE_VOLUME, UNPRIVILEGED
from chartgen.render.storage import SHARED_STORE, host_volume, prepare_container, store_volume
from chartgen.render.variables import container_env, declared
from chartgen.render.weights import fetched, pod_annotations
from chartgen.spec.app import AppSpec
from chartgen.spec.load import LoadedSpec
from chartgen.spec.sources import ModelSource
from chartgen.spec.values import Range
from chartgen.yaml_text import Helm, quoted

# The newest release in the official repository (llamacppllmbasev3, beclab/apps 83b3616).
LLM_INIT_IMAGE = "beclab/llm-init:v1.3.8"
WORKLOAD = "llminit"
CONSOLE_SERVICE = "download-svc"
CONSOLE_PORT = 8090
SHARED_SERVICE = "sharedentrances-api"
CACHE = "/cache/hf/hub"
RUN_FOLDER = "/run/llm-init"
READY_MARKER = f"{RUN_FOLDER}/model_download_finish"
ENGINE_PORTS: Mapping[str, int] = {"vllm": 8000, "llamacpp": 8081, "sglang": 30000}
# The groups of the official charts, and the keys that llm-init knows.
_SUPPORTS: Mapping[str, tuple[str, ...]] = {
    "vision": ("supports_vision",),
    "tools": (
        "supports_function_calling",
        "supports_parallel_function_calling",
        "supports_tool_choice",
    ),
    "thinking": ("supports_reasoning", "supports_reasoning_effort"),
}
_MODEL_NAME = re.compile(r"[A-Za-z0-9._:/-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RUN_VOLUME = "llm-init-run"
_LINKS_VOLUME = "weight-links"
# As in the official charts: `hf download` runs in the same container, and needs most of the 4 GiB
# for large repositories.
_SHARE = ContainerShare(
    Range(parse_quantity("100m"), parse_quantity("1")),
    Range(parse_quantity("128Mi"), parse_quantity("4Gi")),
)
# Flags without which an engine does not answer /v1/embeddings (the official wrappers add them).
_EMBEDDING_FLAGS: Mapping[str, tuple[str, ...]] = {
    "llamacpp": ("embedding", "embeddings"),
    "sglang": ("is-embedding",),
}


def uses_llm_init(spec: AppSpec) -> bool:
    """Tell whether llm-init downloads the app's weights."""
    asked = spec.gateway is not None or spec.fetch.by == "llm-init"
    return asked and bool(fetched(spec))


def llm_init_workload(spec: AppSpec) -> Workload:
    """Return the Deployment of llm-init."""
    store, run = store_volume(spec), _run_volume(spec)
    prepare = prepare_container([store, run])
    probe = {"httpGet": {"path": "/livez", "port": CONSOLE_PORT}}
    container = Container(
        name="llm-init",
        image=spec.fetch.image if "image" in spec.fetch.model_fields_set else LLM_INIT_IMAGE,
        resources=_SHARE,
        env=_environment(spec),
        ports=(("http", CONSOLE_PORT),),
        mounts=(Mount(store.name, CACHE), Mount(run.name, RUN_FOLDER)),
        probes={
            "readinessProbe": probe | {"periodSeconds": 5, "timeoutSeconds": 3},
            "livenessProbe": probe | {"periodSeconds": 30, "timeoutSeconds": 5},
        },
        security=UNPRIVILEGED,
    )
    return Workload(
        name=WORKLOAD,
        component=WORKLOAD,
        containers=(container,),
        init_containers=(prepare,) if prepare else (),
        volumes=(store, run),
        pod_annotations=pod_annotations("", [container]),
    )


def llm_init_services(spec: AppSpec) -> tuple[Service, ...]:
    """Return the Services of llm-init."""
    console = Service(CONSOLE_SERVICE, WORKLOAD, (("http", CONSOLE_PORT, CONSOLE_PORT),))
    if spec.gateway is None:
        return (console,)
    return (console, Service(SHARED_SERVICE, WORKLOAD, (("http", 80, CONSOLE_PORT),)))


def engine_address(spec: AppSpec) -> tuple[str, int]:
    """Return the name and port of the Service under which the engine is found."""
    kind = spec.engine.kind
    if spec.gateway is not None and kind in ENGINE_PORTS:
        return kind, ENGINE_PORTS[kind]
    return spec.name, engine_port(spec)


def entrance_address(spec: AppSpec, port: int | None) -> tuple[str, int]:
    """Return host and port behind an entrance, of which the spec states the port or nothing.

    An app of the gateway shows the Model Console; a port that is stated stays with the engine's
    pod.
    """
    host, engine = engine_address(spec)
    if port is None or port == engine_port(spec):
        console = spec.gateway is not None and port is None
        return (CONSOLE_SERVICE, CONSOLE_PORT) if console else (host, engine)
    return host, port


def shared_entrances(spec: AppSpec, title: str) -> list[dict[str, Any]]:
    """Return the entrances over which other users and apps reach the model."""
    if spec.gateway is None:
        return []
    return [
        {
            "name": spec.name,
            "host": SHARED_SERVICE,
            # Port 0: the address gets no port (olares-manifest 2.1, sharedEntrances).
            "port": 0,
            "title": title,
            "authLevel": "internal",
            "invisible": True,
        }
    ]


def engine_mounts() -> tuple[Mount, ...]:
    """Return what the engine's container mounts: the cache, the links into it, the run folder."""
    return (
        Mount(STORE_VOLUME, CACHE, read_only=True),
        Mount(_LINKS_VOLUME, STORE),
        Mount(_RUN_VOLUME, RUN_FOLDER, read_only=True),
    )


def engine_volumes(spec: AppSpec) -> tuple[Volume, ...]:
    """Return what `engine_mounts` needs beside the cache; llm-init's pod prepares the folders."""
    run = _run_volume(spec)
    return (
        Volume(_LINKS_VOLUME, {"emptyDir": {}}),
        Volume(run.name, run.source, writable=False),
    )


def link_command(spec: AppSpec) -> tuple[str, ...]:
    """Return the words before the engine's command that link its weights."""
    words: dict[str, str] = {}
    for item in fetched(spec):
        source = item.source
        if source.hf is None:
            words[item.path] = _url_file(source)
        elif item.link is not None:
            folder = f"{CACHE}/models--{source.hf.replace('/', '--')}"
            known = _COMMIT.fullmatch(source.revision)
            below = "snapshots" if known else "refs"
            words[f"{STORE}/{item.link}"] = f"{folder}/{below}/{source.revision}"
    pairs = (word for pair in words.items() for word in pair)
    return ("/bin/sh", LINK_SCRIPT, *pairs, "--")


def model_source(spec: AppSpec) -> tuple[str, str]:
    """Return MODEL_SOURCE and MODEL_SOURCE_LOCAL, the second empty where all comes from the Hub."""
    entries = dict.fromkeys(entry for item in fetched(spec) for entry in _entries(item))
    local = ",".join(path for _, path in entries)
    return ",".join(text for text, _ in entries), local if local.strip(",") else ""


def _entries(item: Weights) -> Iterator[tuple[str, str]]:
    source = item.source
    if source.url is not None:
        # A fragment never reaches a server; commas and quotes would end the entry or the word.
        url = source.url.partition("#")[0]
        for char in ",'\"\\":
            url = url.replace(char, f"%{ord(char):02X}")
        digest = source.digests.get("")
        yield (f"{url}#sha256={digest}" if digest else url), _url_file(source)
        return
    words = [f"hf://{source.hf}"]
    if source.revision != "main":
        words += ["--revision", source.revision]
    if source.wanted_files:
        # One entry for each file: a single --include is exact, and fails where the file is missing.
        for name in source.wanted_files:
            yield shlex.join([*words, "--include", name]), ""
        return
    globs = source.include * 2 if len(source.include) == 1 else source.include
    words += [word for glob in globs for word in ("--include", glob)]
    words += [word for glob in source.exclude for word in ("--exclude", glob)]
    yield shlex.join(words), ""


def _url_file(source: ModelSource) -> str:
    return f"{CACHE}/urls/{source.identity}/file"


def _environment(spec: AppSpec) -> tuple[EnvVar, ...]:
    sources, local = model_source(spec)
    card = _model_card(spec)
    settings = {
        "ENGINE_KIND": str(spec.engine.kind) if spec.gateway is not None else "",
        **card,
        "MODEL_SOURCE": sources,
    }
    if local:
        settings["MODEL_SOURCE_LOCAL"] = local
    settings |= {
        "MODEL_SPEC_PATH": f"{RUN_FOLDER}/model-spec-{_digest(*card.values())}.json",
        "RUN_DIR": RUN_FOLDER,
        "PORT": str(CONSOLE_PORT),
        "LOG_FORMAT": "json",
    }
    known = {item.name: item for item in declared(spec)}
    device = {name: known[name].value for name in ("HF_ENDPOINT", "HF_TOKEN")}
    address = (_public_address(spec),) if spec.gateway is not None else ()
    plain = (EnvVar(name, value=value) for name, value in settings.items())
    return (*plain, *address, *container_env(device, known))


def _model_card(spec: AppSpec) -> dict[str, str]:
    """Return the variables that llm-init writes the model card from."""
    if spec.gateway is None:
        return {"MODEL_NAME": spec.name, "MODEL_MODE": "chat"}
    card = {"MODEL_NAME": served_name(spec), "MODEL_MODE": spec.gateway.mode}
    keys = [key for group in spec.gateway.supports for key in _SUPPORTS[group]]
    if keys:
        card["MODEL_SUPPORTS"] = ",".join(dict.fromkeys(keys))
    return card | {"ENGINE_ARGS": shlex.join(engine_start(spec).args)}


def served_name(spec: AppSpec) -> str:
    """Return the model's name in the engine's API."""
    return spec.engine.served_name or spec.name


def _public_address(spec: AppSpec) -> EnvVar:
    """Return APP_URL, the address that the console shows: the first of those of the entrance."""
    name = quoted(spec.entrances[0].name or spec.name)
    domain = f"(index (.Values.domain | default dict) {name})"
    first = f'{{{{ printf "https://%s" (index (splitList "," {domain}) 0) | quote }}}}'
    return EnvVar("APP_URL", value=Helm(first, bare=True), condition=domain)


def _run_volume(spec: AppSpec) -> Volume:
    folder = f"{SHARED_STORE}/llm-init-run/{spec.name}/{_digest(*model_source(spec))}"
    return host_volume(_RUN_VOLUME, "shared", folder)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def platform_findings(loaded: LoadedSpec, platform: Platform) -> tuple[Finding, ...]:
    """Return what a spec asks of llm-init and the gateway that a platform lacks."""
    spec = loaded.spec
    if platform.gateway:
        return ()
    found = []
    if spec.gateway is not None:
        message = "the model gateway does not exist on Olares before 1.12.6"
        found.append(finding("platform-unsupported", loaded.place("gateway"), message))
    if spec.fetch.by == "llm-init":
        message = "llm-init's store, shared between apps, does not exist on Olares before 1.12.6"
        found.append(finding("platform-unsupported", loaded.place("fetch"), message))
    return tuple(found)


def gateway_findings(loaded: LoadedSpec) -> tuple[Finding, ...]:
    """Return the findings on a spec that joins the gateway or lets llm-init download."""
    platforms = [PLATFORMS[name] for name in loaded.spec.platforms]
    lacking = (item for platform in platforms for item in platform_findings(loaded, platform))
    return (*lacking, *_fetch_findings(loaded), *_gateway_findings(loaded))


def _fetch_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    stated = spec.fetch.model_fields_set
    if spec.gateway is not None and "by" in stated and spec.fetch.by != "llm-init":
        message = f"an app of the gateway is loaded by llm-init, not by {spec.fetch.by!r}"
        yield finding("gateway-fetch", loaded.place("fetch"), message)
    if spec.gateway is None and spec.fetch.by != "llm-init":
        return
    if "store" in stated and spec.fetch.store == "app":
        message = "llm-init loads into the store that all apps share, not into the app's own"
        yield finding("gateway-fetch", loaded.place("fetch", "store"), message)
    for item in fetched(spec):
        if item.source.hf is not None and item.source.digests:
            message = f"llm-init does not compare {item.source.hf} with the SHA-256 stated"
            yield finding("llm-init-digest", loaded.place("engine"), message)


def _gateway_findings(loaded: LoadedSpec) -> Iterator[Finding]:
    spec = loaded.spec
    gateway, engine = spec.gateway, spec.engine
    if gateway is None:
        return
    title = engine_facts(engine.kind).title
    if engine.kind not in ENGINE_PORTS:
        message = f"llm-init serves no engine of kind {engine.kind!r} to the gateway"
        yield finding("gateway-engine", loaded.place("engine", "kind"), message)
    if engine.model is None or engine.model.local is not None:
        message = "the gateway serves main weights that are downloaded, and there are none"
        yield finding("gateway-source", loaded.place("engine", "model"), message)
    name = served_name(spec)
    if not _MODEL_NAME.fullmatch(name):
        message = f"{name!r} is no model name for the gateway"
        yield finding("gateway-model-name", loaded.place("engine", "served_name"), message)
    if "vision" in gateway.supports and engine.kind == "llamacpp" and "mmproj" not in engine.roles:
        message = f"the gateway announces vision, and {title} is given no projector"
        yield finding("gateway-vision", loaded.place("gateway", "supports"), message)
    flags = _EMBEDDING_FLAGS.get(engine.kind, ())
    given = {normal(key) for key, value in engine.args.items() if value is not None}
    if gateway.mode == "embedding" and flags and not given.intersection(flags):
        message = f"{title} answers no embeddings without `{flags[0]}: true`"
        yield finding("gateway-mode", loaded.place("gateway", "mode"), message)
