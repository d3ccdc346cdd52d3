"""Reading a checkout: what is one, which files count, and files that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dpcompile.audit.checkout import Checkout, NotACheckout, read_checkout
from dpcompile.audit.reads import find
from tests.unit.audit.support import write


def modules(root: Path) -> set[str]:
    return set(read_checkout(root).modules)


def faults(checkout: Checkout) -> dict[str, str]:
    return {fault.file: fault.message for fault in checkout.faults}


def test_only_the_code_that_sees_the_configuration_is_read(tmp_path: Path) -> None:
    own = ["models/__init__.py", "models/toy.py", "models/deep/er.py", "utils/a.py", "optimizers/b.py"]
    others = ["tools/t.py", "test/t.py", "submodules/x/train.py", "setup.py", "models/notes.txt"]
    write(tmp_path, dict.fromkeys([*own, *others], ""))

    assert modules(tmp_path) == {"train", "models", "models.toy", "models.deep.er", "utils.a", "optimizers.b"}


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("all", "there is no such folder"),
        ("train.py", "there is no train.py in it"),
        ("models", "there is no folder models in it"),
        ("utils", "there is no folder utils in it"),
    ],
)
def test_another_folder_is_no_checkout(tmp_path: Path, missing: str, said: str) -> None:
    root = tmp_path / "checkout"
    if missing != "all":
        write(root, {})
        path = root / missing
        path.unlink() if path.is_file() else path.rmdir()

    with pytest.raises(NotACheckout, match=said):
        read_checkout(root)


def test_a_file_is_no_checkout(tmp_path: Path) -> None:
    with pytest.raises(NotACheckout, match="it is not a folder"):
        read_checkout(write(tmp_path, {}) / "train.py")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_a_name_that_no_folder_can_have_is_no_checkout(name: str) -> None:
    with pytest.raises(NotACheckout):
        read_checkout(Path(name))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"def f(:\n", "not Python that can be parsed here: "),
        (b"x = 1\0", "it is not text"),
        (b"# coding: latin-1\nx = '\xe9'\n", ""),
        (b"x = '\xe9'\n", "not Python that can be parsed here: "),
        (b"# coding: klingon\n", "not Python that can be parsed here: "),
        (b"#" * 4_000_001, "larger than 4,000,000 bytes"),
        (b"x = '\\d'\n", ""),  # Python warns of this escape; a test fails on any warning
        (b"x = " + b"(" * 500 + b")" * 500, "parsed"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_a_fault_and_the_others_are_read(
    tmp_path: Path, data: bytes, said: str
) -> None:
    write(tmp_path, {"models/good.py": ""})
    (tmp_path / "models" / "odd.py").write_bytes(data)

    checkout = read_checkout(tmp_path)

    assert "models.good" in checkout.modules
    assert ("models/odd.py" in faults(checkout)) == bool(said)
    assert said in faults(checkout).get("models/odd.py", "")


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"utils/odd.py": "x = 1\ny = = 2\n"})

    assert [fault.line for fault in read_checkout(tmp_path).faults] == [2]


def test_links_are_followed_to_files_but_not_to_folders(tmp_path: Path) -> None:
    write(tmp_path, {"models/toy.py": ""})
    (tmp_path / "models" / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "models" / "same.py").symlink_to("toy.py")
    (tmp_path / "models" / "broken.py").symlink_to("nothing.py")

    checkout = read_checkout(tmp_path)

    assert set(checkout.modules) == {"train", "models.toy", "models.same"}
    assert faults(checkout) == {"models/broken.py": "it is not a regular file"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {})
    os.mkfifo(tmp_path / "models" / "pipe.py")

    assert faults(read_checkout(tmp_path)) == {"models/pipe.py": "it is not a regular file"}


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "+".join(["1"] * 3000),
        "if a:\n    pass\n" + "elif a:\n    pass\n" * 2000,
        "x" + ".y" * 3000,
        "class A(" + ".".join("a" * 2000) + "):\n    pass\n",
    ],
)
@pytest.mark.parametrize("name", ["train.py", "models/odd.py"])
def test_code_that_is_nested_too_deeply_is_no_end(tmp_path: Path, name: str, text: str) -> None:
    write(tmp_path, {name: text})

    find(read_checkout(tmp_path))
