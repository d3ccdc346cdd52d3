"""Starting the trainer: the plan's command, completed with what only the worker knows."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from worker.errors import StepFailed

_SCRIPT = "train.py"
_SHELL_WORD = re.compile(r"[\w@%+=:,./-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One start of the trainer."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    notes: tuple[str, ...] = ()
    """What differs from the plan, and why, in the user's words."""


def complete_argv(
    argv: Sequence[str], *, env: Mapping[str, str], resume: str | None, hostfile: Path | None, port_from: int
) -> tuple[list[str], tuple[str, ...]]:
    """The plan's command with the run to resume, the hostfile and a port that is free; and notes about it.

    `--resume_from_checkpoint` without a value would take whatever is last in the output folder (train.py:146),
    and with an empty one the output folder itself (train.py:545): it is given with a name or not at all.
    """
    launcher, trainer = _parts(argv)
    notes: list[str] = []
    wanted = _port(launcher)
    if wanted is not None and hostfile is None:
        port = free_port(wanted, port_from)
        if port != wanted:
            notes.append(f"port {wanted} is taken on this machine, so the training uses {port}")
            launcher = [f"--master_port={port}" if a.startswith("--master_port") else a for a in launcher]
            # train.py overwrites MASTER_PORT with its own argument (train.py:253): both have to know.
            trainer[trainer.index("--master_port") + 1] = str(port)
    # Without this, DeepSpeed takes /job/hostfile for its own wherever that exists.
    launcher.insert(1, f"--hostfile={hostfile or '/dev/null'}")
    if hostfile is None:
        launcher = _visible_gpus(launcher, env)
    if resume:
        trainer.append(f"--resume_from_checkpoint={resume}")
    return [*launcher, *trainer], tuple(notes)


def _parts(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    if _SCRIPT not in argv:
        raise StepFailed("DPC740", f"the plan's command does not start {_SCRIPT}", "Compile the job again.")
    at = list(argv).index(_SCRIPT)
    return list(argv[:at]), list(argv[at:])


def _port(launcher: Sequence[str]) -> int | None:
    found = [a.partition("=")[2] for a in launcher if a.startswith("--master_port=")]
    return int(found[0]) if found else None


def free_port(wanted: int, port_from: int) -> int:
    """The port that the plan names, or the next one that nothing on this machine uses."""
    ports: list[int] = [wanted, *range(port_from, port_from + 200)]
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise StepFailed("DPC740", f"port {wanted} is taken, and so are the next 200", "End what uses them, and resume.")


def _visible_gpus(launcher: list[str], env: Mapping[str, str]) -> list[str]:
    """DeepSpeed ignores CUDA_VISIBLE_DEVICES beside --num_gpus and takes the first GPUs; --include is obeyed."""
    visible = [d.strip() for d in env.get("CUDA_VISIBLE_DEVICES", "").split(",") if d.strip()]
    count = next((int(a.partition("=")[2]) for a in launcher if a.startswith("--num_gpus=")), None)
    if not visible or count is None:
        return launcher
    if not all(d.isdigit() for d in visible):
        if len(visible) == count == 1:
            return launcher  # one GPU by its long name: a container that sees no other
        raise StepFailed(
            "DPC740",
            "CUDA_VISIBLE_DEVICES names GPUs by their long names, which the launcher cannot choose by",
            "Give their numbers, as in CUDA_VISIBLE_DEVICES=0,1.",
        )
    if len(visible) < count:
        raise StepFailed(
            "DPC740",
            f"the job wants {count} GPUs, and CUDA_VISIBLE_DEVICES of the worker leaves {len(visible)}",
            "Lower launch.num_gpus, or start a worker with more.",
        )
    include = f"--include=localhost:{','.join(visible[:count])}"
    return [include if a.startswith("--num_gpus=") else a for a in launcher]


def write_hostfile(path: Path, hosts: Sequence[str], slots: int) -> None:
    """One line for each machine, in the order of the plan: the first one is this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{host} slots={slots}\n" for host in hosts), encoding="ascii")


def write_forwarded(path: Path, env: Mapping[str, str]) -> None:
    """The variables for all machines, as DeepSpeed reads them (DS_ENV_FILE): it sends no others but NCCL's.

    They go through a remote shell there, and stand in the command line: neither secrets nor what a shell
    would take apart.
    """
    for name, value in env.items():
        if not _SHELL_WORD.fullmatch(value):
            raise StepFailed(
                "DPC740",
                f"launch.env.{name} cannot be sent to other machines: a shell there would change it",
                "Use letters, digits and any of @%+=:,./- only, or set it on each machine.",
            )
    path.write_text("".join(f"{name}={value}\n" for name, value in env.items()), encoding="utf-8")


def need_program(name: str, env: Mapping[str, str], why: str) -> str:
    """Where a program is. Raises StepFailed when it is not installed."""
    found = shutil.which(name, path=env.get("PATH"))
    if found is None:
        raise StepFailed("DPC740", f"{name} is not installed, or not on PATH: {why}", "Use the worker's image.")
    return found


def for_rehearsal(argv: Sequence[str], env: dict[str, str]) -> tuple[list[str], str]:
    """The command that starts the stand-in: by DeepSpeed's launcher where that is installed; and which it is."""
    if shutil.which(argv[0], path=env.get("PATH")):
        env.setdefault("DS_ACCELERATOR", "cpu")
        return list(argv), "the stand-in for the trainer is started by DeepSpeed, as the trainer would be"
    return without_launcher(argv), "DeepSpeed is not installed here, so the stand-in is started without its launcher"


def without_launcher(argv: Sequence[str]) -> list[str]:
    """The same command without DeepSpeed, as one process: what its launcher would start on one GPU."""
    _launcher, trainer = _parts(argv)
    return [sys.executable, "-u", trainer[0], "--local_rank=0", *trainer[1:]]


def start(launch: Launch, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts the trainer in a session of its own; what it says goes to the file.

    A file, not a pipe: a trainer whose worker was killed would otherwise die of its next line and lose what it
    trained since the last checkpoint.
    """
    if not (launch.cwd / _SCRIPT).is_file():
        raise StepFailed(
            "DPC740", f"there is no {_SCRIPT} in {launch.cwd}", "The trainer is missing on the volume: prepare it anew."
        )
    try:
        return subprocess.Popen(
            launch.argv,
            cwd=launch.cwd,
            env=dict(launch.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise StepFailed(
            "DPC740", f"the trainer could not be started: {error.strerror or error}", "Look at the launcher named."
        ) from error
