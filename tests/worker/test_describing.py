"""A captioner that dies or hangs, killed for real, costs only the files that it dies over."""

from __future__ import annotations

from pathlib import Path

import pytest

from dpcompile.plan import Step
from tests.worker.modelruns import Run, a_plan, plain_settings
from worker.captioning.describing import Describing
from worker.captioning.media import MediaFile
from worker.errors import StepFailed


def described(
    tmp_path: Path, names: list[str], *, stall_seconds: float = 600
) -> tuple[dict[str, str], dict[str, str], Run]:
    """(captions, failures, the run)."""
    run = Run(
        plan=a_plan(tmp_path, [Step(id="caption-images", kind="caption", needs=(), args={})]),
        settings=plain_settings(caption_stall_seconds=stall_seconds),
    )
    captions: dict[str, str] = {}
    describing = Describing(
        context=run.context("caption-images"),
        module="tests.worker.doubles.dyingcaptioner",
        request={},
        on_caption=lambda file, caption: captions.update({file.name: caption}),
        grace_seconds=0.5,
        remaining={name: MediaFile(path=tmp_path / name) for name in names},
    )
    return captions, describing.run(), run


def test_a_captioner_that_is_killed_over_one_file_does_all_others(tmp_path: Path) -> None:
    captions, failed, run = described(tmp_path, ["a", "b", "c", "deadly", "d", "e"])

    assert captions == {name: f"it is {name}" for name in "abcde"}
    assert failed == {"deadly": "the captioner was killed by signal 9"}
    assert run.messages("warning") == [
        "the captioner was killed by signal 9; the 2 files that it was at are tried one by one",
        "deadly got no caption: the captioner was killed by signal 9",
    ]


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    captions, failed, _run = described(tmp_path, ["a", "b", "hanging"], stall_seconds=2)

    assert set(captions) == {"a", "b"}
    assert failed == {"hanging": "the captioner said nothing for 2 s and was ended"}


def test_one_that_dies_over_everything_is_not_started_for_ever(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        described(tmp_path, [f"deadly {n}" for n in range(12)])

    assert caught.value.code == "DPC725"
    assert caught.value.message == "the captioner was killed by signal 9"
