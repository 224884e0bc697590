"""What of the configuration a person may be shown: what is shown is recorded and exported, so doubt means a mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from acp_agent.config.models import AgentConfig
from acp_agent.session.commands.masked_text import MASK, host_only, looks_secret, masked_text

Path: TypeAlias = tuple[str | int, ...]
# "options" are a vendor's, which may be secrets under names that only the vendor knows.
_Part: TypeAlias = Literal["known", "options", "hidden"]

_HARMLESS_OPTIONS = frozenset(
    {
        "apiVersion",
        "api_version",
        "baseURL",
        "effort",
        "location",
        "reasoningEffort",
        "reasoningSummary",
        "reasoning_effort",
        "reasoning_summary",
        "region",
        "serviceTier",
        "service_tier",
        "summary",
        "textVerbosity",
        "text_verbosity",
        "type",
        "verbosity",
    }
)
_AGENT_KEYS = frozenset(field.alias or name for name, field in AgentConfig.model_fields.items())
_SHORTEST_INSIDE = 6
_LONGEST_READ = 4000
_LONGEST_TEXT = 400


def masked_values(values: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Any]:
    """The values of a configuration as JSON, with `[secret]` in the place of everything that may be one.

    Of a command only the program is left, of a server's address only the host, of a vendor's options those that are
    known to be harmless. `secrets` are masked wherever they stand.
    """
    return _Masking(secrets).table(values, (), "known")


class _Masking:
    """Walks through the values; the path says what each is for."""

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        self._inside = sorted((each for each in secrets if len(each) >= _SHORTEST_INSIDE), key=len, reverse=True)

    def table(self, table: Mapping[str, Any], path: Path, part: _Part) -> dict[str, Any]:
        """An object, its names masked as any other text."""
        made: dict[str, Any] = {}
        for name, item in table.items():
            here = (*path, name)
            made[_unique(self._text(name), made)] = self._value(item, here, _part(here, part))
        return made

    def _value(self, value: Any, path: Path, part: _Part) -> Any:
        match value:
            case dict():
                return self.table(value, path, part)
            case list() if len(path) == 3 and (path[0], path[2]) == ("mcp", "command"):
                return self._command(value)
            case list():
                return [self._value(item, (*path, index), part) for index, item in enumerate(value)]
            case str() if value:
                return self._string(value, path, part)
            case int() | float() if part == "hidden" and not isinstance(value, bool) and not _counts_tokens(path):
                return MASK
            case float() if value.is_integer():
                return int(value)
            case _:
                return value

    def _command(self, command: list[str]) -> list[str]:
        """The program; its arguments are where most servers are given their keys."""
        count = len(command) - 1
        more = [f"… and {count} argument{'' if count == 1 else 's'} that are not shown"] if count > 0 else []
        return [*(self._text(program) for program in command[:1]), *more]

    def _string(self, text: str, path: Path, part: _Part) -> str:
        if part == "known" and text in ("allow", "ask", "deny"):
            return text
        harmless = part == "known" or (part == "options" and _key(path) in _HARMLESS_OPTIONS)
        if not harmless or text in self._secrets:
            return MASK
        return self._text(host_only(text) if len(path) == 3 and (path[0], path[2]) == ("mcp", "url") else text)

    def _text(self, text: str) -> str:
        for secret in self._inside:
            text = text.replace(secret, MASK)
        if len(text) > _LONGEST_READ:  # behind the last space: half a secret might not look like one
            text = text[:_LONGEST_READ].rpartition(" ")[0] or MASK
        text = masked_text(text)
        return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _part(path: Path, above: _Part) -> _Part:
    """What stands at a path, below something of that kind."""
    if above == "hidden":
        return "hidden"
    match path:
        case ("provider", _, "options") | ("provider", _, "models", _, "options") | ("agent" | "mode", _, "options"):
            return "options"
        case ("provider", _, "models", _, "headers") | ("mcp", _, "headers" | "environment"):
            return "hidden"
        case ("agent" | "mode", _, str() as key) if key not in _AGENT_KEYS:
            above = "options"
    key = str(path[-1])
    return "hidden" if above == "options" and (key == "headers" or looks_secret(key)) else above


def _key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _counts_tokens(path: Path) -> bool:
    return _key(path).lower().endswith("tokens")


def _unique(name: str, taken: Mapping[str, Any]) -> str:
    """Two names may differ only in what is masked."""
    made, number = name, 1
    while made in taken:
        number += 1
        made = f"{name} ({number})"
    return made
