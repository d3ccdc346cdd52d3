"""What the worker's benchmarks stand on: steps outside a run, and a web server that is as slow as asked."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from dpcompile.plan import Plan, Step
from worker.context import StepContext
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop

_CHUNK = 1 << 16


def _say_nothing(kind: str, **data: Any) -> None:
    """The events of a step that nobody watches."""


@dataclass(slots=True, kw_only=True)
class StepRun:
    """Steps of a plan on a volume of their own."""

    plan: Plan
    settings: Settings
    results: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def context(self, step_id: str) -> StepContext:
        """What a step gets."""
        step = next(step for step in self.plan.steps if step.id == step_id)
        return StepContext(
            plan=self.plan,
            step=step,
            secrets=SecretStore({}),
            settings=self.settings,
            stop=Stop(),
            emit=_say_nothing,
            results=self.results,
        )


def run_of(volume: Path, steps: Sequence[Step], *, environ: Mapping[str, str] | None = None, **more: Any) -> StepRun:
    """A plan of these steps on a volume; `more` are settings of the worker."""
    work = volume / "work"
    names = {"trainer": "diffusion_pipe", "models": "models", "output": "training_outputs/j", "job": "jobs/j"}
    plan = Plan(
        job_id="j",
        model={"name": "m", "title": "M", "toml_type": "wan", "trigger_word": None},
        folders={"volume": str(volume), "work": str(work), **{k: str(work / v) for k, v in names.items()}},
        files=(),
        secrets=(),
        steps=tuple(steps),
        trainer={"repo": "r", "commit": "c"},
        compiler="0",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "GEMINI"))}
    settings = Settings(environ={**kept, **(environ or {})}, allow_private_addresses=True, **more)
    return StepRun(plan=plan, settings=settings)


class _Handler(SimpleHTTPRequestHandler):
    bytes_per_second: float | None = None

    def copyfile(self, source: Any, outputfile: BinaryIO) -> None:  # type: ignore[override]
        while chunk := source.read(_CHUNK):
            outputfile.write(chunk)
            if self.bytes_per_second is not None:
                time.sleep(len(chunk) / self.bytes_per_second)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


class StaticServer:
    """Serves a folder at `url`, each answer at most so many bytes per second. Use as a context."""

    def __init__(self, folder: Path, bytes_per_second: float | None = None) -> None:
        handler = type("Handler", (_Handler,), {"bytes_per_second": bytes_per_second})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StaticServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
