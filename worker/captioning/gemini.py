"""Gemini describes videos, by Google's own client. Runs as a child process.

Each video is uploaded, waited for until the service has looked through it, described, and deleted there,
whatever happened in between. Asked to stop, it deletes what it uploaded and ends.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from worker.captioning.media import VIDEO_TYPES
from worker.captioning.retrying import Failure, Fatal, pause_before_retry
from worker.captioning.wording import tidied
from worker.childprocess import Tell, serve
from worker.stopping import Stop

T = TypeVar("T")

GRACE_SECONDS = 15.0
_AT_ONCE = 4
_TIMEOUT_MILLISECONDS = 300_000
_TRIES = 8
_STATE_SECONDS = 600.0
_EMPTY_TRIES = 2


class Stopping(Exception):
    """The worker wants this to end."""


def work(request: dict[str, Any], tell: Tell, stop: Stop) -> None:
    """Describes every item of the request, several at once."""
    session = Session(request=request, tell=tell, stop=stop)
    with contextlib.suppress(Stopping):
        try:
            session.check_model()
            if request["items"]:
                session.describe_all()
        except Fatal as fatal:
            tell({"fatal": fatal.message, "kind": fatal.kind})


@dataclass(slots=True, kw_only=True)
class Session:
    """One client of the service, and the pace that it keeps to."""

    request: dict[str, Any]
    tell: Tell
    stop: Stop
    client: Any = field(init=False)
    _uploads: set[str] = field(default_factory=set, init=False)
    _next: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        from google import genai
        from google.genai import types

        options = types.HttpOptions(base_url=self.request["base_url"], timeout=_TIMEOUT_MILLISECONDS)
        self.client = genai.Client(api_key=self.request["key"], http_options=options)

    def check_model(self) -> None:
        """A key that is not accepted, or a model that is not there, is found before anything is uploaded."""
        self.patiently(lambda: self.client.models.get(model=self.request["model"]))

    def describe_all(self) -> None:
        """Tells a caption or a reason for each item; raises Fatal when none can be had any more."""
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            pending = {pool.submit(self._item, item) for item in self.request["items"]}
            while pending and not self.stop.requested():
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for result in done:
                    result.result()
        finally:
            # Requests that are under way may take minutes; nobody waits for them.
            pool.shutdown(wait=False, cancel_futures=True)
            for name in list(self._uploads):
                self._delete(name)

    def _item(self, item: dict[str, Any]) -> None:
        name = item["name"]
        self._check()
        try:
            caption = self._describe(Path(item["path"]))
        except Failure as failure:
            self.tell({"name": name, "failed": failure.message})
        else:
            self.tell({"name": name, "caption": caption})

    def _describe(self, path: Path) -> str:
        with self._uploaded(path) as file:
            ready = self._ready(file)
            for _again in range(_EMPTY_TRIES):
                self._keep_pace()
                answer = self.patiently(lambda: self._ask(ready))
                if text := caption_of(answer):
                    return text
        raise Failure("Gemini's answer was empty")

    def _ask(self, file: Any) -> Any:
        return self.client.models.generate_content(model=self.request["model"], contents=[file, self.request["prompt"]])

    @contextlib.contextmanager
    def _uploaded(self, path: Path) -> Iterator[Any]:
        config = {"mime_type": VIDEO_TYPES[path.suffix.lower()], "display_name": path.name[:100]}
        file = self.patiently(lambda: self.client.files.upload(file=path, config=config))
        self._uploads.add(file.name)
        try:
            yield file
        finally:
            self._delete(file.name)

    def _delete(self, name: str) -> None:
        """Also while stopping. A file that cannot be deleted is deleted by the service after two days."""
        if name not in self._uploads:
            return
        self._uploads.discard(name)
        trouble = ""
        for _again in range(3):
            try:
                self.client.files.delete(name=name)
            except Exception as error:  # noqa: BLE001 - tidying up must not hide what happened before it
                trouble = type(error).__name__
            else:
                return
            time.sleep(1)
        self.tell({"note": f"a video could not be deleted at Gemini; it is deleted there after 48 hours ({trouble})"})

    def _ready(self, file: Any) -> Any:
        until = time.monotonic() + _STATE_SECONDS
        seconds = 0.5
        while True:
            state = file.state.name if file.state is not None else "ACTIVE"
            if state == "ACTIVE":
                return file
            if state == "FAILED":
                raise Failure(f"Gemini cannot read it ({file.error.message if file.error else 'no reason given'})")
            if time.monotonic() > until:
                raise Failure(f"Gemini was not ready with it after {_STATE_SECONDS:.0f} s")
            self._sleep(seconds)
            seconds = min(seconds * 1.5, 5.0)
            file = self.patiently(partial(self.client.files.get, name=file.name))

    def patiently(self, call: Callable[[], T]) -> T:
        """The result of a call, tried again as long as that can help. Raises Failure or Fatal."""
        for again in range(_TRIES):
            self._check()
            try:
                return call()
            except Exception as error:  # noqa: BLE001 - the client's HTTP library raises its own; all are looked at
                seconds = pause_before_retry(error, again, last=again == _TRIES - 1)
            if seconds > 10:
                self.tell({"note": f"Gemini asks for a pause of {seconds:.0f} s"})
            self._sleep(seconds)
        raise AssertionError("the last try raises")

    def _keep_pace(self) -> None:
        """Waits for this request's turn: so many a minute, evenly."""
        if self.request["per_minute"] <= 0:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 60.0 / self.request["per_minute"]
        self._sleep(turn - now)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stop.wait(min(left, 30.0)):
                raise Stopping
            self.tell({"alive": True})

    def _check(self) -> None:
        if self.stop.requested():
            raise Stopping


def caption_of(answer: Any) -> str:
    """The caption in an answer, empty if it has no text. Raises Failure where the service refused."""
    feedback = answer.prompt_feedback
    if feedback is not None and feedback.block_reason is not None:
        raise Failure(f"Gemini refused it ({_named(feedback.block_reason)})")
    candidates = answer.candidates or []
    reason = _named(candidates[0].finish_reason) if candidates else ""
    if reason not in ("", "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"):
        raise Failure(f"Gemini broke off its answer ({reason})")
    return tidied(answer.text or "", cut=reason == "MAX_TOKENS")


def _named(value: Any) -> str:
    return str(getattr(value, "name", value) or "")


if __name__ == "__main__":
    serve(work, grace_seconds=GRACE_SECONDS)
