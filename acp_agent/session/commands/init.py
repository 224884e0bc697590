"""`/init`: the model looks at the project and writes AGENTS.md, which later sessions have in their system prompt."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from acp_agent.config.diagnostic import printable
from acp_agent.config.files import is_inside, worktree_root
from acp_agent.schema import ContentBlock, TextContent
from acp_agent.session.commands.base import Invocation
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn

FILE = "AGENTS.md"

_RULES = (".cursor/rules", ".cursorrules", ".github/copilot-instructions.md")
_OTHER_INSTRUCTIONS = ("CLAUDE.md", "CONTEXT.md", "GEMINI.md", ".windsurfrules", ".clinerules")
_MOST_RULE_FILES = 20

_TASK = """\
Study this code base and {task} `{file}`. Coding agents are given that file at the start of every session here, so it \
has to hold what somebody new to the project would otherwise have to find out, and nothing else.

Put in, as far as it applies here:
1. The commands that build, lint, format, type-check and test the project, exactly as they are typed, among them the \
command that runs one single test.
2. The code style that the code itself shows or its configuration enforces: imports, formatting, types, naming, error \
handling, and how tests are written.
3. The structure, in a few lines: where things live, and what is not obvious from the names.

How to go about it:
- Read before you write: build and package files, the configuration of linters and of continuous integration, the \
README, and a few typical source and test files.
- State only what you saw in the repository. Where you found nothing, leave the point out; no general advice.
- Aim at about 20 lines of terse Markdown.
- Change no other file."""

_IMPROVE = """\
- `{file}` exists: read it first, then improve it in place. Keep what is still right, above all rules that people \
wrote down; correct what is outdated, add what is missing, remove repetition."""

_NEW = "- `{file}` does not exist yet: write it with the write tool, at exactly this path."

_TAKE_IN = """\
- Take in the rules that were written for other tools. These exist, so read them and carry over what matters to \
anybody who changes the code:
{rules}"""

_NO_RULES = "- There are no Cursor or Copilot rules (looked for: {looked_for})."

_OTHERS = "- Instructions of other kinds are here too; use what they say: {others}."

_HINT = "The user adds: {hint}"


async def prompt_for_instructions(turn: Turn, invoked: Invocation) -> Sequence[ContentBlock]:
    """What the model is sent for `/init`: the task, what is known of the project already, and what was attached."""
    root = project_root(turn.state)
    task = await to_thread.run_sync(_task, root, invoked.arguments)
    return [TextContent(text=task), *invoked.blocks]


async def mark_initialized(turn: Turn) -> None:
    """Mark the project as having its instructions, if they are really there; else say that they are not."""
    state = turn.state
    path = project_root(state) / FILE
    if await to_thread.run_sync(os.path.isfile, path):
        await state.services.store.initialized(state.id)
        turn.log("project.initialized", path=str(path))
    else:
        await turn.say(f"There is no {turn.workspace.display(path)}, so the project does not count as initialised.")


def project_root(state: SessionState) -> Path:
    """Where AGENTS.md belongs: the root of the worktree, outside git the working directory."""
    return worktree_root(state.cwd) or state.cwd


def _task(root: Path, hint: str) -> str:
    path = root / FILE
    shown = printable(str(path))
    exists = os.path.isfile(path)
    rules = list(_rule_files(root))
    others = [name for name in _OTHER_INSTRUCTIONS if os.path.isfile(root / name)]
    parts = [
        _TASK.format(task="improve" if exists else "write", file=shown),
        (_IMPROVE if exists else _NEW).format(file=shown),
        _TAKE_IN.format(rules="\n".join(f"  - `{name}`" for name in rules))
        if rules
        else _NO_RULES.format(looked_for=", ".join(_RULES)),
    ]
    if others:
        parts.append(_OTHERS.format(others=", ".join(f"`{name}`" for name in others)))
    text = "\n".join(parts) + f"\n\nThe root of the project is {printable(str(root))}."
    return f"{text}\n\n{_HINT.format(hint=hint)}" if hint else text


def _rule_files(root: Path) -> list[str]:
    """The rules for Cursor and Copilot that exist, relative to the root; a folder's files one by one."""
    found: list[Path] = []
    for name in _RULES:
        path = root / name
        if os.path.isdir(path):
            found += sorted(each for each in path.rglob("*.md*") if os.path.isfile(each))[:_MOST_RULE_FILES]
        elif os.path.isfile(path):
            found.append(path)
    return [printable(path.relative_to(root).as_posix()) for path in found if is_inside(path, root)]
