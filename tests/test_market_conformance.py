"""The conformance suite against the Python server, and against any address that is given.

pytest tests/test_market_conformance.py --base-url https://market.example.com
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from chartgen.market.site import HTML, Site, SiteFile
from tests.conformance import Conformance, Server
from tests.markets import sample

PAGES = {
    "/index.html": SiteFile.of(b"<!doctype html><title>Market</title>", HTML),
    "/apps/alpha.html": SiteFile.of(b"<!doctype html><title>Alpha</title>", HTML),
}


@contextmanager
def running(site: Callable[[], Site]) -> Iterator[str]:
    """Serve what a function returns from a thread; yield the address."""
    pytest.importorskip("uvicorn", reason="needs the extra chartgen[serve]")
    pytest.importorskip("starlette", reason="needs the extra chartgen[serve]")
    from chartgen.market.serve import open_socket, server

    with open_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        runner = server(site)
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not runner.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            runner.should_exit = True
            thread.join()


@pytest.mark.loopback
class TestServer(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def server(cls, request: pytest.FixtureRequest) -> Iterator[Server]:
        address = request.config.getoption("--base-url", default="")
        if address:
            yield Server(address.rstrip("/"))
        else:
            site = sample().site(PAGES)
            with running(lambda: site) as url:
                yield Server(url, site)
