"""The guard of conftest.py holds: a test reaches neither the network nor the home folder."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from conftest import HOME, OutsideWorldError


def test_no_address_is_connected_to() -> None:
    # 192.0.2.1 is kept free for documentation (RFC 5737); no packet may leave anyway.
    with socket.socket() as plug, pytest.raises(OutsideWorldError):
        plug.connect(("192.0.2.1", 80))


def test_no_name_is_looked_up() -> None:
    with pytest.raises(OutsideWorldError):
        socket.getaddrinfo("example.com", 80)


def test_not_even_this_machine_is_connected_to() -> None:
    with socket.socket() as plug, pytest.raises(OutsideWorldError):
        plug.bind(("127.0.0.1", 0))


@pytest.mark.loopback
def test_a_marked_test_talks_to_this_machine_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    with socket.socket() as plug, pytest.raises(OutsideWorldError):
        plug.connect(("192.0.2.1", 80))


@pytest.mark.skipif(Path("/") == HOME, reason="this user's home is the root folder")
def test_nothing_is_written_at_home() -> None:
    with pytest.raises(OutsideWorldError):
        (HOME / "written-by-a-test").write_text("x")
    with pytest.raises(OutsideWorldError):
        (HOME / "made-by-a-test").mkdir()
    assert not (HOME / "written-by-a-test").exists()


def test_home_is_an_empty_folder_elsewhere() -> None:
    home = Path.home()

    assert home != HOME
    assert list(home.iterdir()) == []
