"""The texts that people see, filled from the settings they talk about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chartgen.engines import engine_facts, engine_port, engine_weights
from chartgen.evidence.beside import evidence_values
from chartgen.quantity import format_bytes
from chartgen.render.text_blocks import without
from chartgen.spec.app import AppSpec
from chartgen.spec.load import LoadedSpec

# Filled from stored measurements; a part of a text that needs one is dropped while there is none.
EVIDENCE_PLACEHOLDERS = frozenset({"tps", "acceptance"})
# All that can be filled in; of the settings only those that an app has (`facts`).
PLACEHOLDERS = EVIDENCE_PLACEHOLDERS | {
    "context",
    "engine",
    "gpu_memory",
    "image",
    "model",
    "port",
    "served_name",
    "title",
    "version",
}
# `{{name}}` is a word of Helm or Jinja, and `${name}` one of a shell.
PLACEHOLDER = re.compile(r"(?<![{$])\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Texts:
    """The four texts of one language."""

    title: str
    summary: str
    about: str
    changes: str


def context_text(tokens: int) -> str:
    """Write a context length as people do: 131072 is 128K, other numbers stay as they are."""
    return f"{tokens // 1024}K" if tokens % 1024 == 0 else f"{tokens:,}"


def facts(spec: AppSpec) -> dict[str, str]:
    """Return the values that placeholders in texts stand for."""
    engine = spec.engine
    found = {
        "title": spec.title,
        "version": spec.version,
        "engine": engine_facts(engine.kind).title,
        "image": engine.image,
        "served_name": engine.served_name or spec.name,
        "port": str(engine_port(spec)),
    }
    if engine.context is not None:
        found["context"] = context_text(engine.context)
    if engine.model is not None:
        source = engine.model
        found["model"] = str(source.hf or source.url or source.local)
    if spec.gpu_memory is not None:
        found["gpu_memory"] = format_bytes(spec.gpu_memory.request)
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """Fill the placeholders of a text.

    Only names that chartgen knows are placeholders; any other text in braces stays as it is. One
    of a measurement that has no value is left out with the smallest piece around it
    (`text_blocks.without`).
    """
    lacking = sorted(EVIDENCE_PLACEHOLDERS - values.keys())
    if lacking:
        text = without(text, re.compile(rf"(?<![{{$])\{{(?:{'|'.join(lacking)})\}}"))
    return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), text)


def is_emptied(text: str, values: Mapping[str, str]) -> bool:
    """Tell whether nothing is left of a text, as all of it needs what was not measured."""
    return bool(text.strip()) and not filled(text, values).strip()


def english(loaded: LoadedSpec, machine: str = "") -> Texts:
    """Return the texts in the language of the spec, with speeds measured on `machine`.

    That is the name of a hardware profile; empty for any.
    """
    return english_with(loaded, evidence_values(loaded, machine))


def english_with(loaded: LoadedSpec, measured: Mapping[str, str]) -> Texts:
    """Return the texts in the language of the spec, where measurements have these values.

    The title stands in for a summary of which nothing is left, and the summary for a full text.
    """
    spec = loaded.spec
    values = {**facts(spec), **measured}
    summary = _or(spec.title, spec.summary, values)
    about = _or(summary, loaded.text(spec.about), values) if spec.about is not None else summary
    return Texts(
        title=spec.title,
        summary=summary,
        about=_with_settings(about, spec),
        changes=change_notes(spec.changes.get(spec.version, ())),
    )


def _or(other: str, text: str, values: Mapping[str, str]) -> str:
    """Fill a text; return another one where nothing is left of it."""
    shown = filled(text, values)
    return other if text.strip() and not shown.strip() else shown


def _with_settings(about: str, spec: AppSpec) -> str:
    text = about.rstrip("\n")
    return f"{text}\n\n{settings_list(spec)}"


def translated(loaded: LoadedSpec, locale: str, machine: str = "") -> Texts:
    """Return the texts of a locale; what it lacks is taken from the spec's own language."""
    return translated_with(loaded, locale, evidence_values(loaded, machine))


def translated_with(loaded: LoadedSpec, locale: str, measured: Mapping[str, str]) -> Texts:
    """Return the texts of a locale, where measurements have these values."""
    spec = loaded.spec
    base = english_with(loaded, measured)
    entry = spec.i18n[locale]
    values = {**facts(spec), **measured}
    title = entry.title or base.title
    summary = base.summary if entry.summary is None else _or(title, entry.summary, values)
    about = base.about
    if entry.about is not None:
        about = _with_settings(_or(summary, loaded.text(entry.about), values), spec)
    notes = entry.changes.get(spec.version)
    return Texts(
        title=title,
        summary=summary,
        about=about,
        changes=base.changes if notes is None else change_notes(notes),
    )


def change_notes(notes: tuple[str, ...]) -> str:
    """Write change notes as a Markdown list; a single note stays a sentence."""
    if len(notes) == 1:
        return notes[0]
    return "\n".join(f"- {note}" for note in notes)


def settings_list(spec: AppSpec) -> str:
    """Return the settings as a Markdown list: made from the spec, so it cannot contradict it."""
    values = facts(spec)
    rows = [("Engine", f"{values['engine']}, image `{values['image']}`")]
    for item in engine_weights(spec):
        source = item.source
        files = ", ".join(f"`{name}`" for name in source.wanted_files)
        place = f"`{source.hf or source.url or source.local}`"
        revision = f" at `{source.revision}`" if source.hf and source.revision != "main" else ""
        chosen = f": {files}" if files else ""
        rows.append((_ROLES.get(item.role, item.role), place + revision + chosen))
    if "context" in values:
        rows.append(("Context", f"{spec.engine.context:,} tokens"))
    if engine_facts(spec.engine.kind).openai_api:
        rows.append(("API", f"OpenAI-compatible, model name `{values['served_name']}`"))
    if "gpu_memory" in values:
        rows.append(("GPU memory", values["gpu_memory"]))
    return "\n".join(f"- **{name}**: {value}" for name, value in rows)


_ROLES = {
    "main": "Model",
    "mmproj": "Multimodal projector",
    "draft": "Draft model",
    "chat_template": "Chat template",
}
