"""The `dpcompile` command: flags -> one command function -> exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from dpcompile import __version__
from dpcompile.options import codes, common_of, files, folders, format_option, job_options, model_names, specs_option

FAILED, USAGE, BUG, INTERRUPTED = 1, 2, 3, 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dpcompile")
def cli() -> None:
    """Compile a training job into the TOML files that diffusion-pipe reads, and find its mistakes early.

    JOB is a JSON file, or - for stdin. Exit codes: 0 fine, 1 findings, 2 wrong usage, 3 a bug in dpcompile.
    """


@cli.command()
@click.argument("job", shell_complete=files)
@click.option(
    "-o", "--out", metavar="DIR", shell_complete=folders, help="Write the files and plan.json into this folder."
)
@click.option("--comments", is_flag=True, help="Say behind each value where it came from.")
@format_option("text", "json")
@job_options
def render(job: str, out: str | None, comments: bool, form: str, **options: Any) -> int:
    """Print or write the TOML files of a job."""
    from dpcompile.commands.render import run

    return run(job, common_of(options), out=out, comments=comments, form=form)


@cli.command()
@click.argument("jobs", nargs=-1, metavar="JOB...", shell_complete=files)
@click.option("--strict", is_flag=True, help="Warnings are findings too.")
@click.option("--toml", metavar="FILE", shell_complete=files, help="Check the trainer's own training file.")
@click.option("--dataset", metavar="FILE", shell_complete=files, help="Its dataset file; else looked for.")
@click.option("--eval", "evals", multiple=True, metavar="NAME=FILE", help="The dataset file of an evaluation set.")
@click.option("--model", metavar="NAME", shell_complete=model_names, help="The model that --toml is for.")
@format_option("text", "json", "github")
@job_options
def check(jobs: tuple[str, ...], strict: bool, toml: str | None, form: str, **options: Any) -> int:
    """Tell every mistake in the jobs, or in the trainer's own files, with its place and remedy."""
    from dpcompile.commands.check import run, run_toml

    own = {name: options[name] for name in ("dataset", "evals", "model")}
    if bool(jobs) == (toml is not None) or (toml is None and any(own.values())):
        raise click.UsageError("Name jobs, or a training file with --toml; --dataset, --eval and --model go with it.")
    if toml is None:
        return run(jobs, common_of(options), form=form, strict=strict)
    if options["sets"] or options["preset"] or options["job_id"]:
        raise click.UsageError("--set, --preset and --job-id are for jobs.")
    from dpcompile.commands.checktoml import findings

    return run_toml(toml, findings(toml, common=common_of(options), **own), form=form, strict=strict)


@cli.command()
@click.argument("job", shell_complete=files)
@job_options
def plan(job: str, **options: Any) -> int:
    """Print the plan of a job as JSON."""
    from dpcompile.commands.plan import run

    return run(job, common_of(options))


@cli.command()
@click.argument("job", shell_complete=files)
@click.argument("keys", nargs=-1, metavar="[KEY...]")
@format_option("text", "json")
@job_options
def why(job: str, keys: tuple[str, ...], form: str, **options: Any) -> int:
    """Tell where each value came from, and what it shadowed. KEY is like train.optimizer.lr."""
    from dpcompile.commands.why import run

    return run(job, keys, common_of(options), form=form)


@cli.command()
@click.argument("name", required=False, shell_complete=model_names)
@format_option("text", "json")
@specs_option
def models(name: str | None, form: str, **options: Any) -> int:
    """Show the models that can be trained, or everything about one."""
    from dpcompile.commands.models import run

    return run(name, common_of(options), form=form)


@cli.command()
@click.argument("kind", type=click.Choice(("job", "spec", "plan", "train", "dataset")))
@click.option("--model", metavar="NAME", shell_complete=model_names, help="Narrow the schema to what this model takes.")
@specs_option
def schema(kind: str, model: str | None, **options: Any) -> int:
    """Print a JSON Schema for editors."""
    from dpcompile.commands.schema import run

    return run(kind, model, common_of(options))


@cli.command()
@click.argument("code", shell_complete=codes)
def explain(code: str) -> int:
    """Print the page of a diagnostic, such as DPC417."""
    from dpcompile.commands.explain import run

    return run(code)


@cli.command()
@click.argument("model", shell_complete=model_names)
@specs_option
def init(model: str, **options: Any) -> int:
    """Print a small, valid starter job for a model."""
    from dpcompile.commands.init import run

    return run(model, common_of(options))


@cli.command()
@click.argument("job", required=False, shell_complete=files)
@click.option("--images", metavar="DIR", shell_complete=folders, help="The job's images on this machine.")
@click.option("--videos", metavar="DIR", shell_complete=folders, help="The job's videos on this machine.")
@click.option("--eval-images", metavar="DIR", shell_complete=folders, help="Its images for evaluation.")
@click.option("--eval-videos", metavar="DIR", shell_complete=folders, help="Its videos for evaluation.")
@click.option("--at", type=(str, str), multiple=True, metavar="PATH DIR", help="Another folder, as of masks.")
@click.option("--toml", metavar="FILE", shell_complete=files, help="Inspect the trainer's own dataset file.")
@click.option("--train", metavar="FILE", shell_complete=files, help="The training file that belongs to it.")
@click.option("--model", metavar="NAME", shell_complete=model_names, help="The model that they are for.")
@click.option("--gpus", type=click.IntRange(1), default=1, show_default=True, help="GPUs that --train will run on.")
@click.option("--html", metavar="FILE", help="Write a page with pictures, too.")
@format_option("text", "json")
@job_options
def inspect(job: str | None, toml: str | None, train: str | None, form: str, html: str | None, **options: Any) -> int:
    """Show the dataset as the trainer will see it: buckets, dropped files, steps."""
    from dpcompile.commands.inspect import Sources, TomlFiles, run

    if (toml is None) != (train is None) or (toml is not None and job is not None):
        raise click.UsageError("Name either a job, or --toml together with --train.")
    own = None
    if toml is not None and train is not None:
        own = TomlFiles(dataset=toml, train=train, model=options["model"], gpus=options["gpus"])
    sources = Sources(**{name: options[name] for name in ("images", "videos", "eval_images", "eval_videos", "at")})
    return run(job, own, common_of(options), sources, form=form, html=html)


@cli.command("import")
@click.argument("sources", nargs=-1, required=True, metavar="TRAIN.toml|DIR...", shell_complete=files)
@click.option("--dataset", metavar="FILE", shell_complete=files, help="Its dataset file; else looked for.")
@click.option("--eval", "evals", multiple=True, metavar="NAME=FILE", help="The dataset file of an evaluation set.")
@click.option("--model", metavar="NAME", shell_complete=model_names, help="The model; else the closest one.")
@click.option("-o", "--out", metavar="PATH", help="Write the job into this file; the jobs of folders into this folder.")
@click.option("--keep-unread", is_flag=True, help="Pass through what the trainer never reads: for forks of it.")
@click.option("--volume", metavar="PATH", envvar="NETWORK_VOLUME", help="Root of the volume the job runs on.")
@format_option("text", "json")
@specs_option
def import_(sources: tuple[str, ...], dataset: str | None, evals: tuple[str, ...], form: str, **options: Any) -> int:
    """Turn the trainer's own TOML files into jobs, and tell what was wrong with them."""
    from dpcompile.commands.import_ import Given, run

    own = {name: options[name] for name in ("model", "out", "keep_unread")}
    return run(sources, common_of(options), Given(dataset=dataset, evals=evals, form=form, **own))


@cli.command()
@click.argument("first", shell_complete=files)
@click.argument("second", shell_complete=files)
@format_option("text", "json")
@job_options
def diff(first: str, second: str, form: str, **options: Any) -> int:
    """Tell what differs in what two jobs, plans or training TOMLs train. Ends with 1 when something does."""
    from dpcompile.commands.diff import run

    return run(first, second, common_of(options), form=form)


@cli.command()
@click.argument("checkout", shell_complete=folders)
@format_option("text", "json")
@specs_option
def audit(checkout: str, form: str, **options: Any) -> int:
    """Compare what a checkout of diffusion-pipe reads with what dpcompile knows; nothing in it is run."""
    from dpcompile.commands.audit import run

    return run(checkout, common_of(options), form=form)


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
