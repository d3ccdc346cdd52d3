"""The jobs that are compiled: one for each model, with the settings people set."""

from __future__ import annotations

import json
from typing import Any

from dpcompile.catalogue import Catalogue


def jobs(catalogue: Catalogue) -> dict[str, str]:
    """Model name -> JSON text of a job for it."""
    made = {}
    for name, spec, _ in catalogue.all():
        if spec is None:
            continue
        kind = "images" if spec.media.images else "videos"
        job: dict[str, Any] = {
            "model_type": name,
            "dataset": {"type": kind, f"{kind}_url": f"https://example.com/{kind}.zip", "trigger_word": "ohwx"},
            "training": {
                "epochs": 40,
                "learning_rate": 1e-4,
                "lora_rank": 16,
                # A model that takes a few sizes only has no resolution to set.
                **({"resolution": [512]} if spec.media.size_buckets is None else {}),
                "optimizer": {"weight_decay": 0.001},
            },
            "output": {
                "method": "huggingface",
                "huggingface": {"repo_id": "someone/some-lora", "token": "hf_0123456789"},
            },
        }
        made[name] = json.dumps(job, indent=2)
    return made
