"""Values that fit a JSON Schema, and values that fit nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from dpcompile.resources import DataDirs
from dpcompile.schema import strict_validator

JOB_SCHEMA: dict[str, Any] = json.loads((DataDirs.default().schemas / "job.schema.json").read_text("utf-8"))

# Texts that break out of their place wherever quoting is done by halves.
NASTY_TEXTS = (
    '"',
    "'",
    '"""',
    "'''",
    "\\",
    "\\u0041",
    "it's",
    'a "quoted" word',
    "line\nbreak",
    "\r\n",
    "tab\there",
    "{{ value('epochs') }}",
    "{% if true %}x{% endif %}",
    "{# comment #}",
    "# no comment",
    "[model]",
    'x"\n[model]\ntype = "evil',
    "a = 1",
    "],",
    "},",
    "{a = 1}",
    "\x00",
    "\x1b[31mred",
    "\x7f",
    "\u0085\u2028\u2029",
    "é ü ß",
    "日本語",
    "😀",
    "1e5",
    "true",
    "1979-05-27",
    "null",
    "%0A::error::x",
    "~1/~0",
    " blanks ",
)
PLAIN_TEXTS = ("ohwx", "a photo of a dog", "/runpod-volume/models/x.safetensors", "bfloat16", "x")
_TEXTS_BY_PATTERN: dict[str, tuple[str, ...]] = {
    "^type:[^:]+$": ("type:TransformerLayer", "type:a b"),
    "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$": ("node1", "a", "10.0.0.7", "host-2.local"),
    "^[A-Za-z_][A-Za-z0-9_]*$": ("PYTORCH_CUDA_ALLOC_CONF", "NCCL_DEBUG", "_x", "Z9"),
    "^[A-Za-z0-9][A-Za-z0-9._-]*$": ("20250101_10-11-12", "run.1", "a"),
    "^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$": ("owner/name", "a.b/c-d_e", "0/1"),
}
"""Hand-made choices for every pattern of the schemas; a new pattern must get some."""

texts: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(PLAIN_TEXTS), st.sampled_from(NASTY_TEXTS), st.text(max_size=12)
)


# --- anything ---------------------------------------------------------------------------------------

_VOCABULARY = (
    "model_type", "dataset", "type", "images_url", "videos_url", "eval", "fraction", "training", "passthrough",
    "model", "adapter", "optimizer", "monitoring", "directory", "root", "epochs", "learning_rate", "resolution",
    "lora_rank", "betas", "lr", "launch", "env", "num_gpus", "hosts", "output", "method", "s3", "huggingface",
    "upload_url", "api_keys", "captioning", "images", "videos", "preset", "id", "input", "$schema", "lora_alpha",
)  # fmt: skip
_WORDS = ("wan13", "images", "both", "precaptioned", "s3", "adamw", "vram_24gb", "token_here", "", "lora")

scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-10, 100),
    st.sampled_from((10**18, 10**400, -(10**4000), 2**63)),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from((1e308, 5e-324, -0.0, 1.0)),
    texts,
    st.sampled_from(_WORDS),
)
keys: st.SearchStrategy[str] = st.one_of(st.sampled_from(_VOCABULARY), texts)
wild_json: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=16,
)
tame_json: st.SearchStrategy[Any] = st.one_of(
    st.integers(-8, 8),
    st.floats(0.25, 4),
    st.booleans(),
    texts,
    st.lists(st.integers(0, 9), max_size=3),
    st.lists(texts, max_size=2),
)


# --- what fits ---------------------------------------------------------------------------------------

_UNDERSTOOD = frozenset(
    [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "minProperties",
        "pattern",
        "minLength",
        "maxLength",
        "$ref",
    ]
)
_SAY_NOTHING = frozenset(["description", "title", "default", "format", "$schema", "$id", "$defs"])


def unknown_keywords(schema: Mapping[str, Any]) -> set[str]:
    """The keywords of a schema, and of all schemas in it, that `values` does not know."""
    found = {k for k in schema if not k.startswith("x-")} - _UNDERSTOOD - _SAY_NOTHING
    for inner in _inner_schemas(schema):
        found |= unknown_keywords(inner)
    return found


def _inner_schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for keyword in ("items", "additionalProperties", "propertyNames"):
        if isinstance(schema.get(keyword), Mapping):
            yield schema[keyword]
    for keyword in ("anyOf", "oneOf", "prefixItems"):
        yield from schema.get(keyword, ())
    for keyword in ("properties", "$defs"):
        yield from schema.get(keyword, {}).values()


def values(schema: Mapping[str, Any], root: Mapping[str, Any] = JOB_SCHEMA) -> st.SearchStrategy[Any]:
    """Values that fit `schema`; `$ref`s are looked up in `root`."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return values({**target, **{k: v for k, v in schema.items() if k != "$ref"}}, root)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            rest = {k: v for k, v in schema.items() if k != union}
            drawn = st.one_of([values(_both(rest, branch), root) for branch in schema[union]])
            return drawn.filter(lambda value: fits(schema, value)) if union == "oneOf" else drawn
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if not kinds:
        return tame_json
    return st.one_of([_of_kind(kind, schema, root) for kind in kinds])


def _both(schema: Mapping[str, Any], branch: Mapping[str, Any]) -> dict[str, Any]:
    required = [*_names(schema.get("required")), *_names(branch.get("required"))]
    return {**schema, **branch, "required": required}


def _names(required: object) -> list[str]:
    """What JSON Schema calls `required`; in a spec's field `required: true` says something else."""
    return list(required) if isinstance(required, (list, tuple)) else []


def _of_kind(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return _integers(schema)
        case "number":
            return st.one_of(_integers(schema), _floats(schema))
        case "string":
            return _strings(schema)
        case "array":
            return _arrays(schema, root)
    return _objects(schema, root)


def _bounds(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lows = [schema[k] for k in ("minimum", "exclusiveMinimum") if k in schema]
    highs = [schema[k] for k in ("maximum", "exclusiveMaximum") if k in schema]
    return (max(lows) if lows else None), (min(highs) if highs else None)


def _integers(schema: Mapping[str, Any]) -> st.SearchStrategy[int]:
    low, high = _bounds(schema)
    lowest = -8 if low is None else math.floor(low) + 1 if schema.get("exclusiveMinimum") == low else math.ceil(low)
    highest = lowest + 5000 if high is None else math.floor(high)
    if schema.get("exclusiveMaximum") == highest:
        highest -= 1
    return st.integers(lowest, highest) if lowest <= highest else st.nothing()


def _floats(schema: Mapping[str, Any]) -> st.SearchStrategy[float]:
    low, high = _bounds(schema)
    low, high = (-1e6 if low is None else low), (1e6 if high is None else high)
    # -0.0 has no TOML text that the trainer reads as such; test_verify draws it.
    return st.floats(
        float(low),
        float(high),
        exclude_min=schema.get("exclusiveMinimum") == low,
        exclude_max=schema.get("exclusiveMaximum") == high,
    ).filter(lambda number: repr(number) != "-0.0")


def _strings(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        return st.sampled_from(_TEXTS_BY_PATTERN[schema["pattern"]])
    low, high = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    return texts.filter(lambda text: low <= len(text) <= high)


def _arrays(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[list[Any]]:
    if "prefixItems" in schema:
        return st.tuples(*(values(item, root) for item in schema["prefixItems"])).map(list)
    low = schema.get("minItems", 0)
    return st.lists(
        values(schema.get("items", {}), root),
        min_size=low,
        max_size=schema.get("maxItems", low + 2),
        unique_by=repr if schema.get("uniqueItems") else None,
    )


def _objects(schema: Mapping[str, Any], root: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    known = {name: values(inner, root) for name, inner in schema.get("properties", {}).items()}
    needed = _names(schema.get("required"))
    base = st.fixed_dictionaries(
        {n: s for n, s in known.items() if n in needed}, optional={n: s for n, s in known.items() if n not in needed}
    )
    more = schema.get("additionalProperties", True)
    if not known and isinstance(more, Mapping):
        base = st.dictionaries(
            values({"type": "string", **schema.get("propertyNames", {})}), values(more, root), max_size=2
        )
    return base.filter(lambda table: len(table) >= schema.get("minProperties", 0))


def fits(schema: Mapping[str, Any], value: object) -> bool:
    """Whether a value fits a schema whose `required: true` marks are spec annotations."""
    pure = {k: v for k, v in schema.items() if not (k == "required" and isinstance(v, bool))}
    return bool(strict_validator(pure).is_valid(value))
