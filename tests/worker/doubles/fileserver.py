"""A web server for files, with the faults that servers and networks have."""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong with the next GET requests, `times` of them."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    """The connection ends after so many bytes of the body."""
    stall_after: int | None = None
    """Nothing comes after so many bytes, and the connection stays."""
    claimed: int | None = None
    """A length that is not the one of the body."""
    wrong_part: bool = False
    """A range is answered with another one."""
    times: int = 1


class FileServer:
    """Serves `files` on a port of its own. Use as a context."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.files: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.etags = True
        self.dates = False
        self.ranges = True
        self.requests: list[dict[str, str]] = []
        """Headers of each GET, `:path` among them."""
        self.sent = 0
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"server_of_files": self})
        self._server = _Server((host, 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, content: bytes) -> str:
        """The address of a new file, or of a new version of one."""
        self.files[path] = content
        return f"{self.url}/{path}"


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that break off, as these tests make them do, are nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_files: FileServer

    def log_message(self, *_args: object) -> None: ...

    def do_GET(self) -> None:
        server = self.server_of_files
        server.requests.append({":path": self.path, **dict(self.headers)})
        fault = self._fault()
        content = server.files.get(urlsplit(self.path).path.removeprefix("/"))
        if fault.status is not None:
            self._send(fault.status, b"made to fail", fault.headers, Fault())
        elif content is None:
            self._send(404, b"no such file", {}, fault)
        else:
            self._serve(content, fault)

    def _fault(self) -> Fault:
        for fault in self.server_of_files.faults:
            if fault.times > 0:
                fault.times -= 1
                return fault
        return Fault()

    def _serve(self, content: bytes, fault: Fault) -> None:
        server = self.server_of_files
        headers: dict[str, str] = {}
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        if server.etags:
            headers["ETag"] = etag
        if server.dates:
            headers["Last-Modified"] = "Wed, 21 Oct 2026 07:28:00 GMT"
        if server.etags and self.headers.get("If-None-Match") == etag:
            self._send(304, b"", headers, fault)
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not (found and server.ranges and self.headers.get("If-Range") in (etag, headers.get("Last-Modified"))):
            self._send(200, content, headers, fault)
            return
        start = int(found[1]) + (1 if fault.wrong_part else 0)
        if start >= len(content):
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"}, fault)
            return
        headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206, content[start:], headers, fault)

    def _send(self, status: int, body: bytes, headers: dict[str, str], fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if fault.claimed is None else fault.claimed))
        self.end_headers()
        cut = fault.drop_after if fault.drop_after is not None else fault.stall_after
        body = body if cut is None else body[:cut]
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            return
        self.server_of_files.sent += len(body)
        if fault.stall_after is not None:
            self.server_of_files.closing.wait(timeout=120)
        if cut is not None or fault.claimed is not None:
            self.close_connection = True
