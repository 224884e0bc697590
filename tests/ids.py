"""Ids that are the same in every run."""

from __future__ import annotations

import itertools
from collections.abc import Callable


def counting_ids() -> Callable[[str], str]:
    """Ids such as `ses_1`: the same in every run."""
    counters: dict[str, itertools.count[int]] = {}

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(counters.setdefault(prefix, itertools.count(1)))}"

    return new_id
