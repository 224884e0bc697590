"""From the params that open a session to its setup: directories that exist, a system prompt that can be applied."""

from __future__ import annotations

from pathlib import Path

from acp_agent import schema
from acp_agent.agent.checks import DIRECTORY, check_absolute, directory
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.session.client_system_prompt import ClientPrompt
from acp_agent.session.opening import Setup
from acp_agent.tools.mcp.spec import MOST_SERVERS


def client_prompt(params: schema.SessionSetup) -> ClientPrompt | None:
    """The client's system prompt. Raises `RpcError` (-32602) for one that cannot be applied just as it was meant."""
    given = params.system_prompt
    if given is None:
        return None
    if given.mode not in ("append", "override"):
        text = f"systemPrompt.mode {given.mode[:100]!r} is not supported."
        raise RpcError(INVALID_PARAMS, text, {"path": "systemPrompt.mode", "expected": ["append", "override"]})
    texts = []
    for number, block in enumerate(given.content):
        if not isinstance(block, schema.TextContent):
            place = f"systemPrompt.content[{number}]"
            raise RpcError(INVALID_PARAMS, f"{place}: only text is supported.", {"path": place, "expected": "text"})
        texts.append(block.text)
    text = "\n\n".join(each.strip() for each in texts).strip()
    if not text:
        raise RpcError(INVALID_PARAMS, "systemPrompt.content is empty.", {"path": "systemPrompt.content"})
    return ClientPrompt("override" if given.mode == "override" else "append", text)


def asked_setup(params: schema.SessionSetup, prompt: ClientPrompt | None) -> Setup:
    """The setup as it is written in the params, whose directories may not exist: to compare, not to open.

    Raises `RpcError` (-32602) for a path that is not absolute.
    """
    check_absolute(params.cwd, "cwd", DIRECTORY)
    for number, path in enumerate(params.additional_directories):
        check_absolute(path, f"additionalDirectories[{number}]", DIRECTORY)
    roots = dict.fromkeys(Path(path) for path in (params.cwd, *params.additional_directories))
    return _setup(tuple(roots), params, prompt)


async def setup_of(params: schema.SessionSetup, prompt: ClientPrompt | None) -> Setup:
    """The setup that the params ask for. Raises `RpcError` (-32602) for a directory that is none, or many servers."""
    if len(params.mcp_servers) > MOST_SERVERS:
        text = f"mcpServers: {len(params.mcp_servers)} are too many, a session has at most {MOST_SERVERS}."
        raise RpcError(INVALID_PARAMS, text, {"path": "mcpServers", "limit": MOST_SERVERS})
    roots = [await directory(params.cwd, "cwd")]
    for number, path in enumerate(params.additional_directories):
        root = await directory(path, f"additionalDirectories[{number}]")
        if root not in roots:
            roots.append(root)
    return _setup(tuple(roots), params, prompt)


def _setup(roots: tuple[Path, ...], params: schema.SessionSetup, prompt: ClientPrompt | None) -> Setup:
    return Setup(
        roots=roots,
        mcp_servers=params.mcp_servers if "mcp_servers" in params.model_fields_set else None,
        prompt=prompt,
        options=params.config_options or {},
    )
