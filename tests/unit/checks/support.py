"""Jobs through the whole compiler, and what was found in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpcompile.catalogue import Catalogue
from dpcompile.compiler import compile_job
from dpcompile.diagnostics import Diagnostic

ADDRESS = "https://example.com/data.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found in a job, and the text of that job."""

    diagnostics: tuple[Diagnostic, ...]
    text: str
    ok: bool

    @property
    def codes(self) -> list[str]:
        return sorted(d.code for d in self.diagnostics)

    @property
    def only(self) -> Diagnostic:
        """The one finding there is."""
        assert len(self.diagnostics) == 1, self.diagnostics
        return self.diagnostics[0]

    def places(self, code: str) -> list[str]:
        """The pointers of all findings of a code."""
        return [d.path for d in self.diagnostics if d.code == code]

    def source(self, found: Diagnostic) -> str:
        """The line of the job that a finding points to."""
        assert found.line is not None, found
        return self.text.splitlines()[found.line - 1].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCheck:
    """Compiles jobs of one model: `check("flux", {"shift": 3}, launch={...})`."""

    catalogue: Catalogue
    folder: Path
    """An empty folder, for specs of a job's own."""

    def __call__(
        self,
        model: str,
        training: Mapping[str, Any] | None = None,
        *,
        data: str | Mapping[str, Any] | None = None,
        sets: Sequence[str] = (),
        spec: str | None = None,
        **fields: Any,
    ) -> Findings:
        """`data` is the job's dataset or its type alone; `spec` the YAML of a model spec named my_model."""
        catalogue = self.catalogue
        if spec is not None:
            (self.folder / "my_model.yaml").write_text(spec, encoding="utf-8")
            catalogue = Catalogue(folders=[self.folder])
        job: dict[str, Any] = {"model_type": model, "dataset": dataset(data or kind_for(catalogue, model)), **fields}
        if training is not None:
            job["training"] = training
        text = json.dumps(job, indent=2)
        result = compile_job(text, catalogue=catalogue, sets=sets)
        return Findings(diagnostics=result.diagnostics, text=text, ok=result.ok)


def kind_for(catalogue: Catalogue, model: str) -> str:
    spec = catalogue.find(model)
    return "images" if spec is None or spec.media.images else "videos"


def dataset(data: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(data, str):
        return data
    kinds = ("images", "videos") if data == "both" else (data,)
    return {"type": data, **{f"{kind}_url": ADDRESS for kind in kinds}}
