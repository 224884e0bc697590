"""The session store: what is written is there again, in order, whatever happens to the process or the file."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from acp_agent.llm.messages import AssistantMessage, Text
from acp_agent.schema import TextContent
from acp_agent.session.record import events
from acp_agent.session.record.sqlite_store import SqliteStore
from acp_agent.session.record.store import Draft, SessionHead, StoredSession, StoreError
from tests.ids import counting_ids

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _store(folder: Path, clock: float = 1000.0) -> SqliteStore:
    return SqliteStore(folder / "data" / "sessions.db", counting_ids(), lambda: clock)


async def _read(folder: Path) -> StoredSession | None:
    """The session `s` as a new process finds it."""
    store = _store(folder)
    try:
        return await store.read("s")
    finally:
        await store.close()


def _head(id: str, cwd: str = "/w", updated: float = 1000.0) -> SessionHead:
    return SessionHead(id, Path(cwd), (Path(cwd),), 1000.0, updated)


def _said(text: str) -> events.UserMessage:
    return events.UserMessage(message_id="m", blocks=(TextContent(text=text),))


def _answered(text: str) -> events.AssistantMessage:
    return events.AssistantMessage(message_id="a", message=AssistantMessage(content=(Text(text=text),)))


async def test_events_come_back_in_order_with_ids_after_a_restart(tmp_path: Path) -> None:
    first = _store(tmp_path)
    await first.create(_head("s"))
    await first.append("s", [_said("one"), _answered("two")], durable=True)
    last = await first.append("s", [events.ModeChanged(mode="plan")])
    await first.close()
    stored = await _read(tmp_path)
    assert stored is not None
    assert [event for _, event in stored.record] == [_said("one"), _answered("two"), events.ModeChanged(mode="plan")]
    assert last == stored.record[-1][0]
    assert stored.head == _head("s")


async def test_a_session_that_was_never_stored_is_none(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert await store.read("nope") is None
    assert await store.read_head("../../etc/passwd") is None
    await store.close()


async def test_a_draft_is_replaced_and_goes_with_the_answer(tmp_path: Path) -> None:
    store = _store(tmp_path)
    await store.create(_head("s"))
    for text in ("a", "ab"):
        await store.write_draft("s", Draft("m", AssistantMessage(content=(Text(text=text),))))
    stored = await store.read("s")
    assert stored is not None
    assert stored.draft == Draft("m", AssistantMessage(content=(Text(text="ab"),)))
    await store.append("s", [_answered("abc")])
    stored = await store.read("s")
    assert stored is not None
    assert stored.draft is None
    await store.close()


async def test_pages_show_each_session_once_newest_first(tmp_path: Path) -> None:
    store = _store(tmp_path)
    for number in range(10):
        await store.create(_head(f"s{number}", "/a" if number % 2 else "/b", updated=1000.0 + number // 3))
    seen: list[str] = []
    after = None
    while page := await store.page(None, after, 3):
        seen += [head.id for head in page]
        after = (page[-1].updated, page[-1].id)
    assert seen == ["s9", "s8", "s7", "s6", "s5", "s4", "s3", "s2", "s1", "s0"]
    assert [head.id for head in await store.page("/a", None, 10)] == ["s9", "s7", "s5", "s3", "s1"]
    assert await store.page("/elsewhere", None, 10) == []
    await store.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
async def test_only_the_owner_can_read_the_store_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = _store(tmp_path)
        await store.create(_head("s"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
        assert set(modes.values()) == {0o600}, modes
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        await store.close()
    finally:
        os.umask(before)


@pytest.mark.parametrize("junk", [b"", b"\0" * 5000, b"this is no database at all, but it is long enough to look at"])
async def test_a_file_that_is_no_database_is_moved_aside_and_kept(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sessions.db").write_bytes(junk)
    store = _store(tmp_path)
    await store.create(_head("s"))
    assert (await store.page(None, None, 10))[0].id == "s"
    await store.close()
    aside = list((tmp_path / "data").glob("sessions.db.damaged-*"))
    assert [path.read_bytes() for path in aside] == ([junk] if junk else [])


async def test_a_folder_in_place_of_the_store_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "data" / "sessions.db").mkdir(parents=True)
    store = _store(tmp_path)
    with pytest.raises(StoreError, match=r"sessions\.db"):
        await store.create(_head("s"))


async def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    database = sqlite3.connect(tmp_path / "data" / "sessions.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="newer version"):
        await _store(tmp_path).page(None, None, 1)
    assert not list((tmp_path / "data").glob("*.damaged-*"))


async def test_one_unreadable_event_costs_only_itself(tmp_path: Path) -> None:
    store = _store(tmp_path)
    await store.create(_head("s"))
    await store.append("s", [_said("one"), _said("two"), _said("three")])
    await store.close()
    database = sqlite3.connect(tmp_path / "data" / "sessions.db")
    database.execute('UPDATE event SET json = \'{"type":"from the future"}\' WHERE seq = 2')
    database.commit()
    database.close()
    stored = await _read(tmp_path)
    assert stored is not None
    assert ([event for _, event in stored.record], stored.damaged) == ([_said("one"), _said("three")], 1)


async def test_a_new_process_goes_on_behind_the_last_event(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        store = _store(tmp_path)
        if text == "one":
            await store.create(_head("s"))
        await store.append("s", [_said(text)])
        await store.close()
    stored = await _read(tmp_path)
    assert stored is not None
    assert [event for _, event in stored.record] == [_said("one"), _said("two"), _said("three")]


async def test_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path)
    sessions = [f"s{number}" for number in range(8)]
    for session in sessions:
        await store.create(_head(session))
    async with anyio.create_task_group() as tasks:
        for session in sessions:
            for number in range(20):
                tasks.start_soon(store.append, session, [_said(str(number))])
    for session in sessions:
        stored = await store.read(session)
        assert stored is not None
        assert sorted(int(event.blocks[0].text) for _, event in stored.record) == list(range(20))  # type: ignore[union-attr]
    await store.close()


_WRITER = """
import sys, anyio
from pathlib import Path
from tests.session.record.test_store import _head, _said, _store

async def main():
    store = _store(Path(sys.argv[1]))
    await store.create(_head("s"))
    for number in range(1_000_000):
        await store.append("s", [_said(str(number))], durable=number % 10 == 0)
        print(number, flush=True)

anyio.run(main)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("acknowledged", [1, 7, 40])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, acknowledged: int) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(acknowledged)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().split()]
    stored = await _read(tmp_path)
    assert stored is not None
    texts = [int(event.blocks[0].text) for _, event in stored.record]  # type: ignore[union-attr]
    assert texts == list(range(len(texts)))
    assert set(told) <= set(texts)
