"""A checkpoint by DeepSpeed's real pipeline engine, on the processor: `python -m … FOLDER WIDTH RANK LAYERS`.

Engine, optimizer and arguments of `save_checkpoint` are those of the trainer (train.py:423-429, 605-611, 817,
utils/saver.py:115-125): no ZeRO, torch's AdamW, frozen parameters left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", DS_ACCELERATOR="cpu")

import deepspeed
import deepspeed.ops
import torch
from deepspeed.pipe import PipelineModule


class Adapted(torch.nn.Module):  # type: ignore[misc]  # torch has no types where it is not installed
    """A frozen linear layer with a LoRA on it."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.base = torch.nn.Linear(width, width).requires_grad_(requires_grad=False)
        self.down = torch.nn.Linear(width, rank, bias=False, dtype=torch.bfloat16)
        self.up = torch.nn.Linear(rank, width, bias=False, dtype=torch.bfloat16)

    def forward(self, x: Any) -> Any:
        return self.base(x) + self.up(self.down(x.to(torch.bfloat16))).float()


def main(folder: str, width: int, rank: int, layers: int) -> None:
    # Only faster, where several processes share a machine; it would be compiled here, which takes minutes.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo")
    model = PipelineModule([Adapted(width, rank) for _ in range(layers)], num_stages=1, loss_fn=_loss)
    trained = [p for p in model.parameters() if p.requires_grad]
    config = {"train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1, "gradient_clipping": 1.0}
    engine = deepspeed.initialize(model=model, config=config, optimizer=torch.optim.AdamW(trained))[0]
    engine.train_batch(_batches(width))
    engine.save_checkpoint(folder, client_state={"step": 1}, save_latest=True, exclude_frozen_parameters=True)


def _loss(output: Any, label: Any) -> Any:
    return (output - label).pow(2).mean()


def _batches(width: int) -> Iterator[tuple[Any, Any]]:
    while True:
        yield torch.randn(1, width), torch.randn(1, width)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
