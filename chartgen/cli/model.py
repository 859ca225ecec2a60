"""`chartgen model`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chartgen.cli.console import Console
from chartgen.cli.exit_codes import DONE, REFUSED
from chartgen.cli.options import HELP_NAMES, command, common_options

if TYPE_CHECKING:
    from chartgen.models.facts import Layer, ModelFacts
    from chartgen.models.store import Shelf

HEAD = ("MODEL", "LAYERS", "CONTEXT", "WEIGHTS")


@click.group("model", context_settings=HELP_NAMES, params=list(common_options()))
def model() -> None:
    """Fetch or show the facts of a model.

    They stand in apps/models beside the specs: what `chartgen check` and `chartgen plan` know of
    a model's layers, heads, context and weights.
    """


@command("fetch")
@click.argument("repository", metavar="ORG/REPO[@REVISION]")
@click.option("--file", help="One GGUF of the repository, for llama.cpp.", metavar="NAME")
def fetch(console: Console, repository: str, file: str | None) -> int:
    """Store the facts of a model from Hugging Face.

    Reads config.json and the sizes of the weights, or with --file only the header of that GGUF,
    and writes apps/models/ORG--REPO.yaml. The host is https://huggingface.co or HF_ENDPOINT, the
    token of private and gated repositories HF_TOKEN.
    """
    from chartgen.cli.writing import make_folder
    from chartgen.files import write_atomically
    from chartgen.market.deploy.secret import Secret
    from chartgen.market.layout import SPEC_FOLDER
    from chartgen.models.fetch import fetch_model
    from chartgen.models.files import FOLDER, model_file
    from chartgen.models.hub import DEFAULT_ENDPOINT, open_hub
    from chartgen.models.store import stored_facts
    from chartgen.models.store_text import model_text

    name, _, revision = repository.partition("@")
    token = os.environ.get("HF_TOKEN", "").strip()
    secret = Secret(token, "HF_TOKEN") if token else None
    endpoint = os.environ.get("HF_ENDPOINT", "").strip() or DEFAULT_ENDPOINT
    with open_hub(endpoint, secret) as hub:
        stored = fetch_model(hub, name, revision or "main", file)
    relative = Path(SPEC_FOLDER) / FOLDER / model_file(stored.hf, stored.file)
    target = console.settings.folder / relative
    make_folder(target.parent)
    data = model_text(stored).encode()
    replaced = target.exists()
    if not replaced or target.read_bytes() != data:
        write_atomically(target, data)
        console.note(f"{'replaced' if replaced else 'created'} {relative.as_posix()}")
    else:
        console.note(f"{relative.as_posix()} says the same already")
    show_facts(console, stored_facts(stored))
    return DONE


@command("show")
@click.argument("name", required=False, metavar="[ORG/REPO[:FILE]]")
def show(console: Console, name: str | None) -> int:
    """Show what is known of a model.

    Without a name, all models of this market in a table. What is inferred or missing is said.
    """
    from chartgen.cli.findings import report_text
    from chartgen.findings import has_errors
    from chartgen.market.layout import SPEC_FOLDER
    from chartgen.models.store import load_shelf

    shelf, findings = load_shelf(console.settings.folder / SPEC_FOLDER)
    if findings:
        console.report(report_text(console, "text", findings, on_stdout=False))
    if name is None:
        show_all(console, shelf)
    else:
        repository, _, file = name.partition(":")
        facts = shelf.find(repository, file or None)
        if facts is None:
            hint = f"chartgen model fetch {repository}" + (f" --file {file}" if file else "")
            raise click.UsageError(f"Nothing is known of {name!r}. To fetch it: {hint}")
        show_facts(console, facts)
    return REFUSED if has_errors(findings) else DONE


model.add_command(fetch)
model.add_command(show)


def show_all(console: Console, shelf: Shelf) -> None:
    """Print all models: a table on stdout, or JSON."""
    from chartgen.cli.table import table

    found = [shelf.models[key] for key in sorted(shelf.models, key=lambda k: (k[0], k[1] or ""))]
    if console.settings.json:
        document = [facts_json(facts) for facts in found]
        console.data(json.dumps({"models": document}, indent=2) + "\n")
        return
    rows = [
        (
            facts.name,
            str(len(facts.layers) or "?"),
            f"{facts.native_context:,}" if facts.native_context else "?",
            _gigabytes(facts.weight_bytes),
        )
        for facts in found
    ]
    console.data(table(HEAD, rows, width=console.width, right=(1, 2, 3)))


def show_facts(console: Console, facts: ModelFacts) -> None:
    """Print the facts of one model: lines on stdout, or JSON."""
    if console.settings.json:
        console.data(json.dumps(facts_json(facts), indent=2) + "\n")
        return
    lines = [facts.name, *(f"  {label:<12}{text}" for label, text in _rows(facts))]
    console.data("\n".join(lines) + "\n")


def facts_json(facts: ModelFacts) -> dict[str, Any]:
    """Return facts as plain data."""
    from dataclasses import asdict

    return asdict(facts) | {"inferred": sorted(facts.inferred), "sources": dict(facts.sources)}


def _rows(facts: ModelFacts) -> list[tuple[str, str]]:
    from chartgen.models.facts import layer_counts
    from chartgen.terminal import one_line

    family = " ".join(part for part in (facts.family, facts.architecture) if part)
    rows = [("family", family if facts.family != facts.architecture else facts.family)]
    for label, layers in (("layers", facts.layers), ("mtp layers", facts.mtp_layers)):
        rows += [(label, f"{count} {_layer(one)}") for one, count in layer_counts(layers)]
    if facts.native_context:
        rows.append(("context", f"{facts.native_context:,} tokens"))
    if facts.experts:
        rows.append(("experts", f"{facts.experts}, {facts.experts_per_token or '?'} per token"))
    if facts.vision is not None:
        tokens = facts.vision.image_tokens
        rows.append(("images", f"at most {tokens} tokens each" if tokens else "yes"))
    if facts.drafter is not None:
        cache = "the target's cache" if facts.drafter.shares_target_cache else "a cache of its own"
        rows.append(("drafts by", f"{facts.drafter.method}, with {cache}"))
    rows.append(("weights", _gigabytes(facts.weight_bytes)))
    if facts.quantisation:
        rows.append(("format", facts.quantisation))
    rows += [(label, ", ".join(names)) for label, names in _doubts(facts)]
    return [(label, one_line(text)) for label, text in rows]


def _doubts(facts: ModelFacts) -> list[tuple[str, list[str]]]:
    named = (("inferred", sorted(facts.inferred)), ("missing", list(facts.missing)))
    return [(label, names) for label, names in named if names]


def _layer(layer: Layer) -> str:
    if layer.state is not None:
        shape = "x".join(map(str, layer.state.shape))
        return f"{layer.kind}, state {shape}, {layer.state.conv_channels} channels"
    if layer.kind == "none":
        return "without a cache of its own"
    if layer.kind == "mla":
        return f"mla, {layer.key_dim} values per token"
    sizes = {layer.key_dim, layer.value_dim}
    size = str(layer.key_dim) if len(sizes) == 1 else f"{layer.key_dim}/{layer.value_dim}"
    window = f", window {layer.window:,}" if layer.window else ""
    return f"{layer.kind}, {layer.kv_heads} heads of {size}{window}"


def _gigabytes(count: int | None) -> str:
    return "?" if count is None else f"{count / 1e9:.2f} GB"
