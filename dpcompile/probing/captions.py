"""Captions as the trainer finds them: one .txt beside each file, or captions.json for all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dpcompile.inspection.extensions import CAPTIONS_JSON
from dpcompile.inspection.media import Captions

_BOM = "\ufeff"
NONE = Captions(count=None)


def read_captions(path: str, trigger: str | None) -> Captions:
    """The one caption in a .txt file (utils/dataset.py:751-753)."""
    try:
        with open(path, encoding="utf-8", errors="strict") as file:  # noqa: PTH123 - a Path costs more than the reading
            text = file.read()
    except UnicodeDecodeError:
        return Captions(count=1, problem=f"its caption {Path(path).name} is not UTF-8 text")
    except OSError as error:
        return Captions(count=1, problem=f"its caption {Path(path).name} cannot be read: {error.strerror}")
    return _captions([text.strip()], trigger, bom=text.startswith(_BOM))


def _captions(texts: list[str], trigger: str | None, *, bom: bool = False) -> Captions:
    return Captions(
        count=len(texts),
        letters=sum(map(len, texts)),
        with_trigger=sum(trigger in text for text in texts) if trigger else 0,
        empty=sum(not text.strip(_BOM) for text in texts),
        bom=bom,
    )


def read_captions_json(folder: Path) -> tuple[Mapping[str, Any] | None, str]:
    """What captions.json holds, and what the trainer would fail on. (None, "") where there is none."""
    file = folder / CAPTIONS_JSON
    if not file.exists():
        return None, ""
    try:
        value = json.loads(file.read_text("utf-8"))
    except UnicodeDecodeError:
        return {}, "it is not UTF-8 text"
    except OSError as error:
        return {}, f"it cannot be read: {error.strerror}"
    except RecursionError:
        return {}, "it is nested too deeply"
    except ValueError as error:
        return {}, f"its JSON is broken: {error}"
    if not isinstance(value, dict):
        return {}, "it must be an object of file names, each with a list of captions"
    return value, ""


def listed_captions(value: Mapping[str, Any], name: str, trigger: str | None) -> Captions:
    """The captions of one file in captions.json (utils/dataset.py:685-694)."""
    texts = value.get(name)
    if texts is None:
        return NONE
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return Captions(count=1, problem=f"its entry in {CAPTIONS_JSON} is not a list of texts")
    return _captions(texts, trigger)


def caption_texts(folder: Path, name: str) -> list[str]:
    """The captions of one file, for showing; none where they cannot be read."""
    listed, _problem = read_captions_json(folder)
    if listed is not None:
        texts = listed.get(name)
        return [text for text in texts if isinstance(text, str)] if isinstance(texts, list) else []
    try:
        return [(folder / name).with_suffix(".txt").read_text("utf-8").strip()]
    except (OSError, ValueError):
        return []
