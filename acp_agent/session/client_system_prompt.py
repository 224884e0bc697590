"""A client's own system prompt: appended to ours, or in place of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ClientPrompt:
    """`append`: behind everything of ours; `override`: in place of the base prompt, with the environment behind it."""

    mode: Literal["append", "override"]
    text: str

    def json(self) -> str:
        """For the store."""
        return json.dumps({"mode": self.mode, "text": self.text})

    @classmethod
    def read(cls, stored: str | None) -> ClientPrompt | None:
        """What `json` gave, or None."""
        return cls(**json.loads(stored)) if stored else None
