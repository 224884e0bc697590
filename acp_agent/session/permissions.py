"""What may run: rules from the configuration, the mode's overlay, what a person allowed, and a floor under it all.

The last matching rule wins, as in opencode. Four things go beyond it, and are documented as deviations: a floor that
no rule lifts (`Subject.danger` always asks), commands that lose work ask unless a rule allows just them
(`Subject.caution`), tools of MCP servers ask unless a rule of the configuration covers them (`Subject.foreign`), and
plan mode writes nothing and asks before every shell line and every such tool that no rule allows by name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from acp_agent.tools.base import Subject

Action: TypeAlias = Literal["allow", "ask", "deny"]
Setting: TypeAlias = str | Mapping[str, str | Mapping[str, str]]


class Rule(NamedTuple):
    """`action` for every subject whose permission and pattern match the two wildcards."""

    permission: str
    pattern: str
    action: Action


DEFAULT_RULES: tuple[Rule, ...] = (
    Rule("*", "*", "allow"),
    Rule("doom_loop", "*", "ask"),
    Rule("external_directory", "*", "ask"),
    Rule("read", "*.env", "ask"),
    Rule("read", "*.env.*", "ask"),
    Rule("read", "*.env.example", "allow"),
)

PLAN_RULES: tuple[Rule, ...] = (Rule("edit", "*", "deny"), Rule("bash", "*", "ask"))

_ACTIONS: dict[str, Action] = {"allow": "allow", "ask": "ask", "deny": "deny"}


def rules(setting: Setting | None) -> tuple[Rule, ...]:
    """Rules out of a `permission` setting, in its order. Unknown actions count as `ask`."""
    if setting is None:
        return ()
    if isinstance(setting, str):
        return (Rule("*", "*", _action(setting)),)
    found: list[Rule] = []
    for permission, value in setting.items():
        patterns = {"*": value} if isinstance(value, str) else value
        found.extend(Rule(permission, _expanded(pattern), _action(action)) for pattern, action in patterns.items())
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the rules say of a call. `reason` names the rule or the danger; `asked` are the subjects to ask about."""

    action: Action
    reason: str = ""
    asked: Sequence[Subject] = ()
    may_be_remembered: bool = True


@dataclass(slots=True)
class Policy:
    """The rules of one session. `granted` holds what a person allowed for good, for as long as the session lives."""

    configured: tuple[Rule, ...] = ()
    overlay: tuple[Rule, ...] = ()
    granted: list[Rule] = field(default_factory=list)

    def decide(self, subjects: Sequence[Subject]) -> Decision:
        """Judge a call by everything it touches: one refusal refuses it, one question asks."""
        asked: list[Subject] = []
        reasons: list[str] = []
        bound_by_mode = False
        for subject in subjects:
            action, reason, by_mode = self._judge(subject)
            if action == "deny":
                return Decision("deny", reason)
            if action == "ask":
                asked.append(subject)
                reasons.append(reason)
                bound_by_mode |= by_mode
        if not asked:
            return Decision("allow")
        # To allow a repeated call for good would switch the guard off for every call of that tool.
        fixed = any(subject.danger or subject.permission == "doom_loop" for subject in asked)
        may_be_remembered = not bound_by_mode and not fixed
        return Decision("ask", "; ".join(dict.fromkeys(reasons)), asked, may_be_remembered)

    def grant(self, subjects: Sequence[Subject]) -> None:
        """Remember that these, and whatever their `always` pattern covers, may run in this session."""
        self.granted.extend(Rule(subject.permission, subject.always, "allow") for subject in subjects)

    def hides(self, permission: str) -> bool:
        """Whether the configuration refuses everything under this permission, so that the tool need not be offered.

        The mode does not count: the tools are part of the prefix that stays the same for the session.
        """
        rule = _last_match((*DEFAULT_RULES, *self.configured), permission, None)
        return rule is not None and rule.action == "deny" and rule.pattern == "*"

    def _judge(self, subject: Subject) -> tuple[Action, str, bool]:
        rule = _last_match((*DEFAULT_RULES, *self.configured), subject.permission, subject.pattern)
        action: Action = rule.action if rule else "ask"
        reason = _told(rule, subject)
        if action == "deny":
            return action, reason, False
        configured = rule in self.configured
        overlay = _last_match(self.overlay, subject.permission, subject.pattern)
        if overlay is not None:
            return overlay.action, subject.danger or f"this mode's rule for {subject.permission}", True
        if subject.foreign and self.overlay and not (configured and rule is not None and rule.permission != "*"):
            return "ask", f"this mode, and {subject.foreign}", True
        if subject.danger:
            return "ask", subject.danger, False
        if _last_match(self.granted, subject.permission, subject.pattern) is not None:
            return "allow", "", False
        if subject.caution and not (configured and rule is not None and rule.pattern != "*"):
            return "ask", subject.caution, False
        if subject.foreign and not configured:
            return "ask", subject.foreign, False
        return action, reason, False


def matches(pattern: str, text: str) -> bool:
    """Wildcards as in opencode: `*` is anything, also `/`; `?` one character; a last ` *` may be missing."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    body = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    if pattern.endswith(" *"):
        body = f"{body[: -len(re.escape(' ') + '.*')]}(?: .*)?"
    return re.compile(body, re.DOTALL)


def _last_match(candidates: Sequence[Rule], permission: str, pattern: str | None) -> Rule | None:
    for rule in reversed(candidates):
        if matches(rule.permission, permission) and (pattern is None or matches(rule.pattern, pattern)):
            return rule
    return None


def _told(rule: Rule | None, subject: Subject) -> str:
    if rule is None:
        return f"no rule for {subject.permission}"
    return f'the rule "{rule.permission}": "{rule.pattern}" = {rule.action}'


def _action(name: str) -> Action:
    return _ACTIONS.get(name, "ask")


def _expanded(pattern: str) -> str:
    if pattern == "~" or pattern.startswith("~/"):
        return os.path.expanduser("~") + pattern[1:]
    if pattern == "$HOME" or pattern.startswith("$HOME/"):
        return os.path.expanduser("~") + pattern[5:]
    return pattern
