"""The real captioning code, PyTorch and transformers included, with a tiny model in the shape of JoyCaption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dpcompile.plan import Step
from tests.worker.doubles import tinyllava
from tests.worker.doubles.modelhub import ModelHub
from tests.worker.modelruns import Run, a_plan, plain_settings
from worker.errors import StepFailed
from worker.steps import caption

pytestmark = pytest.mark.torch

REPO = "me/tiny-captioner"
SIZES = {"a.png": (64, 48), "b.jpg": (200, 300), "c.webp": (31, 90), "d.png": (56, 56), "e.png": (120, 20)}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelHub]:
    """A Hub that has the captioner."""
    saved = tmp_path_factory.mktemp("tiny")
    tinyllava.build(saved)
    with ModelHub() as hub:
        hub.add(REPO, {path.name: path.read_bytes() for path in saved.iterdir()})
        yield hub


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One volume for all tests: the captioner is downloaded once."""
    return tmp_path_factory.mktemp("volume")


def pictures(folder: Path) -> Path:
    """Images of all kinds, among them a transparent one."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number, (name, size) in enumerate(SIZES.items()):
        color = (40 * number, 255 - 50 * number, 90)
        mode = "RGBA" if name == "d.png" else "RGB"
        Image.new(mode, size, color if mode == "RGB" else (*color, 80)).save(folder / name)
    return folder


def a_run(hub: ModelHub, volume: Path, folder: Path, *, device: str = "cpu", **args: Any) -> Run:
    settings = {"prompt": "Describe this image.", "batch_size": 2, "max_new_tokens": 8, **args.pop("settings", {})}
    given = {
        "folder": str(folder),
        "media": "images",
        "captioner": "joycaption",
        "settings": settings,
        "overwrite": False,
        "trigger_word": None,
        "missing_caption": "error",
        **args,
    }
    step = Step(id="caption-images", kind="caption", needs=(), args=given)
    environ = {"HF_ENDPOINT": hub.url, "HOME": str(volume)}
    return Run(
        plan=a_plan(volume, [step]),
        settings=plain_settings(environ, joycaption_repo=REPO, caption_device=device, caption_temperature=0.0),
    )


def texts(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))}


def test_images_are_described_in_batches_as_they_are_one_by_one(hub: ModelHub, volume: Path, tmp_path: Path) -> None:
    together, alone = pictures(tmp_path / "d" / "together"), pictures(tmp_path / "d" / "alone")

    result = a_run(hub, volume, together, settings={"batch_size": 4}).do("caption-images", caption.run)
    a_run(hub, volume, alone, settings={"batch_size": 1}).do("caption-images", caption.run)

    assert (result["media"], result["captioned"], result["written"]) == (5, 5, 5)
    assert set(texts(together)) == {"a", "b", "c", "d", "e"}
    assert all(texts(together).values())
    assert len(set(texts(together).values())) > 1, "the images themselves decide what is written"
    assert texts(together) == texts(alone)


def test_a_broken_image_costs_only_itself_and_the_next_run_does_the_rest(
    hub: ModelHub, volume: Path, tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "d" / "images")
    (folder / "b.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    (folder / "c.txt").write_text("what the user wrote", "utf-8")

    run = a_run(hub, volume, folder, trigger_word="ohwx")
    with pytest.raises(StepFailed) as caught:
        run.do("caption-images", caption.run)

    assert caught.value.code == "DPC721"
    assert "b.jpg (it cannot be opened as an image" in caught.value.message
    first = texts(folder)
    assert set(first) == {"a", "c", "d", "e"}
    assert all(text.startswith("ohwx, ") for text in first.values())
    assert first["c"] == "ohwx, what the user wrote"
    assert len([told for told in run.messages("note") if "was loaded on cpu" in told]) == 1

    (folder / "b.jpg").unlink()
    again = a_run(hub, volume, folder, trigger_word="ohwx")
    assert again.do("caption-images", caption.run)["written"] == 0
    assert texts(folder) == first
    assert not [told for told in again.messages("note") if "was loaded" in told], "there was nothing to load it for"


def test_a_machine_without_a_gpu_says_so(hub: ModelHub, volume: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    folder = pictures(tmp_path / "d" / "images")

    with pytest.raises(StepFailed) as caught:
        a_run(hub, volume, folder, device="auto").do("caption-images", caption.run)

    assert caught.value.code == "DPC720"
    assert caught.value.message == "there is no GPU that PyTorch can use, and images are described on one"


def test_a_batch_that_does_not_fit_is_taken_apart() -> None:
    import torch

    from worker.captioning.joycaption import Batches

    class Small:
        """A captioner with room for two images, which one image is too much for."""

        def captions(self, images: list[str], _seed: int) -> list[str]:
            if len(images) > 2 or "huge" in images:
                raise torch.OutOfMemoryError
            return [f"it is {image}" for image in images]

    told: list[dict[str, Any]] = []
    batches = Batches(captioner=Small(), tell=told.append, size=8)  # type: ignore[arg-type]

    batches._batch({"1": "small", "2": "huge", "3": "small", "4": "tiny", "5": "wee"})

    said = {message["name"]: message for message in told if "name" in message}
    assert {name: message.get("caption") for name, message in said.items()} == {
        "1": "it is small",
        "2": None,
        "3": "it is small",
        "4": "it is tiny",
        "5": "it is wee",
    }
    assert said["2"]["failed"] == "the GPU has not enough memory for it"
