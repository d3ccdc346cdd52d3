"""`dpcompile plan`: the plan of a job as JSON."""

from __future__ import annotations

import click

from dpcompile.commands.common import FINDINGS, OK, Common, compile_file, tell
from dpcompile.report import as_json


def run(job: str, common: Common) -> int:
    """Prints the plan; findings go to stderr."""
    result = compile_file(job, common, common.catalogue())
    tell(result.diagnostics)
    if result.plan is None:
        return FINDINGS
    click.echo(as_json(result.plan.to_json()))
    return OK
