"""Options and completions that several commands of the `dpcompile` command share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


def model_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    from dpcompile.commands.common import Common

    return [name for name, spec, _ in Common().catalogue().all() if spec and name.startswith(incomplete)]


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def folders(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


def codes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
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


def format_option(*forms: str) -> Callable[[F], F]:
    return click.option("--format", "form", type=click.Choice(forms), default="text", show_default=True)


def common_of(options: dict[str, Any]) -> Any:
    """What the job options said, as `commands.common.Common`."""
    from dpcompile.commands.common import Common

    return Common(**{k: options[k] for k in ("sets", "preset", "specs", "volume", "job_id") if k in options})
