"""MCP servers that a project's file names: started only after one recorded yes for the folder and just this content.

Whoever clones a repository has not agreed to run what its `opencode.json` says. Without a person to ask they stay off.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from acp_agent.schema import PermissionOption, TextContent, ToolCallProgress, ToolCallStart, ToolCallUpdate, ToolContent
from acp_agent.session.record import events
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn
from acp_agent.tools.diffs import text_content
from acp_agent.tools.mcp.spec import ServerSpec
from acp_agent.tools.truncate import fenced

_PATIENCE = 5.0
_LONGEST = 1000
_TITLE = "Start the MCP servers that this project's configuration names"


async def allow_trusted(state: SessionState) -> None:
    """Let those servers be joined to which a person agreed before."""
    store, folder = state.services.store, str(state.cwd)
    known = [
        name
        for name, spec in state.mcp.waiting_for_trust().items()
        if await store.trusted(folder, f"mcp {name} {spec.digest}")
    ]
    state.mcp.allow(known)


async def ask_for_trust(turn: Turn) -> None:
    """Ask, once in a session, about the servers that wait for a yes, and remember the answer if the person wants it."""
    state = turn.state
    waiting = state.mcp.waiting_for_trust()
    if not waiting or state.trust_asked:
        return
    question = _Question(turn, waiting)
    await turn.show(ToolCallStart(**question.fields, status="pending"))
    answer = None
    try:
        update = ToolCallUpdate(**question.fields, status="pending")
        choice = await turn.client.request_permission(state.id, update, _options())
        answer = choice.option_id
        state.trust_asked = True  # a question that was cancelled is asked again
    finally:
        await question.end(answer)
    if answer in ("allow_once", "allow_always"):
        if answer == "allow_always":
            for name, spec in waiting.items():
                await state.services.store.trust(str(state.cwd), f"mcp {name} {spec.digest}")
        state.mcp.allow(list(waiting))
        await state.mcp.settled(min(_PATIENCE, max(spec.timeout for spec in waiting.values())))
    turn.log("trust.answered", servers=sorted(waiting), answer=answer)


def _options() -> list[PermissionOption]:
    later = "Start them, now and later, as long as they stay the same"
    return [
        PermissionOption(option_id="allow_always", name=later, kind="allow_always"),
        PermissionOption(option_id="allow_once", name="Start them in this session", kind="allow_once"),
        PermissionOption(option_id="reject_once", name="Leave them off", kind="reject_once"),
    ]


def _shown(spec: ServerSpec, secrets: Collection[str]) -> dict[str, Any]:
    """All that decides what would be run or contacted; the person's own secrets, which a file may name, are masked."""

    def clear(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… and {len(text) - _LONGEST} more characters"

    if spec.transport != "stdio":
        headers = {clear(name): "***" for name, _ in spec.headers}
        return {"url": clear(spec.shown()), **({"headers": headers} if headers else {})}
    environment = {clear(name): clear(value) for name, value in spec.environment}
    return {
        "command": [clear(part) for part in spec.command],
        **({"cwd": clear(spec.cwd)} if spec.cwd else {}),
        **({"environment": environment} if environment else {}),
    }


class _Question:
    """The question as a tool call, which is how clients show one."""

    def __init__(self, turn: Turn, waiting: Mapping[str, ServerSpec]) -> None:
        shown = {name: _shown(spec, turn.state.config.secrets) for name, spec in waiting.items()}
        # As JSON in ASCII: a stranger wrote these words, and none of them may look like ours or turn the text around.
        text = f"{_TITLE}, in {turn.state.cwd}:\n\n{fenced(json.dumps(shown, indent=2), 'json')}"
        self._turn = turn
        self._asked = turn.state.services.clock()
        self.fields: dict[str, Any] = {
            "tool_call_id": turn.state.services.new_id("call"),
            "title": _TITLE,
            "name": "mcp",
            "kind": "other",
            "content": [text_content(text)],
            "raw_input": shown,
        }

    async def end(self, answer: str | None) -> None:
        """End the call in the record and for the client, also while the turn is being cancelled."""
        turn = self._turn
        agreed = answer in ("allow_once", "allow_always")
        told = "They are being started." if agreed else "They stay off in this session."
        content = [*self.fields["content"], ToolContent(content=TextContent(text=told))]
        final = events.ToolCallFinal(
            call_id=self.fields["tool_call_id"],
            name="mcp",
            title=_TITLE,
            status="completed" if agreed else "failed",
            raw_input=self.fields["raw_input"],
            content=tuple(content),
            output=told,
            started=self._asked,
            ended=turn.state.services.clock(),
            decision=answer or "not answered",
        )
        await turn.keep(final)
        fields = {**self.fields, "content": content}
        turn.show_now(ToolCallProgress(**fields, status=final.status))
