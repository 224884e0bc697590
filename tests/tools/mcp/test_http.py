"""Servers over HTTP: both kinds, with the server of the official SDK, and addresses where there is none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anyio
import pytest

from acp_agent.tools.mcp.spec import ServerSpec, Transport
from tests.tools.mcp.bench import LONG, joined, until_exists, web, web_server

pytestmark = pytest.mark.anyio


def spec(transport: Transport, url: str, name: str = "web", timeout: float = LONG, **headers: str) -> ServerSpec:
    return ServerSpec(name, transport, url=url, headers=tuple(headers.items()), timeout=timeout)


class Page(BaseHTTPRequestHandler):
    """Answers by its path: `/html`, `/silent`, `/to?URL`, or a status such as `/500`."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.do_GET()

    def do_GET(self) -> None:
        path, _, target = self.path.partition("?")
        match path:
            case "/html":
                self.answer(200, "text/html; charset=utf-8", b"<!doctype html><h1>Welcome</h1>")
            case "/text":
                self.answer(200, "text/plain", b"ok")
            case "/broken":
                self.answer(200, "application/json", b"{")
            case "/to":
                self.answer(302, "text/plain", b"", location=target)
            case "/silent":
                self.server.released.wait(LONG)  # type: ignore[attr-defined]
            case _:
                self.answer(int(path[1:]), "text/plain", b"no")

    def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    """The address of a web server that knows nothing of MCP."""
    with serving() as address:
        yield address


@contextmanager
def serving() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.released.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("kind", "arguments", "transport"),
    [
        ("http", (), "http"),
        ("http", ("json",), "http"),
        ("http", (), "remote"),
        ("sse", (), "sse"),
        ("sse", (), "remote"),
    ],
)
async def test_a_real_server_is_joined_and_used(tmp_path, kind, arguments, transport):
    with web(kind, *arguments, TOOLBOX_KEY="k1") as url:
        async with joined(tmp_path, spec(transport, url, **{"X-Key": "k1"})) as bench:
            (status,) = bench.servers.status()
            assert (status.transport, status.state, status.detail) == (kind, "ready", "")
            assert (await bench.call("web_echo", text="hé")).output == "hé"
            assert (await bench.call("web_fail")).is_error
            if not arguments:  # a plain answer leaves no room for progress, nor for questions of the server
                assert (await bench.call("web_count", to=3)).output == "counted to 3"
                assert bench.updates
                assert (await bench.call("web_roots")).output == tmp_path.as_uri()
            await bench.call("web_grow", name="hop")
            await bench.until(lambda: "web_hop" in bench.servers.tools)


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_cancelled_call_is_cancelled_at_the_server_too(tmp_path, kind):
    with web(kind) as url:
        async with joined(tmp_path, spec(kind, url)) as bench:
            with anyio.fail_after(LONG):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(lambda: bench.call("web_wait", folder=str(tmp_path)))
                    await until_exists(tmp_path / "begun")
                    tasks.cancel_scope.cancel()
            await until_exists(tmp_path / "cancelled")
            assert (await bench.call("web_echo", text="x")).output == "x"


@pytest.mark.parametrize(
    ("transport", "path", "why"),
    [
        ("http", "/html", "it answered with an HTML page, so there is no MCP server at its address"),
        ("remote", "/html", "it answered with an HTML page, so there is no MCP server at its address"),
        ("sse", "/html", "it answered with an HTML page, so there is no MCP server at its address"),
        ("http", "/text", "it answered with text/plain, which is no answer of an MCP server"),
        ("http", "/404", "there is nothing at its address (HTTP 404)"),
        ("remote", "/404", "there is nothing at its address (HTTP 404)"),
        ("sse", "/404", "there is nothing at its address (HTTP 404)"),
        ("http", "/500", "it answered with HTTP 500"),
        ("sse", "/500", "it answered with HTTP 500"),
        ("http", "/401", "it wants a login (HTTP 401); if it takes a key or token, put that into its headers"),
        ("remote", "/401", "it wants a login (HTTP 401); if it takes a key or token, put that into its headers"),
        ("sse", "/403", "it wants a login (HTTP 403); if it takes a key or token, put that into its headers"),
        (
            "http",
            "/to?https://me:secret@login.invalid/in?token=secret",
            "its address redirects to https://login.invalid/in; if that is the server, use that address",
        ),
        ("http", "/silent", "it was not ready within 0.5 seconds"),
        ("sse", "/silent", "it was not ready within 0.5 seconds"),
    ],
)
async def test_where_no_server_is_one_line_says_why(tmp_path, site, transport, path, why):
    patience = 0.5 if path == "/silent" else LONG
    async with joined(tmp_path, spec(transport, site + path, timeout=patience)) as bench:
        assert (bench.state("web"), bench.detail("web")) == ("failed", why)


async def test_an_answer_that_is_no_message_says_so(tmp_path, site):
    async with joined(tmp_path, spec("http", f"{site}/broken")) as bench:
        assert bench.detail("web").startswith("it answered the handshake with an error: Failed to parse JSON response")
        assert "\n" not in bench.detail("web")


@pytest.mark.parametrize("transport", ["http", "sse", "remote"])
async def test_a_closed_port_is_told(tmp_path, transport):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/mcp"
        async with joined(tmp_path, spec(transport, url)) as bench:
            assert bench.detail("web").startswith("nothing answers at its address (")


async def test_a_key_that_is_wrong_is_no_reason_to_try_the_former_transport(tmp_path):
    with web("sse", TOOLBOX_KEY="k1") as url:
        async with joined(tmp_path, spec("remote", url, **{"X-Key": "k2"})) as bench:
            assert bench.detail("web").startswith("it wants a login (HTTP 401)")


@pytest.mark.parametrize("kind", ["http", "sse"])
async def test_a_server_that_went_away_is_told_and_joined_again_when_it_is_back(tmp_path, kind):
    with web_server(kind) as server:
        async with joined(tmp_path, spec(kind, server.url)) as bench:
            assert (await bench.call("web_echo", text="x")).output == "x"
            server.kill()
            said = [await bench.refusal("web_echo", text="x") for _ in range(2)]
            assert said[0].startswith("The MCP server web ")
            assert said[1].startswith("The MCP server web cannot be used: nothing answers at its address (")
            server.start()
            assert (await bench.call("web_echo", text="back")).output == "back"
            assert bench.state("web") == "ready"


async def test_a_session_that_the_server_forgot_is_begun_anew_without_a_word(tmp_path):
    with web_server("http") as server:
        async with joined(tmp_path, spec("http", server.url)) as bench:
            assert (await bench.call("web_echo", text="x")).output == "x"
            server.kill()
            server.start()
            assert (await bench.call("web_echo", text="back")).output == "back"
