"""The nginx configuration that ships serves a folder as a device expects it, in real nginx."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chartgen.market.deploy.folder import write_site
from chartgen.market.deploy.http import connect
from chartgen.market.deploy.probes import ask, probes_of
from chartgen.market.page import page_files
from chartgen.market.routes import MAX_BODY_BYTES, answer, content
from chartgen.market.site import DETAILS_PATH, Site
from chartgen.resources import template_text
from tests.markets import retired, sample

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx"),
]

# Everything that nginx wants to write goes into the test's folder. Only root may name a user, and
# must: nobody may not read the test's folder.
MAIN = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/errors.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/market/nginx.conf;
}}
"""
TYPED = ("Content-Type", "Cache-Control")


@dataclass(frozen=True)
class Got:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Nginx:
    site: Site
    folder: Path
    port: int

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Got:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, text in {"Content-Length": str(len(body)), **headers}.items():
                connection.putheader(name, text)
            connection.endheaders(body)
            response = connection.getresponse()
            return Got(response.status, response.headers, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    market = sample()
    site = market.site(page_files(market.catalog(), market.read))
    write_site(site, folder / "market")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "market" / "nginx.conf"
    text = config.read_text()
    for shipped, here in (("listen 8080;", f"listen 127.0.0.1:{port};"), ("/srv/", f"{folder}/")):
        assert shipped in text
        text = text.replace(shipped, here)
    config.write_text(text)
    user = "user root;" if os.name == "posix" and os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(MAIN.format(folder=folder, user=user))
    command = [str(NGINX), "-p", str(folder), "-e", f"{folder}/errors.log", "-c", "main.conf"]
    with subprocess.Popen([*command, "-g", ""], cwd=folder) as process:
        try:
            _await(port, process)
            yield Nginx(site, folder / "market", port)
        finally:
            process.terminate()
            process.wait()
    # A warning at the start, a loop, a file that could not be opened.
    complaints = (folder / "errors.log").read_text()
    expected = "client intended to send too large body"
    assert [line for line in complaints.splitlines() if expected not in line] == []


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(500):
        assert process.poll() is None
        with socket.socket() as plug:
            if plug.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nginx does not listen")


def test_every_file_is_served_as_the_reference_says(nginx: Nginx) -> None:
    pages = [
        path.removesuffix("index.html") for path in nginx.site.files if path.endswith("/index.html")
    ]
    assert "/" in pages
    for path in (*nginx.site.files, *pages):
        wanted = answer(nginx.site, "GET", path)
        got = nginx.ask("GET", path)

        assert (got.status, got.body) == (200, content(nginx.site, wanted)), path
        assert [got.headers[name] for name in TYPED] == [wanted.headers[name] for name in TYPED], (
            path
        )


@pytest.mark.parametrize("prefix", ["", "/legacy"])
@pytest.mark.parametrize(
    "target",
    [
        "/api/v2/catalog",
        "/api/v2/catalog?version=1.12.7",
        "/api/v2/catalog?source_id=market.Other",
        "/api/v2/catalog?source_id=",
        "/api/v1/appstore/hash?version=1.12.3",
        "/api/v2/applications?version=1.12.7",
        "/api/v2/applications?page=1",
        "/api/v1/applications/alpha/chart?fileName=alpha-1.0.0.tgz&version=1.0.0",
        "/api/v2/applications/alpha/chart?fileName=alpha-1.0.0.tgz&version=1.0.0",
        "/api/v1/applications/alpha/chart?version=1.0.0&fileName=alpha-1.0.0.tgz&x=y",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_a_query_decides_is_answered_as_the_reference_says(
    nginx: Nginx, method: str, prefix: str, target: str
) -> None:
    path, _, query = f"{prefix}{target}".partition("?")
    wanted = answer(nginx.site, method, path, query)

    got = nginx.ask(method, f"{prefix}{target}")

    assert (got.status, got.body) == (wanted.status, content(nginx.site, wanted))
    assert got.status == 200
    assert [got.headers[name] for name in TYPED] == [wanted.headers[name] for name in TYPED]


@pytest.mark.parametrize(
    "target",
    [
        "/api/v1/applications/alpha/chart",
        "/api/v1/applications/alpha/chart?fileName=alpha-1.0.0.tgz",
        "/api/v1/applications/alpha/chart?fileName=alpha-1.0.0.tgz&version=1.0.1",
        "/api/v1/applications/beta/chart?fileName=alpha-1.0.0.tgz&version=1.0.0",
        "/api/v1/applications/alpha/chart?fileName=alpha-9.9.9.tgz&version=9.9.9",
        "/api/v1/applications/alpha/chart?fileName=../charts/alpha-1.0.0.tgz&version=1.0.0",
        "/api/v1/applications/alpha/chart?fileName=%2e%2e/x.tgz&version=1.0.0",
        "/api/v3/applications/alpha/chart?fileName=alpha-1.0.0.tgz&version=1.0.0",
        "/api/v1/applications/Alpha/chart?fileName=Alpha-1.0.0.tgz&version=1.0.0",
        "/api/v1/appstore/hash/",
        "/api/v1/appstore",
        "/api/v1/appstore/",
        "/API/v1/appstore/hash",
        "//api/v1/appstore/hash",
        "/api//v1/appstore/hash",
        "/api/v1/appstore/h%61sh",
        "/api/v1/../v1/appstore/hash",
        "/api/v1/./appstore/hash",
        "/charts",
        "/charts/",
        "/charts/nothing-1.0.0.tgz",
        "/legacy",
        "/other/api/v1/appstore/hash",
        "/_hosting/details.json",
        "/_hosting/digest",
        "/nginx.conf",
        "/.git/config",
        "/__proto__",
    ],
)
def test_nothing_else_is_there(nginx: Nginx, target: str) -> None:
    path, _, query = target.partition("?")

    got = nginx.ask("GET", target)

    assert answer(nginx.site, "GET", path, query).status == 404
    assert (got.status, got.headers["Content-Type"]) == (404, "application/json")
    assert got.headers["Cache-Control"] == "no-store"
    assert "error" in json.loads(got.body)


def test_details_are_those_of_all_apps_whatever_is_asked(nginx: Nginx) -> None:
    for base in nginx.site.bases:
        path = f"{base.prefix}{DETAILS_PATH}"
        every = json.dumps({"app_ids": sorted(base.details)}).encode()
        wanted = answer(nginx.site, "POST", path, "", every)
        for body in (every, b'{"app_ids":["0a1b2c3d"],"version":"1.12.6"}', b"", b"no json"):
            got = nginx.ask("POST", path, body, **{"Content-Type": "application/json"})

            assert (got.status, got.body) == (200, wanted.body)
            assert [got.headers[name] for name in TYPED] == ["application/json", "no-store"]


def test_a_body_may_be_as_large_as_the_reference_takes(nginx: Nginx) -> None:
    assert nginx.ask("POST", DETAILS_PATH, bytes(MAX_BODY_BYTES)).status == 200
    got = nginx.ask("POST", DETAILS_PATH, bytes(MAX_BODY_BYTES + 1))

    assert (got.status, got.headers["Content-Type"]) == (413, "application/json")


@pytest.mark.parametrize("prefix", ["", "/legacy"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/appstore/hash",
        "/api/v2/taxonomy",
        "/charts/alpha-1.0.0.tgz",
        "/api/v2/catalog",
        "/api/v2/applications",
        "/api/v2/browse/applications",
        "/api/v1/applications/info",
        "/api/v1/applications/alpha/chart",
    ],
)
def test_methods_are_refused_as_the_reference_says(
    nginx: Nginx, prefix: str, path: str, method: str
) -> None:
    query = "fileName=alpha-1.0.0.tgz&version=1.0.0" if path.endswith("/chart") else ""
    wanted = answer(nginx.site, method, f"{prefix}{path}", query, b'{"app_ids":[]}')

    got = nginx.ask(method, f"{prefix}{path}?{query}", b'{"app_ids":[]}')

    assert got.status == wanted.status
    assert got.headers["Allow"] == wanted.headers.get("Allow")
    if got.status == 405 and method != "HEAD":
        assert "error" in json.loads(got.body)


def test_a_device_finds_what_was_published_but_for_the_number_of_details(nginx: Nginx) -> None:
    address = f"http://127.0.0.1:{nginx.port}"
    with connect(address) as client:
        faults = [ask(client, address, probe) for probe in probes_of(nginx.site)]

    found = [fault for fault in faults if fault]
    assert len(faults) == 8
    assert all(DETAILS_PATH in fault and "other content" in fault for fault in found)
    assert len(found) == 2


def test_lists_are_packed_and_say_so(nginx: Nginx) -> None:
    got = nginx.ask("GET", "/api/v1/appstore/info", b"", **{"Accept-Encoding": "gzip"})

    assert (got.headers["Content-Encoding"], got.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(got.body) < len(nginx.site.content("/api/v1/appstore/info"))


def test_a_new_market_is_served_without_telling_nginx(nginx: Nginx) -> None:
    newer = sample().grown(retired("zeta", "1000.20000.30000", 20)).site()
    path = "/api/v1/appstore/hash"
    try:
        write_site(newer, nginx.folder)
        assert nginx.ask("GET", path).body == newer.content(path)
    finally:
        write_site(nginx.site, nginx.folder)

    assert nginx.ask("GET", path).body == nginx.site.content(path)


def test_the_image_serves_what_the_configuration_names() -> None:
    config, image = (template_text(f"deploy/{name}") for name in ("nginx.conf", "Containerfile"))
    assert "root /srv/market/current;" in config
    assert "COPY . /srv/market/" in image
    assert "COPY nginx.conf /etc/nginx/conf.d/default.conf" in image
    assert "listen 8080;" in config
    assert "EXPOSE 8080" in image
