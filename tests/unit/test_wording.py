from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dpcompile.keypath import KeyPath
from dpcompile.resources import DataDirs
from dpcompile.wording import clause, describe, kind, listing, ordinal, quote, spoken


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ohwx", '"ohwx"'),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        ([1, "a"], '[1, "a"]'),
        ({"a": {}}, '{"a": {}}'),
        ('say "x"\n\x1b', '"say \\"x\\"\\n\\u001b"'),
        ("ü", '"\\u00fc"'),
        ("\ud800", '"\\ud800"'),
        (10**100, "1" + "0" * 56 + "..."),
    ],
)
def test_values_are_quoted_as_json_on_one_ascii_line(value: object, text: str) -> None:
    assert quote(value) == text


def test_what_json_does_not_have_is_named_by_its_type() -> None:
    assert quote({"a": object()}) == '{"a": "<object>"}'
    assert quote({1, 2}) == '"<set>"'


@pytest.mark.parametrize("length", [57, 58, 59, 1000])
def test_quotes_are_never_longer_than_their_limit(length: int) -> None:
    text = quote("x" * length)
    assert len(text) == min(length + 2, 60)
    assert text.endswith("..." if length > 58 else '"')
    assert len(quote("x" * length, 20)) == 20


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (False, "false"),
        (0, "a whole number"),
        (1.0, "a number with a decimal point"),
        ("", "text"),
        (None, "null"),
        ([], "a list"),
        ((), "a list"),
        ({}, "an object"),
        (object(), "object"),
        (b"", "bytes"),
    ],
)
def test_kind_says_what_a_value_is(value: object, words: str) -> None:
    assert kind(value) == words


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_listing(words: list[str], text: str) -> None:
    assert listing(words) == text
    assert listing(iter(words), "and") == text.replace(" or ", " and ")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "any value"),
        ({"type": "string"}, "text in quotes"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "object"}, "an object"),
        ({"type": ["string", "null"]}, "text in quotes"),
        ({"type": ["boolean", "string", "null"]}, "true or false or text in quotes"),
        ({"const": True}, "true"),
        ({"enum": ["auto", "s3", None]}, '"auto", "s3" or null'),
        ({"type": "string", "enum": ["a"]}, '"a"'),
        ({"type": "integer", "minimum": 1}, "a whole number, at least 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, "a number, above 0 and at most 0.5"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number, at least 0 and below 1"),
        ({"type": "string", "minimum": 1}, "text in quotes"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "text in quotes or a whole number"),
        ({"oneOf": [{"type": "string"}, {"type": "string", "minLength": 3}]}, "text in quotes"),
        (
            {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["unsloth"]}]},
            'a whole number, at least 1, or "unsloth"',
        ),
        ({"type": "array"}, "a list"),
        ({"type": "array", "items": {"type": "string"}}, "a list of texts in quotes"),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "a list of whole numbers, each at least 1",
        ),
        (
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            "a list of exactly 2 numbers",
        ),
        (
            {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 1},
            "a list of one value: a whole number, at least 1",
        ),
        (
            {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
            "a list of lists of whole numbers",
        ),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, 'a list of values, each "a" or "b"'),
        (
            {"type": "array", "items": {"type": ["integer", "string"]}},
            "a list of values, each a whole number or text in quotes",
        ),
        ({"type": "array", "prefixItems": [{}, {}, {}]}, "a list of exactly 3 values"),
    ],
    ids=json.dumps,
)
def test_schemas_are_put_into_words(schema: dict[str, Any], words: str) -> None:
    assert describe(schema) == words


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("The VAE comes from the folder.", "the VAE comes from the folder"),
        ("It runs twice. The first run is lost.", "it runs twice. The first run is lost"),
        ("SDXL draws its timesteps evenly.", "SDXL draws its timesteps evenly"),
        ("FLUX.1 has none", "FLUX.1 has none"),
        ("it stays as it is", "it stays as it is"),
        ("Only", "only"),
        ("", ""),
    ],
)
def test_a_sentence_goes_on_after_a_colon(sentence: str, text: str) -> None:
    assert clause(sentence) == text


def test_alternatives_that_say_nothing_of_the_type_are_not_told() -> None:
    either = [{"required": ["path"]}, {"required": ["paths"]}]

    assert describe({"type": "array", "items": {"type": "object", "oneOf": either}}) == "a list of objects"
    assert describe({"type": "object", "oneOf": either}) == "an object"


def test_text_of_a_form_is_one_of_the_alternatives() -> None:
    schema = {"anyOf": [{"enum": ["a"]}, {"type": "string", "pattern": "^type:"}]}

    assert describe(schema) == '"a" or text in quotes that matches ^type:'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("dataset", "type"), "dataset.type"),
        (("text_encoders", 0, "type"), "type in the first of text_encoders"),
        (("size_buckets", 9), "the tenth of size_buckets"),
        (("batch_size", 0, 1), "the second value in the first of batch_size"),
        (("dataset", "eval", "directories", 2, "path"), "path in the third of dataset.eval.directories"),
        (("a", 1, "b", 0, "c"), "c in the first of b in the second of a"),
    ],
)
def test_places_are_named_for_people_who_count_from_one(path: KeyPath, text: str) -> None:
    assert spoken(path) == text


@pytest.mark.parametrize(
    ("index", "text"), [(0, "first"), (9, "tenth"), (10, "11th"), (11, "12th"), (20, "21st"), (112, "113th")]
)
def test_ordinals(index: int, text: str) -> None:
    assert ordinal(index) == text


def test_only_names_keep_their_capital_after_a_colon() -> None:
    reasons = [reason for document in _documents() for reason in _reasons(document)]
    capitals = {word for reason in reasons if (word := clause(reason).split()[0])[0].isupper()}
    assert len(reasons) > 200
    assert {word.removesuffix("'s") for word in capitals} == {
        *("Anima", "ByT5", "Chroma", "Cosmos", "FLUX.1", "HunyuanVideo", "LTX", "Lumina", "OmniGen2", "SDXL"),
        *("Wan", "Z-Image"),
    }


def _documents() -> Iterator[Any]:
    """The schemas of the trainer's files and the model specs."""
    dirs = DataDirs.default()
    for name in ("train", "dataset"):
        yield json.loads((dirs.schemas / f"diffusion_pipe.{name}.schema.json").read_text("utf-8"))
    for path in dirs.specs.rglob("*.yaml"):
        yield yaml.safe_load(path.read_text("utf-8"))


def _reasons(node: Any) -> Iterator[str]:
    """Every sentence that may stand after a colon in a message."""
    if isinstance(node, list):
        for item in node:
            yield from _reasons(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str) and key in ("why", "x-expected", "x-unusable", "x-warning"):
                yield value
            yield from _reasons(value)
