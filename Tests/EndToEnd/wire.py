"""HTTP by hand: bytes out, answers in, for what no well-behaved client would send."""

import http.client
import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Borrowed:
    """The connection's file, which one answer must not close: another may follow."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def close(self):
        pass


class Wire:
    """One connection. `with Wire(port) as wire: wire.send(b"GET / HTTP/1.1…"); wire.answer()`"""

    def __init__(self, port: int, timeout: float = 20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def makefile(self, _mode: str) -> _Borrowed:
        return _Borrowed(self.file)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "GET") -> Answer:
        response = http.client.HTTPResponse(self, method=method)
        response.begin()
        return Answer(response.status, response.headers, response.read())

    def is_closed(self) -> bool:
        """Waits until the server closes; false when it says something instead."""
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True


def request(
    method: str = "GET", path: str = "/hello", headers: dict[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """A well-formed request's bytes; give `Content-Length` to lie about the body."""
    fields = {"Host": "127.0.0.1", **(headers or {})}
    if body is not None and "Content-Length" not in fields and "Transfer-Encoding" not in fields:
        fields["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("latin-1") + b"\r\n" + (body or b"")


def once(port: int, data: bytes, method: str = "GET") -> Answer:
    with Wire(port) as wire:
        wire.send(data)
        return wire.answer(method)
