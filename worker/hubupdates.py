"""Statuses of a run as files in the Hub's repository of its result, so that people can follow it from afar.

Each is `UPDATES/<0001>_<YYYYmmdd_HHMMSS>_<STATUS>.json` (contract). They are committed by a thread of their own:
several at once, since the Hub takes 128 commits an hour, tried again while the Hub is away, and given up where it
refuses. A run never waits for them, apart from a minute at its very end.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from dpcompile.plan import Plan
from worker.events import Event
from worker.progresswords import training_words
from worker.publishing import hubclient
from worker.publishing.retry import Result, tried
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.stopping import Stop

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "UPDATES"
_NUMBER = re.compile(rf"{FOLDER}/(\d+)_.*\.json")
_LAST_SECONDS = 60.0
"""How long the end of a run waits for the last statuses to be told."""
_PATIENCE_SECONDS = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One status; `time` is in seconds since 1970, UTC."""

    status: str
    time: float
    data: Mapping[str, Any]

    def name(self, number: int) -> str:
        return f"{FOLDER}/{number:04}_{_utc(self.time):%Y%m%d_%H%M%S}_{self.status}.json"

    def text(self, number: int, job_id: str, repo_id: str) -> str:
        told = {
            "status": self.status,
            "timestamp": _utc(self.time).isoformat(timespec="microseconds"),
            "job_id": job_id,
            "update_number": number,
            "repo_id": repo_id,
            "data": dict(self.data),
        }
        return json.dumps(told, indent=2)


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class HubUpdates:
    """A sink that tells the Hub. What the Hub refuses is raised by the next `emit`, which ends this sink alone."""

    def __init__(self, plan: Plan, target: Mapping[str, Any], token: str, settings: Settings) -> None:
        self._job_id = plan.job_id
        self._target, self._token, self._settings = target, token, settings
        self._changed = threading.Condition()
        self._waiting: list[Update] = []
        self._closing = False
        self._stop = Stop()
        self._refusal: Exception | None = None
        self._told_training: float | None = None
        self._thread = threading.Thread(target=self._work, name="hub-updates", daemon=True)
        self._thread.start()

    @classmethod
    def of(cls, plan: Plan, secrets: SecretStore, settings: Settings) -> HubUpdates | None:
        """The sink for a plan whose result may go to the Hub, where there is a token for it."""
        for step in plan.steps:
            for target in step.args.get("targets", ()) if step.kind == "publish" else ():
                token = hubclient.token_of(target, secrets) if target["kind"] == "huggingface" else None
                if token is not None:
                    return cls(plan, target, token, settings)
        return None

    def emit(self, event: Event) -> None:
        if self._refusal is not None:
            raise self._refusal
        if event.kind == "status":
            data = {key: value for key, value in event.data.items() if key != "status"}
            self._add(Update(status=str(event.data["status"]), time=event.time, data=data))
            if event.data["status"] == "TRAINING":
                self._told_training = event.time
        elif event.kind == "training" and self._is_due(event.time):
            self._told_training = event.time
            data = {"message": training_words(event.data), **event.data}
            self._add(Update(status="TRAINING", time=event.time, data=data))

    def _is_due(self, time: float) -> bool:
        """Whether a training that goes on is to be told of once more."""
        return self._told_training is not None and time - self._told_training >= self._settings.hub_progress_seconds

    def _add(self, update: Update) -> None:
        with self._changed:
            self._waiting.append(update)
            self._changed.notify()

    def close(self) -> None:
        """Waits for what is still to be told, a minute at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(_LAST_SECONDS)
        self._stop.request("cancelled")

    def _work(self) -> None:
        """In the sink's own thread."""
        try:
            self._deliver()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on without being told of in the Hub
            self._refusal = hubclient.in_words(error)

    def _deliver(self) -> None:
        updates, closing = self._next(not_before=0.0)
        if not updates:
            return
        api = hubclient.client(self._settings, self._token)
        repo = self._insist(lambda: self._repository(api))
        number = self._insist(lambda: _last_number(api, repo))
        while True:
            named = {u.name(n): u.text(n, self._job_id, repo) for n, u in enumerate(updates, number + 1)}
            if named:
                self._insist(partial(_commit, api, repo, named))
            if closing:
                return
            number += len(updates)
            updates, closing = self._next(not_before=time.monotonic() + self._settings.hub_commit_seconds)

    def _next(self, *, not_before: float) -> tuple[list[Update], bool]:
        """What is waiting once there is something and the time has come, or the run ends; and whether it ends."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closing)
            self._changed.wait_for(lambda: self._closing, timeout=max(0.0, not_before - time.monotonic()))
            updates, self._waiting = self._waiting, []
            return updates, self._closing

    def _repository(self, api: HfApi) -> str:
        repo = hubclient.repo_id(self._target, lambda: hubclient.user_name(api), rehearsal=self._settings.rehearse)
        api.create_repo(repo, private=bool(self._target.get("private", True)), exist_ok=True)
        return repo

    def _insist(self, work: Callable[[], Result]) -> Result:
        return tried(
            work,
            stop=self._stop,
            passing=hubclient.passing,
            first_wait=self._settings.retry_seconds,
            patience=_PATIENCE_SECONDS,
        )


def _last_number(api: HfApi, repo: str) -> int:
    """The number of the last update of an earlier run; 0 where there is none."""
    numbers = [int(found[1]) for name in api.list_repo_files(repo) if (found := _NUMBER.fullmatch(name))]
    return max(numbers, default=0)


def _commit(api: HfApi, repo: str, named: Mapping[str, str]) -> None:
    from huggingface_hub import CommitOperationAdd

    operations: Sequence[CommitOperationAdd] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=text.encode("utf-8")) for name, text in named.items()
    ]
    last = list(named)[-1].rpartition("_")[2].removesuffix(".json")
    api.create_commit(repo, operations, commit_message=f"Status: {last}")
