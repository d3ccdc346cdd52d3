"""What a target of publishing gets, and what it returns once it holds the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from worker.context import StepContext
from worker.publishing.archive import Archive, ArchiveSpaceMissing, ChangedFile
from worker.publishing.bundle import Publication
from worker.publishing.faults import TargetFailed
from worker.settings import Settings
from worker.stopping import Stop

GIB = 1024**3
_MIB = 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One target's share of a publication: `args` is what the plan says about it."""

    context: StepContext
    args: Mapping[str, Any]
    publication: Publication

    @property
    def stop(self) -> Stop:
        return self.context.stop

    @property
    def settings(self) -> Settings:
        return self.context.settings

    def told(self, total: int) -> Callable[[int], None]:
        """What tells how many of `total` bytes are sent."""
        kind = str(self.args["kind"])

        def tell(done: int) -> None:
            self.context.emit("progress", done=done, total=total, unit="bytes", what=kind)

        return tell

    def archive(self, limit: int | None = None) -> Archive:
        """The archive, where the target takes one of its size (`limit` in bytes). Raises TargetFailed."""
        if limit is not None and self.publication.size > limit:
            size, most = self.publication.size / GIB, limit / GIB
            raise TargetFailed(f"the files have {size:.1f} GiB, and it takes {most:.0f} GiB at most")
        try:
            archive = self.publication.archive(self.context)
        except ArchiveSpaceMissing as error:
            text = (
                f"the archive needs {error.needed / GIB:.1f} GiB, and {error.free / GIB:.1f} GiB are free on the volume"
            )
            raise TargetFailed(
                text, "Make room on the volume, or publish to the Hub, which takes the files as they are."
            ) from None
        except ChangedFile as error:
            raise TargetFailed(f"{error} changed while it was published", "Run the job again.") from None
        except OSError as error:
            text = f"the archive cannot be written ({error.strerror})"
            raise TargetFailed(text, "Make room on the volume, and look at its permissions.") from None
        if limit is not None and archive.size > limit:
            raise TargetFailed(f"the archive is larger than the {limit / GIB:.0f} GiB that it takes")
        return archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Where a target holds the result, in the words of the response (contract)."""

    download_url: str | None
    note: str
    safetensors_url: str | None = None
    repo_url: str | None = None
    expires_in_days: float | None = None
    archive_size_mb: float | None = None
    sha256: str | None = None
    """Of the archive."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def megabytes(size: int) -> float:
    """A size in bytes as the response tells it."""
    return round(size / _MIB, 2)


def digest_note(archive: Archive) -> str:
    """What to compare a download with."""
    return f"sha256 {archive.sha256}"
