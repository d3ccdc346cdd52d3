"""What an import leaves behind: its JSON form, and the job's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import yaml

from dpcompile.codes import finding
from dpcompile.commands.common import tell
from dpcompile.commands.trainerfiles import Read
from dpcompile.diagnostics import Diagnostic
from dpcompile.importing.importer import Imported
from dpcompile.report import as_json, printable


def to_json(read: Read, imported: Imported | None) -> dict[str, Any]:
    """The JSON form of an import (contract). What is no TOML is a crash, and there is no job then."""
    report = [_broken(found) for found in read.diagnostics]
    report += [each.to_json() for each in imported.entries] if imported else []
    made = {"job": imported.job if imported else None, "report": report}
    return made | ({"spec": imported.spec} if imported and imported.spec else {})


def _broken(found: Diagnostic) -> dict[str, Any]:
    return {
        "kind": "crash" if found.severity == "error" else "changed",
        "key": ".".join(found.path.split("/")[1:]),
        "message": found.message,
        "hint": found.hint,
        "code": found.code,
        "file": found.file,
        "line": found.line,
    }


def write_job(imported: Imported, file: Path) -> bool:
    """Writes the job, and the model spec of a fork beside it."""
    texts = {file: as_json(imported.job) + "\n"}
    if imported.spec is not None:
        text = yaml.safe_dump(imported.spec, sort_keys=False, allow_unicode=True)
        texts[file.parent / f"{file.stem}.specs" / f"{imported.spec['name']}.yaml"] = text
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.part")
            aside.write_text(text, encoding="utf-8", newline="\n")
            aside.replace(path)
        except OSError as error:
            message = f"the job cannot be written: {error.strerror or error}"
            tell([finding("DPC113", "", message, "Check the folder and the free space.", file=str(path))])
            return False
        click.echo(f"wrote {printable(str(path))}", err=True)
    return True
