"""What a model call sends beside the history."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from acp_agent.llm.models import ModelInfo, ModelRef
from acp_agent.session import options, system_prompt
from acp_agent.session.model_request import request_for
from acp_agent.tools import BUILTIN
from tests.harness import call, tools
from tests.session.unit import NoteTool, bench

pytestmark = pytest.mark.anyio

INFO = ModelInfo(ModelRef("scripted", "demo"), output=4000, options={"seed": 7})


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_prefix_is_the_same_for_every_request_of_a_session(tmp_path: Path) -> None:
    steps = [tools(call("note", text="a")), {"text": "One."}, {"text": "Two."}]
    async with bench(tmp_path, *steps, tools=[NoteTool(), *BUILTIN]) as it:
        it.state.system_prompts.clear()
        await it.run()
        (tmp_path / "new file").write_text("")
        (tmp_path / "AGENTS.md").write_text("Later instructions.")
        await options.set_mode(it.state, "plan")
        await it.run()
        assert len({request.system for request in it.requests}) == 1
        assert all(request.tools == it.requests[0].tools for request in it.requests)
        assert [tool.name for tool in it.requests[0].tools] == sorted(it.state.services.tools)
        first, second, third = (request.history for request in it.requests)
        assert second[: len(first)] == first
        assert third[: len(second)] == second


async def test_the_system_prompt_names_the_directory_and_holds_the_instructions(tmp_path: Path) -> None:
    (tmp_path / "AGENTS.md").write_text("Write in green.")
    async with bench(tmp_path) as it:
        it.state.system_prompts.clear()
        system = (await request_for(it.state, INFO)).system
        assert str(tmp_path) in system
        assert "Write in green." in system
        assert "1970-01-01" in system, "the date is that of the session's start"


async def test_the_mode_reminds_at_the_end_and_never_in_the_prefix(tmp_path: Path) -> None:
    async with bench(tmp_path) as it:
        build = await request_for(it.state, INFO)
        await options.set_mode(it.state, "plan")
        plan = await request_for(it.state, INFO)
        assert (build.reminder, plan.reminder) == (system_prompt.reminder("build"), system_prompt.reminder("plan"))
        assert plan.reminder
        assert (plan.system, plan.tools) == (build.system, build.tools)


async def test_an_agents_prompt_temperature_and_options_hold_in_its_mode(tmp_path: Path) -> None:
    agent = {"prompt": "You review.", "temperature": 0.2, "options": {"effort": "low"}, "description": "r"}
    async with bench(tmp_path, config={"agent": {"review": agent}}) as it:
        plain = await request_for(it.state, INFO)
        await options.set_mode(it.state, "review")
        review = await request_for(it.state, INFO)
        assert (plain.temperature, plain.options, plain.max_tokens) == (None, {"seed": 7}, 4000)
        assert (review.temperature, review.options) == (0.2, {"seed": 7, "effort": "low"})
        assert review.system.startswith("You review.")


async def test_a_tool_that_is_refused_as_a_whole_is_not_offered(tmp_path: Path) -> None:
    config = {"permission": {"edit": "deny", "bash": {"*": "ask", "rm *": "deny"}}}
    async with bench(tmp_path, tools=BUILTIN, config=config) as it:
        offered = {tool.name for tool in (await request_for(it.state, INFO)).tools}
        assert offered == {tool.name for tool in BUILTIN} - {"edit", "write"}


async def test_a_problem_with_the_instructions_is_said_in_the_turn_that_finds_it(tmp_path: Path) -> None:
    missing = os.path.join("docs", "missing.md")
    async with bench(tmp_path, {"text": "Hi."}, config={"instructions": [missing]}) as it:
        it.state.system_prompts.clear()
        await it.run()
        assert it.client.said().startswith("OPENCODE_CONFIG_CONTENT:1:")
        assert it.client.said().endswith("no instruction file matches this entry\n\nHi.")
