"""Describing images in batches against one by one, with the worker's own code and a tiny model of the same shape."""

from __future__ import annotations

import random
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.measure import show
from benchmarks.moving import in_turns

NEEDS = ("torch", "transformers", "PIL")


def main(runs: int, images: int) -> None:
    """Prints both, or what is missing for it."""
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        print(f"\nDescribing images: left out, {', '.join(missing)} is not installed")
        return
    import transformers
    from PIL import Image

    from tests.worker.doubles import tinyllava
    from worker.captioning.joycaption import load

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        tinyllava.build(Path(folder))
        settings = {"device": "cpu", "prompt": "Describe this image.", "max_new_tokens": 32, "temperature": 0.0}
        captioner = load({"model": folder, **settings})
        noise = random.Random(0)
        pictures = [Image.new("RGB", (64, 64), tuple(noise.randbytes(3))) for _ in range(images)]

        def in_batches(size: int) -> None:
            for start in range(0, images, size):
                captioner.captions(pictures[start : start + size], seed=0)

        works = {f"in batches of {size}": partial(in_batches, size) for size in (1, 4, 8)}
        title = f"Describing {images} images with a tiny Llava on the CPU, {runs} runs each, taking turns"
        show(title, in_turns(works, runs))
