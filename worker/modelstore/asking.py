"""Running the child process that talks to the Hub and to web servers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from worker.childprocess import run_child
from worker.context import StepContext
from worker.modelstore.store import Store

CHILD = "worker.modelstore.child"
_TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
LOOKUP_STALL_SECONDS = 120.0


def store_of(context: StepContext) -> Store:
    """The models folder that the plan names."""
    return Store(models=Path(context.plan.folders["models"]))


def endpoint_of(environ: Mapping[str, str]) -> str:
    """The Hub's address, for pages that a user has to visit."""
    from huggingface_hub import constants

    return (environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def ask(
    context: StepContext,
    request: Mapping[str, Any],
    *,
    stall_seconds: float,
    sign_of_life: Callable[[], object] = lambda: None,
    xet: bool = True,
) -> Generator[dict[str, Any], None, None]:
    """What the child tells about the request. The token goes along with it; see `run_child` for the rest."""
    hidden = {*_TOKEN_NAMES, *(name for need in context.plan.secrets for name in need.env)}
    environ = {key: value for key, value in context.settings.environ.items() if key not in hidden}
    # Read when the client is imported, so they cannot be changed later than this.
    environ.setdefault("HF_HOME", str(store_of(context).hub_home()))
    environ.setdefault("HF_HUB_DOWNLOAD_TIMEOUT", "30")
    environ |= {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    }
    if not xet:
        environ["HF_HUB_DISABLE_XET"] = "1"
    return run_child(
        CHILD,
        {**request, "token": context.secrets.get("huggingface_token")},
        environ=environ,
        stop=context.stop,
        stall_seconds=stall_seconds,
        sign_of_life=sign_of_life,
    )
