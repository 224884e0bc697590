"""Shell lines in the client's terminal: what is asked, in which order, and that every terminal is given back."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from acp_agent.client.shell_script import ShellScript
from acp_agent.client.terminals import ClientTerminals, NotStarted
from acp_agent.client.workspace import ClientWorkspace
from acp_agent.log import NO_LOG
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import ClientCapabilities
from acp_agent.tools.base import ToolError
from acp_agent.tools.local import LocalWorkspace
from acp_agent.tools.process_table import ProcessTable
from acp_agent.tools.workspace import Command, CommandResult, Output
from tests.client.terminal_host import TerminalHost

pytestmark = pytest.mark.anyio

FAKE_CLOCK = pytest.mark.parametrize(
    "anyio_backend", [pytest.param(("trio", {"clock": MockClock(autojump_threshold=0)}))]
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scripts are kept; nothing may be left there."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(params=[False, True], ids=["executes", "joins"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TerminalHost]:
    host = TerminalHost(tmp_path, joined=request.param)
    yield host
    assert host.terminals == {}, "a terminal was not released"


@pytest.fixture
def plain_host(tmp_path: Path) -> Iterator[TerminalHost]:
    host = TerminalHost(tmp_path)
    yield host
    assert host.terminals == {}, "a terminal was not released"


class Shown:
    """What was shown, and how far the client had been asked at that time."""

    def __init__(self, host: TerminalHost) -> None:
        self.host = host
        self.outputs: list[Output] = []
        self.asked: list[list[str]] = []

    async def __call__(self, output: Output) -> None:
        self.outputs.append(output)
        self.asked.append(self.host.methods)


async def run(host: TerminalHost, line: str, timeout: float = 20, shown: Any = None) -> CommandResult:
    terminals = ClientTerminals("ses", host, dict(os.environ), NO_LOG)
    with anyio.fail_after(60):
        return await terminals.run(Command(line, host.folder, timeout, "call"), shown or Shown(host))


HARD = "printf '%s|' \"a b\" 'c\"d' $HOME/*.none '\\n' é; echo; for i in 1 2; do\n  echo \"$i\"\ndone; (exit 3)"


async def test_a_line_means_the_same_however_the_client_starts_it(host: TerminalHost) -> None:
    here = await LocalWorkspace((host.folder,), ProcessTable(), dict(os.environ)).run(
        Command(HARD, host.folder, 20, "call"), Shown(host)
    )
    there = await run(host, HARD)
    assert (there.output, there.exit_code, there.signal) == (here.output, 3, None)
    assert 'a b|c"d|' in there.output


async def test_the_recipe_is_create_wait_output_release_and_the_terminal_is_shown_before_its_release(
    host: TerminalHost,
) -> None:
    shown = Shown(host)
    result = await run(host, "echo out; echo err >&2", shown=shown)
    assert host.methods == ["create", "wait_for_exit", "output", "release"]
    assert (result.output, result.exit_code, result.total_bytes) == ("out\nerr\n", 0, 8)
    assert shown.outputs == [Output("", "", "term-1")]
    assert "release" not in shown.asked[0]


async def test_what_is_created_needs_no_quotes_and_brings_no_secret(
    plain_host: TerminalHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    terminals = ClientTerminals("ses", plain_host, environment, NO_LOG)
    line = 'echo "${OPENAI_API_KEY-none} $GIT_TERMINAL_PROMPT"; pwd'
    result = await terminals.run(Command(line, plain_host.folder, 20, "call"), Shown(plain_host))
    assert result.output == f"none 0\n{plain_host.folder}\n"  # the client's own environment has the key
    params = plain_host.asked[0][1]
    assert params["command"] == "sh"
    assert [bool(re.fullmatch(r"/[A-Za-z0-9_./-]+", each)) for each in params["args"]] == [True]
    assert params["cwd"] == str(plain_host.folder)
    assert params["outputByteLimit"] == 256 * 1024
    assert "from-the-environment" not in str(plain_host.asked)


async def test_nothing_can_be_typed_into_a_line(host: TerminalHost) -> None:
    assert (await run(host, "cat; read x; echo $?")).output == "1\n"


async def test_a_signal_is_told(plain_host: TerminalHost) -> None:
    result = await run(plain_host, "kill -9 $$")
    assert (result.exit_code, result.signal) == (None, "SIGKILL")


async def test_a_line_that_takes_too_long_is_killed_and_its_output_kept(plain_host: TerminalHost) -> None:
    result = await run(plain_host, "echo begun; exec sleep 60", timeout=1)
    assert plain_host.methods == ["create", "wait_for_exit", "kill", "output", "release"]
    assert (result.timed_out, result.exit_code, result.signal, result.output) == (True, None, None, "begun\n")


async def test_a_cancelled_line_is_killed_and_its_terminal_released(host: TerminalHost) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, host, "sleep 60")
        await host.until("wait_for_exit")
        tasks.cancel_scope.cancel()
    assert host.methods[-2:] == ["kill", "release"]
    assert host.cancelled == ["terminal/wait_for_exit"]


async def test_a_terminal_that_is_named_after_the_cancellation_is_released_too(plain_host: TerminalHost) -> None:
    async with anyio.create_task_group() as tasks:

        def cancel(method: str, _params: Any) -> Any:
            if method == "terminal/create":
                tasks.cancel_scope.cancel()

        plain_host.answer = cancel
        tasks.start_soon(run, plain_host, "sleep 60")
    assert plain_host.methods == ["create", "release"]


async def test_a_cancelled_line_does_not_wait_long_for_a_terminal_that_is_not_named(plain_host: TerminalHost) -> None:
    plain_host.answer = lambda _method, _params: ...
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, plain_host, "sleep 60")
            await plain_host.until("create")
            tasks.cancel_scope.cancel()
    assert plain_host.methods == ["create"]
    assert plain_host.cancelled == ["terminal/create"]
    late = {"sessionId": "ses", "terminalId": "late"}
    assert plain_host.undo({"terminalId": "late"}) == [("terminal/kill", late), ("terminal/release", late)]
    assert [*plain_host.undo({"terminalId": 5}), *plain_host.undo(None)] == []


@pytest.mark.parametrize("method", ["terminal/kill", "terminal/release"])
async def test_a_client_that_does_not_answer_on_the_way_out_is_not_waited_for(
    plain_host: TerminalHost, method: str
) -> None:
    plain_host.answer = lambda asked, _params: ... if asked == method else None
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, plain_host, "sleep 60")
            await plain_host.until("wait_for_exit")
            tasks.cancel_scope.cancel()
    assert plain_host.methods[-2:] == ["kill", "release"]
    for terminal in plain_host.terminals.values():
        plain_host._kill(terminal)
        await terminal.process.wait()
    plain_host.terminals.clear()


@pytest.mark.parametrize(
    "answer", [RpcError(-32601, "Method not found"), RpcError(-32603, "no pty"), {}, {"terminalId": 5}, "t", []]
)
async def test_a_client_that_makes_no_terminal_has_run_nothing(plain_host: TerminalHost, answer: Any) -> None:
    plain_host.answer = lambda _method, _params: answer
    with pytest.raises(NotStarted):
        await run(plain_host, "echo x")
    assert plain_host.methods == ["create"]


@FAKE_CLOCK
async def test_a_client_that_never_answers_has_run_nothing_and_will_not(plain_host: TerminalHost) -> None:
    plain_host.answer = lambda _method, _params: ...
    terminals = ClientTerminals("ses", plain_host, dict(os.environ), NO_LOG)
    with pytest.raises(NotStarted):  # no deadline around it: the clock would jump there while the script is written
        await terminals.run(Command("echo x", plain_host.folder, 20, "call"), Shown(plain_host))
    assert plain_host.cancelled == ["terminal/create"]
    assert [method for method, _ in plain_host.undo({"terminalId": "late"})] == ["terminal/kill", "terminal/release"]
    assert not Path(plain_host.asked[0][1]["args"][0]).exists()


async def test_a_terminal_that_runs_something_else_has_not_run_the_line(plain_host: TerminalHost) -> None:
    real = plain_host._create

    async def elsewhere(params: dict[str, Any]) -> Any:  # as a client on another machine, where the script is not
        return await real({**params, "args": [params["args"][0] + ".none"]})

    plain_host._create = elsewhere  # type: ignore[method-assign]
    with pytest.raises(NotStarted, match="ended without running the command"):
        await run(plain_host, "echo x")


async def test_a_line_that_the_client_does_not_run_runs_in_our_own_shell_once(plain_host: TerminalHost) -> None:
    plain_host.answer = lambda _method, _params: RpcError(-32603, "no pty")
    local = LocalWorkspace((plain_host.folder,), ProcessTable(), dict(os.environ), in_client_terminal=True)
    workspace = ClientWorkspace("ses", local, plain_host, ClientCapabilities(terminal=True), NO_LOG)
    result = await workspace.run(Command("echo x >> log; cat log", plain_host.folder, 20, "call"), Shown(plain_host))
    assert (result.output, result.exit_code) == ("x\n", 0)


async def test_a_client_that_started_the_line_and_names_no_terminal_is_an_error_and_nothing_runs_twice(
    plain_host: TerminalHost,
) -> None:
    async def started(params: dict[str, Any]) -> Any:
        process = await anyio.run_process([params["command"], *params["args"]], cwd=params["cwd"])
        return {"exit": process.returncode}

    plain_host._create = started  # type: ignore[method-assign]
    with pytest.raises(ToolError, match="look before you run it again"):
        await run(plain_host, "echo x >> log")
    assert (plain_host.folder / "log").read_text() == "x\n"


@pytest.mark.parametrize("answer", [RpcError(-32603, "lost it"), [], "done"])
async def test_a_client_that_cannot_say_how_it_ended_is_an_error_and_everything_is_ended(
    plain_host: TerminalHost, answer: Any
) -> None:
    plain_host.answer = lambda method, _params: answer if method == "terminal/wait_for_exit" else None
    with pytest.raises(ToolError, match="could not say how the command ended"):
        await run(plain_host, "sleep 60")
    assert plain_host.methods == ["create", "wait_for_exit", "kill", "release"]


async def test_output_that_is_not_handed_over_does_not_hide_the_exit_code(plain_host: TerminalHost) -> None:
    plain_host.answer = lambda method, _params: RpcError(-32603, "no") if method == "terminal/output" else None
    result = await run(plain_host, "echo x; exit 4")
    assert (result.exit_code, result.output) == (4, "[the client's terminal did not hand over what was printed]")


@pytest.mark.parametrize(
    ("status", "code", "signal"),
    [
        ({"exitCode": 5}, 5, None),
        ({"signal": "SIGHUP"}, None, "SIGHUP"),
        (None, None, "a cause that the client did not tell"),
    ],
)
async def test_the_exit_status_may_stand_with_the_output_or_be_missing(
    plain_host: TerminalHost, status: Any, code: int | None, signal: str | None
) -> None:
    output = {"output": "é" * 10, "truncated": True, "exitStatus": status}
    answers = {"terminal/wait_for_exit": {"exitCode": None}, "terminal/output": output}
    real = plain_host._answer

    async def after_the_end(method: str, params: dict[str, Any]) -> Any:
        await real("terminal/wait_for_exit", params) if method == "terminal/wait_for_exit" else None
        return answers.get(method) or await real(method, params)

    plain_host._answer = after_the_end  # type: ignore[method-assign]
    result = await run(plain_host, "true")
    assert (result.exit_code, result.signal) == (code, signal)
    assert result.output == f"[… the beginning is left out …]\n{'é' * 10}"


# The script.


def test_a_withdrawn_script_runs_nothing_and_says_whether_it_did(tmp_path: Path) -> None:
    for ran in (True, False):
        script = ShellScript(f"echo x >> {tmp_path}/log", ())
        if ran:
            assert os.system(f"sh {script.path}") == 0
        assert script.withdraw() is ran
        assert os.system(f"sh {script.path} 2>/dev/null") != 0
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_script_is_nobody_elses(tmp_path: Path) -> None:
    script = ShellScript("true", ())
    assert [path.stat().st_mode & 0o077 for path in (script.path, script.path.parent)] == [0, 0]
    script.withdraw()


@pytest.mark.parametrize("line", ["echo \0", "echo \ud800"])
def test_a_line_that_no_file_can_hold_makes_no_script(line: str) -> None:
    with pytest.raises(OSError, match=r"NUL|surrogates"):
        ShellScript(line, ())


def test_a_temporary_folder_with_a_special_name_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("a b", "a$b", "é", "a;b", "a(b")):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        script = ShellScript(f"echo {number}", ["not a name", "NAME"])
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", str(script.path))
        assert list(folder.iterdir()) == []
        script.withdraw()


def test_the_line_is_written_so_that_no_shell_changes_it(tmp_path: Path) -> None:
    parts = ["'", '"', "$HOME", "`echo no`", "\\", "\n", " ", "!", "é", "-n"]
    for pair in itertools.product(parts, repeat=2):
        text = "".join(pair)
        target = tmp_path / "out"
        quoted = "'" + text.replace("'", "'\\''") + "'"
        script = ShellScript(f"printf %s {quoted} > {target}", ())
        assert os.system(f"sh {script.path}") == 0
        assert target.read_text() == text
        script.withdraw()
