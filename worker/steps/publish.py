"""The last step: what was trained goes to a target, and is seen to be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.context import StepContext
from worker.errors import StepFailed
from worker.publishing.archive import remove_archive
from worker.publishing.bundle import Publication, make_publication
from worker.publishing.done import read_held, write_held
from worker.publishing.faults import NotConfigured, TargetFailed
from worker.publishing.target import Held, Upload
from worker.publishing.targets import volume
from worker.publishing.targets.registry import PUBLISH, TITLES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """A target that did not take the result."""

    kind: str
    message: str
    hint: str

    @property
    def text(self) -> str:
        return f"{TITLES[self.kind]}: {self.message}"


def publish(context: StepContext) -> dict[str, Any]:
    """Publishes to the first target of the plan that takes the result; returns `output` (contract).

    Raises StepFailed when none does. The files are on the volume, whatever happens.
    """
    publication = make_publication(context)
    refusals: list[_Refusal] = []
    for args in _targets(context):
        upload = Upload(context=context, args=args, publication=publication)
        held = _published(upload, refusals, alone=len(_targets(context)) == 1)
        if held is not None:
            remove_archive(publication.archive_path)
            return _result(upload, held, refusals)
    remove_archive(publication.archive_path)
    raise _none_took_it(publication, refusals)


def _targets(context: StepContext) -> list[dict[str, Any]]:
    """The targets in order. The volume is one only where the job asks for no other."""
    given = context.step.args
    return [{"kind": "volume"}] if given["method"] == "volume" else [dict(target) for target in given["targets"]]


def _published(upload: Upload, refusals: list[_Refusal], *, alone: bool) -> Held | None:
    kind = str(upload.args["kind"])
    held = read_held(upload.publication, upload.args)
    if held is not None:
        upload.context.emit("note", message=f"{TITLES[kind]} has it since an earlier run", hint="")
        return held
    try:
        held = PUBLISH[kind](upload)
    except NotConfigured as missing:
        if alone:
            refusals.append(_Refusal(kind=kind, message=str(missing), hint=f"Fill in what output says about {kind}."))
        else:
            upload.context.emit("note", message=f"{TITLES[kind]} is left out: {missing}", hint="")
        return None
    except TargetFailed as failed:
        refusal = _Refusal(kind=kind, message=failed.message, hint=failed.hint)
        refusals.append(refusal)
        upload.context.emit("warning", message=refusal.text, hint=refusal.hint)
        return None
    if kind != "volume":
        write_held(upload.publication, upload.args, held)
    return held


def _result(upload: Upload, held: Held, refusals: Sequence[_Refusal]) -> dict[str, Any]:
    publication, kind = upload.publication, str(upload.args["kind"])
    place = volume.published_folder(upload) if kind == "volume" else publication.model_path
    withheld = [f"a secret of this job stands in {name}: the file is not published" for name in publication.withheld]
    output = {
        "download_url": held.download_url,
        "safetensors_url": held.safetensors_url,
        "repo_url": held.repo_url,
        "download_method": kind,
        "expires_in_days": held.expires_in_days,
        "archive_size_mb": held.archive_size_mb,
        "network_volume_path": str(place),
        "note": held.note,
        "warnings": [upload.context.secrets.redact(text) for text in (*withheld, *(r.text for r in refusals))],
        "fallback_instructions": None if kind == "volume" else _fallback(place),
    }
    files = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in publication.members]
    return {"output": output, "latest_epoch": publication.latest, "files": files, "archive_sha256": held.sha256}


def _fallback(place: object) -> str:
    return (
        f"The files are on the network volume as well, in {place}. To fetch them from there, start a pod with the "
        "volume attached, or use RunPod's S3 interface to it."
    )


def _none_took_it(publication: Publication, refusals: Sequence[_Refusal]) -> StepFailed:
    texts = "; ".join(refusal.text for refusal in refusals)
    hints = " ".join(dict.fromkeys(refusal.hint for refusal in refusals if refusal.hint))
    safe = f"Nothing is lost: the model is on the volume, in {publication.model_path}."
    again = "Run the same job again, with the same id, and only the publishing is done."
    return StepFailed("DPC760", f"no target took the result: {texts}", " ".join(filter(None, (safe, hints, again))))
