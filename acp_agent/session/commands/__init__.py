"""Slash commands: one row each in `COMMANDS`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from acp_agent.schema import AvailableCommand, ContentBlock, TextContent, UnstructuredCommandInput
from acp_agent.session.commands.base import Command, Invocation, code, listed, page, plain
from acp_agent.session.commands.server_prompts import prompt_commands
from acp_agent.session.prompt.typed_text import typed, typed_text
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn

_NAME = re.compile(r"/([A-Za-z][\w:-]*)(?:\s+|$)")
_LONGEST_NAME = 100


async def help_(turn: Turn, _invoked: Invocation) -> str:
    """`/help`: every command with its arguments."""
    return page(
        listed("Commands", _rows(turn.state)),
        "They are answered here, without a model, unless they say otherwise. Everything else is a prompt.",
    )


def _late(module: str, function: str) -> Callable[..., Any]:
    """The coroutine function of a module beside this one, which is loaded when the command is first used."""

    async def call(*arguments: Any) -> Any:
        from importlib import import_module

        return await getattr(import_module(f"{__name__}.{module}"), function)(*arguments)

    return call


COMMANDS: tuple[Command, ...] = (
    Command("help", "List the commands", answer=help_),
    Command(
        "init",
        "Let the model look at the project and write or improve AGENTS.md",
        hint="what to look at in particular",
        prompt=_late("init", "prompt_for_instructions"),
        done=_late("init", "mark_initialized"),
    ),
    Command("model", "Show the models, or choose one", hint="provider/model", answer=_late("choices", "model")),
    Command("mode", "Show the modes, or choose one", hint="name of a mode", answer=_late("choices", "mode")),
    Command("agents", "Show the agents of the configuration", answer=_late("choices", "agents")),
    Command("mcp", "Show the MCP servers, or join one again", hint="reconnect NAME", answer=_late("servers", "mcp")),
    Command("permissions", "Show which permission rules hold now", answer=_late("permissions", "permissions")),
    Command("usage", "Show the tokens and the cost of this session", answer=_late("measures", "usage")),
    Command("context", "Show what fills the model's window", answer=_late("measures", "context")),
    Command(
        "config",
        "Show the configuration and where it comes from",
        hint="key, such as permission",
        answer=_late("configuration", "config"),
    ),
    Command("doctor", "Check the set-up and say what to do about problems", answer=_late("doctor", "doctor")),
    Command(
        "export",
        "Write the conversation into a Markdown file",
        hint="path of a new file",
        answer=_late("export", "export"),
    ),
    Command(
        "title", "Show the title of this session, or change it", hint="new title", answer=_late("titling", "title")
    ),
)


def commands_of(state: SessionState) -> dict[str, Command]:
    """The commands of a session by name, in the order in which clients list them."""
    ours = {command.name: command for command in COMMANDS}
    return {**ours, **{name: command for name, command in prompt_commands(state).items() if name not in ours}}


def available_commands(state: SessionState) -> list[AvailableCommand]:
    """The commands of a session as clients are told of them."""
    return [
        AvailableCommand(
            name=command.name,
            description=command.description,
            input=None if command.hint is None else UnstructuredCommandInput(hint=command.hint),
        )
        for command in commands_of(state).values()
    ]


def invocation(state: SessionState, blocks: Sequence[ContentBlock]) -> Invocation | None:
    """The command that a prompt calls, whether it exists or not; None for an ordinary prompt.

    It stands at the beginning of the first text that is not blank. `/usr/bin/python is broken` is no command, and
    neither is `/tmp` where there is such a folder and no such command.
    """
    first = next((index for index, block in enumerate(blocks) if typed(block) and _text(block).strip()), None)
    if first is None:
        return None
    text = _text(blocks[first]).lstrip()
    found = _NAME.match(text)
    if found is None or len(found.group(1)) > _LONGEST_NAME:
        return None
    name = found.group(1)
    if name not in commands_of(state) and os.path.lexists(f"/{name}"):
        return None
    behind: list[ContentBlock] = [TextContent(text=text[found.end() :]), *blocks[first + 1 :]]
    attached = tuple(block for block in blocks if not typed(block))
    return Invocation(name, typed_text(behind).strip(), attached)


def unknown_command(state: SessionState, invoked: Invocation) -> str:
    """What a person is told who called a command that does not exist: those that do."""
    from difflib import get_close_matches

    near = get_close_matches(invoked.name.lower(), list(commands_of(state)), n=1, cutoff=0.5)
    hint = f" Did you mean {code('/' + near[0])}?" if near else ""
    return page(
        f"There is no command {code('/' + invoked.name)}.{hint}",
        listed("Commands", _rows(state)),
        "To begin a prompt with a slash, put another word before it.",
    )


def _rows(state: SessionState) -> list[str]:
    return [
        code(f"/{command.name}" + (f" [{command.hint}]" if command.hint else "")) + f": {plain(command.description)}"
        for command in commands_of(state).values()
    ]


def _text(block: ContentBlock) -> str:
    return block.text if isinstance(block, TextContent) else ""
