"""JoyCaption and its like: Llava models that describe images. Runs as a child process.

Batches are padded on the left: padded on the right, a model goes on writing behind the padding, and the
captions of all but the longest prompt come out wrong.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from worker.captioning.wording import tidied
from worker.childprocess import Tell, serve
from worker.stopping import Stop

_SYSTEM = "You are a helpful image captioner."
_TOP_P = 0.9

Item = dict[str, Any]


class CannotStart(Exception):
    """The captioner cannot be used on this machine."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def work(request: dict[str, Any], tell: Tell, _stop: Stop) -> None:
    """Loads the model and describes every item of the request."""
    started = time.monotonic()
    try:
        captioner = load(request)
    except CannotStart as problem:
        tell({"fatal": str(problem), "kind": problem.kind})
        return
    tell({"note": f"the captioner was loaded on {captioner.device} in {time.monotonic() - started:.0f} s"})
    Batches(captioner=captioner, tell=tell, size=request["batch_size"]).describe(request["items"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioner:
    """A loaded model, and what it is asked about each image."""

    model: Any
    processor: Any
    device: str
    text: str
    max_new_tokens: int
    temperature: float

    def captions(self, images: Sequence[Any], seed: int) -> list[str]:
        """One caption for each image."""
        import torch

        inputs = self.processor(
            text=[self.text] * len(images), images=list(images), padding=True, return_tensors="pt"
        ).to(self.device, self.model.dtype)
        torch.manual_seed(seed)
        with torch.inference_mode():
            written = self.model.generate(**inputs, max_new_tokens=self.max_new_tokens, **self._choosing())
        new = written[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(new, skip_special_tokens=True)
        return [tidied(text, cut=self._cut(row)) for text, row in zip(texts, new, strict=True)]

    def _choosing(self) -> dict[str, Any]:
        if self.temperature > 0:
            return {"do_sample": True, "temperature": self.temperature, "top_p": _TOP_P, "top_k": None}
        return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}

    def _cut(self, row: Any) -> bool:
        """Whether a text ended because there was no more room."""
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return len(row) >= self.max_new_tokens and not any(int(token) in ends for token in row)


def load(request: dict[str, Any]) -> Captioner:
    """The captioner of a request. Raises CannotStart."""
    try:
        import torch
        from transformers import AutoProcessor, LlavaForConditionalGeneration
    except ImportError as error:
        raise CannotStart(f"{error.name} is not installed, and images are described with it", "captioner") from error

    device = _device(request["device"])
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    try:
        processor = AutoProcessor.from_pretrained(request["model"], local_files_only=True)
        model = LlavaForConditionalGeneration.from_pretrained(request["model"], dtype=dtype, local_files_only=True)
        model = model.to(device).eval()
    except torch.OutOfMemoryError as error:
        raise CannotStart("the GPU has not enough free memory for the captioner", "gpu") from error
    except (OSError, ValueError, KeyError) as error:
        raise CannotStart(f"the captioner in {request['model']} cannot be loaded: {error}", "captioner") from error
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Captioner(
        model=model,
        processor=processor,
        device=device,
        text=_question(processor, request["prompt"]),
        max_new_tokens=request["max_new_tokens"],
        temperature=request["temperature"],
    )


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        if not torch.cuda.is_available():
            raise CannotStart("there is no GPU that PyTorch can use, and images are described on one", "gpu")
        return "cuda"
    return wanted


def _question(processor: Any, prompt: str) -> str:
    """The prompt as the model wants it, with exactly one place for the image.

    JoyCaption's template puts the image in by itself and takes plain text only; a list, as other Llava models
    want it, it would print into the prompt.
    """
    texts = []
    for content in (prompt, [{"type": "image"}, {"type": "text", "text": prompt}]):
        conversation = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": content}]
        text = processor.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
        if text.count(processor.image_token) == 1:
            return str(text)
        texts.append(text)
    raise CannotStart(
        f"the captioner's template has no single place for the image ({processor.image_token}): {texts[0]!r}",
        "captioner",
    )


@dataclass(slots=True, kw_only=True)
class Batches:
    """Describes images in batches; one that fails is taken apart until it is clear what it fails over."""

    captioner: Captioner
    tell: Tell
    size: int

    def describe(self, items: Sequence[Item]) -> None:
        """Tells a caption or a reason for each item. The next images are opened while a batch is described."""
        with ThreadPoolExecutor(1) as opener:
            batches = list(self._divided(items))
            coming = opener.submit(opened, batches[0]) if batches else None
            for number, batch in enumerate(batches):
                assert coming is not None
                self.tell({"working": [item["name"] for item in batch]})
                images, failed = coming.result()
                following = batches[number + 1 : number + 2]
                coming = opener.submit(opened, following[0]) if following else None
                for name, why in failed.items():
                    self.tell({"name": name, "failed": why})
                self._batch(images)

    def _divided(self, items: Sequence[Item]) -> Iterator[Sequence[Item]]:
        together = [item for item in items if not item["alone"]]
        for start in range(0, len(together), self.size):
            yield together[start : start + self.size]
        yield from ([item] for item in items if item["alone"])

    def _batch(self, images: dict[str, Any]) -> None:
        if not images:
            return
        captions, why = self._try(images)
        for name, caption in zip(images, captions, strict=not why):
            empty = {"name": name, "failed": "the captioner wrote nothing about it"}
            self.tell({"name": name, "caption": caption} if caption else empty)
        if why:
            self._apart(images, why)

    def _try(self, images: dict[str, Any]) -> tuple[list[str], str]:
        """The captions, or why there are none. What a failed batch held on the GPU is free when this returns."""
        import torch

        seed = zlib.crc32("\n".join(images).encode())
        try:
            return self.captioner.captions(list(images.values()), seed), ""
        except torch.OutOfMemoryError:
            return [], "the GPU has not enough memory for it"
        except Exception as error:  # noqa: BLE001 - whatever a library makes of a strange image costs only this image
            return [], f"{type(error).__name__}: {error}"

    def _apart(self, images: dict[str, Any], why: str) -> None:
        names = list(images)
        if len(names) == 1:
            self.tell({"name": names[0], "failed": why})
            return
        self.tell({"note": f"a batch of {len(names)} images failed ({why}); it is done in halves"})
        half = len(names) // 2
        for part in (names[:half], names[half:]):
            self.tell({"working": part})
            self._batch({name: images[name] for name in part})


def opened(items: Sequence[Item]) -> tuple[dict[str, Any], dict[str, str]]:
    """The images of a batch in RGB, and why others cannot be opened."""
    from PIL import Image, ImageOps

    images, failed = {}, {}
    for item in items:
        try:
            with Image.open(item["path"]) as image:
                image.load()
                upright = ImageOps.exif_transpose(image)
            images[item["name"]] = on_white(upright)
        except Exception as error:  # noqa: BLE001 - decoders raise nearly anything over a broken file
            failed[item["name"]] = f"it cannot be opened as an image ({type(error).__name__}: {error})"
    return images, failed


def on_white(image: Any) -> Any:
    """The image in RGB; what is transparent becomes white, as it does in training (models/base.py:42)."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255))
        white.alpha_composite(image)
        image = white
    return image.convert("RGB")


if __name__ == "__main__":
    serve(work)
