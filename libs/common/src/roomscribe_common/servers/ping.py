"""One quick question to each server that only a ready one answers well."""

import socket
import struct
from http.client import HTTPConnection, HTTPException

from roomscribe_common.servers.ports import LOOPBACK

_TIMEOUT_S = 1.0


def nats(port: int) -> bool:
    """NATS greets at once; JetStream is named in the greeting when it is on."""
    return b'"jetstream":true' in _ask(port, b"")


def redis(port: int) -> bool:
    """Redis answers PONG, and LOADING while it reads its file."""
    return _ask(port, b"PING\r\n").startswith(b"+PONG")


def http(port: int, path: str = "/") -> tuple[int, str]:
    """Return the status and the body of a GET; status 0 if nobody answers."""
    connection = HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read(4096).decode(errors="replace")
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()


def postgres(port: int) -> bool:
    """PostgreSQL asks for nothing more (authentication ok) only once it takes connections."""
    parameters = b"user\0postgres\0database\0postgres\0\0"
    hello = struct.pack("!ii", len(parameters) + 8, 196608) + parameters
    return _ask(port, hello).startswith(b"R\0\0\0\x08\0\0\0\0")


def _ask(port: int, request: bytes) -> bytes:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=_TIMEOUT_S) as connection:
            connection.sendall(request)
            return connection.recv(4096)
    except OSError:
        return b""
