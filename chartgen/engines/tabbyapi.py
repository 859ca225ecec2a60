"""TabbyAPI with ExLlamaV3: all settings stand in one config.yml, OpenAI API on port 5000.

Source: theroyallab/tabbyAPI, common/config_models.py and config_sample.yml (engines 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chartgen.engines.arguments import words
from chartgen.engines.base import STORE, EngineFacts, Start, Weights, as_weights
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import TabbyEngine
from chartgen.yaml_text import yaml_text

FACTS = EngineFacts(
    kind="tabbyapi",
    title="TabbyAPI",
    port=5000,
    health="/health",
    # Like llama.cpp: reading the weights is nearly all of it.
    load_seconds=600,
    container="tabbyapi",
)
# TabbyAPI names a model by its folder; the downloader links the weights under the served name.
MODEL_FOLDER = "tabbyapi"
CONFIG_PATH = "/app/config.yml"


def weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights by role, the main ones linked under the served name."""
    found = []
    for role, source in spec.engine.roles.items():
        item = as_weights(role, source)
        if role == "main":
            link = f"{MODEL_FOLDER}/{spec.engine.served_name or spec.name}"
            item = Weights(role, source, f"{STORE}/{link}", link)
        found.append(item)
    return tuple(found)


def start(spec: AppSpec) -> Start:
    """Return the start: the configuration file holds what other engines take as arguments."""
    engine = spec.engine
    assert isinstance(engine, TabbyEngine)
    name = engine.served_name or spec.name
    config: dict[str, Any] = {
        "network": {
            "host": "0.0.0.0",
            "port": engine.port or FACTS.port,
            # The device's own login guards the entrance.
            "disable_auth": True,
        },
        "model": {"model_dir": f"{STORE}/{MODEL_FOLDER}", "model_name": name},
    }
    if engine.context is not None:
        config["model"]["max_seq_len"] = engine.context
    if engine.draft is not None:
        draft = as_weights("draft", engine.draft)
        folder, _, leaf = draft.path.rpartition("/")
        config["draft_model"] = {"draft_model_dir": folder, "draft_model_name": leaf}
    for section, values in engine.config.items():
        if isinstance(values, Mapping):
            config[section] = config.get(section, {}) | dict(values)
        else:
            config[section] = values
    return Start(
        command=("python3", "main.py"),
        args=tuple(words(engine.args)),
        presets={"host": "", "port": "engine.port", "model-name": "engine.served_name"},
        files={CONFIG_PATH: yaml_text(config)},
        working_dir="/app",
    )
