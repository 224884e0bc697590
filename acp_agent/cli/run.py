"""`agent run`: one prompt from a shell, as an ACP client of our own agent over memory: there is no second way in."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from acp_agent.agent.handshake import Handshake
from acp_agent.app import App, Settings
from acp_agent.config.load import load
from acp_agent.log import Log
from acp_agent.places import state_directory
from acp_agent.rpc.connection import Connection, Work, method_not_found
from acp_agent.rpc.memory import memory_transports
from acp_agent.rpc.messages import RpcError

DONE, FAILED, USAGE, REFUSED, LIMIT, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit statuses. REFUSED is the model's refusal, LIMIT its output limit or the limit of steps."""

_STATUS = {"end_turn": DONE, "refusal": REFUSED, "max_tokens": LIMIT, "max_turn_requests": LIMIT, "cancelled": 130}


def main(argv: Sequence[str]) -> int:
    """Run one prompt; gives the exit status."""
    arguments = _parser().parse_args(argv)
    message = " ".join(arguments.message)
    if not message and sys.stdin is not None and not sys.stdin.isatty():
        message = sys.stdin.read()
    if not message.strip():
        print("agent run: no message. Give it as an argument or on stdin.", file=sys.stderr)
        return USAGE
    loaded = load(Path.cwd(), os.environ)
    if loaded.errors:
        for diagnostic in loaded.errors:
            print(diagnostic, file=sys.stderr)
        return USAGE
    app = App(Settings(log=Log(state_directory() / "log" / "agent.log")))
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)  # ends like Ctrl-C, with every child
    try:
        return anyio.run(_run, app, arguments, message)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt):
            return INTERRUPTED
        raise
    finally:
        app.kill_children()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent run", description="Run one prompt in the current directory.")
    parser.add_argument("message", nargs="*", help="the prompt; without one it is read from stdin")
    parser.add_argument("-m", "--model", help="provider/model, or a name that only one provider has")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-c", "--continue", dest="last", action="store_true", help="go on with the latest session here")
    which.add_argument("-s", "--session", metavar="ID", help="go on with this session")
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="json: one update a line, then the session id and stop reason",
    )
    return parser


async def _run(app: App, arguments: argparse.Namespace, message: str) -> int:
    ours, theirs = memory_transports()
    printer = Printer(as_json=arguments.format == "json")
    connection = Connection(ours, printer, app.log, lambda method, earlier, later: None)
    status = FAILED
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app.serve, theirs, Handshake())
        tasks.start_soon(connection.run)
        try:
            status = await _converse(connection, arguments, message, printer)
        except RpcError as error:
            if not printer.said_something:
                print(f"agent run: {error.message}", file=sys.stderr)
        finally:
            printer.end()
            ours.close()
    return status


async def _converse(connection: Connection, arguments: argparse.Namespace, message: str, printer: Printer) -> int:
    await connection.request(
        "initialize",
        {
            "protocolVersion": 1,
            "clientCapabilities": {"session": {"notices": {}}},
            "clientInfo": {"name": "agent-run", "version": "1"},
        },
    )
    session_id = await _session(connection, arguments)
    if arguments.model:
        choice = {"sessionId": session_id, "configId": "model", "value": arguments.model}
        await connection.request("session/set_config_option", choice)
    prompt = {"sessionId": session_id, "prompt": [{"type": "text", "text": message}]}
    answer = await connection.request("session/prompt", prompt)
    printer.ended(session_id, answer["stopReason"])
    return _STATUS[answer["stopReason"]]


async def _session(connection: Connection, arguments: argparse.Namespace) -> str:
    here: dict[str, Any] = {"cwd": os.getcwd(), "mcpServers": []}
    session_id: str | None = arguments.session
    if arguments.last:
        sessions = (await connection.request("session/list", {"cwd": here["cwd"]}))["sessions"]
        if not sessions:
            raise RpcError(0, f"There is no session in {here['cwd']} to go on with.")
        session_id = sessions[0]["sessionId"]
    if session_id is None:
        created = await connection.request("session/new", here)
        return str(created["sessionId"])
    await connection.request("session/resume", {"sessionId": session_id, **here})
    return session_id


class Printer:
    """Shows updates: plain text for a person, or every update as a line of JSON. Nobody is asked without a terminal."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._at_line_start = True
        self.said_something = False

    def on_request(self, method: str, params: Any) -> Work:
        """Answer the agent's questions."""
        if method != "session/request_permission":
            raise method_not_found(method)

        async def run() -> dict[str, Any]:
            return {"outcome": await self._permission(params)}

        return Work(run)

    def on_notification(self, method: str, params: Any) -> None:
        """Show an update."""
        if method != "session/update":
            return
        update = params["update"]
        if self._as_json:
            print(json.dumps(update), flush=True)
            return
        match update["sessionUpdate"]:
            case "agent_message_chunk" if update["content"]["type"] == "text":
                self._write(update["content"]["text"])
            case "tool_call_update" if update.get("status") in ("completed", "failed"):
                mark = "ok" if update["status"] == "completed" else "failed"
                self._line(f"[{update.get('name')}: {update.get('title')}: {mark}]")
            case "notice":
                self._line(update.get("description") or update["title"])
            case _:
                return

    def on_end(self) -> None:
        """Nothing waits for the agent's end."""

    def ended(self, session_id: str, stop_reason: str) -> None:
        """Tell how to go on: the last line of JSON, or a line for whoever sits at the terminal."""
        if self._as_json:
            print(json.dumps({"sessionId": session_id, "stopReason": stop_reason}), flush=True)
        elif sys.stderr.isatty():
            self._line(f"[session {session_id}]")

    def end(self) -> None:
        """Finish the last line."""
        if not self._at_line_start:
            self._write("\n")

    def _write(self, text: str) -> None:
        self.said_something = True
        print(text, end="", flush=True)
        self._at_line_start = text.endswith("\n")

    def _line(self, text: str) -> None:
        self.end()
        print(text, file=sys.stderr, flush=True)

    async def _permission(self, params: dict[str, Any]) -> dict[str, Any]:
        call = params["toolCall"]
        question = f"{call.get('name')}: {call.get('title')} ({call.get('_meta', {}).get('acp-agent/reason', 'asks')})"
        options = {option["kind"]: option["optionId"] for option in params["options"]}
        if sys.stdin is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            self._line(f"[refused, since nobody can be asked here: {question}]")
            return {"outcome": "selected", "optionId": options["reject_once"]}
        self._line(question)
        always = "/[a]lways" if "allow_always" in options else ""
        print(f"Allow? [y]es{always}/[N]o ", end="", file=sys.stderr, flush=True)
        answer = (await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)).strip().lower()
        kind = {"y": "allow_once", "yes": "allow_once", "a": "allow_always"}.get(answer, "reject_once")
        return {"outcome": "selected", "optionId": options.get(kind, options["reject_once"])}
