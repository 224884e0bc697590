"""A small ACP client: starts an agent, sends it each line you type, and shows what it does.

Usage: python minimal_client.py [--yes] [COMMAND ...]     (--yes allows everything that the agent asks about)

The protocol is JSON-RPC 2.0, one JSON object a line: we write to the agent's stdin and read from its stdout. Both sides
make requests (they have an id, and are answered once) and send notifications (no id, no answer).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class Client:
    """One agent process. `on_update` sees every update; `choose` gives the id of a permission option, or ""."""

    def __init__(self, command: list[str], on_update: Callable[[Message], Any], choose: Callable[..., str]) -> None:
        self.on_update, self.choose, self.last_id = on_update, choose, 0
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def request(self, method: str, **params: Any) -> Any:
        """Ask the agent, serve it until the answer comes, and give the result. An error is raised."""
        self.last_id += 1
        self.send(id=self.last_id, method=method, params=params)
        for line in self.process.stdout or ():
            message = json.loads(line)
            if "method" in message:
                self.serve(message)
            elif "error" in message:
                raise RuntimeError(message["error"]["message"])
            else:
                return message["result"]
        raise RuntimeError(f"the agent ended with status {self.process.wait()}")

    def serve(self, message: Message) -> None:
        """React to what the agent sends by itself: updates, and the question whether a tool may run."""
        if message["method"] == "session/update":
            self.on_update(message["params"]["update"])
        elif message["method"] == "session/request_permission":
            option = self.choose(message["params"])
            outcome = {"outcome": "selected", "optionId": option} if option else {"outcome": "cancelled"}
            self.send(id=message["id"], result={"outcome": outcome})
        elif "id" in message:  # a request must be answered, also one that we do not know
            self.send(id=message["id"], error={"code": -32601, "message": "Method not found"})

    def send(self, **message: Any) -> None:
        """Write one line."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()


def show(update: Message) -> None:
    """Print the answer as it comes, and each tool call with its state."""
    if update["sessionUpdate"] == "agent_message_chunk":
        print(update["content"].get("text", ""), end="", flush=True)
    elif update["sessionUpdate"] in ("tool_call", "tool_call_update"):
        print(f"\n[{update.get('status')}: {update.get('title')}]", flush=True)


def ask(request: Message) -> str:
    """Let the person choose one of the options by its id; an empty line chooses none."""
    options = ", ".join(f"{option['optionId']} ({option['name']})" for option in request["options"])
    return input(f"\n{request['toolCall'].get('title')}? {options}: ")


if __name__ == "__main__":
    command = [word for word in sys.argv[1:] if word != "--yes"] or [sys.executable, "-m", "acp_agent", "acp"]
    client = Client(command, show, (lambda _: "allow_once") if "--yes" in sys.argv else ask)
    client.request("initialize", protocolVersion=1, clientCapabilities={})
    session = client.request("session/new", cwd=os.getcwd(), mcpServers=[])["sessionId"]
    for prompt in sys.stdin:
        answer = client.request("session/prompt", sessionId=session, prompt=[{"type": "text", "text": prompt}])
        print(f"\n[{answer['stopReason']}]")
