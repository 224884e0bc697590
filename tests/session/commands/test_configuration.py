"""`/config`: files, values, origins, problems, and no secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness import Rig
from tests.session.commands.chat import app_with, chat

pytestmark = pytest.mark.anyio

KEY = "sk-live-0123456789abcdef"


def write(path: Path, *lines: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
    return str(path)


async def test_config_names_the_files_in_order_the_problems_and_the_values(rig: Rig, home: Path) -> None:
    write(home / ".config/opencode/opencode.json", '{"username": "Ada", "thme": 1}')
    project = write(rig.cwd / "opencode.json", "{", '"username": "Grace"}')
    async with chat(rig) as it:
        text = await it.ask("/config")
        assert (
            "**Read in this order, a later one wins**\n\n"
            "- `~/.config/opencode/opencode.json`: yours, for every project\n"
            f"- `{project}`: the project's\n"
            "- `OPENCODE_CONFIG_CONTENT`: a variable of the environment\n"
        ) in text
        assert '- warning at `~/.config/opencode/opencode.json:1:21`: unknown key "thme" is ignored' in text
        assert json.loads(text.split("```json\n")[1].split("\n```")[0])["username"] == "Grace"


async def test_config_with_a_key_gives_the_value_its_place_and_what_it_outweighs(rig: Rig, home: Path) -> None:
    write(home / ".config/opencode/opencode.json", '{"username": "Ada"}')
    project = write(rig.cwd / "opencode.json", "{", '"username": "Grace"}')
    async with chat(rig) as it:
        assert await it.ask("/config username") == (
            '`username` is in force as\n\n```json\n"Grace"\n```\n\n'
            f"It comes from {project}:2 (the project's).\n\n"
            "**Also set, and outweighed or added to**\n\n- `~/.config/opencode/opencode.json:1`"
        )


async def test_config_finds_keys_of_any_depth_and_says_where_each_value_below_is_written(rig: Rig, home: Path) -> None:
    write(home / ".config/opencode/opencode.json", '{"permission": {"bash": {"*": "ask", "x.y *": "allow"}}}')
    project = write(rig.cwd / "opencode.json", '{"permission": {"bash": {"ls": "allow"}}, "instructions": ["a.md"]}')
    async with chat(rig) as it:
        text = await it.ask("/config permission.bash")
        assert "- `permission.bash.*`: ~/.config/opencode/opencode.json:1\n" in text
        assert f"- `permission.bash.ls`: {project}:1" in text
        assert '"allow"' in await it.ask("/config permission.bash.x.y *")
        assert f"It comes from {project}:1 (the project's)." in await it.ask("/config instructions[0]")


async def test_config_with_a_key_that_is_not_set_names_the_nearest(rig: Rig) -> None:
    async with chat(rig) as it:
        text = await it.ask("/config provder")
        assert text.startswith("`provder` is not configured. Did you mean `provider`")
        assert "These keys are: `model`, `provider`." in text


async def test_no_secret_is_shown_wherever_it_stands(rig: Rig, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("OF_MINE", "from-the-environment")
    write(home / "key.txt", "from-a-file")
    options = {
        "baseURL": "https://user:from-an-address@host.example/v1?k=from-a-query",
        "apiKey": KEY,
        "headers": {"X-Anything": "from-a-header"},
        "accessToken": "from-an-option",
        "setting": "{env:OF_MINE}",
        "other": "from-any-other-option",
        "reasoningEffort": "high",
        "file": "{file:~/key.txt}",
    }
    server = {
        "type": "local",
        "command": ["run", "--token", "from-an-argument", "--api-key=from-an-equation", "--verbose"],
        "environment": {"FOO": "from-a-variable"},
        "enabled": False,
        "cwd": f"/srv/{KEY}/here",
    }
    rig.config = {"mcp": {"one": server}, "permission": {"read": {"*.key": "deny"}}}
    rig.config["provider"] = {
        "scripted": {"options": {"script": str(rig.script_file)}, "models": {"demo": {}}},
        "mine": {"options": options, "models": {"small": {"headers": {"Y": "from-a-model"}}}},
    }
    async with chat(rig) as it:
        answers = [await it.ask("/config")]
        for key in ("provider", "provider.mine.options", "provider.mine.options.apiKey", "mcp.one", "mcp.one.command"):
            answers.append(await it.ask(f"/config {key}"))
        answers += [await it.ask("/doctor"), await it.ask("/permissions"), await it.ask("/model"), await it.ask("/mcp")]
        for text in answers:
            assert "from-" not in text
            assert KEY not in text
        assert '"apiKey": "[secret]"' in answers[0]
        assert '"other": "[secret]"' in answers[0]
        assert '"reasoningEffort": "high"' in answers[0]
        assert '"cwd": "/srv/[secret]/here"' in answers[0]
        assert '"command": [\n        "run",\n        "… and 4 arguments that are not shown"\n      ]' in answers[0]
        assert '"*.key": "deny"' in answers[0], "a rule is no secret"
        assert "Made from `{env:}` or `{file:}`" in answers[2]


async def test_nothing_configured_is_said_so(rig: Rig) -> None:
    async with rig.client(app=app_with(rig, "")) as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        await client.prompt(session, "/config")
        assert client.said() == "Nothing is configured: there is no opencode.json for this directory."
        await client.prompt(session, "/config model")
        assert client.said().endswith("`model` is not configured.\n\nNothing is.")


async def test_a_file_that_cannot_be_read_is_a_problem_with_its_place(rig: Rig) -> None:
    path = write(rig.cwd / "opencode.json", "{", "  oops")
    async with chat(rig) as it:
        text = await it.ask("/config")
        assert f"- error at `{path}:2:3`: " in text
        assert "the whole file is ignored" in text
