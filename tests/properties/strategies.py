"""Jobs drawn from the schemas and the model specs.

`jobs` draws jobs as people may write them: every name is legal and every value fits its own schema, though
together they may break a rule. `near_jobs` in `accidents` are such jobs after some damage, `wild_json` in
`fitting` is anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from dpcompile.catalogue import Catalogue
from dpcompile.keypath import KeyPath
from dpcompile.spec import ModelSpec
from dpcompile.trainer import SCOPES, Field, Scope
from tests.properties.fitting import JOB_SCHEMA, tame_json, texts, values
from tests.properties.trees import place

CATALOGUE = Catalogue()
TRAINER = CATALOGUE.trainer
SPECS: dict[str, ModelSpec] = {
    name: spec for name, spec, _ in CATALOGUE.all() if spec is not None and "trainings" not in spec.merged
}
"""By name, so that what Hypothesis prints stays short."""

models: st.SearchStrategy[str] = st.sampled_from(sorted(SPECS))

# --- names ----------------------------------------------------------------------------------------------

Target = tuple[Scope, str]


def fields_of(spec: ModelSpec) -> dict[Target, Field]:
    """Every key that the trainer reads for a model, optimizer arguments aside."""
    return _fields_of(spec.name)


@cache
def _fields_of(model: str) -> dict[Target, Field]:
    scopes = {**TRAINER.scopes, "model": SPECS[model].fields}
    return {(scope, name): field for scope in SCOPES for name, field in scopes[scope].items()}


def settable(spec: ModelSpec) -> dict[Target, Field]:
    """Those of them that a job may set."""
    return {
        target: field
        for target, field in fields_of(spec).items()
        if not field.owned
        and not field.dead
        and not field.secret
        and not (target[0] == "model" and target[1] in spec.unread)
    }


def flat_names(spec: ModelSpec) -> dict[str, Target]:
    """Every name that may stand directly in `training`, and what it sets; ambiguous names are left out."""
    homes: dict[str, list[Scope]] = {}
    for scope, name in fields_of(spec):
        homes.setdefault(name, []).append(scope)
    result: dict[str, Target] = {}
    for name, scopes in homes.items():
        top = [scope for scope in scopes if scope != "directory"] or scopes
        if len(top) == 1 and name not in SCOPES[1:]:
            result[name] = (top[0], name)
    for alias, meant in spec.aliases_of_names.items():
        result[alias] = _target(spec.names.get(meant, meant))
    for name, target in spec.names.items():
        result[name] = _target(target)
    for name in ("alpha", "lora_alpha", "network_alpha", "linear_alpha"):  # told apart before any routing
        result.pop(name, None)
    return result


def _target(text: str) -> Target:
    """`optimizer.lr` as a target."""
    table, _, key = text.partition(".")
    [scope] = (scope for scope in SCOPES if scope == table)
    return scope, key


def ways(spec: ModelSpec, target: Target) -> list[tuple[str, ...]]:
    """Every place below `training` where a setting may be written."""
    scope, name = target
    found: list[tuple[str, ...]] = [(word,) for word, meant in flat_names(spec).items() if meant == target]
    return found if scope == "root" else [*found, (scope, name)]


def parts_of(spec: ModelSpec) -> tuple[str, ...]:
    """The names of a model's trainings; most have one, without a name."""
    return tuple(spec.merged.get("trainings", {})) or ("",)


def keys_of(spec: ModelSpec, target: Target) -> set[KeyPath]:
    """Where a setting stands in the files of a job with one directory: in each training's file."""
    first, *rest = key_of(target)
    return {(f"train.{part}" if part and first == "train" else first, *rest) for part in parts_of(spec)}


def key_of(target: Target, directory: int = 0) -> KeyPath:
    """Where a setting stands in the rendered files of one training."""
    scope, name = target
    match scope:
        case "root":
            return ("train", name)
        case "dataset":
            return ("dataset", name)
        case "directory":
            return ("dataset", "directory", directory, name)
    return ("train", scope, name)


# --- jobs -------------------------------------------------------------------------------------------------

HTTP = ("https://example.com/a.zip", "http://host:8080/x/y.tar", "https://h/ü.zip")
SIGNED = ("https://host/a.zip?X-Amz-Signature=0123456789abcdef0123&part=2", "https://user:long-password@host/b.zip")
OTHER_PLACES = (
    "hf://datasets/owner/name",
    "hf://datasets/o/n@main/sub",
    "s3://bucket/key/x.zip",
    "/runpod-volume/data",
)
locations: st.SearchStrategy[str] = st.sampled_from((*HTTP, *SIGNED, *OTHER_PLACES))
secrets: st.SearchStrategy[Any] = st.sampled_from((None, "", "token_here", "hf_abcdefghijklmnop", "short"))


_seldom = st.sampled_from((False,) * 7 + (True,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A job, the document it stands in (the same object without an envelope), and its model."""

    document: dict[str, Any]
    job: dict[str, Any]
    model: str

    @property
    def spec(self) -> ModelSpec:
        return SPECS[self.model]


@st.composite
def folder_settings(draw: st.DrawFn, spec: ModelSpec, scope: Scope) -> dict[str, Any]:
    """A few settings of a folder that is trained in place, or of an evaluation set."""
    fields = {name: field for (of, name), field in settable(spec).items() if of == scope}
    names = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=2))
    return {name: draw(st.one_of(values(fields[name].schema), st.none())) for name in names}


@st.composite
def folders(draw: st.DrawFn, spec: ModelSpec) -> list[dict[str, Any]]:
    """Folders that are trained where they lie."""
    paths = draw(st.lists(st.sampled_from(("/data/a", "/data/b c", "data/ü", "../d")), min_size=1, max_size=3))
    return [{"path": path, **draw(folder_settings(spec, "directory"))} for path in paths]


@st.composite
def datasets_in_place(draw: st.DrawFn, spec: ModelSpec) -> dict[str, Any]:
    dataset: dict[str, Any] = {"type": "precaptioned", "directories": draw(folders(spec))}
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(("eval0", "held out", "x.y")), min_size=1, max_size=2, unique=True))
        dataset["eval"] = {
            "sets": [
                {"name": name, **draw(folder_settings(spec, "dataset")), "directories": draw(folders(spec))}
                for name in names
            ]
        }
    return dataset | draw(_some({"missing_caption": st.sampled_from(("skip", "empty", "error"))}))


@st.composite
def datasets(draw: st.DrawFn, spec: ModelSpec) -> dict[str, Any]:
    if draw(_seldom):
        return draw(datasets_in_place(spec))
    kinds = [kind for kind in ("images", "videos") if getattr(spec.media, kind)]
    chosen = draw(st.sampled_from([*kinds, "precaptioned", *(["both"] if len(kinds) == 2 else [])]))
    used = {"both": kinds, "precaptioned": [draw(st.sampled_from(kinds))]}.get(chosen, [chosen])
    dataset: dict[str, Any] = {"type": chosen} | {f"{kind}_url": draw(locations) for kind in used}
    optional: dict[str, st.SearchStrategy[Any]] = {
        "trigger_word": st.one_of(st.none(), texts),
        "missing_caption": st.sampled_from(("skip", "empty", "error")),
        **{f"{kind.removesuffix('s')}_repeats": st.integers(1, 50) for kind in used},
        "eval": st.one_of(
            st.fixed_dictionaries({"fraction": st.floats(0.01, 0.5)}),
            st.fixed_dictionaries({f"{kind}_url": locations for kind in used}),
            st.none(),
        ),
    }
    return dataset | draw(_some(optional))


def _some(parts: dict[str, st.SearchStrategy[Any]], most: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the parts."""
    if not parts:
        return st.just({})
    return st.lists(st.sampled_from(sorted(parts)), unique=True, max_size=most).flatmap(
        lambda names: st.fixed_dictionaries({name: parts[name] for name in names})
    )


@st.composite
def plain_settings(draw: st.DrawFn, spec: ModelSpec, most: int) -> dict[str, Any]:
    """A few settings, each named in one of its legal ways; some of them null."""
    settings: dict[str, Any] = {}
    fields = settable(spec)
    for target in draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=most)):
        field = fields[target]
        removable = not field.required and target[1] not in ("epochs", "save_every_n_epochs")
        drawn = values(field.schema)
        value = draw(st.one_of(drawn, drawn, drawn, st.none()) if removable else drawn)
        place(settings, draw(st.sampled_from(ways(spec, target))), value)
    return settings


@st.composite
def trainings(draw: st.DrawFn, spec: ModelSpec, most: int = 4) -> dict[str, Any]:
    """A `training` object: a few settings, each named in one of its legal ways."""
    training = draw(plain_settings(spec, most))
    parts = [part for part in parts_of(spec) if part]
    for_each = draw(st.booleans())
    if parts and for_each:
        names: list[str] = draw(st.lists(st.sampled_from(parts), unique=True, min_size=1))
        training["parts"] = {name: draw(plain_settings(spec, 2)) for name in names}
    if draw(_seldom):
        draw_optimizer(draw, training)
    if draw(_seldom):
        training["passthrough"] = draw(
            st.dictionaries(
                st.sampled_from(("root", "model", "optimizer", "adapter", "dataset", "directory", "new_table")),
                st.dictionaries(
                    st.sampled_from(("new_key", "other-key", "a.b", "key with blank")),
                    tame_json,
                    min_size=1,
                    max_size=2,
                ),
                min_size=1,
                max_size=2,
            )
        )
    if draw(_seldom):
        draw_wandb(draw, training)
    if draw(_seldom):
        training[draw(st.sampled_from(("lora_alpha", "network_alpha")))] = draw(st.sampled_from((16, 32, None)))
    if draw(_seldom) and spec.capabilities.get("full_finetune") and "adapter" not in training:
        training["adapter"] = None
    return training


def draw_optimizer(draw: st.DrawFn, training: dict[str, Any]) -> None:
    """An optimizer and some of the arguments its class takes, in the table."""
    kinds = [name for name, entry in TRAINER.optimizer_entries.items() if not entry.get("x-unusable")]
    kind = TRAINER.optimizer(draw(st.sampled_from(kinds)))
    assert kind is not None
    table = training.setdefault("optimizer", {})
    table["type"] = kind.name
    names = [name for name in kind.arguments if name not in kind.required]
    wanted = (
        [*kind.required, *draw(st.lists(st.sampled_from(names), unique=True, max_size=2))] if names else kind.required
    )
    for name in wanted:
        table[name] = draw(values(kind.arguments[name].schema))


def draw_wandb(draw: st.DrawFn, training: dict[str, Any]) -> None:
    """All that wandb needs, some of it flat and some in the table."""
    wanted = {
        "enable_wandb": True,
        "wandb_tracker_name": draw(texts),
        "wandb_run_name": draw(texts),
        "wandb_api_key": draw(secrets),
    }
    for name, value in wanted.items():
        place(training, draw(st.sampled_from(((name,), ("monitoring", name)))), value)


@st.composite
def jobs(draw: st.DrawFn, most_settings: int = 4) -> Drawn:
    """A job that says only things it may say; whether they go together is another matter."""
    model = draw(models)
    spec = SPECS[model]
    # Seldom by another name: for that every spec is read.
    name = draw(st.sampled_from(spec.aliases)) if spec.aliases and draw(_seldom) else spec.name
    job: dict[str, Any] = {"model_type": name}
    job["dataset"] = draw(datasets(spec))
    sections: dict[str, st.SearchStrategy[Any]] = {
        "training": trainings(spec, most_settings),
        "preset": st.sampled_from((*spec.presets, None)),
        "captioning": values({"$ref": "#/$defs/captioning"}),
        "launch": launches(),
        "output": outputs(),
        "api_keys": st.fixed_dictionaries({}, optional={"huggingface_token": secrets, "gemini_api_key": secrets}),
        "$schema": st.just("job.schema.json"),
    }
    chosen = draw(_some(sections, most=len(sections)))
    job |= chosen if "training" in chosen or draw(st.booleans()) else {**chosen, "training": draw(sections["training"])}
    return Drawn(document=draw(st.sampled_from((job, None))) or _enveloped(draw, job), job=job, model=model)


def _enveloped(draw: st.DrawFn, job: dict[str, Any]) -> dict[str, Any]:
    envelope: dict[str, Any] = {"id": draw(st.sampled_from(("sync-0123-u1", "a", None))), "input": job}
    if draw(_seldom):
        envelope["webhook"] = "https://example.com/hook"
    return envelope


@st.composite
def launches(draw: st.DrawFn) -> dict[str, Any]:
    launch: dict[str, Any] = draw(values({"$ref": "#/$defs/launch"}))
    if "num_gpus" in launch and draw(st.booleans()):
        launch["num_gpus"] = draw(st.sampled_from((1, 2, 4)))
    return launch


@st.composite
def outputs(draw: st.DrawFn) -> dict[str, Any]:
    schema = {k: v for k, v in JOB_SCHEMA["$defs"]["output"].items() if k != "properties"}
    parts = JOB_SCHEMA["$defs"]["output"]["properties"]
    schema["properties"] = {k: v for k, v in parts.items() if k not in ("s3", "upload_url")}
    output: dict[str, Any] = draw(values(schema))
    s3 = {
        "endpoint_url": st.sampled_from((None, "https://s3.example.com")),
        "bucket": st.sampled_from(("bucket", None)),
        "region": st.sampled_from(("eu-1", None)),
        "access_key": secrets,
        "secret_key": secrets,
        "key_prefix": texts,
    }
    more = {
        "s3": st.fixed_dictionaries({}, optional=s3),
        "upload_url": st.sampled_from((None, "https://bucket.example.com/put/1?X-Sig=98765432109876")),
    }
    return output | draw(_some({k: v for k, v in more.items() if draw(st.booleans())}))
