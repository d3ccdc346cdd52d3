"""The Gemini API on this machine: what Google's client uses to upload a video, have it described and delete it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_Answer = tuple[int, dict[str, Any], dict[str, str]]


@dataclass(slots=True, kw_only=True)
class Refusal:
    """An error in answer to the next requests whose path matches."""

    match: str
    code: int
    status: str
    times: int = 1
    message: str = "made to fail"
    details: list[dict[str, Any]] = field(default_factory=list)
    method: str = ".*"


def blocked_prompt() -> dict[str, Any]:
    return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}


def broken_off(reason: str, text: str | None = None) -> dict[str, Any]:
    parts = [] if text is None else [{"text": text}]
    return {"candidates": [{"content": {"parts": parts, "role": "model"}, "finishReason": reason, "index": 0}]}


class GeminiServer:
    """`with GeminiServer() as gemini:` describes each video by `gemini.describe(content)`."""

    def __init__(self, key: str, model: str = "gemini-x") -> None:
        self.key, self.model = key, model
        self.polls_until_ready = 1
        self.describe: Callable[[bytes], dict[str, Any]] = lambda content: broken_off("STOP", f"It shows {content!r}.")
        self.files: dict[str, dict[str, Any]] = {}
        self.refusals: list[Refusal] = []
        self.requests: list[tuple[str, str]] = []
        self.asked: list[dict[str, Any]] = []
        self.before_answer: Callable[[str], None] = lambda _path: None
        self._uploads: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"gemini": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> GeminiServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refusal(self, method: str, path: str) -> Refusal | None:
        with self._lock:
            for refusal in self.refusals:
                if refusal.times > 0 and re.search(refusal.match, path) and re.fullmatch(refusal.method, method):
                    refusal.times -= 1
                    return refusal
        return None

    def begin(self, meta: dict[str, Any], mime: str) -> str:
        with self._lock:
            name = f"v{len(self._uploads)}"
            self._uploads[name] = {"meta": meta, "mime": mime, "content": b""}
        return name

    def receive(self, name: str, content: bytes, *, final: bool) -> dict[str, Any]:
        upload = self._uploads[name]
        upload["content"] += content
        if not final:
            return {}
        file = {
            "name": f"files/{name}",
            "mimeType": upload["mime"],
            "sizeBytes": str(len(upload["content"])),
            "uri": f"{self.url}/v1/files/{name}",
            "state": "PROCESSING",
        }
        self.files[file["name"]] = {"file": file, "polls": 0, "content": upload["content"]}
        return {"file": file}

    def poll(self, name: str) -> dict[str, Any]:
        entry = self.files[name]
        entry["polls"] += 1
        if entry["polls"] > self.polls_until_ready:
            entry["file"]["state"] = "FAILED" if b"unreadable" in entry["content"] else "ACTIVE"
        file: dict[str, Any] = entry["file"]
        return file

    def generate(self, body: dict[str, Any]) -> _Answer:
        self.asked.append(body)
        for part in (part for content in body["contents"] for part in content["parts"]):
            data = part.get("fileData") or part.get("file_data")
            if data:
                uri = data.get("fileUri") or data.get("file_uri")
                entry = self.files[f"files/{uri.rsplit('/', 1)[-1]}"]
                if entry["file"]["state"] != "ACTIVE":
                    return _error(400, "FAILED_PRECONDITION", "The File is not in an ACTIVE state.")
                return 200, self.describe(entry["content"]), {}
        return _error(400, "INVALID_ARGUMENT", "no file in the request")


def _error(code: int, status: str, message: str, details: list[dict[str, Any]] | None = None) -> _Answer:
    return code, {"error": {"code": code, "message": message, "status": status, "details": details or []}}, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gemini: GeminiServer

    def log_message(self, *_args: object) -> None: ...

    def _handle(self) -> None:
        body, path = self._body(), self.path.split("?", maxsplit=1)[0]
        self.gemini.requests.append((self.command, path))
        self.gemini.before_answer(path)
        refusal = self.gemini.refusal(self.command, path)
        if refusal:
            answer = _error(refusal.code, refusal.status, refusal.message, refusal.details)
        elif self.headers.get("x-goog-api-key") != self.gemini.key and not path.startswith("/up/"):
            answer = _error(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.")
        else:
            answer = self._route(path, body)
        code, value, headers = answer
        content = json.dumps(value).encode()
        self.send_response(code)
        for name, text in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _route(self, path: str, body: bytes) -> _Answer:
        gemini = self.gemini
        if path == "/upload/v1/files":
            mime = self.headers.get("X-Goog-Upload-Header-Content-Type", "")
            name = gemini.begin(json.loads(body or b"{}"), mime)
            return 200, {}, {"X-Goog-Upload-URL": f"{gemini.url}/up/{name}", "X-Goog-Upload-Status": "active"}
        if found := re.fullmatch(r"/up/(\w+)", path):
            final = "finalize" in self.headers["X-Goog-Upload-Command"]
            value = gemini.receive(found[1], body, final=final)
            return 200, value, {"X-Goog-Upload-Status": "final" if final else "active"}
        if found := re.fullmatch(r"/v1/(files/\w+)", path):
            if found[1] not in gemini.files:
                return _error(403, "PERMISSION_DENIED", "You do not have permission to access the File.")
            if self.command == "DELETE":
                del gemini.files[found[1]]
                return 200, {}, {}
            return 200, gemini.poll(found[1]), {}
        if found := re.fullmatch(r"/v1/models/([^:]+)(:generateContent)?", path):
            if found[1] != gemini.model:
                return _error(404, "NOT_FOUND", f"models/{found[1]} is not found for API version v1: no such model")
            if found[2]:
                return gemini.generate(json.loads(body))
            return 200, {"name": f"models/{gemini.model}"}, {}
        return _error(404, "NOT_FOUND", f"no route for {path}")
