import itertools
import os
import tracemalloc
from collections import deque
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest
from anyio.abc import TaskStatus

from acp_agent.schema import ToolCallProgress
from acp_agent.tools.base import Subject
from acp_agent.tools.environment import child_environment
from acp_agent.tools.shown_output import TERMINAL
from acp_agent.tools.workspace import Command, Output
from tests.tools.desk import Desk, Holders, shown_text

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])]

HOLD = "echo up >&9; exec sleep 60 >/dev/null 2>&1"


def without_time(output: str) -> str:
    """The output with the duration taken out of its last lines."""
    lines = output.split("\n")
    return "\n".join(line.partition(" after ")[0] + "]" if " after " in line else line for line in lines)


@pytest.mark.parametrize(
    ("line", "output", "is_error"),
    [
        ("echo out; echo err >&2", "out\nerr\n[exit code 0]", False),
        ("exit 3", "(no output)\n[exit code 3]", True),
        ("false | true", "(no output)\n[exit code 0]", False),
        ("kill -9 $$", "(no output)\n[ended by SIGKILL]", True),
        ("ulimit -c 0; kill -SEGV $$", "(no output)\n[ended by SIGSEGV]", True),
        ("kill -TERM $$", "(no output)\n[ended by SIGTERM]", True),
        ("exec 2>/dev/null; (kill -9 $BASHPID); exit $?", "(no output)\n[exit code 137]", True),
        ("-c 2>/dev/null", "(no output)\n[exit code 127]", True),
    ],
)
async def test_how_a_line_ended_is_always_told(desk: Desk, line: str, output: str, is_error: bool) -> None:
    result = await desk.run("bash", command=line)
    assert (without_time(result.output), result.is_error) == (output, is_error)


async def test_the_data_of_a_result_tells_the_same(desk: Desk) -> None:
    result = await desk.run("bash", command="printf abc; exit 2")
    data = dict(result.data)
    assert data.pop("durationSeconds") < 10
    assert data == {"exitCode": 2, "signal": None, "timedOut": False, "bytes": 3, "leftRunning": []}


async def test_a_child_in_the_background_that_holds_the_pipe_delays_nothing(desk: Desk, holders: Holders) -> None:
    line = f"bash -c 'echo up >&9; exec sleep 60' 9>{holders.path} & echo $!"
    with anyio.fail_after(5):
        result = await desk.run("bash", command=line)
    pid = result.output.split("\n")[0]
    assert without_time(result.output) == f"{pid}\n[exit code 0]\n[still running in the background: process {pid}]"
    assert result.data["leftRunning"] == [int(pid)]
    await holders.up()
    following = await desk.run("bash", "next", command=f"kill -0 {pid} && echo lives")
    assert following.output.startswith("lives\n")
    assert following.data["leftRunning"] == []
    with anyio.fail_after(1):
        await desk.workspace.close()
    await holders.gone()


DETACHED = {
    "setsid": f"setsid bash -c '{HOLD}' 9>PIPE &",
    "forked twice": f"( ( bash -c '{HOLD}' 9>PIPE & ) & )",
    "forked twice in a session of its own": f"( setsid bash -c '{HOLD}' 9>PIPE & ) ; ",
    "nohup": f"nohup bash -c '{HOLD}' 9>PIPE >/dev/null &",
    "deaf": "setsid bash -c 'trap \"\" TERM HUP INT; echo up >&9; while :; do sleep 60 >/dev/null 2>&1; done' 9>PIPE &",
    "without a marker": f"env -i setsid bash -c '{HOLD}' 9>PIPE &",
}


@pytest.mark.parametrize("detached", DETACHED.values(), ids=DETACHED)
async def test_a_cancelled_line_leaves_nobody(desk: Desk, holders: Holders, detached: str) -> None:
    async with anyio.create_task_group() as tasks:
        line = f"{detached.replace('PIPE', str(holders.path))}\nsleep 60; exit"
        tasks.start_soon(lambda: desk.run("bash", command=line))
        await holders.up()
        tasks.cancel_scope.cancel()
    await holders.gone()


@pytest.mark.parametrize("detached", [DETACHED["setsid"], DETACHED["forked twice"]], ids=["setsid", "forked twice"])
async def test_a_line_that_takes_too_long_leaves_nobody(desk: Desk, holders: Holders, detached: str) -> None:
    # The line waits until the detached child is up, so that the time is over only afterwards.
    line = f"{detached.replace('PIPE', str(holders.path))}\nexec sleep 60"
    result = await desk.run("bash", command=line, timeout=700)
    assert result.output == "(no output)\n[timed out after 0.7 s; it was ended, with everything it had started]"
    assert result.is_error
    await holders.up()
    await holders.gone()


# Nothing tells a process without the marker from a stranger once its parent is gone.
@pytest.mark.parametrize("detached", [line for name, line in DETACHED.items() if name != "without a marker"])
async def test_the_end_of_the_session_ends_what_was_left(desk: Desk, holders: Holders, detached: str) -> None:
    await desk.run("bash", command=detached.replace("PIPE", str(holders.path)))
    await holders.up()
    with anyio.fail_after(2):
        await desk.workspace.close()
    await holders.gone()


async def test_all_is_killed_at_once_for_a_process_that_must_exit(desk: Desk, holders: Holders) -> None:
    await desk.run("bash", command=DETACHED["deaf"].replace("PIPE", str(holders.path)))
    await holders.up()
    desk.processes.kill_all_now()
    await holders.gone()


async def test_a_line_leads_a_session_and_a_group_of_its_own(desk: Desk) -> None:
    result = await desk.run("bash", command="read -r _ _ _ _ group session _ < /proc/$$/stat; echo $$ $group $session")
    assert len(set(result.output.split("\n")[0].split())) == 1


async def test_a_shell_that_ignores_the_request_is_killed_after_its_timeout(desk: Desk) -> None:
    with anyio.fail_after(5):
        result = await desk.run("bash", command="trap '' TERM; echo deaf; while :; do sleep 60; done", timeout=200)
    assert result.output.startswith("deaf\n[timed out after 0.2 s")


async def test_a_shell_may_clean_up_when_its_time_is_over(desk: Desk) -> None:
    line = "trap 'echo cleaned > log; exit' TERM; sleep 60 & wait"
    await desk.run("bash", command=line, timeout=2000)  # long enough for the trap to be set on a busy machine
    assert desk.bytes("log") == b"cleaned\n"


async def test_two_agents_do_not_end_the_processes_of_each_other(desk: Desk, holders: Holders, tmp_path: Path) -> None:
    other = Desk(tmp_path / "other")
    began = await desk.run("bash", command=DETACHED["setsid"].replace("PIPE", str(holders.path)))
    await holders.up()
    await other.run("bash", command="true")
    await other.workspace.close()
    result = await desk.run("bash", command=f"echo also > {holders.path}; echo ok")
    assert result.output.startswith("ok\n")
    (pid,) = began.data["leftRunning"]
    assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_nothing_can_be_typed_into_a_line(desk: Desk) -> None:
    result = await desk.run("bash", command="cat; read x; echo $?; test -t 0 || echo none")
    assert without_time(result.output) == "1\nnone\n[exit code 0]"


async def test_fifty_megabytes_are_bounded_in_memory(desk: Desk) -> None:
    line = "echo first; head -c 50000000 /dev/zero | tr '\\0' x | fold -w 100; echo; echo last"
    desk.updates = deque(maxlen=1)  # type: ignore[assignment]
    tracemalloc.start()
    result = await desk.run("bash", command=line)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000  # a few times the megabyte that may wait to be shown
    assert len(result.output) < 60_000
    assert result.data["bytes"] == 50_000_000 + 50_000_000 // 100 - 1 + len("first\n\nlast\n")
    assert result.output.startswith("first\n")
    assert "left out …]" in result.output
    assert without_time(result.output).endswith("\nlast\n[exit code 0]")


async def test_live_output_comes_at_most_ten_times_a_second(desk: Desk) -> None:
    times: list[float] = []
    enough = anyio.Event()

    async def on_output(_: Output) -> None:
        times.append(anyio.current_time())
        if len(times) == 4:
            enough.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.workspace.run, Command("while :; do echo x; done", desk.root, 20, "call"), on_output)
        with anyio.fail_after(10):
            await enough.wait()
        tasks.cancel_scope.cancel()
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 0.099


async def test_live_output_comes_only_when_there_is_more(desk: Desk, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    shown: list[str] = []
    first, second = anyio.Event(), anyio.Event()

    async def on_output(output: Output) -> None:
        shown.append(output.new)
        (second if first.is_set() else first).set()

    async with anyio.create_task_group() as tasks:
        command = Command(f"echo one; read < {tmp_path}/go", desk.root, 20, "call")
        tasks.start_soon(desk.workspace.run, command, on_output)
        with anyio.fail_after(10):
            await first.wait()
        with anyio.move_on_after(0.35):
            await second.wait()
        assert shown == ["one\n"]
        tasks.cancel_scope.cancel()


async def test_a_client_that_does_not_take_the_output_stops_nothing(desk: Desk, holders: Holders) -> None:
    never = anyio.Event()

    async def on_output(_: Output) -> None:
        await never.wait()

    async def run(*, task_status: TaskStatus[None]) -> None:
        task_status.started()
        command = Command(f"yes | head -c 1000000; echo end > {holders.path}", desk.root, 20, "call")
        result = await desk.workspace.run(command, on_output)
        assert (result.exit_code, result.total_bytes) == (0, 1_000_000)

    async with anyio.create_task_group() as tasks:
        await tasks.start(run)
        await holders.up()


async def test_the_end_of_the_output_is_shown_while_it_comes(desk: Desk) -> None:
    await desk.run("bash", command="printf '\\033[31mred\\033[0m'", call_id="call 7")
    start, update = desk.updates
    assert isinstance(start, ToolCallProgress)
    assert isinstance(update, ToolCallProgress)
    assert start.tool_call_id == update.tool_call_id == "call 7"
    assert [content.wire() for content in start.content or ()] == [_marked("", cwd=str(desk.root))]
    shown = _marked("```\nred\n```", cwd=str(desk.root), data="\x1b[31mred\x1b[0m")
    assert [content.wire() for content in update.content or ()] == [shown]


def _marked(text: str, **mark: Any) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}, "_meta": {TERMINAL: mark}}


async def test_the_record_of_a_line_says_how_it_ended_and_where_for_a_terminal_that_shows_it_again(desk: Desk) -> None:
    result = await desk.run("bash", command="echo a; exit 3")
    (content,) = result.content
    assert content.meta == {TERMINAL: {"cwd": str(desk.root), "exitCode": 3, "signal": None}}


async def test_what_is_new_each_time_makes_the_output_when_it_is_joined_and_what_nobody_took_comes_last(
    desk: Desk, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    taken: list[str] = []
    second = anyio.Event()

    async def on_output(output: Output) -> None:
        if taken:  # a client that lags: it never takes any more
            second.set()
            await anyio.sleep_forever()
        taken.append(output.new)
        await anyio.to_thread.run_sync((tmp_path / "go").write_text, "\n")

    line = rf"printf 'one\xc3'; read < {tmp_path}/go; printf '\xa9 two'"
    with anyio.fail_after(10):
        result = await desk.workspace.run(Command(line, desk.root, 20, "call"), on_output)
    assert taken == ["one"]
    assert result.unshown == "é two"
    assert result.output == "oneé two"


async def test_of_much_new_output_the_end_is_shown_and_the_rest_counted(desk: Desk) -> None:
    async def on_output(_: Output) -> None:
        await anyio.sleep_forever()

    result = await desk.workspace.run(Command("yes | head -c 5000000", desk.root, 20, "call"), on_output)
    assert result.unshown.startswith(f"\n[… {5_000_000 - 1024 * 1024} bytes left out …]\n")
    assert len(result.unshown) < 1025 * 1024


async def test_nothing_is_left_out_of_a_megabyte_that_comes_at_once(desk: Desk) -> None:
    taken: list[str] = []

    async def on_output(output: Output) -> None:
        taken.append(output.new)

    result = await desk.workspace.run(Command("seq 1 150000", desk.root, 20, "call"), on_output)
    assert "".join(taken) + result.unshown == "".join(f"{number}\n" for number in range(1, 150_001))


async def test_bytes_that_are_no_text_are_replaced(desk: Desk) -> None:
    result = await desk.run("bash", command=r"printf 'a\xffb\0c'")
    assert without_time(result.output) == "a\ufffdbc\n[exit code 0]"


async def test_a_character_may_come_in_pieces(desk: Desk, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    first = anyio.Event()

    async def on_output(_: Output) -> None:
        first.set()

    async def go_on() -> None:
        await first.wait()
        await anyio.to_thread.run_sync((tmp_path / "go").write_text, "\n")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(go_on)
        line = rf"printf '\xc3'; read < {tmp_path}/go; printf '\xa9'"
        result = await desk.workspace.run(Command(line, desk.root, 20, "call"), on_output)
    assert result.output == "é"


async def test_escape_sequences_and_progress_bars_are_read_as_a_person_sees_them(desk: Desk) -> None:
    line = r"printf '\033]0;title\007\033[1;32mgreen\033[m\n10%%\r50%%\r100%%\n\033[2K\033[1Gend\r\n'"
    result = await desk.run("bash", command=line)
    assert without_time(result.output) == "green\n100%\nend\n[exit code 0]"


async def test_a_fence_in_the_output_does_not_end_the_fence_around_it(desk: Desk) -> None:
    result = await desk.run("bash", command="printf '````\\ncode\\n````\\n'")
    assert without_time(shown_text(result)) == "`````\n````\ncode\n````\n`````\n[exit code 0]"


async def test_children_get_no_secrets(tmp_path: Path) -> None:
    environ = {
        **os.environ,
        "OPENAI_API_KEY": "a",
        "OPENCODE_CONFIG_CONTENT": "{}",
        "ACP_AGENT_X": "x",
        "MY_TOKEN": "from-the-file",
        "PROXY": "http://me:from-the-file@host",
        "KEPT": "yes",
    }
    desk = Desk(tmp_path / "ws", secret_values=["from-the-file"], environ=environ)
    result = await desk.run("bash", command="env")
    names = {line.partition("=")[0] for line in result.output.split("\n")}
    assert "KEPT" in names
    assert not names & {"OPENAI_API_KEY", "OPENCODE_CONFIG_CONTENT", "ACP_AGENT_X", "MY_TOKEN", "PROXY"}
    assert "from-the-file" not in result.output


async def test_a_line_runs_where_it_is_told_to(desk: Desk) -> None:
    desk.path("sub").mkdir()
    for workdir in ("sub", str(desk.path("sub")), "./sub/../sub"):
        result = await desk.run("bash", command="pwd", workdir=workdir)
        assert result.output.split("\n")[0] == str(desk.path("sub"))
    assert (await desk.run("bash", command="pwd", workdir="")).output.split("\n")[0] == str(desk.root)
    assert await desk.refusal("bash", command="pwd", workdir="nowhere") == (
        f"The command was not started: {desk.path('nowhere')} is not a directory."
    )
    desk.put("file")
    assert "is not a directory" in await desk.refusal("bash", command="pwd", workdir="file")


async def test_a_place_outside_the_workspace_is_a_subject(desk: Desk) -> None:
    assert desk.subjects("bash", command="ls", workdir="/etc") == [
        Subject("external_directory", "/etc/*", "/etc/*"),
        Subject("bash", "ls", "ls *"),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("echo \0", "a character that no process can be given"),
        ("echo \ud800", "a character that no process can be given"),
        (f"echo {'x' * 200_000}", "200005 characters are more than the system takes"),
        (" \n", "command is empty"),
    ],
    ids=["NUL", "half a pair", "too long", "blank"],
)
async def test_a_line_that_cannot_be_started_says_why(desk: Desk, line: str, words: str) -> None:
    assert words in await desk.refusal("bash", command=line)
    assert (await desk.run("bash", command="echo works")).output.startswith("works\n")


async def test_no_descriptor_is_left_open(desk: Desk) -> None:
    await desk.run("bash", command="true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await desk.run("bash", command="echo a")
        await desk.refusal("bash", command="echo \0")
    assert len(os.listdir("/proc/self/fd")) <= before + 1


async def test_a_bash_that_is_not_on_the_path_is_found(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "ws", environ={"PATH": str(tmp_path)})
    assert (await desk.run("bash", command="echo ${BASH_VERSION:+bash}")).output.startswith("bash\n")


async def test_start_up_files_of_the_shell_are_not_read(desk: Desk, home: Path) -> None:
    for name in (".bashrc", ".bash_profile", ".profile"):
        (home / name).write_text("echo from a start-up file\n")
    assert without_time((await desk.run("bash", command="echo x")).output) == "x\n[exit code 0]"


@pytest.mark.parametrize(
    ("line", "exit_code"),
    [
        ("git commit", 1),
        ("git commit --amend", 0),
        ("git log", 0),
        ("git rebase -i HEAD~1", 1),
        ("git tag -a v1", 128),
        ("$EDITOR a.txt", 1),
        ("git -c credential.helper= ls-remote https://127.0.0.1:1/x", 128),
    ],
)
async def test_programs_that_would_wait_for_a_person_end(desk: Desk, line: str, exit_code: int) -> None:
    setup = (
        "git init -q && git config user.name A && git config user.email a@example.com && "
        "git commit -q --allow-empty -m one && git commit -q --allow-empty -m two && echo x > a.txt && git add a.txt"
    )
    assert (await desk.run("bash", command=setup)).data["exitCode"] == 0
    with anyio.fail_after(10):
        assert (await desk.run("bash", command=line)).data["exitCode"] == exit_code


async def test_many_lines_run_side_by_side(desk: Desk) -> None:
    outputs: dict[int, str] = {}

    async def run(number: int) -> None:
        outputs[number] = (await desk.run("bash", f"call {number}", command=f"echo {number}; exit {number}")).output

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(run, number)
    assert {n: without_time(o) for n, o in outputs.items()} == {n: f"{n}\n[exit code {n}]" for n in range(8)}


async def test_variables_that_change_what_a_line_means_are_not_passed_on(anyio_backend_name: str) -> None:
    environ = {"BASH_ENV": "x", "CDPATH": "/", "SHELLOPTS": "xtrace", "PATH": "/bin", "openai_api_key": "k"}
    kept = child_environment(environ, ["OPENAI_API_KEY"], ["/bin"])
    assert "PATH" in kept
    assert not {"BASH_ENV", "CDPATH", "SHELLOPTS", "openai_api_key"} & set(kept)


def test_the_title_of_a_line_is_the_line(desk: Desk, anyio_backend: str) -> None:
    summary = desk.summary("bash", command=" ls -l\n")
    assert (summary.title, [location.path for location in summary.locations]) == ("ls -l", [str(desk.root)])
