"""The command as a process: exit codes, streams that are closed, full or slow, and completion in the shell."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import click
import pytest

from dpcompile import __version__
from dpcompile.cli import cli
from tests.unit.commands.support import dpcompile, environment, process, written
from tests.unit.jobs import ALL_MODELS, job

FULL = Path("/dev/full")
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path, job(), "good.json")


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path, job(training={"nonsense": 1}), "bad.json")


# --- exit codes ---------------------------------------------------------------------------------------------


def test_0_says_that_all_is_fine(good: Path) -> None:
    done = process("check", good)

    assert (done.returncode, done.stdout) == (0, f"{good}: ok\n")


def test_1_says_that_something_was_found(bad: Path) -> None:
    done = process("check", bad)

    assert done.returncode == 1
    assert "error DPC208" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["check"], "Name jobs, or a training file with --toml"),
        (["check", "job.json", "--frobnicate"], "No such option '--frobnicate'"),
        (["check", "job.json", "--format", "xml"], "'xml' is not one of 'text', 'json', 'github'"),
        (["plan", "a.json", "b.json"], "unexpected extra argument"),
        (["schema", "song"], "'song' is not one of"),
        (["explain", "999"], "there is no code '999'"),
        (["--frobnicate"], "No such option '--frobnicate'"),
    ],
)
def test_2_says_that_the_command_was_used_wrongly(arguments: list[str], told: str) -> None:
    done = dpcompile(*arguments)

    assert (done.code, done.out) == (2, "")
    assert told.lower() in done.err.lower().replace('"', "'")


def test_3_says_that_it_is_our_mistake_and_asks_for_a_report(tmp_path: Path, good: Path) -> None:
    """A copy of the package from which a part was taken away."""
    code = f"import sys; sys.modules['dpcompile.verify'] = None; from dpcompile.cli import main; main(['check', {str(good)!r}])"

    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 3
    assert done.stderr.startswith(
        f"This is a bug in dpcompile {__version__}; please report it with what follows.\nTraceback"
    )
    assert done.stdout == ""


def reading(*arguments: str) -> subprocess.Popen[bytes]:
    """The command, waiting for more on stdin."""
    return subprocess.Popen(
        [sys.executable, "-m", "dpcompile", *arguments],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_until_blocked(process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
    """Until the process has taken what was sent, and so is past its start."""
    pipe.write(b" " * 2**20)  # far more than a pipe holds: this returns once nearly all was read
    pipe.flush()
    time.sleep(0.05)
    assert process.poll() is None


def test_130_says_that_it_was_interrupted_while_it_read() -> None:
    waiting = reading("check", "-")
    assert waiting.stdin is not None
    wait_until_blocked(waiting, waiting.stdin)

    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=60)

    assert waiting.returncode == 130
    assert out == b""
    assert err.decode().strip() == "interrupted"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in cli.commands)])
def test_help_is_printed_and_fits_a_terminal(arguments: list[str]) -> None:
    done = dpcompile(*arguments)

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: dpcompile ")
    assert max(map(len, done.out.splitlines())) <= 80


def test_help_tells_every_command_and_the_exit_codes() -> None:
    text = dpcompile("--help").out

    assert all(f"\n  {name}" in text for name in cli.commands)
    assert "0 fine, 1 findings, 2 wrong" in text


def test_version_is_printed() -> None:
    assert dpcompile("--version").out == f"dpcompile, version {__version__}\n"


def test_module_and_command_are_the_same() -> None:
    [script] = re.findall(
        r'^dpcompile = "(.+)"$', (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )

    assert script == "dpcompile.cli:main"
    assert process("--version").stdout == dpcompile("--version").out


@pytest.mark.parametrize("name", cli.commands)
def test_every_option_says_what_it_is_for(name: str) -> None:
    options = [p for p in cli.commands[name].params if isinstance(p, click.Option) and "--format" not in p.opts]

    assert [p.name for p in options if not p.help] == []
    assert cli.commands[name].help


# --- streams ------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """A pipe that nobody reads from any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("arguments", [["plan"], ["check"], ["check", "--format", "json"]])
def test_reader_that_has_seen_enough_gets_no_traceback(arguments: list[str], good: Path, closed_pipe: int) -> None:
    done = process(*arguments, good, stdout=closed_pipe)

    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "bug in dpcompile" not in done.stderr


def test_head_gets_its_line_and_nobody_complains(good: Path) -> None:
    command = f'"{sys.executable}" -m dpcompile schema job --model wan13 | head -1'

    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("{\n", "")


def test_findings_that_nobody_reads_do_not_stop_the_command(good: Path, bad: Path, closed_pipe: int) -> None:
    assert process("plan", good, stderr=closed_pipe).returncode == 0
    assert process("plan", bad, stderr=closed_pipe).returncode == 1


@needs_full_device
@pytest.mark.parametrize("arguments", [["check"], ["plan"], ["--help"], ["schema", "job"]])
def test_output_to_a_full_device_is_told_and_is_no_bug(arguments: list[str], good: Path) -> None:
    arguments = [*arguments, str(good)] if arguments[0] in ("check", "plan") else arguments

    with FULL.open("w") as full:
        done = process(*arguments, stdout=full)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "the output cannot be written: No space left on device"
    assert "Traceback" not in done.stderr
    assert "bug in dpcompile" not in done.stderr


@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-"])
def test_closed_stream_is_no_bug(closing: str, good: Path) -> None:
    command = f'"{sys.executable}" -m dpcompile check "{good}" {closing}'

    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_job_from_a_closed_stdin_is_told() -> None:
    command = f'"{sys.executable}" -m dpcompile check - <&-'

    done = subprocess.run(["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stdout.startswith("<stdin>: error DPC101: stdin is closed")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_message_is_printed_whatever_the_terminal_can_show(encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path, job(training={"passthrough": {"x": 1}}), "日本.json")

    done = process("check", path, env=environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0"), errors="replace")

    assert done.returncode == 1
    assert "error DPC217" in done.stdout


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-8", 'named "学習率"'), ("latin-1", 'named "\\u5b66\\u7fd2\\u7387"')]
)
def test_a_terminal_shows_letters_and_not_their_escapes(encoding: str, told: str, tmp_path: Path) -> None:
    path = written(tmp_path, job(training={"学習率": 1}))
    env = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0", COLUMNS="100")

    leader, follower = pty.openpty()
    subprocess.run([sys.executable, "-m", "dpcompile", "check", path], env=env, stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    with suppress(OSError):  # the end of what was written to a terminal
        while piece := os.read(leader, 65536):
            shown += piece
    os.close(leader)

    assert told in shown.decode(encoding)
    assert "\\u5b66" in process("check", path, env=env).stdout  # a pipe gets the same everywhere


def test_json_is_the_same_in_every_locale(tmp_path: Path) -> None:
    path = written(tmp_path, job(training={"caption_prefix": "é, "}), "é.json")

    outputs = {
        process("render", path, "--format", "json", "--job-id", "x", env=environment(**locale)).stdout
        for locale in ({"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "1"})
    }

    assert len(outputs) == 1


# --- environment --------------------------------------------------------------------------------------------


def test_volume_comes_from_the_environment_unless_it_is_given(good: Path) -> None:
    env = {"NETWORK_VOLUME": "/from-env"}

    assert dpcompile("plan", good).json["folders"]["volume"] == "/runpod-volume"
    assert dpcompile("plan", good, env=env).json["folders"]["volume"] == "/from-env"
    assert dpcompile("plan", good, "--volume", "/given", env=env).json["folders"]["volume"] == "/given"
    assert dpcompile("plan", good, env={"NETWORK_VOLUME": ""}).json["folders"]["volume"] == "/runpod-volume"


def test_volume_that_cannot_be_used_is_told_even_when_it_is_empty(good: Path) -> None:
    done = dpcompile("check", good, "--volume", "")

    assert done.code == 1
    assert done.out.startswith("--volume: error DPC226")


def test_spec_folders_come_from_option_and_environment(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(f"name: {name}\ntitle: Mine\nextends: flux\n", "utf-8")
    more = os.pathsep.join([str(tmp_path / "two"), "", str(tmp_path / "three")])

    listed = dpcompile("models", "--specs", tmp_path / "one", "--format", "json", env={"DPCOMPILE_SPECS": more})

    assert {"one", "two", "three", *ALL_MODELS} == {model["name"] for model in listed.json}


def test_spec_folder_that_is_not_there_is_told(good: Path) -> None:
    done = dpcompile("check", good, "--specs", "/no/such/folder")

    assert "DPC308" in done.out
    assert "/no/such/folder" in done.out


# --- completion ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o nosort"), ("zsh", "#compdef dpcompile"), ("fish", "complete --no-files")]
)
def test_shell_gets_its_completion_script(shell: str, mark: str) -> None:
    done = dpcompile(env={"_DPCOMPILE_COMPLETE": f"{shell}_source"})

    assert done.code == 0
    assert mark in done.out


def completed(shell: str, line: str) -> set[str]:
    """The words that a shell offers at the end of a line."""
    *before, last = line.split(" ")
    word = last if shell == "fish" else str(len(before))
    env = {"_DPCOMPILE_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": word}
    done = dpcompile(env=env)
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if line]
    return set(lines[1::3]) if shell == "zsh" else {line.partition(",")[2].split("\t")[0] for line in lines}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("dpcompile mod", {"models"}),
        ("dpcompile models wan", {name for name in ALL_MODELS if name.startswith("wan")}),
        ("dpcompile init z_image_t", {"z_image_turbo"}),
        ("dpcompile schema job --model wan13", {"wan13"}),
        ("dpcompile schema da", {"dataset"}),
        ("dpcompile explain dpc50", {"DPC501", "DPC502", "DPC504", "DPC505"}),
        ("dpcompile check --for", {"--format"}),
        ("dpcompile check --format g", {"github"}),
        ("dpcompile models zzz", set()),
    ],
)
def test_shell_completes_commands_options_models_and_codes(shell: str, line: str, words: set[str]) -> None:
    assert completed(shell, line) == words


@pytest.mark.parametrize(
    "line", ["dpcompile check fo", "dpcompile check a.json fo", "dpcompile plan fo", "dpcompile why fo"]
)
def test_shell_completes_names_of_files_for_jobs(line: str) -> None:
    env = {"_DPCOMPILE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}

    assert dpcompile(env=env).out == "file,fo\n"
