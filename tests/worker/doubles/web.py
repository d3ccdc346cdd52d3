"""A local web server for doubles of paid services: real sockets, one function that answers, faults on demand."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, its body read."""

    method: str
    path: str
    """As it was sent, percent-encoded, without the query."""
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(
        status=status,
        body=json.dumps(value).encode(),
        headers={"Content-Type": "application/json", **(headers or {})},
    )


class Refused(Exception):
    """Raised by an answering function: the request is answered with this."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong for the next `times` requests that match."""

    match: str
    """Regular expression, searched in the path with its query."""
    method: str | None = None
    times: int = 1
    status: int | None = None
    """Answered instead of the real answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    done_first: bool = False
    """Whether the request is carried out and only its answer is lost."""
    drop_after: int | None = None
    """Bytes of the body that are sent before the connection ends."""
    wait: threading.Event | None = None
    """Held until this is set (a minute at most), before anything is done."""
    reached: threading.Event = field(default_factory=threading.Event)
    """Set once the fault has met a request."""

    def meets(self, request: Request, target: str) -> bool:
        return self.times > 0 and self.method in (None, request.method) and bool(re.search(self.match, target))


class WebServer:
    """Serves `answer` on a port of 127.0.0.1 that the system chooses, from `with` to its end."""

    def __init__(self, answer: Callable[[Request], Reply], *, host: str = "127.0.0.1") -> None:
        self._answer = answer
        self._lock = threading.Lock()
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://{host}:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def seen(self, method: str, match: str) -> list[Request]:
        """The requests of this method whose path matches."""
        with self._lock:
            return [r for r in self.requests if r.method == method and re.search(match, r.path)]

    def handle(self, request: Request, target: str) -> tuple[Reply, Fault | None]:
        with self._lock:
            self.requests.append(request)
            fault = next((f for f in self.faults if f.meets(request, target)), None)
            if fault:
                fault.times -= 1
        if fault:
            fault.reached.set()
            if fault.wait:
                fault.wait.wait(60)
        if fault and fault.status is not None and not fault.done_first:
            return _injected(fault), fault
        try:
            reply = self._answer(request)
        except Refused as refused:
            reply = refused.reply
        return (_injected(fault) if fault and fault.status is not None else reply), fault


def _injected(fault: Fault) -> Reply:
    assert fault.status is not None
    body = fault.body if fault.body is not None else b'{"error": "injected by the test"}'
    return Reply(status=fault.status, body=body, headers=fault.headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    owner: WebServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Tests read `WebServer.requests`; standard error stays quiet."""

    def _go(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )
        reply, fault = self.owner.handle(request, self.path)
        try:
            self._send(reply, fault.drop_after if fault else None)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client did not wait for the answer

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _go  # noqa: N815 - the names are the base class's

    def _read_body(self) -> bytes:
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _send(self, reply: Reply, drop_after: int | None) -> None:
        self.send_response(reply.status)
        headers = dict(reply.headers)
        headers.setdefault("Content-Length", str(len(reply.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:drop_after])
        self.wfile.flush()
        if drop_after is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
