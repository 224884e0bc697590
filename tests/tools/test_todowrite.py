import pytest

from acp_agent.schema import AgentPlanUpdate, PlanEntry
from acp_agent.tools.base import Subject
from tests.tools.desk import Desk, shown_text

pytestmark = pytest.mark.anyio

TODOS = [
    {"content": "read", "status": "completed", "priority": "high"},
    {"content": "edit", "status": "in_progress"},
    {"content": "ask", "status": "cancelled", "priority": "low"},
    {"content": "test", "status": "pending", "priority": "low"},
]


async def test_each_list_is_shown_as_the_plan(desk: Desk) -> None:
    result = await desk.run("todowrite", todos=TODOS)
    assert desk.updates == [
        AgentPlanUpdate(
            entries=[
                PlanEntry(content="read", priority="high", status="completed"),
                PlanEntry(content="edit", priority="medium", status="in_progress"),
                PlanEntry(content="test", priority="low", status="pending"),
            ]
        )
    ]
    assert result.output == "Plan: 2 of 4 steps open."
    assert shown_text(result) == "[x] read\n[>] edit\n[-] ask\n[ ] test"


async def test_an_empty_list_clears_the_plan(desk: Desk) -> None:
    await desk.run("todowrite", todos=TODOS)
    result = await desk.run("todowrite", todos=[])
    assert desk.updates[-1] == AgentPlanUpdate(entries=[])
    assert result.output == "Plan: 0 of 0 steps open."


async def test_what_a_list_touches(desk: Desk) -> None:
    assert desk.subjects("todowrite", todos=TODOS) == (Subject("todowrite", "*", "*"),)
    assert desk.summary("todowrite", todos=TODOS).title == "Plan: 2 of 4 steps open"
    assert await desk.preview("todowrite", todos=TODOS) == ()
