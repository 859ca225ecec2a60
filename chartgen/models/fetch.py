"""The facts of a model from a Hugging Face Hub: its config and index, or the header of a GGUF."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from chartgen.models.gguf import Header, read_header
from chartgen.models.gguf_keys import metadata_of
from chartgen.models.hf_schema import HfConfig, reduced
from chartgen.models.hub import INDEX_LIMIT, Hub, HubError, NotThereError, RepoFiles
from chartgen.models.store import StoredModel

CONFIG = "config.json"
# ModelOpt writes the format of weights and cache beside the config, too.
QUANTISATION = "hf_quant_config.json"
INDEX = "model.safetensors.index.json"
# Indexes of requantised models often still state the size before.
_TRUSTED_DIFFERENCE = 0.02
_SPLIT = re.compile(r"(?P<stem>.+)-00001-of-(?P<count>[0-9]{5})\.gguf")
_INPUT_EMBEDDINGS = "token_embd.weight"


def fetch_model(
    hub: Hub, repository: str, revision: str = "main", file: str | None = None
) -> StoredModel:
    """Return the facts of a repository, or of one GGUF of it, with a source for each.

    Raises HubError where something cannot be had or is not what it should be, GgufError for a
    bad GGUF.
    """
    files = hub.files(repository, revision)
    if file is not None:
        return _gguf(hub, files, file)
    if CONFIG not in files.sizes:
        ggufs = sorted(name for name in files.sizes if name.endswith(".gguf"))
        if ggufs:
            some = ", ".join(ggufs[:5]) + (", …" if len(ggufs) > 5 else "")
            raise HubError(f"{repository}: has no {CONFIG}; choose a file with --file: {some}")
        raise HubError(f"{repository}: has neither {CONFIG} nor a GGUF; its facts cannot be read")
    return _config(hub, files)


def _config(hub: Hub, files: RepoFiles) -> StoredModel:
    raw = hub.json(files, CONFIG)
    if not isinstance(raw, dict):
        raise HubError(f"{files.repository}: its {CONFIG} is no JSON object")
    sources = {"config": CONFIG}
    raw = dict(raw)
    if "quantization_config" not in raw and QUANTISATION in files.sizes:
        found = hub.json(files, QUANTISATION)
        if isinstance(found, dict) and isinstance(found.get("quantization"), dict):
            raw["quantization_config"] = {"quant_method": "modelopt", **found["quantization"]}
            sources["config.quantization_config"] = QUANTISATION
    config, unread = reduced(raw)
    if "model_type" not in config and "architectures" not in config:
        raise HubError(f"{files.repository}: its {CONFIG} is that of no model")
    weight_bytes, told_by = _weights(hub, files)
    if weight_bytes is not None:
        sources["weight_bytes"] = told_by
    given: dict[str, Any] = {
        "hf": files.repository,
        "commit": files.commit,
        "weight_bytes": weight_bytes,
        "config": HfConfig.model_validate(config),
        "source": sources,
        "unread": unread or None,
    }
    return _stored(given)


def _weights(hub: Hub, files: RepoFiles) -> tuple[int | None, str]:
    """Return the size of the weights, and what told it."""
    parts, whole = _weight_files(hub, files)
    sizes = [files.sizes[name] for name in parts]
    known = [size for size in sizes if size is not None]
    summed = sum(known) if known and len(known) == len(sizes) else None
    if whole is None or (summed and abs(summed - whole) > _TRUSTED_DIFFERENCE * summed):
        count = "1 file" if len(parts) == 1 else f"{len(parts)} files"
        return summed, f"size of {count} of weights"
    return whole, f"{INDEX}, total_size"


def _weight_files(hub: Hub, files: RepoFiles) -> tuple[list[str], int | None]:
    """Return the files that hold the weights, and the size that an index states."""
    if INDEX in files.sizes:
        index = hub.json(files, INDEX, limit=INDEX_LIMIT)
        metadata = index.get("metadata") if isinstance(index, dict) else None
        total = metadata.get("total_size") if isinstance(metadata, dict) else None
        weights = index.get("weight_map") if isinstance(index, dict) else None
        named = set(weights.values()) if isinstance(weights, dict) and _texts(weights) else set()
        found = sorted(named & set(files.sizes))
        whole = total if isinstance(total, int) and total > 0 else None
        if found:
            return found, whole
    for pattern in (r"model[^/]*\.safetensors", r"[^/]+\.safetensors", r"[^/]+\.bin"):
        found = sorted(name for name in files.sizes if re.fullmatch(pattern, name))
        if found:
            return found, None
    return [], None


def _texts(weights: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) for name in weights.values())


def _gguf(hub: Hub, files: RepoFiles, file: str) -> StoredModel:
    if file not in files.sizes:
        ggufs = sorted(name for name in files.sizes if name.endswith(".gguf"))
        some = ", ".join(ggufs[:5]) + (", …" if len(ggufs) > 5 else "")
        hint = f"it has {some}" if ggufs else "it has no GGUF at all"
        raise NotThereError(f"{files.repository}: has no file {file}; {hint}")
    header = read_header(hub.source(files, file), f"{files.repository}/{file}")
    parts = _parts(files, file)
    embeddings = [one.bytes for one in header.tensors if one.name == _INPUT_EMBEDDINGS]
    sources = {"gguf": "header of the file"}
    weight_bytes, told_by = _gguf_weights(files, header, parts)
    if weight_bytes is not None:
        sources["weight_bytes"] = told_by
    given: dict[str, Any] = {
        "hf": files.repository,
        "file": file,
        "commit": files.commit,
        "weight_bytes": weight_bytes,
        "weight_types": header.weight_types if len(parts) == 1 else None,
        "embedding_bytes": embeddings[0] if embeddings else None,
        "gguf": metadata_of(header),
        "source": sources,
    }
    return _stored(given)


def _parts(files: RepoFiles, file: str) -> list[str]:
    """Return all files that a model is split into, which llama.cpp loads by the first."""
    match = _SPLIT.fullmatch(file)
    if match is None:
        return [file]
    stem, count = match["stem"], match["count"]
    parts = [f"{stem}-{number:05}-of-{count}.gguf" for number in range(1, int(count) + 1)]
    lacking = [name for name in parts if name not in files.sizes]
    if lacking:
        raise NotThereError(f"{files.repository}: has no file {lacking[0]}, a part of {file}")
    return parts


def _gguf_weights(files: RepoFiles, header: Header, parts: list[str]) -> tuple[int | None, str]:
    if len(parts) == 1:
        return header.weight_bytes, "tensors in the header"
    known = [size for name in parts if (size := files.sizes[name]) is not None]
    summed = sum(known) if len(known) == len(parts) else None
    return summed, f"size of {len(parts)} files"


def _stored(given: Mapping[str, Any]) -> StoredModel:
    """Make a stored model of what is known: fields without a value are left out."""
    known = {key: one for key, one in given.items() if one is not None}
    try:
        return StoredModel.model_validate(known)
    except ValidationError as error:
        named = ", ".join(sorted({str(one["loc"][0]) for one in error.errors()}))
        raise HubError(f"{given['hf']}: says of itself what cannot be ({named})") from None
