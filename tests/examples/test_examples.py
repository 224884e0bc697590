"""The examples do what they are shown for."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from acp_agent.llm.provider import ErrorKind
from acp_agent.llm.scripted import ScriptedStep, read_script
from tests.harness import scripted_config

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENT = EXAMPLES / "minimal_client.py"
SCRIPTS = sorted((EXAMPLES / "scripted").glob("*.json"))


def run(program: Path, *arguments: str, config: Any = None, words: str = "", **more: Any) -> Any:
    environment = {**os.environ, "OPENCODE_CONFIG_CONTENT": json.dumps(config or {}), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(program), *arguments]
    return subprocess.run(
        command, input=words, capture_output=True, encoding="utf-8", env=environment, timeout=60, check=False, **more
    )


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_the_minimal_client_is_under_80_lines_of_the_standard_library() -> None:
    assert len(CLIENT.read_text("utf-8").splitlines()) < 80
    assert imported(CLIENT) <= sys.stdlib_module_names
    assert imported(EXAMPLES / "demo.py") <= sys.stdlib_module_names | {"minimal_client"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_can_be_played(path: Path) -> None:
    assert read_script(path)


def test_the_readme_of_the_scripts_names_every_script_key_and_kind_of_error() -> None:
    text = (EXAMPLES / "scripted" / "README.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([\w-]+\.json)` \|", text, re.MULTILINE)) == {path.name for path in SCRIPTS}
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == ScriptedStep.model_fields.keys()
    kinds = text.split("The kinds of errors are ")[1].split(". ")[0]
    assert set(re.findall(r"`(\w+)`", kinds)) == set(get_args(ErrorKind))


@pytest.mark.e2e
def test_the_minimal_client_talks_with_the_agent(tmp_path: Path) -> None:
    config = scripted_config(EXAMPLES / "scripted" / "say-hello.json")
    done = run(CLIENT, config=config, words="Hello?\nAnd?\n", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Hello! I am a script, so I can only say what stands in my file.\n[end_turn]\n"
        "That was my last line. The next prompt finds no further step and fails.\n[end_turn]\n"
    )


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("arguments", "words", "state"),
    [
        (["--yes"], "", "completed"),
        ([], "allow_once\n", "completed"),
        ([], "reject_once\n", "failed"),
        ([], "\n", "failed"),
    ],
)
def test_the_minimal_client_asks_before_a_call_may_run(
    arguments: list[str], words: str, state: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("NAME=value\n")
    config = scripted_config(EXAMPLES / "scripted" / "ask-permission.json")
    command = [sys.executable, "-m", "acp_agent", "acp"]
    done = run(CLIENT, *arguments, *command, config=config, words=f"Go on.\n{words}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"[{state}: .env]" in done.stdout
    assert ("reject_once (Reject)" in done.stdout) == (not arguments)
    assert done.stdout.endswith("Whatever you chose, the model was told, and the turn went on.\n[end_turn]\n")


@pytest.mark.e2e
def test_the_demonstration_shows_plan_change_and_result_and_leaves_nothing_behind(tmp_path: Path, home: Path) -> None:
    done = run(EXAMPLES / "demo.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    expected = (
        "python -m unittest: FAILED",
        "▸ Read basket.py and its test",
        "✓ read test_basket.py",
        "✓ edit basket.py",
        "-    return sum(prices) - discount_percent",
        "+    return sum(prices) * (100 - discount_percent) // 100",
        "$ python -m unittest --verbose",
        "[exit code 0 after",
        "✓ Run the test",
        "Both tests pass now.",
        "1 file changed, 1 insertion(+), 1 deletion(-)",
        "python -m unittest: OK",
        "✓ the test passes (the agent ended with end_turn)",
    )
    places = [shown.find(text) for text in expected]
    assert -1 not in places[:2], shown
    assert all(text in shown for text in expected), shown
    assert places[0] < places[1] < places[4] < places[6] < places[9] < places[11] < places[12]
    assert "\x1b" not in shown, "colours on what is no terminal"
    assert [*tmp_path.iterdir(), *home.iterdir()] == []


@pytest.mark.e2e
def test_a_demonstration_that_goes_wrong_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    (folder / "scripted").mkdir(parents=True)
    for name in ("demo.py", "minimal_client.py"):
        (folder / name).write_bytes((EXAMPLES / name).read_bytes())
    steps = [{"text": "It works, believe me."}]
    (folder / "scripted" / "fix-the-test.json").write_text(json.dumps(steps))

    done = run(folder / "demo.py", cwd=tmp_path)

    assert done.returncode == 1
    assert "✗ something went wrong (the agent ended with end_turn)" in done.stdout


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("no_color", "has_colours"), [("", True), ("1", False)])
def test_the_demonstration_is_coloured_on_a_terminal_that_wants_it(
    no_color: str, has_colours: bool, tmp_path: Path
) -> None:
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(EXAMPLES / "demo.py")]
    shown = b""
    with subprocess.Popen(command, stdout=theirs, env=environment, cwd=tmp_path) as process:
        os.close(theirs)
        while data := _read(ours):
            shown += data
        assert process.wait(60) == 0
    os.close(ours)
    assert (b"\x1b[32m+    return sum(prices) *" in shown) == has_colours
    assert (b"\x1b" in shown) == has_colours


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux tells that nobody holds the terminal's other end any more
        return b""
