"""What a stand-in is told to do wrong, for tests: DPCOMPILE_STANDIN="nan@3,ignore-term".

`name@N` happens at step N, or at item N while encoding. Without a number it happens at the first chance.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

VARIABLE = "DPCOMPILE_STANDIN"
STEPS_VARIABLE = "DPCOMPILE_STANDIN_STEPS"
_KNOWN = frozenset(
    {
        "exit-0",  # ends well before anything was done
        "no-module",  # a package that is not installed
        "error-in-caching",  # an error of the main process: shown, then it hangs
        "error-in-child",  # an error of the process that encodes: shown, then the main process hangs
        "harmless-traceback",  # a library shows an error that it has dealt with, and all goes on
        "hang-in-caching",  # a process that encodes was killed for memory: hangs without a word
        "busy-in-caching",  # the same, but it uses the processor all the while
        "missing-file",  # a file of the model is not there
        "hang-in-loading",
        "oom-after-encoding",  # no memory for the model as long as the encoders are there: only a new start helps
        "nan",  # the loss is no number from this step on
        "one-nan",  # the loss of this step alone is none
        "oom",  # the GPU has no memory left
        "killed",  # the system kills the training process
        "launcher-killed",  # the system kills DeepSpeed's launch process, and the training goes on
        "disk-full",  # no checkpoint or model can be written
        "hang-in-training",
        "pause",  # waits in this step until a signal file is there, or it is killed
        "deaf",  # never looks for signal files
        "crash-in-save",  # is killed while it writes the model
        "half-model",  # says that all is complete, and has written half a model
        "no-model",  # says that all is complete, and has written none
        "silent-end",  # ends well after the last step without saving
        "rewind",  # does not go on after its checkpoint, but begins with step 1
        "ignore-term",  # takes no notice of SIGTERM
        "helper",  # starts a process in a session of its own that outlives it
        "noise",  # writes bytes that are no text
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Names of faults, with the step or item at which each happens."""

    faults: Mapping[str, int]

    @classmethod
    def of(cls, text: str) -> Behaviour:
        """Raises ValueError for names that do not exist: a test must not pass because it misspelt one."""
        faults = {}
        for part in filter(None, text.split(",")):
            name, _, number = part.partition("@")
            if name not in _KNOWN:
                raise ValueError(f"the stand-in knows no behaviour {name!r}")
            faults[name] = int(number or 1)
        return cls(faults=faults)

    @classmethod
    def of_environment(cls) -> Behaviour:
        return cls.of(os.environ.get(VARIABLE, ""))

    def has(self, name: str) -> bool:
        return name in self.faults

    def at(self, name: str, number: int) -> bool:
        """Whether the fault happens at this step or item."""
        return self.faults.get(name) == number

    def since(self, name: str, number: int) -> bool:
        """Whether the fault has happened by this step."""
        return name in self.faults and number >= self.faults[name]


def hang() -> NoReturn:
    """Does nothing for ever, as the trainer does when it waits for a queue."""
    while True:
        time.sleep(3600)


def hang_busily() -> NoReturn:
    while True:
        sum(range(10_000))


def hang_after_error() -> NoReturn:
    """Shows the error that is being handled, then waits for ever for a process that does not end."""
    traceback.print_exc()
    sys.stderr.flush()
    child = subprocess.Popen([sys.executable, "-c", "import time\nwhile True: time.sleep(3600)"])
    child.wait()
    hang()


def hang_after_child_s_error() -> NoReturn:
    subprocess.run([sys.executable, "-c", "raise AssertionError('mask and media sizes differ')"], check=False)
    hang()


def start_helper() -> None:
    """A service as that of wandb: in a session of its own, and not ended with the training."""
    code = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(3600)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def kill_self() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    hang()
