"""How the trainer is started."""

from __future__ import annotations

from collections.abc import Iterator

from dpcompile.checks.facts import Facts
from dpcompile.diagnostics import Diagnostic
from dpcompile.secrecy import WANDB_ENV, looks_secret
from dpcompile.wording import quote

_OVERWRITTEN = {
    "MASTER_PORT": "each job gets a port of its own",
    "CUDA_VISIBLE_DEVICES": "launch.num_gpus says how many GPUs are used",
    **dict.fromkeys(
        ("MASTER_ADDR", "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_SIZE"),
        "the launcher of DeepSpeed works it out for each process",
    ),
}
"""Variables that train.py (line 253) or DeepSpeed's launcher sets, whatever they were before."""


def secrets_in_environment(facts: Facts) -> Iterator[Diagnostic]:
    """The plan holds the environment in clear, so a secret must not stand there."""
    for name in facts.settings["launch"].get("env", {}):
        if looks_secret(name):
            text = f"launch.env.{name} looks like a secret, and the plan would show it"
            hint = "Put it into api_keys, or set it in the worker's own environment."
            if name in WANDB_ENV:
                hint = "Put it into training.monitoring.wandb_api_key."
            yield facts.in_job("DPC225", ("launch", "env", name), text, hint)


def overwritten_environment(facts: Facts) -> Iterator[Diagnostic]:
    """A value that is replaced before the trainer sees it."""
    for name in facts.settings["launch"].get("env", {}):
        if name in _OVERWRITTEN:
            text = f"launch.env.{name} would be overwritten: {_OVERWRITTEN[name]}"
            yield facts.in_job("DPC451", ("launch", "env", name), text, "Take it out.")


def cache_flags(facts: Facts) -> Iterator[Diagnostic]:
    """One says encode everything anew, the other says look at nothing (train.py:50-52)."""
    launch = facts.settings["launch"]
    if launch["regenerate_cache"] and launch["trust_cache"]:
        text = "regenerate_cache and trust_cache say opposite things"
        yield facts.in_job("DPC451", ("launch", "trust_cache"), text, "Keep one of them.")


def doubled_hosts(facts: Facts) -> Iterator[Diagnostic]:
    """DeepSpeed refuses a hostfile that names a machine twice (deepspeed launcher/runner.py)."""
    seen: set[str] = set()
    for n, host in enumerate(facts.settings["launch"].get("hosts") or ()):
        if host in seen:
            text = f"launch.hosts names {quote(host)} twice"
            yield facts.in_job("DPC451", ("launch", "hosts", n), text, "Name each machine once.")
        seen.add(host)


CHECKS = (
    secrets_in_environment,
    overwritten_environment,
    cache_flags,
    doubled_hosts,
)
