"""The connection: order, admission, cancellation, and bounds, on asyncio and trio."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from acp_agent.log import NO_LOG
from acp_agent.rpc.connection import (
    MAX_LATE,
    MAX_UNANSWERED,
    MAX_UNANSWERED_BYTES,
    Connection,
    Reply,
    Work,
    method_not_found,
)
from acp_agent.rpc.memory import MemoryTransport, memory_transports
from acp_agent.rpc.messages import Response, RpcError, encode

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Server:
    """A handler whose methods are given as a table; notes the order in which it was called."""

    def __init__(self, **methods: Callable[[Any], Awaitable[Any]]) -> None:
        self.methods = methods
        self.called: list[str] = []
        self.notified: list[tuple[str, Any]] = []
        self.cancels: dict[str, Callable[[], None]] = {}
        self.ended = anyio.Event()

    def on_request(self, method: str, params: Any) -> Work:
        self.called.append(method)
        if method not in self.methods:
            raise method_not_found(method)
        return Work(lambda: self.methods[method](params), self.cancels.get(method))

    def on_notification(self, method: str, params: Any) -> None:
        self.notified.append((method, params))
        if method == "bad":
            raise RpcError(-32602, "bad")

    def on_end(self) -> None:
        self.ended.set()


class Peer:
    """The raw other end: lines out, lines in."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.transport = transport

    async def send(self, *lines: bytes | dict[str, Any]) -> None:
        await self.transport.send([line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines])

    async def request(self, id: Any, method: str, params: Any = None) -> None:
        await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})

    async def receive(self) -> dict[str, Any]:
        with anyio.fail_after(5):
            return json.loads(await self.transport.receive())

    def close(self) -> None:
        self.transport.close()


def _never(method: str, earlier: Any, later: Any) -> None:
    return None


@asynccontextmanager
async def connected(
    server: Server, merge: Any = _never, capacity: int = 4096
) -> AsyncIterator[tuple[Peer, Connection]]:
    ours, theirs = memory_transports(capacity)
    connection = Connection(ours, server, NO_LOG, merge)
    peer = Peer(theirs)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run)
        yield peer, connection
        peer.close()


async def _echo(params: Any) -> Any:
    return {"got": params}


async def test_a_result_comes_back_under_the_same_id() -> None:
    async with connected(Server(echo=_echo)) as (peer, _):
        for id in (1, "1", 2**60, None):
            await peer.request(id, "echo", {"a": 1})
            assert await peer.receive() == {"jsonrpc": "2.0", "id": id, "result": {"got": {"a": 1}}}


async def test_ids_that_are_equal_but_of_another_type_stay_apart() -> None:
    release = {"one": anyio.Event(), "two": anyio.Event()}

    async def wait(params: Any) -> Any:
        await release[params].wait()
        return params

    async with connected(Server(wait=wait)) as (peer, _):
        await peer.request(1, "wait", "one")
        await peer.request("1", "wait", "two")
        await peer.send({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": "1"}})
        answer = await peer.receive()
        assert (answer["id"], answer["error"]["code"]) == ("1", -32800)
        release["one"].set()
        assert await peer.receive() == {"jsonrpc": "2.0", "id": 1, "result": "one"}


async def test_handlers_are_called_in_the_order_of_the_wire_while_their_work_overlaps() -> None:
    release = anyio.Event()

    async def slow(_: Any) -> str:
        await release.wait()
        return "slow"

    async def fast(_: Any) -> str:
        return "fast"

    server = Server(slow=slow, fast=fast)
    async with connected(server) as (peer, _):
        await peer.request(1, "slow")
        await peer.request(2, "fast")
        assert (await peer.receive())["id"] == 2
        release.set()
        assert (await peer.receive())["id"] == 1
    assert server.called == ["slow", "fast"]


async def test_what_follows_a_response_is_written_behind_it() -> None:
    async def opening(_: Any) -> Reply:
        return Reply("opened", lambda: connection.notify("later", {}))

    async with connected(Server(opening=opening)) as (peer, connection):
        await peer.request(1, "opening")
        assert (await peer.receive())["result"] == "opened"
        assert (await peer.receive())["method"] == "later"


async def test_notifications_are_never_answered() -> None:
    server = Server()
    async with connected(server) as (peer, _):
        await peer.send({"jsonrpc": "2.0", "method": "bad"}, {"jsonrpc": "2.0", "method": "$/unknown"})
        await peer.send({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 42}})
        await peer.send({"jsonrpc": "2.0", "method": "$/cancel_request", "params": "x"})
        await peer.request(9, "nothing")
        assert (await peer.receive())["id"] == 9
    assert [method for method, _ in server.notified] == ["bad", "$/unknown"]


async def test_junk_is_answered_once_and_the_connection_goes_on() -> None:
    async with connected(Server(echo=_echo)) as (peer, _):
        await peer.send(b"junk", b"[1,2]", {"jsonrpc": "2.0", "id": 1, "method": "no/such"})
        await peer.request(2, "echo")
        codes = [(answer["id"], answer["error"]["code"]) for answer in [await peer.receive() for _ in range(3)]]
        assert codes == [(None, -32700), (None, -32600), (1, -32601)]
        assert (await peer.receive())["id"] == 2


async def test_a_line_above_the_limit_is_refused_and_the_next_one_served() -> None:
    async with connected(Server(echo=_echo)) as (peer, _):
        await peer.send(b" " * (64 * 1024 * 1024 + 1025))
        await peer.request(2, "echo")
        refused = await peer.receive()
        assert (refused["id"], refused["error"]["code"]) == (None, -32600)
        assert (await peer.receive())["id"] == 2


async def test_a_defect_in_a_handler_becomes_an_internal_error_of_one_line() -> None:
    async def broken(_: Any) -> None:
        raise ZeroDivisionError("secret\ndetail")

    async with connected(Server(broken=broken, echo=_echo)) as (peer, _):
        await peer.request(1, "broken")
        error = (await peer.receive())["error"]
        assert error["code"] == -32603
        assert "\n" not in error["message"]
        await peer.request(2, "echo")
        assert (await peer.receive())["id"] == 2


async def test_a_cancelled_request_is_asked_to_end_by_itself_if_it_can() -> None:
    asked = anyio.Event()

    async def work(_: Any) -> str:
        await asked.wait()
        return "ended by itself"

    server = Server(work=work)
    server.cancels["work"] = asked.set
    async with connected(server) as (peer, _):
        await peer.request(1, "work")
        await peer.send({"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": 1}})
        assert (await peer.receive())["result"] == "ended by itself"


async def test_our_requests_have_string_ids_and_get_their_answers() -> None:
    async with connected(Server()) as (peer, connection):
        got: list[Any] = []

        async def ask() -> None:
            got.append(await connection.request("ask", {"q": 1}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            request = await peer.receive()
            assert isinstance(request["id"], str)
            await peer.send({"jsonrpc": "2.0", "id": "unknown", "result": 0}, {"jsonrpc": "2.0", "id": 1, "result": 0})
            await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": "first"})
            await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": "second"})
        assert got == ["first"]


async def test_an_error_of_the_peer_is_raised_and_a_malformed_one_too() -> None:
    async with connected(Server()) as (peer, connection):
        for sent, code in (({"code": 7, "message": "no"}, 7), ("x", -32603), ({}, -32603)):
            async with anyio.create_task_group() as tasks:

                async def ask(expected: int = code) -> None:
                    with pytest.raises(RpcError) as caught:
                        await connection.request("ask", {})
                    assert caught.value.code == expected

                tasks.start_soon(ask)
                request = await peer.receive()
                await peer.send({"jsonrpc": "2.0", "id": request["id"], "error": sent})


async def test_a_request_that_is_given_up_is_told_to_the_peer() -> None:
    async with connected(Server()) as (peer, connection):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.request, "ask", {})
            request = await peer.receive()
            tasks.cancel_scope.cancel()
        told = await peer.receive()
        assert (told["method"], told["params"]) == ("$/cancel_request", {"requestId": request["id"]})


def _undo(result: Any) -> list[tuple[str, dict[str, Any]]]:
    return [("kill", {"id": result}), ("release", {"id": result})]


async def _given_up(peer: Peer, connection: Connection) -> Any:
    """The id of a request whose caller has gone."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.request, "create", {}, 256, _undo)
        id = (await peer.receive())["id"]
        tasks.cancel_scope.cancel()
    assert (await peer.receive())["params"] == {"requestId": id}
    return id


async def test_what_a_late_answer_made_is_taken_back_once_when_nobody_waits_any_more() -> None:
    async with connected(Server(echo=_echo)) as (peer, connection):
        id = await _given_up(peer, connection)
        for _ in range(2):
            await peer.send({"jsonrpc": "2.0", "id": id, "result": "t"})
        asked = [await peer.receive() for _ in range(2)]
        assert [(each["method"], each["params"]) for each in asked] == _undo("t")
        assert len({id, *(each["id"] for each in asked)}) == 3
        for each in asked:
            await peer.send({"jsonrpc": "2.0", "id": each["id"], "result": {}})
        await peer.request(1, "echo")
        assert (await peer.receive())["id"] == 1, "nothing more was said"


async def test_a_late_error_and_an_answer_in_time_leave_nothing_to_take_back() -> None:
    async with connected(Server(echo=_echo)) as (peer, connection):
        await peer.send({"jsonrpc": "2.0", "id": await _given_up(peer, connection), "error": {"code": -32800}})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.request, "create", {}, 256, _undo)
            await peer.send({"jsonrpc": "2.0", "id": (await peer.receive())["id"], "result": "t"})
        await peer.request(1, "echo")
        assert (await peer.receive())["id"] == 1
        assert connection._late == {}


async def test_an_answer_in_the_moment_of_the_cancellation_is_taken_back_too() -> None:
    async with connected(Server()) as (peer, connection):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(connection.request, "create", {}, 256, _undo)
            id = (await peer.receive())["id"]
            answer = connection._answers[id]
            tasks.cancel_scope.cancel()
            answer.response = Response(id, "t", None)  # the reader has it, and the caller does not run again
        asked = [await peer.receive() for _ in range(2)]
        assert [(each["method"], each["params"]) for each in asked] == _undo("t")


async def test_of_answers_that_never_come_a_bounded_number_is_remembered() -> None:
    async with connected(Server()) as (_, connection):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                for _ in range(MAX_LATE + 5):
                    tasks.start_soon(connection.request, "create", {}, 256, _undo)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        assert len(connection._late) == MAX_LATE


async def test_the_end_of_the_peer_cancels_its_requests() -> None:
    cancelled = anyio.Event()

    async def forever(_: Any) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    server = Server(forever=forever)
    with anyio.fail_after(5):
        async with connected(server) as (peer, _):
            await peer.request(1, "forever")
            await peer.request(2, "none")
            await peer.receive()
    assert cancelled.is_set()
    assert server.ended.is_set()


async def test_a_peer_that_does_not_read_is_owed_a_bounded_number_of_answers() -> None:
    asked = 3 * MAX_UNANSWERED
    server = Server(echo=_echo)
    ours, theirs = memory_transports(1)
    connection = Connection(ours, server, NO_LOG, _never)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run)
        for number in range(asked):
            await theirs.send([encode({"jsonrpc": "2.0", "id": number, "method": "echo"})])
        await theirs.send([b'{"jsonrpc":"2.0","method":"seen"}'])
        with anyio.fail_after(5):
            while not server.notified:
                await anyio.lowlevel.checkpoint()
        # The transport may hold a few answers itself.
        assert MAX_UNANSWERED <= len(server.called) <= MAX_UNANSWERED + 10
        for number in range(len(server.called)):
            assert json.loads(await theirs.receive())["id"] == number
        await theirs.send([encode({"jsonrpc": "2.0", "id": "again", "method": "echo"})])
        assert json.loads(await theirs.receive())["id"] == "again"
        theirs.close()


async def test_a_large_request_that_runs_for_long_does_not_make_the_agent_deaf() -> None:
    hold = anyio.Event()

    async def long(_: Any) -> dict[str, Any]:
        await hold.wait()
        return {}

    async with connected(Server(long=long, echo=_echo)) as (peer, _):
        await peer.request("large", "long", "x" * (MAX_UNANSWERED_BYTES + 1))
        await peer.request(1, "echo")
        await peer.request(2, "echo")
        assert [(await peer.receive())["id"] for _ in range(2)] == [1, 2]
        hold.set()
        assert (await peer.receive())["id"] == "large"


async def test_updates_for_a_peer_that_does_not_read_are_merged_and_then_held_back() -> None:
    def join(method: str, earlier: Any, later: Any) -> Any:
        return {"text": earlier["text"] + later["text"]}

    ours, theirs = memory_transports(1)
    connection = Connection(ours, Server(), NO_LOG, join)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        while True:
            await connection.notify("update", {"text": "x" * 1000}, 1000)
            sent += 1000

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run)
        tasks.start_soon(flood)
        for _ in range(20_000):
            await anyio.lowlevel.checkpoint()
        assert 1_000_000 < sent < 16_000_000
        theirs.close()
        tasks.cancel_scope.cancel()


async def test_text_reaches_a_slow_peer_whole_and_in_order() -> None:
    def join(method: str, earlier: Any, later: Any) -> Any:
        return {"text": earlier["text"] + later["text"]}

    async with connected(Server(), join, capacity=1) as (peer, connection):
        expected = ""
        for number in range(5000):
            await connection.notify("update", {"text": f"{number},"})
            expected += f"{number},"
        received = ""
        while len(received) < len(expected):
            received += (await peer.receive())["params"]["text"]
        assert received == expected
