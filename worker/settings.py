"""What the operator of a worker decides, from its environment: never from a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of one worker. Each has a default that is right for a rented machine."""

    allow_private_addresses: bool = False
    """Whether addresses of a job may lead to private, loopback or link-local hosts."""
    rehearse: bool = False
    """Everything but the GPU: a stand-in for the trainer, and what is published is marked."""
    time_limit_minutes: float | None = None
    """After this long from its start the platform ends a run: it is stopped early enough to save."""
    save_minutes: float = 10
    """How long before the platform's limit a run is asked to save and stop."""
    stop_minutes: float = 15
    """How long steps may take to leave everything in order when a run has to stop."""
    environ: Mapping[str, str]
    """The worker's environment, for libraries and child processes; tests give their own."""
