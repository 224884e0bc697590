from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from acp_agent.llm.anthropic import AnthropicMessages
from acp_agent.llm.openai_chat import OpenAIChat
from acp_agent.llm.streaming import Timeouts
from tests.fakes.vendor import Vendor, vendor_server

KEY = "the-secret-key"
HEADERS = {"x-team": "blue-team-header"}
# Long enough for a busy machine, short enough for a test that waits for it.
TIMEOUTS = Timeouts(connect=5, first_byte=20, idle=20, after_finish=0.05)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with vendor_server() as running:
        yield running


@pytest.fixture
async def openai(vendor: Vendor) -> AsyncIterator[OpenAIChat]:
    provider = OpenAIChat("openai", vendor.openai_url, KEY, HEADERS, env=("OPENAI_API_KEY",), timeouts=TIMEOUTS)
    yield provider
    await provider.aclose()


@pytest.fixture
async def anthropic(vendor: Vendor) -> AsyncIterator[AnthropicMessages]:
    provider = AnthropicMessages(
        "anthropic", vendor.anthropic_url, KEY, HEADERS, env=("ANTHROPIC_API_KEY",), timeouts=TIMEOUTS
    )
    yield provider
    await provider.aclose()
