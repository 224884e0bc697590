"""`/permissions`: the rules that hold now, in the order in which they count, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from acp_agent.session.commands.base import Invocation, code, listed, page
from acp_agent.session.permissions import DEFAULT_RULES, Rule, Setting, matches, rules
from acp_agent.session.state import SessionState
from acp_agent.session.turn_state import Turn

_MOST = 60


class _Row(NamedTuple):
    rule: Rule
    origin: str


async def permissions(turn: Turn, _invoked: Invocation) -> str:
    """`/permissions`: defaults and configuration, the mode's rules, and what was allowed in this session."""
    state = turn.state
    policy = state.policy
    standing = [_Row(rule, "default") for rule in DEFAULT_RULES] + _configured(state)
    granted = [_Row(rule, "allowed by you in this session") for rule in dict.fromkeys(policy.granted)]
    mode = [_Row(rule, f"mode {state.mode}") for rule in policy.overlay]
    return page(
        "Of the rules in a list the **last** one that matches wins.",
        listed("Rules, defaults first", _shown(standing), _MOST),
        listed(f"Rules of the mode {code(state.mode)}: they go before the list above, unless it denies", _shown(mode)),
        listed("Allowed in this session: not asked again", _shown(granted), _MOST)
        or "Nothing was allowed for the whole session yet.",
        listed(
            "Whatever the rules say",
            [
                "a `deny` of the list above is final",
                "commands and files that can do lasting harm are always asked about",
                "commands that lose work are asked about unless a rule of the configuration, narrower than `*`, "
                "allows them",
                "tools of MCP servers are asked about unless a rule of the configuration covers them",
            ],
        ),
    )


def _configured(state: SessionState) -> list[_Row]:
    """The configured rules in their order, those of the mode's agent last, each with its place in a file."""
    agent = state.agent()
    found = _with_places(state, state.config.config.permission, ("permission",))
    if agent is not None:
        found += _with_places(state, agent.permission, ("agent", state.mode, "permission"))
    return found


def _with_places(state: SessionState, setting: Setting | None, path: tuple[str, ...]) -> list[_Row]:
    paths: list[tuple[str, ...]] = []
    if isinstance(setting, str):
        paths.append(path)
    elif setting is not None:
        for permission, value in setting.items():
            patterns = ("*",) if isinstance(value, str) else tuple(value)
            # The merged file may hold one action, or the same as the pattern *: the place is found for both.
            paths += [(*path, permission, pattern) for pattern in patterns]
    return [_Row(rule, place_of(state, where)) for rule, where in zip(rules(setting), paths, strict=True)]


def place_of(state: SessionState, path: tuple[str | int, ...]) -> str:
    """Where the value in force at a path of the configuration is written, as `file:line`."""
    found = state.config.diagnostic(path, "")
    return found.source if found.line is None else f"{found.source}:{found.line}"


def _shown(rows: Sequence[_Row]) -> list[str]:
    return [
        f"{code(row.rule.permission)} {code(row.rule.pattern)}: **{row.rule.action}** ({row.origin})"
        + _never_reached(row.rule, [later.rule for later in rows[number + 1 :]])
        for number, row in enumerate(rows)
    ]


def _never_reached(rule: Rule, later: Sequence[Rule]) -> str:
    over = next((each for each in reversed(later) if _covers(each, rule)), None)
    if over is None:
        return ""
    return f", never reached: {code(f'{over.permission} {over.pattern}')} below it wins"


def _covers(one: Rule, other: Rule) -> bool:
    return _wider(one.permission, other.permission) and _wider(one.pattern, other.pattern)


def _wider(pattern: str, other: str) -> bool:
    """Whether everything that `other` matches is matched by `pattern`, tried on texts that `other` stands for."""
    texts = [other.replace("*", ""), other.replace("*", "\0/\0"), other.removesuffix(" *")]
    return all(matches(pattern, text) for text in texts)
