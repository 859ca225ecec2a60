"""Where the facts of models stand: one small file for each, in a folder beside the specs."""

from __future__ import annotations

import re

# Below the folder of the specs.
FOLDER = "models"
MAX_BYTES = 200_000
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def model_file(hf: str, file: str | None = None) -> str:
    """Return the name of the file that holds the facts of a model."""
    parts = [*hf.split("/"), *([file.removesuffix(".gguf")] if file else [])]
    return "--".join(_NOT_IN_NAMES.sub("-", part) for part in parts) + ".yaml"
