"""An MCP server over stdio that misbehaves as its argument, a JSON object, says. Standard library only.

`up`: a pipe by name that is held open and gets a line at the start. `exit`: a code to end with at once, after
`complain` on stderr. `noise`: lines printed first, then one of `endless` characters. `silent`: answers nothing;
`hold`: nothing before somebody wrote to this pipe by name.
`tools`, `prompts`: members as they stand, `page` of them at a time. `refuse`: the error code for `initialize`.
`modern`: knows only the newest protocol. `stubborn`: ignores SIGTERM and has a child that does so too. `log`: a file
for what it reads. Tools do what their name says: `die`, `flood`, `ask`, `linger`; every other one gives its arguments
back.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

how: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def page(request: dict[str, Any], key: str) -> dict[str, Any]:
    members = how.get(key, [])
    start = int((request.get("params") or {}).get("cursor", "0"))
    end = start + how.get("page", len(members) or 1)
    return {key: members[start:end], **({"nextCursor": str(end)} if end < len(members) else {}), **extra()}


def extra() -> dict[str, Any]:
    return {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if how.get("modern") else {}


def capabilities() -> dict[str, Any]:
    return {"tools": {"listChanged": True}, **({"prompts": {}} if "prompts" in how else {})}


def call(request: dict[str, Any]) -> Any:
    name, arguments = request["params"]["name"], request["params"].get("arguments") or {}
    token = (request["params"].get("_meta") or {}).get("progressToken")
    if name == "die":
        sys.stderr.write("out of cheese\n")
        os._exit(7)
    if name == "flood":
        for number in range(arguments["count"]):
            send({"method": "notifications/message", "params": {"level": "info", "data": "x" * 100}})
            send({"method": "notifications/progress", "params": {"progressToken": token, "progress": number}})
            send({"method": "notifications/tools/list_changed"})
            sys.stderr.write("y" * 1000 + "\n")
            sys.stdout.write("no json\n")
    if name == "ask":
        for number in range(arguments["count"]):
            send({"id": f"q{number}", "method": "ping"})
    if name == "linger":
        return None
    return {"content": [{"type": "text", "text": json.dumps(arguments)}], **extra()}


def answer(request: dict[str, Any]) -> Any:
    match request["method"]:
        case "initialize":
            version = request["params"]["protocolVersion"]
            return {
                "protocolVersion": version,
                "capabilities": capabilities(),
                "serverInfo": {"name": "odd", "version": "1"},
            }
        case "server/discover":
            return {"supportedVersions": ["2026-07-28"], "capabilities": capabilities(), **extra()}
        case "tools/list":
            return page(request, "tools")
        case "prompts/list":
            return page(request, "prompts")
        case "tools/call":
            return call(request)
    return {}


def main() -> None:
    if how.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
        subprocess.Popen([sys.executable, "-c", code], pass_fds=[open_up()] if "up" in how else [])
    elif "up" in how:
        open_up()
    for line in [*how.get("noise", []), *["x" * how.get("endless", 0)]]:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if "exit" in how:
        sys.stderr.write(how.get("complain", ""))
        sys.exit(how["exit"])
    if "hold" in how:
        with open(how["hold"]) as pipe:  # opens, and ends, when somebody writes to it
            pipe.read()
    for line in sys.stdin:
        request = json.loads(line)
        if "log" in how:
            with open(how["log"], "a") as log:
                log.write(line)
        if how.get("silent") or "id" not in request or "method" not in request:
            continue
        if request["method"] == "initialize" and (how.get("modern") or "refuse" in how):
            data = {"supported": ["2026-07-28"], "requested": "2025-11-25"}
            error = {"code": how.get("refuse", -32022), "message": "not in this way", "data": data}
            send({"id": request["id"], "error": error})
            continue
        result = answer(request)
        if result is not None:
            send({"id": request["id"], "result": result})
    if how.get("stubborn"):
        time.sleep(1000)


def open_up() -> int:
    pipe = os.open(how["up"], os.O_WRONLY)
    os.set_inheritable(pipe, True)
    os.write(pipe, b"up\n")
    return pipe


if __name__ == "__main__":
    main()
