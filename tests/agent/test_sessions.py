"""`session/new` and `session/list` as a client meets them."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import pytest

from acp_agent.agent.pages import PAGE
from acp_agent.session.record.store import SessionHead
from tests.harness import Rig

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    ticks = itertools.count(1_700_000_000)
    rig.clock = lambda: float(next(ticks))
    return rig


@pytest.mark.parametrize(
    ("cwd", "message"),
    [
        ("relative/path", "cwd must be an absolute path, not 'relative/path'."),
        ("", "cwd must be an absolute path, not ''."),
        ("C:work", "cwd must be an absolute path, not 'C:work'."),
        ("~", "cwd must be an absolute path, not '~'."),
        ("/no\x00where", "cwd must be an absolute path, not '/no\\x00where'."),
        ("/does/not/exist", "cwd '/does/not/exist' does not exist."),
    ],
)
async def test_a_session_needs_an_existing_absolute_directory(rig: Rig, cwd: str, message: str) -> None:
    async with rig.client() as client:
        await client.initialize()
        assert await client.error("session/new", {"cwd": cwd, "mcpServers": []}) == {
            "code": -32602,
            "message": message,
            "data": {"expected": {"cwd": "the absolute path of an existing directory"}},
        }
        assert await client.call("session/list", {}) == {"sessions": []}


async def test_a_file_is_no_working_directory(rig: Rig) -> None:
    file = rig.folder / "file"
    file.write_text("")
    async with rig.client() as client:
        await client.initialize()
        error = await client.error("session/new", {"cwd": str(file), "mcpServers": []})
        assert error["message"].endswith("is not a directory.")


async def test_the_list_is_empty_when_there_is_nothing(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        assert await client.call("session/list", {}) == {"sessions": []}
        assert await client.call("session/list", {"cwd": None, "cursor": None}) == {"sessions": []}


async def test_the_list_comes_in_pages_the_newest_first_without_gap_or_repetition(rig: Rig) -> None:
    app = rig.app()
    made = [f"ses_{number}" for number in range(2 * PAGE + 1)]
    async with rig.client(app=app) as client:
        await client.initialize()
        for number, id in enumerate(made):
            await app.store.create(SessionHead(id, rig.cwd, (rig.cwd,), 1.0, 1.0 + number // 2))  # times come twice
        made.sort(key=lambda id: (int(id[4:]) // 2, id))
        pages, cursor = [], {}
        while True:
            page = await client.call("session/list", cursor)
            pages.append([each["sessionId"] for each in page["sessions"]])
            if "nextCursor" not in page:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert [len(page) for page in pages] == [PAGE, PAGE, 1]
        assert [id for page in pages for id in page] == made[::-1]


async def test_exactly_one_full_page_has_no_next(rig: Rig) -> None:
    app = rig.app()
    async with rig.client(app=app) as client:
        await client.initialize()
        for number in range(PAGE):
            await app.store.create(SessionHead(f"ses_{number}", rig.cwd, (rig.cwd,), 1.0, 1.0))
        page = await client.call("session/list", {})
        assert (len(page["sessions"]), "nextCursor" in page) == (PAGE, False)


async def test_a_directory_selects_its_own_sessions(rig: Rig) -> None:
    other = rig.folder / "other"
    other.mkdir()
    async with rig.client() as client:
        await client.initialize()
        here, there = await client.new(rig.cwd), await client.new(other)
        for cwd, expected in ((rig.cwd, here), (other, there)):
            (only,) = (await client.call("session/list", {"cwd": str(cwd)}))["sessions"]
            assert (only["sessionId"], only["cwd"]) == (expected, str(cwd))
            assert only["updatedAt"].startswith("2023-11-14T22:13:")
            assert only["updatedAt"].endswith("Z")
        assert await client.call("session/list", {"cwd": str(rig.folder)}) == {"sessions": []}


async def test_a_prompt_moves_its_session_to_the_front(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        first, second = await client.new(rig.cwd), await client.new(rig.cwd)
        await client.prompt(first)
        listed = (await client.call("session/list", {}))["sessions"]
        assert [each["sessionId"] for each in listed] == [first, second]


@pytest.mark.parametrize(
    "cursor",
    ["x", "🙂", "AAAA", *(base64.urlsafe_b64encode(text).decode() for text in (b"1.0", b"nan x", b"x y", b"\xff y"))],
)
async def test_a_cursor_that_is_not_ours_is_refused(rig: Rig, cursor: str) -> None:
    async with rig.client() as client:
        await client.initialize()
        error = await client.error("session/list", {"cursor": cursor})
        assert (error["code"], error["message"]) == (-32602, "The cursor is not one of this agent's.")


@pytest.mark.parametrize("name", ["acp-tck", "ACP-TCK ", "any-other", None])
async def test_the_older_model_list_is_left_out_for_strict_clients_only(rig: Rig, name: str | None) -> None:
    info = {"clientInfo": {"name": name, "version": "1"}} if name else {}
    async with rig.client() as client:
        await client.call("initialize", {"protocolVersion": 1, **info})
        new = await client.call("session/new", {"cwd": str(rig.cwd), "mcpServers": []})
        resumed = await client.call("session/resume", {"sessionId": new["sessionId"], "cwd": str(rig.cwd)})
        for result in (new, resumed):
            assert ("models" in result) is (name in ("any-other", None))
            assert {"modes", "configOptions"} <= set(result)


async def test_every_result_is_an_object(rig: Rig) -> None:
    async with rig.client("Hi.") as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        opened = {"sessionId": session, "cwd": str(rig.cwd), "mcpServers": []}
        for method, params in [
            ("session/set_mode", {"sessionId": session, "modeId": "plan"}),
            ("session/set_model", {"sessionId": session, "modelId": "scripted/demo"}),
            ("session/set_config_option", {"sessionId": session, "configId": "mode", "value": "build"}),
            ("session/prompt", client.text_prompt(session)),
            ("session/cancel", {"sessionId": session}),
            ("session/load", opened),
            ("session/resume", opened),
            ("session/list", {}),
            ("session/close", {"sessionId": session}),
        ]:
            assert isinstance(await client.call(method, params), dict), method


async def test_an_option_is_answered_with_the_complete_list(rig: Rig) -> None:
    async with rig.client() as client:
        await client.initialize()
        session = await client.new(rig.cwd)
        choice = {"sessionId": session, "configId": "mode", "value": "plan"}
        result = await client.call("session/set_config_option", choice)
        values = {option["id"]: option["currentValue"] for option in result["configOptions"]}
        assert values == {"model": "scripted/demo", "mode": "plan"}
        for config, value in [("mode", "perhaps"), ("model", "nobody/x"), ("mode", True), ("theme", "dark")]:
            params = {"sessionId": session, "configId": config, "value": value}
            if value is True:
                params["type"] = "boolean"
            assert (await client.error("session/set_config_option", params))["code"] == -32602
