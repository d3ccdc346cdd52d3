"""`dpcompile explain`: the page of a diagnostic."""

from __future__ import annotations

import click

from dpcompile.codes import CODES
from dpcompile.resources import DataDirs
from dpcompile.similar import similar


def run(code: str) -> int:
    """Prints the page. Raises click.UsageError for a code that does not exist."""
    name = code.upper() if code.upper().startswith("DPC") else f"DPC{code}"
    if name not in CODES:
        close = similar(name, CODES)
        raise click.UsageError(f"there is no code {code!r}." + (f" Near it: {', '.join(close)}." if close else ""))
    page = DataDirs.default().explanations / f"{name}.md"
    click.echo(page.read_text("utf-8"), nl=False)
    return 0
