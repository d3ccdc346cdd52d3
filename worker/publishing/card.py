"""The model card: the README.md that tells what was trained, on what, with which settings."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dpcompile.plan import Plan
from worker.publishing.curve import Point, sampled
from worker.publishing.files import SavedModel, Source

CARD, PICTURE = "README.md", "loss.png"
_HUB_LICENCES = {
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "CreativeML Open RAIL++-M": "openrail++",
}
"""Licences that the Hub has a name of its own for; all others are `other` with a name."""
_NOT_SHOWN = ("output_dir", "dataset", "eval_datasets", "resume_from_checkpoint", "wandb_api_key")
"""Settings that say where files lay on one machine, or must not be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One training of a publication: its model, its weights, its settings, its loss."""

    model: SavedModel
    weights: tuple[Source, ...]
    settings: Mapping[str, Any]
    """What train.toml says."""
    points: tuple[Point, ...]
    picture: str | None
    """Name of the picture of its loss."""


def settings_of(plan: Plan, part: str) -> dict[str, Any]:
    """The settings of one training, as the trainer read them; none when the plan has no such file."""
    try:
        return tomllib.loads(plan.file(f"train.{part}.toml" if part else "train.toml").text)
    except (KeyError, tomllib.TOMLDecodeError):
        return {}


def card(plan: Plan, trained: Sequence[Trained], *, rehearsal: bool) -> str:
    """The text of the card. It holds no time of day: the same publication has the same card."""
    return "\n".join([*_metadata(plan, trained), "", *_head(plan, trained, rehearsal), *_parts(trained)]) + "\n"


def _metadata(plan: Plan, trained: Sequence[Trained]) -> Iterator[str]:
    """The front matter that the Hub reads. JSON texts are YAML texts as well."""
    yield "---"
    licence = str(plan.model.get("licence") or "")
    known = _HUB_LICENCES.get(licence)
    if known:
        yield f"license: {known}"
    elif licence:
        yield "license: other"
        yield f"license_name: {json.dumps(_slug(licence))}"
    if base := base_model(plan):
        yield f"base_model: {json.dumps(base)}"
        yield f"base_model_relation: {'adapter' if _is_adapter(trained) else 'finetune'}"
    yield "tags:"
    kind = str(_adapter(trained).get("type") or "full-fine-tune")
    for tag in dict.fromkeys((kind, "diffusion-pipe", str(plan.model.get("toml_type") or ""))):
        if tag:
            yield f"- {json.dumps(tag)}"
    if trigger := plan.model.get("trigger_word"):
        yield f"instance_prompt: {json.dumps(trigger)}"
    yield "---"


def base_model(plan: Plan) -> str | None:
    """The repository that the model came from: the first that the plan downloads."""
    return next((str(s.args["repo"]) for s in plan.steps if s.kind == "download" and s.args.get("repo")), None)


def _adapter(trained: Sequence[Trained]) -> Mapping[str, Any]:
    found = trained[0].settings.get("adapter") if trained else None
    return found if isinstance(found, Mapping) else {}


def _is_adapter(trained: Sequence[Trained]) -> bool:
    return bool(_adapter(trained))


def _head(plan: Plan, trained: Sequence[Trained], rehearsal: bool) -> Iterator[str]:
    title = str(plan.model.get("title") or plan.model.get("name"))
    what = {"lora": "LoRA", "lokr": "LoKr"}.get(str(_adapter(trained).get("type")), "fine-tune")
    trigger = plan.model.get("trigger_word")
    yield f"# {what} for {_plain(title)}" + (f": {_plain(str(trigger))}" if trigger else "")
    yield ""
    if rehearsal:
        yield "> **Rehearsal.** No GPU was used and nothing was trained: the weights are a stand-in."
        yield ""
    base = base_model(plan)
    rows = [("Base model", _plain(title) + (f" ([{base}](https://huggingface.co/{base}))" if base else ""))]
    rows += [("Trigger word", _code(str(trigger)))] if trigger else []
    rows += [("Licence of the base model", _plain(str(plan.model["licence"])))] if plan.model.get("licence") else []
    rows += [("Trainer", f"[diffusion-pipe]({plan.trainer['repo']}) at `{plan.trainer['commit'][:12]}`")]
    rows += [("Job", _code(plan.job_id))]
    yield from _table(("", ""), rows)


def _parts(trained: Sequence[Trained]) -> Iterator[str]:
    for each in trained:
        yield ""
        yield f"## Training: {_plain(each.model.part)}" if each.model.part else "## Training"
        yield ""
        yield from _result(each)
        yield from _loss(each)
        yield ""
        yield "### Settings"
        yield ""
        yield from _table(("setting", "value"), [(_code(k), _code(v)) for k, v in shown_settings(each.settings)])


def _result(each: Trained) -> Iterator[str]:
    model = each.model
    trained_for = f"{model.epochs_completed} epochs" + (f", {model.steps} steps" if model.steps else "")
    rows = [("Trained for", trained_for), ("Saved as", _code(model.name))]
    rows += [("Last loss", f"{model.final_loss:.4g}")] if model.final_loss is not None else []
    rows += [("Weights", ", ".join(f"[{_plain(s.name)}]({s.name})" for s in each.weights))]
    yield from _table(("", ""), rows)


def _loss(each: Trained) -> Iterator[str]:
    if not each.points:
        return
    yield ""
    yield "### Loss"
    yield ""
    if each.picture:
        low, high = min(p.loss for p in each.points), max(p.loss for p in each.points)
        steps = f"steps {each.points[0].step} to {each.points[-1].step}"
        yield f"![Loss over {steps}]({each.picture})"
        yield ""
        yield f"From left to right {steps}, from bottom to top {low:.4g} to {high:.4g}; the dark line is the mean."
        yield ""
    yield from _table(("step", "loss"), [(str(p.step), f"{p.loss:.4g}") for p in sampled(each.points)])


def shown_settings(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Key and value of each setting that says something about the result, tables after plain keys."""
    tables = []
    for key, value in settings.items():
        if key in _NOT_SHOWN or _is_path(value):
            continue
        if isinstance(value, Mapping):
            tables.append((key, value))
        else:
            yield f"{above}{key}", json.dumps(value, ensure_ascii=False, default=str)
    for key, table in tables:
        yield from shown_settings(table, f"{above}{key}.")


def _is_path(value: object) -> bool:
    """Whether a value, or one inside it, is a place on the machine that trained."""
    if isinstance(value, Mapping):
        return False
    return any(_is_path_text(v) for v in (value if isinstance(value, list) else [value]))


def _is_path_text(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_is_path_text(v) for v in value.values())
    return isinstance(value, str) and value.startswith("/")


def _table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"| {head[0]} | {head[1]} |"
    yield "|---|---|"
    for left, right in rows:
        yield f"| {left} | {right} |"


def _code(text: str) -> str:
    """Text that Markdown shows as it is, in one cell of a table."""
    text = " ".join(text.split()).replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _plain(text: str) -> str:
    """Text without anything that Markdown or HTML would take for its own."""
    text = " ".join(text.split())
    for mark in "\\`*_{}[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return text


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() or c in ".+" else " " for c in text.lower()).split())
