"""Where a job's files lie on the volume."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from dpcompile.codes import finding
from dpcompile.diagnostics import Diagnostic
from dpcompile.job import JobInput
from dpcompile.wording import quote

DEFAULT_VOLUME = "/runpod-volume"
WORKING_FOLDER = "diffusion_pipe_working_folder"
_JOB_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_VOLUME = r"/[^\x00-\x1f\x7f\\]*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one job: POSIX paths on the machine that trains, whatever machine compiles."""

    volume: str
    job_id: str
    part: str = ""
    """Name of one of several trainings of the job; empty when there is one."""

    def of_part(self, part: str) -> Folders:
        """The same folders, for one of the job's trainings."""
        return replace(self, part=part)

    @property
    def work(self) -> str:
        return f"{self.volume.rstrip('/')}/{WORKING_FOLDER}"

    @property
    def trainer(self) -> str:
        return f"{self.work}/diffusion_pipe"

    @property
    def models(self) -> str:
        return f"{self.work}/models"

    @property
    def output(self) -> str:
        """Nothing but the trainer writes here: it takes the last entry for the newest run (train.py:146)."""
        return f"{self.work}/training_outputs/{self.job_id}" + (f"/{self.part}" if self.part else "")

    @property
    def job(self) -> str:
        return f"{self.work}/jobs/{self.job_id}"

    def file(self, name: str) -> str:
        return f"{self.job}/{name}"

    @property
    def train_file(self) -> str:
        """The training file of this part."""
        return self.file(f"{train_part(self.part)}.toml")

    def dataset(self, digest: str) -> str:
        return f"{self.work}/datasets/{digest}"

    def model(self, path: str) -> str:
        """A path of a spec: below the models folder unless it is absolute."""
        return path if path.startswith("/") else f"{self.models}/{path}"


def train_part(part: str) -> str:
    """First segment of the keys of a training, and stem of its file: `train`, `train.high`."""
    return f"train.{part}" if part else "train"


def made_job_id(content: str) -> str:
    """The id of a job that has none: the same for the same content, so that it can be compiled again."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def valid_job_id(job_id: str) -> bool:
    """Whether an id can name the folders of a job."""
    return re.fullmatch(_JOB_ID, job_id) is not None


def make_folders(
    job: JobInput, volume: str, job_id: str, *, given: bool
) -> tuple[Folders | None, tuple[Diagnostic, ...]]:
    """The job's folders. `given` says that the id came as an option and not with the job.

    Job ids are checked before they become a path: one job must never reach another's files.
    """
    found: list[Diagnostic] = []
    if not valid_job_id(job_id):
        path, file = ("", "--job-id") if given else ("/id", job.file)
        text = f"the job id {quote(job_id)} cannot name a folder"
        hint = "Use at most 128 letters, digits, `.`, `_` and `-`, a letter or a digit first."
        found.append(finding("DPC222", path, text, hint, file=file))
    if not re.fullmatch(_VOLUME, volume) or ".." in volume.split("/"):
        text = f"the volume {quote(volume)} is not a path that can be used"
        hint = "Write it from the root, like /runpod-volume, with forward slashes and without `..`."
        found.append(finding("DPC226", "", text, hint, file="--volume"))
    if found:
        return None, tuple(found)
    return Folders(volume=volume, job_id=job_id), ()
