"""`SessionStore` in one SQLite database, append-only for events.

A NORMAL commit in WAL mode survives the death of the process, and comes before the client hears of an event; a durable
one is FULL. Everything runs in one worker thread at a time; the event loop never waits for a disk.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio import to_thread

from acp_agent.llm.messages import AssistantMessage
from acp_agent.rpc.messages import whole
from acp_agent.session.record.store import Draft, SessionGone, SessionHead, StoredSession, StoreError

if TYPE_CHECKING:
    from acp_agent.session.record.events import Event

T = TypeVar("T")

_APPLICATION_ID = 0x41435041  # "ACPA"

_TABLES = """
CREATE TABLE project (
    id TEXT NOT NULL, worktree TEXT NOT NULL, vcs TEXT,
    created REAL NOT NULL, seen REAL NOT NULL, initialized REAL,
    PRIMARY KEY (id, worktree)
);
CREATE TABLE session (
    id TEXT PRIMARY KEY, cwd TEXT NOT NULL, roots TEXT NOT NULL, project TEXT,
    title TEXT, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX session_by_time ON session (updated DESC, id DESC);
CREATE TABLE event (
    session TEXT NOT NULL REFERENCES session (id), seq INTEGER NOT NULL,
    id TEXT NOT NULL, parent TEXT, time REAL NOT NULL, json TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID;
CREATE TABLE draft (session TEXT PRIMARY KEY, message_id TEXT NOT NULL, json TEXT NOT NULL);
"""

_SYSTEM_PROMPT_AND_TRUST = """
ALTER TABLE session ADD COLUMN system_prompt TEXT;
CREATE TABLE trust (folder TEXT NOT NULL, digest TEXT NOT NULL, time REAL NOT NULL, PRIMARY KEY (folder, digest));
"""

_STEPS = (_TABLES, _SYSTEM_PROMPT_AND_TRUST)
"""What makes each version of the schema out of the one before; `user_version` counts them."""


class SqliteStore:
    """`SessionStore` in one file, opened at the first use.

    A file that is no database of ours is moved aside, never deleted, and a new one begins.
    """

    def __init__(self, path: Path, new_id: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._path = path
        self._new_id = new_id
        self._clock = clock
        self._database: sqlite3.Connection | None = None
        self._one = anyio.CapacityLimiter(1)

    async def create(self, head: SessionHead) -> None:
        """See `SessionStore`."""
        import json

        roots = json.dumps([str(root) for root in head.roots])
        row = (head.id, str(head.cwd), roots, head.created, head.updated, head.title, head.system_prompt)

        def write(database: sqlite3.Connection) -> None:
            database.execute(f"INSERT INTO session ({_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)

        await self._transaction(write)

    async def move(self, head: SessionHead) -> None:
        """See `SessionStore`."""
        import json

        roots = json.dumps([str(root) for root in head.roots])
        row = (str(head.cwd), roots, head.system_prompt, head.id)

        def write(database: sqlite3.Connection) -> None:
            database.execute("UPDATE session SET cwd = ?, roots = ?, system_prompt = ? WHERE id = ?", row)

        await self._transaction(write)

    async def delete(self, session: str) -> None:
        """See `SessionStore`."""

        def write(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM draft WHERE session = ?", (session,))
            database.execute("DELETE FROM event WHERE session = ?", (session,))
            database.execute("DELETE FROM session WHERE id = ?", (session,))

        await self._transaction(write)

    async def assign(self, session: str, project: str, worktree: str, vcs: str | None) -> None:
        """See `SessionStore`."""
        now = self._clock()

        def write(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO project (id, worktree, vcs, created, seen) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id, worktree) DO UPDATE SET seen = excluded.seen",
                (project, worktree, vcs, now, now),
            )
            database.execute("UPDATE session SET project = ? WHERE id = ?", (project, session))

        await self._transaction(write)

    async def append(self, session: str, events: Sequence[Event], *, durable: bool = False) -> str:
        """See `SessionStore`."""
        rows = [(self._new_id("evt"), event.type, _json(event)) for event in events]
        titles = [event.title for event in events if event.type == "title"]
        ends_draft = any(event.type == "assistant_message" for event in events)
        now = self._clock()

        def write(database: sqlite3.Connection) -> str | None:
            if not _exists(database, session):
                raise SessionGone(session)
            seq, parent = _last_event(database, session)
            for id, _, text in rows:
                seq += 1
                database.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", (session, seq, id, parent, now, text))
                parent = id
            database.execute(
                "UPDATE session SET updated = ?, title = coalesce(?, title) WHERE id = ?",
                (now, titles[-1] if titles else None, session),
            )
            if ends_draft:
                database.execute("DELETE FROM draft WHERE session = ?", (session,))
            return parent

        return await self._transaction(write, durable=durable) or ""

    async def write_draft(self, session: str, draft: Draft) -> None:
        """See `SessionStore`."""
        text = draft.message.model_dump_json(exclude_none=True)

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO draft VALUES (?, ?, ?)", (session, draft.message_id, text))

        await self._transaction(write)

    async def read(self, session: str) -> StoredSession | None:
        """See `SessionStore`."""

        def read(database: sqlite3.Connection) -> StoredSession | None:
            row = database.execute(f"SELECT {_HEAD} FROM session WHERE id = ?", (session,)).fetchone()
            if row is None:
                return None
            record, damaged = _read_record(database, session)
            draft = database.execute("SELECT message_id, json FROM draft WHERE session = ?", (session,)).fetchone()
            message = Draft(draft[0], AssistantMessage.model_validate_json(draft[1])) if draft else None
            return StoredSession(_head(row), record, message, damaged)

        return await self._run(read)

    async def read_head(self, session: str) -> SessionHead | None:
        """See `SessionStore`."""

        def read(database: sqlite3.Connection) -> SessionHead | None:
            row = database.execute(f"SELECT {_HEAD} FROM session WHERE id = ?", (session,)).fetchone()
            return _head(row) if row else None

        return await self._run(read)

    async def page(self, cwd: str | None, after: tuple[float, str] | None, limit: int) -> Sequence[SessionHead]:
        """See `SessionStore`."""
        conditions, values = ["1"], list[Any]()
        if cwd is not None:
            conditions.append("cwd = ?")
            values.append(cwd)
        if after is not None:
            conditions.append("(updated, id) < (?, ?)")
            values.extend(after)
        query = f"SELECT {_HEAD} FROM session WHERE {' AND '.join(conditions)} ORDER BY updated DESC, id DESC LIMIT ?"

        def read(database: sqlite3.Connection) -> Sequence[SessionHead]:
            return [_head(row) for row in database.execute(query, (*values, limit))]

        return await self._run(read)

    async def initialized(self, session: str) -> None:
        """See `SessionStore`."""
        now = self._clock()

        def write(database: sqlite3.Connection) -> None:
            # What lies outside of every repository shares one row, which says nothing about any folder.
            query = (
                "UPDATE project SET initialized = ?"
                " WHERE vcs IS NOT NULL AND id = (SELECT project FROM session WHERE id = ?)"
            )
            database.execute(query, (now, session))

        await self._transaction(write)

    async def trusted(self, folder: str, digest: str) -> bool:
        """See `SessionStore`."""
        query = "SELECT 1 FROM trust WHERE folder = ? AND digest = ?"
        return await self._run(lambda database: database.execute(query, (folder, digest)).fetchone() is not None)

    async def trust(self, folder: str, digest: str) -> None:
        """See `SessionStore`."""
        row = (folder, digest, self._clock())

        def write(database: sqlite3.Connection) -> None:
            database.execute("INSERT OR REPLACE INTO trust VALUES (?, ?, ?)", row)

        await self._transaction(write, durable=True)

    async def close(self) -> None:
        """See `SessionStore`."""
        database, self._database = self._database, None
        if database is not None:
            await to_thread.run_sync(database.close, limiter=self._one)

    async def _transaction(self, write: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        def run(database: sqlite3.Connection) -> T:
            if durable:
                database.execute("PRAGMA synchronous = FULL")
            try:
                database.execute("BEGIN IMMEDIATE")
                try:
                    result = write(database)
                    database.execute("COMMIT")
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise
            finally:
                if durable:
                    database.execute("PRAGMA synchronous = NORMAL")
            return result

        return await self._run(run)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def run() -> T:
            try:
                if self._database is None:
                    self._database = _open(self._path)
                return work(self._database)
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"The session store {self._path} failed: {error}.") from error

        return await to_thread.run_sync(run, limiter=self._one)


def _json(event: Event) -> str:
    """The event as JSON. A name of a file may hold bytes that are no text; they must not cost the event."""
    try:
        return event.model_dump_json(exclude_none=True)
    except ValueError:
        import json

        return json.dumps(whole(event.model_dump(exclude_none=True)))


_HEAD = "id, cwd, roots, created, updated, title, system_prompt"


def _head(row: Sequence[Any]) -> SessionHead:
    import json

    id, cwd, roots, *more = row
    return SessionHead(id, Path(cwd), tuple(Path(root) for root in json.loads(roots)), *more)


def _exists(database: sqlite3.Connection, session: str) -> bool:
    return database.execute("SELECT 1 FROM session WHERE id = ?", (session,)).fetchone() is not None


def _last_event(database: sqlite3.Connection, session: str) -> tuple[int, str | None]:
    query = "SELECT seq, id FROM event WHERE session = ? ORDER BY seq DESC LIMIT 1"
    row = database.execute(query, (session,)).fetchone()
    return (row[0], row[1]) if row else (0, None)


def _read_record(database: sqlite3.Connection, session: str) -> tuple[list[tuple[str, Event]], int]:
    from acp_agent.session.record.events import event_adapter

    adapter = event_adapter()
    record: list[tuple[str, Event]] = []
    damaged = 0
    for id, text in database.execute("SELECT id, json FROM event WHERE session = ? ORDER BY seq", (session,)):
        try:
            record.append((id, adapter.validate_json(text)))
        except ValueError:
            damaged += 1  # one bad row must not cost the session; a newer version may have written it
    return record, damaged


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    try:
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise  # locked, full, or not permitted: the file is sound
        path.replace(path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"))
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # before SQLite, which would take the mode from the umask
    database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA busy_timeout = 10000")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > len(_STEPS):
            raise sqlite3.OperationalError(f"it was written by a newer version (schema {version})")
        if version < len(_STEPS):
            _upgrade(database)
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        database.close()
        raise
    return database


def _upgrade(database: sqlite3.Connection) -> None:
    """Make the tables, or bring those of an older version up to ours."""
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")
    version = database.execute("PRAGMA user_version").fetchone()[0]  # another process may have been faster
    for step in _STEPS[version:]:
        for statement in step.split(";\n"):
            database.execute(statement)
    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {len(_STEPS)}")
    database.execute("COMMIT")
