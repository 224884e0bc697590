"""Which servers a session has, and which of them a person must agree to first."""

from __future__ import annotations

from pathlib import Path

import pytest

from acp_agent.schema import EnvVariable, HttpHeader, McpServerHttp, McpServerSse, McpServerStdio
from acp_agent.tools.mcp.spec import MOST_SERVERS, ServerSpec, from_client, from_config, servers_of, untrusted
from tests.config.folders import Folders


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_the_servers_of_a_client_are_taken_as_they_are():
    assert from_client(
        [
            McpServerStdio(name="a", command="run", args=["-x"], env=[EnvVariable(name="K", value="v")]),
            McpServerHttp(name="b", url="http://b/mcp", headers=[HttpHeader(name="H", value="v")]),
            McpServerSse(name="c", url="http://c/sse"),
        ]
    ) == [
        ServerSpec("a", "stdio", ("run", "-x"), (("K", "v"),)),
        ServerSpec("b", "http", url="http://b/mcp", headers=(("H", "v"),)),
        ServerSpec("c", "sse", url="http://c/sse"),
    ]


def test_two_servers_of_one_name_are_both_kept():
    servers = [McpServerStdio(name="a", command="one"), McpServerStdio(name="a", command="two")]
    assert [(spec.name, spec.command) for spec in from_client(servers)] == [("a", ("one",)), ("a-2", ("two",))]


def test_the_servers_of_the_configuration_are_read_with_the_keys_of_opencode(folders):
    local = {"type": "local", "command": ["npx", "-y", "it"], "cwd": "sub", "environment": {"K": "v"}, "timeout": 5000}
    remote = {"type": "remote", "url": "https://r/mcp", "headers": {"H": "v"}, "oauth": {"scope": "x"}}
    folders.write("global", {"mcp": {"l": local, "r": remote, "o": {**remote, "enabled": False, "oauth": False}}})
    assert folders.said() == []
    assert from_config(folders.load()) == [
        ServerSpec("l", "stdio", ("npx", "-y", "it"), (("K", "v"),), "sub", timeout=5),
        ServerSpec("r", "remote", url="https://r/mcp", headers=(("H", "v"),)),
        ServerSpec("o", "remote", url="https://r/mcp", headers=(("H", "v"),), off="switched off in the configuration"),
    ]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ({"type": "local"}, "no command is given"),
        ({"type": "local", "command": [""]}, "no command is given"),
        ({"type": "remote"}, "its url is no http or https address"),
        ({"type": "remote", "url": "ftp://x"}, "its url is no http or https address"),
        ({"type": "remote", "url": "http://["}, "its url is no http or https address"),
        ({}, "its url is no http or https address"),
    ],
)
def test_a_server_that_cannot_be_meant_says_why_it_is_off(folders, server, why):
    folders.write("global", {"mcp": {"s": server}})
    assert [spec.off for spec in from_config(folders.load())] == [why]


def test_a_name_of_the_client_hides_the_configuration(folders):
    folders.write("global", {"mcp": {name: {"type": "local", "command": ["configured"]} for name in "bc"}})
    found, notes = servers_of([McpServerStdio(name=name, command="given") for name in "ab"], folders.load())
    assert notes == []
    assert [(spec.name, spec.command[0]) for spec in found] == [("a", "given"), ("b", "given"), ("c", "configured")]


def test_what_the_configuration_has_too_many_of_is_left_out_and_said(folders):
    many = {f"c{index:02}": LOCAL for index in range(MOST_SERVERS)}
    folders.write("global", {"mcp": {"off": {**LOCAL, "enabled": False}, **many}})
    found, notes = servers_of(
        [McpServerStdio(name=name, command="given") for name in ("a", "b", "c00")], folders.load()
    )
    names = [spec.name for spec in found]
    assert names == ["a", "b", *(f"c{index:02}" for index in range(MOST_SERVERS - 2)), "off"]
    assert notes == [
        "A session has at most 64 MCP servers. Of the configuration's, 2 were left out, the first of them c62. "
        "Switch off what you do not need with `enabled: false`."
    ]


LOCAL = {"type": "local", "command": ["run", "it"]}


@pytest.mark.parametrize(
    ("layers", "asks"),
    [
        ({"project": LOCAL}, True),
        ({"nearer": LOCAL}, True),
        ({"global": LOCAL}, False),
        ({"custom": LOCAL}, False),
        ({"content": LOCAL}, False),
        ({"global": LOCAL, "project": {"environment": {"LD_PRELOAD": "./x.so"}}}, True),
        ({"global": LOCAL, "project": {"cwd": "here"}}, True),
        ({"global": {"type": "remote", "url": "http://mine"}, "project": {"url": "http://theirs"}}, True),
        ({"global": {"type": "remote", "url": "http://mine"}, "project": {"headers": {"H": "theirs"}}}, True),
        ({"project": LOCAL, "content": {"enabled": True}}, True),
        ({"project": {"environment": {"A": "b"}}, "content": LOCAL}, True),
        ({"project": LOCAL, "content": {"command": ["mine"], "type": "local", "enabled": True}}, False),
    ],
)
def test_whatever_a_project_has_a_say_in_needs_trust(folders, layers, asks):
    for layer, server in layers.items():
        folders.write(layer, {"mcp": {"s": server}})
    (spec,) = from_config(folders.load())
    assert spec.needs_trust is asks
    assert untrusted([spec]) == ({"s": spec.digest} if asks else {})


def test_what_a_project_switches_off_needs_no_trust(folders):
    folders.write("global", {"mcp": {"s": LOCAL}})
    folders.write("project", {"mcp": {"s": {"enabled": False}}})
    assert untrusted(from_config(folders.load())) == {}


BASE = ServerSpec("s", "stdio", ("run", "it"), (("K", "v"),), "sub", "http://u", (("H", "v"),))


@pytest.mark.parametrize(
    "other",
    [
        ServerSpec("s", "stdio", ("run it",), (("K", "v"),), "sub", "http://u", (("H", "v"),)),
        ServerSpec("s", "stdio", ("run", "it"), (("K", "w"),), "sub", "http://u", (("H", "v"),)),
        ServerSpec("s", "stdio", ("run", "it"), (("K", "v"),), "else", "http://u", (("H", "v"),)),
        ServerSpec("s", "stdio", ("run", "it"), (("K", "v"),), "sub", "http://w", (("H", "v"),)),
        ServerSpec("s", "stdio", ("run", "it"), (("K", "v"),), "sub", "http://u", (("H", "w"),)),
        ServerSpec("s", "remote", ("run", "it"), (("K", "v"),), "sub", "http://u", (("H", "v"),)),
    ],
)
def test_another_content_has_another_digest(other):
    assert other.digest != BASE.digest


def test_the_digest_does_not_hang_on_name_or_patience():
    same = ServerSpec("t", "stdio", ("run", "it"), (("K", "v"),), "sub", "http://u", (("H", "v"),), 5, needs_trust=True)
    assert same.digest == BASE.digest


def test_what_is_shown_of_a_server_holds_no_secret():
    web = ServerSpec("s", "remote", url="https://me:secret@host/mcp?key=secret#x", headers=(("H", "secret"),))
    assert web.shown() == "https://host/mcp"
    assert BASE.shown() == "run it"


def test_keys_in_headers_and_variables_of_servers_are_secrets(folders):
    server = {"type": "remote", "url": "http://u", "headers": {"Authorization": "Bearer abc-123-xyz"}}
    local = {**LOCAL, "environment": {"GITHUB_TOKEN": "ghp-123456", "PLAIN": "word"}}
    folders.write("global", {"mcp": {"r": server, "l": local}})
    assert folders.load().secrets == {"Bearer abc-123-xyz", "abc-123-xyz", "ghp-123456"}
