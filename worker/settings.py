"""What the operator of a worker decides, from its environment: never from a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLimits:
    """What is expected of the trainer while it runs; times in seconds."""

    silent: float = 3600
    """Without a line for so long, it hangs, however busy it looks."""
    idle: float = 600
    """Without a line, and without using processor or disk, for so long, it hangs."""
    after_traceback: float = 60
    """The same after an error while it encodes: it never ends by itself then (utils/dataset.py:1167)."""
    save: float = 900
    """How long a checkpoint may take that was asked for because the run has to stop."""
    terminate: float = 35
    """Between SIGTERM and SIGKILL: DeepSpeed's launcher gives its processes 30 seconds."""
    poll: float = 0.5
    bad_losses: int = 3
    """So many steps in a row without a number for a loss end the training."""
    keep_checkpoints: int = 2
    """Older checkpoints of a run are removed, as the trainer never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """How much a job may fetch, and how patiently."""

    max_gib: float = 200
    """What is downloaded."""
    max_unpacked_gib: float = 400
    """What comes out of the archives."""
    max_files: int = 500_000
    """Entries of archives and folders, junk included."""
    max_ratio: float = 100
    """How many times its own size an archive may become."""
    ratio_from_mib: float = 256
    """Below so much unpacked nobody asks for the ratio: captions alone compress well."""
    max_minutes: float = 360
    """The whole fetch."""
    stall_seconds: float = 60
    """After so long without a byte a connection is given up."""
    pause_seconds: float = 1
    """Before a request that brought nothing is made again; each further pause is longer, the sixth is the last."""
    connections: int = 8
    """How many files are downloaded at once, where there are several."""

    @property
    def download_bytes(self) -> int:
        return int(self.max_gib * _GIB)

    @property
    def unpacked_bytes(self) -> int:
        return int(self.max_unpacked_gib * _GIB)

    @property
    def ratio_from_bytes(self) -> int:
        return int(self.ratio_from_mib * _MIB)

    @property
    def pauses(self) -> tuple[float, ...]:
        """Seconds between attempts that brought nothing; after the last one the download has failed."""
        return tuple(self.pause_seconds * factor for factor in (1, 2, 4, 8, 16, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one worker. Each has a default that is right for a rented machine."""

    allow_private_addresses: bool = False
    """Whether addresses of a job may lead to private, loopback or link-local hosts."""
    allow_any_path: bool = False
    """Whether a job may name paths outside the volume."""
    rehearse: bool = False
    """Everything but the GPU: a stand-in for the trainer, and what is published is marked."""
    time_limit_minutes: float | None = None
    """After this long from its start the platform ends a run: it is stopped early enough to save."""
    save_minutes: float = 10
    """How long before the platform's limit a run is asked to save and stop."""
    stop_minutes: float = 15
    """How long steps may take to leave everything in order when a run has to stop."""
    download_stall_seconds: float = 180.0
    """After this long without a byte a download is ended and tried again another way."""
    joycaption_repo: str = "fancyfeast/llama-joycaption-beta-one-hf-llava"
    """The Hub's repository of the model that describes images."""
    joycaption_revision: str = "main"
    """Its branch, tag or commit."""
    caption_device: str = "auto"
    """Where it runs, in PyTorch's words (`cuda`, `cuda:1`, `cpu`); `auto` takes a GPU where there is one."""
    caption_temperature: float = 0.6
    """How freely it words its descriptions; 0 takes the likeliest word each time."""
    caption_stall_seconds: float = 900.0
    """After this long without a word a captioner is ended. Loading one from a slow volume takes minutes."""
    gemini_base_url: str | None = None
    """Another address of the Gemini API; None for the client's own."""
    gemini_requests_per_minute: float = 15.0
    """How often Gemini is asked at most; 0 for no limit but its own."""
    fetch: FetchLimits = field(default_factory=FetchLimits)
    training: TrainingLimits = field(default_factory=TrainingLimits)
    retry_seconds: float = 2.0
    """The first wait before a request to a server is tried again; later ones are longer."""
    publish_patience_seconds: float = 900.0
    """How long one target may be waited for in all, while a GPU is paid for."""
    upload_timeout_seconds: float = 120.0
    """How long a server may be silent during an upload."""
    litterbox_url: str = "https://litterbox.catbox.moe/resources/internals/api.php"
    transfer_sh_url: str = "https://transfer.sh"
    file_io_url: str = "https://file.io"
    hub_commit_seconds: float = 60.0
    """The least time between two commits of progress: the Hub takes 128 in an hour, the result's among them."""
    hub_progress_seconds: float = 600.0
    """How often the Hub is told how far a training is, between its statuses."""
    runpod_progress_seconds: float = 15.0
    """The least time between two progress updates to RunPod."""
    environ: Mapping[str, str]
    """The worker's environment, for libraries and child processes; tests give their own."""
