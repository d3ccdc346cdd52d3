"""What is said when media are left without a caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worker.captioning.captionfiles import UnreadableCaptions
from worker.captioning.media import MediaFile
from worker.errors import StepFailed

_SHOWN = 10


def missing_told(missing: Sequence[MediaFile], reasons: Mapping[str, str], total: int, *, brought: bool) -> StepFailed:
    """Media without captions, where the job wants one for each."""
    shown = "; ".join(_with_reason(file.name, reasons) for file in missing[:_SHOWN])
    more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    if brought:
        hint = (
            "Put a .txt file of the same name beside each in the archive, or let the worker caption them: dataset.type."
        )
    else:
        hint = "Take them out of the archive, or bring captions for them as .txt files."
    return StepFailed(
        "DPC721",
        f"{len(missing)} of {total} media files have no caption: {shown}{more}",
        f'{hint} dataset.missing_caption "skip" trains without them, "empty" with an empty caption.',
        diagnostics=[
            {"code": "DPC721", "path": "/dataset", "message": f"no caption for {_with_reason(file.name, reasons)}"}
            for file in missing
        ],
    )


def _with_reason(name: str, reasons: Mapping[str, str]) -> str:
    return f"{name} ({reasons[name]})" if name in reasons else name


def unreadable_told(problem: UnreadableCaptions) -> StepFailed:
    """Caption files that are not text, or not in the form that the trainer reads."""
    shown = "; ".join(f"{name}: {why}" for name, why in problem.found[:_SHOWN])
    more = f"; and {len(problem.found) - _SHOWN} more" if len(problem.found) > _SHOWN else ""
    return StepFailed(
        "DPC722",
        f"{len(problem.found)} caption files cannot be read: {shown}{more}",
        "Save captions as UTF-8 text. In an editor: save as, encoding UTF-8.",
        diagnostics=[
            {"code": "DPC722", "path": "/dataset", "message": f"{name}: {why}"} for name, why in problem.found
        ],
    )
