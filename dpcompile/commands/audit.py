"""`dpcompile audit`: what a checkout of the trainer reads, against what dpcompile knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from dpcompile.audit.checkout import NotACheckout, read_checkout
from dpcompile.audit.compare import audit
from dpcompile.audit.findings import Finding, Kind
from dpcompile.audit.known import load_known
from dpcompile.commands.common import FINDINGS, Common, exit_code, tell
from dpcompile.report import as_json, printable

_TITLES: dict[Kind, str] = {
    "unreadable": "Cannot be followed",
    "new_type": "New model types",
    "no_spec": "Model types without a spec",
    "gone_type": "Model types that are gone",
    "new_key": "New keys",
    "moved_key": "Keys that have moved",
    "gone_key": "Keys that are no longer read",
    "new_optimizer": "New optimizers",
    "gone_optimizer": "Optimizers that are gone",
}


def run(checkout: str, common: Common, *, form: str) -> int:
    """Prints all differences. Raises click.UsageError for a folder that is no checkout."""
    try:
        files = read_checkout(Path(checkout))
    except NotACheckout as error:
        raise click.UsageError(f"{printable(checkout)}: {error}.") from None
    catalogue = common.catalogue()
    broken = tuple(dict.fromkeys((*catalogue.problems(), *(d for _, _, found in catalogue.all() for d in found))))
    tell(broken)
    findings = audit(files, load_known(catalogue))
    if form == "json":
        click.echo(as_json({"checkout": checkout, "findings": [finding.to_json() for finding in findings]}))
    else:
        if findings:
            click.echo(_text(findings))
        click.echo(f"{_count(findings)} in {printable(checkout)}", err=True)
    return FINDINGS if findings else exit_code(broken)


def _text(findings: Sequence[Finding]) -> str:
    """A line for each finding, grouped by kind, and what to do about each group."""
    lines: list[str] = []
    for kind, title in _TITLES.items():
        group = [finding for finding in findings if finding.kind == kind]
        if group:
            lines += [title, *(f"  {_place(f)}: {printable(f.message)}" for f in group)]
            lines += [f"    {printable(hint)}" for hint in dict.fromkeys(f.hint for f in group)]
    return "\n".join(lines)


def _place(finding: Finding) -> str:
    return printable(finding.file) + (f":{finding.line}" if finding.line is not None else "")


def _count(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.kind for finding in findings)
    parts = [f"{counts[kind]} {kind.replace('_', ' ')}" for kind in _TITLES if counts[kind]]
    total = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
    return f"{total}: {', '.join(parts)}" if parts else "no findings"
