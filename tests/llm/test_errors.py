from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime, formatdate

import pytest

from acp_agent.llm.errors import Failures, describe, retry_after
from acp_agent.llm.provider import ErrorKind

KEY = "sk-ant-abcdefghijklmnop"
failures = Failures("anthropic", "claude-x", ("ANTHROPIC_API_KEY",), (KEY, "bearer-token"))


def body(message: str = "", code: str | None = None, kind: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "code": code, "type": kind}}


@pytest.mark.parametrize(
    ("status", "given", "kind", "transient"),
    [
        (400, body("wrong field", kind="invalid_request_error"), "bad_request", False),
        (400, body("too long", code="context_length_exceeded"), "context_overflow", False),
        (400, body("prompt is too long: 210000 tokens > 200000 maximum"), "context_overflow", False),
        (413, body("request_too_large"), "context_overflow", False),
        (400, body("API key not valid. Please pass a valid API key."), "auth", False),
        (401, body("invalid x-api-key", kind="authentication_error"), "auth", False),
        (402, body("pay"), "quota", False),
        (403, body("Country not supported"), "auth", False),
        (404, body("The model does not exist", code="model_not_found"), "not_found", False),
        (404, "<html>nope</html>", "not_found", False),
        (408, body(), "overloaded", True),
        (422, body("tools.0.schema is wrong"), "bad_request", False),
        (429, body("slow down", code="rate_limit_exceeded"), "rate_limit", True),
        (429, body("You exceeded your current quota", code="insufficient_quota"), "quota", False),
        (429, body("You exceeded your current quota: 5 requests per minute"), "rate_limit", True),
        (400, body("Your credit balance is too low"), "quota", False),
        (500, body("oops"), "overloaded", True),
        (502, "<html><title>Bad gateway</title></html>", "overloaded", True),
        (503, "", "overloaded", True),
        (529, body("Overloaded", kind="overloaded_error"), "overloaded", True),
        (302, "", "protocol", False),
        (418, None, "bad_request", False),
        (400, [body("in a list")], "bad_request", False),
        (400, "[[[", "bad_request", False),
    ],
)
def test_an_answer_has_its_kind(status: int, given: object, kind: ErrorKind, transient: bool):
    error = failures.answered(status, {}, given)
    assert (error.kind, error.transient, error.status) == (kind, transient, status)
    assert str(error).startswith(f"anthropic/claude-x answered {status}")
    assert "<" not in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        (body("limit", kind="rate_limit_error"), "rate_limit"),
        (body("no", kind="invalid_request_error"), "bad_request"),
        (body("no", code="insufficient_quota"), "quota"),
        (body("no", code="context_length_exceeded"), "context_overflow"),
        (body("no", kind="authentication_error"), "auth"),
        ({"error": {"code": 502, "message": "upstream"}}, "overloaded"),
        ({"error": "just words"}, "overloaded"),
        ({"error": {"message": {"deep": 1}}}, "overloaded"),
    ],
)
def test_an_error_inside_a_stream_has_its_kind(given: object, kind: ErrorKind):
    assert failures.reported(given).kind == kind


def test_the_message_says_what_to_do():
    error = failures.answered(401, {}, body("invalid x-api-key"))
    assert str(error) == (
        "anthropic/claude-x answered 401 (invalid x-api-key): "
        "check ANTHROPIC_API_KEY or provider.anthropic.options.apiKey"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-ant-a***********mnop.",
        "header bearer-token refused",
        "key gsk_0123456789abcdefghij is wrong",
    ],
)
def test_a_key_is_never_repeated(text: str):
    for error in (
        failures.answered(401, {}, body(text)),
        failures.answered(400, {}, text),
        failures.reported(body(text)),
        failures.unreachable([("LocalProtocolError", text)], "host"),
        failures.broken(text),
    ):
        shown = str(error)
        assert "***" in shown
        assert not any(part in shown for part in ("sk-ant-a", "mnop", "bearer-token", "gsk_"))


def test_a_redirect_names_its_target_without_its_query():
    error = failures.answered(307, {"Location": "https://evil.example/v1?token=1"}, "")
    assert "https://evil.example/v1" in str(error)
    assert "token" not in str(error)


def test_long_and_strange_texts_become_one_short_line():
    shown = str(failures.answered(400, {}, body("a\n\x1b[2J\u202e b " + "x" * 10_000)))
    assert len(shown) < 500
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("causes", "kind", "words"),
    [
        ([("APIConnectionError", "Connection error."), ("ConnectError", "refused")], "network", "refused"),
        ([("APITimeoutError", "Request timed out."), ("ConnectTimeout", "")], "network", "timed out"),
        ([("ConnectError", "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")], "protocol", "SSL_CERT_FILE"),
        ([("ConnectError", "[SSL: WRONG_VERSION_NUMBER] wrong version number")], "protocol", "does not speak TLS"),
        ([("ConnectError", "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF")], "network", "EOF"),
        ([("UnsupportedProtocol", "no scheme")], "bad_request", "baseURL"),
        ([], "network", "api.example"),
    ],
)
def test_no_answer_has_a_kind_and_a_cause(causes: list[tuple[str, str]], kind: ErrorKind, words: str):
    error = failures.unreachable(causes, "api.example")
    assert error.kind == kind
    assert words in str(error)


NOW = datetime(2030, 1, 1, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({"retry-after": format_datetime(datetime(2030, 1, 1, 0, 0, 7, tzinfo=UTC), usegmt=True)}, 7.0),
        ({"retry-after": format_datetime(datetime(2029, 1, 1, tzinfo=UTC), usegmt=True)}, 0.0),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "abc"}, None),
        ({"retry-after": "1e99"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_the_time_to_wait_is_read_and_nonsense_ignored(headers: dict[str, str], seconds: float | None):
    assert retry_after(headers, NOW) == seconds


def test_an_error_carries_the_time_to_wait():
    error = failures.answered(429, {"retry-after": formatdate(time.time() + 60, usegmt=True)}, body("slow"))
    assert error.retry_after is not None
    assert 55 < error.retry_after <= 60


def test_a_page_is_described_but_not_shown():
    assert describe("<!DOCTYPE html><p>secret</p>")[0] == "an HTML page"
    assert describe({"error": {"message": "<html>x</html>"}})[0] == "an HTML page"
