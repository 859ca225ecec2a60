"""A Hugging Face Hub without a network: repositories, redirects to another host, errors.

The shapes of answers and errors are those that huggingface_hub 2.4.0 reads; a test gives the
answers of this hub to that library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx2

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENDPOINT = "https://hub.example"
STORE = "https://store.example"
TOKEN = "hf_secret"


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


@dataclass
class FakeHub:
    """One repository. Files of `large` are kept by the store, to which the hub redirects."""

    files: Mapping[str, bytes]
    large: frozenset[str] = frozenset()
    gated: bool = False
    name: str = "org/model"
    revisions: tuple[str, ...] = ("main", COMMIT)
    ranges: bool = True
    old_name: str = ""
    answers: dict[str, httpx2.Response] = field(default_factory=dict)
    asked: list[httpx2.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.answer)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        path = unquote(request.url.path)
        if path in self.answers:
            return self.answers[path]
        if self.old_name and f"/{self.old_name}/" in path:
            moved = str(request.url).removeprefix(ENDPOINT).replace(self.old_name, self.name)
            return httpx2.Response(307, headers={"location": moved})
        if request.url.host == "store.example":
            return self.content(request, path.removeprefix("/blob/"))
        if info := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            return self.refused(request, info[1], info[2]) or self.info()
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        assert found is not None
        refused = self.refused(request, found[1], found[2])
        if refused is not None:
            return refused
        if found[3] not in self.files:
            return error(404, "EntryNotFound", "Entry not found")
        if found[3] in self.large:
            target = f"{STORE}/blob/{found[3]}?signature=abc"
            return httpx2.Response(302, headers={"location": target, "x-repo-commit": COMMIT})
        return self.content(request, found[3])

    def refused(self, request: httpx2.Request, name: str, revision: str) -> httpx2.Response | None:
        known = request.headers.get("authorization") == f"Bearer {TOKEN}"
        if name != self.name:
            return error(404 if known else 401, "RepoNotFound", "Repository not found")
        if self.gated and not known:
            return error(401, "GatedRepo", f"Access to model {name} is restricted.")
        if revision not in self.revisions:
            return error(404, "RevisionNotFound", "Invalid rev id")
        return None

    def info(self) -> httpx2.Response:
        siblings = [
            {"rfilename": name, "size": len(data), "blobId": "0" * 40}
            | ({"lfs": {"sha256": "0" * 64, "size": len(data), "pointerSize": 134}}
               if name in self.large else {})
            for name, data in self.files.items()
        ]  # fmt: skip
        body = {"id": self.name, "sha": COMMIT, "private": False, "gated": False}
        return httpx2.Response(200, json=body | {"siblings": siblings})

    def content(self, request: httpx2.Request, name: str) -> httpx2.Response:
        data = self.files[name]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if wanted is None or not self.ranges:
            return httpx2.Response(200, content=data)
        first, last = int(wanted[1]), int(wanted[2])
        spans = {"content-range": f"bytes {first}-{last}/{len(data)}"}
        return httpx2.Response(206, headers=spans, content=data[first : last + 1])


def error(status: int, code: str, message: str) -> httpx2.Response:
    return httpx2.Response(status, headers={"x-error-code": code, "x-error-message": message})
