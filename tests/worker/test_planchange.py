"""In which words two plans of one job differ."""

from __future__ import annotations

from pathlib import Path

from dpcompile.compiler import compile_job
from tests.unit.jobs import job, plan_of
from tests.worker.runs import plan_in
from worker.planchange import differences


def changes(first: object, second: object) -> tuple[str, ...]:
    plans = [compile_job(each, job_id="x").plan for each in (first, second)]
    assert plans[0] is not None
    assert plans[1] is not None
    return differences(plans[0].to_json(), plans[1].to_json())


def test_equal_plans_do_not_differ() -> None:
    plan = plan_of().to_json()
    assert differences(plan, plan) == ()


def test_a_setting_is_named_as_in_its_file() -> None:
    first, second = job(training={"epochs": 3, "lora_rank": 8}), job(training={"epochs": 4})
    assert set(changes(first, second)) >= {"train.toml: epochs was 3, is 4", "train.toml: adapter.rank was 8, is 32"}


def test_data_is_told_by_its_address_and_not_by_digests() -> None:
    data = {"type": "images", "images_url": "https://example.com/a.zip"}
    assert changes(job(data=data), job(data={**data, "images_url": "https://example.com/b.zip"})) == (
        'step fetch-images: source was "https://example.com/a.zip", is "https://example.com/b.zip"',
    )


def test_an_address_that_differs_where_it_is_not_shown() -> None:
    data = {"type": "images", "images_url": "https://example.com/a?file=1"}
    assert changes(job(data=data), job(data={**data, "images_url": "https://example.com/a?file=2"})) == (
        "the data comes from another address",
    )


def test_launch_output_and_secrets_may_change() -> None:
    first = job(launch={"num_gpus": 1}, output={"method": "volume"})
    second = job(
        launch={"time_limit_minutes": 60, "resume": True, "env": {"A": "1"}, "trust_cache": True},
        output={"method": "huggingface", "huggingface": {"token": "hf_0123456789", "repo_id": "a/b"}},
        api_keys={"huggingface_token": "hf_9876543210"},
    )
    assert changes(first, second) == ()


def test_many_changes_are_counted() -> None:
    told = changes(job("flux", training={"epochs": 1}), job("sdxl", training={"epochs": 2}))
    assert len(told) == 6
    assert told[-1].startswith("and ")


def test_a_file_that_is_no_toml_is_compared_as_text(tmp_path: Path) -> None:
    old, new = plan_in(tmp_path, train_toml="= 1").to_json(), plan_in(tmp_path, train_toml="= 2").to_json()
    assert differences(old, new) == ('train.toml was "= 1", is "= 2"',)
