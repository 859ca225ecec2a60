"""The Worker on Cloudflare's own runtime, router and asset worker; and what it is made of."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from chartgen.errors import RefusedError
from chartgen.market import worker_data
from chartgen.market.deploy.plan import asset_hash
from chartgen.market.routes import MAX_BODY_BYTES, answer
from chartgen.market.site import GZIP, JSON, TEXT, Site, SiteFile
from chartgen.market.worker_data import header_rules, worker_config, worker_modules
from chartgen.resources import worker_source
from tests.conformance import DETAILS, HASH, Conformance, Server
from tests.markets import sample
from tests.test_market_conformance import PAGES
from tests.workerd import ABSENT, TOOLS, Running, installed, serving

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT / "tools" / "install-workerd.sh"
CHART = "/api/v1/applications/alpha/chart?fileName=alpha-1.1.1.tgz&version=1.1.1"

needs_workerd = pytest.mark.skipif(not installed(), reason=ABSENT)


def sample_site() -> Site:
    return sample().site(PAGES)


@contextmanager
def faultless(site: Site, folder: Path) -> Iterator[Running]:
    """Serve a site; an exception that the script or the runtime did not handle is a failure."""
    with serving(site, folder) as running:
        yield running
    assert running.log.read_text(errors="replace") == ""


@pytest.mark.loopback
@needs_workerd
class TestWorkerd(Conformance):
    """The suite that every server of a market has to pass, with random requests at its end."""

    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
        site = sample_site()
        with faultless(site, tmp_path_factory.mktemp("workerd")) as running:
            yield Server(running.address, site)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with faultless(sample_site(), tmp_path_factory.mktemp("workerd")) as server:
        yield server


@pytest.fixture
def server(running: Running) -> Server:
    return Server(running.address, sample_site())


@pytest.mark.loopback
@needs_workerd
class TestStaticFiles:
    """What only Cloudflare's assets do, and what they would do wrong if they were asked."""

    def test_it_is_ready_at_once(self, running: Running) -> None:
        assert running.ready_seconds < 5

    @pytest.mark.parametrize("path", [HASH, "/charts/alpha-1.1.1.tgz", CHART, "/"])
    def test_a_file_is_told_apart_by_its_hash(self, server: Server, path: str) -> None:
        found = {"/": "/index.html", CHART: "/charts/alpha-1.1.1.tgz"}.get(path, path)
        assert server.site is not None
        tag = f'"{asset_hash(server.site.files[found])}"'
        assert server.send("GET", path).headers["etag"] == tag
        again = server.send("GET", path, headers={"If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")

    @pytest.mark.parametrize(
        "path",
        [
            f"/{HASH}",
            "/api//v1/appstore/hash",
            "/api/v1/appstore//info",
            "/api/v1/appstore/h%61sh",
            "/%61pi/v1/appstore/hash",
            "/charts/alpha%2d1.1.1.tgz",
            "/legacy//api/v2/taxonomy",
            "/%69ndex.html",
            "//",
            "/%2f/",
            f"/{DETAILS}",
        ],
    )
    def test_a_crooked_path_is_not_redirected_to_a_file(self, server: Server, path: str) -> None:
        reply = server.send("GET", path)
        assert (reply.status, reply.type) == (404, JSON)

    def test_a_refused_method_is_told_which_are_taken(self, server: Server) -> None:
        assert server.send("POST", HASH, b"{}").headers["allow"] == "GET, HEAD"

    def test_a_method_on_a_page_of_a_folder(self, server: Server) -> None:
        assert server.send("POST", "/", b"{}").status == 405
        assert server.send("OPTIONS", "/").status == 204
        assert server.send("HEAD", "/").status == 200

    def test_a_file_that_cannot_be_read_is_no_missing_one(self, tmp_path: Path) -> None:
        """A device asks elsewhere after a 404, and must not where only the store has failed."""
        site = sample_site()
        with serving(site, tmp_path) as running:
            key = asset_hash(site.files["/charts/alpha-1.1.1.tgz"])
            (tmp_path / "assets" / key).unlink()
            reply = Server(running.address).send("GET", CHART)
        assert (reply.status, reply.type) == (503, JSON)


@pytest.mark.loopback
@needs_workerd
class TestBodies:
    @pytest.mark.parametrize(
        "size", [0, 1, 20, MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 3 * MAX_BODY_BYTES]
    )
    def test_a_body_of_unknown_length_is_read_piece_by_piece(
        self, server: Server, size: int
    ) -> None:
        body = b'{"app_ids":["x"]}'.ljust(size)[:size]
        pieces = (body[start : start + 50_000] for start in range(0, size, 50_000))
        port = int(server.url.rpartition(":")[2])
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            # What is too large is answered before all of it has come.
            with suppress(ConnectionError):
                connection.request("POST", DETAILS, pieces)
            response = connection.getresponse()
            received = response.read()
        assert server.site is not None
        wanted = answer(server.site, "POST", DETAILS, "", body)
        assert (response.status, received) == (wanted.status, wanted.body)

    def test_a_client_that_goes_away_harms_nobody(self, server: Server) -> None:
        port = int(server.url.rpartition(":")[2])
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(
                    f"POST {DETAILS} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode()
                )
        assert server.send("POST", DETAILS, b'{"app_ids":[]}').status == 200


class TestModules:
    def test_the_script_needs_no_bundler(self) -> None:
        modules = worker_modules(sample_site())
        imports = re.findall(r'^import .* from "\./(.+)";$', worker_source().decode(), re.MULTILINE)
        assert sorted(["worker.js", *imports]) == sorted(modules)
        assert b"require(" not in worker_source()

    def test_texts_are_found_where_the_data_says(self) -> None:
        site = sample_site()
        modules = worker_modules(site)
        data = json.loads(modules["data.js"][1].removeprefix(b"export default ").rstrip(b";\n"))
        texts = modules["texts.bin"][1]
        assert [base["prefix"] for base in data["bases"]] == ["/legacy", ""]
        for found, base in zip(data["bases"], reversed(site.bases), strict=True):
            starts = found["detailStarts"]
            details = json.loads(b"{" + texts[starts[0] + 1 : starts[-1]] + b"}")
            assert details == {id_: json.loads(text) for id_, text in base.details.items()}
            assert list(details) == found["ids"]
            starts = found["itemStarts"]
            items = json.loads(b"[" + texts[starts[0] + 1 : starts[-1]] + b"]")
            assert items == [json.loads(text) for text in base.applications.items]

    def test_the_same_site_gives_the_same_bytes(self) -> None:
        assert worker_modules(sample_site()) == worker_modules(sample_site())

    def test_more_than_cloudflare_takes_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(worker_data, "MAX_SCRIPT_BYTES", 10_000)
        with pytest.raises(RefusedError, match="Cloudflare takes 10,000"):
            worker_modules(sample_site())


class TestConfig:
    def test_rules_are_those_that_cloudflare_takes(self) -> None:
        """The rules of workers-shared, parseStaticRouting.ts, as of wrangler 4.164.0."""
        rules = worker_config(sample_site())["run_worker_first"]
        assert 1 <= len(rules) <= 100
        for rule in rules:
            assert rule.startswith("/")
            assert len(rule) <= 100
            others = [other for other in rules if other is not rule]
            assert rule not in others
            if rule.endswith("*"):
                assert not [other for other in others if other.startswith(rule[:-1])]

    def test_every_file_has_its_caching_once(self) -> None:
        files = sample_site().files
        rules = header_rules(files)
        for path, file in files.items():
            fitting = [
                values
                for pattern, values in rules.items()
                if re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), path)
            ]
            stated = [values["Cache-Control"] for values in fitting if "Cache-Control" in values]
            types = [values["Content-Type"] for values in fitting if "Content-Type" in values]
            usual = file.cache_control == "public, max-age=0, must-revalidate"
            assert stated == ([] if usual else [file.cache_control])
            assert types in ([], [file.content_type])
            assert {"Allow": "GET, HEAD"} in fitting

    @pytest.mark.parametrize(
        "path",
        ["/a b", "/a%20b", "/é", "/a//b", "/a/", "/../a", "/a/./b", "/a+b", "/_headers", "a"],
    )
    def test_a_path_that_nobody_would_find_is_refused(self, path: str) -> None:
        site = sample_site()
        files = {**site.files, path: SiteFile.of(b"", TEXT)}
        with pytest.raises(RefusedError, match="rename"):
            worker_config(replace(site, files=files))

    def test_more_rules_than_cloudflare_takes_are_refused(self) -> None:
        site = sample_site()
        mixed = {
            f"/f{number}/{name}": SiteFile.of(b"", kind, immutable=kind == GZIP)
            for number in range(100)
            for name, kind in (("a", TEXT), ("b", GZIP))
        }
        with pytest.raises(RefusedError, match="rules"):
            worker_config(replace(site, files={**site.files, **mixed}))


def run_install(folder: Path, search: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(INSTALL), str(folder)],
        env={"PATH": search},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_without_npm_the_installer_says_what_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    uname = tools / "uname"
    uname.write_text('#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo x86_64\n')
    uname.chmod(0o755)
    result = run_install(tmp_path / "workerd", str(tools))
    assert result.returncode == 1
    assert "npm has to be installed" in result.stderr


@needs_workerd
def test_what_is_installed_is_kept() -> None:
    search = os.pathsep.join(["/usr/bin", "/bin"])
    before = (TOOLS / "workerd").stat().st_mtime_ns
    result = run_install(TOOLS, search)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("workerd ")
    assert (TOOLS / "workerd").stat().st_mtime_ns == before
