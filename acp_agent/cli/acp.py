"""`agent acp`: serve an editor over stdin and stdout.

`initialize` is answered by the reading thread while the rest is still being imported; see docs/decisions.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from acp_agent.agent.handshake import Handshake
from acp_agent.rpc.stdio import StdioTransport

if TYPE_CHECKING:
    from acp_agent.app import App
    from acp_agent.log import Log

_USAGE = """\
usage: agent acp [options]

Serve an editor over stdin and stdout (Agent Client Protocol, version 1).

  --cwd DIR            accepted; every session brings a directory of its own
  --port N             accepted for clients of opencode; no port is opened
  --hostname HOST      accepted for clients of opencode
  --log-level LEVEL    DEBUG, INFO (default), WARN or ERROR
  --trace FILE         write every message to FILE, one JSON line each
"""

_WITH_VALUE = {"--cwd", "--port", "--hostname", "--log-level", "--trace", "--mdns-domain", "--cors"}
_WITHOUT_VALUE = {"--mdns", "--print-logs", "--pure"}


def main(argv: list[str]) -> NoReturn:
    """Serve until the client closes stdin or a signal comes; exits with status 0."""
    given = _options(argv)
    sys.setswitchinterval(0.0005)  # SDKs load in threads beside the event loop: at 5 ms it waited ten times as long
    gc.disable()  # nothing of what is imported becomes garbage, and looking for it is 7 % of the start
    for number in _leaving():
        signal.signal(number, lambda *_: os._exit(0))  # until the event loop takes them over
    handshake = Handshake()
    trace = _tracer(given["--trace"]) if "--trace" in given else None
    transport = StdioTransport(handshake.early, trace)

    import anyio

    from acp_agent.app import App, Settings
    from acp_agent.log import Log
    from acp_agent.places import state_directory

    log = Log(state_directory() / "log" / "agent.log", given.get("--log-level", "INFO"))
    app = App(Settings(log=log))
    try:
        anyio.run(_serve, app, transport, handshake, log)
    except BaseException as error:  # noqa: BLE001 - the last words go to the log: stderr may be shown in a chat
        log("process.broke", level="ERROR", error=repr(error))
    app.leave()


async def _serve(app: App, transport: StdioTransport, handshake: Handshake, log: Log) -> None:
    import anyio

    gc.freeze()
    gc.enable()
    transport.open()
    log("process.started", cwd=_cwd())
    async with anyio.create_task_group() as tasks:

        async def leave_on_signal() -> None:
            with anyio.open_signal_receiver(*_leaving()) as signals:
                async for number in signals:
                    log("process.signalled", signal=int(number))
                    app.exit_soon()
                    tasks.cancel_scope.cancel()

        if sys.platform != "win32":
            tasks.start_soon(leave_on_signal)
        await app.serve(transport, handshake, on_end=app.exit_soon)
        tasks.cancel_scope.cancel()
    log("process.ended")


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # somebody removed it; sessions bring their own
        return None


def _leaving() -> tuple[signal.Signals, ...]:
    """The signals that end the process: asked to, interrupted, and its terminal gone."""
    hangup = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()
    return (signal.SIGTERM, signal.SIGINT, *hangup)


def _options(argv: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    rest = list(argv)
    while rest:
        name, _, value = rest.pop(0).partition("=")
        if name in ("-h", "--help"):
            print(_USAGE, end="")
            sys.exit(0)
        if name in _WITH_VALUE:
            if not value and not rest:
                _refuse(f"{name} needs a value")
            given[name] = value or rest.pop(0)
        elif name not in _WITHOUT_VALUE:
            _refuse(f"there is no option {name!r}")
    return given


def _refuse(what: str) -> NoReturn:
    print(f"agent acp: {what}.\n\n{_USAGE}", end="", file=sys.stderr)
    sys.exit(2)


def _tracer(path: str) -> Callable[[str, bytes], None]:
    """Write `{"time", "from", "message"}` for every line; a line that is no JSON stands as text."""
    import json
    import threading
    import time

    try:
        file = open(path, "ab", buffering=0)  # noqa: SIM115 - stays open as long as the process
    except OSError as error:
        _refuse(f"the trace file {path} cannot be written: {error.strerror}")
    one = threading.Lock()

    def trace(direction: str, line: bytes) -> None:
        message: object
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = line.decode("utf-8", "replace")
        speaker = "client" if direction == "<" else "agent"
        text = json.dumps({"time": round(time.time(), 6), "from": speaker, "message": message})
        with one:
            file.write(text.encode() + b"\n")

    return trace
