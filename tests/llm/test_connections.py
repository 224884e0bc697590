"""What holds for both wire APIs: how connections begin, break, stall and end."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest

from acp_agent.llm.anthropic import AnthropicMessages
from acp_agent.llm.messages import Text, Usage
from acp_agent.llm.openai_chat import OpenAIChat
from acp_agent.llm.provider import Completed, ErrorKind, ProviderError, StreamEvent, TextDelta
from acp_agent.llm.streaming import Timeouts
from tests.fakes.vendor import RESET, Answer, Call, Failure, Raw, Vendor
from tests.llm.conftest import HEADERS, KEY, TIMEOUTS
from tests.llm.requests import answer, error_of, message, read_all, request

pytestmark = pytest.mark.anyio

Api: TypeAlias = type[OpenAIChat] | type[AnthropicMessages]
Make: TypeAlias = Callable[..., OpenAIChat | AnthropicMessages]
on_both = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
ZIPPED = {"content-type": "text/event-stream", "content-encoding": "gzip"}
WIRES = {OpenAIChat: "openai_chat", AnthropicMessages: "anthropic"}


@pytest.fixture(params=[OpenAIChat, AnthropicMessages], ids=["openai", "anthropic"])
def api(request: pytest.FixtureRequest) -> Api:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def make(api: Api, vendor: Vendor) -> AsyncIterator[Make]:
    made: list[Any] = []

    def build(base_url: str = vendor.openai_url, key: str | None = KEY, timeouts: Timeouts = TIMEOUTS) -> Any:
        made.append(api("acme", base_url, key, HEADERS, env=("ACME_KEY",), timeouts=timeouts))
        return made[-1]

    yield build
    for provider in made:
        await provider.aclose()


async def failure(provider: OpenAIChat | AnthropicMessages) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await read_all(provider)
    shown = str(caught.value)
    assert shown.startswith("acme/small ")
    assert shown.isprintable()
    assert KEY not in shown
    assert HEADERS["x-team"] not in shown
    return caught.value


def pieces(api: Api, **fields: Any) -> list[Any]:
    return list(Answer(**fields).raw(WIRES[api]).pieces)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (Failure(401, {"error": {"message": f"invalid key {KEY}, headers {HEADERS}"}}), "auth", 401),
        (Failure(403, f"<html>{KEY}</html>"), "auth", 403),
        (Failure(404, {"error": {"message": "no such model"}}), "not_found", 404),
        (Failure(429, {"error": {"message": "quota", "code": "insufficient_quota"}}), "quota", 429),
        (Failure(429, headers={"retry-after": "7"}), "rate_limit", 429),
        (Failure(500), "overloaded", 500),
        (Failure(503, "<html><h1>Unavailable</h1></html>"), "overloaded", 503),
        (Failure(529, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}), "overloaded", 529),
        (Failure(200, "<html>Log in</html>"), "protocol", None),
        (Raw([b"<html>Log in</html>"]), "protocol", None),
        (Raw([RESET]), "network", None),
        (Raw([b"", RESET]), "network", None),
        (Raw([b"\x1f\x8bnot gzip"], headers=ZIPPED), "network", None),
        (Raw([b"data: {oops\n\n" * 3]), "network", None),
        (Raw([b"{"]), "network", None),
        (Raw([]), "network", None),
        (Raw([b": ping\n\n" * 5]), "network", None),
        (Raw([b""], framing="close"), "network", None),
    ],
)
async def test_a_failure_has_its_kind(
    vendor: Vendor, make: Make, reply: Failure | Raw, kind: ErrorKind, status: int | None
):
    vendor.replies.append(reply)
    error = await failure(make())
    assert (error.kind, error.status) == (kind, status)
    assert len(vendor.requests) == 1
    assert error.retry_after == (7 if "retry-after" in reply.headers else None)


async def test_the_message_names_the_variable_of_the_key(vendor: Vendor, make: Make):
    vendor.replies.append(Failure(401, {"error": {"message": "bad key"}}))
    assert str(await failure(make())) == (
        "acme/small answered 401 (bad key): check ACME_KEY or provider.acme.options.apiKey"
    )


async def test_nobody_there_is_a_failure_of_the_network(make: Make):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure(make(f"http://127.0.0.1:{unused.getsockname()[1]}/v1"))
    assert error.kind == "network"
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("url", ["", "no scheme", "ftp://x/", "http://", "http://["])
async def test_an_address_that_is_none_is_named(make: Make, url: str):
    assert (await failure(make(url))).kind == "bad_request"


@pytest.mark.parametrize("key", ["schlüssel", "two words", "line\nfeed"])
async def test_a_key_that_no_header_can_carry_is_not_sent(vendor: Vendor, make: Make, key: str):
    error = await failure(make(key=key))
    assert error.kind == "auth"
    assert key not in str(error)
    assert vendor.requests == []


async def test_tls_where_there_is_none_is_explained(vendor: Vendor, make: Make):
    error = await failure(make(vendor.openai_url.replace("http:", "https:")))
    assert error.kind == "protocol"
    assert "TLS" in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(vendor: Vendor, make: Make, status: int):
    target = vendor.url.replace("127.0.0.1", "localhost") + "/v1/thief"
    vendor.replies.append(Failure(status, "", {"location": target}))
    error = await failure(make())
    assert error.kind == "protocol"
    assert "/v1/thief" in str(error)
    assert len(vendor.requests) == 1


@on_both
async def test_an_answer_that_breaks_off_is_no_answer(vendor: Vendor, make: Make, api: Api):
    calls = [Call("read", ['{"path": "/', 'x"}'])]
    whole = pieces(api, text=["Some", " text"], calls=calls)
    in_call = whole[: next(at for at, piece in enumerate(whole) if b'"/' in piece or b'\\"/' in piece) + 1]
    for cut in ([*in_call, RESET], in_call, [*in_call, in_call[-1][:20]]):
        vendor.replies.append(Raw(cut))
        async with make().stream(request()) as stream:
            shown: list[StreamEvent] = []
            error = await error_of(stream, shown)
            assert stream.snapshot() == message(Text(text="Some text"))
        assert (error.kind, "broke off" in str(error)) == ("network", True)
        assert not any(isinstance(event, Completed) for event in shown)


@on_both
async def test_after_the_reason_for_the_end_the_last_word_may_be_missing(vendor: Vendor, make: Make, api: Api):
    whole = pieces(api, text="ok", usage=None)[:-1]
    provider = make()
    for end in ([], [RESET], [threading.Event()]):
        vendor.replies.append(Raw([*whole, *end]))
        assert (await answer(provider)).message == message(Text(text="ok"))


async def test_silence_before_the_first_byte_ends_the_request(vendor: Vendor, make: Make):
    provider = make(timeouts=Timeouts(first_byte=0.05))
    await provider.warm()
    for stalled in (Raw([threading.Event()]), Raw([b"", threading.Event()]), Raw([b": ping\n\n", threading.Event()])):
        vendor.replies.append(stalled)
        error = await failure(provider)
        assert error.kind == "network"
        assert "no answer for" in str(error)
        assert vendor.requests[-1].closed.wait(5)


@on_both
async def test_silence_in_the_middle_ends_the_request(vendor: Vendor, make: Make):
    vendor.replies.append(Answer("half", pause=threading.Event()))
    error = await failure(make(timeouts=Timeouts(idle=0.05)))
    assert error.kind == "network"
    assert vendor.requests[0].closed.wait(5)


async def test_every_split_of_the_bytes_gives_the_same_answer(vendor: Vendor, make: Make):
    said = {"text": "ü€😀 text", "thinking": "hm", "calls": [Call("read", '{"a":"ü"}')]}
    vendor.replies += [Answer(**said, split=size) for size in (1, 2, 3, 7, 10**6)]  # type: ignore[arg-type]
    provider = make()
    answers = [await answer(provider) for _ in range(5)]
    assert answers == [answers[0]] * 5
    assert answers[0].message.text == "ü€😀 text"


async def test_two_broken_lines_are_passed_over(vendor: Vendor, make: Make, api: Api):
    first, *rest = pieces(api, text="ok")
    vendor.replies.append(Raw([first, b"data: {oops\n\n", b"data: [1]\n\n", *rest]))
    assert (await answer(make())).message == message(Text(text="ok"))


async def test_a_compressed_stream_is_read_as_it_comes(vendor: Vendor, make: Make, api: Api):
    body = gzip.compress(b"".join(pieces(api, text="ok")))
    vendor.replies.append(Raw([body[:10], body[10:40], body[40:]], headers=ZIPPED))
    assert (await answer(make())).message == message(Text(text="ok"))


async def test_an_empty_answer_is_complete(vendor: Vendor, make: Make):
    vendor.replies.append(Answer())
    assert await answer(make()) == Completed(message(), Usage(input=10, output=5), "end_turn")


@on_both
async def test_the_connection_is_used_again_after_a_whole_answer(vendor: Vendor, make: Make):
    provider = make()
    vendor.replies += [Answer("one"), Answer("two"), Failure(500), Answer("three")]
    await answer(provider)
    await answer(provider)
    await failure(provider)
    await answer(provider)
    assert len({received.connection for received in vendor.requests}) == 1


@on_both
async def test_leaving_the_stream_closes_the_connection_at_once(vendor: Vendor, make: Make):
    provider = make()
    vendor.replies.append(Answer("half", pause=threading.Event()))
    async with provider.stream(request()) as stream:
        assert await anext(aiter(stream)) == TextDelta("half")
        left = time.monotonic()
    assert time.monotonic() - left < 5  # it waits for nothing
    assert vendor.requests[0].closed.wait(1)


@on_both
@pytest.mark.parametrize("when", ["before the headers", "after the headers", "in the text"])
async def test_a_cancel_closes_the_connection_at_once(vendor: Vendor, make: Make, when: str):
    provider = make()
    await provider.warm()
    stall = threading.Event()
    replies = {
        "before the headers": Raw([stall]),
        "after the headers": Raw([b"", stall]),
        "in the text": Answer("half", pause=stall),
    }
    vendor.replies.append(replies[when])
    cancelled_at = 0.0
    async with anyio.create_task_group() as group:
        group.start_soon(read_all, provider)
        await anyio.to_thread.run_sync(vendor.wait_for_requests, 1)
        await anyio.wait_all_tasks_blocked()
        cancelled_at = time.monotonic()
        group.cancel_scope.cancel()
    assert time.monotonic() - cancelled_at < 5  # it waits for nothing
    assert await anyio.to_thread.run_sync(vendor.requests[0].closed.wait, 5)


@on_both
async def test_what_came_before_a_cancel_is_in_the_snapshot(vendor: Vendor, make: Make):
    vendor.replies.append(Answer("half", pause=threading.Event()))
    async with make().stream(request()) as stream:
        with anyio.CancelScope() as scope:
            async for _ in stream:
                scope.cancel()
        assert scope.cancelled_caught
        assert stream.snapshot() == message(Text(text="half"))


@on_both
async def test_many_streams_share_one_client_that_is_loaded_once(vendor: Vendor, make: Make, api: Api):
    class Counted(api):  # type: ignore[misc, valid-type]
        loads = 0

        def load(self) -> Any:
            Counted.loads += 1
            return super().load()

    provider = Counted("acme", vendor.openai_url, KEY)
    vendor.replies += [Answer(str(number)) for number in range(5)]
    async with anyio.create_task_group() as group:
        group.start_soon(provider.warm)
        for _ in range(5):
            group.start_soon(read_all, provider)
    await provider.aclose()
    assert Counted.loads == 1
    assert len(vendor.requests) == 5


@on_both
async def test_a_prompt_that_waits_for_the_client_can_be_cancelled_and_the_next_one_works(
    vendor: Vendor, make: Make, api: Api
):
    loading, go_on = threading.Event(), threading.Event()

    class Slow(api):  # type: ignore[misc, valid-type]
        def load(self) -> Any:
            loading.set()
            go_on.wait(10)
            return super().load()

    provider = Slow("acme", vendor.openai_url, KEY)
    vendor.replies.append(Answer("ok"))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(read_all, provider)
            await anyio.to_thread.run_sync(loading.wait)
            group.cancel_scope.cancel()
        go_on.set()
        assert (await answer(provider)).message.text == "ok"
    await provider.aclose()
    assert len(vendor.requests) == 1


async def test_nothing_of_the_environment_is_sent_to_a_vendor(
    vendor: Vendor, make: Make, monkeypatch: pytest.MonkeyPatch
):
    planted = {
        "OPENAI_API_KEY": "env-key",
        "OPENAI_ADMIN_KEY": "env-admin",
        "OPENAI_ORG_ID": "env-org",
        "OPENAI_PROJECT_ID": "env-project",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/env",
        "OPENAI_CUSTOM_HEADERS": "X-Env: env-header\nAuthorization: Bearer env-bearer",
        "ANTHROPIC_API_KEY": "env-key",
        "ANTHROPIC_AUTH_TOKEN": "env-token",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9/env",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Env: env-header\nAuthorization: Bearer env-bearer",
        "ANTHROPIC_PROFILE": "env-profile",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_PROXY")
    vendor.replies += [Answer("ok"), Answer("ok")]
    for key in (KEY, None):
        assert (await answer(make(key=key))).message.text == "ok"
    assert [received.headers["authorization"] for received in vendor.requests] == [f"Bearer {KEY}", "Bearer no-key"]
    assert not [
        (name, value) for received in vendor.requests for name, value in received.headers.items() if "env" in value
    ]


def test_importing_the_wire_modules_imports_no_sdk():
    code = (
        "import sys, acp_agent.llm.openai_chat, acp_agent.llm.anthropic, acp_agent.llm.models, acp_agent.llm.scripted;"
    )
    code += (
        "print([name for name in ('openai', 'anthropic', 'httpx2', 'jsonschema', 'difflib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
