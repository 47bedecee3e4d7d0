"""Holds connections to PostgreSQL open, as a program that leaks them would: PORT NUMBER, the password on the standard
input, until that ends. Prints how many it got."""

import base64
import hashlib
import hmac
import secrets
import socket
import struct
import sys


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!I", len(content) + 4) + content


def read(connection: socket.socket) -> tuple[bytes, bytes]:
    """One message; source: PostgreSQL's protocol, 3.0."""
    head = exactly(connection, 5)
    return head[:1], exactly(connection, struct.unpack("!I", head[1:])[0] - 4)


def exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (more := connection.recv(count - len(data))):
            raise ConnectionError("the server hung up")
        data += more
    return data


def open_one(port: int, password: bytes) -> socket.socket:
    """Logged in, by SCRAM-SHA-256 (RFC 5802)."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    start = struct.pack("!I", 196608) + b"user\0souk\0database\0souk\0application_name\0fault\0\0"
    connection.sendall(struct.pack("!I", len(start) + 4) + start)
    nonce = secrets.token_urlsafe(18)
    first = f"n=,r={nonce}"
    while True:
        kind, content = read(connection)
        if kind == b"E":
            raise ConnectionError(content.decode(errors="replace"))
        if kind == b"Z":
            connection.settimeout(None)
            return connection
        if kind != b"R":
            continue
        match struct.unpack("!I", content[:4])[0]:
            case 10:
                initial = b"n,," + first.encode()
                body = b"SCRAM-SHA-256\0" + struct.pack("!I", len(initial)) + initial
                connection.sendall(message(b"p", body))
            case 11:
                connection.sendall(message(b"p", proof(password, first, content[4:].decode()).encode()))


def proof(password: bytes, first: str, server: str) -> str:
    fields = dict(part.split("=", 1) for part in server.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    last = f"c=biws,r={fields['r']}"
    signature = hmac.digest(hashlib.sha256(key).digest(), f"{first},{server},{last}".encode(), "sha256")
    return f"{last},p={base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True))).decode()}"


def main() -> None:
    port, number = int(sys.argv[1]), int(sys.argv[2])
    password = sys.stdin.buffer.readline().strip()
    held = []
    try:
        while len(held) < number:
            held.append(open_one(port, password))
    except OSError as error:
        # There are no more: that is what was wanted.
        print(f"connection {len(held) + 1}: {error}", file=sys.stderr)
    print(len(held), flush=True)
    sys.stdin.buffer.read()


main()
