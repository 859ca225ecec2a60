"""Cloudflare on the loopback interface: its Workers API, and the sites that it would serve.

Every request is recorded in `Cloudflare.calls`. A request goes by its Host header: one for a
`workers.dev` name or a custom domain is answered from the assets of the version that is deployed
there, any other is a call of the API. Faults are put in front of an answer, or in its place after
the call was carried out, which is a lost answer.

The shapes of the answers are those that wrangler 4.164.0 reads and the Python SDK 5.9.0 declares.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "0123456789abcdef0123456789abcdef"
ZONE = "fedcba9876543210fedcba9876543210"
TOKEN = "marker-token-1234567890-abcdefghijklmnopqr"
API = "/client/v4"


@dataclass(frozen=True)
class Part:
    """One part of a multipart body, as it was sent."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes


@dataclass(frozen=True)
class Call:
    """One request, as it was received. `path` is without `/client/v4`."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parts(self) -> tuple[Part, ...]:
        return split_multipart(self.headers["content-type"], self.body)

    @property
    def line(self) -> str:
        """Method and path, without the account."""
        return f"{self.method} {self.path.removeprefix(f'/accounts/{ACCOUNT}')}"


@dataclass(frozen=True)
class Reply:
    """What the server says."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asset:
    data: bytes
    content_type: str


@dataclass
class Version:
    """One version of a Worker: what it answers with, and what it was given."""

    id: str
    number: int
    metadata: dict[str, Any]
    manifest: dict[str, str]
    modules: dict[str, tuple[str, bytes]]


@dataclass
class Worker:
    versions: list[Version] = field(default_factory=list)
    deployments: list[dict[str, Any]] = field(default_factory=list)
    enabled: bool = False
    previews: bool = False
    tags: list[str] = field(default_factory=list)

    def version(self, prefix: str) -> Version | None:
        return next((item for item in self.versions if item.id.startswith(prefix)), None)

    @property
    def live(self) -> str:
        return str(self.deployments[0]["versions"][0]["version_id"])


Act = Callable[["Handler", Reply], None]
Script = Callable[[Version, Call], Reply]
"""What a version's code answers where no file does."""


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of a method to a path."""

    method: str
    pattern: str
    act: Act
    times: int = 1
    after: bool = False


@dataclass
class Cloudflare:
    """The account: what it holds, and what goes wrong."""

    subdomain: str | None = "acme"
    workers: dict[str, Worker] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    domains: dict[str, str] = field(default_factory=dict)
    bucket_size: int = 2
    stale_answers: int = 0  # how many requests a deployment takes to arrive at the edge
    proof_comes: Literal["last", "first", "never"] = "last"  # with which bucket
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fault_of_call: dict[int, Fault] = field(default_factory=dict)  # by number, from 0
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    completed: dict[str, dict[str, str]] = field(default_factory=dict)
    script: Script = field(default=lambda version, call: Reply(404))
    counter: int = 0
    url: str = ""

    @property
    def api(self) -> str:
        return self.url + API

    @property
    def lines(self) -> list[str]:
        """The calls of the API, in order."""
        return [call.line for call in self.calls if not self.is_site(call.host)]

    @property
    def visits(self) -> list[str]:
        """The requests to sites, in order: method, host, path."""
        return [f"{c.method} {c.host}{c.path}" for c in self.calls if self.is_site(c.host)]

    def fail(
        self, method: str, pattern: str, act: Act, times: int = 1, *, after: bool = False
    ) -> None:
        self.faults.append(Fault(method, pattern, act, times, after))

    def fail_call(self, number: int, act: Act, *, after: bool = False) -> None:
        self.fault_of_call[number] = Fault("", "", act, after=after)

    def is_site(self, host: str) -> bool:
        return host.endswith(".workers.dev") or host in self.domains

    def assets_bytes(self) -> int:
        return sum(len(asset.data) for asset in self.assets.values())

    def next_id(self, kind: str) -> str:
        self.counter += 1
        digest = hashlib.sha256(f"{kind} {self.counter}".encode()).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"

    def token(self, kind: str) -> str:
        """A bearer token of the form that wrangler takes apart."""
        self.counter += 1
        claims = base64.urlsafe_b64encode(
            json.dumps({"kind": kind, "number": self.counter, "exp": 4102444800}).encode()
        )
        return f"eyJhbGciOiJub25lIn0.{claims.decode().rstrip('=')}.marker-{kind}-{self.counter}"

    # The API -----------------------------------------------------------------------------------

    def answer(self, call: Call) -> Reply:
        if self.is_site(call.host):
            return self.visit(call)
        bearer = call.headers.get("authorization", "").removeprefix("Bearer ")
        is_upload = call.path.startswith(f"/accounts/{ACCOUNT}/workers/assets/upload")
        if is_upload:
            if bearer not in self.sessions:
                return error(403, 10000, "Authentication error")
            return self.upload(call, bearer)
        if bearer != TOKEN:
            return error(403, 10000, "Authentication error")
        for method, pattern, function in ROUTES:
            match = re.fullmatch(pattern, call.path)
            if match and method == call.method:
                return function(self, call, *match.groups())
        return error(404, 7003, "No route for that URI")

    def session(self, call: Call, name: str) -> Reply:
        manifest = {path: entry["hash"] for path, entry in call.json["manifest"].items()}
        if any(not re.fullmatch("[0-9a-f]{32}", digest) for digest in manifest.values()):
            return error(400, 10304, "Asset manifest is invalid: hash")
        missing = sorted(set(manifest.values()) - self.assets.keys())
        if not missing:
            token = self.token("complete")
            self.completed[token] = manifest
            return result({"jwt": token, "buckets": []})
        token = self.token("session")
        self.sessions[token] = {
            "manifest": manifest,
            "missing": set(missing),
            "size": len(missing),
        }
        size = self.bucket_size
        buckets = [missing[start : start + size] for start in range(0, len(missing), size)]
        return result({"jwt": token, "buckets": buckets})

    def upload(self, call: Call, bearer: str) -> Reply:
        session = self.sessions[bearer]
        if call.query.get("base64") != "true":
            return error(400, 10026, "Could not parse request body")
        for part in call.parts:
            if part.name != part.filename:
                return error(400, 10026, "Could not parse request body")
            if part.name not in self.assets:
                kind = part.content_type or "application/octet-stream"
                self.assets[part.name] = Asset(base64.b64decode(part.data, validate=True), kind)
        whole = len(session["missing"])
        session["missing"] -= self.assets.keys()
        is_first = whole == session["size"]
        if not (is_first if self.proof_comes == "first" else not session["missing"]):
            return result({"jwt": ""}, 202)
        if self.proof_comes == "never":
            return result({}, 202)
        token = self.token("complete")
        self.completed[token] = session["manifest"]
        return result({"jwt": token}, 201)

    def new_version(self, call: Call, name: str) -> Version | Reply:
        parts = {part.name: part for part in call.parts}
        metadata = json.loads(parts.pop("metadata").data)
        if metadata["main_module"] not in parts:
            return error(400, 10021, "Uncaught Error: main module is missing")
        manifest = self.completed.get(metadata["assets"]["jwt"])
        if manifest is None:
            return error(400, 10343, "Asset manifest not found")
        worker = self.workers.setdefault(name, Worker())
        version = Version(
            self.next_id("version"),
            len(worker.versions) + 1,
            metadata,
            manifest,
            {part.name: (part.content_type or "", part.data) for part in parts.values()},
        )
        worker.versions.append(version)
        return version

    def put_script(self, call: Call, name: str) -> Reply:
        if self.subdomain is None:
            return error(400, 10063, "A workers.dev subdomain is required")
        version = self.new_version(call, name)
        if isinstance(version, Reply):
            return version
        self.deploy(name, version.id, {"workers/triggered_by": "upload"})
        deployment = version.id.replace("-", "")
        return result(
            {"id": name, "etag": "e" * 64, "startup_time_ms": 3, "deployment_id": deployment}
        )

    def post_version(self, call: Call, name: str) -> Reply:
        if name not in self.workers:
            return error(404, 10007, "This Worker does not exist on your account")
        version = self.new_version(call, name)
        if isinstance(version, Reply):
            return version
        return result({**self.describe(version), "startup_time_ms": 3})

    def describe(self, version: Version) -> dict[str, Any]:
        return {
            "id": version.id,
            "number": version.number,
            "metadata": {"source": "api", "hasPreview": True},
            "annotations": {"workers/triggered_by": "create_version_api"}
            | version.metadata.get("annotations", {}),
            "resources": {"script": {"etag": "e" * 64}, "bindings": []},
        }

    def deploy(self, name: str, version: str, annotations: dict[str, str]) -> dict[str, Any]:
        deployment = {
            "id": self.next_id("deployment"),
            "created_on": "2026-11-21T18:00:00.000000Z",
            "source": "api",
            "strategy": "percentage",
            "author_email": "someone@example.com",
            "annotations": annotations,
            "versions": [{"version_id": version, "percentage": 100}],
        }
        self.workers[name].deployments.insert(0, deployment)
        return deployment

    def post_deployment(self, call: Call, name: str) -> Reply:
        body = call.json
        known = {version.id for version in self.workers[name].versions}
        wanted = {item["version_id"] for item in body["versions"]}
        if not wanted <= known or sum(item["percentage"] for item in body["versions"]) != 100:
            return error(400, 10210, "Invalid deployment: unknown version")
        annotations = {"workers/triggered_by": "deployment"} | body.get("annotations", {})
        return result(self.deploy(name, body["versions"][0]["version_id"], annotations))

    def get_deployments(self, call: Call, name: str) -> Reply:
        if name not in self.workers:
            return error(404, 10007, "This Worker does not exist on your account")
        return result({"deployments": self.workers[name].deployments[:10]})

    def get_versions(self, call: Call, name: str) -> Reply:
        if name not in self.workers:
            return error(404, 10007, "This Worker does not exist on your account")
        newest = list(reversed(self.workers[name].versions))[:10]
        return result({"items": [self.describe(version) for version in newest]})

    def get_version(self, call: Call, name: str, version_id: str) -> Reply:
        version = self.workers[name].version(version_id)
        if version is None:
            return error(404, 10071, "Worker version not found")
        return result(self.describe(version))

    def get_account_subdomain(self, call: Call) -> Reply:
        if self.subdomain is None:
            return error(404, 10007, "workers.dev subdomain not found")
        return result({"subdomain": self.subdomain})

    def put_account_subdomain(self, call: Call) -> Reply:
        self.subdomain = call.json["subdomain"]
        return result({"subdomain": self.subdomain})

    def get_script_subdomain(self, call: Call, name: str) -> Reply:
        worker = self.workers[name]
        return result({"enabled": worker.enabled, "previews_enabled": worker.previews})

    def post_script_subdomain(self, call: Call, name: str) -> Reply:
        worker = self.workers[name]
        worker.enabled = call.json["enabled"]
        worker.previews = call.json.get("previews_enabled", worker.previews)
        return self.get_script_subdomain(call, name)

    def get_domains(self, call: Call) -> Reply:
        wanted = call.query["hostname"]
        found = [self.describe_domain(wanted)] if wanted in self.domains else []
        return result(found)

    def put_domain(self, call: Call) -> Reply:
        body = call.json
        if not body["hostname"].endswith(body.get("zone_name", "")):
            return error(400, 100112, "Hostname does not belong to zone")
        self.domains[body["hostname"]] = body["service"]
        return result(self.describe_domain(body["hostname"]))

    def describe_domain(self, hostname: str) -> dict[str, str]:
        return {
            "id": "d1",
            "cert_id": "c1",
            "environment": "production",
            "hostname": hostname,
            "service": self.domains[hostname],
            "zone_id": ZONE,
            "zone_name": "example.com",
        }

    # What only wrangler asks -------------------------------------------------------------------

    def get_service(self, call: Call, name: str) -> Reply:
        if name not in self.workers:
            return error(404, 10090, "This Worker does not exist on your account")
        script = {"id": name, "tag": "t" * 32, "tags": self.workers[name].tags}
        script |= {"last_deployed_from": "wrangler", "handlers": ["fetch"], "usage_model": ""}
        environment = {"environment": "production", "script": script}
        return result({"id": name, "default_environment": environment})

    def get_worker(self, call: Call, name: str) -> Reply:
        worker = self.workers[name]
        state = {"enabled": worker.enabled, "previews_enabled": worker.previews}
        return result({"id": "w1", "name": name, "subdomain": state})

    def patch_settings(self, call: Call, name: str) -> Reply:
        self.workers[name].tags = call.json.get("tags") or []
        return result(call.json)

    def domain_changeset(self, call: Call, name: str) -> Reply:
        return result({"added": call.json, "removed": [], "updated": [], "conflicting": []})

    def put_domain_records(self, call: Call, name: str) -> Reply:
        for origin in call.json["origins"]:
            self.domains[origin["hostname"]] = name
        return result([])

    # The sites ---------------------------------------------------------------------------------

    def visit(self, call: Call) -> Reply:
        found = self.version_for(call.host)
        if found is None:
            return Reply(404, b"error code: 1042", {"Content-Type": "text/plain"})
        digest = found.manifest.get(call.path)
        first = found.metadata["assets"]["config"]["run_worker_first"]
        if digest is None or any(fnmatch(call.path, rule) for rule in first):
            return self.script(found, call)
        if call.method not in {"GET", "HEAD"}:
            return Reply(405)
        asset = self.assets[digest]
        headers = {"ETag": f'"{digest}"'}
        if asset.content_type != "application/null":
            headers["Content-Type"] = asset.content_type
        return Reply(200, asset.data, headers)

    def version_for(self, host: str) -> Version | None:
        name = self.domains.get(host)
        if name is not None:
            return self.deployed(self.workers[name])
        label, _, rest = host.partition(".")
        if rest != f"{self.subdomain}.workers.dev":
            return None
        if label in self.workers:
            worker = self.workers[label]
            return self.deployed(worker) if worker.enabled else None
        prefix, _, name = label.partition("-")
        known = self.workers.get(name)
        return known.version(prefix) if known is not None and known.previews else None

    def deployed(self, worker: Worker) -> Version | None:
        if self.stale_answers > 0:
            self.stale_answers -= 1
            former = worker.deployments[1:]
            return worker.version(former[0]["versions"][0]["version_id"]) if former else None
        return worker.version(worker.live)


A, S = f"/accounts/{ACCOUNT}/workers", f"/accounts/{ACCOUNT}/workers/scripts/([^/]+)"
ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", f"{S}/assets-upload-session", Cloudflare.session),
    ("PUT", S, Cloudflare.put_script),
    ("POST", f"{S}/versions", Cloudflare.post_version),
    ("GET", f"{S}/versions", Cloudflare.get_versions),
    ("GET", f"{S}/versions/([^/]+)", Cloudflare.get_version),
    ("POST", f"{S}/deployments", Cloudflare.post_deployment),
    ("GET", f"{S}/deployments", Cloudflare.get_deployments),
    ("GET", f"{A}/subdomain", Cloudflare.get_account_subdomain),
    ("PUT", f"{A}/subdomain", Cloudflare.put_account_subdomain),
    ("GET", f"{S}/subdomain", Cloudflare.get_script_subdomain),
    ("POST", f"{S}/subdomain", Cloudflare.post_script_subdomain),
    ("GET", f"{A}/domains", Cloudflare.get_domains),
    ("PUT", f"{A}/domains", Cloudflare.put_domain),
    ("GET", f"{A}/services/([^/]+)", Cloudflare.get_service),
    ("GET", f"{A}/workers/([^/]+)", Cloudflare.get_worker),
    ("PATCH", f"{S}/script-settings", Cloudflare.patch_settings),
    ("POST", f"{S}/domains/changeset", Cloudflare.domain_changeset),
    ("PUT", f"{S}/domains/records", Cloudflare.put_domain_records),
)


def result(value: Any, status: int = 200) -> Reply:
    body = {"success": True, "errors": [], "messages": [], "result": value}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def error(status: int, code: int, message: str) -> Reply:
    errors = [{"code": code, "message": message}]
    body = {"success": False, "errors": errors, "messages": [], "result": None}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def split_multipart(content_type: str, body: bytes) -> tuple[Part, ...]:
    """Take a multipart/form-data body apart (RFC 7578)."""
    match = re.search('boundary="?([^";]+)"?', content_type)
    assert match, content_type
    edge = b"--" + match[1].encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + edge)
    assert pieces[0] == b"" and pieces[-1].strip() == b"--", "the body is cut off"
    parts = []
    for piece in pieces[1:-1]:
        head, _, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = {}
        for line in head.decode().split("\r\n"):
            name, _, text = line.partition(":")
            headers[name.lower()] = text.strip()
        names = dict(re.findall('(name|filename)="([^"]*)"', headers["content-disposition"]))
        parts.append(Part(names["name"], names.get("filename"), headers.get("content-type"), data))
    return tuple(parts)


class Handler(BaseHTTPRequestHandler):
    """Serves one `Cloudflare`."""

    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece: in two, it would wait 40 ms for an acknowledgement.
    wbufsize = -1
    cloudflare: Cloudflare

    def handle_one_call(self) -> None:
        split = urlsplit(self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        host = headers.get("host", "")
        call = Call(
            self.command,
            host,
            split.path if self.cloudflare.is_site(host) else split.path.removeprefix(API),
            {name: values[-1] for name, values in parse_qs(split.query).items()},
            headers,
            self.read_body(headers),
        )
        self.cloudflare.calls.append(call)
        fault = self.fault(call)
        if fault is None:
            self.say(self.cloudflare.answer(call))
        elif fault.after:
            fault.act(self, self.cloudflare.answer(call))
        else:
            fault.act(self, Reply())

    def do_GET(self) -> None:
        self.handle_one_call()

    def do_HEAD(self) -> None:
        self.handle_one_call()

    def do_POST(self) -> None:
        self.handle_one_call()

    def do_PUT(self) -> None:
        self.handle_one_call()

    def do_PATCH(self) -> None:
        self.handle_one_call()

    def fault(self, call: Call) -> Fault | None:
        if not self.cloudflare.is_site(call.host):
            by_number = self.cloudflare.fault_of_call.get(len(self.cloudflare.lines) - 1)
            if by_number is not None:
                return by_number
        for fault in self.cloudflare.faults:
            where = call.host + call.path if self.cloudflare.is_site(call.host) else call.path
            if fault.method == call.method and re.search(fault.pattern, where) and fault.times:
                fault.times -= 1
                return fault
        return None

    def read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def say(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, text in reply.headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Keep the test output quiet."""


class Server(ThreadingHTTPServer):
    """Does not wait for held connections, and does not print about closed ones."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def serving(cloudflare: Cloudflare) -> Iterator[Cloudflare]:
    """Serve until the block ends."""
    handler = type("BoundHandler", (Handler,), {"cloudflare": cloudflare})
    server = Server(("127.0.0.1", 0), handler)
    cloudflare.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield cloudflare
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Faults ------------------------------------------------------------------------------------------


def says(reply: Reply) -> Act:
    """Answer with something else."""
    return lambda handler, _: handler.say(reply)


def status(code: int, api_code: int = 0, message: str = "out of order", **headers: str) -> Act:
    """Answer with an error of the API."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    reply = error(code, api_code, message)
    return says(Reply(code, reply.body, reply.headers | named))


def drops(handler: Handler, _: Reply) -> None:
    """Hang up without an answer. With `after` this is a lost answer."""
    handler.hang_up()


def cut_off(handler: Handler, reply: Reply) -> None:
    """Announce the answer, send half of it, hang up."""
    handler.send_response(reply.status)
    handler.send_header("Content-Length", str(len(reply.body) + 1))
    handler.end_headers()
    handler.wfile.write(reply.body[: len(reply.body) // 2])
    handler.hang_up()


def says_nothing(handler: Handler, _: Reply) -> None:
    """Answer with a success that has no body."""
    handler.say(Reply(200))


def says_html(handler: Handler, _: Reply) -> None:
    """Answer with the error page of a gateway."""
    handler.say(Reply(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"}))


def leads_away(handler: Handler, _: Reply) -> None:
    """Answer with the address of somebody who would like to have the token."""
    handler.say(Reply(307, b"", {"Location": "https://evil.example.com/client/v4"}))


def challenges(handler: Handler, _: Reply) -> None:
    """Answer as Cloudflare's firewall does to what it takes for a robot."""
    headers = {"Content-Type": "text/html; charset=UTF-8", "cf-mitigated": "challenge"}
    handler.say(Reply(403, b"<!DOCTYPE html><title>Just a moment...</title>", headers))


def echoes_token(handler: Handler, _: Reply) -> None:
    """Be so careless as to repeat what was sent in the error message."""
    handler.say(error(400, 10021, f"bad header {handler.headers['Authorization']}"))
