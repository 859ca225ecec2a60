"""Cloudflare's own runtime on this machine: router, asset worker and script as in production.

The routing of a request (script first, static file, script) and the answers for static files come
from the two workers that Cloudflare runs itself, taken from the npm package miniflare; only where
files are kept is made here. What is wired to what follows miniflare's assets plugin (packages/
miniflare/src/plugins/assets). Nothing needs Node; tools/install-workerd.sh fetches the parts.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from chartgen.market.deploy.plan import asset_hash
from chartgen.market.site import Site
from chartgen.market.worker_data import (
    BYTES,
    COMPATIBILITY_DATE,
    worker_config,
    worker_modules,
)

TOOLS = Path(__file__).resolve().parent.parent / ".tools" / "workerd"
PARTS = ("workerd", "router.worker.js", "assets.worker.js")
ABSENT = "workerd is not here: tools/install-workerd.sh installs it, by means of npm"
# The dates and flags that miniflare runs the two workers with.
_DATE = "2024-07-31"
_ROUTER_FLAGS = ("nodejs_compat", "no_nodejs_compat_v2", "enable_ctx_exports")
_ASSETS_FLAGS = ("nodejs_compat", "enable_ctx_exports")
# Stands in for the store of Cloudflare's assets: files by their digest, each with its type.
_STORE = """
export default {
  async fetch(request, env) {
    const key = new URL(request.url).pathname.slice(1);
    const file = await env.FILES.fetch(`http://files/${key}`);
    const headers = new Headers(file.headers);
    headers.set("cf-kv-metadata", JSON.stringify({ contentType: env.TYPES[key] }));
    return new Response(file.body, { status: file.status, headers });
  },
};
"""
_READY_SECONDS = 20.0

Modules = Mapping[str, tuple[str, bytes]]


@dataclass(frozen=True)
class Worker:
    """A worker of a configuration: modules (content type and bytes), and bindings as written."""

    name: str
    modules: Modules
    bindings: tuple[str, ...] = ()
    date: str = COMPATIBILITY_DATE
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Running:
    """A server on 127.0.0.1, its process, and the file that takes its complaints.

    `file_port` is the port of the service that was named as `files`, 0 for none.
    """

    port: int
    file_port: int
    process: subprocess.Popen[bytes]
    log: Path
    ready_seconds: float = field(compare=False)

    @property
    def address(self) -> str:
        """Return the base address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def installed() -> bool:
    """Tell whether all parts are there."""
    return all((TOOLS / part).is_file() for part in PARTS)


@contextmanager
def serving(site: Site, folder: Path) -> Iterator[Running]:
    """Serve a site as Cloudflare would; `folder` is an empty folder for what that needs."""
    services = deployed(worker_modules(site), worker_config(site), site, folder)
    with running(services, "router", folder) as server:
        yield server


def deployed(modules: Modules, config: Mapping[str, Any], site: Site, folder: Path) -> list[str]:
    """Return the services that an upload becomes: script, static files, and their routing.

    `router` is the one that takes requests. Files are written below `folder`.
    """
    store = folder / "assets"
    store.mkdir(parents=True)
    manifest, types = [], {}
    for path, file in site.files.items():
        key = asset_hash(file)
        (store / key).write_bytes(site.content(path))
        types[key] = file.content_type
        place = hashlib.sha256(path.encode()).digest()[:16]
        manifest.append(place + bytes.fromhex(key) + bytes(8))
    # 20 bytes of header, then entries in the order of their paths' digests, for a binary search.
    (folder / "manifest.bin").write_bytes(bytes(20) + b"".join(sorted(manifest)))
    router_config = {
        "has_user_worker": True,
        "static_routing": {"user_worker": config["run_worker_first"], "asset_worker": []},
    }
    assets_config = {
        "compatibility_date": COMPATIBILITY_DATE,
        "html_handling": config["html_handling"],
        "not_found_handling": config["not_found_handling"],
        "has_static_routing": True,
        "headers": {"version": 2, "rules": header_rules(config["_headers"])},
    }
    router = Worker(
        "router",
        {"router.js": ("", (TOOLS / "router.worker.js").read_bytes())},
        (
            '(name = "ASSET_WORKER", service = "assets")',
            '(name = "USER_WORKER", service = "script")',
            _json_binding("CONFIG", router_config),
        ),
        _DATE,
        _ROUTER_FLAGS,
    )
    assets = Worker(
        "assets",
        {"assets.js": ("", (TOOLS / "assets.worker.js").read_bytes())},
        (
            '(name = "ASSETS_KV_NAMESPACE", kvNamespace = "store")',
            '(name = "ASSETS_MANIFEST", data = embed "manifest.bin")',
            _json_binding("CONFIG", assets_config),
        ),
        _DATE,
        _ASSETS_FLAGS,
    )
    keeper = Worker(
        "store",
        {"store.js": ("", _STORE.encode())},
        ('(name = "FILES", service = "files")', _json_binding("TYPES", types)),
        _DATE,
    )
    script = Worker("script", modules, ('(name = "ASSETS", service = "assets")',))
    return [*(service(w, folder) for w in (router, assets, keeper, script)), disk("files", store)]


def header_rules(text: str) -> dict[str, dict[str, dict[str, str]]]:
    """Read a `_headers` file: a pattern in a line, then indented headers."""
    rules: dict[str, dict[str, dict[str, str]]] = {}
    pattern = ""
    for line in text.splitlines():
        if line[:1].isspace():
            name, _, value = line.partition(":")
            rules[pattern]["set"][name.strip()] = value.strip()
        else:
            pattern = line
            assert pattern not in rules, pattern
            rules[pattern] = {"set": {}}
    return rules


def service(worker: Worker, folder: Path) -> str:
    """Return a worker as a service of a configuration; its modules are written into `folder`."""
    written = []
    for name, (content_type, data) in worker.modules.items():
        path = folder / worker.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        kind = "data" if content_type == BYTES else "esModule"
        written.append(f'(name = {_text(name)}, {kind} = embed "{worker.name}/{name}")')
    return (
        f"(name = {_text(worker.name)}, worker = (compatibilityDate = {_text(worker.date)}, "
        f"compatibilityFlags = {_list(map(_text, worker.flags))}, "
        f"modules = {_list(written)}, bindings = {_list(worker.bindings)}))"
    )


def disk(name: str, folder: Path) -> str:
    """Return a folder as a service of a configuration."""
    return f"(name = {_text(name)}, disk = {_text(str(folder.resolve()))})"


@contextmanager
def running(
    services: Iterable[str], entry: str, folder: Path, files: str | None = None
) -> Iterator[Running]:
    """Run services, of which `entry` takes the requests, and `files` those of a port of its own.

    Raises RuntimeError where that fails.
    """
    entries = [entry] if files is None else [entry, files]
    sockets = [f"(name = {_text(name)}, service = {_text(name)}, http = ())" for name in entries]
    config = folder / "config.capnp"
    config.write_text(
        'using Workerd = import "/workerd/workerd.capnp";\n'
        f"const config :Workerd.Config = (services = {_list(services)},\n"
        f"  sockets = {_list(sockets)});\n",
        encoding="utf-8",
    )
    log = folder / "log.txt"
    # Sockets are bound here and handed over, so that their ports can be nobody else's.
    with ExitStack() as opened:
        complaints = opened.enter_context(log.open("wb"))
        listeners = [
            opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            for _ in entries
        ]
        ports = [listener.getsockname()[1] for listener in listeners]
        handles = [listener.fileno() for listener in listeners]
        began = time.perf_counter()
        process = subprocess.Popen(
            [
                *(str(TOOLS / "workerd"), "serve", str(config), "--experimental"),
                *(
                    f"--socket-fd={name}={handle}"
                    for name, handle in zip(entries, handles, strict=True)
                ),
            ],
            pass_fds=handles,
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
        )
    try:
        _await_answer(ports[0], process, log)
        ready = time.perf_counter() - began
        yield Running(ports[0], ports[1] if files else 0, process, log, ready)
    finally:
        # Asked politely it would wait for clients that keep their connections open.
        process.kill()
        process.wait()
        # What was served may be large, and nobody looks at it afterwards.
        shutil.rmtree(folder / "assets", ignore_errors=True)


def _await_answer(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=_READY_SECONDS)
        try:
            connection.request("GET", "/api/v1/appstore/hash")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.01)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"workerd does not answer:\n{log.read_text(errors='replace')[-2000:]}")


def _json_binding(name: str, value: Any) -> str:
    return f"(name = {_text(name)}, json = {_text(json.dumps(value))})"


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _text(value: str) -> str:
    """Write a text of Cap'n Proto's schema language, which is ASCII with C's escapes."""
    assert re.fullmatch(r"[\x20-\x7e]*", value), value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
