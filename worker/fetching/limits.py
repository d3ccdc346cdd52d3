"""How much the operator of a worker lets a job fetch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worker.errors import StepFailed

_GIB = 1 << 30
_YES = ("1", "true", "yes", "on")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Limits of one fetch. Each can be set in the worker's environment, by the name beside it."""

    download_bytes: int = 200 * _GIB
    """What is downloaded, in bytes; DPCOMPILE_FETCH_MAX_GIB."""
    unpacked_bytes: int = 400 * _GIB
    """What comes out of the archives, in bytes; DPCOMPILE_FETCH_MAX_UNPACKED_GIB."""
    files: int = 500_000
    """Entries of archives and folders, junk included; DPCOMPILE_FETCH_MAX_FILES."""
    ratio: int = 100
    """How many times its own size an archive may become; DPCOMPILE_FETCH_MAX_RATIO."""
    ratio_from_bytes: int = 256 << 20
    """Below this many unpacked bytes nobody asks for the ratio: captions alone compress well."""
    seconds: float = 6 * 3600
    """The whole fetch, in seconds; DPCOMPILE_FETCH_MAX_MINUTES."""
    stall_seconds: float = 60
    """Silence after which a connection is given up, in seconds; DPCOMPILE_FETCH_STALL_SECONDS."""
    pauses: tuple[float, ...] = (1, 2, 4, 8, 16, 30)
    """Seconds between attempts that brought nothing; after the last one the download has failed."""
    connections: int = 8
    """How many files are downloaded at once, where there are several."""
    any_path: bool = False
    """Whether a job may name paths outside the volume; DPCOMPILE_ALLOW_ANY_PATH."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> FetchLimits:
        """The limits that an environment sets. Raises StepFailed for a value that is not a number above 0."""
        usual = cls()

        def number(name: str, default: float, unit: int) -> float:
            text = environ.get(name, "").strip()
            if not text:
                return default
            try:
                value = float(text)
            except ValueError:
                value = 0
            if not 0 < value < 1e15:
                hint = "The operator of the worker sets it: a number above 0, or nothing for the usual limit."
                raise StepFailed("DPC714", f"{name} is {text!r} in the environment of the worker", hint)
            return value * unit

        return cls(
            download_bytes=int(number("DPCOMPILE_FETCH_MAX_GIB", usual.download_bytes, _GIB)),
            unpacked_bytes=int(number("DPCOMPILE_FETCH_MAX_UNPACKED_GIB", usual.unpacked_bytes, _GIB)),
            files=int(number("DPCOMPILE_FETCH_MAX_FILES", usual.files, 1)),
            ratio=int(number("DPCOMPILE_FETCH_MAX_RATIO", usual.ratio, 1)),
            seconds=number("DPCOMPILE_FETCH_MAX_MINUTES", usual.seconds, 60),
            stall_seconds=number("DPCOMPILE_FETCH_STALL_SECONDS", usual.stall_seconds, 1),
            any_path=environ.get("DPCOMPILE_ALLOW_ANY_PATH", "").strip().lower() in _YES,
        )
