"""What any machine can talk to Nod with: curl, and a WebSocket of a screenful; not our code."""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_PATIENCE_S = 20


class Answer(NamedTuple):
    """A response: its status and its JSON; None for an empty body."""

    status: int
    body: Any


def call(method: str, url: str, headers: Mapping[str, str], body: object | None = None) -> Answer:
    """One HTTP request, by curl where there is one, else by the standard library."""
    sent = None if body is None else json.dumps(body).encode()
    headers = {**headers, **({} if sent is None else {"Content-Type": "application/json"})}
    by = _curl if shutil.which("curl") else _urllib
    status, text = by(method, url, headers, sent)
    return Answer(status, json.loads(text) if text else None)


def _curl(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    command = ["curl", "-sS", "-m", str(_PATIENCE_S), "-X", method, "-w", "\n%{http_code}"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if body is not None:
        command += ["--data-binary", "@-"]
    done = subprocess.run([*command, url], input=body, capture_output=True, check=True)
    text, _, status = done.stdout.rpartition(b"\n")
    return int(status), text


def _urllib(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None
) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, dict(headers), method=method)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310 - ours
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class WebSocket:
    """The client's side of RFC 6455, as much of it as JSON in text frames needs."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=_PATIENCE_S)
        self._stream = self._socket.makefile("rb")
        lines = [
            f"GET {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        self._socket.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        status = self._stream.readline()
        assert b" 101 " in status, status
        while self._stream.readline().strip():
            pass

    def send(self, frame: object) -> None:
        """One JSON text frame (section 5.2; a client masks what it sends)."""
        self._send(0x1, json.dumps(frame).encode())

    def receive(self) -> Any:
        """The next JSON text frame; pings are answered on the way (section 5.5.2)."""
        while True:
            opcode, payload = self._read()
            if opcode == 0x1:
                return json.loads(payload)
            if opcode == 0x9:
                self._send(0xA, payload)
            elif opcode == 0x8:
                raise ConnectionError(f"closed with {payload!r}")

    def close_code(self) -> int:
        """The code with which the server closes the connection (section 5.5.1)."""
        while True:
            opcode, payload = self._read()
            if opcode == 0x8:
                return int(struct.unpack("!H", payload[:2])[0])

    def close(self) -> None:
        self._send(0x8, struct.pack("!H", 1000))
        self._stream.close()
        self._socket.close()

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        size = len(payload)
        head = bytes([0x80 | opcode])
        head += struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0xFE, size)
        self._socket.sendall(head + mask + masked)

    def _read(self) -> tuple[int, bytes]:
        first, second = self._stream.read(2)
        assert first & 0x80, "a server that sends fragments needs a larger client"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._stream.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._stream.read(8))
        return first & 0x0F, self._stream.read(size)
