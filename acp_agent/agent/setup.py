"""From the params that open a session to its setup: directories that exist, a system prompt that can be applied."""

from __future__ import annotations

from acp_agent import schema
from acp_agent.agent.checks import directory
from acp_agent.rpc.messages import INVALID_PARAMS, RpcError
from acp_agent.session.client_system_prompt import ClientPrompt
from acp_agent.session.opening import Setup


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


async def setup_of(params: schema.SessionSetup, prompt: ClientPrompt | None) -> Setup:
    """The setup that the params ask for. Raises `RpcError` (-32602) for a directory that is none."""
    roots = [await directory(params.cwd, "cwd")]
    for number, path in enumerate(params.additional_directories):
        root = await directory(path, f"additionalDirectories[{number}]")
        if root not in roots:
            roots.append(root)
    return Setup(
        roots=tuple(roots),
        mcp_servers=params.mcp_servers if "mcp_servers" in params.model_fields_set else None,
        prompt=prompt,
        options=params.config_options or {},
    )
