"""Engines: one module per kind, all with `FACTS`, `weights(spec)` and `start(spec)`."""

from __future__ import annotations

from types import ModuleType

from chartgen.engines import app, llamacpp, sglang, tabbyapi, vllm
from chartgen.engines.base import EngineFacts, Start, Weights
from chartgen.spec.app import AppSpec

_MODULES: dict[str, ModuleType] = {
    "vllm": vllm,
    "llamacpp": llamacpp,
    "sglang": sglang,
    "tabbyapi": tabbyapi,
    "app": app,
}


def engine_facts(kind: str) -> EngineFacts:
    """Return the fixed facts of an engine kind."""
    facts: EngineFacts = _MODULES[kind].FACTS
    return facts


def engine_weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights that the app's engine reads, also those its arguments name."""
    found: tuple[Weights, ...] = _MODULES[spec.engine.kind].weights(spec)
    return found


def engine_start(spec: AppSpec) -> Start:
    """Return the command line and environment that start the app's engine."""
    begun: Start = _MODULES[spec.engine.kind].start(spec)
    return begun


def engine_port(spec: AppSpec) -> int:
    """Return the port that the engine listens on."""
    return spec.engine.port or engine_facts(spec.engine.kind).port
