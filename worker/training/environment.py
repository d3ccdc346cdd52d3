"""The environment of the trainer: the worker's, without its secrets, with what the plan names."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from worker.secretstore import SecretStore
from worker.training.processes import MARK

# TOKENIZERS_PARALLELISM is no token. RUNPOD_* holds the addresses and keys of the job queue.
_SECRET_NAME = re.compile(
    r"TOKEN(?!IZERS)|SECRET|PASSW|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_KEY$|^AWS_|^BUCKET_|^RUNPOD_",
    re.IGNORECASE,
)
# Cards without direct transfers between each other, on which NCCL hangs if it tries.
_NO_DIRECT_TRANSFER = re.compile(r"GeForce RTX [45]0\d\d|RTX \d000 Ada|\bL40S?\b|\bL4\b")


def trainer_environment(
    base: Mapping[str, str], wanted: Mapping[str, str], secrets: SecretStore, *, mark: str
) -> dict[str, str]:
    """What the trainer gets: no secret but those that `wanted` names as `secret:NAME`.

    Raises StepFailed when one of those is missing.
    """
    env = {name: value for name, value in base.items() if not _is_secret(name, value, secrets)}
    # Captions are read in the encoding of the process (utils/dataset.py:752): it is never left to the machine.
    env |= {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    for name, value in wanted.items():
        if value.startswith("secret:"):
            value = secrets.require(value, f"the training needs it as {name}")
        env[name] = value
    env[MARK] = mark
    return env


def _is_secret(name: str, value: str, secrets: SecretStore) -> bool:
    return bool(_SECRET_NAME.search(name)) or any(text in value for text in secrets.texts())


def gpu_names(env: Mapping[str, str]) -> list[str]:
    """The names of this machine's NVIDIA GPUs; none where nvidia-smi is missing or does not answer."""
    tool = shutil.which("nvidia-smi", path=env.get("PATH"))
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def transfer_settings(names: Iterable[str], env: Mapping[str, str]) -> dict[str, str]:
    """What NCCL needs to know about cards that cannot write into each other's memory; nothing if that is set."""
    if "NCCL_P2P_DISABLE" in env or not any(_NO_DIRECT_TRANSFER.search(name) for name in names):
        return {}
    return {"NCCL_P2P_DISABLE": "1", "NCCL_IB_DISABLE": env.get("NCCL_IB_DISABLE", "1")}
