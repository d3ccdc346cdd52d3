"""Small checkouts of our own, that read a configuration in the ways in which the trainer does."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

from dpcompile.audit.checkout import read_checkout
from dpcompile.audit.known import Key, Keys, Known, KnownType, Reading
from dpcompile.audit.reads import Found, find

START = """
import argparse
import toml

parser = argparse.ArgumentParser()
args = parser.parse_args()
"""

LOAD = """
with open(args.config) as stream:
    config = toml.load(stream)
"""

PIPELINE = """
class ToyPipeline:
    def __init__(self, config):
        self.config = config
        self.model_config = self.config["model"]
"""


def write(root: Path, files: dict[str, str]) -> Path:
    """A checkout with these files; `train.py` and the folders are there in any case."""
    for name, text in {"train.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), "utf-8")
    for folder in ("utils", "models", "optimizers"):
        (root / folder).mkdir(exist_ok=True)
    return root


def found(root: Path, main: str = "", **files: str) -> Found:
    """What is found where train.py has loaded its configuration into `config` and goes on with `main`."""
    body = indent(dedent(LOAD) + dedent(main), "    ")
    train = f"{dedent(START)}\nif __name__ == '__main__':\n{body}"
    return find(read_checkout(write(root, {"train.py": train, **{_file(n): text for n, text in files.items()}})))


def in_pipeline(root: Path, methods: str, main: str = "", *, before: str = "", **files: str) -> Found:
    """What is found where a class with these methods serves the model type `toy`."""
    pipeline = dedent(PIPELINE) + indent(dedent(methods), "    ")
    chosen = dedent("""
        if config["model"]["type"] == "toy":
            from models import toy
            model = toy.ToyPipeline(config)
    """)
    return found(root, dedent(before) + chosen + dedent(main), models__toy=pipeline, **files)


def keys(result: Found) -> dict[str, set[str]]:
    """Scope -> the keys that are read in it, but for the tables and types that every checkout reads."""
    usual = {("root", "model"), ("model", "type")}
    scopes = {s: {key for key in keys if (s, key) not in usual} for s, keys in result.reads.items()}
    return {scope: names for scope, names in scopes.items() if names}


def readers(result: Found, scope: str, key: str) -> set[str] | None:
    """The model types for which a key is read; None is all."""
    types: set[str] = set()
    for read in result.reads[scope][key]:
        if read.types is None:
            return None
        types |= read.types
    return types


def known(keys: Keys | None = None, /, **types: Keys) -> Known:
    return Known(
        commit="0123456789",
        types={name: KnownType(files=(f"model_specs/{name}.yaml",), keys=k) for name, k in types.items()},
        listed=frozenset(types),
        keys={"root": table("model", reading=Reading.MAYBE)} | dict(keys or {}),
        optimizers=frozenset(),
    )


def table(*names: str, reading: Reading = Reading.YES) -> dict[str, Key]:
    return {name: Key(reading=reading, source="train.py:7") for name in names}


def _file(name: str) -> str:
    return name.replace("__", "/") + ".py"
