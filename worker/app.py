"""One request from beginning to end: compiled, checked, run, answered."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan, Step, StepKind
from worker.context import RunStep
from worker.errors import StepFailed
from worker.eventlog import NAME as EVENTS
from worker.eventlog import Events, JsonLines
from worker.events import Sink
from worker.failures import in_words, trace
from worker.jobfolder import open_state, write_files
from worker.joblock import JobLock
from worker.keeping import NoSuchStep, select, wanted_steps
from worker.request import (
    JobOptions,
    Refused,
    Request,
    check_secrets,
    check_volume,
    decoded,
    find_volume,
    gather_secrets,
    is_plan,
    read_job,
    read_plan,
    secret_texts,
)
from worker.response import Failure, Response, failure, of_outcome, of_step_failed, success
from worker.runner import Outcome, Run, StepRunner
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.state import StateFile
from worker.statuses import Statuses
from worker.steps.registry import RUN_STEP
from worker.stopping import Stop
from worker.timelimit import TimeLimit, stop_after_seconds, training_limit_seconds

MakeSinks = Callable[[Plan, SecretStore], Sequence[Sink]]
"""Makes the sinks of one run, beside the file of events; they are closed at its end."""


def no_sinks(_plan: Plan, _secrets: SecretStore) -> Sequence[Sink]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """How requests are run on this machine. It keeps nothing of one request for the next."""

    settings: Settings
    make_sinks: MakeSinks = no_sinks
    run_step: Mapping[StepKind, RunStep] = field(default_factory=lambda: RUN_STEP)
    clock: Callable[[], float] = time.time
    """Seconds since 1970, UTC."""


async def run_request(
    document: object,
    worker: Worker,
    *,
    options: JobOptions | None = None,
    resume: bool = False,
    until: str | None = None,
    plans: bool = False,
    stop: Stop | None = None,
) -> Response:
    """Runs one request and answers it; see `run_now`.

    When the task is cancelled the steps are asked to stop, and CancelledError goes on once they have left
    everything in order, or after `settings.stop_minutes`.
    """
    stop = stop or Stop()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Response] = loop.create_future()

    def work() -> None:
        try:
            response = run_now(document, worker, options=options, resume=resume, until=until, plans=plans, stop=stop)
        except BaseException as error:  # noqa: BLE001 - it goes on in the task
            loop.call_soon_threadsafe(answer.set_exception, error)
        else:
            loop.call_soon_threadsafe(answer.set_result, response)

    # Not one of asyncio's own threads: those are waited for at the end of the program, however long.
    threading.Thread(target=work, name="run", daemon=True).start()
    cancelled = False
    while not answer.done():
        try:
            await asyncio.wait([answer])
        except asyncio.CancelledError:
            cancelled = True
            stop.request("cancelled")
    if cancelled:
        answer.exception()
        raise asyncio.CancelledError
    return answer.result()


def run_now(
    document: object,
    worker: Worker,
    *,
    options: JobOptions | None = None,
    resume: bool = False,
    until: str | None = None,
    plans: bool = False,
    stop: Stop | None = None,
) -> Response:
    """Runs one request and answers it, in this thread.

    `document` is a job (JSON text, or the decoded value, in RunPod's envelope or bare), or a plan where
    `plans` allows it: a plan names programs to run, and so must not come from strangers. `until` is the
    last step to do. Whatever happens is in the answer; only NoSuchStep is raised, and that before any work.
    """
    hidden = SecretStore({str(n): text for n, text in enumerate(secret_texts(decoded(document)))})
    try:
        request, secrets = _prepared(document, worker, options or JobOptions(), until, plans=plans)
        hidden = secrets
        return _run_plan(request, secrets, worker, stop or Stop(), resume=resume, until=until)
    except NoSuchStep:
        raise
    except Refused as refused:
        return _hidden(failure(refused.error, refused.diagnostics, resumable=False), hidden)
    except Exception as error:  # noqa: BLE001 - the outermost place: nothing may leave here unredacted
        failed = in_words(error, "the run")
        return _hidden(of_step_failed(failed, tail=trace(error) if failed.code == "DPC709" else ""), hidden)


def _hidden(response: Failure, secrets: SecretStore) -> Failure:
    safe: Failure = secrets.redact_value(response)
    return safe


def _prepared(
    document: object, worker: Worker, options: JobOptions, until: str | None, *, plans: bool
) -> tuple[Request, SecretStore]:
    """All that can be known before any work: the job's mistakes, a missing volume, missing secrets."""
    settings = worker.settings
    value = decoded(document)
    if plans and is_plan(value):
        request = read_plan(value)
    else:
        volume = options.volume or find_volume(settings.environ)
        request = read_job(document, options, volume, rehearse=settings.rehearse)
    steps = wanted_steps(request.plan, until)
    check_volume(request.plan)
    secrets = gather_secrets(request, settings.environ)
    check_secrets(request.plan, secrets, steps)
    return request, secrets


def _run_plan(
    request: Request, secrets: SecretStore, worker: Worker, stop: Stop, *, resume: bool, until: str | None
) -> Response:
    plan = request.plan
    folder = Path(plan.folders["job"])
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context(JobLock(folder))
        state = open_state(folder, plan, rehearsal=worker.settings.rehearse)
        write_files(folder, plan, state)
        events = Events([JsonLines(folder / EVENTS), *worker.make_sinks(plan, secrets)], secrets, worker.clock)
        stack.callback(events.close)
        if not lock.supported:
            text = "this volume has no file locks: nothing keeps a second worker from running the same job"
            events.emit("warning", None, {"message": text, "hint": "Start each job once."})
        for remark in request.remarks:
            told = {"message": f"{remark['code']}: {remark['message']}", "hint": remark["hint"]}
            events.emit("warning" if remark["severity"] == "warning" else "note", None, told)
        run = _Running(request, secrets, worker, stop, state, events)
        response, outcome = run(resume=resume, until=until)
        if outcome.stuck:
            lock.keep()
    return response


class _Running:
    """A run whose job folder is ready."""

    def __init__(
        self, request: Request, secrets: SecretStore, worker: Worker, stop: Stop, state: StateFile, events: Events
    ) -> None:
        self._request = request
        self._secrets = secrets
        self._worker = worker
        self._stop = stop
        self._state = state
        self._events = events

    def __call__(self, *, resume: bool, until: str | None) -> tuple[Response, Outcome]:
        plan, settings = self._request.plan, self._worker.settings
        selection = select(plan, self._state.state, until)
        statuses = Statuses(plan, selection.todo, self._tell)
        statuses.initialized()
        limit = TimeLimit(self._stop, platform=stop_after_seconds(settings), training=training_limit_seconds(plan))
        with limit:
            run = Run(
                plan=plan,
                run_step=self._worker.run_step,
                secrets=self._secrets,
                settings=settings,
                stop=self._stop,
                events=self._events,
                state=self._state,
                watchers=(statuses, _TrainingEnds(selection.todo, limit)),
                resume=resume,
                clock=self._worker.clock,
            )
            statuses.starting()
            outcome = StepRunner(run, selection)()
        return self._answer(outcome, statuses, until), outcome

    def _answer(self, outcome: Outcome, statuses: Statuses, until: str | None) -> Response:
        plan = self._request.plan
        response: Response
        if outcome.failures or outcome.stopped is not None:
            step = outcome.failures[0][0] if outcome.failures else next(iter(outcome.stuck), None)
            response = of_outcome(outcome, self._events.tail(step or self._last_trained()), self._request.remarks)
            response = _hidden(response, self._secrets)
            statuses.error(response["error"], resumable=response["resumable"])
        else:
            if all(step.id in outcome.results for step in plan.steps):
                statuses.complete()
            else:
                self._events.emit("note", None, {"message": f"ended after {until}, as asked"})
            shown = self._secrets.without("s3_access_key")  # the signed addresses of S3 show it
            response = shown.redact_value(success(plan, outcome.results, self._events.warnings()))
        self._note_outcome(response)
        return response

    def _last_trained(self) -> str | None:
        steps = self._state.state.steps
        trained = [s.id for s in self._request.plan.steps if s.kind == "train" and s.id in steps]
        return trained[-1] if trained else None

    def _note_outcome(self, response: Response) -> None:
        """For `status`. The answer is right without it, so a full disk is only told."""
        try:
            self._state.save(replace(self._state.state, outcome=dict(response)))
        except OSError as error:
            failed: StepFailed = in_words(error, "the outcome of the run cannot be written")
            self._events.emit("warning", None, {"message": failed.message, "hint": failed.hint})

    def _tell(self, status: str, data: Mapping[str, Any]) -> None:
        self._events.emit("status", None, {"status": status, **data})


class _TrainingEnds:
    """Lifts the job's time limit when the last training is done."""

    def __init__(self, todo: Sequence[Step], limit: TimeLimit) -> None:
        self._left = {step.id for step in todo if step.kind == "train"}
        self._limit = limit

    def step_started(self, step: Step) -> None:
        """Nothing to do."""

    def step_done(self, step: Step) -> None:
        self._left.discard(step.id)
        if step.kind == "train" and not self._left:
            self._limit.training_done()
