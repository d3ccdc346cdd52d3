"""documents: what comes out says exactly what was written, or a diagnostic says why nothing comes out."""

from __future__ import annotations

import enum
import json
import math
import sys
import time
import tracemalloc
from collections import OrderedDict, namedtuple
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dpcompile import documents, locate
from dpcompile.diagnostics import Diagnostic
from dpcompile.documents import MAX_BYTES, MAX_DEPTH, MAX_SPEC_BYTES, parse_json, parse_value, parse_yaml
from dpcompile.locate import locate as find
from dpcompile.reading import yamltext
from dpcompile.reading.faults import MAX_DIGITS, MAX_FAULTS

FILE = "job.json"
SECRET = "hf_SecretSecretSecret"

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=25,
)
objects = st.dictionaries(st.text(), trees, max_size=6)


def exact(value: Any) -> Any:
    """A form in which values are equal only if they are the same: 1, 1.0, True and -0.0, 0.0 differ."""
    if isinstance(value, dict):
        return ("dict", [(key, exact(item)) for key, item in value.items()])
    if isinstance(value, list):
        return ("list", [exact(item) for item in value])
    return (type(value).__name__, repr(value))


def json_value(data: bytes | str) -> Any:
    document, found = parse_json(data, file=FILE)
    assert found == ()
    assert document is not None
    assert document.file == FILE
    return document.value


def yaml_value(data: bytes | str) -> Any:
    document, found = parse_yaml(data, file="spec.yaml")
    assert found == ()
    assert document is not None
    return document.value


def findings(parsed: documents.Parsed) -> list[Diagnostic]:
    """The diagnostics of a refusal, after the rules that all of them keep."""
    document, found = parsed
    assert (document is None) == bool(found)
    for finding in found:
        assert finding.severity == "error"
        assert finding.file
        assert finding.message
        for words in (finding.message, finding.hint):
            assert words.isascii()
            assert words.isprintable()
            assert len(words) < 200
        assert (finding.line is None) == (finding.column is None)
        finding.path.encode("utf-8")
    return list(found)


def refused(text: bytes | str) -> Diagnostic:
    (finding,) = findings(parse_json(text, file=FILE))
    return finding


def refused_yaml(text: bytes | str) -> Diagnostic:
    (finding,) = findings(parse_yaml(text, file="spec.yaml"))
    return finding


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML without libyaml")
    for module in (yamltext, locate):
        monkeypatch.setattr(module, "YAML_LOADER", getattr(yaml, request.param))
    return str(request.param)


# --- JSON that is taken ---------------------------------------------------------------------------------


@given(objects, st.sampled_from([None, 0, 2, "\t"]), st.booleans(), st.booleans())
def test_json_comes_back_exactly(tree: Any, indent: int | str | None, ascii_only: bool, as_bytes: bool) -> None:
    text = json.dumps(tree, indent=indent, ensure_ascii=ascii_only)
    assert exact(json_value(text.encode() if as_bytes else text)) == exact(tree)


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"a": 1}', '\ufeff{"a": 1}'])
def test_a_utf8_byte_order_mark_is_no_part_of_the_text(data: bytes | str) -> None:
    document, _ = parse_json(data, file=FILE)
    assert document is not None
    assert (document.value, document.text) == ({"a": 1}, '{"a": 1}')


def test_numbers_keep_their_kind() -> None:
    value = json_value('{"a": -0.0, "b": 1.0, "c": 1, "d": 0e5, "e": 0.000e-99999, "f": 5e-324}')
    assert exact(value) == exact({"a": -0.0, "b": 1.0, "c": 1, "d": 0.0, "e": 0.0, "f": 5e-324})


def test_pairs_of_surrogates_are_one_character() -> None:
    assert json_value(r'{"\ud83d\ude00": "\\ud800 \ud83d\ude00"}') == {"\U0001f600": "\\ud800 \U0001f600"}


def test_the_deepest_that_is_taken() -> None:
    inner = MAX_DEPTH - 1
    assert json_value('{"a": ' + "[" * inner + "]" * inner + "}")
    # Brackets in strings do not count, nor do those that stand side by side.
    assert json_value(json.dumps({"a": "[" * 1000, "b": [[]] * 1000, 'c"\\': "{" * 1000}))


def test_the_largest_that_is_taken() -> None:
    text = json.dumps({"a": "x" * (MAX_BYTES - 9)})
    assert len(text) == MAX_BYTES
    assert json_value(text) == json.loads(text)
    assert refused(text + " ").code == "DPC109"


# --- files that are no JSON job -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "where", "words"),
    [
        (b'{"a": "\xe9"}', (1, 8), "0xe9 at offset 7"),
        (b'{\n"\xc3\xa4": "\xff"}', (2, 7), "0xff at offset 9"),
        (b"\x1f\x8b\x08\x00\x00", (1, 4), "zero byte at offset 3"),
        ('{"a": 1}'.encode("utf-16"), (1, 1), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), (1, 2), "zero byte at offset 1"),
        ('{"a": 1}'.encode("utf-32"), (1, 1), "UTF-32"),
        ('{"a": "\0"}', (1, 8), "zero byte at offset 7"),
    ],
)
def test_not_text(data: bytes | str, where: tuple[int, int], words: str) -> None:
    for finding in (refused(data), refused_yaml(data)):
        assert finding.code == "DPC102"
        assert words in finding.message
        assert (finding.line, finding.column) == where


@pytest.mark.parametrize("data", [b"", "", b" \n\t\r\n ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_empty(data: bytes | str) -> None:
    assert refused(data).code == refused_yaml(data).code == "DPC103"


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ('[model]\ntype = "flux"\n', "TOML", 1),
        ("# my job\n\n[[directory]]  # one\n", "TOML", 3),
        ("epochs = 10\n", "TOML", 1),
        ("optimizer.lr=1e-5\r\n", "TOML", 1),
        ("model_type: flux\r\ntraining:\r\n  epochs: 1\r\n", "YAML", 1),
        ("---\na: 1\n", "YAML", 1),
        ("# a\n- a\n", "YAML", 2),
        ("<!doctype html>\n", "HTML", 1),
    ],
)
def test_another_kind_of_file(text: str, kind: str, line: int) -> None:
    finding = refused(text)
    assert finding.code == "DPC105"
    assert kind in finding.message
    assert "JSON job" in finding.message
    assert finding.hint
    assert (finding.line, finding.column) == (line, 1)


def test_too_large() -> None:
    for text in ("x" * 50_000_000, b"\xff" * (MAX_BYTES + 1), "ä" * (MAX_BYTES // 2 + 1)):
        finding = refused(text)
        assert finding.code == "DPC109"
        assert "16 MB" in finding.message
    assert "47.7 MB" in refused("x" * 50_000_000).message
    assert "16.1 MB" in refused(b"x" * (MAX_BYTES + 1)).message
    assert refused_yaml("a: " + "x" * MAX_SPEC_BYTES).code == "DPC109"


@pytest.mark.parametrize("text", ["[]", "1", '"a"', "null", "true", "[[1]]"])
def test_the_top_level_must_be_an_object(text: str) -> None:
    for finding in (refused(text), refused_yaml(text), *findings(parse_value(json.loads(text), file="x"))):
        assert (finding.code, finding.path) == ("DPC111", "")


def test_a_job_encoded_twice_is_recognised() -> None:
    assert "inside a string" in refused(json.dumps(json.dumps({"a": SECRET}))).hint


# --- broken JSON ----------------------------------------------------------------------------------------

BROKEN = [
    ('{"a": 1,}', 8, "a comma before the closing }"),
    ('{"a": [1, 2 ,\n ]}', 13, "a comma before the closing ]"),
    ("{'a': 1}", 2, "a single quote"),
    ('{"a": “b”}', 7, "U+201C"),
    ('{"a": 1 "b": 2}', 9, "a comma is missing"),
    ('{"a": "say "x" now"}', 13, "a comma is missing"),
    ("{a: 1}", 2, "a key without quotes"),
    ("{1: 1}", 2, "this is not a key"),
    ('{"a": 1 // x\n}', 9, "comments"),
    ('{"a": /* x */ 1}', 7, "comments"),
    ('{\t# x\n"a": 1}', 3, "comments"),
    ('{"a": True}', 7, "the word True"),
    ('{"a": [False]}', 8, "the word False"),
    ('{"a": None}', 7, "the word None"),
    ('{"a": undefined}', 7, "the word undefined"),
    ('{"a": yes}', 7, "the word yes"),
    ('{"a": nan}', 7, "the word nan"),
    ('{"a": flux}', 7, "text without quotes"),
    ('{"a": [1, 2}', 12, "a }, but the [ of line 1, column 7 is still open"),
    ('{"a": [1, 2]', 12, "the { of line 1, column 1 is not closed"),
    ('{"a": {"b": [1', 14, "the [ of line 1, column 13 is not closed"),
    ('{"a"', 4, "not closed"),
    ("{", 1, "not closed"),
    ('{"a": "b', 7, "never closed"),
    ('{"a": "b\\', 7, "never closed"),
    ('{"a": "b\n"}', 9, "ends inside a string"),
    ('{"a": "b\tc"}', 9, "U+0009"),
    ('{"a": "b\x1bc"}', 9, "U+001B"),
    ('{"a": "C:\\models"}', 10, "backslash"),
    ('{"a": "\\u12"}', 8, "backslash"),
    ('{"a": 01}', 8, "number"),
    ('{"a": 1_000}', 8, "number"),
    ('{"a": 1.}', 8, "number"),
    ('{"a": .5}', 7, "number"),
    ('{"a": +1}', 7, "number"),
    ('{"a": 0x10}', 8, "number"),
    ('{"a": }', 7, "no value after the colon"),
    ('{"a": , "b": 1}', 7, "a value is missing"),
    ('{"a": 1,, "b": 1}', 9, "a comma too many"),
    ('{"a"; 1}', 5, "colon"),
    ('{"a" = 1}', 6, "colon"),
    ('{"a": 1; "b": 2}', 8, "semicolon"),
    ('["a": 1]', 5, "a colon where a comma"),
    ('{"a": 1}}', 9, "a } too many"),
    ('{"a": 1} {"b": 1}', 10, "a second value"),
    ('"a": 1, "b": 2', 4, "outside of any object"),
    ('{"a": 1} x', 10, "after the end"),
    ('{"a":\u00a01}', 6, "U+00A0"),
    ('{"a"}', 5, "a } where it cannot stand"),
]


@pytest.mark.parametrize(("text", "column", "words"), BROKEN)
def test_broken_json(text: str, column: int, words: str) -> None:
    finding = refused(text)
    assert (finding.code, finding.path) == ("DPC104", "")
    assert words in finding.message
    assert finding.hint
    assert (finding.line, finding.column) == (1, column)


@pytest.mark.parametrize("text", [text for text, _, words in BROKEN if "too many" not in words])
def test_broken_json_further_down(text: str) -> None:
    finding = refused('{"ä": [0],\n\n  "b": ' + text)
    assert finding.code == "DPC104"
    assert finding.line is not None
    assert finding.line >= 1


def test_messages_never_show_what_strings_hold() -> None:
    good = json.dumps({"api_keys": {"huggingface_token": SECRET, SECRET: [SECRET, 1e5]}}, indent=1)
    for at in range(len(good)):
        for broken in (good[:at], good[:at] + good[at + 1 :], *(good[:at] + c + good[at:] for c in "\"',x\n\\")):
            _, found = parse_json(broken, file=FILE)
            for finding in found:
                assert "Secret" not in finding.message + finding.hint


# --- JSON that would be read as something else ----------------------------------------------------------


def test_duplicate_keys_are_told_one_by_one() -> None:
    text = '{"a": 1,\n "b": {"c~/": 1, "c~/": 2,\n  "\\u0063~/": [{"x": 1, "x": 2}]},\n "a": {"d": 1, "d": 1}}'
    found = findings(parse_json(text, file=FILE))
    assert [(d.code, d.path, d.line, d.column) for d in found] == [
        ("DPC106", "/b/c~0~1", 2, 18),
        ("DPC106", "/b/c~0~1", 3, 3),
        ("DPC106", "/b/c~0~1/0/x", 3, 25),
        ("DPC106", "/a", 4, 2),
        ("DPC106", "/a/d", 4, 16),
    ]
    assert '"c~/"' in found[0].message
    assert "line 2" in found[1].message
    assert "silence" in found[0].hint


def test_equal_keys_of_different_objects_are_fine() -> None:
    assert json_value('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}')


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "9" * (MAX_DIGITS + 1), "1" + "0" * 400 + ".0"],
)
def test_numbers_that_cannot_be_used(number: str) -> None:
    finding = refused(f'{{"a": 1,\n "b": [0, {number}]}}')
    assert (finding.code, finding.path, finding.line, finding.column) == ("DPC107", "/b/1", 2, 11)
    assert finding.hint


@pytest.fixture
def digits_limit() -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.usefixtures("digits_limit")
@pytest.mark.parametrize("limit", [0, 640, MAX_DIGITS, 100_000])
def test_long_numbers_whatever_the_interpreter_allows(limit: int) -> None:
    sys.set_int_max_str_digits(limit)
    for text in ('{"a": %s}', '{"a": -%s}'):
        assert refused(text % ("1" * (MAX_DIGITS + 1))).code == "DPC107"
        assert refused_yaml(text % ("1" * (MAX_DIGITS + 1))).code == "DPC107"
    if limit == 640:
        assert refused('{"a": %s}' % ("1" * 641)).code == "DPC107"
        assert refused_yaml("a: " + "1" * 641).code == "DPC107"
    else:
        assert json_value('{"a": -%s}' % ("1" * MAX_DIGITS))


@pytest.mark.parametrize(
    ("text", "path", "column"),
    [
        (r'{"a": ["\ud800"]}', "/a/0", 8),
        (r'{"a": "\uDE00\ud83d"}', "/a", 7),
        (r'{"b": {"x\ud800": 1}}', "/b", 8),
        ('{"a": "\ud800"}', "/a", 7),
    ],
)
def test_text_that_is_not_unicode(text: str, path: str, column: int) -> None:
    finding = refused(text)
    assert (finding.code, finding.path, finding.line, finding.column) == ("DPC110", path, 1, column)


def test_all_faults_are_told_at_once() -> None:
    text = '{"a": NaN, "a": 1e999, "b": "\\udc00", "c": -Infinity}'
    codes = [d.code for d in findings(parse_json(text, file=FILE))]
    assert codes == ["DPC107", "DPC106", "DPC107", "DPC110", "DPC107"]


def test_a_syntax_error_goes_first() -> None:
    assert refused('{"a": NaN, "a": 1,}').code == "DPC104"


CLOSING = {"[": "]", '{"a":': "}", '[{"a":': "}]"}
DEEP = [(unit, count) for unit in CLOSING for count in (MAX_DEPTH + 1, 1000, 100_000)]


@pytest.mark.parametrize(("unit", "count"), [*DEEP, ("[", 5_000_000)])
@pytest.mark.parametrize("closed", [True, False])
def test_too_deep(unit: str, count: int, closed: bool) -> None:
    text = unit * count
    if closed:
        text += "1" + CLOSING[unit] * count
    start = time.perf_counter()
    finding = refused(text)
    assert time.perf_counter() - start < 5
    assert (finding.code, finding.line) == ("DPC108", 1)
    assert finding.column == [at for at, c in enumerate(text[:1000], 1) if c in "[{"][MAX_DEPTH]
    assert "64" in finding.message


def test_an_error_before_the_depth_goes_first() -> None:
    assert refused('{"a": tru, "b": ' + "[" * 100_000).code == "DPC104"
    assert refused("]" * 100 + "[" * 100_000).code == "DPC104"
    assert refused('{"a": 1, "a": ' + "[" * 100_000).code == "DPC108"


def test_the_number_of_findings_is_bounded() -> None:
    text = '{"a": 1' + ', "a": 1' * 1_000_000 + "}"
    start = time.perf_counter()
    found = findings(parse_json(text, file=FILE))
    assert time.perf_counter() - start < 20
    assert len(found) == MAX_FAULTS + 1
    assert "100" in found[-1].message
    assert len(findings(parse_value({"a": [math.nan] * 1000}, file="x"))) == MAX_FAULTS + 1
    assert len(findings(parse_yaml("a: 1\n" * 1000, file="x"))) == MAX_FAULTS + 1


def test_long_keys_are_not_repeated_in_every_finding() -> None:
    text = '{"' + "k" * 1_000_000 + '": {"a": 1' + ', "a": 1' * 50 + "}}"
    assert {d.path for d in findings(parse_json(text, file=FILE))} == {""}


# --- JSON that nobody wrote -----------------------------------------------------------------------------


@given(st.text() | st.binary())
def test_any_text_is_taken_or_refused(data: str | bytes) -> None:
    findings(parse_json(data, file=FILE))
    findings(parse_yaml(data, file=FILE))


@given(st.text(alphabet="{}[]\",:\\ \n\t\0/#'u0d8e19.-+truefalsnNaI=\ufeff\ud800é"))
def test_text_that_looks_like_json(text: str) -> None:
    findings(parse_json(text, file=FILE))
    findings(parse_yaml(text, file=FILE))


@given(objects, st.data())
def test_mutated_json(tree: Any, data: st.DataObject) -> None:
    text = json.dumps(tree, ensure_ascii=data.draw(st.booleans()))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 2))
        text = text[:start] + data.draw(st.text('{}[]",:\\ \nu1e9-N', max_size=3)) + text[end:]
    document, found = parse_json(text, file=FILE)
    try:
        pairs: list[bool] = []

        def unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
            pairs.append(len(members) == len({key for key, _ in members}))
            return dict(members)

        expected = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError:
        assert document is None
        assert found[0].code in ("DPC102", "DPC103", "DPC104", "DPC105", "DPC108")
        return
    if document is not None:
        assert all(pairs)
        assert exact(document.value) == exact(expected)
    else:
        assert not {"DPC102", "DPC103", "DPC104", "DPC105"} & {d.code for d in found}
        assert ("DPC106" in {d.code for d in found}) == (not all(pairs))
        findings((document, found))


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "' + "\\n" * 4_000_000 + '"}',
        '"' * 8_000_000,
        "\\" * 8_000_000,
        " " * 8_000_000 + "{",
        '{"a": ' + "1" * 8_000_000 + "}",
        '{"a": 1' + " " * 8_000_000 + "]",
        "#\n" * 4_000_000,
        "a" * 8_000_000,
        '{"a": [' + "[]," * 1_000_000 + "[]]}",
    ],
    ids=["escapes", "quotes", "backslashes", "blanks", "digits", "blanks inside", "comments", "word", "wide"],
)
def test_large_texts_take_bounded_time(text: str) -> None:
    start = time.perf_counter()
    parse_json(text, file=FILE)
    parse_yaml(text[: MAX_SPEC_BYTES // 8], file=FILE)
    find(text, "/a/1/b")
    assert time.perf_counter() - start < 20


# --- Python values --------------------------------------------------------------------------------------


@given(objects)
def test_values_come_back_exactly_and_as_a_copy(tree: Any) -> None:
    document, found = parse_value(tree, file="<call>")
    assert found == ()
    assert document is not None
    assert exact(document.value) == exact(tree)
    assert document.value is not tree
    assert document.text is None


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Half(float):
    def __repr__(self) -> str:
        raise AssertionError


def test_subclasses_become_plain() -> None:
    pair = namedtuple("pair", "x y")
    given_value = OrderedDict({Colour.RED: Level.LOW, "t": (1, pair(2, Half(0.5))), "b": True})
    document, found = parse_value(given_value, file="<call>")
    assert found == ()
    assert document is not None
    assert exact(document.value) == exact({"red": 1, "t": [1, [2, 0.5]], "b": True})


class Hostile:
    """Fails whatever is asked of it."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __str__ = __repr__

    def __hash__(self) -> int:
        return 12345

    def __bool__(self) -> bool:
        raise RuntimeError


class Shouting(str):
    """Looks like another key than it is."""

    __slots__ = ()

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        return self is other


def test_values_that_json_has_no_word_for() -> None:
    for bad in ({1}, b"x", object(), print, 1j, range(3), Hostile(), Hostile, iter([])):
        (finding,) = findings(parse_value({"a": [0, bad]}, file="<call>"))
        assert (finding.code, finding.path, finding.line) == ("DPC112", "/a/1", None)
        assert findings(parse_value(bad, file="<call>"))[0].code == "DPC112"


def test_everything_wrong_in_a_value_is_told() -> None:
    value = {
        "a": {1: 0, None: 0, ("t",): 0, 10**5000: 0, Hostile(): 0, 1.5: 0},
        "b": [math.nan, -math.inf, 10**MAX_DIGITS, -(10**MAX_DIGITS), "\ud800", 10 ** (MAX_DIGITS - 1)],
        "c": {"\udfff": {"d": {2}}},
        "e": {Shouting("k"): 1, Shouting("k"): 2},
    }
    found = findings(parse_value(value, file="<call>"))
    assert [(d.code, d.path) for d in found] == [
        *[("DPC112", "/a")] * 6,
        *[("DPC107", f"/b/{at}") for at in range(4)],
        ("DPC110", "/b/4"),
        ("DPC110", "/c"),
        ("DPC112", "/c"),
        ("DPC106", "/e/k"),
    ]
    assert "null is a key" in found[1].message


def test_values_that_hold_themselves() -> None:
    loop: list[Any] = [1]
    loop.extend([loop] * 50)
    table: dict[str, Any] = {"list": loop}
    table["self"] = {"again": table}
    found = findings(parse_value(table, file="<call>"))
    assert len(found) == 51
    assert {d.code for d in found} == {"DPC112"}
    assert found[-1].path == "/self/again"


def test_values_shared_many_times_end_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 2**20)
    shared: Any = ["x" * 10] * 10
    assert parse_value({"a": shared, "b": shared}, file="<call>")[0] is not None
    for _ in range(30):
        shared = [shared] * 10
    tracemalloc.start()
    try:
        (finding,) = findings(parse_value({"a": shared}, file="<call>"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert finding.code == "DPC109"
    assert peak < 40 * 2**20
    assert findings(parse_value({"a": "x" * 2**20}, file="<call>"))[0].code == "DPC109"


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 100_000])
def test_deep_values(depth: int) -> None:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    document, found = parse_value({"a": value}, file="<call>")
    if depth == MAX_DEPTH:
        assert document is not None
        assert found == ()
    else:
        assert [d.code for d in findings((document, found))] == ["DPC108"]
    while isinstance(value, list):  # taken apart by hand: freeing it at once would recurse
        value = value[0]


anything = st.recursive(
    scalars
    | st.binary()
    | st.floats()
    | st.complex_numbers()
    | st.builds(Hostile)
    | st.builds(Half)
    | st.sampled_from(["\ud800", {1}, Colour.RED, Shouting("x"), int])
    | st.builds(lambda: 10**5000),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(scalars | st.just("\udc00") | st.sampled_from(Colour), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(anything)
def test_any_value_is_taken_or_refused(value: object) -> None:
    parsed = parse_value(value, file="<call>")
    findings(parsed)
    if parsed[0] is not None:
        assert exact(json_value(json.dumps(parsed[0].value))) == exact(parsed[0].value)


# --- YAML -----------------------------------------------------------------------------------------------

printable = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]))
specs = st.dictionaries(
    printable,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | printable,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4),
        max_leaves=15,
    ),
    max_size=5,
)


@given(specs, st.sampled_from([None, 2]))
def test_json_is_yaml(tree: Any, indent: int | None) -> None:
    assert exact(yaml_value(json.dumps(tree, ensure_ascii=False, indent=indent))) == exact(tree)


@pytest.mark.usefixtures("loader")
def test_yaml_is_read_as_version_1_2() -> None:
    words = ["yes", "no", "on", "Off", "y", "1:30", "08:00", "2024-01-02", "1_000", "0b1", "0o8", "-0x1"]
    words += ["1e", "e5", ".", "+", "1.2.3", "=", "nan", "inf", "truE", "1e-5x"]
    text = """\
# a spec
ä: 1
numbers: [010, 0o17, 0x1F, 1e-8, 2e-5, -1E+3, .5, 1., -0.0, +3, -7, 0]
words: [true, True, TRUE, false, ~, null, Null, NULL]
quoted: ['1', "true", 'null', "", '<<', ! "1", !!str 1, !!str ]
tagged: [!!int 3, !!float 1.5, !!bool true, !!null null, !!seq [1], !!map {a: 1}]
anchored: &name {a: 1}
"<<": 1
yes: 1
folded: >-
  two
  lines
literal: |
  two
  lines
none:
strings:
"""
    assert exact(yaml_value(text + "".join(f"- {word}\n" for word in words))) == exact(
        {
            "ä": 1,
            "numbers": [10, 15, 31, 1e-8, 2e-5, -1000.0, 0.5, 1.0, -0.0, 3, -7, 0],
            "words": [True, True, True, False, None, None, None, None],
            "quoted": ["1", "true", "null", "", "<<", "1", "1", ""],
            "tagged": [3, 1.5, True, None, [1], {"a": 1}],
            "anchored": {"a": 1},
            "<<": 1,
            "yes": 1,
            "folded": "two lines",
            "literal": "two\nlines\n",
            "none": None,
            "strings": words,
        }
    )


def test_pyyaml_itself_is_left_alone() -> None:
    yaml_value("a: 1e-8\nb: yes\n")
    assert yaml.safe_load("a: 1e-8\nb: yes\nc: 010") == {"a": "1e-8", "b": True, "c": 8}


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "code", "path", "line", "column"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", "DPC307", "/b/c", 2, 11),
        ("a: 1\n'a': 2\n", "DPC307", "/a", 2, 1),
        ("ä: [.nan]\n", "DPC107", "/ä/0", 1, 5),
        ("a: -.Inf\n", "DPC107", "/a", 1, 4),
        ("a: 1e999\n", "DPC107", "/a", 1, 4),
        ("a: 1e-999\n", "DPC107", "/a", 1, 4),
        ("a: " + "7" * (MAX_DIGITS + 1), "DPC107", "/a", 1, 4),
        ("a: 0x" + "f" * (MAX_DIGITS + 1), "DPC107", "/a", 1, 4),
        ("1: x\n", "DPC301", "/1", 1, 1),
        ("a:\n  true: x\n", "DPC301", "/a/true", 2, 3),
        ("? [a, b]\n: 1\n", "DPC301", "", 1, 3),
        ("? {a: 1}\n: 1\n", "DPC301", "", 1, 3),
        ("a: &x 1\nb: *x\n", "DPC301", "/b", 2, 4),
        ("a: &x [*x]\n", "DPC301", "/a/0", 1, 8),
        ("? &x a\n: 1\n? *x\n: 2\n", "DPC301", "", 3, 3),
        ("a: &x {b: 1}\nc:\n  <<: {d: 1}\n", "DPC301", "/c/<<", 3, 3),
        ("a: 1\n---\nb: 1\n", "DPC301", "", 2, 1),
        ("a: !!python/object/apply:os.system [ls]\n", "DPC301", "/a", 1, 4),
        ("a: !thing 1\n", "DPC301", "/a", 1, 4),
        ("a: !!timestamp 2024-01-02\n", "DPC301", "/a", 1, 4),
        ("a: !!binary aGk=\n", "DPC301", "/a", 1, 4),
        ("a: !!int x\n", "DPC301", "/a", 1, 4),
        ("a: !!bool yes\n", "DPC301", "/a", 1, 4),
        ("a: !!set {b}\n", "DPC301", "/a", 1, 4),
        ("a:\n\t- b\n", "DPC301", "", 2, 1),
        ("a: b: c\n", "DPC301", "", 1, 5),
        ("a: @b\n", "DPC301", "", 1, 4),
        ("a: 1\nb: 'x\n", "DPC301", "", 2, 4),
        ("ä: 1\nö: \x07\n", "DPC301", "", 2, 4),
        ("a: ]\n", "DPC301", "", 1, 4),
        ("- a\nb: 1\n", "DPC301", "", 2, 1),
        ("a: \ud800\n", "DPC110", "", 1, 4),
        ("a: " + "[" * 100_000, "DPC108", "", 1, 3 + MAX_DEPTH),
        ("- " * 500, "DPC108", "", 1, 2 * MAX_DEPTH + 1),
        ("# nothing\n", "DPC103", "", None, None),
    ],
)
def test_broken_specs(text: str, code: str, path: str, line: int | None, column: int | None) -> None:
    finding = refused_yaml(text)
    assert (finding.code, finding.path, finding.line, finding.column) == (code, path, line, column)
    assert finding.hint


@pytest.mark.usefixtures("loader")
def test_surrogate_escapes_in_yaml() -> None:
    # libyaml calls the escape itself broken; PyYAML's own parser lets it through.
    assert refused_yaml('a: "\\ud800"\n').code in ("DPC110", "DPC301")
    assert refused_yaml('a: "\\UFFFFFFFF"\n').code == "DPC301"


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\ta: 1", "tab"),
        ("a: [1, 2", "bracket"),
        ("a: {b: 1", "bracket"),
        ('a: "C:\\models"', "backslash"),
        ("a: 1\n b: 2", "colon"),
        ("a: `b`", "begins with `"),
        ("a: - b", "list entry"),
        ("a: |x\n  b", ""),
        ("a: 1\n}", "does not fit"),
        ("a\nb: 1", "colon"),
        ("a: !x!y 1", "tag"),
        ("a: *", "alias"),
    ],
)
def test_causes_of_broken_yaml(text: str, words: str) -> None:
    finding = refused_yaml(text)
    assert finding.code == "DPC301"
    assert words in finding.message
    assert finding.hint


def test_all_faults_of_a_spec_are_told_at_once() -> None:
    text = "a: .nan\na: 1\n2: 1\nb: *x\nc: !y 1\nd: [\n"
    codes = [d.code for d in findings(parse_yaml(text, file="x"))]
    assert codes == ["DPC107", "DPC307", "DPC301", "DPC301", "DPC301", "DPC301"]


@given(st.text(alphabet="ab1: -[]{},&*!|>'\"%@`#\n\t?.<~e\\uUxé\ud800", max_size=40), st.booleans())
def test_text_that_looks_like_yaml(text: str, fast: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not fast:
            patch.setattr(yamltext, "YAML_LOADER", yaml.SafeLoader)
        document, found = parse_yaml(text, file="x")
        findings((document, found))
        if document is not None:
            assert exact(json_value(json.dumps(document.value))) == exact(document.value)
