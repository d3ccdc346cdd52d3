"""The `dpcompile` command: flags -> one command function -> exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click
from click.shell_completion import CompletionItem

from dpcompile import __version__

FAILED, USAGE, BUG, INTERRUPTED = 1, 2, 3, 130
F = TypeVar("F", bound=Callable[..., Any])


def _model_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from dpcompile.commands.common import Common

    return [name for name, spec, _ in Common().catalogue().all() if spec and name.startswith(incomplete)]


def _files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _folders(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


def _codes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from dpcompile.codes import CODES

    return [code for code in CODES if code.startswith(incomplete.upper())]


def specs_option(command: F) -> F:
    """--specs: every command that looks at models takes it."""
    return click.option(
        "--specs",
        multiple=True,
        metavar="DIR",
        help="Folder with model specs of your own; also DPCOMPILE_SPECS.",
    )(command)


def job_options(command: F) -> F:
    """The options of every command that compiles jobs."""
    for option in reversed(
        (
            click.option(
                "--set",
                "sets",
                multiple=True,
                metavar="KEY=VALUE",
                help="Override a field of the job: epochs=20.",
            ),
            click.option("--preset", metavar="NAME", help="A named bundle of values of the model."),
            click.option(
                "--volume",
                metavar="PATH",
                envvar="NETWORK_VOLUME",
                help="Root of the volume the job runs on.",
            ),
            click.option("--job-id", metavar="ID", help="Names the job's folders; default: the request's id."),
        )
    ):
        command = option(command)
    return specs_option(command)


def _format(*forms: str) -> Callable[[F], F]:
    return click.option("--format", "form", type=click.Choice(forms), default="text", show_default=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dpcompile")
def cli() -> None:
    """Compile a training job into the TOML files that diffusion-pipe reads, and find its mistakes early.

    JOB is a JSON file, or - for stdin. Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 a bug in dpcompile.
    """


def _common(options: dict[str, Any]) -> Any:
    from dpcompile.commands.common import Common

    return Common(**{k: options[k] for k in ("sets", "preset", "specs", "volume", "job_id") if k in options})


@cli.command()
@click.argument("job", shell_complete=_files)
@click.option(
    "-o", "--out", metavar="DIR", shell_complete=_folders, help="Write the files and plan.json into this folder."
)
@click.option("--comments", is_flag=True, help="Say behind each value where it came from.")
@_format("text", "json")
@job_options
def render(job: str, out: str | None, comments: bool, form: str, **options: Any) -> int:
    """Print or write the TOML files of a job."""
    from dpcompile.commands.render import run

    return run(job, _common(options), out=out, comments=comments, form=form)


@cli.command()
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...", shell_complete=_files)
@click.option("--strict", is_flag=True, help="Warnings are findings too.")
@_format("text", "json", "github")
@job_options
def check(jobs: tuple[str, ...], strict: bool, form: str, **options: Any) -> int:
    """Tell every mistake in the jobs, with its place and remedy."""
    from dpcompile.commands.check import run

    return run(jobs, _common(options), form=form, strict=strict)


@cli.command()
@click.argument("job", shell_complete=_files)
@job_options
def plan(job: str, **options: Any) -> int:
    """Print the plan of a job as JSON."""
    from dpcompile.commands.plan import run

    return run(job, _common(options))


@cli.command()
@click.argument("job", shell_complete=_files)
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@_format("text", "json")
@job_options
def why(job: str, keys: tuple[str, ...], form: str, **options: Any) -> int:
    """Tell where each value came from, and what it shadowed. KEY is like train.optimizer.lr."""
    from dpcompile.commands.why import run

    return run(job, keys, _common(options), form=form)


@cli.command()
@click.argument("name", required=False, shell_complete=_model_names)
@_format("text", "json")
@specs_option
def models(name: str | None, form: str, **options: Any) -> int:
    """Show the models that can be trained, or everything about one."""
    from dpcompile.commands.models import run

    return run(name, _common(options), form=form)


@cli.command()
@click.argument("kind", type=click.Choice(("job", "spec", "plan", "train", "dataset")))
@click.option(
    "--model", metavar="NAME", shell_complete=_model_names, help="Narrow the schema to what this model takes."
)
@specs_option
def schema(kind: str, model: str | None, **options: Any) -> int:
    """Print a JSON Schema for editors."""
    from dpcompile.commands.schema import run

    return run(kind, model, _common(options))


@cli.command()
@click.argument("code", shell_complete=_codes)
def explain(code: str) -> int:
    """Print the page of a diagnostic, such as DPC417."""
    from dpcompile.commands.explain import run

    return run(code)


@cli.command()
@click.argument("model", shell_complete=_model_names)
@specs_option
def init(model: str, **options: Any) -> int:
    """Print a small, valid starter job for a model."""
    from dpcompile.commands.init import run

    return run(model, _common(options))


@cli.command()
@click.argument("checkout", shell_complete=_folders)
@_format("text", "json")
@specs_option
def audit(checkout: str, form: str, **options: Any) -> int:
    """Compare what a checkout of diffusion-pipe reads with what dpcompile knows; nothing in it is run."""
    from dpcompile.commands.audit import run

    return run(checkout, _common(options), form=form)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command and exits: 0 fine, 1 findings, 2 wrong usage, 3 a bug of ours, 130 interrupted."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Where the locale lacks a character of a message, the message still counts more than the character.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args=arguments, prog_name="dpcompile", standalone_mode=False)
        if sys.stdout is not None:  # as it is after `>&-`
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost place: a bug of ours ends with a word to the user
        if isinstance(error, OSError) and error.filename is None:
            return _cannot_print(error)
        click.echo(f"This is a bug in dpcompile {__version__}; please report it with what follows.", err=True)
        traceback.print_exc()
        return BUG


def _cannot_print(error: OSError) -> int:
    """Ends a run whose output has no reader any more (`| head -1`) or no room (a full disk).

    Files have names in their errors, so an error without one comes from a stream. click ends with the same
    code when it meets a closed pipe first: 0 would say that nothing was found.
    """
    # Python flushes again on its way out, and would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        with contextlib.suppress(OSError):
            click.echo(f"the output cannot be written: {error.strerror or error}", err=True)
    return FAILED
