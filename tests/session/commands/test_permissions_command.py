"""`/permissions`: the rules, their order and their origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from acp_agent.session.commands.base import Invocation
from acp_agent.session.commands.permissions import permissions
from acp_agent.session.permissions import Rule
from acp_agent.session.turn_state import Turn
from acp_agent.tools.base import Subject
from tests.harness import Rig, call, choose, tools
from tests.session.commands.chat import chat
from tests.session.unit import Bench, bench

pytestmark = pytest.mark.anyio


async def said(it: Bench) -> list[str]:
    turn = Turn("turn", it.state, it.client, it.state.workspace)
    text = await permissions(turn, Invocation("permissions"))
    return [line for line in text.splitlines() if line.startswith("- `")]


async def test_rules_stand_in_their_order_with_the_line_of_the_file_they_come_from(rig: Rig) -> None:
    (rig.cwd / "opencode.json").write_text(
        '{\n"permission": {\n"edit": "ask",\n"bash": {"*": "ask", "ls *": "allow"}}}'
    )
    async with chat(rig) as it:
        text = await it.ask("/permissions")
        file = str(rig.cwd / "opencode.json")
        places = [line for line in text.splitlines() if file in line]
        assert places == [
            f"- `edit` `*`: **ask** ({file}:3)",
            f"- `bash` `*`: **ask** ({file}:4)",
            f"- `bash` `ls *`: **allow** ({file}:4)",
        ]
        assert text.index("- `*` `*`: **allow** (default)") < text.index("- `edit` `*`")
        assert "Nothing was allowed for the whole session yet." in text
        assert "- a `deny` of the list above is final" in text
        assert "- tools of MCP servers are asked about" in text


async def test_a_single_action_for_everything_is_a_rule_too(tmp_path: Path) -> None:
    async with bench(tmp_path, config={"permission": "ask"}) as it:
        rows = await said(it)
        assert rows[0] == "- `*` `*`: **allow** (default), never reached: `* *` below it wins"
        assert rows[-1] == "- `*` `*`: **ask** (OPENCODE_CONFIG_CONTENT:1)"


async def test_a_rule_that_a_later_one_covers_is_marked_and_no_other(tmp_path: Path) -> None:
    bash = {"git push *": "deny", "git *": "allow", "rm ?": "ask", "rm *": "deny", "git status": "ask"}
    bash |= {"ls*": "allow", "ls?*": "deny"}
    async with bench(tmp_path, config={"permission": {"bash": bash}}) as it:
        rows = [row for row in await said(it) if row.startswith("- `bash`")]
        assert [(row.split("`")[3], "never reached" in row) for row in rows] == [
            ("git push *", True),
            ("git *", False),
            ("rm ?", True),
            ("rm *", False),
            ("git status", False),
            ("ls*", False),
            ("ls?*", False),
        ]
        assert "never reached: `bash git *` below it wins" in rows[0]
        for shadowed, decided in (("git push origin", "allow"), ("rm x", "deny"), ("git status", "ask")):
            assert it.state.policy.decide([Subject("bash", shadowed, "")]).action == decided, "as the engine has it"


async def test_the_rules_of_an_agent_stand_behind_the_general_ones_and_plan_has_its_own(tmp_path: Path) -> None:
    config = {"permission": {"edit": "allow"}, "agent": {"plan": {"permission": {"bash": {"ls": "allow"}}}}}
    async with bench(tmp_path, config=config) as it:
        it.state.set_mode("plan")
        assert (await said(it))[-4:] == [
            "- `edit` `*`: **allow** (OPENCODE_CONFIG_CONTENT:1)",
            "- `bash` `ls`: **allow** (OPENCODE_CONFIG_CONTENT:1)",
            "- `edit` `*`: **deny** (mode plan)",
            "- `bash` `*`: **ask** (mode plan)",
        ]


async def test_what_a_person_allowed_for_the_session_is_shown_once(rig: Rig) -> None:
    rig.config = {"permission": {"bash": "ask"}}
    steps = [tools(call("bash", command="echo hi")), {"text": "Done."}]
    async with chat(rig, *steps) as it:
        it.client.answers["session/request_permission"] = choose("allow_always")
        await it.ask("Say hi.")
        text = await it.ask("/permissions")
        assert "**Allowed in this session: not asked again**\n\n- `bash` `echo *`: **allow** (allowed by you" in text
        assert text.count("`echo *`") == 1


async def test_a_rule_may_hold_anything_that_a_file_can(tmp_path: Path) -> None:
    async with bench(tmp_path, config={"permission": {"bash": {"a`b\n*": "deny"}}}) as it:
        assert "- `bash` `` a`b?* ``: **deny** (OPENCODE_CONFIG_CONTENT:1)" in await said(it)
        it.state.policy.granted += [Rule("bash", "x", "allow"), Rule("bash", "x", "allow")]
        assert len([row for row in await said(it) if "allowed by you" in row]) == 1
