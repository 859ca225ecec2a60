"""The command line that starts an app's engine, read from the package itself.

A package states what really runs, also where the templates or defaults of chartgen have changed
since. chartgen writes every text of a chart between quotes, and never with two opening braces in
a row (`chartgen.yaml_text`). So these are always Go template text: a guard on a line of its own, a
whole value, or a part of one.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chartgen.chart import Chart
from chartgen.plain_yaml import UncertainError, read_plain
from chartgen.render.expansion import as_given
from chartgen.render.names import FILES, LINK_SCRIPT, START_SCRIPT

_GUARD = re.compile(r"^[ \t]*\{\{-.*\}\}[ \t]*$", re.MULTILINE)
_BARE = re.compile(r"(?<=[:-] )(\{\{.*\}\})$", re.MULTILINE)
# Stands before what is Go template text once the YAML is read; no container can be given it.
_GO = "\0"
_FLAG = re.compile(r"--?[A-Za-z].*", re.DOTALL)
# What waits for the weights or links them, and then becomes the command after `--`.
_WRAPPERS = frozenset({START_SCRIPT, LINK_SCRIPT})


@dataclass(frozen=True, slots=True)
class EngineCommand:
    """What the engine's container runs.

    `words` are empty where the image's own command runs. `environment` holds the variables with a
    fixed value, `scripts` the text of each file of the chart that the words name.
    """

    image: str
    words: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    scripts: tuple[tuple[str, str], ...]


def engine_command(chart: Chart) -> EngineCommand | None:
    """Return what the engine's container runs, or None where the chart does not say it so."""
    deployment = _template(chart, f"deployment-{chart.name}")
    container = next(_mappings(_at(deployment, "spec", "template", "spec", "containers")), None)
    if container is None or not isinstance(container.get("image"), str):
        return None
    words = _unwrapped([*_texts(container.get("command")), *_texts(container.get("args"))])
    return EngineCommand(
        image=container["image"],
        words=tuple(words),
        environment=tuple(_environment(container)),
        scripts=tuple(_scripts(chart, container, words)),
    )


def shell_text(words: Sequence[str]) -> str:
    """Write words as a shell command: quoted where needed, with each flag on a line of its own."""
    lines: list[list[str]] = [[]]
    for word in words:
        if lines[0] and _FLAG.fullmatch(word):
            lines.append([])
        lines[-1].append(shlex.quote(word))
    return " \\\n  ".join(" ".join(line) for line in lines)


def _template(chart: Chart, name: str) -> Any:
    text = chart.text(f"templates/{name}.yaml")
    if text is None:
        return None
    text = _BARE.sub(lambda match: json.dumps(match[1]), _GUARD.sub("", text))
    try:
        return read_plain(text.replace("{{", "\\0{{"))
    except UncertainError:
        return None


def _unwrapped(words: list[str]) -> list[str]:
    while len(words) > 1 and words[1] in _WRAPPERS and "--" in words:
        words = words[words.index("--") + 1 :]
    return words


def _environment(container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable in _mappings(container.get("env")):
        name, value = variable.get("name"), variable.get("value")
        # What a device fills in at install is no fixed value.
        if isinstance(name, str) and isinstance(value, str) and _GO not in value:
            yield name, as_given(value)


def _scripts(
    chart: Chart, container: Mapping[str, Any], words: Sequence[str]
) -> Iterator[tuple[str, str]]:
    keys = {
        mount.get("mountPath"): mount.get("subPath")
        for mount in _mappings(container.get("volumeMounts"))
        if mount.get("name") == FILES
    }
    named = [word for word in dict.fromkeys(words) if word in keys]
    if not named:
        return
    data = _at(_template(chart, f"configmap-{FILES}"), "data")
    for path in named:
        text = _at(data, keys[path])
        if isinstance(text, str):
            yield path, text


def _at(value: Any, *path: Any) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in (value if isinstance(value, list) else ()) if isinstance(item, dict))


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else []
    return [as_given(item.replace(_GO, "")) for item in items if isinstance(item, str)]
