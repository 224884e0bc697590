"""The environment of children: no secrets, nothing that waits for a person, and all else as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from acp_agent.tools.environment import child_environment
from tests.tools.desk import Desk

QUIET = child_environment({}, (), ())


def test_secrets_are_left_out_by_name_and_by_value() -> None:
    environ = {
        "OPENAI_API_KEY": "named",
        "OPENCODE_CONFIG_CONTENT": "{}",
        "opencode_lower": "x",
        "ACP_AGENT_CALL": "outer",
        "COPY": "sk-0123456789",
        "URL": "https://user:sk-0123456789@host/",
        "SHORT": "abc",
        "HOLDS_SHORT": "xabcx",
        "BASH_ENV": "/tmp/evil",
        "ENV": "/tmp/evil",
        "KEPT": "value",
    }
    kept = child_environment(environ, ("OPENAI_API_KEY",), ("sk-0123456789", "abc", ""))
    assert kept == {"HOLDS_SHORT": "xabcx", "KEPT": "value", **QUIET}


def test_a_directory_that_the_configuration_names_does_not_cost_the_path() -> None:
    environ = {"HOME": "/home/person", "PATH": "/home/person/bin:/bin", "PROJECT": "/home/person/x"}
    assert child_environment(environ, (), ("/home/person",)) == {
        "HOME": "/home/person",
        "PATH": "/home/person/bin:/bin",
        **QUIET,
    }


@pytest.mark.anyio
async def test_children_see_no_secret(tmp_path: Path) -> None:
    secret = "sk-canary-0123456789"
    environ = {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": secret, "OTHER": f"x{secret}", "OPENCODE_CONFIG": "a"}
    desk = Desk(tmp_path / "ws", secret_values=[secret], environ=environ)
    seen = (await desk.run("bash", command="env; cat /proc/self/environ 2>/dev/null | tr '\\0' '\\n'")).output
    assert secret not in seen
    assert "OPENCODE" not in seen


@pytest.fixture
def repository(desk: Desk) -> Desk:
    desk.put("a.txt", "a\n")
    for arguments in (
        ["init", "-q"],
        ["config", "user.name", "n"],
        ["config", "user.email", "n@example.org"],
        ["add", "."],
        ["commit", "-qm", "first message"],
    ):
        subprocess.run(["git", *arguments], cwd=desk.root, check=True)
    return desk


@pytest.mark.anyio
async def test_a_commit_without_a_message_ends_at_once(repository: Desk) -> None:
    repository.put("a.txt", "b\n")
    result = await repository.run("bash", command="git commit -a")
    assert "Aborting commit due to empty commit message" in result.output
    assert result.is_error


@pytest.mark.anyio
async def test_git_takes_the_message_that_it_has_ready(repository: Desk) -> None:
    repository.put("a.txt", "b\n")
    result = await repository.run("bash", command="git commit -q -a --amend && git log --format=%s && git diff HEAD")
    assert result.output.startswith("first message\n[exit code 0")


@pytest.mark.anyio
async def test_a_list_of_commits_to_edit_fails_at_once(repository: Desk) -> None:
    assert (await repository.run("bash", command="git rebase -i --root")).is_error
