"""No secret of a job comes out anywhere: findings, files, plan, `why`, stderr; whatever else is wrong with the job.

Each secret is a marker that stands nowhere else. What is looked for is its first part, so that a message that
shows a secret cut short is found as well.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpcompile.compiler import compile_job
from dpcompile.report import as_github, as_json, as_text, to_json
from tests.properties.accidents import near_jobs
from tests.properties.command import run_here
from tests.properties.strategies import CATALOGUE, jobs

Place = tuple[str, ...]
Shape = Callable[[str], Any]

WANDB = "wandb_api_key"
TOKENS: tuple[Place, ...] = (
    ("api_keys", "huggingface_token"),
    ("api_keys", "gemini_api_key"),
    ("api_keys", "huggingface_tokn"),
    ("output", "huggingface", "token"),
    ("output", "s3", "access_key"),
    ("output", "s3", "secret_key"),
)
WANDB_PLACES: tuple[Place, ...] = (
    ("training", WANDB),
    ("training", "monitoring", WANDB),
    *(("training", table, WANDB) for table in ("model", "adapter", "optimizer", "dataset", "directory")),
    ("training", "passthrough", WANDB),
    *(("training", "passthrough", table, WANDB) for table in ("root", "monitoring", "model", "dataset", "mine")),
)
ENVIRONMENT: tuple[Place, ...] = tuple(
    ("launch", "env", name)
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD", "GEMINI_API_KEY", "WANDB_API_KEY", "my_apikey")
)
ADDRESSES: tuple[Place, ...] = (
    ("dataset", "images_url"),
    ("dataset", "videos_url"),
    ("dataset", "eval", "images_url"),
    ("dataset", "eval", "videos_url"),
    ("output", "upload_url"),
    ("output", "s3", "endpoint_url"),
)

_TAILS = (
    "",
    "-and-more" * 20,
    ' "quoted" \\ tail',
    "/a~b/c",
    "é日本\n\ttail",
    "%0A::error::",
    "{{ x }}",
    "${X}",
    "'it''s'",
)


def _address(form: str) -> Shape:
    # A slash ends the part of an address that may hold a user: a user name with one would be a host.
    return lambda text: form.replace("SECRET", text.replace("/", ""))


_URLS: tuple[Shape, ...] = tuple(
    _address(form)
    for form in (
        "https://SECRET:word@host/a.zip",
        "https://user:SECRET@host/a.zip",
        "https://SECRET@host/a.zip",
        "https://host/a.zip?X-Amz-Signature=SECRET&part=1",
        "https://host/a.zip?SECRET",
        "https://host/a.zip#SECRET",
        "http://user:SECRET@host:99999/a.zip",
        "HTTPS://user:SECRET@host/a.zip",
        " https://user:SECRET@host/a.zip",
        "s3://SECRET:word@bucket/key",
        "s3://bucket/key?token=SECRET",
        "hf://datasets/owner/name?token=SECRET",
        "ftp://user:SECRET@host/a.zip",
    )
)
_WRONG_SHAPES: tuple[Shape, ...] = (
    lambda text: [text],
    lambda text: [[text], text],
    lambda text: {"value": text},
    lambda text: {text: 1},
    lambda text: {"a": {"b": [text]}},
)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check",),
    ("check", "--format", "json", "--strict"),
    ("check", "--format", "github"),
    ("render", "--comments"),
    ("render", "--format", "json"),
    ("plan",),
    ("why",),
    ("why", "--format", "json"),
    ("render", "--comments", "-o"),
)


EVERY_WAY_OUT: tuple[tuple[str, ...], ...] = (("check",), ("why",), ("render", "--comments", "-o"))
"""Enough for what does not depend on the form."""


@dataclass(slots=True)
class Planted:
    """A job with secrets in it. `sets` are given by `--set`; `marks` must not come out."""

    document: dict[str, Any]
    sets: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def _inner(document: dict[str, Any]) -> dict[str, Any]:
    inner = document.get("input", document)
    return inner if isinstance(inner, dict) else document


def plant(tree: dict[str, Any], place: Place, value: Any) -> None:
    """Writes a value, over everything that stands in its way."""
    for part in place[:-1]:
        if not isinstance(tree.get(part), dict):
            tree[part] = {}
        tree = tree[part]
    tree[place[-1]] = value


def mark(number: int) -> str:
    return f"zq{number:02d}xMARKER"


@st.composite
def planted(
    draw: st.DrawFn,
    places: Sequence[Place],
    shapes: Sequence[Shape],
    base: st.SearchStrategy[dict[str, Any]],
    by_set: bool = False,
) -> Planted:
    result = Planted(document=draw(base))
    chosen = draw(st.lists(st.sampled_from(places), unique=True, min_size=1, max_size=6))
    for number, place in enumerate(chosen):
        secret = mark(number) + draw(st.sampled_from(_TAILS))
        value = draw(st.sampled_from(shapes))(secret)
        if by_set:
            key = ".".join(place) if place[0] != "training" or draw(st.booleans()) else ".".join(place[1:])
            text = value if isinstance(value, str) and draw(st.booleans()) else json.dumps(value)
            result.sets.append(f"{key}={text}")
        else:
            plant(_inner(result.document), place, value)
        result.marks.append(mark(number))
    return result


def plain(text: str) -> str:
    return text


documents = st.one_of(jobs().map(lambda drawn: drawn.document), near_jobs())


def all_that_comes_out(given_job: Planted, command: tuple[str, ...]) -> str:
    """From the library, and from one command."""
    result = compile_job(given_job.document, catalogue=CATALOGUE, sets=given_job.sets, comments=True)
    said = [
        as_text(result.diagnostics),
        as_github(result.diagnostics),
        as_json([to_json(d) for d in result.diagnostics]),
    ]
    said += [repr(result.diagnostics), *(file.text for file in result.files)]
    if result.plan is not None:
        said += [json.dumps(result.plan.to_json(), ensure_ascii=False), repr(result.plan)]
    said.append(run_command(given_job, command))
    return "\n".join(said)


def run_command(given_job: Planted, command: tuple[str, ...]) -> str:
    options = [option for text in given_job.sets for option in ("--set", text)]
    stdin = json.dumps(given_job.document).encode()
    with tempfile.TemporaryDirectory() as folder:
        aside = [folder] if command[-1] == "-o" else []
        ended = run_here(command[0], "-", *command[1:], *aside, *options, stdin=stdin)
        written = [path.read_text("utf-8") for path in Path(folder).iterdir()]
    assert ended.code in (0, 1), ended.text
    return "\n".join([ended.text, *written])


def assert_hidden(given_job: Planted, command: tuple[str, ...]) -> None:
    out = all_that_comes_out(given_job, command)
    for marker in given_job.marks:
        at = out.find(marker)
        assert at < 0, out[max(0, at - 200) : at + 60]


commands = st.sampled_from(COMMANDS)


@given(planted(TOKENS, [plain], documents), commands)
def test_tokens(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(planted(WANDB_PLACES, [plain], documents), commands)
def test_wandb_key_in_right_and_wrong_places(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(planted(ENVIRONMENT, [plain], documents), commands)
def test_environment(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(planted(ADDRESSES, _URLS, documents), commands)
def test_addresses(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(planted((*TOKENS, *WANDB_PLACES, *ENVIRONMENT, ("output", "upload_url")), _WRONG_SHAPES, documents), commands)
def test_wrong_shapes(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(st.data(), commands)
def test_addresses_in_wrong_shapes(data: st.DataObject, command: tuple[str, ...]) -> None:
    url, wrong = data.draw(st.sampled_from(_URLS)), data.draw(st.sampled_from(_WRONG_SHAPES))
    assert_hidden(data.draw(planted(ADDRESSES, [lambda text: wrong(url(text))], documents)), command)


@given(planted((*TOKENS, *WANDB_PLACES, *ENVIRONMENT), [plain, *_WRONG_SHAPES], documents, by_set=True), commands)
def test_by_set(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


@given(planted(ADDRESSES, _URLS, documents, by_set=True), commands)
def test_addresses_by_set(given_job: Planted, command: tuple[str, ...]) -> None:
    assert_hidden(given_job, command)


# --- numbers, and secrets that were put one level too high --------------------------------------------------------


@pytest.mark.parametrize("place", [*TOKENS, *WANDB_PLACES, *ENVIRONMENT, ("api_keys",)], ids=".".join)
@pytest.mark.parametrize("number", [71300000000000123, {"x": [71300000000000123]}], ids=repr)
def test_secrets_that_are_numbers(place: Place, number: Any) -> None:
    """A key of digits without its quotes."""
    document: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    plant(document, place, number)
    for command in EVERY_WAY_OUT:
        assert_hidden(Planted(document=document, marks=["713000000"]), command)


_AN_ADDRESS = f"https://user:{mark(0)}@host/a.zip?sig={mark(0)}"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("api_keys",), mark(0)),
        (("api_keys",), [mark(0)]),
        (("output",), _AN_ADDRESS),
        (("output", "huggingface"), mark(0)),
        (("output", "s3"), mark(0)),
        (("dataset",), _AN_ADDRESS),
        (("dataset", "eval"), _AN_ADDRESS),
        (("input",), {"api_keys": mark(0)}),
    ],
    ids=lambda part: ".".join(part) if isinstance(part, tuple) else None,
)
def test_secrets_one_level_too_high(place: Place, value: object) -> None:
    """`"huggingface": "hf_…"`: the message about the wrong type must not repeat it."""
    document: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    plant(document, place, value)
    for command in EVERY_WAY_OUT:
        assert_hidden(Planted(document=document, marks=[mark(0)]), command)


# --- a secret that stands in another field too ----------------------------------------------------------------------

ELSEWHERE: tuple[Place, ...] = (
    ("model_type",),
    ("dataset", "trigger_word"),
    ("dataset", "type"),
    ("captioning", "images", "prompt"),
    ("launch", "env", "PLAIN"),
    ("training", "caption_prefix"),
    ("training", "epochs"),
    ("training", "passthrough", "root", "x"),
    ("training", "monitoring", "wandb_run_name"),
    ("colour",),
)


@pytest.mark.parametrize("place", ELSEWHERE, ids=".".join)
@pytest.mark.parametrize("tail", ["", "-and-more" * 20], ids=["short", "long"])
def test_a_secret_that_stands_in_another_field_too(place: Place, tail: str) -> None:
    secret = mark(0) + tail
    document: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    document["api_keys"] = {"huggingface_token": secret}
    document["training"] = {"enable_wandb": True, "monitoring": {"wandb_tracker_name": "t", "wandb_run_name": "r"}}
    plant(document, place, secret)
    for command in EVERY_WAY_OUT:
        assert_hidden(Planted(document=document, marks=[mark(0)]), command)


ABOVE_A_KEY: tuple[Place, ...] = (
    (),
    ("api_keys",),
    ("dataset",),
    ("launch",),
    ("launch", "env"),
    ("captioning", "images"),
    ("training",),
    ("training", "adapter"),
    ("training", "passthrough"),
    ("training", "passthrough", "root"),
    ("training", "passthrough", "mine"),
)


@pytest.mark.parametrize("tail", ["", "/a~b/c", "~1~0", "/", ' "x" \\ ~/y', "é/日本~", "-and-more" * 20])
@pytest.mark.parametrize("above", ABOVE_A_KEY, ids=".".join)
def test_a_secret_that_is_a_key(above: Place, tail: str) -> None:
    """In a JSON pointer `/` and `~` look otherwise, and in quotes all that is not ASCII."""
    secret = "~/" + mark(0) + tail
    document: dict[str, Any] = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    document["api_keys"] = {"huggingface_token": secret}
    plant(document, (*above, secret), 1)
    for command in EVERY_WAY_OUT:
        assert_hidden(Planted(document=document, marks=[mark(0)]), command)


@pytest.mark.parametrize("secret", [f"hf_{mark(0)}", f"{mark(0)}/a~b", mark(0) * 9])
def test_a_secret_instead_of_its_name(secret: str) -> None:
    """`"api_keys": {"hf_…": …}`: what is no name is not repeated as one."""
    document = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    for keys in ({secret: ""}, {secret: {"x": 1}}, {secret: None, "huggingface_token": "other-secret"}):
        for command in EVERY_WAY_OUT:
            assert_hidden(Planted(document={**document, "api_keys": keys}, marks=[mark(0)]), command)


@pytest.mark.parametrize("tail", _TAILS)
@pytest.mark.parametrize("form", ["HF_TOKEN=M", "NCCL_DEBUG=INFO HF_TOKEN=M", "export MY_PASSWORD='M'", "HF_TOKEN: M"])
def test_an_environment_that_is_a_text(form: str, tail: str) -> None:
    """As a shell or Docker has it, whole, in a list, or one level too high."""
    text = form.replace("M", mark(0) + tail) if form[0] != "e" else form.replace("'M'", f"'{mark(0)}{tail}'")
    job = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    for launch in ({"env": text}, {"env": [text]}, {"env": {"x": [text]}}, text, [text]):
        for command in EVERY_WAY_OUT:
            assert_hidden(Planted(document={**job, "launch": launch}, marks=[mark(0)]), command)
        assert_hidden(Planted(document={**job, "launch": launch, text: 1}, marks=[mark(0)]), ("check",))


def test_an_environment_of_names_and_values() -> None:
    job = {"model_type": "flux", "dataset": {"type": "images", "images_url": "/data"}}
    env = [{"name": "HF_TOKEN", "value": mark(0)}, {"key": "AWS_SECRET_ACCESS_KEY", "value": mark(1)}]
    for command in EVERY_WAY_OUT:
        document = {**job, "launch": {"env": env}, "model_type": mark(0), mark(1): 1}
        assert_hidden(Planted(document=document, marks=[mark(0), mark(1)]), command)


def test_a_secret_that_is_the_id_of_the_request() -> None:
    job = {
        "model_type": "flux",
        "dataset": {"type": "images", "images_url": "/data"},
        "api_keys": {"huggingface_token": mark(0)},
    }
    for command in COMMANDS:
        assert_hidden(Planted(document={"id": mark(0), "input": job}, marks=[mark(0)]), command)


def test_a_secret_in_the_options() -> None:
    job = {
        "model_type": "flux",
        "dataset": {"type": "images", "images_url": "/data"},
        "api_keys": {"huggingface_token": mark(0)},
    }
    for sets in (
        [mark(0)],
        [f"{mark(0)}=1"],
        [f"epochs={mark(0)}"],
        [f"api_keys={mark(0)}"],
        [f"a={mark(0)}", f"a.b={mark(0)}"],
    ):
        for command in EVERY_WAY_OUT:
            assert_hidden(Planted(document=job, sets=sets, marks=[mark(0)]), command)


@pytest.mark.parametrize(
    "address", ["https:/user:M@host/a.zip?sig=M", "https:user:M@host/a.zip", "//user:M@host/a.zip?sig=M"]
)
def test_an_address_with_a_slash_missing(address: str) -> None:
    """Nobody means a path on the volume by this."""
    dataset = {"type": "images", "images_url": address.replace("M", mark(0))}
    for command in EVERY_WAY_OUT:
        assert_hidden(Planted(document={"model_type": "flux", "dataset": dataset}, marks=[mark(0)]), command)


# --- broken texts ---------------------------------------------------------------------------------------------------

_BROKEN = (
    '{"api_keys": {"huggingface_token": M}}',
    '{"api_keys": {"huggingface_token": \'M\'}}',
    '{"api_keys": {"huggingface_token": "M}}',
    '{"api_keys": {"huggingface_token": "M" "gemini_api_key": 1}}',
    '{"api_keys": {"huggingface_token": "M", "huggingface_token": "M"}}',
    '{"api_keys": {"huggingface_token": "M\\ud800"}}',
    '{"api_keys": {M: 1}}',
    '{"dataset": {"images_url": https://user:M@host}}',
    "api_keys:\n  huggingface_token: M\n",
    "[api_keys]\nhuggingface_token = 'M'\n",
    "HF_TOKEN=M\n",
    '"M"',
    '"{\\"api_keys\\": \\"M\\"}"',
    '["M"]',
    '{"api_keys": {"huggingface_token": NaN, "x": "M"}}',
    '{"api_keys": {"huggingface_token": "M", "x": 1}, "M": 1, "M": 2}',
    '{"api_keys": {"huggingface_token": "M"}, "training": {"M": NaN}}',
    '{"api_keys": {"huggingface_token": "/M~"}, "training": {"/M~": "\\ud800"}}',
    '{"api_keys": {"/M~1": 1, "/M~1": 2}}',
    '{"input": {"api_keys": {"huggingface_token": "M"}, "M": 1e999}}',
    '{"api_keys": {"huggingface_token": "M"}, "api_keys": {"huggingface_token": "x"}, "M": NaN}',
    '{"input": "M", "api_keys": {"huggingface_token": "M"}}',
    '{"input": ["M"], "api_keys": {"huggingface_token": "M"}}',
)


@pytest.mark.parametrize("text", _BROKEN)
def test_broken_texts(text: str) -> None:
    """A job that is not JSON, or hardly: what is shown of it is no value."""
    for command in (("check",), ("check", "--format", "json"), ("why",)):
        ended = run_here(command[0], "-", *command[1:], stdin=text.replace("M", mark(0)).encode())
        assert ended.code == 1
        assert mark(0) not in ended.text, ended.text


@given(planted((*TOKENS, ("output", "upload_url")), [plain], documents), st.data(), commands)
def test_cut_texts(given_job: Planted, data: st.DataObject, command: tuple[str, ...]) -> None:
    text = json.dumps(given_job.document, indent=1)
    at = data.draw(st.integers(0, len(text)))
    splice = data.draw(st.sampled_from(("", "}", "]", ",", '"', "NaN", "\\", "'", "\x01", "9e999")))
    ended = run_here(
        command[0],
        "-",
        *command[1:2],
        *(["text"] if command[1:2] == ("--format",) else []),
        stdin=(text[:at] + splice + text[at:]).encode(),
    )
    assert ended.code in (0, 1), ended.text
    assert not [m for m in given_job.marks if m in ended.text], ended.text
