"""The wheel and the source distribution: what is in them, and that the wheel works where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

REQUIREMENTS = ["click", "jinja2", "jsonschema", "pyyaml", "toml==0.10.2"]
SHIPPED_AS = {
    "dpcompile": "dpcompile",
    "templates": "dpcompile/_data/templates",
    "model_specs": "dpcompile/_data/model_specs",
    "schemas": "dpcompile/_data/schemas",
}
NOT_SHIPPED = ("tests", "worker", "benchmarks", "demo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributions:
    wheel: Path
    sdist: Path


def run(*command: str | Path, cwd: Path) -> str:
    """What the command printed; a failure shows all of its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file by its path below the folder, less what Python and the system leave behind."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store"
    }


@pytest.fixture(scope="module")
def built(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    # Without further flags the wheel is built from the sdist, which shows that the sdist is enough for that.
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, cwd=repo_root)
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    return Distributions(wheel=wheel, sdist=sdist)


@pytest.fixture(scope="module")
def wheel_files(built: Distributions) -> dict[str, bytes]:
    with zipfile.ZipFile(built.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist_files(built: Distributions) -> dict[str, bytes]:
    files = {}
    with tarfile.open(built.sdist) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files


@pytest.fixture(scope="module")
def metadata(wheel_files: dict[str, bytes]) -> Message:
    (name,) = (name for name in wheel_files if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel_files[name].decode())


@pytest.fixture(scope="module")
def installed(built: Distributions, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs in an environment with the wheel, what it asks for, and nothing else."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python")
    run(*pip, "install", "--quiet", "-c", repo_root / "constraints.txt", built.wheel, cwd=home)
    return programs


def test_wheel_holds_the_package_and_its_data_and_nothing_else(wheel_files: dict[str, bytes], repo_root: Path) -> None:
    expected = {
        f"{target}/{name}": content
        for folder, target in SHIPPED_AS.items()
        for name, content in files_under(repo_root / folder).items()
    }
    found = {name: content for name, content in wheel_files.items() if ".dist-info/" not in name}

    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.mark.parametrize(
    "start",
    [
        "dpcompile/py.typed",
        "dpcompile/explanations/",
        "dpcompile/_data/templates/",
        "dpcompile/_data/model_specs/",
        "dpcompile/_data/schemas/",
    ],
)
def test_wheel_holds_what_the_compiler_reads(wheel_files: dict[str, bytes], start: str) -> None:
    assert any(name.startswith(start) for name in wheel_files)


def test_wheel_tells_its_licence_and_its_needs(wheel_files: dict[str, bytes], metadata: Message) -> None:
    needs = [need for need in metadata.get_all("Requires-Dist", []) if "extra ==" not in need]

    assert metadata["Name"] == "dpcompile"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert sorted(need.partition(">")[0] for need in needs) == REQUIREMENTS
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_files)


def test_sdist_holds_all_that_the_tests_need(sdist_files: dict[str, bytes], repo_root: Path) -> None:
    expected = {
        f"{folder}/{name}" for folder in (*SHIPPED_AS, *NOT_SHIPPED) for name in files_under(repo_root / folder)
    }
    expected |= {"pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE", ".ci/run"}

    assert sorted(expected - sdist_files.keys()) == []


def test_installed_wheel_reads_its_own_data(installed: Path, tmp_path: Path) -> None:
    code = "from dpcompile.resources import DataDirs; print(DataDirs.default().schemas)"

    schemas = Path(run(installed / "python", "-c", code, cwd=tmp_path).strip())

    assert schemas.is_relative_to(installed.parent.resolve())
    assert schemas.parts[-3:] == ("dpcompile", "_data", "schemas")


def test_installed_command_renders_a_job(installed: Path, repo_root: Path, tmp_path: Path) -> None:
    job = min((repo_root / "tests" / "examples" / "valid").glob("*.json"))

    run(installed / "dpcompile", "render", job, "--out", tmp_path / "out", cwd=tmp_path)

    assert {"train.toml", "dataset.toml", "plan.json"} <= files_under(tmp_path / "out").keys()


def test_installed_command_explains_a_code(installed: Path, repo_root: Path, tmp_path: Path) -> None:
    code = min((repo_root / "dpcompile" / "explanations").glob("DPC*.md")).stem

    assert code in run(installed / "dpcompile", "explain", code, cwd=tmp_path)
