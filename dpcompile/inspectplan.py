"""A plan -> the trainings to inspect: the very files that the trainer will be given."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from dpcompile.examine import DatasetFile, TrainingFiles, ranks
from dpcompile.inspection.media import Folder, ModelFacts, facts_from
from dpcompile.inspection.saying import Wishes
from dpcompile.inspection.split import chosen_stems
from dpcompile.plan import Plan, Step


def inspect_args(plan: Plan) -> Mapping[str, Any]:
    """The args of the plan's inspect step."""
    return next(step.args for step in plan.steps if step.kind == "inspect")


def facts_of(plan: Plan) -> ModelFacts:
    """What the plan says of the model."""
    args = inspect_args(plan)
    return facts_from(args["media"], str(plan.model["title"]), args.get("size"))


def wishes_of(plan: Plan, memory: int | None = None) -> Wishes:
    """What the job asks of its data. `memory` is in bytes."""
    trigger = plan.model.get("trigger_word") or None
    policy = inspect_args(plan)["missing_caption"]
    return Wishes(missing_caption=policy, of_job=True, trigger=trigger, memory=memory)


def trainings_of(plan: Plan) -> tuple[TrainingFiles, ...]:
    """The trainings in the order of the plan, each with its files parsed."""
    return tuple(_training(plan, step) for step in plan.steps if step.kind == "train")


def _training(plan: Plan, step: Step) -> TrainingFiles:
    train = _table(plan, step.args["config"])
    evals = tuple(
        DatasetFile(name=each["name"], file=_name(plan, each["config"]), value=_table(plan, each["config"]))
        for each in train.get("eval_datasets", ())
    )
    dataset = train["dataset"]
    gpus = step.args["num_gpus"] * max(1, len(step.args["hosts"]))
    return TrainingFiles(
        name=step.id.removeprefix("train").removeprefix("-"),
        train=train,
        dataset=DatasetFile(name="train", file=_name(plan, dataset), value=_table(plan, dataset)),
        evals=evals,
        ranks=ranks(gpus, train.get("pipeline_stages", 1)),
    )


def _table(plan: Plan, path: str) -> dict[str, Any]:
    return tomllib.loads(next(file.text for file in plan.files if file.path == path))


def _name(plan: Plan, path: str) -> str:
    return next(file.name for file in plan.files if file.path == path)


def split_as_planned(plan: Plan) -> Callable[[str, Folder], Folder]:
    """Leaves in each folder what a split that is still to come will leave in it; both sides lie in one place yet."""
    splits = {split["from"]: split for split in inspect_args(plan)["split"]}
    targets = {split["to"]: split for split in splits.values()}

    def keep(path: str, folder: Folder) -> Folder:
        split = splits.get(path) or targets.get(path)
        if split is None:
            return folder
        stems = chosen_stems((item.path for item in folder.items if "/" not in item.path), split["fraction"])
        wanted = path in targets
        items = tuple(
            item for item in folder.items if ("/" not in item.path and PurePosixPath(item.name).stem in stems) == wanted
        )
        return replace(folder, items=items)

    return keep
