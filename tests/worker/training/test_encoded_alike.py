"""No training takes what other settings have encoded: whole train steps, around a trainer that takes what is there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker.training.bench import PATIENT, Bench, make_bench, make_images
from tests.worker.training.encodes import use_it
from worker.errors import StepFailed
from worker.steps.train import run_train

A, B = "/models/a.safetensors", "/models/b.safetensors"
NO_WEIGHTS: Mapping[str, Any] = {"weights": []}
"""The files that the trainings name are not there."""


def bench_of(
    volume: Path,
    vae: str = A,
    *,
    dataset: Mapping[str, Any] | None = None,
    launch: Mapping[str, Any] | None = None,
    **training: Any,
) -> Bench:
    given = {"model": {"vae": vae, **training.pop("model", {})}, "epochs": 1, **training}
    made = make_bench(volume, model="z_image_turbo", images=4, training=given, dataset=dataset, launch=launch)
    return use_it(made, "z_image")


def train(bench: Bench, behaviour: str = "", **more: Any) -> str:
    """Trains; returns all that was told."""
    assert bench.train(behaviour, args=NO_WEIGHTS, **more)["epochs_completed"] == 1
    return bench.notes()


def folders(bench: Bench, role: str | None = None) -> list[Path]:
    args = next(step for step in bench.plan.steps if step.kind == "inspect").args
    found = [Path(f["path"]) for f in args["folders"] if role in (None, f["role"])]
    return found + ([Path(s["to"]) for s in args["split"]] if role in (None, "eval") else [])


def encoded(folder: Path) -> set[tuple[str, str]]:
    """What all that is in the folder's cache was encoded with."""
    shards = (folder / "cache" / "z_image").rglob("*.bin")
    return {tuple(json.loads(shard.read_text("utf-8"))) for shard in shards}


def note_of(folder: Path) -> dict[str, Any]:
    text = (folder / "cache" / "z_image.encoded.json").read_text("utf-8")
    note: dict[str, Any] = json.loads(text)
    return note


def test_the_same_settings_take_what_is_encoded(tmp_path: Path) -> None:
    (folder,) = folders(bench := bench_of(tmp_path))
    assert "encoded" not in train(bench)
    (shard, *_) = sorted(folder.rglob("*.bin"))
    made = shard.stat().st_mtime_ns

    told = train(bench_of(tmp_path, shift=3, learning_rate=1e-3, caching_batch_size=4, model={"merge_adapters": []}))

    assert "encoded" not in told
    assert shard.stat().st_mtime_ns == made
    assert note_of(folder)["settings"]["model.vae"] == A


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"vae": A}, {"vae": B}, f'model.vae is "{B}" now and was "{A}"'),
        (
            {"video_clip_mode": "single_middle"},
            {},
            'video_clip_mode is "single_beginning" now and was "single_middle"',
        ),
        ({}, {"model": {"dtype": "float16"}}, 'model.dtype is "float16" now and was "bfloat16"'),
    ],
)
def test_other_settings_encode_anew_and_say_why(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    train(bench_of(tmp_path, **before))
    (folder,) = folders(bench := bench_of(tmp_path, **after))
    made = {shard: shard.stat().st_mtime_ns for shard in folder.rglob("*.bin")}

    assert f"The data in {folder} is encoded anew: {reason}." in train(bench)
    assert encoded(folder) == {(after.get("vae", A), "single_beginning")}
    assert all(shard.stat().st_mtime_ns != made[shard] for shard in folder.rglob("*.bin"))


def test_sizes_that_a_training_did_not_use_are_not_left_behind(tmp_path: Path) -> None:
    """--regenerate_cache would leave them, and the third training would take the first one's work."""
    train(bench_of(tmp_path, A, resolution=512))
    train(bench_of(tmp_path, B, resolution=1024))
    (folder,) = folders(bench := bench_of(tmp_path, B, resolution=512))
    train(bench)
    assert encoded(folder) == {(B, "single_beginning")}


def test_a_training_killed_while_it_encodes_leaves_nothing_to_be_mixed_up(tmp_path: Path) -> None:
    train(bench_of(tmp_path, A))
    killed = bench_of(tmp_path, B)
    killed.limits = replace(PATIENT, idle=2)
    with pytest.raises(StepFailed):
        train(killed, "hang-in-caching@2")
    (folder,) = folders(killed)
    assert len(list(folder.rglob("*.bin"))) == 2

    # What the killed one has encoded is gone on with by its like, and by no other.
    again = bench_of(tmp_path, B)
    again.limits = killed.limits
    with pytest.raises(StepFailed):
        train(again, "hang-in-caching@3")
    assert "encoded anew" not in again.notes()
    assert "encoded anew" in train(bench_of(tmp_path, A))
    assert encoded(folder) == {(A, "single_beginning")}


def test_an_evaluation_folder_is_looked_at_too(tmp_path: Path) -> None:
    shared = {"eval": {"images_url": "https://example.com/held_out.zip"}}
    train(bench_of(tmp_path, A, dataset=shared))
    train(bench_of(tmp_path, B))  # the training folder alone
    (trained,) = folders(bench := bench_of(tmp_path, B, dataset=shared), "train")
    (held_out,) = folders(bench, "eval")
    assert encoded(held_out) == {(A, "single_beginning")}

    told = train(bench)

    assert f"The data in {held_out} is encoded anew" in told
    assert f"The data in {trained} is encoded anew" not in told
    assert encoded(trained) == encoded(held_out) == {(B, "single_beginning")}


def in_place(folder: Path) -> dict[str, Any]:
    make_images(folder, 4)
    return {
        "type": "precaptioned",
        "images_url": None,
        "image_repeats": None,
        "directories": [{"path": str(folder)}],
    }


def foreign_cache(folder: Path) -> Path:
    shards = folder / "cache" / "z_image" / "cache_1024" / "latents"
    shards.mkdir(parents=True)
    for number in range(4):
        (shards / f"shard_{number}.bin").write_text(json.dumps(["by hand", "?"]), "utf-8")
    return shards


def test_a_cache_that_nobody_knows_is_told_and_taken_as_it_is(tmp_path: Path) -> None:
    data = in_place(tmp_path / "photos")
    foreign_cache(tmp_path / "photos")
    told = train(bench_of(tmp_path, dataset=data))
    assert "it cannot be known with which settings" in told
    assert encoded(tmp_path / "photos") == {("by hand", "?")}

    # Having taken it once, the worker knows no more than before.
    bench = bench_of(tmp_path, dataset=data)
    assert "it cannot be known with which settings" in train(bench)
    assert "launch.regenerate_cache" in bench.told("warning")[0]["hint"]

    told = train(bench_of(tmp_path, dataset=data, launch={"regenerate_cache": True}))
    assert "cannot be known" not in told
    assert "encoded" not in train(bench_of(tmp_path, dataset=data))
    assert encoded(tmp_path / "photos") == {(A, "single_beginning")}


def test_other_settings_than_those_that_took_it_clear_an_unknown_cache(tmp_path: Path) -> None:
    data = in_place(tmp_path / "photos")
    foreign_cache(tmp_path / "photos")
    train(bench_of(tmp_path, A, dataset=data))
    assert "is encoded anew" in train(bench_of(tmp_path, B, dataset=data))
    assert encoded(tmp_path / "photos") == {(B, "single_beginning")}
    assert "encoded" not in train(bench_of(tmp_path, B, dataset=data))


def test_trusting_the_cache_trusts_no_other_settings(tmp_path: Path) -> None:
    train(bench_of(tmp_path, A))
    (folder,) = folders(bench := bench_of(tmp_path, B, launch={"trust_cache": True}))
    assert "is encoded anew" in train(bench)
    assert encoded(folder) == {(B, "single_beginning")}


def test_a_resumed_training_encodes_its_own_data_again_after_another_has(tmp_path: Path) -> None:
    train(bench_of(tmp_path, A))
    train(bench_of(tmp_path, B))
    (folder,) = folders(bench := bench_of(tmp_path, A))
    assert "is encoded anew" in train(bench, resume=True)
    assert encoded(folder) == {(A, "single_beginning")}


def test_what_is_asked_for_anew_is_not_encoded_a_third_time_when_memory_runs_out(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, launch={"regenerate_cache": True})
    train(bench, "oom-after-encoding")
    assert "it is started once more" in bench.notes()
    log = (bench.job / "train.log").read_text("utf-8")
    assert log.count("caching latents") == 2
    (folder,) = folders(bench)
    assert encoded(folder) == {(A, "single_beginning")}


def test_a_model_of_which_no_cache_is_known_is_told(tmp_path: Path) -> None:
    bench = use_it(make_bench(tmp_path, model="wan13", images=4, training={"epochs": 1}), "wan")
    assert "It cannot be known which cache the trainer will use" in train(bench)


def test_a_rehearsal_touches_nothing(tmp_path: Path) -> None:
    train(bench_of(tmp_path, A))
    (folder,) = folders(bench := bench_of(tmp_path, B))
    bench.rehearse = True
    assert "encoded" not in train(bench)
    assert encoded(folder) == {(A, "single_beginning")}
    assert note_of(folder)["settings"]["model.vae"] == A


@pytest.mark.parametrize(("vae", "says"), [(A, ""), (B, "DPC757 another training uses what is encoded in ")])
def test_what_a_running_training_reads_is_not_taken_away(tmp_path: Path, vae: str, says: str) -> None:
    first, second = bench_of(tmp_path, A), bench_of(tmp_path, vae)
    text = (second.job / "train.toml").read_text("utf-8")
    elsewhere = second.job / "second.toml"
    elsewhere.write_text(text, "utf-8")
    second.plan = replace(
        second.plan,
        steps=tuple(
            replace(
                step,
                id="second",
                args={
                    **step.args,
                    "config": str(elsewhere),
                    "argv": [a.replace("train.toml", "second.toml") for a in step.args["argv"]],
                },
            )
            if step.kind == "train"
            else step
            for step in second.plan.steps
        ),
    )
    bench_of(tmp_path, A)  # puts the first one's file back in place
    outcome: list[str] = []

    def emit(kind: str, **data: Any) -> None:
        Bench.emit(first, kind, **data)
        if kind == "training" and data["step"] == 2 and not outcome:
            try:
                done = second.train("", step_id="second", args=NO_WEIGHTS)
                outcome.append(f"trained {done['steps']}")
            except StepFailed as failure:
                outcome.append(f"{failure.code} {failure.message}")

    first.env["DPCOMPILE_STANDIN"] = ""
    run_train(replace(first.context(args=NO_WEIGHTS), emit=emit))

    assert outcome[0].startswith(says or "trained")
    (folder,) = folders(first)
    assert encoded(folder) == {(A, "single_beginning")}
    shutil.rmtree(first.output)
    if says:
        # Once the first one has ended, nothing is in the way.
        assert second.train("", step_id="second", args=NO_WEIGHTS)["epochs_completed"] == 1
        assert encoded(folder) == {(B, "single_beginning")}
