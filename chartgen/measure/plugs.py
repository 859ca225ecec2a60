"""Connections to one address, each of which another thread can end at any time."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from chartgen.measure.address import Address
from chartgen.measure.trouble import NoReplyError, Trouble, unconnected, ungreeted
from chartgen.measure.watch import shut

CONNECT_SECONDS = 10.0


class Plugs:
    """Opens connections, from any thread, and ends all of them: those that come about, too."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.stopped = False

    def end_all(self) -> None:
        """End all connections, and let none begin again."""
        with self._lock:
            self.stopped = True
            for plug in self._open:
                shut(plug)

    @contextmanager
    def opened(self) -> Iterator[socket.socket]:
        """Open a connection, with TLS where the address says so; close it when the block ends.

        Its reads and writes have no timeout. Raises NoReplyError where none comes about.
        """
        plug = self._connected()
        try:
            if self._address.scheme == "https":
                plug = self._greeted(plug)
            plug.settimeout(None)
            # Headers and body are sent apart, and the body shall not wait for an answer to them.
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield plug
        finally:
            self._close(plug)

    def _connected(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(
                self._address.host, self._address.port, type=socket.SOCK_STREAM
            )
        except OSError as error:
            raise NoReplyError(unconnected(error), 0.0) from None
        trouble = Trouble("unreachable", "the host has no address")
        for family, kind, protocol, _, where in found:
            try:
                plug = socket.socket(family, kind, protocol)
            except OSError as error:
                # Such as an address of IPv6 where the kernel has none.
                trouble = unconnected(error)
                continue
            try:
                self._hold(plug)
                plug.settimeout(CONNECT_SECONDS)
                plug.connect(where)
            except TimeoutError:
                self._close(plug)
                reason = f"no connection came about in {CONNECT_SECONDS:g} s"
                trouble = Trouble("unreachable", reason)
            except OSError as error:
                self._close(plug)
                trouble = unconnected(error)
            except BaseException:
                self._close(plug)
                raise
            else:
                return plug
        raise NoReplyError(trouble, CONNECT_SECONDS)

    def _greeted(self, plug: socket.socket) -> ssl.SSLSocket:
        secure: socket.socket = plug
        try:
            secure = wrapped = self._context.wrap_socket(
                plug, server_hostname=self._address.host, do_handshake_on_connect=False
            )
            # The plain one has given its connection away.
            self._close(plug)
            self._hold(wrapped)
            wrapped.do_handshake()
        except TimeoutError:
            self._close(secure)
            waited = f"no answer to the TLS greeting of https came in {CONNECT_SECONDS:g} s"
            trouble = Trouble("tls", f"somebody listens there, but {waited}")
            raise NoReplyError(trouble, CONNECT_SECONDS) from None
        except OSError as error:
            self._close(secure)
            raise NoReplyError(ungreeted(error), 0.0) from None
        except BaseException:
            self._close(secure)
            raise
        return wrapped

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _hold(self, plug: socket.socket) -> None:
        with self._lock:
            if self.stopped:
                raise ConnectionAbortedError("stopped")
            self._open.add(plug)

    def _close(self, plug: socket.socket) -> None:
        with self._lock:
            self._open.discard(plug)
        plug.close()
