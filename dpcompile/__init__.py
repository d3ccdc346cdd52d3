"""dpcompile: a job and model specs in, diffusion-pipe's TOML files and a plan out."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["Catalogue", "CompileResult", "Diagnostic", "Plan", "__version__", "compile_job"]

if TYPE_CHECKING:
    from dpcompile.catalogue import Catalogue
    from dpcompile.compiler import CompileResult, compile_job
    from dpcompile.diagnostics import Diagnostic
    from dpcompile.plan import Plan

_HOMES = {
    "Catalogue": "dpcompile.catalogue",
    "CompileResult": "dpcompile.compiler",
    "compile_job": "dpcompile.compiler",
    "Diagnostic": "dpcompile.diagnostics",
    "Plan": "dpcompile.plan",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use: a worker that only reads plans must not pay for Jinja and jsonschema.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
