"""What the model's window holds, and what the session has cost."""

from __future__ import annotations

from acp_agent.llm.messages import Usage
from acp_agent.llm.models import Prices
from acp_agent.schema import Cost, UsageUpdate
from acp_agent.session.record import events
from acp_agent.session.state import SessionState

_MILLION = 1_000_000


def cost_of(usage: Usage, prices: Prices | None) -> float | None:
    """What a request cost in US dollars; None where the prices are not known."""
    if prices is None:
        return None
    fresh = usage.input - usage.cache_read - usage.cache_write
    parts = (
        (fresh, prices.input),
        (usage.output, prices.output),
        (usage.cache_read, prices.input if prices.cache_read is None else prices.cache_read),
        (usage.cache_write, prices.input if prices.cache_write is None else prices.cache_write),
    )
    return sum(max(tokens, 0) * price for tokens, price in parts) / _MILLION


def count_usage(state: SessionState, event: events.Usage) -> None:
    """Let a request count: it fills the window anew, and its cost is added."""
    state.used = (event.usage.total, event.size) if event.size else None
    if event.cost is not None:
        state.cost = (state.cost or 0.0) + event.cost


def usage_update(state: SessionState) -> UsageUpdate | None:
    """What clients are told of the last request; None while no window is known."""
    if state.used is None:
        return None
    used, size = state.used
    cost = None if state.cost is None else Cost(amount=round(state.cost, 6), currency="USD")
    return UsageUpdate(used=used, size=size, cost=cost)
