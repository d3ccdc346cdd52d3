"""The loss: parts that are added for large media, and what those do not follow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.checks.support import JobCheck

ADDED = {"multiscale_loss_weight": 0.5}
MASKED = {"directory": {"mask_path": "/data/masks"}}


@pytest.mark.parametrize(
    ("training", "code", "words"),
    [
        (ADDED, None, ""),
        ({**ADDED, **MASKED}, "DPC465", "does not follow mask_path"),
        ({**ADDED, **MASKED, "huber_delta": 0.1}, "DPC465", "does not follow mask_path and huber_delta"),
        ({**ADDED, "smooth_l1_beta": 0.1}, "DPC465", "does not follow smooth_l1_beta"),
        ({**ADDED, "resolution": 768}, "DPC439", "of 922 pixels a side and more, and these have at most 7"),
        ({**ADDED, **MASKED, "resolution": 768}, "DPC439", "does nothing"),
        ({**ADDED, "resolution": [512, 1024]}, None, ""),
        ({**ADDED, "size_buckets": [[832, 832, 1]]}, "DPC439", "at most 832"),
        ({**MASKED, "huber_delta": 0.1}, None, ""),
    ],
)
def test_a_part_for_large_media(check: JobCheck, training: dict[str, Any], code: str | None, words: str) -> None:
    found = check("anima_base", training, data="images")

    assert [(d.code, d.path) for d in found.diagnostics] == (
        [(code, "/training/multiscale_loss_weight")] if code else []
    )
    assert all(words in d.message for d in found.diagnostics)
