"""RunPod's control plane on 127.0.0.1: the public queue that clients use, and the webhooks that its SDK's loop asks."""

from __future__ import annotations

import json
import queue
import re
import threading
import uuid
from collections.abc import Callable
from typing import Any, Self

from tests.worker.doubles.web import Reply, Request, WebServer, json_reply

_HOLD_SECONDS = 0.3
"""How long a question for work is kept waiting."""
POD, ENDPOINT, KEY = "pod1", "ep", "rp_key_0123456789abcdef"


class RunPod:
    """`jobs` has the state of each job; `progress` what was told of each before its end. Use as a context."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.progress: dict[str, list[Any]] = {}
        self._changed = threading.Condition()
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stops: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.web = WebServer(self._answer)
        self.base = f"{self.web.url}/v2"

    def __enter__(self) -> Self:
        self.web.__enter__()
        return self

    def __exit__(self, *_error: object) -> None:
        self.web.__exit__(None, None, None)

    def environ(self) -> dict[str, str]:
        """What RunPod sets for a serverless worker."""
        hook = f"{self.base}/{ENDPOINT}"
        return {
            "RUNPOD_WEBHOOK_GET_JOB": f"{hook}/job-take/$ID?gpu=cpu",
            "RUNPOD_WEBHOOK_POST_OUTPUT": f"{hook}/job-done/$RUNPOD_POD_ID/$ID?gpu=cpu",
            "RUNPOD_WEBHOOK_POST_STREAM": f"{hook}/job-stream/$RUNPOD_POD_ID/$ID?gpu=cpu",
            "RUNPOD_WEBHOOK_PING": f"{hook}/ping/$RUNPOD_POD_ID?gpu=cpu",
            "RUNPOD_AI_API_KEY": KEY,
            "RUNPOD_POD_ID": POD,
            "RUNPOD_ENDPOINT_ID": ENDPOINT,
            "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        }

    def wait(self, job_id: str, until: Callable[[dict[str, Any]], bool], seconds: float = 120) -> dict[str, Any]:
        """The state of a job once it is as wanted."""
        with self._changed:
            assert self._changed.wait_for(lambda: until(self.jobs[job_id]), timeout=seconds), self.jobs[job_id]
            return dict(self.jobs[job_id])

    def _answer(self, request: Request) -> Reply:
        for method, pattern, answer in _ROUTES:
            found = re.fullmatch(rf"/v2/{ENDPOINT}/{pattern}", request.path)
            if found and method in (request.method, "*"):
                return answer(self, request, *found.groups())
        return json_reply({"error": "no such route"}, status=404)

    def _run(self, request: Request) -> Reply:
        job_id = f"{uuid.uuid4().hex[:8]}-u1"
        with self._changed:
            self.jobs[job_id] = {"id": job_id, "status": "IN_QUEUE", "input": request.json()["input"]}
            self.progress[job_id] = []
        self._queue.put(job_id)
        return json_reply({"id": job_id, "status": "IN_QUEUE"})

    def _status(self, _request: Request, job_id: str) -> Reply:
        with self._changed:
            job = self.jobs[job_id]
            return json_reply(
                {key: job[key] for key in ("id", "status", "output", "error") if job.get(key) is not None}
            )

    def _cancel(self, _request: Request, job_id: str) -> Reply:
        with self._changed:
            was, self.jobs[job_id]["status"] = self.jobs[job_id]["status"], "CANCELLED"
        if was == "IN_PROGRESS":
            self._stops.put(job_id)
        return json_reply({"id": job_id, "status": "CANCELLED"})

    def _take(self, _request: Request) -> Reply:
        try:
            job_id = self._queue.get(timeout=_HOLD_SECONDS)
        except queue.Empty:
            return Reply(status=204)
        with self._changed:
            self.jobs[job_id]["status"] = "IN_PROGRESS"
            self._changed.notify_all()
            return json_reply({"id": job_id, "input": self.jobs[job_id]["input"]})

    def _to_stop(self, _request: Request) -> Reply:
        try:
            return json_reply({"jobsToStop": [self._stops.get(timeout=_HOLD_SECONDS)]})
        except queue.Empty:
            return Reply(status=204)

    def _done(self, request: Request, job_id: str) -> Reply:
        told = json.loads(request.body)
        with self._changed:
            job = self.jobs[job_id]
            if told.get("status") == "IN_PROGRESS":
                self.progress[job_id].append(told["output"])
            else:
                if job["status"] != "CANCELLED":
                    job["status"] = "FAILED" if told.get("error") else "COMPLETED"
                job["output"], job["error"], job["ended"] = told.get("output"), told.get("error"), True
            self._changed.notify_all()
        return json_reply({})

    def _fine(self, _request: Request) -> Reply:
        return json_reply({})


_ROUTES: tuple[tuple[str, str, Callable[..., Reply]], ...] = (
    ("POST", "run", RunPod._run),
    ("*", "status/([^/]+)", RunPod._status),
    ("POST", "cancel/([^/]+)", RunPod._cancel),
    ("GET", f"job-take/{POD}", RunPod._take),
    ("GET", f"job-stop/{POD}", RunPod._to_stop),
    ("POST", f"job-done/{POD}/([^/]+)", RunPod._done),
    ("GET", f"ping/{POD}", RunPod._fine),
)
