"""An imported job trains what the files train: for every key that the trainer reads, it renders the same value."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from dpcompile.compiler import compile_job, naming_of
from dpcompile.importing.importer import Imported, import_files
from dpcompile.importing.written import EvalFile, Files
from dpcompile.keypath import KeyPath
from dpcompile.spec import ModelSpec
from dpcompile.tomlfiles import TomlFile, parse_toml
from dpcompile.trainer import SCOPES, Scope
from dpcompile.values import identical, settled
from tests.properties.fitting import values
from tests.properties.strategies import CATALOGUE, SPECS, Drawn, jobs, settable
from tests.properties.tomlstyles import Style, Unencodable, styles, written

_OWN = {("output_dir",), ("dataset",), ("eval_datasets",), ("monitoring", "wandb_api_key")}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """The files of a training as somebody might have them: rendered ones, with keys taken away and others put in."""
    drawn: Drawn = draw(jobs(most_settings=6))
    result = compile_job(drawn.document, catalogue=CATALOGUE)
    assume(result.files)
    trees = {f.name: tomllib.loads(f.text) for f in result.files}
    spec = drawn.spec
    for name in draw(st.lists(st.sampled_from(sorted(trees)), max_size=6)):
        _damage(draw, trees[name], spec, "train" if name == "train.toml" else "dataset")
    return trees


def _damage(draw: st.DrawFn, tree: dict[str, Any], spec: ModelSpec, file: str) -> None:
    tables: list[tuple[Scope, dict[str, Any]]] = [("root" if file == "train" else "dataset", tree)]
    tables += [(scope, tree[scope]) for scope in SCOPES if isinstance(tree.get(scope), dict)]
    tables += [("directory", row) for row in tree.get("directory", ())]
    scope, table = draw(st.sampled_from(tables))
    keep = ("model", "directory", "path", "type", "optimizer")
    match draw(st.sampled_from(("remove", "set", "set", "misplace", "directory", "no adapter"))):
        case "remove":
            names = sorted(k for k in table if k not in keep)
            if names:
                del table[draw(st.sampled_from(names))]
        case "set":
            fields = {name: f for (of, name), f in settable(spec).items() if of == scope}
            if fields:
                name = draw(st.sampled_from(sorted(fields)))
                table[name] = draw(values(fields[name].schema))
        case "misplace":
            fields = {name: f for (of, name), f in settable(spec).items() if of != scope and scope != "optimizer"}
            name = draw(st.sampled_from(sorted(fields) or ["rank"]))
            if name not in fields:
                return
            table.setdefault(name, draw(values(fields[name].schema)))
        case "directory" if file == "dataset":
            tree["directory"].append(copy.deepcopy(tree["directory"][0]) | {"path": "/data/ü and more"})
        case "no adapter" if file == "train":
            tree.pop("adapter", None)


def read(tree: dict[str, Any], name: str, style: Style) -> TomlFile:
    try:
        text = written(tree, style)
    except Unencodable:
        assume(False)
    file, found = parse_toml(text.encode(), file=name)
    assert file is not None, (text, found)
    return file


def files_of(trees: dict[str, dict[str, Any]], style: Style) -> Files:
    parsed = {name: read(tree, name, style) for name, tree in trees.items()}
    evals = tuple(EvalFile(name=name, file=file) for name, file in parsed.items() if name.startswith("eval"))
    return Files(train=parsed["train.toml"], dataset=parsed["dataset.toml"], evals=evals)


def settings_read(tree: Any, spec: ModelSpec, dataset: bool) -> dict[KeyPath, Any]:
    """What the trainer reads in a file, with its defaults for what is not there."""
    scopes = naming_of(spec, CATALOGUE).scopes
    tables: list[tuple[KeyPath, Scope, Any]] = [((), "dataset" if dataset else "root", tree)]
    if dataset:
        tables += [(("directory", n), "directory", row) for n, row in enumerate(tree.get("directory", ()))]
    else:
        # Without [monitoring] the trainer goes on as if it were empty (train.py:561); without [adapter] it does not.
        tables += [((scope,), scope, tree.get(scope, {} if scope == "monitoring" else None)) for scope in SCOPES[1:5]]
    found: dict[KeyPath, Any] = {}
    for prefix, scope, table in tables:
        for name, field in scopes[scope].items():
            acted_on = not field.dead and not (scope == "model" and name in spec.unread)
            if (*prefix, name) in _OWN or name == "directory" or not acted_on or table is None:
                continue
            value = table.get(name, None if scope == "directory" else field.schema.get("default"))
            if value is not None:
                found[(*prefix, name)] = settled(value, {})
        if scope == "optimizer":  # all of it is handed to the class
            found |= {(*prefix, name): settled(value, {}) for name, value in table.items()}
    return found


def differences(mine: dict[KeyPath, Any], theirs: dict[KeyPath, Any]) -> dict[KeyPath, tuple[Any, Any]]:
    return {
        key: (mine.get(key), theirs.get(key))
        for key in mine.keys() | theirs.keys()
        if not identical(mine.get(key), theirs.get(key))
    }


def rendered(imported: Imported) -> dict[str, dict[str, Any]] | None:
    result = compile_job(imported.job, catalogue=CATALOGUE, job_id="x")
    return {f.name: tomllib.loads(f.text) for f in result.files} if result.ok else None


@given(configs(), styles)
def test_the_job_renders_what_the_files_say(trees: dict[str, dict[str, Any]], style: Style) -> None:
    files = files_of(trees, style)
    imported = import_files(files, CATALOGUE)
    result = rendered(imported)
    event("renders" if result else "does not render")
    if result is None:
        # Then something in the files stops the trainer, or does something else than it says, and that is told.
        assert any(e.told is not None and e.told.severity == "error" for e in imported.entries), imported.entries
        return
    spec = SPECS[imported.job["model_type"]]
    pairs = [(files.train.value, result["train.toml"], False)]
    assert files.dataset is not None
    pairs.append((files.dataset.value, result["dataset.toml"], True))
    pairs += [(each.file.value, result[f"eval.{n + 1}.toml"], True) for n, each in enumerate(files.evals)]
    needed = {e.key[1:] for e in imported.entries if e.told is not None and e.told.code in ("DPC202", "DPC421")}
    # What the trainer ignores and a job may not have is left out, and that is told.
    needed |= {e.key[1:] for e in imported.entries if e.kind == "inert" and e.is_error}
    for before, after, dataset in pairs:
        found = differences(settings_read(before, spec, dataset), settings_read(after, spec, dataset))
        assert {key: values for key, values in found.items() if key not in needed} == {}


@given(configs(), styles)
def test_every_key_is_in_the_job_or_in_the_report(trees: dict[str, dict[str, Any]], style: Style) -> None:
    files = files_of(trees, style)
    imported = import_files(files, CATALOGUE)
    spec = SPECS[imported.job["model_type"]]
    told = {e.shown for e in imported.entries}
    scopes = naming_of(spec, CATALOGUE).scopes
    for name, tree in (("train", files.train.value), ("dataset", files.dataset.value if files.dataset else {})):
        for key, value in tree.items():
            table = value if isinstance(value, dict) and key in SCOPES else {key: value}
            for inner in table if key != "directory" else ():
                path = (key, inner) if table is value else (inner,)
                shown = ".".join((*(("dataset",) if name == "dataset" else ()), *path))
                scope = key if table is value else ("root" if name == "train" else "dataset")
                read_there = inner in scopes[scope] or scope == "optimizer"  # type: ignore[index]
                assert read_there or shown in told or any(t.startswith(f"{shown}.") for t in told), shown


@given(configs(), styles)
def test_people_s_styles_are_read_as_they_are_written(trees: dict[str, dict[str, Any]], style: Style) -> None:
    for name, tree in trees.items():
        file = read(tree, name, style)
        assert differences({(): tree}, {(): dict(file.value)}) == {}
        for key in tree:
            assert file.place((key,)) != (None, None)
