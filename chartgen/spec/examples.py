"""Examples for the reference page: fragments of specs, by the path of the part they show.

Each fragment holds whole keys of the top level; the tests put it into a small spec and check that
it is read without a finding.
"""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "": (
        """\
name: qwensmall
version: 1.2.0
title: Qwen Small
summary: "{model} on {engine}, {context} context"
categories: [AI]
engine:
  kind: vllm
  image: vllm/vllm-openai:v0.21.0-cu129
  model: {hf: Qwen/Qwen3-0.6B, size: 1.6GB}
  context: 32768
resources: {cpu: 2..8, memory: 8Gi..16Gi, disk: 6Gi..12Gi}
gpu: {memory: 6Gi}
changes:
  1.2.0: [Longer context]
""",
    ),
    "engine": (
        """\
engine:
  kind: llamacpp
  image: beclab/ggml-org-llama.cpp:server-cuda12-b9879
  model: {hf: Qwen/Qwen3-0.6B-GGUF, file: Qwen3-0.6B-Q8_0.gguf, size: 640MB}
  context: 32768
  args: {n-gpu-layers: 99, flash-attn: "on"}
""",
        """\
engine:
  kind: app
  image: python:3.12.11-slim-bookworm
  port: 8000
  run: exec python3 -m http.server 8000
  health: /
  startup_seconds: 60
""",
    ),
    "engine.model": (
        """\
engine:
  kind: vllm
  image: vllm/vllm-openai:v0.21.0-cu129
  model:
    hf: Qwen/Qwen3-0.6B
    revision: c1899de289a04d12100db370d81485cdf75e47ca
    exclude: ["*.bin"]
    size: 1.6GB
""",
    ),
    "fetch": ("fetch: engine\n",),
    "env.*": (
        """\
env:
  HF_HUB_OFFLINE: 1
  GREETING: {ask: What to say, default: hello}
  API_KEY: {ask: Key of the service, required: true, secret: true}
""",
    ),
    "storage.*": (
        """\
storage:
  voices: {kind: app-data, mount: /data/voices}
  shm: {kind: memory, mount: /dev/shm, size: 8Gi}
""",
    ),
    "steps[]": (
        """\
steps:
  - name: prepare
    image: python:3.12.11-slim-bookworm
    run: |
      mkdir -p /data/voices
      echo ready
    mounts: {voices: /data}
storage:
  voices: {kind: app-data, mount: /data/voices}
""",
    ),
    "sidecars[]": (
        """\
sidecars:
  - name: proxy
    image: nginxinc/nginx-unprivileged:1.29.3
    port: 8080
entrances:
  - {name: web, title: Web, port: 8080}
""",
    ),
    "probes": ("probes:\n  path: /v1/models\n  liveness: false\n",),
    "entrances[]": ("entrances:\n  - {title: Chat, auth: private}\n",),
    "i18n.*": (
        """\
i18n:
  de-DE:
    title: Kleine App
    summary: Eine kleine App
""",
    ),
    "patches[]": (
        """\
patches:
  - target: {kind: Deployment, name: smallapp}
    merge: {spec: {minReadySeconds: 5}}
""",
    ),
    "waive[]": (
        """\
waive:
  - rule: setup-unpinned
    reason: the wheel is built for this image and has one release
""",
    ),
}
