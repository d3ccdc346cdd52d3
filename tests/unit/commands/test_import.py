"""`dpcompile import`, `check --toml` and `diff`, run as users run them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.commands.support import Output, dpcompile
from tests.unit.jobs import CATALOGUE

TRAIN = """\
output_dir = '/data/out'
dataset = 'configs/dataset.toml'
epochs = 1000
save_every_n_epochs = 2
gradient_accumulation_steps = 1
eval_every_n_epochs = 1

[model]
type = 'wan'
ckpt_path = '/data/models/Wan2.1-T2V-1.3B'
dtype = 'bfloat16'
transformer_dtype = 'float8'
blocks_to_swap = 20

[adapter]
type = 'lora'
rank = 16
min_t = 0.875

[optimizer]
type = 'adamw_optimi'
lr = 1e-4

[monitoring]
enable_wandb = true
wandb_api_key = '0123456789abcdef0123456789abcdef01234567'
wandb_tracker_name = 'mine'
wandb_run_name = 'first'
"""
DATASET = """\
resolutions = [512]
enable_ar_bucket = true
min_ar = 0.5
max_ar = 2.0
num_ar_buckets = 7
frame_buckets = [1, 34]
caption_extension = '.txt'

[[directory]]
path = '/data/clips'
num_repeats = 5
"""


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """A training file with its dataset file beside it, which it names by a path of another machine."""
    (tmp_path / "dataset.toml").write_text(DATASET, "utf-8")
    (tmp_path / "train.toml").write_text(TRAIN, "utf-8")
    return tmp_path / "train.toml"


def kinds(done: Output) -> dict[str, str]:
    return {each["key"]: each["kind"] for each in done.json["report"]}


def test_a_job_and_a_report_come_out(train: Path) -> None:
    done = dpcompile("import", train, "--format", "json")

    assert done.code == 0
    assert done.json["job"]["model_type"] == "wan13"
    assert done.json["job"]["dataset"]["directories"] == [{"path": "/data/clips", "num_repeats": 5}]
    found = kinds(done)
    assert found["model.blocks_to_swap"] == found["adapter.min_t"] == found["dataset.caption_extension"] == "unread"
    assert found["eval_every_n_epochs"] == "inert"
    assert (found["output_dir"], found["model.ckpt_path"]) == ("changed", "kept")
    [told] = [each for each in done.json["report"] if each["key"] == "adapter.min_t"]
    assert told["line"] == 18
    assert "in [model]" in told["message"]
    assert "default, 0.0" in told["message"]


def test_the_job_says_only_what_differs_from_the_model_spec(train: Path) -> None:
    job = dpcompile("import", train, "--format", "json").json["job"]

    assert job["training"]["model"] == {
        "ckpt_path": "/data/models/Wan2.1-T2V-1.3B",
        "transformer_dtype": "float8",
    }
    assert job["training"]["optimizer"]["lr"] == 1e-4
    assert "type" not in job["training"]["optimizer"]


def test_the_imported_job_trains_the_same(train: Path) -> None:
    job = train.with_name("job.json")

    assert dpcompile("import", train, "-o", job).code == 0
    assert dpcompile("check", job).code == 0
    assert (dpcompile("diff", train, job).code, dpcompile("diff", train, job).out) == (0, "")


def test_the_wandb_key_is_never_copied(train: Path) -> None:
    for arguments in (("--format", "json"), (), ("--keep-unread",), ("-o", str(train.with_name("job.json")))):
        done = dpcompile("import", train, *arguments)
        assert "0123456789abcdef" not in done.out + done.err
        assert "WANDB_API_KEY" in done.out + done.err
    assert "0123456789abcdef" not in train.with_name("job.json").read_text("utf-8")


def test_what_nobody_reads_can_be_passed_through(train: Path) -> None:
    done = dpcompile("import", train, "--keep-unread", "--format", "json")

    passed = done.json["job"]["training"]["passthrough"]
    assert passed == {
        "model": {"blocks_to_swap": 20},
        "adapter": {"min_t": 0.875},
        "dataset": {"caption_extension": ".txt"},
    }
    assert kinds(done)["adapter.min_t"] == "kept"


def test_a_value_in_the_right_table_is_named_where_the_wrong_one_is_told(train: Path) -> None:
    train.write_text(TRAIN.replace("[adapter]", "min_t = 0.5\n\n[adapter]"), "utf-8")

    told = {each["key"]: each["message"] for each in dpcompile("import", train, "--format", "json").json["report"]}
    assert "What counted is the 0.5 that stands there" in told["adapter.min_t"]


def test_a_dataset_that_is_not_found_is_said(train: Path) -> None:
    train.with_name("dataset.toml").unlink()

    done = dpcompile("import", train, "--format", "json")
    assert done.code == 0
    assert "directories" not in done.json["job"]["dataset"]
    assert any("--dataset FILE" in each["hint"] for each in done.json["report"])


def test_evaluation_sets_come_along_with_settings_of_their_own(train: Path) -> None:
    sets = "eval_datasets = ['x/eval.toml', 'other.toml']\n"
    train.write_text(sets + TRAIN, "utf-8")
    train.with_name("eval.toml").write_text("resolutions = [256]\n[[directory]]\npath = '/data/e'\n", "utf-8")
    other = train.with_name("elsewhere.toml")
    other.write_text("resolutions = [512]\n[[directory]]\npath = '/data/o'\n", "utf-8")

    done = dpcompile("import", train, "--eval", f"eval1={other}", "-o", train.with_name("job.json"))
    assert done.code == 0
    job = json.loads(train.with_name("job.json").read_text("utf-8"))
    first, second = job["dataset"]["eval"]["sets"]
    assert (first["name"], second["name"]) == ("eval0", "eval1")
    assert first["resolutions"] == [256]
    assert first["directories"] == [{"path": "/data/e"}]


def test_a_directory_s_setting_stays_out_of_the_evaluation_sets(train: Path) -> None:
    train.with_name("dataset.toml").write_text(DATASET + "shuffle_metadata = true\n", "utf-8")
    held = train.with_name("held.toml")
    train.write_text(f"eval_datasets = [{{name = 'held', config = '{held}'}}]\n" + TRAIN, "utf-8")
    held.write_text(DATASET.replace("/data/clips", "/data/held"), "utf-8")
    job, folder = train.with_name("job.json"), train.with_name("files")
    assert dpcompile("import", train, "-o", job).code == 0

    assert dpcompile("render", job, "-o", folder).code == 0

    files = {path.name: tomllib.loads(path.read_text("utf-8")) for path in folder.glob("*.toml")}
    [one] = [tree for name, tree in files.items() if name.startswith("eval")]
    assert files["dataset.toml"]["directory"][0]["shuffle_metadata"] is True
    assert "shuffle_metadata" not in {**one, **one["directory"][0]}


def test_an_evaluation_set_that_is_not_there_is_wrong_usage(train: Path) -> None:
    done = dpcompile("import", train, "--eval", "none=x.toml")

    assert done.code == 2
    assert "no such evaluation set" in done.err


def test_a_full_fine_tune_stays_one(train: Path) -> None:
    train.write_text(TRAIN.replace("[adapter]\ntype = 'lora'\nrank = 16\nmin_t = 0.875\n", ""), "utf-8")

    assert dpcompile("import", train, "--format", "json").json["job"]["training"]["adapter"] is None


def test_what_would_have_crashed_is_told_with_the_time_of_it(train: Path) -> None:
    text = TRAIN.replace("rank = 16", "rank = 16\nalpha = 16").replace("epochs = 1000\n", "")
    train.write_text(text.replace("float8'", "nf4'"), "utf-8")

    report = {each["key"]: each for each in dpcompile("import", train, "--format", "json").json["report"]}
    assert report["adapter.alpha"]["kind"] == "crash"
    assert report["epochs"]["kind"] in ("crash", "late")
    assert "the trainer would stop" in report["epochs"]["message"]
    assert report["model.transformer_dtype"]["kind"] in ("crash", "late")
    assert "the trainer would stop at once" in report["model.transformer_dtype"]["message"]


def test_a_model_type_of_a_fork_comes_with_a_model_spec(train: Path) -> None:
    train.write_text(TRAIN.replace("'wan'", "'wonder'"), "utf-8")
    job = train.with_name("job.json")

    done = dpcompile("import", train, "-o", job)
    assert done.code == 0
    assert "a fork of it may" in done.out.replace("\n    ", " ")
    checked = dpcompile("check", job, "--specs", train.parent / "job.specs")
    assert checked.code == 0, checked.out
    assert dpcompile("check", job).code == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("epochs = 1 lr = 2\n", "two settings on one line"),
        ("betas = [0.9, 0.99 # ]\nx = 1\n", "stands behind a #"),
        ("path = '/data\nx = 1\n", "is not closed"),
        ("type = wan\n", "without quotes"),
        ("x = True\n", "small letters"),
        ("resolutions: [512]\n", "not a colon"),
        ("x = {a = 1,\n b = 2}\n", "not closed on its line"),
        ("x = 1\nx = 2\n", "stands twice"),
        ("d = 2024-01-01\n", "is a date"),
        ("", "empty"),
    ],
)
def test_what_is_no_toml_is_told_in_plain_words(tmp_path: Path, wrong: str, said: str) -> None:
    file = tmp_path / "train.toml"
    file.write_text(wrong, "utf-8")

    done = dpcompile("import", file)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    as_json = dpcompile("import", file, "--format", "json")
    assert as_json.code == 1
    assert as_json.json["job"] is None
    assert as_json.json["report"][0]["kind"] == "crash"


def test_a_dataset_file_or_a_config_of_another_trainer_is_not_taken_for_a_training(tmp_path: Path) -> None:
    data, other = tmp_path / "d.toml", tmp_path / "o.toml"
    data.write_text(DATASET, "utf-8")
    other.write_text("pretrained_model_name_or_path = 'x'\nnetwork_module = 'networks.lora'\n", "utf-8")

    assert "is a dataset file" in dpcompile("import", data).err
    done = dpcompile("import", other)
    assert done.code == 2
    assert "kohya sd-scripts" in done.err


def test_a_whole_folder_gives_jobs_and_a_table(train: Path) -> None:
    folder = train.parent
    (folder / "sub").mkdir()
    (folder / "sub" / "musubi.toml").write_text(
        "[[datasets]]\nvideo_directory = '/x'\ncache_directory = '/c'\n", "utf-8"
    )
    (folder / "sub" / "broken.toml").write_text("a = 1 b = 2\n", "utf-8")
    (folder / "toolkit.yaml").write_text("job: extension\nconfig:\n  process:\n    - folder_path: x\n", "utf-8")
    (folder / "package.json").write_text('{"name": "x"}', "utf-8")

    done = dpcompile("import", folder, "-o", folder / "jobs")
    assert done.code == 1  # for the broken one
    rows = {Path(line.split("  ")[0]).name: line for line in done.out.splitlines() if line.startswith(str(folder))}
    assert "wan13" in rows["train.toml"]
    assert "dataset file" in rows["dataset.toml"]
    assert "of musubi-tuner" in rows["musubi.toml"]
    assert "of ai-toolkit" in rows["toolkit.yaml"]
    assert "two settings on one line" in rows["broken.toml"]
    assert "package.json" not in rows
    assert json.loads((folder / "jobs" / "train.json").read_text("utf-8"))["model_type"] == "wan13"
    as_json = dpcompile("import", folder, "--format", "json").json
    assert {Path(row["file"]).name: row["what"] for row in as_json}["train.toml"] == "wan13"


def test_a_byte_order_mark_is_told_and_the_rest_imported(train: Path) -> None:
    train.write_bytes(b"\xef\xbb\xbf" + b"# mine\r\n" + TRAIN.replace("\n", "\r\n").encode())

    done = dpcompile("import", train, "--format", "json")
    assert (done.code, done.json["job"]["model_type"]) == (0, "wan13")
    assert done.json["report"][0]["kind"] == "crash"
    assert "byte order mark" in done.json["report"][0]["message"]


# --- check --toml -------------------------------------------------------------------------------------------


def test_the_checks_of_jobs_are_made_on_the_files(train: Path) -> None:
    done = dpcompile("check", "--toml", train, "--format", "json")

    assert done.code == 1
    places = {(each["code"], Path(each["file"]).name, each["line"]) for each in done.json}
    assert {("DPC210", "train.toml", 18), ("DPC446", "dataset.toml", 6), ("DPC214", "dataset.toml", 7)} <= places
    assert all(each["line"] for each in done.json)


def test_files_in_which_nothing_is_wrong_are_ok(train: Path) -> None:
    good = (
        TRAIN.replace("blocks_to_swap = 20\n", "")
        .replace("min_t = 0.875\n", "")
        .replace("eval_every_n_epochs = 1\n", "")
    )
    train.write_text(good, "utf-8")
    train.with_name("dataset.toml").write_text(
        DATASET.replace("34", "33").replace("caption_extension = '.txt'\n", ""), "utf-8"
    )

    done = dpcompile("check", "--toml", train, "--strict")
    assert (done.code, done.out) == (0, f"{train}: ok\n"), done.out


@pytest.mark.parametrize(
    "arguments", [(), ("--toml", "x.toml", "job.json"), ("job.json", "--dataset", "x"), ("--toml", "x", "--set", "a=1")]
)
def test_jobs_and_files_are_not_mixed(arguments: tuple[str, ...]) -> None:
    assert dpcompile("check", *arguments).code == 2


# --- diff ---------------------------------------------------------------------------------------------------


def test_order_style_and_defaults_are_no_difference(train: Path) -> None:
    other = train.with_name("other.toml")
    lines = TRAIN.split("\n\n")
    text = "\n\n".join([lines[0].replace("'", '"'), *reversed(lines[1:])]).replace("lr = 1e-4", "lr = 0.0001  # low")
    other.write_text("pipeline_stages = 1\n" + text, "utf-8")

    assert (dpcompile("diff", train, other).code, dpcompile("diff", train, other).out) == (0, "")


def test_what_is_trained_otherwise_is_told(train: Path) -> None:
    other = train.with_name("other.toml")
    other.write_text(TRAIN.replace("1e-4", "2e-4").replace("rank = 16", "rank = 32"), "utf-8")

    done = dpcompile("diff", train, other)
    assert (done.code, done.out.splitlines()) == (
        1,
        ["train.adapter.rank: 16 -> 32", "train.optimizer.lr: 0.0001 -> 0.0002"],
    )
    assert dpcompile("diff", train, other, "--format", "json").json[1] == {
        "key": "train.optimizer.lr",
        "first": 0.0001,
        "second": 0.0002,
    }


def test_a_job_and_its_plan_train_the_same(train: Path) -> None:
    job, plan = train.with_name("job.json"), train.with_name("plan.json")
    dpcompile("import", train, "-o", job)
    plan.write_text(dpcompile("plan", job).out, "utf-8")

    assert dpcompile("diff", job, plan).code == 0
    data: dict[str, Any] = json.loads(job.read_text("utf-8"))
    data["launch"] = {"num_gpus": 2}
    other = train.with_name("two.json")
    other.write_text(json.dumps(data), "utf-8")
    assert dpcompile("diff", plan, other).out == "train.num_gpus: 1 -> 2\n"


def test_what_cannot_be_compared_says_why(train: Path) -> None:
    broken = train.with_name("broken.json")
    broken.write_text('{"model_type": "none"}', "utf-8")

    done = dpcompile("diff", train, broken)
    assert done.code == 1
    assert "DPC206" in done.err
    assert CATALOGUE.find("none") is None


# ---- what no check of a job can see


def report_of(train: Path, text: str, *options: str) -> dict[str, tuple[str, str]]:
    """Key -> kind and message of a report."""
    train.write_text(text, "utf-8")
    done = dpcompile("import", train, "--format", "json", *options)
    assert done.code == 0, done.err
    found: dict[str, tuple[str, str]] = {}
    for each in done.json["report"]:
        kind, message = found.get(each["key"], (each["kind"], ""))
        found[each["key"]] = (kind, f"{message}\n{each['message']}".strip())
    return found


def test_a_file_that_never_saves_is_told_and_the_job_does(train: Path) -> None:
    kind, message = report_of(train, TRAIN.replace("save_every_n_epochs = 2\n", ""))["save_every_n_epochs"]
    assert kind == "crash"
    assert "is set: the trainer stops at once" in message


def test_a_file_without_an_optimizer_is_told_once(train: Path) -> None:
    text = TRAIN.replace("[optimizer]\ntype = 'adamw_optimi'\nlr = 1e-4\n", "")
    report = report_of(train, text)
    assert report["optimizer"][0] == "crash"
    assert not [key for key in report if key.startswith("optimizer.")]


@pytest.mark.parametrize(
    ("listed", "kind", "said"),
    [
        ("['e.toml']", "late", "is a plain name"),
        ("[{config = 'e.toml'}]", "crash", "has no name"),
        ("[{name = 'a', path = 'e.toml'}]", "crash", "has no config"),
        ("'e.toml'", "crash", "must be a list"),
        ("[1]", "crash", "must be a table"),
    ],
)
def test_a_broken_list_of_evaluation_sets_is_told(train: Path, listed: str, kind: str, said: str) -> None:
    train.with_name("e.toml").write_text(DATASET, "utf-8")
    report = report_of(train, f"eval_datasets = {listed}\n{TRAIN}")
    told = next(each for key, each in report.items() if key.startswith("eval_datasets") and said in each[1])
    assert told[0] == kind


def test_of_two_evaluation_sets_with_one_name_the_last_counts(train: Path) -> None:
    for name in ("one", "two"):
        train.with_name(f"{name}.toml").write_text(DATASET.replace("/data/clips", f"/data/{name}"), "utf-8")
    listed = "[{name = 'a', config = 'one.toml'}, {name = 'a', config = 'two.toml'}]"
    train.write_text(f"eval_datasets = {listed}\n{TRAIN}", "utf-8")
    done = dpcompile("import", train, "--format", "json")
    [only] = done.json["job"]["dataset"]["eval"]["sets"]
    assert only["directories"][0]["path"] == "/data/two"
    assert any("keeps the last one" in each["message"] for each in done.json["report"])


def test_wandb_without_its_key_would_have_stopped_late(train: Path) -> None:
    text = "".join(line for line in TRAIN.splitlines(keepends=True) if "wandb_api_key" not in line)
    assert report_of(train, text)["monitoring.enable_wandb"][0] == "late"


def test_secrets_are_not_passed_through(train: Path) -> None:
    text = "hf_token = 'hf_0123456789abcdefghij'\nodd = 1\n" + TRAIN + "[wandb]\napi_key = '0123456789abcdef'\n"
    train.write_text(text, "utf-8")
    done = dpcompile("import", train, "--keep-unread", "--format", "json")
    assert "0123456789" not in json.dumps(done.json["job"])
    assert done.json["job"]["training"]["passthrough"]["root"] == {"odd": 1}
    assert sum("looks like a secret" in each["message"] for each in done.json["report"]) == 2


@pytest.mark.parametrize(("written", "model"), [("Wan", "wan13"), ("wan ", "wan13"), ("qwen-image", "qwen"), ("flux_kontext", "flux_kontext")])  # fmt: skip
def test_a_misspelt_model_type_stops_the_trainer_and_is_taken_for_what_is_meant(
    train: Path, written: str, model: str
) -> None:
    train.write_text(TRAIN.replace("type = 'wan'", f"type = '{written}'"), "utf-8")
    done = dpcompile("import", train, "--format", "json")
    assert done.json["job"]["model_type"] == model
    told = next(each for each in done.json["report"] if each["key"] == "model.type")
    assert told["kind"] == "crash"
    assert f'no model type "{written}"' in told["message"]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/w/wan_t2v_14b", "wan14b_t2v"),
        ("/w/Wan2.1-I2V-14B-720P", "wan14b_i2v_720p"),
        ("/w/Wan2.2-TI2V-5B", "wan22_ti2v_5b"),
        ("/data/models/Wan2.1-T2V-1.3B", "wan13"),
    ],
)
def test_the_words_of_a_path_tell_the_variant(train: Path, path: str, model: str) -> None:
    train.write_text(TRAIN.replace("/data/models/Wan2.1-T2V-1.3B", path), "utf-8")
    assert dpcompile("import", train, "--format", "json").json["job"]["model_type"] == model


def test_where_the_paths_do_not_tell_it_that_is_said(train: Path) -> None:
    report = report_of(train, TRAIN.replace("/data/models/Wan2.1-T2V-1.3B", "/w/mine"))
    kind, message = report["model.type"]
    assert kind == "kept"
    assert "the paths speak no less for" in message


def test_pipeline_stages_bring_as_many_gpus(train: Path) -> None:
    train.write_text("pipeline_stages = 2\n" + TRAIN.replace("blocks_to_swap = 20\n", ""), "utf-8")
    done = dpcompile("import", train, "--format", "json")
    assert done.json["job"]["launch"] == {"num_gpus": 2}
    assert [each["kind"] for each in done.json["report"] if each["key"] == "pipeline_stages"] == ["changed"]


def test_what_is_written_is_checked_even_where_the_model_has_the_same_by_default(train: Path) -> None:
    text = DATASET.replace("enable_ar_bucket = true", "enable_ar_bucket = false")
    train.with_name("dataset.toml").write_text(text, "utf-8")
    report = report_of(train, TRAIN)
    assert report["dataset.num_ar_buckets"][0] == "inert"


def test_what_the_trainer_ignores_and_a_job_may_not_have_is_left_out(train: Path) -> None:
    text = TRAIN.replace("rank = 16\n", "rank = 16\nfuse_adapters = [{path = '/a'}]\n")
    report = report_of(train, text)
    assert report["adapter.fuse_adapters"][0] == "inert"
    job = train.with_name("job.json")
    assert dpcompile("import", train, "-o", job).code == 0
    assert "fuse_adapters" not in job.read_text("utf-8")


def test_whole_numbers_written_as_decimals_are_the_same_where_they_are_only_counted(train: Path) -> None:
    report = report_of(train, TRAIN.replace("epochs = 1000", "epochs = 1e1"))
    assert report["epochs"] == ("changed", "epochs 10.0 is written 10, which is the same to the trainer")


def test_the_schedule_in_a_table_is_one_key(train: Path) -> None:
    train.write_text(TRAIN + "[scheduler]\ntype = 'cosine'\n", "utf-8")
    [told] = [e for e in dpcompile("import", train, "--format", "json").json["report"] if e["key"] == "scheduler.type"]
    assert told["hint"].startswith('Write lr_scheduler = "cosine" there.')


def test_folders_in_a_training_file_are_not_kept(train: Path) -> None:
    report = report_of(train, TRAIN + "[[directory]]\npath = '/w/zzz'\n")
    assert report["directory.0.path"][0] == "unread"


def test_windows_paths_in_double_quotes_are_explained(train: Path) -> None:
    train.write_text('output_dir = "C:\\Users\\me"\n' + TRAIN, "utf-8")
    done = dpcompile("import", train)
    assert "a backslash in double quotes is an escape" in " ".join(done.err.split())
    report = report_of(train, TRAIN.replace("'/data/models/Wan2.1-T2V-1.3B'", '"C:\\training"'))
    assert "holds a tab or a line break" in report["model.ckpt_path"][1]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("aitk.yaml", "job: extension\nconfig:\n  process:\n    - datasets: []\n", "of ai-toolkit"),
        ("mine.json", '{"model_type": "sdxl", "dataset": {}}', "a job already"),
        ("pyproject.toml", "[project]\nname = 'x'\n", "no training file"),
    ],
)
def test_files_of_others_are_said_to_be_theirs(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    done = dpcompile("import", tmp_path / name)
    assert done.code == 2
    assert said in done.err


def test_dataset_files_can_be_compared_and_what_is_not_known_is_not(train: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(DATASET.replace("[512]", "[768]"), "utf-8")
    done = dpcompile("diff", train.with_name("dataset.toml"), other)
    assert done.code == 1
    assert "dataset.resolutions: [512] -> [768]" in done.out
    alone = tmp_path / "alone" / "train.toml"
    alone.parent.mkdir()
    alone.write_text(TRAIN.replace("configs/dataset.toml", "nowhere.toml"), "utf-8")
    assert dpcompile("diff", train, alone).out == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("rank = 16\n", "rank = 16\ndtype = 'bfloat16'\n", id="the adapter's format is the model's"),
        pytest.param("'adamw_optimi'", "'AdamW_Optimi'", id="capitals of an optimizer of the trainer's own"),
        pytest.param("eval_every_n_epochs = 1\n", "", id="evaluation without a set"),
        pytest.param("epochs = 1000\n", "epochs = 1000\ncaching_batch_size = 4\n", id="speed"),
        pytest.param("wandb_run_name = 'first'", "wandb_run_name = 'second'", id="what is told on the way"),
    ],
)
def test_what_comes_to_the_same_is_no_difference(train: Path, before: str, after: str) -> None:
    other = train.with_name("other.toml")
    assert before in TRAIN
    other.write_text(TRAIN.replace(before, after), "utf-8")

    done = dpcompile("diff", train, other)

    assert (done.code, done.out) == (0, "")


def test_another_format_than_the_model_s_is_a_difference(train: Path) -> None:
    other = train.with_name("other.toml")
    other.write_text(TRAIN.replace("rank = 16\n", "rank = 16\ndtype = 'float32'\n"), "utf-8")

    assert 'train.adapter.dtype: "bfloat16" (default) -> "float32"' in dpcompile("diff", train, other).out
