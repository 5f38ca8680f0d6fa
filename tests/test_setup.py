"""The way in: what Binder builds, what `make` sets up and how it says what is missing, what a wheel holds."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from needs import missing

from tools.kernels import CELL_TIMEOUT

ROOT = Path(__file__).resolve().parent.parent
POSIX = pytest.mark.skipif(os.name != "posix", reason="make and sh")
LIMIT = 600  # seconds for an installation: pip over a slow line
OFFLINE = re.compile(r"error sending request|dns error|NewConnectionError|Temporary failure in name|unreachable", re.I)


def run(command: Sequence[str | Path], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**environment, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=LIMIT,
    )


def find_uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def install(arguments: Sequence[str], folder: Path, venv: Path) -> Path:
    """Make a fresh environment of this Python, install into it from `folder`, and return its interpreter."""
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if uv := find_uv():
        made = run([uv, "venv", "--quiet", "--python", sys.executable, venv], folder)
        installer: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", python]
    else:
        made = run([sys.executable, "-m", "venv", venv], folder)
        installer = [python, "-m", "pip", "install", "--quiet"]
    assert made.returncode == 0, made.stdout
    done = run([*installer, *arguments], folder)
    if done.returncode and OFFLINE.search(done.stdout):
        missing("the package index", "this test installs from it; run it where there is a network")
    assert done.returncode == 0, done.stdout
    return python


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, as Binder would clone it: building in it leaves nothing in the repository."""
    listed = run(["git", "ls-files", "-z"], ROOT)
    if listed.returncode:
        pytest.skip("not a git checkout: nothing says which files belong to the repository")
    copy = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def dockerfile(checkout: Path) -> str:
    """What repo2docker would have Docker build; rendering needs no Docker."""
    command = Path(sys.executable).parent / "jupyter-repo2docker"
    if not command.exists():
        missing("jupyter-repo2docker", "install requirements-dev.txt")
    done = run([command, "--no-build", "--debug", "."], checkout)
    assert done.returncode == 0, done.stdout
    return done.stdout


class TestBinder:
    def test_requirements_pull_in_the_roots_and_the_package(self) -> None:
        """With a folder binder/, repo2docker reads nothing else."""
        assert (ROOT / "binder" / "requirements.txt").read_text().split("\n")[0] == "-r ../requirements.txt"
        assert "-e ." in (ROOT / "requirements.txt").read_text().splitlines()

    def test_python_is_the_one_asked_for(self, dockerfile: str) -> None:
        asked = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
        assert asked in ("3.10", "3.11", "3.12", "3.13")
        assert "using current default Python" not in dockerfile
        # The name of the lock file that it copies into the image, with its punctuation escaped.
        assert f"environment.py-{asked}-linux-64.lock" in re.sub(
            r"-([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), dockerfile
        )

    def test_post_build_is_run(self, dockerfile: str) -> None:
        assert "RUN ./binder/postBuild" in dockerfile

    def test_whole_repository_is_there_before_pip_runs(self, dockerfile: str) -> None:
        """`-r ../requirements.txt` and `-e .` need it; repo2docker installs early where it sees no such line."""
        assert dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/") < dockerfile.index("/bin/pip install")

    def test_notebook_runs_in_what_binder_installs(self, dockerfile: str, checkout: Path, tmp_path: Path) -> None:
        """Exactly Binder's pip line, in a fresh environment; notebook 01 then shows there what is stored in it."""
        notebooks = sorted((checkout / "notebooks").glob("01_*.ipynb"))
        if not notebooks:
            pytest.skip("there is no notebook 01 yet")
        (line,) = re.findall(r"^RUN \$\{KERNEL_PYTHON_PREFIX\}/bin/pip install (.+)$", dockerfile, re.MULTILINE)
        arguments = [word for word in shlex.split(line) if word != "--no-cache-dir"]
        assert arguments == ["-r", "binder/requirements.txt"]
        python = install(arguments, checkout, tmp_path / "venv")
        where = run([python, "-c", "import socketlab; print(socketlab.__file__)"], tmp_path)
        assert Path(where.stdout.strip()) == checkout / "socketlab" / "__init__.py", where.stdout
        prefix = python.parent.parent
        built = run(
            [checkout / "binder" / "postBuild"],
            checkout,
            NB_PYTHON_PREFIX=str(prefix),
            PATH=f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        )
        assert built.returncode == 0, built.stdout
        assert "fetchNews" in (prefix / "share/jupyter/lab/settings/overrides.json").read_text()
        done = run([python, "tools/record.py", "--check", notebooks[0]], checkout)
        assert done.returncode == 0, done.stdout


class TestPackage:
    def test_wheel_holds_every_file_of_the_package(self, checkout: Path, tmp_path: Path) -> None:
        if uv := find_uv():
            done = run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path, "."], checkout)
        else:
            assert run([sys.executable, "-m", "venv", tmp_path / "venv"], checkout).returncode == 0
            pip = [tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python", "-m", "pip"]
            done = run([*pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, "."], checkout)
        if done.returncode and OFFLINE.search(done.stdout):
            missing("the package index", "building fetches setuptools from it; run it where there is a network")
        assert done.returncode == 0, done.stdout
        (wheel,) = tmp_path.glob("*.whl")
        inside = set(zipfile.ZipFile(wheel).namelist())
        tracked = {path.relative_to(checkout).as_posix() for path in (checkout / "socketlab").rglob("*.*")}
        assert {name for name in tracked if "__pycache__" not in name} <= inside
        assert any(name.endswith("licenses/LICENSE") for name in inside)
        outside = {name.split("/")[0] for name in inside} - {"socketlab"}
        assert all(name.endswith(".dist-info") for name in outside), outside

    HEAVY = ("matplotlib", "numpy", "ipywidgets", "IPython", "asyncio", "tempfile", "inspect")

    @pytest.mark.parametrize("heavy", HEAVY)
    def test_import_is_light(self, heavy: str) -> None:
        """What the import of socketlab adds to that of socket; site may have loaded more for reasons of its own."""
        code = "import sys, socket; before = set(sys.modules); import socketlab; print(*set(sys.modules) - before)"
        done = run([sys.executable, "-c", code], ROOT)
        assert "socketlab" in done.stdout.split(), done.stdout
        assert heavy not in done.stdout.split()


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@POSIX
class TestSetup:
    """tools/setup, with interpreters that are not what one hopes for."""

    TOOLS = ("sh", "env", "dirname", "rm", "mktemp", "cut", "tr", "touch")

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """A PATH with a few tools and nothing of Python."""
        folder = tmp_path / "bin"
        folder.mkdir()
        for tool in self.TOOLS:
            where = shutil.which(tool)
            assert where
            (folder / tool).symlink_to(where)
        return folder

    def setup(self, path: Path, asked: str = "") -> subprocess.CompletedProcess[str]:
        arguments = [path.parent / "venv", asked, "requirements.txt"]
        return run(["sh", ROOT / "tools" / "setup", *arguments], path, PATH=str(path))

    def test_no_python(self, path: Path) -> None:
        done = self.setup(path)
        assert done.returncode == 1
        assert "wanted Python 3.10 or newer, found none" in done.stdout
        assert "sudo apt install python3" in done.stdout

    @pytest.mark.parametrize("asked", ["", "python3"])
    def test_python_too_old(self, path: Path, asked: str) -> None:
        executable(path / "python3", "#!/bin/sh\ncase $2 in *exit*) exit 1;; *) echo 3.8.18;; esac\n")
        done = self.setup(path, asked)
        assert done.returncode == 1
        assert "wanted Python 3.10 or newer, found 3.8.18" in done.stdout
        assert ("(PYTHON=python3)" in done.stdout) == bool(asked)

    def test_python_without_venv_and_pip(self, path: Path) -> None:
        executable(
            path / "python3",
            f"""#!/bin/sh
            case "$1 $2" in
                "-m pip") echo "No module named pip" >&2; exit 1;;
                "-m venv") echo "ensurepip is not available." >&2; exit 1;;
                *executable*) echo {path / "python3"}; exit;;
            esac
            exec {sys.executable} "$@"
            """,
        )
        done = self.setup(path)
        assert done.returncode == 1
        assert f"sudo apt install python3.{sys.version_info.minor}-venv" in done.stdout
        assert "ensurepip is not available" in done.stdout
        assert not (path.parent / "venv").exists()

    SCRIPTS = (("sh", "tools/setup"), ("bash", ".ci/run"), ("bash", "binder/postBuild"))

    @pytest.mark.parametrize(("shell", "script"), SCRIPTS)
    def test_scripts_parse(self, shell: str, script: str) -> None:
        assert run([shell, "-n", script], ROOT).stdout == ""
        assert shell == "sh" or os.access(ROOT / script, os.X_OK)


def test_one_cell_timeout() -> None:
    """`make record` and pytest give a cell the same time."""
    assert f"--nbval-cell-timeout={CELL_TIMEOUT} " in (ROOT / "pyproject.toml").read_text().replace('"', " ")


def test_kernels_are_quiet() -> None:
    """Plain `pytest --nbval` sets it as `make test` does; kernels inherit it."""
    assert os.environ["SOCKETLAB_QUIET"] == "1"


def test_nbval_comes_without_the_slow_parser() -> None:
    assert sys.modules["rfc3987_syntax"] is None
    assert "nbval.plugin" in sys.modules
