"""How the stand-in reads a dataset: by the trainer's rules for files and captions, without looking into media."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NO_MEDIA = (".txt", ".npz", ".json", ".parquet", ".bak", ".db")  # utils/dataset.py:649
MOST_RESOLUTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One [[directory]] of a dataset file, over what the file says for all."""

    path: Path
    repeats: int
    resolutions: int
    skips_without_caption: bool

    @classmethod
    def of(cls, directory: Mapping[str, Any], dataset: Mapping[str, Any]) -> Folder:
        def setting(name: str, default: Any) -> Any:
            return directory.get(name, dataset.get(name, default))

        path = Path(directory["path"])
        if not path.is_dir():
            raise RuntimeError(f"Invalid path: {path}")
        sizes = setting("size_buckets", None)
        return cls(
            path=path,
            repeats=setting("num_repeats", 1),
            resolutions=1 if sizes is not None else len(setting("resolutions", None) or dataset["resolutions"]),
            skips_without_caption=setting("skip_empty_caption", True),
        )

    def candidates(self) -> list[Path]:
        """The files that the trainer would take for media. Raises AssertionError where it does."""
        files = sorted(f for f in self.path.glob("*") if f.is_file() and f.suffix not in _NO_MEDIA)
        assert files, f"Directory {self.path} had no images/videos!"
        return files

    def caption(self, file: Path) -> str | None:
        """The caption beside a file, read as the trainer does: an encoding other than UTF-8 is an error."""
        beside = file.with_suffix(".txt")
        return beside.read_text("utf-8").strip() if beside.exists() else None


def batch_size(config: Mapping[str, Any], gpus: int) -> int:
    """The global batch, by the first entry where there are several (train.py:420)."""
    micro = config.get("micro_batch_size_per_gpu", 1)
    if isinstance(micro, list):
        micro = micro[0][1]
    ranks = max(1, gpus // int(config.get("pipeline_stages", 1)))
    return int(micro) * int(config.get("gradient_accumulation_steps", 1)) * ranks
