"""The train step around the stand-in: every way in which a training can end, and what is left of it."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker.training.bench import PATIENT, Bench, make_bench
from worker.errors import StepFailed, Stopped
from worker.rehearsal import REHEARSAL_FILE
from worker.steps.train import run_train
from worker.stopping import Stop
from worker.training import processes, runs
from worker.training.losscurve import read_losses

REPO_ROOT = Path(__file__).resolve().parents[3]
PROMPT = replace(PATIENT, after_traceback=0.5)
"""Takes an error while encoding for a hang soon; nothing else ends sooner."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = make_bench(tmp_path)
    yield made
    assert leftovers(made) == []


def leftovers(bench: Bench) -> list[int]:
    """Processes of this job's training: all inherit a variable that names its volume."""
    wanted = os.fsencode(f"TEST_VOLUME={bench.volume}")
    return [pid for pid in processes.living() if wanted in processes.environment(pid)]


def fails(bench: Bench, behaviour: str, code: str, **more: Any) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        bench.train(behaviour, **more)
    assert caught.value.code == code, caught.value.message
    return caught.value


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def the_run(bench: Bench) -> Path:
    (run,) = runs.runs(bench.output)
    return run.path


# --- a training that succeeds


def test_a_training_returns_its_model_and_what_was_trained(bench: Bench) -> None:
    result = bench.train()

    run = the_run(bench)
    assert result["run_folder"] == str(run)
    assert result["model_folder"] == str(run / "epoch2")
    assert (run / "epoch2" / "lora.safetensors").is_file()
    assert (result["epochs_completed"], result["steps"]) == (2, 12)
    losses = list(read_losses(Path(result["loss_curve"])))
    assert [step for step, _, _ in losses] == list(range(1, 13))
    assert [epoch for _, epoch, _ in losses] == [1] * 6 + [2] * 6
    assert result["final_loss"] == losses[-1][2] == pytest.approx(0.5 / 1.12, abs=1e-4)
    assert result["rehearsal"] is True
    assert json.loads(json.dumps(result)) == result


def test_events_go_through_the_phases_in_order(bench: Bench) -> None:
    bench.train()

    phases = [event["phase"] for event in bench.trainings()]
    assert list(dict.fromkeys(phases)) == ["caching", "loading", "training", "saving"]
    assert [e["done"] for e in bench.told("progress") if e["unit"] == "items"] == [1, 2, 3, 4, 5, 6]
    lines = [event["line"] for event in bench.told("output")]
    assert "TRAINING COMPLETE!" in lines
    assert Path(bench.job, "train.log").read_text("utf-8").count("steps: ") == 12


def test_the_remaining_time_comes_from_what_was_worked_out_before(bench: Bench) -> None:
    bench.results = {"inspect": {"trainings": {"train": {"total_steps": 12}}}}
    bench.train()

    stepped = {event["step"]: event for event in bench.trainings() if event["step"]}
    assert {event["total_steps"] for event in stepped.values()} == {12}
    assert stepped[2]["eta_seconds"] == pytest.approx(10 * 0.01, abs=0.06)


def test_without_that_the_first_epoch_tells_how_many_steps_there_are(bench: Bench) -> None:
    bench.train()

    totals = {event["step"]: event["total_steps"] for event in bench.trainings()}
    assert totals[1] is None
    assert totals[12] == 12


def test_max_steps_ends_a_training_early(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, training={"max_steps": 8})
    result = bench.train()

    assert Path(result["model_folder"]).name == "step8"
    assert (result["epochs_completed"], result["steps"]) == (1, 8)


def test_both_halves_of_a_model_are_trained_one_after_the_other(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, model="wan22_t2v", training={"epochs": 1})
    high = bench.train(step_id="train-high")
    low = bench.train(step_id="train-low")

    assert Path(high["run_folder"]).parent == bench.output / "high"
    assert Path(low["run_folder"]).parent == bench.output / "low"
    assert high["loss_curve"] != low["loss_curve"]
    assert Path(high["model_folder"], "train.high.toml").is_file()
    assert Path(low["model_folder"], "train.low.toml").is_file()


def test_an_evaluation_set_shows_as_a_phase(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, dataset={"eval": {"fraction": 0.2}})
    bench.train()

    assert "evaluating" in {event["phase"] for event in bench.trainings()}


def test_what_is_left_running_by_the_trainer_is_ended(bench: Bench) -> None:
    """A service in a session of its own, as wandb has one, takes no SIGTERM and belongs to no process group of ours."""
    bench.limits = replace(PATIENT, terminate=0.5)
    bench.train("helper")

    assert leftovers(bench) == []


def test_bytes_that_are_no_text_are_shown_and_harm_nothing(bench: Bench) -> None:
    bench.train("noise@1")

    assert any("broken" in event["line"] for event in bench.told("output"))


# --- trainings that fail


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("exit-0", "DPC748", "ended while it started as if all were well"),
        ("silent-end", "DPC748", "has not completed the training"),
        ("no-module", "DPC749", "No module named 'optimi'"),
        ("missing-file", "DPC745", "a file is missing while it loaded the model: "),
        ("oom@5", "DPC742", "the GPU ran out of memory while it trained: torch.OutOfMemoryError"),
        ("killed@5", "DPC743", "the system killed the trainer while it trained"),
        ("disk-full", "DPC746", "the disk is full: the trainer could not write while it saved"),
        ("half-model", "DPC753", "epoch2/lora.safetensors is cut off"),
        ("no-model", "DPC753", "epoch2 is not there"),
        ("crash-in-save", "DPC743", "while it saved"),
        ("nan@4", "DPC744", "the loss has been no number since about step 4"),
    ],
)
def test_a_failure_is_told_in_one_line_with_a_hint(bench: Bench, behaviour: str, code: str, words: str) -> None:
    failure = fails(bench, behaviour, code)

    assert words in failure.message
    assert "\n" not in failure.message
    assert failure.hint
    assert failure.output_tail is not None


@pytest.mark.parametrize("behaviour", ["error-in-caching@3", "error-in-child@2"])
def test_an_error_while_encoding_ends_the_trainer_that_would_wait_for_ever(bench: Bench, behaviour: str) -> None:
    bench.limits = PROMPT
    failure = fails(bench, behaviour, "DPC741")

    assert "the trainer hung after an error while it encoded the data: " in failure.message
    assert "Traceback" in str(failure.output_tail)


def test_a_traceback_that_nothing_comes_of_ends_nothing(bench: Bench) -> None:
    assert bench.train("harmless-traceback@2")["steps"] == 12


@pytest.mark.parametrize("behaviour", ["hang-in-caching@2", "hang-in-loading", "hang-in-training@3"])
def test_a_trainer_that_does_nothing_any_more_is_ended(bench: Bench, behaviour: str) -> None:
    bench.limits = replace(PATIENT, idle=3)
    failure = fails(bench, behaviour, "DPC741")

    assert "said and did nothing for too long" in failure.message


def test_a_trainer_that_is_busy_and_silent_is_ended_in_the_end(bench: Bench) -> None:
    bench.limits = replace(PATIENT, silent=3)
    assert "it said nothing for too long" in fails(bench, "busy-in-caching@2", "DPC741").message


def test_a_real_mistake_in_the_data_hangs_the_trainer_and_is_told(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    bench.limits = PROMPT
    (next((tmp_path / "diffusion_pipe_working_folder" / "datasets").glob("*/3.txt"))).write_bytes(b"caf\xe9")
    assert "UnicodeDecodeError" in fails(bench, "", "DPC741").message


def test_too_many_resolutions_are_named_as_the_reason(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    file = bench.job / "dataset.toml"
    file.write_text(file.read_text("utf-8").replace("resolutions = [1024]", "resolutions = [512, 640, 768, 1024]"))
    assert "more than three resolutions" in fails(bench, "", "DPC748").message


def test_less_than_a_batch_is_named_as_the_reason(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, images=2, training={"gradient_accumulation_steps": 4})
    assert "each size holds less than one batch" in fails(bench, "", "DPC747").message


def test_sigterm_that_is_ignored_is_followed_by_sigkill(bench: Bench) -> None:
    bench.limits = replace(PATIENT, idle=3, terminate=0.5)
    fails(bench, "ignore-term,hang-in-training@3", "DPC741")


def test_one_loss_that_is_no_number_is_no_reason_to_stop(bench: Bench) -> None:
    assert bench.train("one-nan@4")["steps"] == 12


def test_a_last_loss_that_is_no_number_is_told(bench: Bench) -> None:
    result = bench.train("one-nan@12")

    assert result["final_loss"] is None
    assert "The loss of the last step is no number" in bench.notes()
    assert math.isnan(list(read_losses(Path(result["loss_curve"])))[-1][2])


def test_a_training_without_numbers_can_go_on_from_before(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, training={"checkpoint_every_n_epochs": 1})
    failure = fails(bench, "nan@9,pause@11", "DPC744")

    assert failure.resumable
    assert "There is a checkpoint after step 6." in failure.hint


def test_memory_that_encoding_took_is_won_back_by_starting_once_more(bench: Bench) -> None:
    assert bench.train("oom-after-encoding")["steps"] == 12
    assert "it is started once more" in bench.notes()


def test_a_foreign_save_quit_is_no_success(bench: Bench) -> None:
    bench.limits = replace(PATIENT, poll=0.02)
    bench.env["DPCOMPILE_STANDIN"] = ""

    def leave_signal(kind: str, **data: Any) -> None:
        Bench.emit(bench, kind, **data)
        if kind == "training" and data["step"] == 3:
            (the_run(bench) / "save_quit").touch()

    bench.env["DPCOMPILE_STANDIN"] = "pause@3"
    context = replace(bench.context(), emit=leave_signal)

    with pytest.raises(
        StepFailed, match="a save_quit file in the run folder ended the training after step 3"
    ) as caught:
        run_train(context)
    assert caught.value.code == "DPC754"
    assert caught.value.resumable


def test_without_a_launcher_there_is_no_training(bench: Bench) -> None:
    bench.rehearse = False
    assert "deepspeed is not installed" in fails(bench, "", "DPC740", args={"weights": []}).message


def test_model_files_are_looked_at_before_anything_is_started(bench: Bench) -> None:
    bench.rehearse = False
    assert fails(bench, "", "DPC745").message.startswith("model.checkpoint_path names ")


def test_room_is_looked_at_once_more_before_anything_is_started(bench: Bench) -> None:
    bench.rehearse = False
    use = {"models": 3, "model": 2**50, "checkpoints": 1, "checkpoint": 2**51, "written": 5 * 2**50, "cache": None}

    bench.results = {"inspect": {"trainings": {"train": {"disk": use}}}}
    failure = fails(bench, "", "DPC746", args={"weights": []})
    assert "needs 6144.0 TiB of the disk (3 models of 1024.0 TiB and 1 checkpoint of 2048.0 TiB" in failure.message

    unknown = {**use, "model": None, "checkpoint": None, "written": None}
    bench.results = {"inspect": {"trainings": {"train": {"disk": unknown}}}}
    fails(bench, "", "DPC740", args={"weights": []})


def test_a_missing_dataset_folder_is_told_before_anything_is_started(bench: Bench) -> None:
    folder = next((bench.volume / "diffusion_pipe_working_folder" / "datasets").iterdir())
    folder.rename(folder.with_name("elsewhere"))
    assert "a dataset folder is missing" in fails(bench, "", "DPC745").message


def test_a_dataset_folder_that_cannot_be_written_is_told_before_anything_is_started(bench: Bench) -> None:
    folder = next((bench.volume / "diffusion_pipe_working_folder" / "datasets").iterdir())
    (folder / "cache").write_text("in the way of the folder that the trainer makes")
    assert "nothing can be written to the dataset folder" in fails(bench, "", "DPC751").message


# --- stopping


def stop_at(bench: Bench, step: int, **args: Any) -> Stopped:
    """Asks the run to stop once this step was told; the stand-in waits in it until it is asked to save."""

    def emit(kind: str, **data: Any) -> None:
        Bench.emit(bench, kind, **data)
        if kind == "training" and data["step"] == step:
            bench.stop.request("cancelled")

    bench.env["DPCOMPILE_STANDIN"] = f"pause@{step}"
    with pytest.raises(Stopped) as caught:
        run_train(replace(bench.context(**args), emit=emit))
    return caught.value


def test_cancelling_saves_a_checkpoint_and_resuming_goes_on_after_it(bench: Bench) -> None:

    stop_at(bench, 8)
    run = the_run(bench)
    assert (run / "latest").read_text() == "global_step8"
    assert not (run / "save_quit").exists()
    assert f"--resume goes on after step 8 in {run}" in bench.notes()

    bench.stop, bench.events = Stop(), []
    result = bench.train(resume=True)

    assert (result["resumed_after"], result["steps"], result["epochs_completed"]) == (8, 12, 2)
    assert [step for step, _, _ in read_losses(Path(result["loss_curve"]))] == list(range(1, 13))
    assert the_run(bench) == run
    assert "goes on with" in bench.notes()


def test_stopping_while_it_encodes_ends_it_at_once(bench: Bench) -> None:
    def emit(kind: str, **data: Any) -> None:
        Bench.emit(bench, kind, **data)
        if kind == "progress" and data["done"] == 2:
            bench.stop.request("signal")

    # A bar is known to be complete once it is drawn anew.
    bench.env["DPCOMPILE_STANDIN"] = "hang-in-caching@4"
    with pytest.raises(Stopped):
        run_train(replace(bench.context(), emit=emit))
    assert "What is encoded is kept" in bench.notes()


def test_a_trainer_that_takes_no_signal_is_ended_when_the_time_to_save_is_up(bench: Bench) -> None:
    bench.limits = replace(PATIENT, save=1)

    def emit(kind: str, **data: Any) -> None:
        Bench.emit(bench, kind, **data)
        if kind == "training" and data["step"] == 4:
            bench.stop.request("cancelled")

    bench.env["DPCOMPILE_STANDIN"] = "deaf,hang-in-training@5"
    with pytest.raises(Stopped):
        run_train(replace(bench.context(), emit=emit))
    assert "without a checkpoint: it will begin anew" in bench.notes()
    assert not (the_run(bench) / "save_quit").exists()


def test_the_time_limit_of_the_job_saves_and_stops(bench: Bench) -> None:
    with pytest.raises(Stopped):
        bench.train("pause@5", args={"time_limit_minutes": 0.02})
    assert bench.stop.reason == "time limit"


def test_a_training_that_completes_in_spite_of_the_request_is_complete(bench: Bench) -> None:
    def emit(kind: str, **data: Any) -> None:
        Bench.emit(bench, kind, **data)
        if kind == "output" and data["line"] == "TRAINING COMPLETE!":
            bench.stop.request("cancelled")

    assert run_train(replace(bench.context(), emit=emit))["steps"] == 12


# --- resuming


def test_a_training_that_had_completed_is_not_done_again(bench: Bench) -> None:
    first = bench.train()
    bench.events.clear()
    again = bench.train("exit-0", resume=True)

    assert {**again, "resumed_after": None} == {**first, "resumed_after": None}
    assert bench.told("output") == []
    assert "had completed before" in bench.notes()


def test_without_being_asked_to_resume_it_begins_anew(bench: Bench) -> None:
    stop_at(bench, 8)

    bench.stop = Stop()
    result = bench.train()
    assert result["resumed_after"] is None
    assert len(runs.runs(bench.output)) == 2


def test_nothing_to_go_on_from_is_said_and_training_begins_anew(bench: Bench) -> None:
    fails(bench, "killed@3", "DPC743")
    result = bench.train(resume=True)

    assert result["resumed_after"] is None
    assert "there is no checkpoint to go on from" in bench.notes()


def test_what_a_crash_left_in_the_run_does_not_stop_the_resumed_one(tmp_path: Path) -> None:
    """The trainer fails at a `tmp` folder of before, and a signal of before ends it at its first step."""
    bench = make_bench(tmp_path, training={"checkpoint_every_n_epochs": 1, "epochs": 3})
    fails(bench, "crash-in-save", "DPC743")
    run = the_run(bench)
    assert (run / "epoch1" / "tmp").is_dir()
    (run / "save_quit").touch()

    result = bench.train(resume=True)

    assert (result["resumed_after"], result["epochs_completed"]) == (6, 3)
    assert "Cleaned up what the last run left unfinished" in bench.notes()
    assert "epoch1" in bench.notes()


def test_a_named_run_that_is_not_there_is_told(bench: Bench) -> None:
    stop_at(bench, 8)

    bench.stop = Stop()
    failure = fails(bench, "", "DPC750", args={"resume": "20200101_00-00-00"})
    assert "is not there" in failure.message
    assert the_run(bench).name in failure.hint


def test_a_named_run_is_gone_on_with(bench: Bench) -> None:
    stop_at(bench, 8)

    bench.stop = Stop()
    assert bench.train(args={"resume": the_run(bench).name})["resumed_after"] == 8


def test_more_epochs_make_a_complete_training_go_on(bench: Bench) -> None:
    bench.train()
    file = bench.job / "train.toml"
    file.write_text(file.read_text("utf-8").replace("epochs = 2", "epochs = 3"))
    result = bench.train(resume=True, args={"epochs": 3})

    assert (result["resumed_after"], result["epochs_completed"]) == (12, 3)


def test_settings_that_the_checkpoint_overrides_are_told(bench: Bench) -> None:
    stop_at(bench, 8)

    bench.stop = Stop()
    file = bench.job / "train.toml"
    file.write_text(file.read_text("utf-8").replace("lr = 2e-05", "lr = 0.0001"))
    bench.train(resume=True)
    assert "optimizer.lr is 0.0001 now, but the checkpoint keeps 2e-05" in bench.notes()


def test_a_resumed_training_that_begins_again_at_step_one_is_ended(bench: Bench) -> None:
    stop_at(bench, 8)

    bench.stop = Stop()
    failure = fails(bench, "rewind", "DPC752", resume=True)
    assert "began again at step 1" in failure.message


def test_old_checkpoints_are_cleared_away(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, training={"checkpoint_every_n_epochs": 1, "epochs": 5})
    bench.train()

    (run,) = runs.runs(bench.output)
    assert run.checkpoints == (24, 30)


def test_a_real_training_never_goes_on_from_a_rehearsal(bench: Bench) -> None:
    bench.train()
    assert (the_run(bench) / REHEARSAL_FILE).is_file()
    assert (the_run(bench) / "epoch2" / REHEARSAL_FILE).is_file()
    bench.rehearse = False
    failure = fails(bench, "", "DPC740", resume=True, args={"weights": []})
    assert "deepspeed" in failure.message  # it would have been started afresh
    assert "no checkpoint to go on from" in bench.notes()


# --- a worker that is killed


def spawn(bench: Bench, behaviour: str) -> subprocess.Popen[str]:
    plan = bench.volume / "plan.json"
    plan.write_text(json.dumps(bench.plan.to_json()), encoding="utf-8")
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.worker.training.worker_process",
            str(plan),
            behaviour,
            json.dumps(bench.env),
            bench.path,
        ],
        cwd=REPO_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def reaches_step(bench: Bench, step: int) -> Callable[[], bool]:
    log = bench.job / "train.log"
    return lambda: log.is_file() and f"steps: {step} " in log.read_text("utf-8", "replace")


def test_sigterm_saves_and_leaves_no_process(bench: Bench) -> None:
    with spawn(bench, "pause@5") as worker:
        wait_for(reaches_step(bench, 5))
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=120)

    assert json.loads(said)["stopped"] == "signal"
    assert leftovers(bench) == []
    assert bench.train(resume=True)["resumed_after"] == 5


def test_a_killed_worker_s_training_is_found_saved_and_gone_on_with(bench: Bench) -> None:
    """Kill -9 in the middle of training: no process is left, no step is lost, and none is trained twice."""
    with spawn(bench, "pause@5") as worker:
        wait_for(reaches_step(bench, 5))
        wait_for(lambda: '"can_save": true' in (bench.job / "train.running.json").read_text())
        worker.kill()
    assert leftovers(bench)

    result = bench.train(resume=True)

    assert "left its training running: it is asked to save" in bench.notes()
    assert (result["resumed_after"], result["steps"]) == (5, 12)
    assert [step for step, _, _ in read_losses(Path(result["loss_curve"]))] == list(range(1, 13))


def test_a_killed_worker_s_training_that_only_encodes_is_ended(bench: Bench) -> None:
    with spawn(bench, "hang-in-caching@2") as worker:
        log = bench.job / "train.log"
        wait_for(lambda: log.is_file() and "| 1/6 [" in log.read_text("utf-8", "replace"))
        worker.kill()
    assert leftovers(bench)

    assert bench.train(resume=True)["steps"] == 12
    assert leftovers(bench) == []
