"""What several commands share: the common options, reading jobs, and exit codes."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from dpcompile.catalogue import Catalogue
from dpcompile.codes import finding
from dpcompile.compiler import CompileResult, compile_job
from dpcompile.diagnostics import Diagnostic, has_errors
from dpcompile.documents import MAX_BYTES
from dpcompile.folders import DEFAULT_VOLUME
from dpcompile.report import as_text, legible
from dpcompile.spec import ModelSpec

OK, FINDINGS = 0, 1
STDIN = "-"
_WIDEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options that every command on jobs takes."""

    sets: tuple[str, ...] = ()
    preset: str | None = None
    specs: tuple[str, ...] = ()
    volume: str | None = None
    job_id: str | None = None

    @property
    def volume_root(self) -> str:
        """The root of the volume; the usual one where no option names it."""
        return DEFAULT_VOLUME if self.volume is None else self.volume

    def catalogue(self) -> Catalogue:
        """The shipped specs and those of --specs; DPCOMPILE_SPECS holds more folders, as PATH does."""
        more = os.environ.get("DPCOMPILE_SPECS", "")
        folders = [*self.specs, *(part for part in more.split(os.pathsep) if part)]
        return Catalogue(folders=tuple(Path(f) for f in dict.fromkeys(folders)))


def model_of(name: str | None, catalogue: Catalogue) -> ModelSpec | None:
    """The model spec that an option names, None without one. Raises UsageError for a model that there is not."""
    if name is None:
        return None
    spec = catalogue.find(name)
    if spec is None:
        message, hint = catalogue.unknown_model(name)
        raise click.UsageError(f"{message}. {hint}")
    return spec


def read_file(name: str) -> bytes | Diagnostic:
    """The bytes of a file or of stdin, no more of them than a job may have, or why they cannot be read."""
    shown = shown_name(name)
    try:
        if name == STDIN and sys.stdin is None:  # as it is after `<&-`
            return finding("DPC101", "", "stdin is closed", "Name a job file, or send the job to stdin.", file=shown)
        if name == STDIN:
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        return finding("DPC101", "", "this is a folder", "Name the job file in it.", file=shown)
    except FileNotFoundError:
        return finding("DPC101", "", "there is no such file", "Check the name; `-` reads from stdin.", file=shown)
    except PermissionError:
        return finding("DPC101", "", "the file may not be read", "Check its permissions.", file=shown)
    except (OSError, ValueError) as error:
        return finding(
            "DPC101", "", f"the file cannot be read: {getattr(error, 'strerror', None) or error}", file=shown
        )


def shown_name(name: str) -> str:
    """What messages call a file."""
    return "<stdin>" if name == STDIN else name


def compile_file(name: str, common: Common, catalogue: Catalogue, *, comments: bool = False) -> CompileResult:
    """The result for one job file."""
    return compile_data(read_file(name), name, common, catalogue, comments=comments)


def compile_data(
    data: bytes | Diagnostic, name: str, common: Common, catalogue: Catalogue, *, comments: bool = False
) -> CompileResult:
    """The result for what `read_file` gave for a job file."""
    if isinstance(data, Diagnostic):
        return CompileResult(diagnostics=(data,))
    return compile_job(
        data,
        file=shown_name(name),
        catalogue=catalogue,
        preset=common.preset,
        sets=common.sets,
        volume=common.volume_root,
        job_id=common.job_id,
        comments=comments,
    )


def say(text: str, *, err: bool = False) -> None:
    """Text for people. On a terminal they read letters and not their escapes; a pipe gets the same everywhere."""
    stream = sys.stderr if err else sys.stdout
    on_screen = stream is not None and stream.isatty()
    click.echo(legible(text, stream.encoding or "ascii") if on_screen else text, err=err)


def tell(diagnostics: Sequence[Diagnostic]) -> None:
    """Findings on stderr, where they do not mix with what was asked for."""
    if diagnostics:
        say(as_text(diagnostics), err=True)


def screen_width() -> int:
    """Columns to write in: those of the terminal, 80 where there is none."""
    return min(shutil.get_terminal_size().columns, _WIDEST)


def wrapped(text: str, *, later: str) -> str:
    """Text on lines no wider than the terminal; `later` stands before all lines but the first."""
    # The blanks that the text begins with are its first indent; textwrap would join or drop them.
    body = text.lstrip(" ")
    return textwrap.fill(
        body,
        width=screen_width(),
        initial_indent=" " * (len(text) - len(body)),
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def exit_code(diagnostics: Sequence[Diagnostic]) -> int:
    """1 when anything of severity error was found."""
    return FINDINGS if has_errors(diagnostics) else OK
