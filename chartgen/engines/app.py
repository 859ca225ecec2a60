"""Any container that is no model server: it gets its weights as paths in the environment."""

from __future__ import annotations

from chartgen.engines.arguments import words
from chartgen.engines.base import EngineFacts, Start, Weights, as_weights, reference
from chartgen.spec.app import AppSpec
from chartgen.spec.engine import AppEngine

FACTS = EngineFacts(
    kind="app",
    title="container",
    port=8000,
    health=None,
    load_seconds=300,
    container="server",
    openai_api=False,
)
RUN_PATH = "/chartgen/run.sh"


def weights(spec: AppSpec) -> tuple[Weights, ...]:
    """Return all weights by role."""
    return tuple(as_weights(role, source) for role, source in spec.engine.roles.items())


def start(spec: AppSpec) -> Start:
    """Return the start: a script, a command, or the image's own command."""
    engine = spec.engine
    assert isinstance(engine, AppEngine)
    command = ("/bin/sh", RUN_PATH) if engine.run else engine.command
    env = {
        f"MODEL_{item.role.upper().replace('-', '_')}": reference(item, spec.fetch.by)
        for item in weights(spec)
    }
    return Start(command=tuple(command), args=tuple(words(engine.args)), env=env)
