"""The `python -m worker` command: flags -> one request or one look -> exit code."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from dpcompile import __version__
from dpcompile.options import common_of, files, format_option, job_options
from worker.stopping import Stop

if TYPE_CHECKING:
    from dpcompile.plan import Plan
    from worker.events import Sink
    from worker.secretstore import SecretStore

FAILED, USAGE, BUG, INTERRUPTED = 1, 2, 3, 130
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="python -m worker")
def cli() -> None:
    """Run training jobs on this machine: fetch, caption, train, publish.

    Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 a bug in the worker, 130 interrupted.
    """


@cli.command()
@click.argument("job", shell_complete=files)
@click.option("--rehearse", is_flag=True, help="Do everything but the GPU: a stand-in takes the trainer's place.")
@click.option("--resume", is_flag=True, help="Go on from what an earlier run left, even where it left no note.")
@click.option("--until", metavar="STEP", help="End after this step of the plan, such as inspect.")
@format_option("text", "json")
@job_options
def run(job: str, rehearse: bool, resume: bool, until: str | None, form: str, **options: Any) -> int:
    """Run a job, or a plan made by `dpcompile plan`; - reads it from stdin.

    What is finished is not done again: the same command goes on after an interruption.
    """
    from dpcompile.commands.common import read_file, shown_name
    from dpcompile.diagnostics import Diagnostic
    from dpcompile.report import as_text
    from worker.app import Worker, run_now
    from worker.environment import SettingsError, read_settings
    from worker.hubupdates import HubUpdates
    from worker.keeping import NoSuchStep
    from worker.request import JobOptions, decoded, is_plan
    from worker.terminal import view_for

    try:
        settings = read_settings(os.environ, **({"rehearse": True} if rehearse else {}))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    document = read_file(job)
    if isinstance(document, Diagnostic):
        click.echo(as_text([document]), err=True)
        return FAILED
    common = common_of(options)
    if is_plan(decoded(document)):
        _refuse_job_options()
    given = JobOptions(
        file=shown_name(job),
        catalogue=common.catalogue(),
        sets=common.sets,
        preset=common.preset,
        volume=None if common.volume is None else os.path.abspath(common.volume),  # noqa: PTH100 - links stay
        job_id=common.job_id,
    )
    stop = Stop()

    def sinks(plan: Plan, secrets: SecretStore) -> list[Sink]:
        hub = HubUpdates.of(plan, secrets, settings)
        return [view_for(sys.stderr), *([hub] if hub else [])]

    worker = Worker(settings=settings, make_sinks=sinks)
    try:
        with _stopped_by_signals(stop):
            response = run_now(document, worker, options=given, resume=resume, until=until, plans=True, stop=stop)
    except NoSuchStep as error:
        raise click.UsageError(f"--until: {error}") from error
    _tell(dict(response), form)
    return _exit_code(dict(response), stop)


def _refuse_job_options() -> None:
    """Options that change a job would be ignored in silence when a plan is run."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in ("sets", "preset", "specs", "volume", "job_id"):
            source = context.get_parameter_source(parameter.name)
            if source is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError(f"{parameter.opts[0]} is for jobs; this is a plan, compiled already")


@contextlib.contextmanager
def _stopped_by_signals(stop: Stop) -> Iterator[None]:
    """The first signal asks the steps to end in order; a second Ctrl-C ends everything at once."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and stop.reason == "signal":
            from worker.descendants import kill_descendants

            kill_descendants()
            os._exit(INTERRUPTED)
        stop.request("signal")

    before = {each: signal.signal(each, handle) for each in _STOPS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _tell(response: dict[str, Any], form: str) -> None:
    from worker.answertext import as_text

    if form == "json":
        click.echo(json.dumps(response, indent=2, ensure_ascii=True))
    else:
        click.echo(as_text(response), err=response["status"] != "success")


def _exit_code(response: dict[str, Any], stop: Stop) -> int:
    if response["status"] == "success":
        return 0
    if stop.reason == "signal":
        return INTERRUPTED
    bug = any(found["code"] == "DPC709" for found in response["diagnostics"])
    return BUG if bug else FAILED


@cli.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def serve() -> None:
    """Take jobs from RunPod until it ends this worker. Options of RunPod's own SDK may follow."""
    from worker.serve import main as serve_jobs

    serve_jobs()


@cli.command()
@click.argument("job_id")
@click.option("--volume", metavar="PATH", envvar="NETWORK_VOLUME", help="Root of the volume the job runs on.")
@format_option("text", "json")
def status(job_id: str, volume: str | None, form: str) -> int:
    """Tell how far each step of a job is."""
    from dpcompile.folders import WORKING_FOLDER, valid_job_id
    from worker.errors import StepFailed
    from worker.jobstatus import as_text, job_status
    from worker.request import find_volume

    if not valid_job_id(job_id):
        raise click.UsageError(f"{job_id!r} is not the id of a job")
    try:
        folder = Path(volume or find_volume(os.environ), WORKING_FOLDER, "jobs", job_id)
        found = job_status(folder)
    except StepFailed as failed:
        click.echo(f"{failed.code}: {failed.message}\n    {failed.hint}", err=True)
        return FAILED
    if found is None:
        click.echo(f"no job {job_id} was run here: there is nothing in {folder}", err=True)
        return FAILED
    click.echo(json.dumps(found, indent=2, ensure_ascii=True) if form == "json" else as_text(found))
    return 0


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command and exits."""
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Where the locale lacks a character of a message, the message still counts more than the character.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args=arguments, prog_name="python -m worker", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - the outermost place: a bug of ours ends with a word to the user
        click.echo(f"This is a bug in the worker {__version__}; please report it with what follows.", err=True)
        traceback.print_exc()
        return BUG
