"""Jobs from RunPod: its SDK takes them from the queue, one request each, and brings back the answers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import FrameType
from typing import Any

from dpcompile.plan import Plan
from worker.app import Worker, run_request
from worker.environment import SettingsError, read_settings
from worker.events import Sink
from worker.hubupdates import HubUpdates
from worker.runpodprogress import RunPodProgress
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop
from worker.terminal import view_for

Job = Mapping[str, Any]
Handler = Callable[[Job], Awaitable[dict[str, Any]]]
Progress = Callable[[Job, Mapping[str, Any]], None]

_QUIET_SECONDS = 0.5
"""Before the answer, so that no progress update on its way arrives after it."""
_LOG_LEVELS = ("RUNPOD_LOG_LEVEL", "RUNPOD_DEBUG_LEVEL")
_USAGE = 2


def main() -> None:
    """Takes jobs until RunPod ends this worker. Exits with 2 when the worker's settings are wrong."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        print(f"The worker cannot start: {error}", file=sys.stderr)
        sys.exit(_USAGE)
    for name in _LOG_LEVELS:
        # At DEBUG, which is the SDK's own choice, it prints whole jobs with their tokens.
        if os.environ.get(name, "DEBUG").upper() in ("DEBUG", "TRACE"):
            os.environ[name] = "INFO"
    import runpod

    runpod.serverless.start({"handler": handler_of(settings, runpod.serverless.progress_update)})


def handler_of(settings: Settings, progress: Progress) -> Handler:
    """What RunPod's SDK calls with each job. It returns the answer of the contract, and raises only when cancelled."""

    async def handle(job: Job) -> dict[str, Any]:
        stop = Stop()
        before = _stopped_by_sigterm(stop)

        def sinks(plan: Plan, secrets: SecretStore) -> list[Sink]:
            hub = HubUpdates.of(plan, secrets, settings)
            told = RunPodProgress(lambda state: progress(job, state), settings.runpod_progress_seconds)
            return [view_for(sys.stderr), told, *([hub] if hub else [])]

        document = {key: job[key] for key in ("id", "input") if key in job}
        try:
            response = await run_request(document, Worker(settings=settings, make_sinks=sinks), stop=stop)
        finally:
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        await asyncio.sleep(_QUIET_SECONDS)
        return dict(response)

    return handle


def _stopped_by_sigterm(stop: Stop) -> Callable[[int, FrameType | None], Any] | int | None:
    """SIGTERM asks the job to save and end, beside what the SDK does about it: it takes no more jobs.

    Returns what was set before; None outside of the main thread, where no signal can be heard.
    """
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> None:
        stop.request("signal")
        if callable(before):
            before(number, frame)

    try:
        signal.signal(signal.SIGTERM, handle)
    except ValueError:
        return None
    return before if before is not None else signal.SIG_DFL
