"""Before anything costs money: is every model file of the plan there for us, and does it fit on the volume?"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from worker.childprocess import ChildDied, ChildStalled
from worker.context import StepContext
from worker.errors import StepFailed, several
from worker.modelstore.asking import LOOKUP_STALL_SECONDS, ask, endpoint_of, store_of
from worker.modelstore.failures import PASSING, told
from worker.modelstore.sources import Found, Source, WantedFile, captioner_of, destination, of_plan
from worker.modelstore.store import Store
from worker.modelstore.weights import check_own_weights
from worker.stopping import Stop

_TRIES = 5
_REFUSED = "models cannot be downloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What was found: an answer for each source that has files still to be brought."""

    found: Mapping[Source, Found]

    @property
    def size(self) -> int:
        """Bytes of all files of these sources, those that are there already included."""
        return sum(each.size for each in self.found.values())


_done: WeakKeyDictionary[Stop, Preflight | StepFailed] = WeakKeyDictionary()
_asking = threading.Lock()


def look_up_models(context: StepContext) -> Preflight:
    """Looks up all sources of the plan, and the captioner's, once in each run.

    Raises StepFailed with every source that is missing, gated or refused, with every file that the job brings
    itself and that cannot be used, and when the volume is too small for all downloads together.
    """
    with _asking:
        answer = _done.get(context.stop)
        if answer is None:
            try:
                answer = _look_up(context)
            except StepFailed as failed:
                answer = failed
            _done[context.stop] = answer
    if isinstance(answer, StepFailed):
        raise answer
    return answer


def _look_up(context: StepContext) -> Preflight:
    if not context.settings.rehearse:
        check_own_weights(context)
    store = store_of(context)
    captioner = None if context.settings.rehearse else captioner_of(context.plan, context.settings)
    sources = [*of_plan(context.plan), *([captioner] if captioner else [])]
    open_ones = [source for source in dict.fromkeys(sources) if store.complete(source) is None]
    found = _ask_for(context, open_ones)
    if not context.settings.rehearse:
        check_space(store, found)
    return Preflight(found=found)


def _ask_for(context: StepContext, sources: list[Source]) -> dict[Source, Found]:
    """Asks again where the network failed; then tells all that cannot be had, at once."""
    store = store_of(context)
    # A branch stays at the commit that it had when its files were first brought, so that no model mixes two.
    pins = {s: marker["commit"] for s in sources for marker in [store.marker(s)] if marker and marker["commit"]}
    found: dict[Source, Found] = {}
    failures: dict[Source, Mapping[str, Any]] = {}
    for again in range(_TRIES):
        wanted = [source for source in sources if source not in found]
        if not wanted:
            break
        if again:
            context.emit("note", message=f"asking for {len(wanted)} models again", hint="")
            context.stop.wait(2.0 ** (again - 1))
            context.stop.check()
        answers = _answers(context, wanted, pins)
        silent: Mapping[str, Any] = {"failure": {"kind": "network", "detail": "no answer"}}
        failures = {s: a["failure"] for s in wanted for a in [answers.get(s, silent)] if "failure" in a}
        found |= {s: _found(a) for s, a in answers.items() if s not in failures}
        lost = [s for s, failure in failures.items() if failure["kind"] == "no_revision" and pins.pop(s, None)]
        if not lost and not any(failure["kind"] in PASSING for failure in failures.values()):
            break
    if failures:
        endpoint = endpoint_of(context.settings.environ)
        raise several([told(source, failure, endpoint) for source, failure in failures.items()], _REFUSED)
    return found


def _answers(
    context: StepContext, sources: list[Source], pins: Mapping[Source, str]
) -> dict[Source, Mapping[str, Any]]:
    asked = [{**source.to_json(), "revision": pins.get(source, source.revision)} for source in sources]
    answers: dict[Source, Mapping[str, Any]] = {}
    request = {"do": "look_up", "sources": asked}
    try:
        with closing(ask(context, request, stall_seconds=LOOKUP_STALL_SECONDS)) as messages:
            for message in messages:
                if message:
                    answers[sources[message["source"]]] = message
    except ChildStalled:
        context.emit("warning", message="no answer about the models for two minutes", hint="")
    except ChildDied as died:
        raise _crashed(context, died) from died
    return {source: answers[source] for source in sources if source in answers}  # in the plan's order


def _found(answer: Mapping[str, Any]) -> Found:
    return Found(commit=answer["commit"], files=tuple(WantedFile(**file) for file in answer["files"]))


def _crashed(context: StepContext, died: ChildDied) -> StepFailed:
    tail = context.secrets.redact(died.tail)
    last = tail.splitlines()[-1] if tail else f"it ended with {died.returncode}"
    return StepFailed("DPC730", f"the Hub's client failed: {last}", "Run it again.", output_tail=tail)


def still_needed(source: Source, found: Found) -> int:
    """Bytes of the files that are not there in full size."""
    return sum(file.size for file in found.files if file.size > 0 and not _there(source, file))


def _there(source: Source, file: WantedFile) -> bool:
    place = destination(source, file)
    return place.is_file() and place.stat().st_size == file.size


def check_space(store: Store, found: Mapping[Source, Found]) -> None:
    """Raises StepFailed when the volume has no room for all files that are still needed."""
    needed = {source: still_needed(source, each) for source, each in found.items()}
    total = sum(needed.values())
    store.models.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.models).free
    if total > free:
        parts = ", ".join(f"{source.name} {as_size(size)}" for source, size in needed.items() if size)
        raise StepFailed(
            "DPC734",
            f"the models need {as_size(total)}, and the volume has {as_size(free)} free ({parts})",
            "Remove models or old outputs, or take a larger volume. Nothing was downloaded.",
        )


def as_size(size: int) -> str:
    """Bytes in the unit that people use for disks."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
