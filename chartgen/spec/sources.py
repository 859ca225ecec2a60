"""Where the weights of a model come from, and how they reach the device."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from chartgen.spec.values import (
    REPOSITORY,
    FileSize,
    Image,
    Part,
    Repository,
    Shorthand,
    Text,
    fault,
)

SHA256 = r"^[0-9a-f]{64}$"


class ModelSource(Part):
    """Weights from one place: exactly one of `hf`, `url`, `local`."""

    hf: Repository | None = Field(None, description="Hugging Face repository, `owner/name`.")
    url: Text | None = Field(None, pattern=r"^https://\S+$", description="Address of one file.")
    local: Text | None = Field(
        None, description="A small file beside the spec; it becomes part of the chart."
    )
    revision: Text = Field(
        "main",
        pattern=r"^[A-Za-z0-9._/-]{1,100}$",
        description="Branch, tag or, best, commit of the repository.",
    )
    file: Text | None = Field(None, description="The one file wanted of the repository.")
    files: tuple[Text, ...] = Field(
        (), description="Several files wanted; the engine is given the first."
    )
    include: tuple[Text, ...] = Field((), description="Only files that match one of these globs.")
    exclude: tuple[Text, ...] = Field((), description="No file that matches one of these globs.")
    size: FileSize | None = Field(
        None,
        description="Size of all files together; the startup budget and disk check follow from it.",
    )
    sha256: Text | Mapping[str, Text] | None = Field(
        None, description="SHA-256 of the file, or of each file by name."
    )
    gated: bool = Field(
        False, description="The repository asks for a licence: the user must have a token."
    )

    @model_validator(mode="after")
    def _one_place(self) -> ModelSource:
        named = [key for key in ("hf", "url", "local") if getattr(self, key)]
        if len(named) != 1:
            stated = " and ".join(named) or "none"
            raise fault(
                "spec-source",
                f"a model comes from exactly one of hf, url and local; here stands {stated}",
                "Keep one of them.",
            )
        if self.hf is None and (self.files or self.file or self.include or self.exclude):
            raise fault(
                "spec-source",
                "file, files, include and exclude choose from a Hugging Face repository",
                "Remove them; url and local name one file already.",
            )
        if self.file and self.files:
            raise fault("spec-source", "both file and files are set", "Keep one of them.")
        for digest in self.digests.values():
            if not re.fullmatch(SHA256, digest):
                raise fault(
                    "spec-value", f"{digest!r} is no SHA-256", "Write 64 lower-case hex digits."
                )
        for name in self.wanted_files:
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                raise fault(
                    "spec-path",
                    f"{name!r} leaves the repository",
                    "Write the path of the file inside the repository.",
                )
        return self

    @property
    def wanted_files(self) -> tuple[str, ...]:
        """Names of the files wanted, empty for the whole repository."""
        return (self.file,) if self.file else self.files

    @property
    def identity(self) -> str:
        """Sixteen hex digits that change when other bytes are wanted."""
        wanted = {
            "hf": self.hf,
            "url": self.url,
            "revision": self.revision if self.hf else None,
            "files": list(self.wanted_files),
            "include": list(self.include),
            "exclude": list(self.exclude),
            "sha256": self.digests,
        }
        text = json.dumps(wanted, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 by file name; a URL's file is named by the empty text."""
        if self.sha256 is None:
            return {}
        if isinstance(self.sha256, str):
            return {self.wanted_files[0] if self.wanted_files else "": self.sha256}
        return dict(self.sha256)


def _source(value: Any) -> Any:
    return {"hf": value} if isinstance(value, str) else value


Source = Annotated[ModelSource, Shorthand(_source, {"type": "string", "pattern": REPOSITORY})]

# The downloader needs Python's standard library only. A full version, so that it never moves.
DOWNLOADER_IMAGE = "python:3.12.11-slim-bookworm"

FetchMode = Literal["downloader", "step", "engine", "llm-init"]


class Fetch(Part):
    """How weights reach the device.

    `downloader`: a small workload beside the engine, the engine waits for it; safe for any size.
    `step`: before the engine, in its pod; only for what loads within the device's ten minutes.
    `engine`: the engine downloads by itself while it starts.
    `llm-init`: the official Model Console, for apps that join the device's model gateway.
    """

    by: FetchMode = Field("downloader", description="Who downloads.")
    store: Literal["app", "shared"] = Field(
        "app",
        description="`app`: the app's own data; `shared`: one store for all apps (modern only).",
    )
    image: Image = Field(DOWNLOADER_IMAGE, description="Image of the downloader.")


def _fetch(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


FetchField = Annotated[
    Fetch, Shorthand(_fetch, {"enum": ["downloader", "step", "engine", "llm-init"]})
]
