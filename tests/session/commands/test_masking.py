"""What `/config` may show: no secret in any place where people write one, and everything harmless as it stands."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from acp_agent.session.commands.base import plain
from acp_agent.session.commands.masked_text import MASK, host_only, looks_secret, masked_text
from acp_agent.session.commands.masking import masked_values


def masked(**values: Any) -> dict[str, Any]:
    return masked_values(values, frozenset({"known-secret"}))


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-i", "-e", "GITHUB_PERSONAL_ACCESS_TOKEN=ghp_REAL", "ghcr.io/github/github-mcp-server"],
        ["-y", "mcp-remote", "https://mcp.example.com/sse", "--header", "Authorization: Bearer REAL"],
        ["-c", "API_KEY=REAL exec server"],
        ["postgresql://user:REAL@host/db"],
        ["--password:REAL", "-pREAL", "REAL"],
    ],
)
def test_of_a_servers_command_only_the_program_is_shown(arguments: list[str]) -> None:
    shown = masked(mcp={"one": {"type": "local", "command": ["docker", *arguments]}})
    assert shown["mcp"]["one"]["type"] == "local"
    count = len(arguments)
    more = f"… and {count} argument{'' if count == 1 else 's'} that are not shown"
    assert shown["mcp"]["one"]["command"] == ["docker", more]


def test_a_command_without_arguments_or_without_a_program_is_shown_as_it_is() -> None:
    assert masked(mcp={"a": {"command": ["server"]}, "b": {"command": []}}) == {
        "mcp": {"a": {"command": ["server"]}, "b": {"command": []}}
    }
    assert masked(mcp={"a": {"command": ["API_KEY=REAL server"]}})["mcp"]["a"]["command"] == [f"API_KEY={MASK}"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("https://mcp.example.com:8443/api/mcp/s/REAL/mcp", "https://mcp.example.com:8443/…"),
        ("https://user:REAL@mcp.example.com/mcp", "https://mcp.example.com/…"),
        ("https://user:RE/AL@mcp.example.com/mcp", f"https://{MASK}"),
        ("https://mcp.example.com?key=REAL", "https://mcp.example.com/…"),
        ("https://mcp.example.com#REAL", "https://mcp.example.com/…"),
        ("https://a8f5f167f44f4964e6c998dee827110c.example.com/mcp", f"https://{MASK}.example.com/…"),
        ("REAL", MASK),
    ],
)
def test_of_a_servers_address_only_scheme_and_host_are_shown(url: str, shown: str) -> None:
    assert host_only(url) == shown
    assert masked(mcp={"one": {"url": url}})["mcp"]["one"]["url"] == shown


def test_headers_and_variables_are_hidden_whatever_they_are_called() -> None:
    shown = masked(
        mcp={"one": {"headers": {"X": "REAL"}, "environment": {"PATH": "REAL"}, "cwd": "/srv"}},
        provider={"p": {"models": {"m": {"headers": {"Y": "REAL"}}}, "options": {"headers": {"Z": "REAL"}}}},
    )
    assert "REAL" not in json.dumps(shown)
    assert shown["mcp"]["one"] == {"headers": {"X": MASK}, "environment": {"PATH": MASK}, "cwd": "/srv"}


def test_of_a_vendors_options_only_the_known_ones_are_shown() -> None:
    options = {
        "baseURL": "https://user:REAL@host.example/v1?k=REAL",
        "reasoningEffort": "high",
        "thinking": {"type": "enabled", "budgetTokens": 4000},
        "maxTokens": 8000,
        "stream": True,
        "timeout": False,
        "nothing": None,
        "sig": "REAL",
        "signature": "REAL",
        "anything": "REAL",
        "several": ["REAL"],
        "pin": 123456,
        "auth": {"type": "REAL", "number": 42},
        "extraBody": {"verbosity": "low", "user": "REAL"},
    }
    wanted = {
        **options,
        "baseURL": f"https://{MASK}@host.example/v1?{MASK}",
        **dict.fromkeys(("sig", "signature", "anything", "pin"), MASK),
        "several": [MASK],
        "auth": {"type": MASK, "number": MASK},
        "extraBody": {"verbosity": "low", "user": MASK},
    }
    shown = masked(
        provider={"p": {"options": options, "models": {"m": {"options": options}}}},
        agent={"a": {"options": options, **options}},
    )
    assert shown["provider"]["p"] == {"options": wanted, "models": {"m": {"options": wanted}}}
    assert shown["agent"]["a"] == {"options": wanted, **wanted}


def test_values_and_names_that_are_known_to_be_secret_are_hidden_wherever_they_stand() -> None:
    shown = masked(username="known-secret", shell="/bin/known-secret/sh", tools={"known-secret": True})
    assert shown == {"username": MASK, "shell": f"/bin/{MASK}/sh", "tools": {MASK: True}}


def test_two_rules_that_differ_only_in_what_is_masked_are_both_shown() -> None:
    rules = {"curl -H 'Authorization: Bearer REAL1' *": "allow", "curl -H 'Authorization: Bearer REAL2' *": "deny"}
    shown = masked(permission={"bash": {"*": "ask", **rules}})["permission"]["bash"]
    assert list(shown.values()) == ["ask", "allow", "deny"]
    assert "REAL" not in json.dumps(shown)


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY=REAL exec server",
        "export PGPASSWORD='REAL REAL'",
        'run {"apiKey": "REAL REAL"}',
        "run --password:REAL",
        "run --api-key REAL",
        "run -token=REAL",
        'curl -H "X-Anything: REAL"',
        "curl -HX-Anything:REAL",
        "curl --header='Anything: REAL'",
        "curl -u me:REAL https://host.example",
        "Authorization: Basic REALREAL",
        "Cookie: a=REAL; b=REAL",
        "X-Corp: REAL",
        "it sends Bearer REAL",
        "sig=REAL&x=REAL",
        "passphrase: REAL REAL",
        "https://host.example/hooks/REALREAL1",
        "https://u:REAL@host.example/",
        "https://u:RE?AL@host.example/",
        "https://host.example/v1#REAL",
        "TOKEN=https://host.example/REAL",
        "sk-ant-REAL-REAL",
        "ghp_REALREAL",
        "use AKIAREALREALREAL please",
        "eyJREALREAL.REAL.REAL",
        "REAL1d2e-1111-4aaa-8bbb-REAL22223333".replace("REAL", "abcd"),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_any_text(text: str) -> None:
    shown = masked_text(text)
    assert MASK in shown
    assert "REAL" not in shown
    assert "abcd" not in shown


@pytest.mark.parametrize(
    "key",
    [
        "8f14e45fceea167a5a36dedd4bea2543",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzKEY",
        "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==",
        "AbCdEfGhIjKlMnOpQrStUvWx",
        "T0123ABCD-B0456EFGH-x9Y8z7W6v5U4t3S2",
        "123456789012345678901234",
    ],
)
def test_long_words_that_nobody_would_think_of_are_masked(key: str) -> None:
    assert masked_text(f"before {key} after") == f"before {MASK} after"
    assert masked_text(f'"{key}"') == f'"{MASK}"'


@pytest.mark.parametrize(
    "text",
    [
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-3-5-sonnet-20241022",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "accounts/fireworks/models/qwen3-coder-480b-a35b-instruct",
        "@ai-sdk/openai-compatible",
        "AWS_BEARER_TOKEN_BEDROCK",
        "/home/ada/projects/my-Project_2/docs/guidelines.md",
        "~/.config/opencode/opencode.json",
        "docs/**/*.md",
        "https://api.openai.com/v1",
        "https://host.example:8080/openai/deployments/gpt-4o",
        "https://host.example/org/repo/main/AGENTS.md",
        "http://127.0.0.1:11434/v1",
        "git commit -m *",
        "sort -u *",
        "*.key",
        "Reviews code. Be brief, and name the author of each design.",
        "internationalization-and-localization",
        "the basic types of a monkey",
    ],
)
def test_what_is_harmless_stays_readable(text: str) -> None:
    assert masked_text(text) == text


def test_names_are_judged_by_their_words() -> None:
    for name in ("apiKey", "X-Auth", "sig", "requestSig", "db_pass", "SessionId", "client.secret", "PWD", "clientCert"):
        assert looks_secret(name), name
    for name in ("author", "design", "compass", "spinner", "model", "region", "certain", "patch", "baseURL"):
        assert not looks_secret(name), name


def test_long_text_is_cut_and_costs_little() -> None:
    shown = masked(username="word " * 100_000)["username"]
    assert shown == "word " * 80 + "…"
    assert masked(username="x" * 100_000) == {"username": MASK}
    begun = time.monotonic()
    for unit in ("key", "a.", "-", "a:", "http://", "x@", " ", "a=", "[", "\n", "A1"):
        masked(username=unit * 1_000 + " " + unit * 100_000)
    assert time.monotonic() - begun < 20


@given(st.text("aK1 :=-/@?#\"'.\n", max_size=60), st.text("aK1 :=-/@.\n", max_size=60))
def test_whatever_stands_before_it_the_value_of_a_secret_name_is_hidden(before: str, after: str) -> None:
    assert "REAL" not in masked_text(f"{before} API_KEY=REAL{after}".replace("\n", " "))


def test_plain_text_is_one_line_that_markdown_shows_as_it_is() -> None:
    assert plain("a\n# *b* [c](d) <e> `f`\x1b") == r"a \# \*b\* \[c\](d) \<e> \`f\`?"
    assert plain("Fix foo_bar, _now_, AT&T &amp; 1 > 0!") == r"Fix foo_bar, \_now\_, AT&T \&amp; 1 > 0!"
