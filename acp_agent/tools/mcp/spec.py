"""Which MCP servers a session has: named by its client, or by the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from acp_agent.config.diagnostic import Layer
from acp_agent.config.load import LoadedConfig
from acp_agent.config.models import McpConfig
from acp_agent.schema import McpServer, McpServerHttp, McpServerSse, McpServerStdio
from acp_agent.tools.mcp.errors import one_line

Transport: TypeAlias = Literal["stdio", "http", "sse", "remote"]
"""`remote` is an address of the configuration's, of which is not known whether it speaks `http` or `sse`."""

Pairs: TypeAlias = tuple[tuple[str, str], ...]

DEFAULT_TIMEOUT = 30.0

MOST_SERVERS = 64
"""Of one session, those that are switched off not counted."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How to join one server. `timeout` is in seconds, until it is ready; `cwd` may be relative to the session's.

    `off` says why it is not to be joined. `needs_trust`: a project's file names what would be started or told, so a
    person has to agree first. Two equal ones lead to the same server.
    """

    name: str
    transport: Transport
    command: tuple[str, ...] = ()
    environment: Pairs = ()
    cwd: str | None = None
    url: str = ""
    headers: Pairs = ()
    timeout: float = DEFAULT_TIMEOUT
    off: str | None = None
    needs_trust: bool = False

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of all that decides what is run or contacted; not of the folder it is for."""
        content = [self.transport, self.command, self.environment, self.cwd, self.url, self.headers]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def shown(self) -> str:
        """What would be started or contacted, for a person; without variables, headers and what hides in addresses."""
        if self.transport == "stdio":
            return " ".join(self.command)
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def servers_of(client: Iterable[McpServer], loaded: LoadedConfig) -> tuple[list[ServerSpec], list[str]]:
    """All servers of a session, sorted by name, and notes for the person about those that are left out.

    A name that the client gives hides the configuration's. Beyond `MOST_SERVERS` those of the configuration that stand
    last are left out; the client's are counted when its request is read.
    """
    found = {spec.name: spec for spec in from_client(client)}
    room = MOST_SERVERS - sum(spec.off is None for spec in found.values())
    left_out = []
    for spec in from_config(loaded):
        if spec.name in found:
            continue
        if spec.off is None:
            if room <= 0:
                left_out.append(spec.name)
                continue
            room -= 1
        found[spec.name] = spec
    return [found[name] for name in sorted(found)], [_crowded(left_out)] if left_out else []


def _crowded(left_out: Sequence[str]) -> str:
    return (
        f"A session has at most {MOST_SERVERS} MCP servers. Of the configuration's, {len(left_out)} were left out, the "
        f"first of them {one_line(left_out[0], 60)}. Switch off what you do not need with `enabled: false`."
    )


def from_client(servers: Iterable[McpServer]) -> list[ServerSpec]:
    """The servers that came with the session's request; of equal names the later ones get a number."""
    found: dict[str, ServerSpec] = {}
    for server in servers:
        spec = _of_client(server)
        name, number = spec.name, 1
        while name in found:
            number += 1
            name = f"{spec.name}-{number}"
        found[name] = replace(spec, name=name)
    return list(found.values())


def _of_client(server: McpServer) -> ServerSpec:
    match server:
        case McpServerStdio():
            environment = tuple((each.name, each.value) for each in server.env)
            spec = ServerSpec(server.name, "stdio", (server.command, *server.args), environment)
        case McpServerHttp() | McpServerSse():
            headers = tuple((each.name, each.value) for each in server.headers)
            spec = ServerSpec(server.name, server.type, url=server.url, headers=headers)
    return replace(spec, off=_problem(spec))


def from_config(loaded: LoadedConfig) -> list[ServerSpec]:
    """The servers of the configuration, those that are switched off among them."""
    return [_of_config(name, server, loaded) for name, server in loaded.config.mcp.items()]


def _of_config(name: str, server: McpConfig, loaded: LoadedConfig) -> ServerSpec:
    local = server.type == "local" or (server.type is None and bool(server.command))
    spec = ServerSpec(
        name,
        "stdio" if local else "remote",
        tuple(server.command) if local else (),
        _pairs(server.environment) if local else (),
        server.cwd if local else None,
        "" if local else server.url or "",
        () if local else _pairs(server.headers),
        timeout=server.timeout / 1000 if server.timeout else DEFAULT_TIMEOUT,
        needs_trust=_from_project(("mcp", name), server, loaded),
    )
    off = "switched off in the configuration" if server.enabled is False else _problem(spec)
    return replace(spec, off=off)


def _pairs(mapping: Mapping[str, str]) -> Pairs:
    return tuple(sorted(mapping.items()))


def _problem(spec: ServerSpec) -> str | None:
    if spec.transport == "stdio":
        return None if spec.command and spec.command[0] else "no command is given"
    try:
        parts = urlsplit(spec.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    return None if good else "its url is no http or https address"


def _from_project(path: tuple[str, ...], server: McpConfig, loaded: LoadedConfig) -> bool:
    """Whether a project's file has a say in it. A switch that only turns it off counts too, and does no harm."""
    paths: list[tuple[str | int, ...]] = [path, *((*path, key) for key in type(server).model_fields)]
    paths += [(*path, "command", index) for index in range(len(server.command))]
    for key, mapping in (("environment", server.environment), ("headers", server.headers)):
        paths += [(*path, key, name) for name in mapping]
    return any(loaded.origin(each) is Layer.PROJECT for each in paths)


def untrusted(specs: Sequence[ServerSpec]) -> dict[str, str]:
    """Name and digest of the servers that a person has to agree to before they are joined."""
    return {spec.name: spec.digest for spec in specs if spec.needs_trust and spec.off is None}
