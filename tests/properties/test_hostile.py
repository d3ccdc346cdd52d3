"""Whatever the job is, the answer is findings and exit code 1: no traceback, no hang, no memory without end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import has_errors
from dpcompile.report import as_github, as_json, as_text, to_json
from tests.properties.accidents import near_jobs
from tests.properties.command import Ended, run_apart, run_here
from tests.properties.fitting import NASTY_TEXTS, keys, scalars, wild_json
from tests.properties.strategies import CATALOGUE

GIBIBYTE = 2**30
GOOD = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}


# --- the library raises nothing ------------------------------------------------------------------------------


def assert_sound(result: CompileResult) -> None:
    """Findings that can be shown in every form, and files and plan exactly when nothing is wrong."""
    assert result.ok == (result.plan is not None) == bool(result.files)
    assert result.ok == (not has_errors(result.diagnostics))
    for form in (as_text, as_github):
        form(result.diagnostics).encode("utf-8")
    as_json([to_json(d) for d in result.diagnostics])
    for found in result.diagnostics:
        assert found.message
        assert "\n" not in as_text([found]).split("\n    ")[0]


def with_training(**training: Any) -> dict[str, Any]:
    return {**GOOD, "training": training}


@given(near_jobs())
def test_damaged_jobs(job: dict[str, Any]) -> None:
    assert_sound(compile_job(job, catalogue=CATALOGUE))


EXTREMES: dict[str, dict[str, Any]] = {
    "size-buckets": with_training(size_buckets=[[10**400, 3, 1]]),
    "mixed-list": with_training(resolutions=[10**400, 0.5]),
    "examples": with_training(
        save_every_n_examples=1, micro_batch_size_per_gpu=10**4000, gradient_accumulation_steps=10**4000
    ),
    "gpus": {**with_training(pipeline_stages=7), "launch": {"num_gpus": 10**4299, "hosts": ["a"] * 20}},
    "rates": with_training(learning_rate=10**400, lr_scheduler="cosine", min_ar=10**400),
    "frames": {
        "model_type": "wan13",
        "dataset": {"type": "videos", "videos_url": "/data"},
        "training": {"frame_buckets": [10**4299 + 1, 10**4299 + 2]},
    },
    "split": with_training(pipeline_stages=10**4299, partition_method="manual", partition_split=[1]),
    "swap": with_training(blocks_to_swap=10**4299),
    "alpha": with_training(lora_alpha=10**4299, lora_rank=10**400),
    "unchecked-numbers": with_training(passthrough={"root": {"blocks_to_swap": "x", "pipeline_stages": "y"}}),
    "unchecked-types": with_training(passthrough={"adapter": {"type": ["lora"]}, "optimizer": {"type": {}}}),
    "unchecked-data": with_training(
        passthrough={"dataset": {"min_ar": "x", "frame_buckets": 1, "size_buckets": [[]], "enable_ar_bucket": []}}
    ),
    "unchecked-batch": with_training(
        save_every_n_examples=1,
        passthrough={"root": {"micro_batch_size_per_gpu": [[]], "gradient_accumulation_steps": "x"}},
    ),
    "slashes": with_training(passthrough={"a/b~c": 1}),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(name: str) -> None:
    assert_sound(compile_job(EXTREMES[name], catalogue=CATALOGUE))
    assert_sound(compile_job(json.dumps(EXTREMES[name]), catalogue=CATALOGUE))


@given(near_jobs())
def test_damaged_jobs_as_text_have_lines(job: dict[str, Any]) -> None:
    result = compile_job(json.dumps(job, indent=1), catalogue=CATALOGUE)
    assert_sound(result)
    assert all(d.line is not None for d in result.diagnostics if d.file == "job.json")


@given(wild_json)
def test_any_json(job: Any) -> None:
    assert_sound(compile_job(job, catalogue=CATALOGUE))


@given(st.dictionaries(keys, wild_json, max_size=6), st.sampled_from(("flux", "wan13", "z_image_turbo", "sdxl")))
def test_any_json_as_training(training: dict[str, Any], model: str) -> None:
    assert_sound(compile_job({**GOOD, "model_type": model, "training": training}, catalogue=CATALOGUE))


@given(
    st.dictionaries(
        st.sampled_from(("dataset", "launch", "output", "captioning", "api_keys", "preset", "id", "input")), wild_json
    )
)
def test_any_json_in_every_section(sections: dict[str, Any]) -> None:
    assert_sound(compile_job({**GOOD, **sections}, catalogue=CATALOGUE))


@given(st.binary())
def test_any_bytes(job: bytes) -> None:
    assert_sound(compile_job(job, catalogue=CATALOGUE))


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_any_text(job: str) -> None:
    """Halves of surrogate pairs too."""
    assert_sound(compile_job(job, catalogue=CATALOGUE))


@given(near_jobs(), st.data())
def test_jobs_cut_and_spliced(job: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(job)
    at = data.draw(st.integers(0, len(text)))
    splice = data.draw(
        st.sampled_from(
            ("", "{", "}", "]", ",", '"', "\\", "NaN", "1e999", "\x00", "\ud800", "// x\n", "'", "0x1", "\ufeff")
        )
    )
    assert_sound(compile_job(text[:at] + splice + text[at + data.draw(st.integers(0, 3)) :], catalogue=CATALOGUE))


class _Text(str):
    """Text of another make."""


python_objects: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        scalars,
        st.sampled_from(
            (float("nan"), float("inf"), b"bytes", {1, 2}, 1j, object(), _Text("x"), range(3), "\ud800", Ellipsis)
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(
            st.one_of(keys, st.integers(), st.none(), st.sampled_from(((1, 2), "\ud800", 1.5))), inner, max_size=3
        ),
    ),
    max_leaves=8,
)


@given(python_objects)
def test_any_python_object(job: Any) -> None:
    assert_sound(compile_job(job, catalogue=CATALOGUE))
    assert_sound(compile_job({**GOOD, "training": job}, catalogue=CATALOGUE))


@given(
    st.lists(
        st.one_of(
            st.text(),
            st.builds("{}={}".format, keys, st.text()),
            st.sampled_from(("a=NaN", "=", "a.=1", ".", "x=" + "[" * 200)),
        )
    )
)
def test_any_set(sets: list[str]) -> None:
    assert_sound(compile_job(GOOD, catalogue=CATALOGUE, sets=sets))


@given(st.text(), st.text(), st.text())
def test_any_options(volume: str, job_id: str, preset: str) -> None:
    assert_sound(compile_job(GOOD, catalogue=CATALOGUE, volume=volume, job_id=job_id, preset=preset))


@given(
    near_jobs(),
    st.lists(st.builds("{}={}".format, keys, st.one_of(st.text(max_size=3), wild_json.map(json.dumps))), max_size=2),
)
def test_damaged_jobs_under_set(job: dict[str, Any], sets: list[str]) -> None:
    assert_sound(compile_job(job, catalogue=CATALOGUE, sets=sets, comments=True))


def test_an_object_that_holds_itself() -> None:
    job: dict[str, Any] = dict(GOOD)
    job["training"] = {"optimizer": job}
    assert_sound(compile_job(job, catalogue=CATALOGUE))


# --- the command ends with 1 -----------------------------------------------------------------------------------


def assert_found(ended: Ended) -> None:
    assert ended.code == 1, ended.text[-2000:]
    assert "Traceback" not in ended.text
    assert "bug in dpcompile" not in ended.text
    assert "DPC1" in ended.text


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check",),
    ("check", "--format", "json"),
    ("check", "--format", "github"),
    ("render",),
    ("render", "--format", "json"),
    ("plan",),
    ("why",),
)
every_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)

BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t",
    "binary": bytes(range(256)) * 64,
    "zeros": b"\0" * 4096,
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "utf16": '{"a": 1}'.encode("utf-16"),
    "latin1": '{"é": 1}'.encode("latin-1"),
    "toml": b"[model]\ntype = 'wan'\n",
    "yaml": b"model_type: wan13\ndataset:\n  type: images\n",
    "html": b"<!doctype html><title>Sign in</title>",
    "nan": b'{"model_type": "flux", "training": {"learning_rate": NaN}}',
    "infinity": b'{"a": -Infinity}',
    "overflow": b'{"a": 1e999}',
    "underflow": b'{"a": 1e-999}',
    "long-integer": b'{"a": ' + b"9" * 5000 + b"}",
    "half-a-pair": b'{"a": "\\ud800"}',
    "half-a-pair-key": b'{"\\udfff": 1}',
    "control-key": b'{"a\x01b": 1}',
    "twice": b'{"a": 1, "a": 2}',
    "list": b"[]",
    "string": b'"{}"',
    "number": b"1",
    "deep": b"[" * 5000 + b"]" * 5000,
    "deep-objects": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "open-brackets": b"[" * 100_000,
    "open-objects": b'{"a":' * 50_000,
    "commas": b"," * 100_000,
    "quotes": b'"' * 100_001,
    "backslashes": b'"' + b"\\" * 100_001,
    "cut": b'{"model_type": "flux", "dataset": {"type"',
    "two": b"{}{}",
    "comment": b'// a job\n{"a": 1}',
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.json"
    file.write_bytes(BAD_FILES[name])
    for command in COMMANDS:
        before = time.monotonic()
        assert_found(run_here(*command, str(file)))
        assert_found(run_here(*command, "-", stdin=BAD_FILES[name]))
        assert time.monotonic() - before < 5


@every_command
def test_files_that_are_none(command: tuple[str, ...], tmp_path: Path) -> None:
    for name in (
        tmp_path,
        tmp_path / "missing.json",
        tmp_path / "missing" / "x.json",
        f"{tmp_path}/{'x' * 300}",
        f"{tmp_path}/a\0b",
        "",
    ):
        assert_found(run_here(*command, str(name)))


@every_command
def test_a_file_that_may_not_be_read(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(GOOD), "utf-8")
    file.chmod(0)
    if os.access(file, os.R_OK):  # root may read everything
        really = Path.open

        def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
            if self == file:
                raise PermissionError(13, "Permission denied", str(self))
            return really(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", refuse)
    assert_found(run_here(*command, str(file)))


def test_a_file_that_breaks_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, *arguments: Any, **options: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", fail)
    assert_found(run_here("check", str(tmp_path / "job.json")))


@pytest.mark.parametrize("text", NASTY_TEXTS)
def test_names_with_control_characters_are_harmless(text: str) -> None:
    """In keys, values and file names: what is printed is printable."""
    job = {**GOOD, text: 1, "training": {text: 1, "optimizer": {text: text}, "passthrough": {text: {text: text}}}}
    for command in COMMANDS:
        ended = run_here(*command, "-", stdin=json.dumps(job).encode())
        assert ended.code == 1, ended.text
        assert "Traceback" not in ended.text
        if "json" not in command:
            assert all(c.isprintable() or c == "\n" for c in ended.text), ended.text


def test_a_file_name_that_is_not_unicode(tmp_path: Path) -> None:
    name = f"{tmp_path}/\udcff\x1b[31m.json"  # as the shell hands over the byte 0xFF
    for command in COMMANDS:
        assert_found(run_here(*command, name))
    Path(name).write_text(json.dumps(GOOD), "utf-8")
    for command in COMMANDS:
        ended = run_here(*command, name)
        assert ended.code == 0, ended.text
        assert "\x1b" not in ended.text


def test_a_folder_name_that_is_not_unicode(tmp_path: Path) -> None:
    folder = f"{tmp_path}/\udcff\x1b[31m"
    ended = run_here("render", "-", "-o", folder, stdin=json.dumps(GOOD).encode())
    assert ended.code == 0, ended.text
    assert "\x1b" not in ended.text
    assert sorted(path.name for path in Path(folder).iterdir()) == ["dataset.toml", "plan.json", "train.toml"]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    assert_found(run_here("render", "-", "-o", f"{tmp_path}/{place}", stdin=json.dumps(GOOD).encode()))


# --- large ones, within bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"model_type": "' + b"x" * 50_000_000 + b'"}',
        b'{"training": [' + b"1," * 2_000_000 + b"1]}",
        json.dumps({**GOOD, "model_type": "x" * 10_000_000}).encode(),
        json.dumps({**GOOD, "training": {"x" * 10_000_000: 1}}).encode(),
        json.dumps(
            {**GOOD, "dataset": {"type": "images", "images_url": "https://h/" + "?a=b&" * 200_000}, "x": 1}
        ).encode(),
    ],
    ids=["brackets", "objects", "50MB", "items", "model", "name", "url"],
)
def test_large_inputs_in_bounded_time_and_memory(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_bytes(data)
    for arguments in (("check", str(file)), ("check", "-")):
        ended = run_apart(*arguments, stdin=data if arguments[1] == "-" else b"", memory=GIBIBYTE, timeout=30)
        assert ended.code == 1, ended.text[-2000:]
        assert "Traceback" not in ended.text
        assert len(ended.text) < 100_000


@pytest.mark.parametrize(
    "job",
    [
        {**GOOD, "training": {f"name_{n}": 1 for n in range(5000)}},
        {**GOOD, "training": {"passthrough": {"root": {f"name_{n}": 1 for n in range(5000)}}}},
        {**GOOD, **{f"name_{n}": 1 for n in range(5000)}},
        {**GOOD, "launch": {"env": {f"NAME_{n}": n for n in range(5000)}}},
        {**GOOD, "api_keys": {f"name_{n}": f"secret-number-{n}" for n in range(5000)}},
    ],
    ids=["training", "passthrough", "top", "env", "secrets"],
)
def test_thousands_of_mistakes_in_bounded_time(job: dict[str, Any]) -> None:
    """A job of 100 KB. The time must not grow with the square of what is found."""
    ended = run_apart("check", "--strict", "-", stdin=json.dumps(job).encode(), memory=GIBIBYTE, timeout=5)
    assert ended.code == 1, ended.text[-2000:]
