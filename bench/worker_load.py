"""Measures the Worker in a process of its own, and prints what it found as JSON.

`python -m bench.worker_load [--quick]`. Every request goes to 127.0.0.1, and none outlives this.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from http.client import HTTPConnection
from itertools import product
from pathlib import Path
from statistics import median

from bench.worker import ANSWERS, MANY, SMALL, Load, Served
from bench.worker_market import market_site, plain_modules
from chartgen.market.site import Site
from chartgen.market.worker_data import worker_config, worker_modules
from tests.workerd import Running, Worker, deployed, disk, running, service

ROOT = Path(__file__).resolve().parent.parent
# Devices ask for the details of ten apps at a time (market-protocol-v1 §1.4).
BATCH = 10
CONNECTIONS = 4
SECONDS = 1
ROUNDS, STARTS = 4, 3
JSON_HEADER = {"Content-Type": "application/json"}
_TICKS = os.sysconf("SC_CLK_TCK")

Request = tuple[str, str, bytes]
Setup = Callable[[Site, Path], tuple[list[str], str, str | None]]
"""Returns services, the one that takes requests, and the one that takes those for files."""


def with_files(site: Site, folder: Path) -> tuple[list[str], str, str | None]:
    """Our Worker, and its static files at a port of their own: no script runs for these."""
    store = folder / "files"
    for path in site.files:
        target = store / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(site.content(path))
    script = Worker("script", worker_modules(site), ('(name = "ASSETS", service = "files")',))
    return [service(script, folder), disk("files", store)], "script", "files"


def plain(site: Site, folder: Path) -> tuple[list[str], str, str | None]:
    """The plain Worker."""
    return [service(Worker("plain", plain_modules(site)), folder)], "plain", None


def routed(site: Site, folder: Path) -> tuple[list[str], str, str | None]:
    """Our Worker behind Cloudflare's router, its files in Cloudflare's asset worker."""
    return deployed(worker_modules(site), worker_config(site), site, folder), "router", None


def plain_routed(site: Site, folder: Path) -> tuple[list[str], str, str | None]:
    """The plain Worker behind Cloudflare's router, without any files."""
    config = worker_config(site) | {"run_worker_first": []}
    bare = replace(site, files={})
    return deployed(plain_modules(site), config, bare, folder), "router", None


SETUPS: Mapping[str, Setup] = {
    "ours": with_files,
    "plain": plain,
    "ours, routed": routed,
    "plain, routed": plain_routed,
}


def main() -> int:
    """Measure markets of both sizes."""
    quick = "--quick" in sys.argv[1:]
    found = [*measure(SMALL, rounds=1 if quick else ROUNDS)]
    if not quick:
        found += measure(MANY, rounds=1)
    sys.stdout.write(json.dumps([asdict(item) for item in found]))
    return 0


def measure(count: int, *, rounds: int) -> Iterator[Served]:
    """Measure all set-ups of a market in turn, second by second, so that noise meets all alike.

    Of several rounds the best counts: what else this machine does can only slow a server down.
    """
    site = market_site(ROOT, count)
    requests = four_requests(site)
    wanted = expected(site)
    starts: dict[str, list[tuple[float, float]]] = {name: [] for name in SETUPS}
    loads: dict[tuple[str, str], list[Load]] = {}
    for last in [*[False] * (STARTS - 1), True]:
        with ExitStack() as opened:
            servers = {}
            for name, setup in SETUPS.items():
                server = opened.enter_context(started(setup, site))
                check(server, requests, wanted, name)
                starts[name].append((server.ready_seconds, resident_mib(server)))
                servers[name] = server
            # The first round warms all of them up and does not count.
            for answer, _, name in product(ANSWERS, range(rounds + 1 if last else 0), SETUPS):
                loads.setdefault((name, answer), []).append(load(servers[name], requests[answer]))
    for name in SETUPS:
        yield Served(
            setup=name,
            apps=count,
            loads={answer: best(loads[name, answer][1:]) for answer in ANSWERS},
            ready_seconds=min(seconds for seconds, _ in starts[name]),
            memory_mib=median(memory for _, memory in starts[name]),
        )


def best(loads: Sequence[Load]) -> Load:
    """Return the highest speed and the lowest cost of several rounds."""
    return Load(
        max(load.requests_per_second for load in loads),
        min(load.cpu_milliseconds for load in loads),
    )


@contextmanager
def started(setup: Setup, site: Site) -> Iterator[Running]:
    """Run a set-up in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="chartgen-bench-") as scratch:
        services, entry, files = setup(site, Path(scratch))
        with running(services, entry, Path(scratch), files) as server:
            yield server


def four_requests(site: Site) -> dict[str, Request]:
    """Return what a device asks of a v1 market, by the names of `ANSWERS`."""
    base = site.bases[0]
    # The middle of the market: neither the first that anything finds, nor the last.
    ids = sorted(base.details)[len(base.details) // 2 :][:BATCH]
    package = sorted(base.charts)[len(base.charts) // 2]
    name, version = package.removesuffix(".tgz").rsplit("-", 1)
    body = json.dumps({"app_ids": ids, "version": base.olares_version}).encode()
    chart = f"/api/v1/applications/{name}/chart?fileName={package}&version={version}"
    return {
        "hash": ("GET", "/api/v1/appstore/hash?version=1.12.6", b""),
        "info": ("GET", "/api/v1/appstore/info?version=1.12.6", b""),
        "details": ("POST", "/api/v1/applications/info", body),
        "chart": ("GET", chart, b""),
    }


def expected(site: Site) -> dict[str, object]:
    """Return what has to come back: plain data, or the bytes of a package."""
    base, requests = site.bases[0], four_requests(site)
    ids = json.loads(requests["details"][2])["app_ids"]
    package = requests["chart"][1].partition("fileName=")[2].partition("&")[0]
    return {
        "hash": json.loads(site.content("/api/v1/appstore/hash")),
        "info": json.loads(site.content("/api/v1/appstore/info")),
        "details": {
            "apps": {id_: json.loads(base.details[id_]) for id_ in ids},
            "not_found": [],
            "version": base.olares_version,
        },
        "chart": site.content(base.charts[package]),
    }


def check(
    server: Running, requests: Mapping[str, Request], wanted: Mapping[str, object], name: str
) -> None:
    """Ask for each answer once. Raises RuntimeError where one is wrong: its speed means nothing."""
    for answer, (method, path, body) in requests.items():
        connection = HTTPConnection("127.0.0.1", port_of(server, path), timeout=30)
        connection.request(method, path, body or None, JSON_HEADER if body else {})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        found = data if answer == "chart" else json.loads(data)
        if response.status != 200 or found != wanted[answer]:
            raise RuntimeError(f"{name}: the answer to {path} is wrong")


def port_of(server: Running, path: str) -> int:
    """Return where a path is answered: what lies below `appstore` is a file."""
    return server.file_port if server.file_port and "/appstore/" in path else server.port


def load(server: Running, request: Request) -> Load:
    """Ask the same thing again and again for a second, from a few connections."""
    generate = with_wrk if shutil.which("wrk") else with_threads
    before = cpu_seconds(server)
    began = time.perf_counter()
    count = generate(port_of(server, request[1]), request)
    spent = time.perf_counter() - began
    return Load(count / spent, 1000 * (cpu_seconds(server) - before) / count)


def with_wrk(port: int, request: Request) -> int:
    """Return how many requests wrk gets answered."""
    method, path, body = request
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = '{method}'\nwrk.body = [==[{body.decode()}]==]\n")
        script.flush()
        command += ["-s", script.name, f"http://127.0.0.1:{port}{path}"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+) requests in", said)
    if match is None or int(match[1]) == 0 or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"{path}: wrk says\n{said}")
    return int(match[1])


def with_threads(port: int, request: Request) -> int:
    """Return how many requests a few threads get answered; they are slower than the server."""
    end = time.perf_counter() + SECONDS
    counts: list[int] = []

    def ask() -> None:
        method, path, body = request
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        count = 0
        while time.perf_counter() < end or count == 0:
            connection.request(method, path, body or None, JSON_HEADER if body else {})
            connection.getresponse().read()
            count += 1
        connection.close()
        counts.append(count)

    threads = [threading.Thread(target=ask) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def cpu_seconds(server: Running) -> float:
    """Return the CPU time that a server has used: utime and stime of proc(5)."""
    status = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(status[11]) + int(status[12])) / _TICKS


def resident_mib(server: Running) -> float:
    """Return the memory that a server holds (VmRSS of proc(5))."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
