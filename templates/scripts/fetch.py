"""Download model weights into a store that engines read offline.

Repositories get the layout of the huggingface_hub cache, without its blobs/. A file has its final
name only when it is whole, checked and on disk; STORE/.chartgen/ID.complete says that a source is.
Standard library only. Travels in a Helm chart: plain ASCII, never two opening braces in a row.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import html
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.client import HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

SOCKET_TIMEOUT = 60.0  # seconds without a byte until a connection counts as dead
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_RETRY_AFTER = 2.0, 120.0, 600.0  # seconds between attempts
LOOK_AGAIN, LINE_EVERY = 600.0, 15.0  # seconds: after a problem for a person; between log lines
SPARE_BYTES, JSON_LIMIT, BLOCK = 1 << 30, 64 << 20, 1 << 20
TRIES = 3  # downloads of one file until wrong bytes count as permanent
STATUS_THREADS, STATUS_TIMEOUT = 4, 5  # connections served at once; seconds for a slow client
COMMIT, IDENT = re.compile(r"\A[0-9a-f]{40}\Z"), re.compile(r"[0-9a-f]{16}")
REPO = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
SPAN = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)  # Content-Range of a 206
WEB = ("https://", "http://")
BROKEN = (OSError, HTTPException, ValueError, OverflowError)  # bad connection, answer or disk


class TransientError(Exception):
    """Passes by itself: tried again for ever, after at least `pause` seconds."""

    def __init__(self, message: str, pause: float = 0.0) -> None:
        super().__init__(message)
        self.pause = pause


class BlockedError(Exception):
    """Needs a person: logged, and looked at again after a while."""


def log(text: str) -> None:
    """Print one line, without the control characters that a remote name may hold."""
    print("fetch: " + "".join(c if c.isprintable() else "?" for c in text), flush=True)


def safe(name: Any) -> str:
    """Return a relative path that stays below its folder. Raises BlockedError for others."""
    parts = name.split("/") if isinstance(name, str) and name.isprintable() else [""]
    if any(p in ("", ".", "..") or "\\" in p or len(p.encode()) > 240 for p in parts):
        raise BlockedError(f"unsafe file name {name!r}")
    return str(name)


def size_of(path: Path) -> int | None:
    """Size of a regular file, None where there is none."""
    return path.stat().st_size if path.is_file() else None


def write_text(path: Path, text: str) -> None:
    """Write a small file; readers see the old or the new text, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_text(text)
    fresh.replace(path)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from the store; empty where it is absent or damaged."""
    with suppress(OSError, ValueError):
        value = json.loads(path.read_text())
        return value if isinstance(value, dict) else {}
    return {}


class Redirects(urllib.request.HTTPRedirectHandler):
    """Drops the token for good at another host, and never leaves https."""

    def redirect_request(self, req: Any, fp: IO[bytes], *rest: Any) -> Any:
        """Return the request that follows the redirect; the last argument is its address."""
        fp.close()  # or urllib would read a body of any size
        old, new = urlsplit(req.full_url), urlsplit(rest[-1])
        if new.scheme not in ("https", old.scheme):
            raise BlockedError(f"{old.hostname}: redirect from {old.scheme} to {new.scheme}")
        following = super().redirect_request(req, fp, *rest)
        if following and (old.scheme, old.netloc) != (new.scheme, new.netloc):
            following.remove_header("Authorization")
        return following


@dataclass(frozen=True)
class World:
    """The network and the clock; tests replace the callables."""

    endpoint: str
    token: str = ""
    opener: Callable[..., HTTPResponse] = urllib.request.build_opener(Redirects).open
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free

    def get(self, url: str, start: int = 0) -> HTTPResponse:
        """GET from byte `start`. Messages name host and path only: queries may hold signatures."""
        hub, place = url.startswith(self.endpoint + "/"), urlsplit(url)
        headers = {"User-Agent": "chartgen-fetch"}  # http.client asks for no compression itself
        if start:
            headers["Range"] = f"bytes={start}-"
        if hub and self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            request = urllib.request.Request(url, headers=headers)
            return self.opener(request, timeout=SOCKET_TIMEOUT)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and start:
                return self.get(url)
            text = f"{place.hostname}{place.path}: HTTP {error.code}"
            if error.code in (408, 425, 429) or error.code >= 500:
                after = error.headers.get("Retry-After", "")
                pause = float(after) if after.isdecimal() else 0.0
                raise TransientError(text, min(pause, LONGEST_RETRY_AFTER)) from None
            if error.code in (401, 403) and hub:
                text += ": accept the licence on Hugging Face and set the token in Settings"
            raise BlockedError(text) from None


@dataclass(frozen=True)
class Wanted:
    """One file to have; `identity` names its content (sha256 or git blob id) where known."""

    name: str
    url: str
    target: Path
    size: int | None
    sha256: str | None
    identity: str | None

    def beside(self, suffix: str) -> Path:
        """`.part` holds the bytes so far, `.part.json` says to which content they belong."""
        return self.target.with_name(self.target.name + suffix)

    def is_whole(self, path: Path) -> bool:
        """Whether a file holds the announced bytes."""
        if not path.is_file() or self.size not in (None, size_of(path)):
            return False
        with path.open("rb") as data:
            digest = self.sha256 and hashlib.file_digest(data, "sha256").hexdigest()
        return digest == self.sha256


class Source:
    """One source of the plan on its way into the store, and what a person sees of it (bytes)."""

    def __init__(self, raw: dict[str, Any], store: Path, world: World) -> None:
        self.raw, self.store, self.world, hub = raw, store, world, raw["kind"] == "hf"
        self.name: str = raw["repo"] if hub else safe(raw["path"])
        self.url: str = "" if hub else raw["url"]
        sound = REPO.fullmatch(self.name) if hub else self.url.startswith(WEB)
        if not sound or raw["kind"] not in ("hf", "url") or not IDENT.fullmatch(raw["id"]):
            raise ValueError(raw["id"])
        self.folder = store / ("models--" + (self.name.replace("/", "--") if hub else raw["id"]))
        self.revision = safe(raw.get("revision") or "main")
        self.link = store / safe(raw["link"]) if raw.get("link") else None
        self.marker = store / ".chartgen" / f"{raw['id']}.complete"
        self.wanted: tuple[str | None, list[Wanted]] | None = None
        self.whole: dict[Path, int] = {}  # the files that are known to be whole, and their sizes
        self.state, self.done = "waiting for its turn", 0
        self.total: int | None = raw.get("size") and int(raw["size"])
        self.received, self.shown, self.since, self.wrong = 0, 0, world.clock(), 0

    def known_commit(self) -> str:
        """The commit that the store holds for the revision, or empty."""
        ref = self.folder / "refs" / self.revision
        text = ref.read_text(errors="replace") if ref.is_file() else ""
        return text if COMMIT.fullmatch(text) else ""

    def complete(self) -> bool:
        """Whether the source is in the store and found under its names. Needs no network."""
        marker = read_object(self.marker)
        files, commit = marker.get("files"), str(marker.get("commit"))
        with suppress(OSError, TypeError):
            sizes = {name: size_of(self.store / name) for name in files or ()}
            snapshot = self.folder / "snapshots" / commit
            named = self.known_commit() == commit and snapshot.samefile(self.link or snapshot)
            return bool(files) and sizes == files and (named or bool(self.url))
        return False

    def resolve(self) -> tuple[str | None, list[Wanted]]:
        """The commit (None for a plain URL) and its wanted files."""
        if self.url:
            target, digest = self.store / self.name, self.raw.get("sha256")
            return None, [Wanted(self.name, self.url, target, self.total, digest, digest)]
        if known := self.known_commit():  # goes first, so that sources of one repository agree
            with suppress(BlockedError):
                return self.listing(known)
        return self.listing(self.revision)

    def listing(self, revision: str) -> tuple[str, list[Wanted]]:
        """The commit of a revision and its wanted files, as the hub tells."""
        hub, path = self.world.endpoint, quote(revision, safe="")
        include, exclude = self.raw.get("include") or ["*"], self.raw.get("exclude") or []
        try:
            with self.world.get(f"{hub}/api/models/{self.name}/revision/{path}?blobs=true") as body:
                answer = json.loads(body.read(JSON_LIMIT))
            (commit,) = COMMIT.findall(answer["sha"])
            found = {entry["rfilename"]: entry for entry in answer["siblings"]}
            names = [name for name in found if any(fnmatchcase(name, p) for p in include)]
            names = [name for name in names if not any(fnmatchcase(name, p) for p in exclude)]
            names = sorted(set(self.raw.get("files") or names))
            if not names or not found.keys() >= set(names):
                raise BlockedError(f"not all of {names or include} exist at {revision}")
            return commit, [self.from_hub(commit, safe(name), found[name]) for name in names]
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            raise TransientError("the hub's answer is no list of files") from None

    def from_hub(self, commit: str, name: str, entry: dict[str, Any]) -> Wanted:
        """One file as the hub announces it; `lfs` is there for large files only."""
        lfs, given = entry.get("lfs") or {}, self.raw.get("sha256") or {}
        size, digest = lfs.get("size", entry.get("size")), given.get(name) or lfs.get("sha256")
        if digest != lfs.get("sha256", digest):
            raise BlockedError(f"{name} has another sha256 at {commit} than in the plan")
        url = f"{self.world.endpoint}/{self.name}/resolve/{commit}/{quote(name)}"
        target = self.folder / "snapshots" / commit / name
        return Wanted(name, url, target, size and int(size), digest, digest or entry.get("blobId"))

    def attempt(self, file: Wanted) -> None:
        """Download a file from where it stopped, check it, and give it its name."""
        part, note = file.beside(".part"), file.beside(".part.json")
        known, start = read_object(note), size_of(part) or 0
        if not known.get("identity") or file.identity not in (None, known["identity"]):
            start = 0
        if start and start == known.get("size"):
            start -= 1  # the answer says whether the content is still the same
        with self.world.get(file.url, start) as response:
            headers, partial = response.headers, response.status == 206
            length = f"bytes 0-0/{headers.get('Content-Length')}"
            span = SPAN.fullmatch(headers.get("Content-Range", "") if partial else length)
            offset, size = (int(span[1]), int(span[2])) if span else (-int(partial), file.size)
            identity = file.identity or headers.get("ETag") or headers.get("Last-Modified")
            if offset and (offset != start or identity != known["identity"]):
                part.unlink(missing_ok=True)
                raise TransientError(f"{file.name}: changed upstream, starting again")
            if file.size not in (None, size):
                raise self.reject(file, f"{size} bytes announced, {file.size} expected")
            if size is None and not file.sha256 and not response.chunked:
                raise BlockedError(f"{file.name}: neither the size nor the sha256 is known")
            with part.open("r+b" if offset else "wb") as out:
                if not offset:  # only now, when the bytes of the old content are gone
                    write_text(note, json.dumps({"identity": identity, "size": size}))
                out.seek(offset)
                while block := response.read1(BLOCK):
                    out.write(block)
                    self.progress(file, len(block), out.tell(), size)
                out.flush()
                os.fsync(out.fileno())
                got = out.tell()
        if size is not None and got < size:
            raise TransientError(f"{file.name}: connection closed after {got} of {size} bytes")
        self.state = f"checking {file.name}"
        if size not in (None, got) or not file.is_whole(part):
            raise self.reject(file, "wrong size or sha256")
        part.replace(file.target)
        note.unlink(missing_ok=True)
        self.whole[file.target], self.wrong = got, 0

    def reject(self, file: Wanted, text: str) -> Exception:
        """Drop wrong bytes; an error that passes, or after a few times one that does not."""
        file.beside(".part").unlink(missing_ok=True)
        self.wrong += 1
        kind = TransientError if self.wrong % TRIES else BlockedError
        return kind(f"{file.name}: {text}, {self.wrong} times")

    def progress(self, file: Wanted, count: int, position: int, size: int | None) -> None:
        """Note `count` more bytes of a file; log now and then."""
        self.state = f"downloading {file.name}"
        self.received, self.done = self.received + count, sum(self.whole.values()) + position
        seconds = self.world.clock() - self.since
        if seconds >= LINE_EVERY:
            speed = (self.received - self.shown) / seconds / 1e6
            share = f"{position / size:.1%}" if size else f"{position} bytes"
            log(f"{self.name}: {file.name} {share}, {speed:.1f} MB/s")
            self.shown, self.since = self.received, self.world.clock()

    def locked(self, name: str) -> IO[str]:
        """Take an exclusive lock that ends when the file is closed or the process dies."""
        handle = self.marker.with_name(f"{name}.lock").open("a")
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle

    def fetch(self) -> None:
        """Bring the source into the store. Raises TransientError, BlockedError or OSError."""
        self.marker.parent.mkdir(parents=True, exist_ok=True)
        with self.locked(self.marker.stem), self.locked(self.folder.name):
            if self.complete():
                return
            self.marker.unlink(missing_ok=True)
            commit, files = self.wanted = self.wanted or self.resolve()
            self.state = "checking"
            for file in files:
                if file.target not in self.whole and file.is_whole(file.target):
                    self.whole[file.target] = file.target.stat().st_size
            missing = [file for file in files if file.target not in self.whole]
            self.total = sum(file.size or 0 for file in files) or self.total
            self.done = sum(self.whole.values())
            have = self.done + sum(size_of(file.beside(".part")) or 0 for file in missing)
            short = (self.total or 0) + SPARE_BYTES - have - self.world.free(self.store)
            if missing and short > 0:
                raise TransientError(f"{short / 1e9:.1f} GB more of free disk space needed")
            for file in missing:
                file.target.parent.mkdir(parents=True, exist_ok=True)
                self.attempt(file)
            if commit:
                self.publish(commit)
            sizes = {str(f.target.relative_to(self.store)): self.whole[f.target] for f in files}
            write_text(self.marker, json.dumps({"commit": commit, "files": sizes}))
            self.wanted, self.whole = None, {}  # to be looked at anew, should it be needed again

    def publish(self, commit: str) -> None:
        """Let the revision's name and the plan's link lead to the commit."""
        write_text(self.folder / "refs" / self.revision, commit)
        if self.link:
            fresh = self.link.with_name(self.link.name + ".tmp")
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(os.path.relpath(self.folder / "snapshots" / commit, fresh.parent))
            fresh.replace(self.link)

    def work(self) -> float:
        """Bring the source in; return 0, or after how many seconds to look at it again."""
        pause, self.state = FIRST_PAUSE, "waiting for its turn"
        log(f"{self.name}: {'complete' if self.complete() else self.state}")
        while not self.complete():
            received = self.received
            try:
                self.fetch()
            except BlockedError as problem:
                self.wanted, self.state = None, f"{problem}; again in {LOOK_AGAIN:.0f} s"
                log(f"{self.name}: {self.state}")
                return LOOK_AGAIN
            except (TransientError, *BROKEN) as problem:
                pause = FIRST_PAUSE if self.received > received else pause
                wait = max(pause, getattr(problem, "pause", 0.0))
                told = isinstance(problem, TransientError | OSError)
                text = str(problem) if told else type(problem).__name__  # might name an address
                self.state = f"{text}; again in {wait:.0f} s"
                log(f"{self.name}: {self.state}")
                self.world.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE)
        self.state, self.done = "complete", sum(read_object(self.marker)["files"].values())
        return 0.0


class StatusHandler(BaseHTTPRequestHandler):
    """GET /livez, / and /status.json, nothing else."""

    timeout = STATUS_TIMEOUT
    sources: Sequence[Source] = ()

    def do_GET(self) -> None:
        """Answer one request."""
        keys = ("name", "state", "done", "total")
        facts = [{key: getattr(source, key) for key in keys} for source in self.sources]
        page = "<!doctype html><meta http-equiv=refresh content=5><title>Model weights</title>"
        for s in self.sources:
            page += "<p>" + html.escape(f"{s.name}: {s.state}, {s.done:,} of {s.total or 0:,} B")
        answers = {"/": ("text/html", page), "/livez": ("text/plain", "ok")}
        answers["/status.json"] = ("application/json", json.dumps(facts))
        kind, text = answers.get(self.path, ("text/plain", "not found"))
        self.send_response(200 if self.path in answers else 404)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Keep probes out of the log."""


def load(plan: Path) -> tuple[list[Source], bool]:
    """The plan's sources, and whether to stay alive. Raises BlockedError when it is not usable."""
    endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or "https://huggingface.co"
    token = os.environ.get("HF_TOKEN", "").strip()
    if not endpoint.startswith(WEB) or not all("!" <= c <= "~" for c in token):
        raise BlockedError("HF_ENDPOINT or HF_TOKEN is unusable: set them again in Settings")
    try:
        raw, world = json.loads(plan.read_text("utf-8")), World(endpoint, token)
        sources = [Source(item, Path(raw["store"]), world) for item in raw["sources"]]
        return sources, raw.get("keep_running") is True
    except (*BROKEN, AttributeError, LookupError, TypeError) as error:
        raise BlockedError(f"the plan is not usable: {error!r}") from None


def run(sources: Sequence[Source], once: bool, sleep: Callable[[float], None]) -> int:
    """Work until all sources are complete: 0, or 1 with `once` where a person is needed."""
    while True:
        waits = [wait for source in sources if (wait := source.work())]
        if all(source.complete() for source in sources):
            log("all weights are complete")
            return 0
        if waits and once:
            return 1
        sleep(min(waits, default=FIRST_PAUSE))


def main() -> int:
    """Run the plan; the exit code is 0 when all is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("plan", type=Path)
    parser.add_argument("--once", action="store_true", help="end with 1 where a person is needed")
    parser.add_argument("--status-port", type=int, metavar="N", help="serve a status page")
    options = parser.parse_args()
    os.umask(0o002)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.status_port is not None:
        server = HTTPServer(("0.0.0.0", options.status_port), StatusHandler)
        for _ in range(STATUS_THREADS):
            threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        sources, keep_running = load(options.plan)
    except BlockedError as problem:
        log(str(problem))
        time.sleep(0 if options.once else LOOK_AGAIN)
        return 1
    StatusHandler.sources = sources
    code = run(sources, options.once, time.sleep)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while keep_running and not options.once:
        time.sleep(LOOK_AGAIN)
    return code


if __name__ == "__main__":
    sys.exit(main())
