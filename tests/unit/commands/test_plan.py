"""`dpcompile plan`: the plan on stdout and nothing else there."""

from __future__ import annotations

import json
from pathlib import Path

from dpcompile.compiler import compile_job
from dpcompile.plan import from_json
from tests.unit.commands.support import dpcompile
from tests.unit.jobs import CATALOGUE, job


def test_plan_of_the_command_is_the_plan_of_the_library(good: Path) -> None:
    done = dpcompile("plan", good)

    assert (done.code, done.err) == (0, "")
    assert from_json(done.json) == compile_job(good.read_bytes(), catalogue=CATALOGUE).plan


def test_findings_go_beside_the_plan_and_not_into_it(warned: Path) -> None:
    done = dpcompile("plan", warned)

    assert done.code == 0
    assert "warning DPC216" in done.err
    from_json(done.json)


def test_job_with_errors_has_no_plan(bad: Path) -> None:
    done = dpcompile("plan", bad)

    assert (done.code, done.out) == (1, "")
    assert "error DPC208" in done.err


def test_job_from_stdin_gives_the_same_plan(good: Path) -> None:
    assert dpcompile("plan", "-", stdin=good.read_text("utf-8")).out == dpcompile("plan", good).out


def test_options_reach_the_plan(good: Path) -> None:
    plan = dpcompile("plan", good, "--job-id", "mine", "--volume", "/mnt", "--set", "launch.num_gpus=2").json

    assert plan["job_id"] == "mine"
    assert plan["folders"]["job"] == "/mnt/diffusion_pipe_working_folder/jobs/mine"
    assert "--num_gpus=2" in plan["steps"][-2]["args"]["argv"]


def test_same_job_gives_the_same_bytes(good: Path) -> None:
    assert dpcompile("plan", good).out == dpcompile("plan", good).out


def test_no_secret_is_printed() -> None:
    value = job(
        data={"type": "images", "images_url": "https://h/a.zip?sig=signature-0123456789"},
        api_keys={"huggingface_token": "hf_0123456789"},
        training={"nonsense": 1},
    )
    for given in (value, {k: v for k, v in value.items() if k != "training"}):
        done = dpcompile("plan", "-", stdin=json.dumps(given))
        assert "hf_0123456789" not in done.out + done.err
        assert "signature-0123456789" not in done.out + done.err
