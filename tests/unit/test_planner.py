"""The plan of a job: what is fetched, captioned, inspected, downloaded, trained and published, and with which secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan, Step, from_json
from dpcompile.planner import master_port
from dpcompile.secrecy import SECRET_FIELDS, WANDB_KEY
from tests.unit.jobs import CATALOGUE, MODELS, compiled, dataset, job, plan_of, spec_of

SCHEMA = json.loads((CATALOGUE.dirs.schemas / "plan.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
WORK = "/runpod-volume/diffusion_pipe_working_folder"

WANDB = {"monitoring": {"enable_wandb": True, "wandb_tracker_name": "t", "wandb_run_name": "r"}}
S3 = {"method": "s3", "s3": {"bucket": "b", "access_key": "AKIA-0123456789", "secret_key": "0123456789-secret"}}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "own media, own captions": {"data": {"type": "precaptioned"}},
    "evaluation by fraction": {"data": {"eval": {"fraction": 0.1}}},
    "trigger word": {"data": {"trigger_word": "ohwx"}},
    "wandb": {"training": WANDB},
    "s3": {"output": S3},
    "hub": {"output": {"method": "huggingface", "huggingface": {"repo_id": "a/b", "private": False}}},
    "presigned": {"output": {"method": "presigned", "upload_url": "https://h/up?sig=0123456789abcdef"}},
    "volume": {"output": {"method": "volume"}},
    "resume": {"launch": {"resume": True, "time_limit_minutes": 90, "trust_cache": True}},
    "resume by name": {"launch": {"resume": "20250101_10-11-12"}},
    "hosts": {"launch": {"hosts": ["10.0.0.1", "10.0.0.2"], "num_gpus": 2}},
    "full fine-tune": {"training": {"adapter": None}},
    "max_steps": {"training": {"max_steps": 500}},
}


def planned(model: str, name: str) -> Plan:
    """The plan of a job of this model in this variant."""
    kind = "images" if spec_of(model).media.images else "videos"
    fields = {**VARIANTS[name]}
    return plan_of(model, **{**fields, "data": {**dataset(kind), **fields.get("data", {})}})


def step(plan: Plan, kind: str) -> Step:
    [found] = [step for step in plan.steps if step.kind == kind]
    return found


def args(plan: Plan, kind: str) -> list[dict[str, Any]]:
    return [dict(step.args) for step in plan.steps if step.kind == kind]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("model", MODELS)
def test_every_plan_fits_the_schema_is_ordered_and_read_back_whole(model: str, name: str) -> None:
    plan = planned(model, name)
    value = json.loads(json.dumps(plan.to_json()))

    assert [error.message for error in VALIDATOR.iter_errors(value)] == []
    done: set[str] = set()
    for each in plan.steps:
        assert set(each.needs) <= done
        done.add(each.id)
    assert len(done) == len(plan.steps)
    assert from_json(value) == plan


@pytest.mark.parametrize(
    ("model", "preset"), [(model, preset) for model in MODELS for preset in spec_of(model).presets]
)
def test_plan_with_a_preset_names_it_and_fits_the_schema(model: str, preset: str) -> None:
    plan = plan_of(model, preset=preset)

    assert plan.model["preset"] == preset
    assert list(VALIDATOR.iter_errors(json.loads(json.dumps(plan.to_json())))) == []


@pytest.mark.parametrize("model", MODELS)
def test_training_waits_for_all_data_and_all_downloads_and_publishing_for_training(model: str) -> None:
    plan = plan_of(model)
    needs = {each.id: each.needs for each in plan.steps}

    assert needs["publish"] == ("train",)
    assert set(needs["train"]) == {"inspect", *(e.id for e in plan.steps if e.kind == "download")}
    assert set(needs["inspect"]) == {e.id for e in plan.steps if e.kind == "caption"}
    assert all(
        needs[f"caption-{kind}"] == (f"fetch-{kind}",) for kind in ("images", "videos") if f"caption-{kind}" in needs
    )


def test_plan_says_what_is_trained_by_whom() -> None:
    plan = plan_of("wan13", data={"type": "videos", "videos_url": "/v", "trigger_word": "ohwx"})

    assert plan.model == {
        "name": "wan13",
        "title": spec_of("wan13").title,
        "toml_type": "wan",
        "licence": "Apache-2.0",
        "preset": None,
        "trigger_word": "ohwx",
    }
    assert plan.trainer == {"repo": CATALOGUE.trainer.repo, "commit": CATALOGUE.trainer.commit}


def test_files_of_the_plan_are_the_rendered_ones_in_the_folder_of_the_job() -> None:
    result = compiled()

    assert result.plan is not None
    assert [(f.name, f.text) for f in result.plan.files] == [(f.name, f.text) for f in result.files]
    assert [f.path for f in result.plan.files] == [f"{result.plan.folders['job']}/{f.name}" for f in result.files]
    assert result.plan.folders["job"] == f"{WORK}/jobs/{result.plan.job_id}"


# --- data ---------------------------------------------------------------------------------------------------


def test_both_kinds_of_media_are_fetched_and_captioned_into_folders_of_their_own() -> None:
    plan = plan_of("wan13", data="both")

    assert [e.id for e in plan.steps][:5] == [
        "fetch-images",
        "caption-images",
        "fetch-videos",
        "caption-videos",
        "inspect",
    ]
    images, videos = args(plan, "fetch")
    assert (images["media"], videos["media"]) == ("images", "videos")
    assert images["to"] != videos["to"]
    assert [c["folder"] for c in args(plan, "caption")] == [images["to"], videos["to"]]
    assert [c["captioner"] for c in args(plan, "caption")] == ["joycaption", "gemini"]
    read = [line for line in plan.file("dataset.toml").text.splitlines() if line.startswith("path")]
    assert read == [f'path = "{images["to"]}"', f'path = "{videos["to"]}"']


@pytest.mark.parametrize(
    ("url", "kind", "shown", "secret"),
    [
        ("https://h/a.zip", "http", "https://h/a.zip", None),
        ("https://h/a.zip?sig=0123456789abcdef", "http", "https://h/a.zip", "secret:images_url"),
        ("https://user:password@h/a.zip", "http", "https://h/a.zip", "secret:images_url"),
        ("hf://datasets/o/n@main/sub", "hf", "hf://datasets/o/n@main/sub", None),
        ("s3://bucket/key.zip", "s3", "s3://bucket/key.zip", None),
        ("/runpod-volume/a", "path", "/runpod-volume/a", None),
    ],
)
def test_address_is_shown_without_what_signs_it(url: str, kind: str, shown: str, secret: str | None) -> None:
    plan = plan_of(data={"type": "images", "images_url": url})

    [fetch] = args(plan, "fetch")
    assert (fetch["source_kind"], fetch["source"], fetch["secret"]) == (kind, shown, secret)
    assert [n.pointer for n in plan.secrets if n.name == "images_url"] == (["/dataset/images_url"] if secret else [])


def test_data_that_brings_its_captions_is_not_captioned() -> None:
    [caption] = args(plan_of(data={**dataset("precaptioned"), "trigger_word": "ohwx"}), "caption")

    assert (caption["captioner"], caption["settings"], caption["overwrite"]) == (None, {}, False)
    assert caption["trigger_word"] == "ohwx"


def test_captioning_settings_of_the_job_are_laid_over_the_defaults() -> None:
    [caption] = args(plan_of(captioning={"images": {"batch_size": 9}, "overwrite": True}), "caption")

    assert caption["settings"]["batch_size"] == 9
    assert caption["settings"]["max_new_tokens"] == 300
    assert "captioner" not in caption["settings"]
    assert caption["overwrite"] is True


def test_evaluation_set_is_split_off_by_inspect_and_not_fetched() -> None:
    plan = plan_of(data={**dataset("images"), "eval": {"fraction": 0.1}})

    [fetch] = args(plan, "fetch")
    [split] = step(plan, "inspect").args["split"]
    assert split["from"] == fetch["to"]
    assert split["fraction"] == 0.1
    assert f'path = "{split["to"]}"' in plan.file("eval.toml").text
    assert step(plan, "inspect").args["folders"] == [{"role": "train", "media": "images", "path": fetch["to"]}]


def test_evaluation_set_with_an_address_is_fetched_captioned_and_inspected() -> None:
    plan = plan_of(data={**dataset("images"), "eval": {"images_url": "https://h/eval.zip"}})

    assert {"fetch-eval-images", "caption-eval-images"} <= {e.id for e in plan.steps}
    assert "caption-eval-images" in step(plan, "inspect").needs
    assert [f["role"] for f in step(plan, "inspect").args["folders"]] == ["train", "eval"]
    assert step(plan, "inspect").args["split"] == []


def test_training_and_evaluation_data_of_one_address_lie_in_folders_of_their_own() -> None:
    plan = plan_of(data={**dataset("images"), "eval": {"images_url": dataset("images")["images_url"]}})

    first, second = args(plan, "fetch")
    assert first["source"] == second["source"]
    assert first["to"] != second["to"]


def test_inspect_knows_what_the_model_takes() -> None:
    assert step(plan_of("wan14b_i2v"), "inspect").args["media"] == {
        "images": False,
        "videos": True,
        "frame_rate": 16,
        "pixel_multiple": spec_of("wan14b_i2v").media.pixel_multiple,
        "frame_multiple": 4,
        "frame_offset": 1,
        "resize_multiple": None,
        "largest_side": None,
        "edit": False,
        "masks": True,
        "sound": False,
    }


# --- downloads ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_every_source_of_the_spec_is_downloaded_by_default_to_where_the_trainer_reads_it(model: str) -> None:
    plan = plan_of(model)

    downloads = args(plan, "download")
    assert [d["repo"] for d in downloads] == [source["repo"] for source in spec_of(model).sources]
    assert all(f'"{d["to"]}' in plan.file("train.toml").text for d in downloads)
    assert all((d["files"] is None) is not (d["file"] is None) for d in downloads)


@pytest.mark.parametrize(
    ("model", "training", "left"),
    [
        ("flux", {"diffusers_path": "/mine/flux"}, []),
        ("sdxl", {"checkpoint_path": "/mine/a.safetensors"}, []),
        ("wan13", {"ckpt_path": "/mine/wan"}, []),
        ("wan13", {"llm_path": "/mine/llm.safetensors"}, ["Wan-AI/Wan2.1-T2V-1.3B"]),
        ("z_image_turbo", {"merge_adapters": None}, ["Comfy-Org/z_image_turbo"] * 3),
        (
            "z_image_turbo",
            {"diffusion_model": "/mine/z.safetensors"},
            ["Comfy-Org/z_image_turbo"] * 2 + ["ostris/zimage_turbo_training_adapter"],
        ),
        (
            "z_image_turbo",
            {"text_encoders": [{"path": "/mine/q.safetensors", "type": "lumina2"}], "vae": "/mine/vae.safetensors"},
            ["Comfy-Org/z_image_turbo", "ostris/zimage_turbo_training_adapter"],
        ),
    ],
)
def test_what_a_job_brings_itself_is_not_downloaded(model: str, training: dict[str, Any], left: list[str]) -> None:
    result = compiled(model, training)

    assert result.plan is not None, result.diagnostics
    assert [d["repo"] for d in args(result.plan, "download")] == left
    assert step(result.plan, "train").needs == ("inspect", *(e.id for e in result.plan.steps if e.kind == "download"))


def test_token_is_required_only_where_a_gated_model_is_downloaded() -> None:
    def required(plan: Plan) -> bool:
        return next(need.required for need in plan.secrets if need.name == "huggingface_token")

    assert required(plan_of("flux", output={"method": "volume"}))
    assert not required(plan_of("flux", {"diffusers_path": "/mine/flux"}, output={"method": "volume"}))
    assert not required(plan_of("sdxl", output={"method": "volume"}))


# --- training -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job_id", ["a", "0123456789", "x" * 128, "run.1", "Z"])
def test_port_lies_below_those_that_linux_gives_away(job_id: str) -> None:
    assert 20000 <= master_port(job_id) < 30000


def test_launcher_and_trainer_are_given_the_same_port() -> None:
    """The trainer overwrites the launcher's port with its own argument (train.py:253)."""
    plan = plan_of()

    argv = step(plan, "train").args["argv"]
    port = str(master_port(plan.job_id))
    assert f"--master_port={port}" in argv[: argv.index("train.py")]
    assert argv[argv.index("--master_port") + 1] == port


def test_different_jobs_get_different_ports() -> None:
    assert len({master_port(f"job-{n}") for n in range(100)}) > 95


def test_command_runs_the_trainer_on_the_rendered_file() -> None:
    plan = plan_of(launch={"num_gpus": 4, "regenerate_cache": True})
    train = step(plan, "train").args

    port = str(master_port(plan.job_id))
    config = plan.file("train.toml").path
    assert train["argv"] == [
        "deepspeed",
        "--num_gpus=4",
        f"--master_port={port}",
        "train.py",
        "--deepspeed",
        "--config",
        config,
        "--master_port",
        port,
        "--regenerate_cache",
    ]
    assert (train["cwd"], train["config"]) == (f"{WORK}/diffusion_pipe", config)
    assert train["output"] == f"{WORK}/training_outputs/{plan.job_id}"


@pytest.mark.parametrize(
    ("launch", "flags"),
    [
        ({}, []),
        ({"trust_cache": True}, ["--trust_cache"]),
        ({"regenerate_cache": True}, ["--regenerate_cache"]),
    ],
)
def test_cache_flags_are_given_only_when_asked_for(launch: dict[str, Any], flags: list[str]) -> None:
    argv = step(plan_of(launch=launch), "train").args["argv"]

    assert [a for a in argv if a.endswith("_cache")] == flags


@pytest.mark.parametrize(
    ("launch", "part", "value"),
    [
        ({}, "resume", None),
        ({"resume": False}, "resume", None),
        ({"resume": True}, "resume", True),
        ({"resume": "20250101_10-11-12"}, "resume", "20250101_10-11-12"),
        ({}, "hosts", []),
        ({"hosts": ["a", "b"]}, "hosts", ["a", "b"]),
        ({"time_limit_minutes": 1.5}, "time_limit_minutes", 1.5),
        ({"env": {"NCCL_DEBUG": "INFO"}}, "env", {"NCCL_DEBUG": "INFO"}),
        ({}, "env", {}),
        ({"num_gpus": 2}, "num_gpus", 2),
    ],
)
def test_launch_settings_reach_the_training_step(launch: dict[str, Any], part: str, value: object) -> None:
    assert step(plan_of(launch=launch), "train").args[part] == value


def test_progress_can_be_told_from_epochs_and_steps() -> None:
    train = step(plan_of(training={"epochs": 7, "max_steps": 500}), "train").args

    assert (train["epochs"], train["max_steps"]) == (7, 500)


def test_wandb_key_goes_by_the_environment_and_is_required() -> None:
    """The trainer copies its TOML into every saved folder (utils/saver.py:84)."""
    plan = plan_of(training=WANDB)

    assert step(plan, "train").args["env"] == {"WANDB_API_KEY": "secret:wandb_api_key"}
    [need] = [n for n in plan.secrets if n.name == WANDB_KEY]
    assert (need.required, need.env) == (True, ("WANDB_API_KEY",))
    assert need.pointer == "/training/monitoring/wandb_api_key"


# --- publishing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "targets"),
    [
        ({}, ["huggingface", "s3", "litterbox", "transfer_sh", "file_io"]),
        (
            {"upload_url": "https://h/up?sig=0123456789abcdef"},
            ["huggingface", "s3", "presigned", "litterbox", "transfer_sh", "file_io"],
        ),
        ({"upload_url": "token_here"}, ["huggingface", "s3", "litterbox", "transfer_sh", "file_io"]),
        ({"method": "volume"}, []),
        ({"method": "litterbox"}, ["litterbox"]),
        (S3, ["s3"]),
    ],
)
def test_targets_are_tried_in_the_promised_order(output: dict[str, Any], targets: list[str]) -> None:
    publish = step(plan_of(output=output), "publish").args

    assert [t["kind"] for t in publish["targets"]] == targets
    assert publish["volume_path"].startswith(f"{WORK}/training_outputs/")


def test_hub_repository_is_private_and_named_after_the_job_unless_the_job_says_otherwise() -> None:
    plan = plan_of(output={"method": "huggingface"})
    [own] = step(plan, "publish").args["targets"]
    [said] = step(
        plan_of(
            output={"method": "huggingface", "huggingface": {"repo_id": "a/b", "private": False, "token": "hf_01234"}}
        ),
        "publish",
    ).args["targets"]

    assert (own["repo_id"], own["private"], own["secret"]) == (None, True, "secret:huggingface_token")
    assert own["default_repo_name"] == f"diffusion-pipe-lora-{plan.job_id[:8]}"
    assert (said["repo_id"], said["private"], said["secret"]) == ("a/b", False, "secret:huggingface_output_token")


def test_s3_target_holds_the_names_of_its_secrets_and_not_their_values() -> None:
    plan = plan_of(output=S3)
    [target] = step(plan, "publish").args["targets"]

    assert (target["bucket"], target["key_prefix"]) == ("b", "diffusion-pipe-outputs")
    assert target["secrets"] == ["secret:s3_access_key", "secret:s3_secret_key"]
    assert {n.name: n.required for n in plan.secrets if n.name.startswith("s3")} == {
        "s3_access_key": True,
        "s3_secret_key": True,
    }


# --- secrets ------------------------------------------------------------------------------------------------

EVERY_SECRET: dict[str, Any] = {
    "training": {"monitoring": {**WANDB["monitoring"], "wandb_api_key": "wandb-0123456789"}},
    "data": {
        "type": "both",
        "images_url": "https://user:passw0rd-images@h/i.zip",
        "videos_url": "https://h/v.zip?X-Amz-Signature=signature-videos",
        "eval": {"images_url": "https://h/e.zip?sig=signature-evaluation"},
    },
    "api_keys": {"huggingface_token": "hf_api_0123456789", "gemini_api_key": "gemini-0123456789"},
    "output": {
        "huggingface": {"token": "hf_out_0123456789"},
        "s3": {"bucket": "b", "access_key": "access-0123456789", "secret_key": "secret-0123456789"},
        "upload_url": "https://h/up?sig=signature-upload",
    },
}
VALUES = (
    "wandb-0123456789", "passw0rd-images", "signature-videos", "signature-evaluation", "hf_api_0123456789",
    "gemini-0123456789", "hf_out_0123456789", "access-0123456789", "secret-0123456789", "signature-upload",
)  # fmt: skip


def test_plan_names_every_secret_of_the_job_and_holds_none() -> None:
    plan = plan_of("wan13", **EVERY_SECRET)

    text = json.dumps(plan.to_json())
    assert [value for value in VALUES if value in text] == []
    assert {need.name for need in plan.secrets} == {
        *SECRET_FIELDS,
        WANDB_KEY,
        "images_url",
        "videos_url",
        "eval_images_url",
    }


def test_every_secret_that_a_step_names_is_listed() -> None:
    text = json.dumps([e.to_json() for e in plan_of("wan13", **EVERY_SECRET).steps])
    listed = {need.name for need in plan_of("wan13", **EVERY_SECRET).secrets}

    named = {part.split('"')[0] for part in text.split("secret:")[1:]}
    assert named <= listed


def test_secrets_do_not_change_the_plan() -> None:
    """Another token is no other job: its folders and its cache stay."""
    with_token = plan_of(api_keys={"huggingface_token": "hf_one_0123456789"})

    assert with_token.id == plan_of(api_keys={"huggingface_token": "hf_two_0123456789"}).id


def test_pointer_of_a_secret_leads_into_the_envelope() -> None:
    inner = job(api_keys={"huggingface_token": "hf_0123456789"})
    plan = compile_job({"id": "request-1", "input": inner}, catalogue=CATALOGUE).plan

    assert plan is not None
    assert plan.job_id == "request-1"
    assert [n.pointer for n in plan.secrets if n.name == "huggingface_token"] == ["/input/api_keys/huggingface_token"]


def test_gemini_key_is_required_only_to_caption_videos() -> None:
    assert "gemini_api_key" in {n.name for n in plan_of("wan14b_i2v").secrets if n.required}
    assert "gemini_api_key" not in {n.name for n in plan_of("flux").secrets}
    assert "gemini_api_key" not in {n.name for n in plan_of("wan13", data="precaptioned").secrets}
