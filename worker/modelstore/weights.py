"""The weight files that a training names: are they there and whole, and can the trainer load them? By their headers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcompile.plan import Plan
from worker.context import StepContext
from worker.errors import StepFailed, several

_LONGEST_HEADER = 100_000_000
"""Bytes; the safetensors library refuses longer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with one file or folder. A warning does not keep the training from running."""

    code: str
    message: str
    hint: str
    warning: bool = False


class Damaged(ValueError):
    """A .safetensors file that cannot be loaded; the text says how it is damaged."""


def check_own_weights(context: StepContext) -> None:
    """Looks at the files that no download of the plan brings: they must be there before anything costs money.

    Raises StepFailed with all that is wrong.
    """
    _tell(context, [w for w in _of_plan(context.plan) if not _downloaded(w, context.plan)], warn=False)


def check_weights(context: StepContext) -> None:
    """Looks at all files that the training of this step will load. Raises StepFailed with all that is wrong."""
    _tell(context, context.step.args["weights"], warn=True)


def _of_plan(plan: Plan) -> list[Mapping[str, Any]]:
    return [weights for step in plan.steps if step.kind == "train" for weights in step.args["weights"]]


def _downloaded(weights: Mapping[str, Any], plan: Plan) -> bool:
    places = (Path(step.args["to"]) for step in plan.steps if step.kind == "download")
    return any(Path(weights["path"]).is_relative_to(place) for place in places)


def _tell(context: StepContext, weights: list[Mapping[str, Any]], *, warn: bool) -> None:
    flaws = list(dict.fromkeys(flaw for each in weights for flaw in look_at(each)))
    for flaw in flaws:
        if flaw.warning and warn:
            context.emit("warning", message=flaw.message, hint=flaw.hint)
    errors = [StepFailed(flaw.code, flaw.message, flaw.hint) for flaw in flaws if not flaw.warning]
    if errors:
        raise several(errors, "files of the model cannot be used")


def look_at(weights: Mapping[str, Any]) -> Iterator[Flaw]:
    """What is wrong with one entry of a plan's `weights`."""
    path, key = Path(weights["path"]), weights["key"]
    if not path.is_absolute():
        return  # looked up below the trainer's folder, or on the Hub: the compiler has told it
    try:
        found = "folder" if path.is_dir() else "file" if path.is_file() else None
        if found is None:
            hint = f"Correct {key}, or bring the file there."
            yield Flaw(code="DPC745", message=f"{key} names {path}, which is not there", hint=hint)
        elif weights["form"] not in (None, found):
            text = f"{key} must be a {weights['form']}, and {path} is a {found}"
            yield Flaw(code="DPC756", message=text, hint=f"Name the {weights['form']} itself.")
        else:
            yield from _look_inside(path, weights)
    except OSError as error:
        hint = "See that the volume is mounted and that the worker may read it."
        yield Flaw(code="DPC745", message=f"{key}: {path} cannot be read: {error.strerror}", hint=hint)


def _look_inside(path: Path, weights: Mapping[str, Any]) -> Iterator[Flaw]:
    if weights["sole"] and path.is_dir() and (count := len(list(path.glob("*.safetensors")))) != 1:
        text = f"{weights['key']}: {path} has {count} .safetensors files, and the trainer wants exactly one"
        yield Flaw(code="DPC756", message=text, hint="Name a folder with the one adapter to begin with.")
        return
    headers: dict[Path, Mapping[str, Any]] = {}
    for file in sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]:
        if file.suffix == ".safetensors":
            try:
                headers[file] = read_header(file)
            except Damaged as damage:
                hint = "Delete it and bring it again; a download of the job is repeated with --resume."
                yield Flaw(code="DPC755", message=f"{weights['key']}: {file} is damaged: {damage}", hint=hint)
                return
    # The trainer looks no deeper into a folder (utils/common.py:91); what lies below belongs to other parts.
    own = {file: header for file, header in headers.items() if file == path or file.parent == path}
    if own:
        yield from _against_rules(path, {name for header in own.values() for name in header}, weights)
        yield from _against_rank(path, own, weights)


def _against_rules(path: Path, names: set[str], weights: Mapping[str, Any]) -> Iterator[Flaw]:
    for rule in weights["tensors"]:
        if any(re.search(rule["pattern"], name) for name in names) != rule["wanted"]:
            text = f"{weights['key']}: {path} does not fit. {rule['why']}"
            warning = rule["severity"] == "warning"
            yield Flaw(code="DPC756", message=text, hint=rule["remedy"], warning=warning)


def _against_rank(path: Path, headers: Mapping[Path, Mapping[str, Any]], weights: Mapping[str, Any]) -> Iterator[Flaw]:
    """An adapter of another rank has matrices of another shape, which cannot be loaded (models/base.py:383-386)."""
    if weights["rank"] is None:
        return
    tensors = (item for header in headers.values() for item in header.items())
    ranks = {info["shape"][0] for name, info in tensors if re.search(r"\.lora_(A|down)\.", name) and info["shape"]}
    if ranks and weights["rank"] not in ranks:
        text = f"{weights['key']}: the adapter in {path} has rank {min(ranks)}, and the training rank {weights['rank']}"
        yield Flaw(code="DPC756", message=text, hint=f"Set adapter.rank to {min(ranks)}.")


def read_header(file: Path) -> Mapping[str, Any]:
    """Name of each tensor -> dtype, shape and data_offsets, from the first bytes of a .safetensors file.

    Raises Damaged when the file is not one, or is longer or shorter than its header says; OSError.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or not 2 <= length <= min(_LONGEST_HEADER, size - 8):
            raise Damaged("it does not begin like a .safetensors file, or is cut off")
        text = stream.read(length)
    try:
        header = json.loads(text)
        tensors = {name: info for name, info in header.items() if name != "__metadata__"}
        end = max((int(info["data_offsets"][1]) for info in tensors.values()), default=0)
        shapes = all(isinstance(info["shape"], list) for info in tensors.values())
    except (ValueError, RecursionError, TypeError, AttributeError, LookupError) as error:
        raise Damaged("its header cannot be read") from error
    if not shapes:
        raise Damaged("its header cannot be read")
    if size != 8 + length + end:
        raise Damaged(f"it has {size} bytes, and by its header {8 + length + end}")
    return tensors
