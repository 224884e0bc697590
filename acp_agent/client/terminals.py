"""Shell lines in a terminal of the client's: created, waited for, and released whatever happens.

Only where a person asks for it (`acp.clientTerminal`): our own shell knows the environment, the process group and what
stays behind; a client's terminal knows none of that.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anyio
from anyio import to_thread
from pydantic import ValidationError

from acp_agent.client.shell_script import ShellScript
from acp_agent.log import Log
from acp_agent.rpc.connection import Undo
from acp_agent.rpc.messages import RpcError
from acp_agent.schema import (
    CreateTerminalRequest,
    CreateTerminalResponse,
    EnvVariable,
    TerminalExitStatus,
    TerminalOutputRequest,
    TerminalOutputResponse,
    WaitForTerminalExitResponse,
)
from acp_agent.tools.base import ToolError
from acp_agent.tools.environment import QUIET
from acp_agent.tools.workspace import Command, CommandResult, OnOutput, Output

CREATE_SECONDS = 30.0
ANSWER_SECONDS = 10.0

_OUTPUT_BYTES = 256 * 1024
_GRACE_TIMEOUT = 1.0
# On the way out of a cancelled call: what was sent is sent, its answer is only waited for.
_CREATED_WITHIN = 0.25
_KILLED_WITHIN = 0.15
_RELEASED_WITHIN = 0.25
_FOR_NO_TERMINAL = frozenset({"TERM", "NO_COLOR"})


class Asks(Protocol):
    """Whatever carries a request to the client, such as a connection."""

    async def request(self, method: str, params: dict[str, Any], size: int = 256, undo: Undo | None = None) -> Any:
        """The client's result. Raises `RpcError`; when the caller is cancelled, the client is told.

        A result that comes after that is taken back with the requests of `undo`.
        """


class NotStarted(Exception):
    """The client ran nothing and will not any more, so the line may be run elsewhere."""


class ClientTerminals:
    """The terminals of one session in the client. `environment` is what our own shell would get."""

    def __init__(self, session_id: str, client: Asks, environment: Mapping[str, str], log: Log) -> None:
        self._session_id = session_id
        self._client = client
        self._environment = environment
        self._log = log

    async def run(self, command: Command, on_output: OnOutput) -> CommandResult:
        """Run a shell line; `on_output` gets the terminal's id once. Raises `ToolError`, or `NotStarted`.

        Cancellation and timeout end the program, as far as the client knows how to.
        """
        if sys.platform == "win32":
            raise NotStarted("there is no shell that every client finds")
        withheld = set(os.environ) - set(self._environment)
        try:
            script = await to_thread.run_sync(ShellScript, command.line, withheld)
        except OSError as error:
            raise NotStarted(str(error)) from error
        try:
            terminal = await self._create(command, script)
            try:
                result = await self._watched(terminal, command, on_output)
            except BaseException:
                await self._tell("terminal/kill", terminal, _KILLED_WITHIN)
                raise
            finally:
                await self._tell("terminal/release", terminal, _RELEASED_WITHIN)
        except (RpcError, ValidationError, TimeoutError) as error:
            raise await self._not_created(error, script) from error
        except BaseException:
            await _withdraw(script)
            raise
        if not await _withdraw(script) and not result.timed_out:
            raise NotStarted("the client's terminal ended without running the command")
        return result

    async def _create(self, command: Command, script: ShellScript) -> str:
        """The id of a new terminal. Raises `RpcError`, `ValidationError` or `TimeoutError` where there is none.

        Cancelled meanwhile, it waits a moment longer for the answer, since the terminal in it must be released. What
        comes later still is released by the connection, when nobody waits any more.
        """
        scope = anyio.CancelScope(shield=True, deadline=anyio.current_time() + CREATE_SECONDS)
        answered = anyio.Event()
        found: list[str | Exception] = []

        async def ask() -> None:
            await anyio.lowlevel.checkpoint()  # a call that is cancelled already asks for nothing
            with scope:
                try:
                    found.append(await self._ask_for_terminal(command, script))
                except (RpcError, ValidationError) as error:
                    found.append(error)
            answered.set()

        wanted = False
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                try:
                    await answered.wait()
                    wanted = True
                finally:
                    scope.deadline = min(scope.deadline, anyio.current_time() + _CREATED_WITHIN)
        finally:
            if not wanted and found and isinstance(found[0], str):
                await self._tell("terminal/release", found[0], _RELEASED_WITHIN)
        if not found:
            raise TimeoutError
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    async def _ask_for_terminal(self, command: Command, script: ShellScript) -> str:
        request = CreateTerminalRequest(
            session_id=self._session_id,
            command=script.command,
            args=script.arguments,
            env=[EnvVariable(name=name, value=value) for name, value in QUIET.items() if name not in _FOR_NO_TERMINAL],
            cwd=str(command.cwd),
            output_byte_limit=_OUTPUT_BYTES,
        )
        answer = await self._client.request("terminal/create", request.wire(), 1024, self._unwanted)
        return CreateTerminalResponse.parse(answer).terminal_id

    def _unwanted(self, answer: Any) -> Sequence[tuple[str, dict[str, Any]]]:
        """What gives a terminal back that was made too late."""
        try:
            terminal = CreateTerminalResponse.parse(answer).terminal_id
        except ValidationError:
            return ()
        self._log("terminal.late", level="WARN", session=self._session_id)
        return [(method, self._params(terminal)) for method in ("terminal/kill", "terminal/release")]

    async def _not_created(self, error: Exception, script: ShellScript) -> Exception:
        """What to raise where there is no terminal."""
        why = error.message if isinstance(error, RpcError) else "there was no valid answer"
        if not await _withdraw(script):
            return NotStarted(why)
        return ToolError(
            f"The client began to run the command, but did not name a terminal for it ({why}). "
            "What it did is unknown: look before you run it again."
        )

    async def _watched(self, terminal: str, command: Command, on_output: OnOutput) -> CommandResult:
        """Show the terminal, and wait for the end of its program or of the time."""
        begin = anyio.current_time()
        ended = _Ended()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._wait, terminal, ended)
            with anyio.move_on_after(command.timeout):
                await on_output(Output("", "", terminal))
                await ended.event.wait()
            timed_out = not ended.event.is_set()
            if timed_out:
                await self._tell("terminal/kill", terminal, _GRACE_TIMEOUT)
                with anyio.move_on_after(_GRACE_TIMEOUT):
                    await ended.event.wait()
            tasks.cancel_scope.cancel()
        if ended.problem is not None and not timed_out:
            raise ToolError(
                f"The client's terminal could not say how the command ended ({ended.problem}). It was told to end it; "
                "look what was done before you run it again."
            )
        duration = anyio.current_time() - begin
        output, status = await self._output(terminal, ended.status)
        unknown = status.exit_code is None and status.signal is None
        return CommandResult(
            output=output,
            total_bytes=len(output.encode("utf-8", "replace")),
            duration=duration,
            exit_code=None if timed_out or status.signal else status.exit_code,
            signal=None
            if timed_out
            else status.signal or ("a cause that the client did not tell" if unknown else None),
            timed_out=timed_out,
        )

    async def _wait(self, terminal: str, ended: _Ended) -> None:
        try:
            answer = await self._client.request("terminal/wait_for_exit", self._params(terminal))
            ended.status = WaitForTerminalExitResponse.parse(answer)
        except RpcError as error:
            ended.problem = error.message
        except ValidationError:
            ended.problem = "it gave no valid answer"
        ended.event.set()

    async def _output(self, terminal: str, status: TerminalExitStatus) -> tuple[str, TerminalExitStatus]:
        """What was printed, and how the program ended: an exit status that is missing may stand here."""
        try:
            with anyio.fail_after(ANSWER_SECONDS):
                answer = await self._client.request("terminal/output", self._params(terminal))
            found = TerminalOutputResponse.parse(answer)
        except (RpcError, ValidationError, TimeoutError) as error:
            self._log("terminal.output_failed", level="WARN", session=self._session_id, error=str(error))
            return "[the client's terminal did not hand over what was printed]", status
        cut = "[… the beginning is left out …]\n" if found.truncated else ""
        known = status.exit_code is not None or status.signal is not None
        return cut + found.output, status if known or found.exit_status is None else found.exit_status

    async def _tell(self, method: str, terminal: str, seconds: float) -> None:
        """A request whose answer says nothing. Not cancelled, and waited for no longer than `seconds`."""
        with anyio.move_on_after(seconds, shield=True) as scope:
            try:
                await self._client.request(method, self._params(terminal))
            except RpcError as error:
                self._log(
                    "terminal.refused", level="WARN", session=self._session_id, method=method, error=error.message
                )
        if scope.cancelled_caught:
            self._log("terminal.silent", level="WARN", session=self._session_id, method=method)

    def _params(self, terminal: str) -> dict[str, Any]:
        return TerminalOutputRequest(session_id=self._session_id, terminal_id=terminal).wire()


async def _withdraw(script: ShellScript) -> bool:
    """Take the script back, whatever is being cancelled; tells whether it began to run."""
    begun: list[bool] = []
    with anyio.CancelScope(shield=True):
        begun.append(await to_thread.run_sync(script.withdraw))
    return begun[0]


class _Ended:
    """The end of a program, once `event` is set: `status`, or the `problem` that hides it."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.status: TerminalExitStatus = TerminalExitStatus()
        self.problem: str | None = None
