"""What is told of the differences between a checkout and what dpcompile knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dpcompile.audit.checkout import read_checkout
from dpcompile.audit.compare import audit, compare
from dpcompile.audit.findings import KINDS, Finding
from dpcompile.audit.known import Known, Reading
from tests.unit.audit.support import found, known, table, write

TWO = """
class A:
    def __init__(self, config):
        config["model"]["shared"], config["model"]["of_a"]


class B:
    def __init__(self, config):
        config["model"]["shared"]
"""
CHOICE = """
from models import two
if config["model"]["type"] == "a":
    two.A(config)
elif config["model"]["type"] == "b":
    two.B(config)
"""
KNOWN = known(
    a={"model": table("type", "shared", "of_a")},
    b={"model": table("type", "shared") | table("of_a", reading=Reading.NO)},
)


def told(tmp_path: Path, expected: Known, main: str = CHOICE, two: str = TWO) -> tuple[Finding, ...]:
    return compare(found(tmp_path, main, models__two=two), expected)


def short(findings: tuple[Finding, ...]) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(f.kind, f.scope, f.name, f.types) for f in findings]


def test_nothing_is_told_of_what_is_known(tmp_path: Path) -> None:
    assert told(tmp_path, KNOWN) == ()


def test_a_new_model_type_is_one_line_with_its_class_and_its_keys(tmp_path: Path) -> None:
    (finding,) = told(tmp_path, known(b={"model": table("type", "shared")}))

    assert (finding.kind, finding.name, finding.file, finding.line) == ("new_type", "a", "train.py", 15)
    assert finding.message == ('the model type "a" is new: A in models/two.py:2; in [model] it reads of_a and shared')
    assert "CONTRIBUTING.md" in finding.hint


def test_a_model_type_that_is_known_without_a_spec_is_another_kind(tmp_path: Path) -> None:
    main = CHOICE.replace('"b"', '"listed"')

    expected = replace(known(a=KNOWN.types["a"].keys), listed=frozenset({"a", "listed"}))
    (finding,) = told(tmp_path, expected, main)

    assert short((finding,)) == [("no_spec", "model", "listed", ("listed",))]
    assert finding.message.startswith('no spec yet for the model type "listed": B in models/two.py:7')


def test_a_model_type_that_is_gone(tmp_path: Path) -> None:
    (finding,) = told(tmp_path, KNOWN, CHOICE.replace('== "b"', '== "a"'))

    assert (finding.kind, finding.name, finding.line) == ("gone_type", "b", 15)
    assert finding.message == 'the model type "b" is not chosen any more; specs: model_specs/b.yaml'


def test_new_keys_have_their_scope_place_and_model_types(tmp_path: Path) -> None:
    two = TWO.replace('config["model"]["shared"]', 'config["model"]["shared"], config["model"]["fresh"], config["cfg"]')
    main = CHOICE + 'config["top"]\nfor e in config.get("evals", []): e["name"]\n'
    findings = told(tmp_path, KNOWN, main, two)

    assert short(findings) == [
        ("new_key", "model", "fresh", ("a", "b")),
        ("new_key", "root", "cfg", ()),
        ("new_key", "root", "top", ()),
        ("new_key", "evals[]", "name", ()),
        ("new_key", "root", "evals", ()),
    ]
    assert [(f.file, f.line) for f in findings[:2]] == [("models/two.py", 4)] * 2
    assert [f.message for f in findings] == [
        '"fresh" is now read in [model] for a and b',
        '"cfg" is now read at the top of train.toml',
        '"top" is now read at the top of train.toml',
        '"name" is now read in the tables of evals',
        '"evals" is now read at the top of train.toml',
    ]
    assert "diffusion_pipe.train.schema.json" in findings[1].hint
    assert "`fields`" in findings[0].hint


def test_a_key_outside_model_names_the_model_types_that_read_it(tmp_path: Path) -> None:
    two = TWO.replace('config["model"]["of_a"]', 'config["model"]["of_a"], config["cfg"]')

    assert short(told(tmp_path, KNOWN, two=two)) == [("new_key", "root", "cfg", ("a",))]


def test_a_key_that_a_spec_calls_unread_is_new_when_its_class_reads_it(tmp_path: Path) -> None:
    two = TWO + '\n    def load(self, config):\n        config["model"]["of_a"]\n\n    def start(self, config):\n'
    two += "        self.load(config)\n"
    main = CHOICE.replace("two.B(config)", "two.B(config).start(config)")

    assert short(told(tmp_path, KNOWN, main, two)) == [("new_key", "model", "of_a", ("b",))]


def test_what_all_types_share_need_only_be_known_to_one(tmp_path: Path) -> None:
    assert told(tmp_path, KNOWN, CHOICE + 'config["model"].setdefault("of_a", 1)\n') == ()
    assert short(told(tmp_path, KNOWN, CHOICE + 'config["model"]["x"]\n')) == [("new_key", "model", "x", ("a", "b"))]


def test_a_class_of_two_types_may_read_what_only_one_of_them_uses(tmp_path: Path) -> None:
    main = CHOICE.replace("two.B", "two.A")

    assert told(tmp_path, KNOWN, main) == ()


def test_gone_keys_of_model_types(tmp_path: Path) -> None:
    (finding,) = told(tmp_path, KNOWN, two=TWO.replace(', config["model"]["of_a"]', ""))

    assert short((finding,)) == [("gone_key", "model", "of_a", ("a",))]
    assert (finding.file, finding.line) == ("models/two.py", 2)
    assert finding.message == '"of_a" is no longer read in [model] for a; it was in train.py:7 at commit 0123456'


def test_gone_keys_elsewhere(tmp_path: Path) -> None:
    expected = known(
        {
            "root": table("model", "epochs"),
            "adapter": table("rank"),
            "dataset": table("size"),
            "directory": table("size"),
        },
        a={"model": table("type")},
    )
    findings = told(
        tmp_path, expected, CHOICE.replace('== "b"', '== "a"'), "class A:\n    pass\nclass B(A):\n    pass\n"
    )

    assert [f.message.partition(";")[0] for f in findings] == [
        '"rank" is no longer read in [adapter]',
        '"size" is no longer read at the top of dataset.toml',
        '"size" is no longer read in [[directory]]',
        '"epochs" is no longer read at the top of train.toml',
    ]
    assert {(f.kind, f.file, f.line, f.types) for f in findings} == {("gone_key", "train.py", None, ())}
    assert "diffusion_pipe.dataset.schema.json" in findings[1].hint


def test_keys_that_may_be_read_or_not_are_not_told(tmp_path: Path) -> None:
    expected = known(
        {"root": table("model", "lora", reading=Reading.MAYBE) | table("dead", "old", reading=Reading.MAYBE)},
        **{name: kind.keys for name, kind in KNOWN.types.items()},
    )

    assert told(tmp_path, expected, CHOICE + 'config["old"], config["lora"]["dtype"]\n') == ()


def test_a_key_that_was_named_nowhere_is_new_when_it_is_read(tmp_path: Path) -> None:
    expected = known(
        {"root": table("model") | table("seed", reading=Reading.NO)},
        **{name: kind.keys for name, kind in KNOWN.types.items()},
    )

    assert told(tmp_path, expected) == ()
    assert short(told(tmp_path, expected, CHOICE + 'config["seed"]\n')) == [("new_key", "root", "seed", ())]


@pytest.mark.parametrize("read", ['config["adapter"]["of_a"]', 'config.get("adapter", {}).get("of_a")'])
def test_a_key_that_moved_is_one_finding(tmp_path: Path, read: str) -> None:
    two = TWO.replace('config["model"]["of_a"]', read)
    expected = known(
        {"root": table("model", "adapter", reading=Reading.MAYBE), "adapter": {}},
        **{name: kind.keys for name, kind in KNOWN.types.items()},
    )
    (finding,) = told(tmp_path, expected, two=two)

    assert short((finding,)) == [("moved_key", "adapter", "of_a", ("a",))]
    assert finding.message == '"of_a" has moved from [model] to [adapter] for a'
    assert (finding.file, finding.line) == ("models/two.py", 4)


def test_a_table_that_is_gone_is_told_without_its_keys(tmp_path: Path) -> None:
    expected = known(
        a={"model": table("type", "shared", "of_a", "encoders"), "model.encoders[]": table("path", "kind")}
    )

    findings = told(tmp_path, expected, CHOICE.replace('== "b"', '== "a"'))

    assert short(findings) == [("gone_key", "model", "encoders", ("a",))]


def test_keys_of_tables_in_lists_are_compared(tmp_path: Path) -> None:
    two = TWO.replace('config["model"]["of_a"]', '[e["path"] for e in config["model"]["of_a"]]')
    expected = known(
        a={"model": table("type", "shared", "of_a"), "model.of_a[]": table("kind")}, b=KNOWN.types["b"].keys
    )
    findings = told(tmp_path, expected, two=two)

    assert short(findings) == [
        ("new_key", "model.of_a[]", "path", ("a",)),
        ("gone_key", "model.of_a[]", "kind", ("a",)),
    ]
    assert findings[0].message == '"path" is now read in the tables of [model] of_a for a'


def test_optimizers(tmp_path: Path) -> None:
    main = CHOICE + 'kind = config["optimizer"]["type"].lower()\nif kind == "lion": pass\nelif kind == "adamw": pass\n'
    expected = replace(
        KNOWN,
        keys={"root": table("model", "optimizer"), "optimizer": table("type")},
        optimizers=frozenset({"adamw", "sgd"}),
    )

    assert short(told(tmp_path, expected, main)) == [
        ("new_optimizer", "optimizer", "lion", ()),
        ("gone_optimizer", "optimizer", "sgd", ()),
    ]


def test_where_a_file_cannot_be_followed_nothing_is_called_gone(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "odd.py").write_text("def f(:\n", "utf-8")
    expected = known({"root": table("model", "gone")}, **{name: kind.keys for name, kind in KNOWN.types.items()})

    findings = told(tmp_path, expected, CHOICE + 'config["new"]\n')

    assert short(findings) == [("unreadable", "", "models/odd.py", ()), ("new_key", "root", "new", ())]
    assert (findings[0].file, findings[0].line) == ("models/odd.py", 1)
    assert "nothing is said about keys" in findings[0].hint


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("", "nothing that can be followed reads a configuration"),
        ("import yaml\nconfig = yaml.safe_load(open('x'))\n", "nothing that can be followed reads a configuration"),
        (
            "import toml\nargs = p.parse_args()\nconfig = toml.load(args.config)\nconfig['model']['type']\n",
            "nothing that can be followed chooses a class",
        ),
        ("def f(:\n", "not Python"),
    ],
)
def test_a_trainer_that_is_built_otherwise_is_told_once(tmp_path: Path, train: str, said: str) -> None:
    (finding,) = audit(read_checkout(write(tmp_path, {"train.py": train})), KNOWN)

    assert (finding.kind, finding.file) == ("unreadable", "train.py")
    assert said in finding.message


def test_a_class_that_cannot_be_found_is_told(tmp_path: Path) -> None:
    findings = compare(found(tmp_path, CHOICE), KNOWN)

    assert [(f.kind, f.line) for f in findings] == [("unreadable", 15), ("unreadable", 17)]


def test_findings_come_by_kind_and_place(tmp_path: Path) -> None:
    main = CHOICE.replace('"a"', '"fresh"') + 'config["z"], config["a"]\nconfig["m"]\n'
    findings = told(tmp_path, KNOWN, main)

    assert [(f.kind, f.name) for f in findings] == [
        ("new_type", "fresh"),
        ("gone_type", "a"),
        ("new_key", "a"),
        ("new_key", "z"),
        ("new_key", "m"),
    ]
    assert [f.kind for f in findings] == sorted((f.kind for f in findings), key=KINDS.index)


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (0, "for every model type"),
        (1, "for every model type but t5"),
        (2, "for t0, t1, t2 and t3"),
    ],
)
def test_many_model_types_are_told_by_those_left_out(tmp_path: Path, without: int, said: str) -> None:
    names = [f"t{n}" for n in range(6 if without < 2 else 8)]
    main = 'from models import two\nkind = config["model"]["type"]\n'
    readers = names[: len(names) - (without if without < 2 else 4)]
    main += "".join(f'if kind == "{name}": two.{"A" if name in readers else "B"}(config)\n' for name in names)
    expected = known(**{name: {"model": table("type", "shared")} for name in names})

    (finding,) = told(tmp_path, expected, main)

    assert finding.message.endswith(said)
    assert finding.types == tuple(readers)
