"""Where the templates, model specs, schemas and explanations lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirs:
    """The four folders that the compiler reads.

    Another set of folders, say with model specs of one's own, is made with `dataclasses.replace`.
    """

    templates: Path
    specs: Path
    schemas: Path
    explanations: Path

    @classmethod
    def default(cls) -> DataDirs:
        """The folders that belong to this copy of dpcompile: shipped inside it, else those of the checkout.

        Raises RuntimeError when neither is there.
        """
        return _find(Path(__file__).resolve().parent)


def _find(package: Path) -> DataDirs:
    shipped, checkout = package / "_data", package.parent
    for root in (shipped, checkout):
        dirs = DataDirs(
            templates=root / "templates",
            specs=root / "model_specs",
            schemas=root / "schemas",
            explanations=package / "explanations",
        )
        if dirs.templates.is_dir() and dirs.specs.is_dir() and dirs.schemas.is_dir():
            return dirs
    raise RuntimeError(
        "dpcompile cannot find its data: the folders templates, model_specs and schemas are neither "
        f"in {shipped} nor in {checkout}. This copy is incomplete: install dpcompile again, "
        "or run it from a complete checkout."
    )
