"""`dpcompile render`: the TOML files of a job, printed or written."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from dpcompile.codes import finding
from dpcompile.commands.common import FINDINGS, OK, Common, compile_file, tell
from dpcompile.compiler import CompileResult
from dpcompile.report import as_json, printable, to_json


def run(job: str, common: Common, *, out: str | None, comments: bool, form: str) -> int:
    """Prints the files, or writes them and plan.json into `out`."""
    result = compile_file(job, common, common.catalogue(), comments=comments)
    if form == "json":
        files = {file.name: file.text for file in result.files}
        click.echo(as_json({"files": files, "diagnostics": [to_json(d) for d in result.diagnostics]}))
    else:
        tell(result.diagnostics)
        if out is None:
            click.echo("\n".join(f"# ---- {file.name}\n{file.text}" for file in result.files), nl=False)
    written = _write(result, Path(out)) if out is not None and result.plan is not None else True
    return OK if result.ok and written else FINDINGS


def _write(result: CompileResult, folder: Path) -> bool:
    """Writes every file aside and then into its place, so that none is ever half there."""
    texts = {file.name: file.text for file in result.files}
    if result.plan is not None:
        texts["plan.json"] = as_json(result.plan.to_json()) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_all(texts, folder)
    except OSError as error:
        text = f"the files cannot be written: {error.strerror or error}"
        tell(
            [
                finding(
                    "DPC113",
                    "",
                    text,
                    "Check the folder, its permissions and the free space.",
                    file=str(folder),
                )
            ]
        )
        return False
    for name in texts:
        click.echo(f"wrote {printable(str(folder / name))}", err=True)
    return True


def _write_all(texts: Mapping[str, str], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".dpcompile-", dir=folder) as aside:
        for name, text in texts.items():
            (Path(aside) / name).write_text(text, encoding="utf-8", newline="\n")
        for name in texts:
            (Path(aside) / name).replace(folder / name)
    # What an earlier job left here would be taken for this one's.
    for stale in (folder / "eval.toml", *folder.glob("eval.[0-9]*.toml")):
        if stale.name not in texts:
            stale.unlink(missing_ok=True)
