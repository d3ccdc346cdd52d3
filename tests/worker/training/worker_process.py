"""A worker process of its own, to be killed by tests: trains one bench, with signals handled as `worker run` does."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType

from dpcompile.plan import from_json
from tests.worker.training.bench import Bench
from worker.errors import StepFailed, Stopped


def main(plan_file: str, behaviour: str, environment: str, path: str) -> None:
    plan = from_json(json.loads(Path(plan_file).read_text("utf-8")))
    bench = Bench(volume=Path(plan.folders["volume"]), plan=plan, env=json.loads(environment), path=path)

    def stop(_number: int, _frame: FrameType | None) -> None:
        bench.stop.request("signal")

    signal.signal(signal.SIGTERM, stop)
    try:
        print(json.dumps({"result": bench.train(behaviour), "notes": bench.notes()}))
    except StepFailed as failure:
        print(json.dumps({"failed": failure.code, "notes": bench.notes()}))
    except Stopped as stopped:
        print(json.dumps({"stopped": str(stopped), "notes": bench.notes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
