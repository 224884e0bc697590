"""`/doctor`: what the agent needs, looked at on this machine; nothing is sent anywhere."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from anyio import to_thread
from anyio.lowlevel import checkpoint

from acp_agent import __version__
from acp_agent.config.files import worktree_root
from acp_agent.llm.models import ModelUnknown
from acp_agent.llm.provider import ProviderError
from acp_agent.places import data_directory, state_directory
from acp_agent.session.commands.base import Invocation, bytes_shown, code, listed, page, plain, sentence
from acp_agent.session.commands.configuration import problems_of, told
from acp_agent.session.instructions import KINDS
from acp_agent.session.record.store import StoreError
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn
from acp_agent.tools.base import ToolError
from acp_agent.tools.search import ripgrep
from acp_agent.tools.workspace import Command, Output

Verdict: TypeAlias = Literal["ok", "warn", "fail"]

_LITTLE_SPACE = 200 * 1024 * 1024
_SHELL_SECONDS = 5.0
_SHELL_LINE = 'echo "${BASH_VERSION:-none}"'


class Check(NamedTuple):
    """One line: what was looked at, how it is, and what to do about it."""

    verdict: Verdict
    what: str
    said: str


async def doctor(turn: Turn, _invoked: Invocation) -> str:
    """`/doctor`: model, key, programs, folders, MCP servers, configuration; each ok, warn or fail."""
    state = turn.state
    checks = [
        *_model(state),
        await _shell(turn),
        *await to_thread.run_sync(lambda: [*_programs(), *_folders(state)]),
        await _record(state),
        *_servers(state),
        *_configuration(state),
    ]
    bad = sum(check.verdict == "fail" for check in checks)
    doubtful = sum(check.verdict == "warn" for check in checks)
    found = f"{bad} to mend, {doubtful} to look at." if bad or doubtful else "Everything is as it should be."
    return page(
        f"acp-agent {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        listed("Checks", [f"**{check.verdict}** {check.what}: {check.said}" for check in checks]),
        found,
    )


def _model(state: SessionState) -> Iterator[Check]:
    try:
        resolution = state.resolution()
    except ModelUnknown as error:
        yield Check("fail", "model", sentence(str(error)))
        return
    ref = resolution.info.ref
    if resolution.note:
        yield Check("warn", "model", sentence(resolution.note))
    else:
        yield Check("ok", "model", code(str(ref)))
    try:
        state.models.provider(ref)
    except ProviderError as error:
        yield Check("fail", "key", sentence(str(error)))
        return
    about = state.models.described(ref)
    address = f", asked at {code(str(about['url']))}" if about.get("url") and about.get("api") != "scripted" else ""
    held = "found" if about.get("key") else "none is needed"
    yield Check("ok", "key", f"{held}{address}; whether it is valid shows with the first prompt")


async def _shell(turn: Turn) -> Check:
    """A shell as commands get it, really started."""

    async def ignore(_output: Output) -> None:
        await checkpoint()

    command = Command(_SHELL_LINE, turn.state.cwd, _SHELL_SECONDS, turn.state.services.new_id("call"))
    try:
        result = await turn.state.workspace.run(command, ignore)
    except ToolError as error:
        return Check("fail", "shell", sentence(str(error)))
    version = result.output.strip()
    if result.exit_code != 0:
        how = f"no end within {_SHELL_SECONDS:g} s" if result.timed_out else f"status {result.exit_code}"
        return Check("fail", "shell", f"a shell starts but does not work ({how}): check bash and its set-up.")
    if version == "none":
        return Check("warn", "shell", "there is no bash, so commands run in sh: install bash and put it on PATH.")
    return Check("ok", "shell", f"bash {version}")


def _programs() -> Iterator[Check]:
    git = shutil.which("git")
    if git:
        yield Check("ok", "git", code(git))
    else:
        yield Check(
            "warn", "git", "not found on PATH: projects are not told apart, and ignored files are not left out."
        )
    try:
        yield Check("ok", "ripgrep", code(ripgrep()))
    except ToolError as error:
        yield Check("fail", "ripgrep", sentence(str(error)))


def _folders(state: SessionState) -> Iterator[Check]:
    for root in state.head.roots:
        what = "working directory" if root == state.cwd else "additional directory"
        if not os.path.isdir(root):
            yield Check("fail", what, f"{code(str(root))} does not exist any more: begin a session elsewhere.")
        elif not os.access(root, os.W_OK):
            yield Check("warn", what, f"{code(str(root))} is read-only: nothing in it can be changed.")
        else:
            yield Check("ok", what, code(str(root)))
    top = worktree_root(state.cwd) or state.cwd
    found = next((top / kind for kind in KINDS if os.path.isfile(top / kind)), None)
    if found is None:
        yield Check("warn", "instructions", f"{code(str(top))} has no AGENTS.md: `/init` writes one.")
    else:
        yield Check("ok", "instructions", code(str(found)))
    yield _own_folder("data directory", data_directory())
    yield _own_folder("log directory", state_directory())


def _own_folder(what: str, folder: Path) -> Check:
    """A folder of ours: there, or one that can be made; writable; with some space left."""
    there = next((each for each in (folder, *folder.parents) if os.path.exists(each)), folder)
    if not os.path.isdir(there) or not os.access(there, os.W_OK):
        variable = "XDG_DATA_HOME" if what.startswith("data") else "XDG_STATE_HOME"
        where = "LOCALAPPDATA" if sys.platform == "win32" else variable
        return Check("fail", what, f"{code(str(folder))} cannot be written: make it writable, or set {where}.")
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check("warn", what, f"{code(str(folder))} tells no free space: {error.strerror or error}.")
    if free < _LITTLE_SPACE:
        return Check("warn", what, f"{code(str(folder))} has only {bytes_shown(free)} left: make room.")
    return Check("ok", what, f"{code(str(folder))}, {bytes_shown(free)} free")


async def _record(state: SessionState) -> Check:
    """The store was written just now: with this very command."""
    try:
        head = await state.services.store.read_head(state.id)
    except StoreError as error:
        return Check("fail", "session store", sentence(str(error)))
    if head is None:
        return Check("fail", "session store", "this session was deleted elsewhere; begin a new one.")
    return Check("ok", "session store", "reads and writes")


def _servers(state: SessionState) -> Iterator[Check]:
    for server in state.mcp.status():
        verdict: Verdict = "fail" if server.state in ("failed", "stopped") else "ok"
        detail = f": {server.detail}" if server.detail else ""
        repair = f" Try {code(f'/mcp reconnect {server.name}')}." if verdict == "fail" else ""
        yield Check(verdict, f"MCP server {code(server.name)}", sentence(f"{server.state}{plain(detail)}") + repair)


def _configuration(state: SessionState) -> Iterator[Check]:
    problems = problems_of(state)
    for problem in problems[:20]:
        yield Check("fail" if problem.severity == "error" else "warn", "configuration", told(problem))
    if len(problems) > 20:
        yield Check("warn", "configuration", f"{len(problems) - 20} more problems: see `/config`.")
    if not problems:
        count = len(state.config.sources)
        yield Check("ok", "configuration", f"{count} source{'' if count == 1 else 's'} read, no problems")
