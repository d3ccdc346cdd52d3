"""How far a step is, in words."""

from __future__ import annotations

from typing import Any

import pytest

from worker.progresswords import duration, progress_words, training_words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"done": 3, "total": 10, "unit": "files"}, "3 of 10 files"),
        ({"done": 3, "total": None, "unit": "images"}, "3 images"),
        ({"done": 512, "total": None, "unit": "bytes"}, "512 bytes"),
        ({"done": 1536, "total": 5 * 2**40, "unit": "bytes"}, "1.5 KiB of 5120.0 GiB"),
        ({"done": None, "total": None, "unit": None}, "None"),
    ],
)
def test_progress(data: dict[str, Any], words: str) -> None:
    assert progress_words(data) == words


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, ""),
        ({"phase": "caching"}, "caching"),
        ({"phase": "training", "epoch": 2, "step": 7, "total_steps": None}, "epoch 2, step 7"),
        ({"step": 7, "total_steps": 9, "loss": "nan"}, "step 7 of 9, loss nan"),
    ],
)
def test_training(data: dict[str, Any], words: str) -> None:
    assert training_words(data) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "1 h 0 min"), (12_000, "3 h 20 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
