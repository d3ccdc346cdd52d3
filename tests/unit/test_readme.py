"""README.md: its commands are run, in order, with the files it shows, and print what it says they print.

A block that is not run has `<!-- not run: the reason -->` above it. `UPDATE_README=1 pytest tests/unit/test_readme.py`
writes what the commands print into the README; look at the difference before you commit it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from dpcompile.catalogue import Catalogue
from dpcompile.cli import cli
from dpcompile.resources import DataDirs
from worker.cli import cli as worker_cli

README = Path(__file__).parents[2] / "README.md"
UPDATE = bool(os.environ.get("UPDATE_README"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"`([\w./-]+)`:")
_NOT_RUN = re.compile(r"<!-- not run: .+ -->")
_COMMAND = re.compile(r"^\$ (.+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block. `name` is the file that it shows, if the line above it names one."""

    language: str
    text: str
    name: str | None
    run: bool
    start: int


def blocks(readme: str) -> Iterator[Block]:
    for match in _FENCE.finditer(readme):
        above = readme[: match.start()].rstrip().rpartition("\n")[2]
        named = _FILE_NAME.fullmatch(above)
        yield Block(
            language=match[1],
            text=match[2],
            name=named[1] if named else None,
            run=not _NOT_RUN.fullmatch(above),
            start=match.start(2),
        )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a user's shell has: `dpcompile` and `python`, no settings, a terminal of 80 columns."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in {"dpcompile": "-m dpcompile", "python": ""}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n', "utf-8")
        (folder / name).chmod(0o755)
    ours = {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent),
        "PYTHONUTF8": "1",
        "COLUMNS": "80",
    }
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DPCOMPILE") and k != "NETWORK_VOLUME"}
    return {**inherited, **ours}


class Shell:
    """Runs the README's commands one after the other in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def __call__(self, command: str) -> tuple[int, str]:
        """Exit code, and what came on either output."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        return done.returncode, done.stdout


@pytest.fixture
def shell(tmp_path: Path, environment: dict[str, str]) -> Shell:
    (tmp_path / "work").mkdir()
    return Shell(tmp_path / "work", environment)


def test_commands_print_what_is_shown(shell: Shell) -> None:
    readme = README.read_text("utf-8")
    told = ""
    end = 0
    for block in blocks(readme):
        if block.name is not None:
            shell.write(block.name, block.text)
        if block.language == "console" and block.run:
            told += readme[end : block.start] + session(shell, block.text)
            end = block.start + len(block.text)
        elif block.language == "sh" and block.run:
            code, output = shell(f"set -e\n{block.text}")
            assert code == 0, f"{block.text}\n{output}"
    told += readme[end:]
    if UPDATE:
        README.write_text(told, "utf-8")

    assert told.splitlines() == README.read_text("utf-8").splitlines()


def session(shell: Shell, shown: str) -> str:
    """The commands of a console block, each with what it really prints."""
    lines = []
    for command in _COMMAND.findall(shown):
        code, output = shell(command)
        assert code in (0, 1), f"{command}\n{output}"
        lines += [f"$ {command}", *output.splitlines()]
    return "\n".join(lines) + "\n"


def test_every_block_is_looked_at() -> None:
    """A block in a language that nothing checks would be shown untested."""
    for block in blocks(README.read_text("utf-8")):
        assert block.language in ("console", "sh", "json", "yaml", "python", "text", "toml")
        if block.language in ("json", "yaml", "python"):
            assert block.name is not None, block.text
        if block.language == "console":
            assert block.text.startswith("$ ")


def test_every_json_block_is_json() -> None:
    for block in blocks(README.read_text("utf-8")):
        if block.language == "json":
            json.loads(block.text)


COMMANDS = {
    **{f"dpcompile {name}": command for name, command in cli.commands.items()},
    **{f"python -m worker {name}": command for name, command in worker_cli.commands.items()},
}


def test_every_command_and_option_is_told() -> None:
    readme = README.read_text("utf-8")
    for name, command in COMMANDS.items():
        assert name in readme
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else ():
                assert option in readme, f"{name} {option}"
            if isinstance(parameter.type, click.Choice):
                assert_choices_told(readme, [str(choice) for choice in parameter.type.choices])


def assert_choices_told(readme: str, choices: list[str]) -> None:
    shown = "\\|".join(choices)
    assert shown in readme or all(f"`{choice}`" in readme for choice in choices)


def test_no_other_option_is_told() -> None:
    known = {o for c in COMMANDS.values() for p in c.params if isinstance(p, click.Option) for o in p.opts}

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README.read_text("utf-8"))) <= known


def test_trainer_commit_is_the_one_of_the_schemas() -> None:
    schema = json.loads((DataDirs.default().schemas / "diffusion_pipe.train.schema.json").read_text("utf-8"))

    assert schema["x-upstream"]["commit"] in README.read_text("utf-8")


def test_links_lead_somewhere() -> None:
    text = README.read_text("utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    sections = {"#" + re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target.startswith("https://") or target in sections or (README.parent / target).exists()


def test_numbers_of_models_are_true() -> None:
    specs = [spec for _name, spec, _found in Catalogue(DataDirs.default()).all() if spec]
    types = {spec.toml_type for spec in specs}

    assert f"specs for {len(specs)} models, at least one for each of the {len(types)} model types" in README.read_text(
        "utf-8"
    )
