"""Schedules: what a client does in which order, while a model and its tools go on only when the schedule lets them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
from hypothesis import strategies as st

from acp_agent.llm.messages import Text, UserMessage
from acp_agent.llm.provider import ModelRequest
from acp_agent.llm.scripted import Scripted
from acp_agent.tools.write import WriteTool
from tests.conformance.transcript import BETWEEN_TURNS, ENDS, STOP_REASONS, assert_calls_go_their_way
from tests.harness import Message, RawClient, Rig, call, choose, tools
from tests.session.unit import NoteTool

SESSIONS = 3
ANSWERS = ["allow_once", "allow_always", "reject_once", "unknown"]

_some_session = st.integers(0, SESSIONS - 1)
_action = st.one_of(
    st.tuples(
        st.sampled_from(
            ["prompt"] * 5
            + ["cancel", "close", "delete", "load", "resume", "set_mode", "set_option", "steer", "set_title", "status"]
        ),
        _some_session,
    ),
    st.tuples(st.sampled_from(["cancel_request", "release", "release", "release"]), st.integers(0, 9)),
    st.tuples(st.just("answer"), st.sampled_from(range(len(ANSWERS)))),
    st.tuples(st.sampled_from(["list", "wait"]), st.just(0)),
)
schedules = st.lists(_action, min_size=4, max_size=22)

_step = st.sampled_from(["text", "text", "thinking", "tool", "two tools", "ask", "error", "empty"])
scripts = st.lists(_step, max_size=12)


def _steps(kinds: list[str]) -> list[Message]:
    """A script; the text of each step says its number."""
    steps: list[Message] = []
    for number, kind in enumerate(kinds):
        text = f"step-{number}. "
        note = call("note", text=str(number))
        match kind:
            case "text":
                steps.append({"text": text + "More of it. And more."})
            case "thinking":
                steps.append({"thinking": "Let me think.", "text": text})
            case "tool":
                steps.append(tools(note, text=text))
            case "two tools":
                steps.append(tools(note, call("unknown"), text=text))
            case "ask":
                steps.append(tools(call("write", filePath=f"{number}.txt", content="x"), text=text))
            case "error":
                steps.append({"text": text, "error": {"kind": "bad_request", "message": "no"}})
            case "empty":
                steps.append({})
    return steps


class Gate:
    """Lets through as many as were released, and at the end everybody."""

    def __init__(self) -> None:
        self._open = False
        self._places = anyio.Semaphore(0)

    async def __call__(self) -> None:
        if not self._open:
            await self._places.acquire()

    def release(self, count: int) -> None:
        """Let some more through."""
        for _ in range(count):
            self._places.release()

    def open(self) -> None:
        """Stop holding anybody."""
        self._open = True
        self.release(10_000)


class Noted(Scripted):
    """A script that also notes which prompt each step answered."""

    def __init__(self, kinds: list[str], gate: Callable[[], Awaitable[None]]) -> None:
        super().__init__(_steps(kinds), gate=gate)
        self._count = len(kinds)

    def say_only(self, text: str) -> None:
        """Forget what is left of the script: the next answer is this text."""
        self._steps.clear()
        self.append({"text": text})

    def prompts_of_steps(self) -> dict[int, int]:
        """The number of each played step to that of its prompt."""
        return {step: _latest_prompt(request) for step, request in enumerate(self.requests[: self._count])}


def _latest_prompt(request: ModelRequest) -> int:
    found = [
        int(number)
        for entry in request.history
        if isinstance(entry, UserMessage)
        for part in entry.content
        if isinstance(part, Text)
        for number in re.findall(r"prompt-(\d+)", part.text)
    ]
    return found[-1]


class Play:
    """One schedule, played against an agent in memory, and the judgement of what came back."""

    def __init__(self, folder: Path, script: list[str]) -> None:
        self.gate = Gate()
        self.rig = Rig(folder)
        self.rig.config = {"permission": {"edit": "ask"}}
        self.rig.tools = [NoteTool(self._work), WriteTool()]
        self.provider = self.rig.provider = Noted(script, self.gate)
        self.prompts: dict[int, Any] = {}
        self.requests: list[tuple[Any, str, str | None]] = []

    async def _work(self, text: str) -> str:
        await self.gate()
        return text

    async def run(self, schedule: list[tuple[str, int]]) -> None:
        """Play it to the end, let everything go on, and judge."""
        async with self.rig.client() as client:
            await client.initialize()
            sessions = [await client.new(self.rig.cwd) for _ in range(SESSIONS)]
            for name, number in schedule:
                await self._act(client, sessions, name, number)
            self.gate.open()
            await self._finish(client)
            for _ in range(4):
                await client.call("session/list", {})
            self._judge(client, sessions)
            self.provider.say_only("Still here.")
            fresh = await client.new(self.rig.cwd)
            assert await client.prompt(fresh, "prompt-999") == {"stopReason": "end_turn"}

    async def _ask(self, client: RawClient, method: str, params: Message) -> Any:
        id = await client.begin(method, params)
        self.requests.append((id, method, params.get("sessionId")))
        return id

    async def _act(self, client: RawClient, sessions: list[str], name: str, number: int) -> None:
        session = sessions[number % SESSIONS]
        match name:
            case "prompt":
                count = len(self.prompts)
                params = client.text_prompt(session, f"prompt-{count}")
                self.prompts[count] = await self._ask(client, "session/prompt", params)
            case "cancel":
                await client.notify("session/cancel", {"sessionId": session})
            case "cancel_request":
                id = self.requests[number % len(self.requests)][0] if self.requests else None
                await client.notify("$/cancel_request", {"requestId": id})
            case "release":
                self.gate.release(number + 1)
            case "answer":
                await self._answer(client, ANSWERS[number])
            case "wait":
                await client.call("session/list", {})
            case _:
                await self._ask(client, *self._request(client, session, name))

    def _request(self, client: RawClient, session: str, name: str) -> tuple[str, Message]:
        """Method and params of a request that is no prompt."""
        of = {"sessionId": session}
        match name:
            case "steer":
                idle = {"_meta": {"steering": {"idleBehavior": "promptRequired"}}}
                return "_session/steering", {**client.text_prompt(session, "and more"), **idle}
            case "load" | "resume":
                return f"session/{name}", {**of, "cwd": str(self.rig.cwd), "mcpServers": []}
            case "set_mode":
                return "session/set_mode", {**of, "modeId": "plan"}
            case "set_title":
                return "session/set_title", {**of, "title": "A title"}
            case "set_option":
                return "session/set_config_option", {**of, "configId": "mode", "value": "build"}
            case "list":
                return "session/list", {}
            case _:
                return f"session/{name}", of

    async def _answer(self, client: RawClient, choice: str) -> bool:
        """Answer the oldest open permission request, if there is one."""
        answered = {message["id"] for who, message in client.lines if who == "client" and "method" not in message}
        for who, message in client.lines:
            if who == "agent" and "id" in message and "method" in message and message["id"] not in answered:
                await client.send({"jsonrpc": "2.0", "id": message["id"], "result": choose(choice)(None)})
                return True
        return False

    async def _finish(self, client: RawClient) -> None:
        """Answer whatever is still asked until every request of ours is answered."""
        client.answers["session/request_permission"] = choose("reject_once")
        while await self._answer(client, "reject_once"):
            pass
        for id, _, _ in self.requests:
            await client.response(id)

    # Judging.

    def _judge(self, client: RawClient, sessions: list[str]) -> None:
        answers: dict[Any, list[Message]] = {}
        for who, message in client.lines:
            if who == "agent" and "method" not in message:
                answers.setdefault(message["id"], []).append(message)
        assert {id: len(found) for id, found in answers.items() if len(found) != 1} == {}
        for id, method, _ in self.requests:
            answer = answers[id][0]
            if method == "session/prompt" and "result" in answer:
                assert answer["result"]["stopReason"] in STOP_REASONS
            elif "error" in answer:
                assert answer["error"]["code"] in (-32002, -32600, -32603, -32800), answer
                assert (method, answer["error"]["code"]) != ("session/prompt", -32800)
        for session in sessions:
            self._judge_session(client, session)

    def _judge_session(self, client: RawClient, session: str) -> None:
        """Nothing of a turn is told while none runs, steps belong to their prompts, and every call has an end."""
        showing = {id: method for id, method, of in self.requests if of == session and method in _SHOWING}
        loaded = any(method == "session/load" for method in showing.values())
        step_prompt = self.provider.prompts_of_steps()
        open_requests: set[Any] = set()
        answered: set[Any] = set()
        statuses: dict[str, str] = {}
        for who, message in client.lines:
            id = message.get("id")
            if who == "client" and "method" in message and id in showing:
                open_requests.add(id)
            elif who == "agent" and "method" not in message and id in showing:
                open_requests.discard(id)
                answered.add(id)
                if showing[id] == "session/prompt" and not loaded:
                    open_calls = {call for call, status in statuses.items() if status not in ENDS}
                    assert not open_calls or open_requests, f"{open_calls} go on behind the turn"
            elif message.get("method") == "session/update" and message["params"]["sessionId"] == session:
                update = message["params"]["update"]
                kind = update["sessionUpdate"]
                assert kind in BETWEEN_TURNS or open_requests, f"{update} while nothing runs"
                if kind in ("tool_call", "tool_call_update") and update.get("status"):
                    statuses[update["toolCallId"]] = update["status"]
                if kind == "agent_message_chunk" and not loaded:
                    for step in re.findall(r"step-(\d+)", update["content"]["text"]):
                        assert self.prompts[step_prompt[int(step)]] not in answered, f"step {step} is late"
        assert set(statuses.values()) <= ENDS, statuses
        if not loaded:
            assert_calls_go_their_way([message for who, message in client.lines if who == "agent"], session)


_SHOWING = {"session/prompt", "session/load"}
"""Requests during which updates of a conversation may come."""
