"""`python -m worker` with steps of the tests' own: `python -m tests.worker.command run PLAN`.

What the train step does is in TRAIN: `waits` until it has to stop, `holds` on whatever it is asked after it
has started another program, `breaks`. A file `train.ready` says that it has got that far.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from tests.worker.runs import all_steps, made_by, work
from worker.cli import main
from worker.context import StepContext
from worker.steps.registry import RUN_STEP


def train(context: StepContext) -> dict[str, Any]:
    folder = made_by(context.plan, "train")
    folder.parent.mkdir(parents=True, exist_ok=True)
    ready = folder.with_suffix(".ready")
    match os.environ.get("TRAIN"):
        case "breaks":
            raise KeyError("nothing")
        case "waits":
            context.emit("training", phase="training", epoch=1, step=12, total_steps=40, loss=0.0812)
            ready.touch()
            context.stop.wait(600)
            context.stop.check()
        case "holds":
            program = [sys.executable, "-c", "import time; time.sleep(600)"]
            other = subprocess.Popen(program, start_new_session=True)
            ready.with_name("started").write_text(str(other.pid))
            ready.touch()
            time.sleep(600)
    return {"resumed": context.resume, **work(context)}


if __name__ == "__main__":
    RUN_STEP.update(all_steps(train=train))
    main()
