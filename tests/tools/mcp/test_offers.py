"""What is read of a server's lists: page by page, and without what is of no use."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given, strategies as st

from acp_agent.tools.mcp.errors import ServerRefused
from acp_agent.tools.mcp.offers import MOST_MEMBERS, Offers, read_offers
from acp_agent.tools.mcp.tool import LONGEST_NAME, tool_name
from tests.tools.mcp.bench import tool

pytestmark = pytest.mark.anyio


async def read(capabilities: dict[str, Any] | None = None, **answers: Any) -> Offers:
    """The offers of a server that answers like this; `tools__list` is the answer to `tools/list`."""

    async def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = answers.get(method.replace("/", "__"))
        if callable(answer):
            answer = answer(params)
        if answer is None:
            raise ServerRefused("no such method")
        found: dict[str, Any] = answer
        return found

    return await read_offers(ask, {"tools": {}} if capabilities is None else capabilities, "")


async def tools(*members: Any) -> Offers:
    return await read(tools__list={"tools": list(members)})


async def test_tools_are_sorted_and_a_name_counts_once():
    offers = await tools(tool("b"), tool("a"), tool("b", description="again"), {"inputSchema": {}}, 5)
    assert [offer.name for offer in offers.tools] == ["a", "b"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (None, "its input schema is no schema of an object"),
        ({"type": "string"}, "its input schema is no schema of an object"),
        ({"type": "object", "properties": 5}, "its input schema is broken (5 is not of type 'object')"),
        ({"type": "object", "description": "x" * 70_000}, "its input schema is larger than 64 KiB"),
    ],
)
async def test_a_tool_with_a_schema_of_no_use_is_left_out_and_said(schema, why):
    offers = await tools({"name": "bad", "inputSchema": schema}, tool("good"))
    assert [offer.name for offer in offers.tools] == ["good"]
    assert offers.notes == (f"its tool bad is left out: {why}",)


async def test_tools_whose_schemas_are_too_large_together_are_left_out_and_said():
    offers = await tools(*[tool(f"t{at:02}", inputSchema={"description": "x" * 60_000}) for at in range(20)])
    assert [offer.name for offer in offers.tools] == [f"t{at:02}" for at in range(17)]
    assert offers.notes == tuple(
        f"its tool t{at} is left out: the schemas of all its tools are larger than 1 MiB" for at in (17, 18, 19)
    )


async def test_a_schema_is_passed_on_as_it_is():
    schema = {"type": "object", "$defs": {"p": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/p"}},
              "required": ["a"], "title": "T"}  # fmt: skip
    (offer,) = (await tools({"name": "t", "inputSchema": schema})).tools
    assert offer.input_schema == schema
    assert offer.check({"a": "x"}) == []
    assert offer.check({"a": 1}) == ["a: 1 is not of type 'string'"]
    assert offer.check({}) == ["arguments: 'a' is a required property"]


async def test_a_schema_without_type_and_properties_gets_them():
    (offer,) = (await tools({"name": "t", "inputSchema": {}})).tools
    assert offer.input_schema == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "part",
    [
        {"$ref": "https://example.invalid/schema.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#/properties/a"},
        {"pattern": "(?<name>x)"},
    ],
)
async def test_what_cannot_be_checked_is_left_to_the_server(part):
    offers = await tools({"name": "t", "inputSchema": {"type": "object", "properties": {"a": part}}})
    for offer in offers.tools:
        assert offer.check({"a": "text"}) in ((), [])


async def test_no_reference_in_a_schema_makes_us_fetch_anything():
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        part = {"$ref": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/schema.json"}
        (offer,) = (await tools({"name": "t", "inputSchema": {"type": "object", "properties": {"a": part}}})).tools
        offer.check({"a": "text"})
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


async def test_descriptions_and_titles_are_bounded():
    (offer,) = (await tools(tool("t", description="é" * 5000, title="a\nb" * 500))).tools
    assert len(offer.description.encode()) <= 2048
    assert len(offer.title) <= 101
    assert "\n" not in offer.title


async def test_all_pages_are_read():
    def page(params: dict[str, Any]) -> dict[str, Any]:
        at = int(params.get("cursor", "0"))
        return {"tools": [tool(f"t{at}")], **({"nextCursor": str(at + 1)} if at < 4 else {})}

    assert [offer.name for offer in (await read(tools__list=page)).tools] == ["t0", "t1", "t2", "t3", "t4"]


@pytest.mark.parametrize("cursor", [lambda _at: "same", lambda at: str(at + 1)])
async def test_a_list_without_end_ends(cursor):
    asked = 0

    def page(params: dict[str, Any]) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"tools": [tool(f"t{asked}-{index}") for index in range(100)], "nextCursor": cursor(asked)}

    offers = await read(tools__list=page)
    assert len(offers.tools) <= MOST_MEMBERS
    assert asked <= 10


async def test_a_server_that_does_not_list_its_tools_cannot_be_joined():
    with pytest.raises(ServerRefused):
        await read()


async def test_lists_that_are_extras_may_fail():
    offers = await read({"tools": {}, "prompts": {}, "resources": {}}, tools__list={"tools": [tool("t")]})
    assert (len(offers.tools), offers.prompts, offers.resources) == (1, (), ())


async def test_what_is_not_announced_is_not_asked_for():
    assert await read({}, tools__list={"tools": [tool("t")]}) == Offers()


def test_names_are_made_of_server_and_tool():
    assert tool_name("My Server.v2", "get/it", ()) == "My_Server_v2_get_it"


def test_a_name_that_is_taken_gets_an_ending_that_follows_from_both_names():
    first = tool_name("a", "b_c", {"a_b_c"})
    assert first == tool_name("a", "b_c", {"a_b_c", "other"}) != tool_name("a_b", "c", {"a_b_c"})
    assert first.startswith("a_b_c_")


@given(server=st.text(max_size=80), name=st.text(max_size=80), taken=st.booleans())
def test_every_name_is_one_that_vendors_take(server, name, taken):
    made = tool_name(server, name, {tool_name(server, name, ())} if taken else ())
    assert 0 < len(made) <= LONGEST_NAME
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
