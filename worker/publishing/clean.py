"""The trainer's copies of its TOML files, without what must not leave.

The trainer copies the file it was started with into the run's folder (train.py:554) and into every model it
saves (utils/saver.py:84, 113). A key of wandb may stand in it when somebody else wrote it; ours is empty.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worker.secretstore import SecretStore

WANDB_KEY = "wandb_api_key"
_ASSIGNED = re.compile(
    rf"""((?:\b{WANDB_KEY}|"{WANDB_KEY}"|'{WANDB_KEY}')[ \t]*=[ \t]*)"""
    r'''("""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,}#]+)'''
)
_SAVED = re.compile(r"(?:epoch|step)\d+")


def cleaned(text: str, secrets: SecretStore) -> str:
    """The text of a TOML file with an empty wandb key, and with every secret replaced."""
    return secrets.redact(_ASSIGNED.sub(r'\1""', text))


def holds_wandb_key(text: str) -> bool:
    """Whether a TOML text sets a wandb key; a text that cannot be read counts as one that does if it names it."""
    try:
        return any(_values(tomllib.loads(text)))
    except tomllib.TOMLDecodeError:
        return WANDB_KEY in text


def _values(node: Any) -> Iterator[object]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == WANDB_KEY:
                yield value
            else:
                yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)


def clean_run_folder(run: Path, secrets: SecretStore) -> tuple[Path, ...]:
    """Cleans the TOML files in a run's folder and in the models saved there; returns those that were changed.

    Raises OSError when one cannot be written.
    """
    folders = [run, *sorted(p for p in run.iterdir() if p.is_dir() and _SAVED.fullmatch(p.name))]
    tomls = [path for folder in folders for path in sorted(folder.glob("*.toml")) if _is_own(path)]
    return tuple(path for path in tomls if _clean_file(path, secrets))


def _is_own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _clean_file(path: Path, secrets: SecretStore) -> bool:
    # What is not UTF-8 stays as it is, byte by byte.
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    new = cleaned(text, secrets)
    if new == text:
        return False
    aside = path.with_name(f".{path.name}.cleaned")
    aside.write_bytes(new.encode("utf-8", "surrogateescape"))
    aside.replace(path)
    return True
