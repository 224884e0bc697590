"""Limits that hold because this file enforces them: sizes, layers, docstrings, and what is loaded when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import acp_agent

PACKAGE = Path(acp_agent.__file__).parent
PROJECT = PACKAGE.parent
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [path.relative_to(PACKAGE).as_posix() for path in FILES]

LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 50
PARAMETERS_OF_A_CONSTRUCTOR = 8

# A table of names, one a line, has no length that a reader feels.
LISTS = {"schema/__init__.py"}

each_file = pytest.mark.parametrize("path", FILES, ids=NAMES)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@each_file
def test_a_file_has_at_most_350_lines(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() not in LISTS:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_FILE


@each_file
def test_a_function_has_at_most_50_lines(path: Path) -> None:
    long = {
        f"{function.name}:{function.lineno}": function.end_lineno - function.lineno + 1
        for function in _functions(_tree(path))
        if function.end_lineno and function.end_lineno - function.lineno + 1 > LINES_OF_A_FUNCTION
    }
    assert long == {}


@each_file
def test_a_constructor_has_at_most_eight_parameters(path: Path) -> None:
    many = {
        f"{function.name}:{function.lineno}": len(function.args.args) + len(function.args.kwonlyargs) - 1
        for function in _functions(_tree(path))
        if function.name == "__init__"
        and len(function.args.args) + len(function.args.kwonlyargs) - 1 > PARAMETERS_OF_A_CONSTRUCTOR
    }
    assert many == {}


def test_the_context_of_a_tool_has_at_most_six_fields() -> None:
    from dataclasses import fields

    from acp_agent.tools.base import ToolContext

    assert len(fields(ToolContext)) <= 6


@each_file
def test_every_public_name_says_what_it_promises(path: Path) -> None:
    tree = _tree(path)
    assert ast.get_docstring(tree), "the module"
    public = [
        node
        for node in [
            *tree.body,
            *(inner for outer in tree.body if isinstance(outer, ast.ClassDef) for inner in outer.body),
        ]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    private = {id(inner) for outer in tree.body if isinstance(outer, ast.ClassDef) and outer.name.startswith("_")
               for inner in outer.body}  # fmt: skip
    assert [node.name for node in public if not ast.get_docstring(node) and id(node) not in private] == []


@each_file
def test_nothing_is_left_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    left = [word for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK") if word in text]
    assert left == []
    raised = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Name) and node.id == "NotImplementedError"]
    assert raised == []


@each_file
def test_no_module_changes_the_working_directory_or_prints_beside_the_command_line(path: Path) -> None:
    where = path.relative_to(PACKAGE).parts[0]
    names = {ast.unparse(node.func) for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)}
    assert "os.chdir" not in names
    assert where == "cli" or "print" not in names


def test_an_exception_of_any_kind_is_caught_in_few_places_and_each_says_why() -> None:
    found = {}
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name) and node.type.id == "Exception":
                line = lines[node.lineno - 1]
                reraises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
                assert reraises or " - " in line, f"{path}:{node.lineno} gives no reason"
                found[path.relative_to(PACKAGE).as_posix()] = found.get(path.relative_to(PACKAGE).as_posix(), 0) + 1
    assert set(found) <= {"rpc/connection.py", "session/calls.py", "session/session.py", "session/manager.py"}


def test_the_layers_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# What is loaded, and when. An editor waits for `initialize` and for `session/new`; nothing may delay them for later.

HEAVY = {
    "openai",
    "anthropic",
    "jsonschema",
    "httpx",
    "difflib",
    "mcp",
    "tree_sitter",
    "urllib.request",
    "xml.etree",
    "http.client",
    "pydantic.v1",
    "trio",
    "pytest",
}
"""Not `argparse`, `asyncio`, `sqlite3`: these are needed or cost little."""

NOT_BEFORE_INITIALIZE = {"pydantic", "anyio", "asyncio", "sqlite3", "argparse", "dataclasses", "inspect"}


def _loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after the code."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, cwd=PROJECT
    )
    return set(done.stdout.split())


def test_initialize_is_answered_with_little_more_than_the_standard_library() -> None:
    code = """
from acp_agent.cli.acp import Handshake, StdioTransport
assert Handshake().early(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}')
"""
    assert _loaded(code) & (HEAVY | NOT_BEFORE_INITIALIZE) == set()


SESSION_NEW = """
import anyio, json, os, tempfile
from acp_agent.agent.handshake import Handshake
from acp_agent.app import App, Settings
from acp_agent.rpc.memory import memory_transports

folder = tempfile.mkdtemp()
os.environ.update(HOME=folder, XDG_DATA_HOME=folder, XDG_CONFIG_HOME=folder, ANTHROPIC_API_KEY="sk-test-key")
# The SDK of a vendor's model would be loaded behind the response.
scripted = {"options": {"script": "none"}}
config = {"model": "scripted/x", "provider": {"scripted": scripted}, "permission": {"edit": "ask"}}
os.environ["OPENCODE_CONFIG_CONTENT"] = json.dumps(config)

async def main():
    ours, theirs = memory_transports()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(App(Settings()).serve, theirs, Handshake())
        for id, method, params in (
            (1, "initialize", {"protocolVersion": 1}), (2, "session/new", {"cwd": folder, "mcpServers": []}),
        ):
            await ours.send([json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode()])
            assert "result" in json.loads(await ours.receive())
        ours.close()

anyio.run(main)
"""


def test_loading_the_program_builds_no_model_and_no_archive_reader() -> None:
    """A single model that is made at import costs more than the whole of pydantic; its plugin loader gives it away."""
    loaded = _loaded("import acp_agent.app")
    assert loaded & {"importlib.metadata", "pydantic.plugin._loader", "zipfile", "email", "tempfile", "shlex"} == set()


def test_session_new_is_answered_without_any_vendors_sdk() -> None:
    assert _loaded(SESSION_NEW) & HEAVY == set()


@pytest.mark.parametrize("command", ["version", "help", "models"])
def test_a_quick_command_loads_no_vendors_sdk(command: str) -> None:
    code = f"""
import sys
from acp_agent.cli.main import main
try:
    main([{command!r}])
except SystemExit as end:
    assert not end.code, end.code
"""
    assert _loaded(code) & {"openai", "anthropic", "jsonschema", "sqlite3", "difflib"} == set()
