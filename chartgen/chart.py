"""A chart as a value: an ordered map of relative POSIX paths to bytes, held in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Chart:
    """An Olares Application Chart.

    `name` is the folder the chart stands in (for a sound chart also the name in Chart.yaml and
    in OlaresManifest.yaml). `files` maps paths relative to that folder, with `/` between parts,
    to their bytes, sorted by path. `origin` is what findings name as the chart's file: a folder,
    a `.tgz`, or the spec it was rendered from.
    """

    name: str
    files: Mapping[str, bytes]
    origin: str = ""

    def __post_init__(self) -> None:
        ordered = dict(sorted(self.files.items()))
        object.__setattr__(self, "files", MappingProxyType(ordered))

    def text(self, path: str) -> str | None:
        """Return a file as text, or None where it is absent or not UTF-8."""
        try:
            return self.files[path].decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            return None

    def content_digest(self) -> str:
        """Return the SHA-256 over every path and byte: the identity of the chart's content."""
        digest = hashlib.sha256()
        for path, data in self.files.items():
            digest.update(f"{path}\0{len(data)}\0".encode())
            digest.update(data)
        return digest.hexdigest()
