"""A job that has trained: a run folder as the trainer leaves it, ready for its publish step."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dpcompile.compiler import compile_job
from dpcompile.plan import Plan
from worker.context import StepContext
from worker.secretstore import SecretStore
from worker.settings import Settings
from worker.steps.publish import publish
from worker.stopping import Stop

WEIGHTS = bytes(range(256)) * 40


def safetensors(content: bytes = WEIGHTS) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


@dataclass(slots=True, kw_only=True)
class Finished:
    """A job whose training is done. `told` holds what the step told: (kind, data)."""

    plan: Plan
    secrets: dict[str, str]
    settings: Settings
    results: dict[str, Mapping[str, Any]]
    stop: Stop = field(default_factory=Stop)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def job(self) -> Path:
        return Path(self.plan.folders["job"])

    @property
    def model(self) -> Path:
        return Path(self.results["train"]["model_folder"])

    def publish(self) -> dict[str, Any]:
        [step] = [step for step in self.plan.steps if step.kind == "publish"]
        return publish(
            StepContext(
                plan=self.plan,
                step=step,
                secrets=SecretStore(self.secrets, self.plan.secrets),
                settings=self.settings,
                stop=self.stop,
                emit=lambda kind, **data: self.told.append((kind, data)),
                results=self.results,
            )
        )

    def messages(self, kind: str) -> list[str]:
        return [data["message"] for told, data in self.told if told == kind]

    def changed(self, **settings: Any) -> Finished:
        return replace(self, settings=replace(self.settings, **settings), told=[], stop=Stop())


def finished(
    volume: Path,
    output: Mapping[str, Any],
    *,
    secrets: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    **settings: Any,
) -> Finished:
    job = {
        "model_type": "sdxl",
        "dataset": {"type": "images", "images_url": "https://example.com/photos.zip", "trigger_word": "ohwx"},
        "training": {"epochs": 2},
        "output": dict(output),
    }
    result = compile_job(json.dumps(job), volume=os.fspath(volume), job_id="job-12345678")
    assert result.plan is not None, [d.message for d in result.diagnostics]
    plan = result.plan
    run = Path(plan.folders["output"]) / "20261126_10-00-00"
    model = run / "epoch2"
    model.mkdir(parents=True)
    (model / "adapter_model.safetensors").write_bytes(safetensors())
    (run / "global_step9").mkdir()
    (run / "global_step9" / "mp_rank_00_model_states.pt").write_bytes(b"optimizer")
    text = next(file.text for file in plan.files if file.name == "train.toml")
    for folder in (run, model):
        (folder / "train.toml").write_text(f'{text}\n[monitoring]\nwandb_api_key = "wandb-key-of-somebody"\n', "utf-8")
    losses = Path(plan.folders["job"]) / "train.losses.csv"
    losses.parent.mkdir(parents=True)
    losses.write_text("step,epoch,loss\n" + "".join(f"{n},1,{1 / n}\n" for n in range(1, 40)), "ascii")
    trained = {
        "run_folder": str(run),
        "model_folder": str(model),
        "epochs_completed": 2,
        "steps": 39,
        "final_loss": 0.0256,
        "loss_curve": str(losses),
    }
    plain = {"retry_seconds": 0.01, "publish_patience_seconds": 3.0, "allow_private_addresses": True, **settings}
    return Finished(
        plan=plan,
        secrets=dict(secrets or {}),
        settings=Settings(environ={"HF_HUB_DISABLE_XET": "1", **(environ or {})}, **plain),
        results={"train": trained},
    )
