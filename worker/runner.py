"""Running the steps of a plan: each when those it needs are done, side by side where it can."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from dpcompile.plan import Plan, Step, StepKind
from worker.context import RunStep, StepContext
from worker.errors import StepFailed, Stopped
from worker.eventlog import Events, plain
from worker.failures import in_words, trace
from worker.keeping import Selection
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.state import StateFile, StepRecord, StepStatus, work_of
from worker.stopping import Reason, Stop

_POLL_SECONDS = 0.5
"""How soon a request to stop is noticed while steps are working."""


class Watcher(Protocol):
    """What is told of the steps, beside the events."""

    def step_started(self, step: Step) -> None: ...

    def step_done(self, step: Step) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the steps of one run share."""

    plan: Plan
    run_step: Mapping[StepKind, RunStep]
    secrets: SecretStore
    settings: Settings
    stop: Stop
    events: Events
    state: StateFile
    watchers: tuple[Watcher, ...]
    resume: bool
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended. It succeeded when there is neither a failure nor a reason to have stopped."""

    results: Mapping[str, Mapping[str, Any]]
    failures: tuple[tuple[str, StepFailed], ...] = ()
    """(step, what went wrong), the first first."""
    stopped: Reason | None = None
    """Why it was stopped from outside, if it was, before all was done."""
    stuck: tuple[str, ...] = ()
    """Steps that did not stop in the time they were given; they may still be working."""


@dataclass(slots=True)
class _Ended:
    step: Step
    result: object = None
    error: BaseException | None = None


@dataclass(slots=True)
class StepRunner:
    """One run of the steps of a plan. Used once, from one thread; the steps have threads of their own."""

    run: Run
    selection: Selection
    _results: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _waiting: dict[str, Step] = field(default_factory=dict)
    _working: dict[str, float] = field(default_factory=dict)
    """Step -> when it began, in seconds of the monotonic clock."""
    _ended: queue.SimpleQueue[_Ended] = field(default_factory=queue.SimpleQueue)
    _give_up: float | None = None
    _failures: list[tuple[str, StepFailed]] = field(default_factory=list)

    def __call__(self) -> Outcome:
        """Does all steps of the selection, or ends them in order when one fails or the run has to stop."""
        self._results.update(self.selection.kept)
        self._waiting = {step.id: step for step in self.selection.todo}
        for step in self.run.plan.steps:
            if step.id in self.selection.kept:
                self.run.events.emit("step_kept", step.id)
        self._start_ready()
        while self._working and not self._out_of_patience():
            try:
                ended = self._ended.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            self._out_of_patience()
            self._take(ended)
            self._start_ready()
        return self._outcome()

    def _out_of_patience(self) -> bool:
        """Whether the steps at work have been asked to stop, and have had the time for it."""
        if not self.run.stop.requested():
            return False
        if self._give_up is None:
            self._give_up = time.monotonic() + self.run.settings.stop_minutes * 60
            why = f"stopping ({self.run.stop.reason}): {', '.join(self._working)} may put everything in order first"
            self.run.events.emit("note", None, {"message": why})
        return time.monotonic() > self._give_up

    def _outcome(self) -> Outcome:
        reason = self.run.stop.reason
        unfinished = bool(self._waiting or self._working or len(self._results) < len(self._expected()))
        outside = reason if unfinished and reason != "another step failed" else None
        return Outcome(
            results=dict(self._results),
            failures=tuple(self._failures),
            stopped=outside,
            stuck=tuple(self._working),
        )

    def _expected(self) -> set[str]:
        return {*self.selection.kept, *(step.id for step in self.selection.todo)}

    def _start_ready(self) -> None:
        if self.run.stop.requested():
            return
        for step in list(self._waiting.values()):
            if all(need in self._results or not self._is_todo(need) for need in step.needs):
                del self._waiting[step.id]
                self._start(step)

    def _is_todo(self, step: str) -> bool:
        return any(step == other.id for other in self.selection.todo)

    def _start(self, step: Step) -> None:
        before = self.run.state.state.steps.get(step.id)
        resume = self.run.resume or (before is not None and before.goes_on())
        self._working[step.id] = time.monotonic()
        if not self._record(step, "begun"):
            del self._working[step.id]
            return
        self.run.events.emit("step_started", step.id, {"kind": step.kind})
        for watcher in self.run.watchers:
            watcher.step_started(step)
        threading.Thread(target=self._work, args=(step, resume), name=step.id, daemon=True).start()

    def _work(self, step: Step, resume: bool) -> None:
        """In the step's own thread."""
        try:
            context = StepContext(
                plan=self.run.plan,
                step=step,
                secrets=self.run.secrets,
                settings=self.run.settings,
                stop=self.run.stop,
                emit=self.run.events.for_step(step.id),
                results=dict(self._results),
                resume=resume,
            )
            result = self.run.run_step[step.kind](context)
        except BaseException as error:  # noqa: BLE001 - whatever ends the thread, the run has to hear of it
            self._ended.put(_Ended(step, error=error))
        else:
            self._ended.put(_Ended(step, result=result))

    def _take(self, ended: _Ended) -> None:
        step = ended.step
        seconds = time.monotonic() - self._working.pop(step.id)
        if isinstance(ended.error, Stopped) and self.run.stop.requested():
            self._record(step, "stopped")
            self.run.events.emit("step_stopped", step.id, {"message": str(ended.error)})
        elif ended.error is not None:
            self._fail(step, ended.error)
        elif not isinstance(ended.result, dict):
            self._fail(step, TypeError(f"the step returned {type(ended.result).__name__}, not an object"))
        else:
            self._done(step, plain(ended.result), seconds)

    def _done(self, step: Step, result: dict[str, Any], seconds: float) -> None:
        # The signed addresses of S3 show the access key: that is how they work.
        secrets = self.run.secrets.without("s3_access_key") if step.kind == "publish" else self.run.secrets
        result = secrets.redact_value(result)
        self._results[step.id] = result
        if not self._record(step, "done", result=result):
            return
        self.run.events.emit("step_done", step.id, {"seconds": round(seconds, 3)})
        for watcher in self.run.watchers:
            watcher.step_done(step)

    def _fail(self, step: Step, error: BaseException) -> None:
        failure = in_words(error, step.id)
        self._tell_failure(step, failure, **({"traceback": trace(error)} if failure.code == "DPC709" else {}))
        self._record(step, "failed", resumable=failure.resumable, error=self.run.secrets.redact(failure.message))

    def _tell_failure(self, step: Step, failure: StepFailed, **more: str) -> None:
        told = {"code": failure.code, "message": failure.message, "hint": failure.hint, **more}
        self.run.events.emit("step_failed", step.id, told)
        self._failures.append((step.id, failure))
        self.run.stop.request("another step failed")

    def _record(self, step: Step, status: StepStatus, **more: Any) -> bool:
        """Notes on disk how far a step has come. When that is impossible the run ends: it could not go on later."""
        record = StepRecord(status=status, work=work_of(step), time=self.run.clock(), **more)
        try:
            self.run.state.record(step.id, record)
        except OSError as error:
            failure = in_words(error, "the state of the run cannot be written")
            if failure.code not in [known.code for _step, known in self._failures]:
                self._tell_failure(step, failure)
            return False
        return True
