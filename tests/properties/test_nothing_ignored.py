"""Nothing that a user writes is ignored in silence: every leaf of every job is accounted for.

A leaf is accounted for when a setting of the files came from it and has its value, when a finding names it,
when the plan names it as a secret, when the job means something else without it, or when it says what is so
anyway.
"""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from dpcompile.compiler import CompileResult, compile_job
from dpcompile.keypath import KeyPath, parse_pointer, pointer
from dpcompile.resolve import Assignment, Setting
from dpcompile.routing import ALPHA_NAMES
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES
from tests.properties.accidents import near_jobs
from tests.properties.strategies import CATALOGUE, Drawn, flat_names, jobs, key_of, launches, parts_of, trainings
from tests.properties.trees import at, leaves, same

Leaf = tuple[str | int, ...]


def result_of(document: Any) -> CompileResult:
    # A job id of one's own: else each change of the job would change the names of its folders.
    named = isinstance(document, dict) and "input" in document and "id" in document
    return compile_job(document, catalogue=CATALOGUE, job_id=None if named else "fixed")


class Accounts:
    """One job and what became of it; `how` says how a leaf is accounted for."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.prefix: Leaf = ("input",) if "input" in document else ()
        self.job = at(document, self.prefix)
        self.result = result_of(document)
        self.spec: ModelSpec | None = None
        if isinstance(self.job, dict) and isinstance(self.job.get("model_type"), str):
            self.spec = CATALOGUE.find(self.job["model_type"])
        self.trees = {file.name.removesuffix(".toml"): tomllib.loads(file.text) for file in self.result.files}

    def how(self, path: Leaf, value: Any) -> str | None:
        """The way in which a leaf is accounted for; None for a hole."""
        for name in ("_told", "_set", "_removes", "_secret", "_editor", "_default", "_changes"):
            if getattr(self, name)(path, value):
                return name
        return None

    def _inside(self, path: Leaf) -> Leaf:
        """The path below the job itself."""
        return path[len(self.prefix) :] if path[: len(self.prefix)] == self.prefix else ()

    def _told(self, path: Leaf, _value: Any) -> bool:
        """A finding at the leaf or at what it is a part of. One at a whole section must name the leaf."""
        where = pointer(path)
        setting = pointer((*self.prefix, *self._setting(path)))
        for found in self.result.diagnostics:
            if found.file != "job.json":
                continue
            if found.severity == "error" and f"{found.path}/".startswith(f"{setting}/") and setting:
                return True  # one wrong part makes the whole value unusable
            if not (where == found.path or where.startswith(f"{found.path}/")):
                continue
            _, above = _split(self._inside(tuple(parse_pointer(found.path))))
            section = len(above) < 2 or (
                len(above) == 2 and above[0] == "training" and above[1] in (*SCOPES, "passthrough", "parts")
            )
            if (
                where == found.path
                or not section
                or found.code == "DPC203"
                or any(str(part) in found.message for part in path[-1:])
            ):
                return True
        return False

    def _setting(self, path: Leaf) -> Leaf:
        """The place of the setting in `training` that a leaf is a part of."""
        whole = self._inside(path)
        part, inside = _split(whole)
        if inside[:1] != ("training",):
            return whole
        depth = 4 if inside[1:2] == ("passthrough",) else 3 if len(inside) > 2 and inside[1] in SCOPES else 2
        return whole[: depth + (2 if part else 0)]

    def _set(self, path: Leaf, value: Any) -> bool:
        """A setting came from here, has this value, and is in the file."""
        if self.result.config is None:
            return False
        for key, setting in self.result.config.settings.items():
            said_of_it: list[Setting | Assignment] = [setting, *setting.shadowed]
            for said in said_of_it:
                rest = self._below(said.origin.file, said.origin.pointer, path)
                if rest is None or not self._is_meant(key, setting.value, said.value, rest, value):
                    continue
                if not self.trees or same(at(self.trees[str(key[0])], list(key[1:])), as_json(setting.value)):
                    return True
        return False

    def _below(self, file: str | None, where: str, path: Leaf) -> Leaf | None:
        place = tuple(parse_pointer(where))
        if file != "job.json" or tuple(map(str, path[: len(place)])) != place:
            return None
        return path[len(place) :]

    def _is_meant(self, key: KeyPath, winner: Any, said: Any, rest: Leaf, value: Any) -> bool:
        if not same(as_json(winner), as_json(said)):
            return False  # shadowed by another value
        if key[-1] == "skip_empty_caption" and isinstance(value, str):
            return bool(said is (value != "empty"))
        if said == [value] and not rest:
            return True
        try:
            written = at(said, list(rest))
        except LookupError:
            return False
        return same(written, value) or (type(written) is float and type(value) is int and written == value)

    def _removes(self, path: Leaf, value: Any) -> bool:
        """A null in `training` takes its setting away; elsewhere it is as good as nothing."""
        inside = self._inside(path)
        if value is not None or not inside:
            return False
        if inside[0] != "training":
            return self._says_nothing(path)
        part, inside = _split(inside)
        if len(inside) == 2 and inside[1] in ALPHA_NAMES:
            return True  # there is never one to take away
        target = self._target(inside[1:])
        if target is None or self.result.config is None or self.spec is None:
            return False
        files = [part] if part else parts_of(self.spec)
        return any(self._is_absent(target, f"train.{file}" if file else "train") for file in files)

    def _is_absent(self, target: KeyPath, train: str) -> bool:
        """Whether nothing but what the compiler makes itself stands at a key, or in a table."""
        assert self.result.config is not None
        key = (train, *target[1:]) if target[0] == "train" else target
        settings = self.result.config.settings.items()
        return not any(k[: len(key)] == key and s.origin.layer != "derived" for k, s in settings)

    def _target(self, place: Leaf) -> KeyPath | None:
        """The setting, or the table, that a place in `training` means."""
        if self.spec is None:
            return None
        if len(place) == 1 and place[0] in ("adapter", "monitoring"):
            return ("train", str(place[0]))
        if len(place) == 1 and place[0] in flat_names(self.spec):
            return key_of(flat_names(self.spec)[str(place[0])])
        known = {**CATALOGUE.trainer.scopes, "model": self.spec.fields}
        if len(place) == 2 and place[1] in known.get(place[0], ()):  # type: ignore[call-overload]
            return key_of((place[0], str(place[1])))  # type: ignore[arg-type]
        if (len(place) <= 2 and place[0] == "optimizer") or (
            len(place) == 1 and CATALOGUE.trainer.takes_argument(str(place[0]))
        ):
            # Only what some optimizer takes can be taken away.
            return ("train", "optimizer", str(place[-1])) if CATALOGUE.trainer.takes_argument(str(place[-1])) else None
        return None

    def _secret(self, path: Leaf, value: Any) -> bool:
        if self.result.plan is None:
            return path[-1] == "wandb_api_key" and value not in (None, "", "token_here")
        return bool(value) and pointer(path) in {need.pointer for need in self.result.plan.secrets}

    def _editor(self, path: Leaf, _value: Any) -> bool:
        return path[-1] == "$schema" and len(self._inside(path) or path) == 1

    def _default(self, path: Leaf, value: Any) -> bool:
        """It says what is so anyway: the default of one of the job's own fields, or nothing at all."""
        inside = self._inside(path)
        if not inside or inside[0] == "training":
            return value == {} and self._says_nothing(path)
        if value in ({}, False) and self._says_nothing(path):
            return True
        try:
            return self.spec is not None and same(at(self.spec.job_defaults, list(inside)), value)
        except LookupError:
            return False

    def _says_nothing(self, path: Leaf) -> bool:
        return not self._changes(path, None)

    def _changes(self, path: Leaf, _value: Any) -> bool:
        """Whether the job means something else without the leaf."""
        other = result_of(without(self.document, path))
        return meaning(other) != meaning(self.result)


def _split(inside: Leaf) -> tuple[str, Leaf]:
    """The training that a place below `training.parts` is about, and the same place for all of them."""
    if inside[:2] == ("training", "parts") and len(inside) > 2:
        return str(inside[2]), ("training", *inside[3:])
    return "", inside


def as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: as_json(v) for k, v in value.items()}
    return [as_json(v) for v in value] if isinstance(value, (list, tuple)) else value


def meaning(result: CompileResult) -> tuple[object, ...]:
    return result.files, result.plan and result.plan.id, sorted(map(repr, result.diagnostics))


def without(document: dict[str, Any], path: Leaf) -> dict[str, Any]:
    """The document without a leaf, and without what is empty once it is gone."""
    tree = copy.deepcopy(document)
    while path:
        above = at(tree, path[:-1])
        del above[path[-1]]
        path = path[:-1]
        if above or len(path) < 2:
            break
    return tree


def holes(accounts: Accounts) -> Iterator[tuple[str, Any]]:
    for path, value in leaves(accounts.document):
        if not path:
            continue
        how = accounts.how(path, value)
        event(f"{how}")
        if how is None:
            yield pointer(path), value


@given(jobs(most_settings=6))
def test_every_leaf_of_a_job_is_accounted_for(drawn: Drawn) -> None:
    """What cannot run still has its `training` routed: each leaf of it is told or stands in the config."""
    accounts = Accounts(drawn.document)
    event("runs" if accounts.result.ok else "does not run")
    if accounts.result.config is None:
        return
    where = "" if accounts.result.ok else pointer((*accounts.prefix, "training"))
    assert [hole for hole in holes(accounts) if hole[0].startswith(where)] == []


@given(near_jobs())
def test_every_leaf_of_a_damaged_job_is_accounted_for(document: dict[str, Any]) -> None:
    result = result_of(document)
    assume(result.config is not None)
    accounts = Accounts(document)
    where = "" if result.ok else pointer((*accounts.prefix, "training"))
    assert [hole for hole in holes(accounts) if hole[0].startswith(where)] == []


SECRET_SETS = (
    "api_keys.huggingface_token=hf_given-by-set",
    "api_keys.gemini_api_key=given-by-set-00",
    "output.huggingface.token=hf_given-by-set",
    "output.s3.access_key=given-by-set-00",
    "output.s3.secret_key=given-by-set-00",
    "output.upload_url=https://bucket.example.com/x?Signature=given-by-set-00",
    "dataset.images_url=https://host.example.com/x.zip?Signature=given-by-set-00",
    "training.monitoring.wandb_api_key=given-by-set-00",
    "wandb_api_key=given-by-set-00",
)


@pytest.mark.parametrize("text", SECRET_SETS)
def test_a_secret_given_by_set_is_not_lost(text: str) -> None:
    """A plan holds no secrets, and the worker looks for them in the job: there --set leaves no trace."""
    wandb = {"enable_wandb": True, "wandb_tracker_name": "t", "wandb_run_name": "r"}
    dataset = {"type": "images", "images_url": "https://host.example.com/old.zip?Signature=in-the-job-00"}
    job = {"model_type": "flux", "dataset": dataset, "training": {"monitoring": wandb}}
    result = compile_job(job, catalogue=CATALOGUE, sets=(text,), job_id="fixed")
    assert [d for d in result.diagnostics if d.file == "--set"]


@given(jobs(most_settings=3), st.data())
def test_every_set_is_accounted_for(drawn: Drawn, data: st.DataObject) -> None:
    """--set with what another job of the same model says: it counts, it is told, or it says what is so anyway."""
    more = {"training": data.draw(trainings(drawn.spec)), "launch": data.draw(launches())}
    said = [
        (path, value) for path, value in members(more) if not any("." in str(part) or "=" in str(part) for part in path)
    ]
    texts = [f"{'.'.join(map(str, path))}={json.dumps(value)}" for path, value in said]
    whole = compile_job(drawn.document, catalogue=CATALOGUE, sets=texts, job_id="fixed")
    assume(whole.config is not None and not any(d.code in ("DPC223", "DPC210") for d in whole.diagnostics))
    for n, (path, value) in enumerate(said):
        where = pointer(path)
        if not (whole.ok or path[0] == "training") or value is None or value == {}:
            continue
        if any(d.file == "--set" and f"{where}/".startswith(f"{d.path}/") for d in whole.diagnostics):
            continue
        without_it = compile_job(
            drawn.document, catalogue=CATALOGUE, sets=[*texts[:n], *texts[n + 1 :]], job_id="fixed"
        )
        assert meaning(without_it) != meaning(whole) or _says_what_is_so(drawn, whole, path, value), (where, value)


def members(node: dict[str, Any], path: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """Every value below a tree's objects, lists whole: what one --set can say."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from members(value, (*path, key))
        else:
            yield (*path, key), value


def _says_what_is_so(drawn: Drawn, result: CompileResult, path: Leaf, value: Any) -> bool:
    assert result.config is not None
    if path[0] == "training":
        settings = result.config.settings.values()
        said = [
            origin for s in settings for origin in (s.origin, *(a.origin for a in s.shadowed if same(a.value, s.value)))
        ]
        return any(origin.file == "--set" and pointer(path).startswith(origin.pointer) for origin in said)
    for tree in (drawn.job, drawn.spec.job_defaults):
        try:
            said_there = at(tree, list(path))
        except LookupError:
            continue
        if said_there is not None:  # null is as good as nothing
            return same(said_there, value)
    return value is False


@given(near_jobs())
def test_every_finding_names_a_place_in_the_job(document: dict[str, Any]) -> None:
    for found in result_of(document).diagnostics:
        if found.file == "job.json" and "***" not in found.path:
            at(document, list(parse_pointer(found.path)))


@given(jobs())
def test_every_secret_of_the_plan_is_found_at_its_pointer(drawn: Drawn) -> None:
    """The worker looks there: a key that was written elsewhere would be lost."""
    result = result_of(drawn.document)
    assume(result.plan is not None)
    assert result.plan is not None
    job = drawn.document.get("input", drawn.document)
    training = job.get("training", {})
    said = {**training, **training.get("monitoring", {})}.get("wandb_api_key")
    for need in result.plan.secrets:
        if need.name == "wandb_api_key" and said not in (None, "", "token_here"):
            assert at(drawn.document, list(parse_pointer(need.pointer))) == said
        if need.name.endswith("_url"):
            assert at(drawn.document, list(parse_pointer(need.pointer))).startswith("http")
