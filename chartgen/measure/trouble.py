"""What goes wrong on the way to an endpoint and back, in words."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass

from chartgen.terminal import one_line

# A record of TLS (RFC 8446 §5.1): 21 is an alert, and 3 the version that all releases write.
_ALERT = "\x15\x03"
# OpenSSL 1.1.1 to 3.5 where the first bytes of the other side are those of plain HTTP.
_NO_TLS = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an answer is not whole.

    `kind` is `unreachable`, `tls` (of https), `https` (wanted there), `foreign` (no HTTP),
    `stalled` (silent for too long), `cut` (the other side ended the connection), `endless` (too
    long or too large), or `stopped` (by `hang_up`).
    """

    kind: str
    reason: str


STOPPED = Trouble("stopped", "stopped from the keyboard")
CUT = Trouble("cut", "the connection ended within the answer")
UNANSWERED = Trouble("cut", "the connection was closed before an answer began")


class NoReplyError(Exception):
    """Nothing came that could be read, or only a part; `seconds` went by from the request on."""

    def __init__(self, trouble: Trouble, seconds: float) -> None:
        super().__init__(trouble.reason)
        self.trouble, self.seconds = trouble, seconds


def unconnected(error: OSError) -> Trouble:
    """Return why no connection came about."""
    if isinstance(error, socket.gaierror):
        return Trouble("unreachable", "the name of the host is not known")
    if isinstance(error, ConnectionRefusedError):
        return Trouble("unreachable", "the connection was refused, nothing listens there")
    text = one_line(error.strerror or type(error).__name__)
    return Trouble("unreachable", f"no connection came about ({text})")


def ungreeted(error: OSError) -> Trouble:
    """Return why the greeting of TLS failed on a connection that had come about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = one_line(error.verify_message or "it is not trusted")
        return Trouble("tls", f"its certificate could not be verified: {reason}")
    if isinstance(error, ssl.SSLEOFError) or not isinstance(error, ssl.SSLError):
        return Trouble("tls", "the connection was closed at the TLS greeting of https")
    return _alerted(error)


def unanswered(error: Exception) -> Trouble:
    """Return why no head of an answer came."""
    if isinstance(error, ConnectionError | ssl.SSLEOFError):
        return UNANSWERED
    if isinstance(error, http.client.BadStatusLine) and str(error).startswith(_ALERT):
        return Trouble("https", "whoever listens there speaks TLS, not plain http")
    return interrupted(error)


def interrupted(error: Exception) -> Trouble:
    """Return why an answer ended before its end."""
    if isinstance(error, http.client.IncompleteRead | ConnectionError | ssl.SSLEOFError):
        return CUT
    if isinstance(error, ssl.SSLError):
        return _alerted(error)
    if isinstance(error, http.client.HTTPException):
        return Trouble("foreign", f"what came is no HTTP ({type(error).__name__})")
    text = one_line(getattr(error, "strerror", None) or type(error).__name__)
    return Trouble("cut", f"the connection broke ({text})")


def _alerted(error: ssl.SSLError) -> Trouble:
    reason = error.reason or "unknown"
    if reason in _NO_TLS:
        return Trouble("tls", "whoever listens there does not speak TLS, as https wants it")
    words = one_line(reason).lower().replace("_", " ")
    return Trouble("tls", f"the other side broke off TLS: {words}")
