"""A built wheel, installed in an environment of its own, answers `initialize`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pydantic
import pytest

from tests.e2e.conftest import Spawn

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        find_spec("build") is None or find_spec("hatchling") is None, reason="needs build and hatchling"
    ),
]

ROOT = Path(__file__).parents[2]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (file,) = folder.glob("*.whl")
    return file


def test_the_wheel_brings_the_protocol_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"acp_agent"}
    expected = {
        f"acp_agent/_protocol/{file.relative_to(ROOT / 'protocol')}" for file in (ROOT / "protocol").rglob("*.*")
    }
    assert expected
    assert expected <= set(names)
    assert "acp_agent/py.typed" in names


def test_an_installed_wheel_answers_initialize(wheel: Path, spawn: Spawn, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    # The dependencies come from here, but not this checkout: a path in a .pth file is not searched for more of them.
    (site,) = (venv / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(f"{Path(pydantic.__file__).parents[1]}\n")
    where = run(python, "-I", "-c", "import acp_agent; print(acp_agent.__file__)")
    assert Path(where.strip()).is_relative_to(site)

    agent = spawn(command=[str(venv / "bin" / "opencode-acp")], initialize=False)

    assert agent.initialize()["agentInfo"]["name"] == "acp-agent"
    assert agent.new(tmp_path)
