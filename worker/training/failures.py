"""A training that ended badly -> one line and a hint."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.training.output import TrainerOutput
from worker.training.supervise import Fault

_EXCEPTION = re.compile(r"(?:^|[:\]] )((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b.*)")
_RETURN_CODE = re.compile(r"exits with return code = (-?\d+)")
_MISSING_FILE = re.compile(
    r"(?:No such file or directory|does not exist|Not a directory|file not found)[^'\"]*['\"]([^'\"]+)"
)
_PHASE = {
    "starting": "while it started",
    "caching": "while it encoded the data",
    "loading": "while it loaded the model",
    "training": "while it trained",
    "saving": "while it saved",
    "evaluating": "while it evaluated",
}
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the user is told."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Words of the trainer, or of what it is built on, that give a cause away."""

    pattern: re.Pattern[str]
    failure: Callable[[str, str], Failure]
    """(the exception's line, where it was) -> what is told."""


def of_fault(fault: Fault, output: TrainerOutput) -> Failure:
    """Why the training was ended from here."""
    where = _PHASE[output.phase]
    if fault == "no number":
        first = output.step - output.bad_losses + 1
        return Failure(
            code="DPC744",
            message=f"the loss has been no number since about step {first}: the training cannot recover",
            hint="Lower the learning rate, use bfloat16 instead of float16 or float8, and look for broken media.",
        )
    if fault == "went back":
        return Failure(
            code="DPC752",
            message=f"the resumed training began again at step {output.first_step} and not where it had stopped",
            hint="The checkpoint was not used. Look at the output; begin anew without --resume.",
        )
    if fault == "error while encoding":
        cause = last_exception(output.tail) or "an error"
        return Failure(
            code="DPC741",
            message=f"the trainer hung after an error {where}: {cause}",
            hint="It never ends by itself then, so it was ended. Mend the file or the setting, and start again: "
            "what is encoded is kept.",
        )
    how = "said and did nothing" if fault == "idle" else "said nothing"
    return Failure(
        code="DPC741",
        message=f"the trainer hung {where}: it {how} for too long, and was ended",
        hint="Often a process was killed for want of memory: lower training.map_num_proc, and cut long videos."
        if output.phase == "caching"
        else "Look at the last lines of its output, and go on with --resume if there is a checkpoint.",
    )


def of_output(output: TrainerOutput, returncode: int | None, folders: Sequence[Path]) -> Failure:
    """Why a training ended that did not complete: by its last lines, and by a look at the disk."""
    lines, where = list(output.tail), _PHASE[output.phase]
    full = next((folder for folder in folders if is_full(folder)), None)
    cause = last_exception(lines)
    if full is not None:
        return _disk_full(cause or f"nothing can be written to {full}", where)
    text = "\n".join(lines)
    for sign in SIGNS:
        if sign.pattern.search(text):
            line = next((line for line in reversed(lines) if sign.pattern.search(line)), "")
            return sign.failure(_shown(line), where)
    killed = _killed(lines, returncode)
    if killed:
        return killed(where)
    if cause or returncode not in (0, None):
        return Failure(
            code="DPC747",
            message=f"the trainer failed {where}: {cause or f'exit code {returncode}'}",
            hint="The last lines of its output tell more.",
        )
    return Failure(
        code="DPC748",
        message=f"the trainer ended {where} as if all were well, and has not completed the training",
        hint="Its exit code is 0 in such cases. The last lines of its output say why, if anything does.",
    )


def is_full(folder: Path) -> bool:
    """Whether nothing more can be written there. Tried, because a quota does not show in the free space."""
    probe = folder / f".space-{os.getpid()}"
    try:
        probe.write_bytes(b"\0" * 256 * 1024)
    except OSError as error:
        return error.errno in _NO_SPACE
    finally:
        probe.unlink(missing_ok=True)
    return False


def last_exception(lines: Iterable[str]) -> str | None:
    """The last line of the last traceback: the kind of error and its text."""
    found = [m[1] for line in lines if not line.startswith(" ") and (m := _EXCEPTION.search(line))]
    return _shown(found[-1]) if found else None


def _shown(line: str) -> str:
    match = _EXCEPTION.search(line)
    text = (match[1] if match else line).strip()
    return text if len(text) <= 300 else f"{text[:299]}…"


def _killed(lines: list[str], returncode: int | None) -> Callable[[str], Failure] | None:
    codes = [int(m[1]) for line in lines if (m := _RETURN_CODE.search(line))]
    number = codes[-1] if codes else returncode
    # launch.py passes -9 on, which becomes 247 on its way through the exit code.
    if number in (-9, 137, 247):
        return lambda where: Failure(
            code="DPC743",
            message=f"the system killed the trainer {where}, most likely because the machine ran out of memory (RAM)",
            hint="Lower training.map_num_proc, cut long videos, swap fewer blocks, or use a machine with more memory.",
        )
    return None


def _gpu_memory(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC742",
        message=f"the GPU ran out of memory {where}: {cause}",
        hint="Use a smaller resolution or fewer frames, a preset for less memory, blocks_to_swap, "
        "transformer_dtype float8, or a larger GPU.",
    )


def _memory(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC743",
        message=f"the machine ran out of memory (RAM) {where}: {cause}",
        hint="Lower training.map_num_proc, cut long videos, swap fewer blocks, or use a machine with more memory.",
    )


def _disk_full(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC746",
        message=f"the disk is full: the trainer could not write {where}: {cause}",
        hint="Free some space or enlarge the volume, then go on with --resume. Checkpoints and saved models add up: "
        "save less often.",
    )


def _missing_file(cause: str, where: str) -> Failure:
    path = _MISSING_FILE.search(cause)
    return Failure(
        code="DPC745",
        message=f"a file is missing {where}: {path[1] if path else cause}",
        hint="Look at the paths in training.model, and whether the download of the model is whole.",
    )


def _missing_package(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC749",
        message=f"the trainer's machine lacks something {where}: {cause}",
        hint="A package, or a submodule of the trainer, is missing or of another version. Use the worker's image.",
    )


def _no_gpu(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC749",
        message=f"no usable GPU was found {where}: {cause}",
        hint="Look at nvidia-smi on the machine, and at launch.num_gpus. To try a job without a GPU: --rehearse.",
    )


def _port_taken(cause: str, where: str) -> Failure:
    return Failure(
        code="DPC740",
        message=f"the port of the training was taken {where}: {cause}",
        hint="Another training uses it. Start again: a free one is looked for each time.",
    )


def _too_many_resolutions(_cause: str, _where: str) -> Failure:
    return Failure(
        code="DPC748",
        message="the trainer refused the dataset and ended as if all were well: it has more than three resolutions",
        hint="Give at most three.",
    )


def _empty_dataset(_cause: str, where: str) -> Failure:
    return Failure(
        code="DPC747",
        message=f"nothing was left to train on {where}: each size holds less than one batch",
        hint="Raise dataset.image_repeats or video_repeats, lower the batch or accumulation, or use fewer sizes.",
    )


def _sign(pattern: str, failure: Callable[[str, str], Failure]) -> Sign:
    return Sign(pattern=re.compile(pattern), failure=failure)


SIGNS = (
    _sign(r"No space left on device|Disk quota exceeded|\[enforce fail at inline_container", _disk_full),
    _sign(r"CUDA out of memory|OutOfMemoryError|HIP out of memory|CUBLAS_STATUS_ALLOC_FAILED", _gpu_memory),
    _sign(r"CUDA error: out of memory|CUDNN_STATUS_ALLOC_FAILED", _gpu_memory),
    _sign(r"^MemoryError|Cannot allocate memory|DefaultCPUAllocator: can't allocate", _memory),
    _sign(r"EADDRINUSE|[Aa]ddress already in use", _port_taken),
    _sign(r"no GPU resources available|No CUDA GPUs are available|invalid device ordinal|no CUDA-capable", _no_gpu),
    _sign(r"Found no NVIDIA driver|Torch not compiled with CUDA", _no_gpu),
    _sign(r"ModuleNotFoundError|ImportError:|undefined symbol", _missing_package),
    _sign(r"FileNotFoundError|NotADirectoryError|\bNo such file or directory: '", _missing_file),
    _sign(r"Processed dataset was empty", _empty_dataset),
    _sign(r"You have set a lot of resolutions", _too_many_resolutions),
)
"""From the surest to the vaguest: the first that is found counts."""
